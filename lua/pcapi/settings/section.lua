--- The settings of a section of the configuration file that all profiles share, such as
-- `[history]`.
-- @module pcapi.settings.section
local check = require "pcapi.check"
local config_file = require "pcapi.settings.config_file"
local environment = require "pcapi.settings.environment"
local errors = require "pcapi.error"
local schema = require "pcapi.settings.schema"
local setting_value = require "pcapi.settings.setting_value"

local M = {}

local Section = {}
Section.__index = Section

--- Describes a section.
-- @tparam string word its name
-- @tparam table settings array, in the order of `pcapi config show`. Fields are as in
-- `pcapi.settings.schema`
-- @treturn table `settings`, each with `label` (its name in messages), and `by_name`
function M.new(word, settings)
  local self = setmetatable({ word = word, settings = settings, by_name = {} }, Section)
  for _, setting in ipairs(settings) do
    self.by_name[setting.name] = setting
    setting.label = ("[%s] %s"):format(word, setting.name)
    setting.convert = setting.convert or setting.choices and schema.choice(setting.choices)
  end
  return self
end

-- The value and the origin of a setting; nil if nothing gives it, or nil, nil and an error.
local function given(self, setting, values, file, options)
  local text, origin
  if setting.env then
    text, origin = environment.value(options.getenv, setting.env), "environment " .. setting.env
  end
  local line = values[setting.name]
  if not text and line then
    text, origin = line.value, ("[%s] in %s:%d"):format(self.word, file.path, line.line)
  end
  if not text then
    return nil
  end
  local place = { home = environment.value(options.getenv, "HOME"), path = file.path }
  local value, err = setting_value.read(setting, text, origin, place)
  return value, value ~= nil and origin or nil, err
end

-- A wrong name: the first one in the file.
local function first_unknown(self, values)
  local first, found
  for name, line in pairs(values) do
    if not self.by_name[name] and (not found or line.line < found.line) then
      first, found = name, line
    end
  end
  return first, found
end

--- Reads the settings.
-- @tparam table options `getenv` (as os.getenv), and `path` or `file` of the configuration file, as
-- for `pcapi.settings.config_file`
-- @treturn[1] table `values` (by name; nil: not set and no default) and `origins`
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function Section:read(options)
  local file, err = config_file.read(options)
  if not file then
    return nil, err
  end
  local group = file:sections_of(self.word)[""]
  local values = group and group.values or {}
  local name, line = first_unknown(self, values)
  if name then
    return errors.fail {
      kind = "config", message = ("%s:%d: unknown setting %q of [%s]%s"):format(file.path,
        line.line, name, self.word, check.suggest(name, self.by_name)),
    }
  end
  local read = { values = {}, origins = {} }
  for _, setting in ipairs(self.settings) do
    local value, origin, problem = given(self, setting, values, file, options)
    if problem then
      return nil, problem
    elseif value == nil then
      value, origin = setting.default, "default"
    end
    read.values[setting.name], read.origins[setting.name] = value, value ~= nil and origin or nil
  end
  return read
end

return M
