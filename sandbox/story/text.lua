--- Reads the text of a story, one event a line: TIME WHO VERB name=value; name=value
local guid = require "sandbox.guid"
local settings_of = require "sandbox.settings"

local M = {}

local MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov",
                 "Dec" }

--- Reads a time in UTC: `2026-11-20T06:00:00.25Z`, `2026-11-20T06:00Z`, or a day, for midnight.
-- @treturn ?number seconds since 1970, or nil
function M.time(text)
  local year, month, day, rest = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)(.*)$")
  local minutes, seconds, fraction = (rest == "" and "T00:00Z" or rest or "")
    :match("^T(%d%d:%d%d)(:?%d*)(%.?%d*)Z$")
  if not minutes or not (fraction == "" or fraction:find("^%.%d") and seconds ~= "") then
    return nil
  end
  local whole = ngx.parse_http_time(("Mon, %s %s %s %s%s GMT"):format(
    day, MONTHS[tonumber(month)], year, minutes, seconds == "" and ":00" or seconds))
  return whole and whole + (tonumber("0" .. fraction) or 0)
end

local SECONDS = { s = 1, m = 60, h = 3600, d = 86400 }

local function duration(value)
  local number, unit = value:match("^([1-9]%d*)([smhd])$")
  return number and number * SECONDS[unit]
end

local function person(value)
  return value:find("^[^%s@]+@[^%s@]+$") and value or nil
end

-- A GUID, a name, or both. The id of an application that has a name only is made from the name.
local function app(value)
  local id, name = value:sub(1, 36), value:sub(37):match("^%s*(.*)$")
  if not guid.is(id) then
    id, name = guid.from("application " .. value), value
  end
  return value ~= "" and { id = id, name = name } or nil
end

local function id_or_none(value)
  return value == "none" and "" or settings_of.kinds.id(value)
end

local any, flag, id = settings_of.kinds.any, settings_of.kinds.flag, settings_of.kinds.id

local count = settings_of.kinds.whole(1, 1e9)

--- Parsers of the values in a line, by the verb and by the name.
M.verbs = {
  ["signs-in"] = { count = count, every = duration, ["until"] = M.time },
  requests = { count = count, every = duration, ["until"] = M.time,
               app = app, mfa = flag, ip = any, operation = any },
  renamed = { to = person },
  deleted = {},
  known = { id = id_or_none, home = id },
  sends = { ["until"] = M.time },
}
for name, parse in pairs(settings_of.known) do
  if name ~= "story" and name ~= "label" and name ~= "serve" then
    M.verbs.sends[name] = parse
  end
end
for _, known in pairs(M.verbs) do
  known.tenant = id
end

-- Any two of `count`, `every` and `until` say when. Without them there is one act.
local function spread(event, said)
  local span = said["until"] and said["until"] - event.at
  local given = (said.count and 1 or 0) + (said.every and 1 or 0) + (span and 1 or 0)
  if span and span <= 0 then
    return nil, "until is not after the time of the line"
  elseif given == 1 or given == 3 then
    return nil, "say two of count, every and until"
  end
  event.every = said.every or span and span / said.count or 1
  event.count = said.count or span and math.ceil(span / said.every) or 1
  return event
end

-- Checks what a line says as a whole.
local FINISH = { ["signs-in"] = spread, requests = spread }

function FINISH.deleted(event)
  return event
end

function FINISH.renamed(event, said)
  return said.to and event, "renamed needs to"
end

function FINISH.known(event, said)
  return (said.id or said.home) and event, "known needs id or home"
end

function FINISH.sends(event, said)
  event.ends, said["until"] = said["until"], nil
  event.only, said.only = said.only, nil
  if next(said) == nil then
    return nil, "sends needs a setting"
  end
  said.story = "this one"
  local ok, reason = settings_of.check(said)
  said.story = nil
  return ok and event, reason
end

local function read_line(line)
  local time, who, verb, rest = line:match("^(%S+)%s+(%S+)%s+(%S+)%s*(.*)$")
  local at, known = M.time(time or ""), M.verbs[verb]
  if not time then
    return nil, "a line is TIME WHO VERB"
  elseif not at then
    return nil, "no such time: " .. time
  elseif not known then
    return nil, "no such verb: " .. verb
  elseif verb == "sends" and who ~= "service" then
    return nil, "only the service sends"
  elseif verb ~= "sends" and not person(who) then
    return nil, "not a person (NAME@DOMAIN): " .. who
  end
  local said, reason = settings_of.read(rest, {},
    { known = known, presets = verb == "sends" and settings_of.presets or {} })
  if not said then
    return nil, reason
  end
  local event = { at = at, who = who, verb = verb, said = said, text = line,
                  tenant = said.tenant and said.tenant:lower() }
  said.tenant = nil
  return FINISH[verb](event, said)
end

local function in_order(a, b)
  return a.at < b.at or a.at == b.at and a.line < b.line
end

--- Reads a story.
-- @tparam string text
-- @treturn[1] {table,...} events, the oldest first: `line` (its number), `text`, `at`, `who`,
--   `verb`, `tenant`, `said` (values by name), `count` and `every` of an act, `only` and `ends` of
--   `sends`
-- @treturn[2] nil
-- @treturn[2] string the error message, with the number of the line
function M.read(text)
  local events, seen, number = {}, {}, 0
  for written in (text .. "\n"):gmatch("([^\n]*)\n") do
    number = number + 1
    local line = written:match("^%s*(.-)%s*$")
    if line ~= "" and line:sub(1, 1) ~= "#" then
      local event, reason = read_line(line)
      if event and seen[line] then -- its requests would have the same ids
        event, reason = nil, "the same as line " .. seen[line]
      end
      if not event then
        return nil, "line " .. number .. ": " .. reason
      end
      event.line, seen[line] = number, number
      events[#events + 1] = event
    end
  end
  table.sort(events, in_order)
  return events
end

return M
