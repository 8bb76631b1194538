--- How a user of the command sets an option, for the hints of errors (see
-- `pcapi.error.settings`): by a flag, an environment variable, or the configuration file.
-- @module pcapi.cli.setting_words
local options = require "pcapi.cli.options"
local schema = require "pcapi.settings.schema"

-- Settings that have a flag.
local HAS_FLAG = {}
for _, option in ipairs(options.GLOBAL) do
  HAS_FLAG[options.key(option)] = true
end

-- Variables that are no settings of pcapi.
local VARIABLE = { proxy = "https_proxy", no_proxy = "no_proxy" }

-- Settings of other sections.
local WORDS = { history = "[history] path (or PCAPI_HISTORY)" }

-- The words for a setting; nil for an option that the command does not have.
local function words_for(_, name)
  local setting = schema.by_name[name]
  if not setting then
    return WORDS[name]
  end
  local flag = HAS_FLAG[name] and "--" .. name:gsub("_", "-")
  local variable = setting.env or VARIABLE[name]
  if flag then
    return variable and ("%s (%s)"):format(flag, variable) or flag
  end
  local in_file = name .. " in the configuration file"
  return variable and ("%s (or %s)"):format(variable, in_file) or in_file
end

return setmetatable({}, { __index = words_for })
