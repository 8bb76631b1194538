--- Reads the value of one setting: cleans its text, completes a path, checks and converts it.
-- @module pcapi.settings.setting_value
local errors = require "pcapi.error"
local input = require "pcapi.input"

local M = {}

local MAY_BE_EMPTY = { proxy = true, prefix = true }

local function fail(setting, why, origin)
  return errors.fail { kind = "config", message = ("%s %s (%s)"):format(setting.label
    or setting.name, why, origin) }
end

--- Tests whether a value is a text in PEM, not the path of a file.
-- @tparam string value
-- @treturn boolean
function M.is_pem(value)
  return value:find("-----BEGIN", 1, true) ~= nil
end

-- Expands `~/`, as a shell does for arguments. A relative path in the file starts at the
-- folder of the file.
local function absolute(path, origin, place)
  if path:find "^~/" then
    return place.home and place.home .. path:sub(2) or path
  elseif path:find "^/" or not origin:find(" in ", 1, true) or M.is_pem(path) then
    return path
  end
  return (place.path:match "^(.*/)" or "") .. path
end

-- The text of a setting without surrounding blanks, see `pcapi.input`.
local function cleaned(setting, value)
  if type(value) ~= "string" or M.is_pem(value) then
    return value -- PEM is checked where it is used
  end
  local blanks_count = setting.path or setting.name == "key_passphrase"
  return (blanks_count and input.line or input.word)(value)
end

--- Reads a value.
-- @tparam table setting see `pcapi.settings.schema`; `label` is its name in messages
-- @param value a text, or a value that is converted already
-- @tparam string origin where it came from; ` in ` stands before the name of the configuration file
-- @tparam table place `home` (the home folder; nil: unknown) and `path` (of the configuration file)
-- @return[1] the value; nil if it is empty, which counts as not set
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function M.read(setting, value, origin, place)
  local text, why = cleaned(setting, value)
  if text == nil then
    return fail(setting, why, origin)
  elseif text == "" and not MAY_BE_EMPTY[setting.name] then
    return nil
  elseif setting.path then
    return absolute(text, origin, place)
  elseif not setting.convert or type(text) ~= "string" then
    return text
  end
  local result
  result, why = setting.convert(text)
  if result == nil then
    return fail(setting, why, origin)
  end
  return result
end

return M
