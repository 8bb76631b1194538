--- Reads the settings of a sign-in from its path: /login/name=value;name=value/TENANT/…
local settings = require "sandbox.settings"

local M = {}

local any, flag, one_of, whole = settings.kinds.any, settings.kinds.flag, settings.kinds.one_of,
                                 settings.kinds.whole

-- `false` omits the claim.
local function list(value)
  local items = {}
  for item in value:gmatch("[^,]+") do
    items[#items + 1] = item
  end
  if value == "false" then
    return false
  end
  return items[1] and items or nil
end

local function shift(value)
  local number = value:find("^[+-]?%d+$") and tonumber(value)
  return number and math.abs(number) <= 86400 and number or nil
end

-- The API reads the scenario from the token. Checking it here reports an error earlier.
local function scenario(value)
  local read = settings.read(value, {})
  return read and settings.check(read) and value or nil
end

--- Parsers by the name of the setting.
M.known = {
  -- faults
  aadsts = whole(10000, 99999999), error = any, status = whole(400, 599),
  body = one_of("html", "empty", "garbage", "truncated"), retry_after = settings.kinds.retry_after,
  delay = settings.kinds.seconds, cut = one_of("headers"), times = whole(1, 1000),
  on = one_of("token", "devicecode"),
  -- tokens
  life = whole(0, 86400), expires = one_of("string", "number", "none"),
  rotate = one_of("0", "1", "once"),
  amr = list, app_only = flag, scenario = scenario,
  -- ways to sign in
  pending = whole(0, 1000), slow_down = whole(0, 1000), interval = whole(0, 60),
  device = one_of("declined", "denied", "expired", "bad"), deny = flag, secret = any,
  skew = shift,
}
M.presets = {}

local FAULTS = { "aadsts", "error", "status", "body", "delay", "cut" }

local function has_fault(read)
  for _, name in ipairs(FAULTS) do
    if read[name] ~= nil then
      return true
    end
  end
end

--- Reads a text; `-` means no settings.
-- @treturn[1] table settings
-- @treturn[2] nil
-- @treturn[2] string the error message
function M.read(text)
  local read, reason = settings.read(text == "-" and "" or text, {}, M)
  if not read then
    return nil, reason
  end
  for _, name in ipairs { "times", "on", "retry_after" } do
    if read[name] ~= nil and not has_fault(read) then
      return nil, name .. " needs one of " .. table.concat(FAULTS, ", ")
    end
  end
  return read
end

return M
