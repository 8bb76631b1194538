--- The settings of the history: the section `[history]` of the configuration file, and the variable
-- PCAPI_HISTORY. They are the same for all profiles. It is a table of `pcapi.settings.section`.
-- @module pcapi.settings.history
local identity = require "pcapi.history.identity"
local retention = require "pcapi.history.retention"
local section = require "pcapi.settings.section"

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

local M = section.new("history", {
  { name = "path", env = "PCAPI_HISTORY", path = true,
    about = "File of the history (default: pcapi/history/history.sqlite in XDG_STATE_HOME)" },
  { name = "remind", convert = days, default = 7,
    about = "Days between reminders of open findings (default: 7); 0: never" },
  { name = "requests", choices = { "findings", "all" }, default = "findings",
    about = "Whose requests are stored with user and IP address" },
  kept("keep_requests", "Days to keep requests"),
  kept("keep_findings", "Days to keep findings after they are closed"),
  kept("keep_notices", "Days to keep events and notices after they were reported"),
  { name = "exceptions", path = true, about = "File of users who may sign in without MFA" },
  { name = "applications", path = true, about = "CSV file of names of applications" },
  { name = "own_applications", convert = ids,
    about = "IDs of your own applications, separated by commas; others are a vendor's" },
  { name = "summary", path = true, about = "File that watch writes for nginx (default: none)" },
})

local read = M.read

-- Adds the default path, which needs a home folder.
local function add_path(found, getenv)
  local folder = require("pcapi.auth.store.file").directory(getenv)
  if not found.values.path and folder then
    found.values.path, found.origins.path = folder .. "/history/history.sqlite", "default"
  end
end

--- Reads the settings.
-- @tparam table options as for @{pcapi.settings.section}
-- @treturn[1] table `values` (by name; nil: not set and no default) and `origins`
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function M:read(options)
  local found, err = read(self, options)
  if found then
    add_path(found, options.getenv)
  end
  return found, err
end

return M
