--- The settings of the history: the section `[history]` of the configuration file, and the variable
-- PCAPI_HISTORY. They are the same for all profiles.
-- @module pcapi.settings.history
local check = require "pcapi.check"
local config_file = require "pcapi.settings.config_file"
local environment = require "pcapi.settings.environment"
local errors = require "pcapi.error"
local identity = require "pcapi.history.identity"
local retention = require "pcapi.history.retention"
local schema = require "pcapi.settings.schema"
local setting_value = require "pcapi.settings.setting_value"

local M = {}

local LONGEST = 36500 -- days

local function days(value)
  local number = value:find "^%d+$" and tonumber(value)
  if number and number <= LONGEST then
    return number
  end
  return nil, ("must be a whole number of days, from 0 to %d, not %q"):format(LONGEST, value)
end

local function kept(name, about)
  local default = retention.DEFAULTS[name]
  return { name = name, default = default, about = ("%s (default: %d)"):format(about, default),
           convert = function(value)
    local number = value:find "^%d+$" and tonumber(value) or value
    local ok, problem = retention.check { [name] = number }
    if not ok then
      return nil, problem:sub(#name + 2) .. (", not %q"):format(value)
    end
    return number
  end }
end

-- IDs of applications, separated by commas or spaces.
local function ids(value)
  for id in value:gmatch "[^,%s]+" do
    if not identity.is_guid(id) then
      return nil, ("must be application IDs (GUIDs), separated by commas, not %q"):format(id)
    end
  end
  return value:lower()
end

--- Every setting, in the order of `pcapi config show`. Fields are as in `pcapi.settings.schema`;
-- `label` is the name in messages.
M.settings = {
  { name = "path", env = "PCAPI_HISTORY", path = true,
    about = "File of the history (default: pcapi/history/history.sqlite in XDG_STATE_HOME)" },
  { name = "remind", convert = days, default = 7,
    about = "Days between reminders of open findings (default: 7); 0: never" },
  { name = "requests", choices = { "findings", "all" }, default = "findings",
    about = "Whose requests are stored with user and IP address" },
  kept("keep_requests", "Days to keep requests"),
  kept("keep_findings", "Days to keep findings after they are closed"),
  kept("keep_notices", "Days to keep events after they were reported"),
  { name = "exceptions", path = true, about = "File of users who may sign in without MFA" },
  { name = "applications", path = true, about = "CSV file of names of applications" },
  { name = "own_applications", convert = ids,
    about = "IDs of your own applications, separated by commas; others are a vendor's" },
  { name = "summary", path = true, about = "File that watch writes for nginx (default: none)" },
}

--- The same settings by their names.
M.by_name = {}

for _, setting in ipairs(M.settings) do
  M.by_name[setting.name] = setting
  setting.label = "[history] " .. setting.name
  setting.convert = setting.convert or setting.choices and schema.choice(setting.choices)
end

-- The value and the origin of a setting; nil if nothing gives it, or nil, nil and an error.
local function given(setting, section, file, options, place)
  local text, origin
  if setting.env then
    text, origin = environment.value(options.getenv, setting.env), "environment " .. setting.env
  end
  local line = section[setting.name]
  if not text and line then
    text, origin = line.value, ("[history] in %s:%d"):format(file.path, line.line)
  end
  if not text then
    return nil
  end
  local value, err = setting_value.read(setting, text, origin, place)
  return value, value ~= nil and origin or nil, err
end

local function unknown(name, line, file)
  return errors.fail {
    kind = "config", message = ("%s:%d: unknown setting %q of [history]%s"):format(file.path,
      line.line, name, check.suggest(name, M.by_name)),
  }
end

-- A wrong name: the first one in the file.
local function first_unknown(section)
  local first, found
  for name, line in pairs(section) do
    if not M.by_name[name] and (not found or line.line < found.line) then
      first, found = name, line
    end
  end
  return first, found
end

-- Adds the default path, which needs a home folder.
local function add_path(read, getenv)
  local folder = require("pcapi.auth.store.file").directory(getenv)
  if not read.values.path and folder then
    read.values.path, read.origins.path = folder .. "/history/history.sqlite", "default"
  end
end

--- Reads the settings.
-- @tparam table options `getenv` (as os.getenv), and `path` or `file` of the configuration file, as
-- for `pcapi.settings.config_file`
-- @treturn[1] table `values` (by name; nil: not set and no default) and `origins`
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function M.read(options)
  local file, err = config_file.read(options)
  if not file then
    return nil, err
  end
  local group = file:sections_of("history")[""]
  local section = group and group.values or {}
  local name, line = first_unknown(section)
  if name then
    return unknown(name, line, file)
  end
  local place = { home = environment.value(options.getenv, "HOME"), path = file.path }
  local read = { values = {}, origins = {} }
  for _, setting in ipairs(M.settings) do
    local value, origin, problem = given(setting, section, file, options, place)
    if problem then
      return nil, problem
    end
    if value == nil then
      value, origin = setting.default, "default"
    end
    read.values[setting.name], read.origins[setting.name] = value, value ~= nil and origin or nil
  end
  add_path(read, options.getenv)
  return read
end

return M
