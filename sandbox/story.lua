--- Plays stories: the lists of days that a spec tells, at the time that it sets.
--
-- The text of a story is stored under its MD5, and "MD5 CLOCK" under its label, so that a worker
-- never sees a label with half of a new story. Every worker reads the text itself.
local cache = require "sandbox.cache"
local lists = require "sandbox.story.lists"
local text_of = require "sandbox.story.text"
local token = require "sandbox.token"

local M = {}

local shelf = ngx.shared.stories
local MEGABYTE = 1024 * 1024
local readings, sorted = cache.new(64 * MEGABYTE), cache.new(128 * MEGABYTE)

-- Reads a story, with the people of each tenant that a line names; "" has those of all others.
local function read(text)
  local events, reason = text_of.read(text)
  if not events then
    return nil, reason
  end
  local people = {}
  for at = 0, #events do
    local tenant = at > 0 and events[at].tenant or ""
    if not people[tenant] then
      people[tenant], reason = lists.people(events, tenant)
    end
    if not people[tenant] then
      return nil, reason
    end
  end
  return { events = events, people = people }
end

local function set(label, id, now)
  local at = now and text_of.time(now)
  if now and not at then
    return nil, "no such time: " .. now
  end
  return shelf:set("label " .. label, id .. " " .. (at and ("%.6f"):format(at) or "real"))
end

--- Stores a story.
-- @tparam string label
-- @tparam string text
-- @tparam ?string now its time; by default the real time
-- @treturn[1] true
-- @treturn[2] nil
-- @treturn[2] string the error message
function M.tell(label, text, now)
  local id = ngx.md5(text)
  local ok, reason = read(text)
  if ok then
    ok, reason = shelf:set("text " .. id, text)
  end
  if ok then
    ok, reason = set(label, id, now)
  end
  return ok, reason
end

--- Sets the time of a story.
-- @return as of @{tell}
function M.set_clock(label, now)
  local entry = shelf:get("label " .. label)
  if not entry then
    return nil, "no such story: " .. label
  end
  return set(label, entry:match("^%x+"), now)
end

-- Adds the settings that the service has at this time for this list. Those of the call win.
local function add_settings(call, events)
  local settings = {}
  for _, event in ipairs(events) do
    if event.verb == "sends" and event.at <= call.now and call.now < (event.ends or math.huge)
      and (event.tenant or call.tenant) == call.tenant
      and (event.only or call.list) == call.list then
      for name, value in pairs(event.said) do
        settings[name] = value
      end
    end
  end
  for name, value in pairs(call.settings) do
    settings[name] = value
  end
  settings.only = nil
  call.settings = settings
end

--- Makes a call play its story: sets its time, its settings and its records.
-- @tparam table call `list`, `settings`, `claims`
-- @treturn[1] true
-- @treturn[2] nil
-- @treturn[2] string the error message
function M.play(call)
  local label = call.settings.story
  local id, clock = (shelf:get("label " .. label) or ""):match("^(%x+) (%S+)$")
  local text = id and shelf:get("text " .. id)
  if not text then
    return nil, "no such story: " .. label
  end
  local story = readings:get(id) or readings:put(id, read(text), 20 * #text)
  call.now = tonumber(clock) or ngx.time()
  call.tenant = (call.settings.tenant or call.claims and call.claims.tid or token.TENANT):lower()
  add_settings(call, story.events)
  call.people = story.people[call.tenant] or story.people[""]
  call.story = table.concat({ id, call.tenant, tonumber(clock) and clock or call.now }, " ")
  return true
end

--- Returns the records of a call that plays a story.
-- @treturn {table,...} as of `lists.list`
function M.records(call)
  local most = call.settings.newest
  local key = table.concat({ call.story, call.list, tostring(most) }, " ")
  local list = sorted:get(key)
  if not list then
    list = lists.list(call.people, call.list, { now = call.now, tenant = call.tenant }, most)
    sorted:put(key, list, 200 * #list + #key)
  end
  return list
end

return M
