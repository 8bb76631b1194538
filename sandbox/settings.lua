--- What a caller can ask of the sandbox: `name=value; name=value; preset`.
--
-- Comes in the request header X-Sandbox or in the token's claim `scenario`. A value
-- may be percent-encoded. Anything unknown is refused, so that no test passes by a typo.
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

local function retry_after(value)
  return value:find("^%d+$") and value or value:match("^date:%d+$") or value:match("^garbage$")
end

--- Ways to read a value; each gives what to keep, or nil.
M.kinds = { whole = whole, seconds = seconds, flag = flag, any = any, one_of = one_of,
            retry_after = retry_after }

--- How each setting is read: the value to keep, or nil for one that is not known.
M.known = {
  -- the records and how they are spelt
  records = whole(0, 200000), seed = whole(0, 1000000),
  spelling = one_of("login", "request"), ip = one_of("ipAddress", "sourceIpAddress"),
  casing = one_of("camel", "pascal"), shape = one_of("collection", "array", "object",
                                                     "wrapped-wrong"),
  scalars = one_of("native", "strings"), nulls = flag, extra = flag, hostile = flag,
  odd_times = flag,
  bom = one_of("0", "1", "utf16"), pretty = flag, encoding = one_of("none"),
  -- pages
  page = whole(1, 200000), carrier = one_of("link", "body", "header"),
  links = one_of("relative", "v1", "bare", "absolute", "foreign", "http", "loop", "none"),
  -- refusals
  status = whole(300, 599), error = one_of("A", "B", "C", "D", "E", "F"), code = any, text = any,
  retry_after = retry_after, redirect = any, enforce = flag,
  mfa = one_of("900421", "10001", "reason", "claims401", "claims403", "html"),
  compliant = one_of("true", "false", "True", "False", "none", "body"),
  -- the transport
  delay = seconds, trickle = flag, cut = one_of("headers", "body", "random", "connection"),
  stall = seconds, mishaps = share(0.25),
  body = one_of("truncated", "garbage", "empty", "html", "text", "deep", "huge", "huge-length",
                "bomb"),
  bytes = whole(1, 2 ^ 40), bigheaders = whole(1, 2 ^ 20), type = any,
  -- when it goes wrong, and where the service is found
  times = whole(1, 1000), on_page = whole(1, 200000), revoke_after = whole(0, 1000),
  chance = share(1), serve = one_of("v1", "pcapi"),
  label = any,
}

--- Settings that go by one name, as a tenant of that name would be.
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

-- A setting that would do nothing without another one is a mistake of the caller.
local NEEDS = { links = "page", carrier = "page", on_page = "page", error = "status",
                code = "status", text = "status", retry_after = "status", bytes = "body" }

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
  local kept = words.known[name](unescape(value))
  if kept == nil then
    return nil, "no such value: " .. name .. "=" .. value
  end
  settings[name] = kept
  return settings
end

--- Reads a text into settings; what comes later wins.
-- @tparam string text
-- @tparam table settings to add to
-- @tparam ?table words `known` and `presets`, in place of those of the API
-- @treturn[1] table settings
-- @treturn[2] nil
-- @treturn[2] string the complaint
function M.read(text, settings, words)
  for item in text:gmatch("[^;]+") do
    item = item:match("^%s*(.-)%s*$")
    local ok, complaint
    if item ~= "" then
      ok, complaint = read_item(item, settings, words or M)
      if not ok then
        return nil, complaint
      end
    end
  end
  return settings
end

--- Whether the settings fit together.
-- @treturn[1] true
-- @treturn[2] nil
-- @treturn[2] string the complaint
function M.check(settings)
  for name, other in pairs(NEEDS) do
    if settings[name] ~= nil and settings[other] == nil then
      return nil, name .. " needs " .. other
    end
  end
  return true
end

return M
