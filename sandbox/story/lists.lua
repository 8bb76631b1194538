--- Makes the lists that the service would send at a moment of a story.
local guid = require "sandbox.guid"
local records = require "sandbox.records"

local M = {}

local DAY = 24 * 3600
local WEEK = 7 * DAY
local MOST = 10000 -- records of a list
local TICK = 1e-6 -- times differ by more

local OWN_APP = { id = guid.from "application Fabrikam Billing", name = "Fabrikam Billing" }

-- The facts that the service knows of a person, from a time on.
local function learn(person, at, news)
  local versions = person.versions
  local known = { from = at }
  for _, name in ipairs { "id", "home", "upn" } do
    known[name] = news[name] or versions[#versions][name]
  end
  versions[#versions + 1] = known
end

local ACT = {}

-- A sign-in, or requests. The ids of requests come from the text of the line, so that lines can be
-- added to a story.
function ACT.requests(person, event)
  person.acts[#person.acts + 1] = event
end

ACT["signs-in"] = ACT.requests

function ACT.renamed(person, event, holders)
  local upn = event.said.to
  holders[event.who:lower()] = nil
  if holders[upn:lower()] then
    return "somebody has this upn: " .. upn
  end
  holders[upn:lower()] = person
  learn(person, event.at, { upn = upn })
end

function ACT.deleted(person, event, holders)
  holders[event.who:lower()] = nil
  person.gone = event.at
end

function ACT.known(person, event)
  learn(person, event.at, event.said)
end

--- Finds out who is who in a tenant: a upn that was renamed or deleted is free for a new person.
-- @tparam {table,...} events of `text.read`
-- @tparam ?string tenant
-- @treturn[1] {table,...} people
-- @treturn[2] nil
-- @treturn[2] string the error message, with the number of the line
function M.people(events, tenant)
  local people, holders, bearers = {}, {}, {}
  for _, event in ipairs(events) do
    local upn = event.who:lower()
    if event.verb ~= "sends" and (event.tenant or tenant) == tenant then
      local person = holders[upn]
      if not person and (event.verb == "renamed" or event.verb == "deleted") then
        return nil, "line " .. event.line .. ": nobody has this upn: " .. event.who
      elseif not person then
        bearers[upn] = (bearers[upn] or 0) + 1
        person = { acts = {}, gone = math.huge, versions = { {
          from = 0, upn = event.who, id = guid.from("person " .. upn .. " " .. bearers[upn]) } } }
        holders[upn], people[#people + 1] = person, person
      end
      local wrong = ACT[event.verb](person, event, holders)
      if wrong then
        return nil, "line " .. event.line .. ": " .. wrong
      end
    end
  end
  return people
end

-- The number of times that something was done before a moment.
local function times_before(act, person, moment)
  local seconds = math.min(moment, person.gone) - act.at
  return math.max(0, math.min(act.count, math.ceil(seconds / act.every)))
end

local function time_of(act, index)
  return act.at + (index - 1) * act.every
end

local function written(time)
  local micros = math.floor(time * 1e6 + 0.5)
  local fraction = ("%06d"):format(micros % 1e6):gsub("0+$", "")
  return os.date("!%Y-%m-%dT%H:%M:%S", math.floor(micros / 1e6))
    .. (fraction ~= "" and "." .. fraction or "")
end

local function who_at(person, time, tenant)
  local versions, at = person.versions, #person.versions
  while versions[at].from > time do
    at = at - 1
  end
  local known = versions[at]
  return { objectId = known.id, tenantId = known.home or tenant, upn = known.upn }
end

local function newest_first(a, b)
  if a.time ~= b.time then
    return a.time > b.time
  end
  return a.order < b.order
end

-- When a person was last seen without MFA, or nil.
local function last_without_mfa(person, moment)
  local last
  for _, act in ipairs(person.acts) do
    local count = act.said.mfa and 0 or times_before(act, person, moment)
    last = count > 0 and math.max(last or 0, time_of(act, count)) or last
  end
  return last
end

-- Makers of the records of a list, in any order. An entry is written when it is sent.
local ENTRIES = {}

function ENTRIES.principals(people, view)
  local entries = {}
  local function write(entry, settings)
    local who = who_at(people[entry.order], view.now, view.tenant)
    return records.write_principal(who, written(entry.time), settings)
  end
  for order, person in ipairs(people) do
    local last = person.gone > view.now and last_without_mfa(person, view.now + TICK)
    if last and last > view.now - WEEK then
      entries[#entries + 1] = { time = last, order = order, write = write }
    end
  end
  return entries
end

-- Adds the newest requests of one line.
local function add_requests(entries, act, person, view)
  local said = act.said
  local function write(entry, settings)
    return records.write_request(who_at(person, entry.time, view.tenant), {
      id = guid.from(act.text .. " " .. entry.index), correlation_id = "",
      operation = said.operation or "Get /v{version}/customers", date = written(entry.time),
      ip = said.ip or "192.0.2.1", app = (said.app or OWN_APP).id, mfa = said.mfa or false,
    }, settings)
  end
  local last = times_before(act, person, view.now + TICK)
  local gone = times_before(act, person, view.now - WEEK + TICK)
  for index = last, math.max(gone, last - view.most) + 1, -1 do
    entries[#entries + 1] = { time = time_of(act, index), index = index, order = act.line,
                              write = write }
  end
end

function ENTRIES.requests(people, view)
  local entries = {}
  for _, person in ipairs(people) do
    for _, act in ipairs(person.acts) do
      if act.verb == "requests" then
        add_requests(entries, act, person, view)
      end
    end
  end
  return entries
end

-- Adds the requests of one line on one day to the row of its application.
local function count_requests(rows, act, person, from, to)
  local app = act.said.app or OWN_APP
  local count = times_before(act, person, to) - times_before(act, person, from)
  if count > 0 then
    local row = rows[app.id] or { total = 0, compliant = 0 }
    row.app, row.total = app, row.total + count
    row.compliant = row.compliant + (act.said.mfa and count or 0)
    rows[app.id] = row
  end
end

function ENTRIES.adoption(people, view)
  local entries = {}
  local function write(entry)
    return records.write_adoption(os.date("!%Y-%m-%d", entry.time), entry.compliant, entry.total,
                                  entry.app)
  end
  local today = math.floor(view.now / DAY) * DAY
  for from = today - WEEK + DAY, today, DAY do
    local rows = {}
    for _, person in ipairs(people) do
      for _, act in ipairs(person.acts) do
        if act.verb == "requests" then
          count_requests(rows, act, person, from, math.min(from + DAY, view.now + TICK))
        end
      end
    end
    for id, row in pairs(rows) do
      row.time, row.order, row.write = from, id, write
      entries[#entries + 1] = row
    end
  end
  return entries
end

--- Makes a list, newest first.
-- @tparam {table,...} people
-- @tparam string name principals, adoption or requests
-- @tparam table view `now`, `tenant`
-- @tparam ?number most number of records
-- @treturn {table,...} entries; `entry:write(settings)` returns name, value, name, value…
function M.list(people, name, view, most)
  view.most = most or MOST
  local entries = ENTRIES[name](people, view)
  table.sort(entries, newest_first)
  for at = view.most + 1, #entries do
    entries[at] = nil
  end
  return entries
end

return M
