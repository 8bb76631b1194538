--- Reads the settings of a request: `name=value; name=value; preset`.
--
-- They are in the request header X-Sandbox or in the token's claim `scenario`. A value
-- may be percent-encoded. Unknown names and values are errors, so that a typo fails the test.
local guid = require "sandbox.guid"

local M = {}

local function whole(least, most)
  return function(value)
    local number = value:find("^%d+$") and tonumber(value)
    return number and number >= least and number <= most and number or nil
  end
end

local function seconds(value)
  local number = value:find("^%d+%.?%d*$") and tonumber(value)
  return number and number <= 600 and number or nil
end

local function share(most)
  return function(value)
    local number = value:find("^[%d.]+$") and tonumber(value)
    return number and number > 0 and number <= most and number or nil
  end
end

local function flag(value)
  return value == "1" and true or (value ~= "0" and nil)
end

local function any(value)
  return value ~= "" and value or nil
end

local function one_of(...)
  local known = {}
  for _, value in ipairs { ... } do
    known[value] = value
  end
  return function(value)
    return known[value]
  end
end

local function id(value)
  return guid.is(value) and value or nil
end

local function retry_after(value)
  return value:find("^%d+$") and value or value:match("^date:%d+$") or value:match("^garbage$")
end

--- Functions that parse a value; each returns the parsed value, or nil if the value is invalid.
M.kinds = { whole = whole, seconds = seconds, flag = flag, any = any, one_of = one_of,
            id = id, retry_after = retry_after }

--- Parsers of the settings that `only` limits to one list, by the name of the setting.
M.limited = {
  -- error responses
  status = whole(300, 599), error = one_of("A", "B", "C", "D", "E", "F"), code = any, text = any,
  retry_after = retry_after, redirect = any,
  mfa = one_of("900421", "10001", "reason", "claims401", "claims403", "html"),
  -- the transport
  delay = seconds, trickle = flag, cut = one_of("headers", "body", "random", "connection"),
  stall = seconds, mishaps = share(0.25),
  body = one_of("truncated", "garbage", "empty", "html", "text", "deep", "huge", "huge-length",
                "bomb"),
  bytes = whole(1, 2 ^ 40), bigheaders = whole(1, 2 ^ 20), type = any,
  -- which requests fail
  times = whole(1, 1000), on_page = whole(1, 200000), chance = share(1),
  only = one_of("principals", "adoption", "requests"),
  -- the records of a story
  newest = whole(0, 10000),
}

--- Parsers of all settings, by the name of the setting.
M.known = {
  -- records and their format
  records = whole(0, 200000), seed = whole(0, 1000000),
  spelling = one_of("login", "request"), ip = one_of("ipAddress", "sourceIpAddress"),
  casing = one_of("camel", "pascal"), shape = one_of("collection", "array", "object", "odata",
                                                     "wrapped-wrong"),
  scalars = one_of("native", "strings"), nulls = flag, extra = flag, hostile = flag,
  odd_times = flag,
  bom = one_of("0", "1", "utf16"), pretty = flag, encoding = one_of("none"),
  -- pages
  page = whole(1, 200000), carrier = one_of("link", "body", "header"),
  links = one_of("relative", "v1", "bare", "absolute", "foreign", "http", "loop", "none"),
  -- tokens, and the path of the service
  enforce = flag, compliant = one_of("true", "false", "True", "False", "none", "body"),
  revoke_after = whole(0, 1000), serve = one_of("v1", "pcapi"),
  label = any, story = any, tenant = id,
}
for name, parse in pairs(M.limited) do
  M.known[name] = parse
end

--- Presets: several settings under one name.
M.presets = {
  ["empty"] = "records=0",
  ["full"] = "records=10000",
  ["paged"] = "page=10",
  ["draft"] = "spelling=login; casing=pascal; shape=array; scalars=strings",
  ["hostile"] = "hostile=1",
  ["throttled"] = "status=429; error=C; retry_after=1; times=2",
  ["throttled-for-good"] = "status=429; error=C; retry_after=57",
  ["busy"] = "status=503; retry_after=1; times=1",
  ["broken"] = "status=500",
  ["forbidden"] = "status=403",
  ["no-mfa"] = "mfa=900421",
  ["no-mfa-2019"] = "mfa=reason",
  ["step-up"] = "mfa=claims401",
  ["slow"] = "delay=3",
  ["trickle"] = "trickle=1",
  ["cut"] = "cut=body",
  ["dead"] = "cut=headers",
  ["rough"] = "mishaps=0.05",
  ["garbage"] = "body=garbage",
  ["truncated"] = "body=truncated",
  ["html-proxy"] = "body=html",
  ["huge"] = "body=huge",
  ["bomb"] = "body=bomb",
}

-- A setting that has no effect without another one is an error.
local NEEDS = { links = "page", carrier = "page", on_page = "page", error = "status",
                code = "status", text = "status", retry_after = "status", bytes = "body",
                newest = "story", tenant = "story" }

-- The records of a story are those that it tells.
local NOT_IN_A_STORY = { "records", "seed", "odd_times", "hostile" }

local function unescape(text)
  return (text:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

local function read_item(item, settings, words)
  local name, value = item:match("^([%w_]+)%s*=%s*(.*)$")
  if not name then
    local preset = words.presets[item]
    return preset and M.read(preset, settings, words), "no such preset: " .. item
  elseif not words.known[name] then
    return nil, "no such setting: " .. name
  end
  local parsed = words.known[name](unescape(value))
  if parsed == nil then
    return nil, "no such value: " .. name .. "=" .. value
  end
  settings[name] = parsed
  return settings
end

--- Reads a text into settings; a later setting overrides an earlier one.
-- @tparam string text
-- @tparam table settings to add to
-- @tparam ?table words `known` and `presets` that replace those of the API
-- @treturn[1] table settings
-- @treturn[2] nil
-- @treturn[2] string the error message
function M.read(text, settings, words)
  for part in text:gmatch("[^;]+") do
    local item = part:match("^%s*(.-)%s*$")
    local ok, reason
    if item ~= "" then
      ok, reason = read_item(item, settings, words or M)
      if not ok then
        return nil, reason
      end
    end
  end
  return settings
end

local function has_fault(settings)
  for name in pairs(M.limited) do
    if name ~= "only" and settings[name] ~= nil then
      return true
    end
  end
end

--- Checks that every setting has an effect beside the others.
-- @treturn[1] true
-- @treturn[2] nil
-- @treturn[2] string the error message
function M.check(settings)
  for name, other in pairs(NEEDS) do
    if settings[name] ~= nil and settings[other] == nil then
      return nil, name .. " needs " .. other
    end
  end
  if settings.only and not has_fault(settings) then
    return nil, "only needs a fault or newest"
  end
  for _, name in ipairs(settings.story and NOT_IN_A_STORY or {}) do
    if settings[name] ~= nil then
      return nil, name .. " has no effect with story"
    end
  end
  return true
end

--- Returns the settings for one list: without those that `only` limits to another one.
-- @tparam table settings
-- @tparam ?string list a value of `only`
-- @treturn table
function M.for_list(settings, list)
  if not settings.only or settings.only == list then
    return settings
  end
  local rest = {}
  for name, value in pairs(settings) do
    if not M.limited[name] then
      rest[name] = value
    end
  end
  return rest
end

return M
