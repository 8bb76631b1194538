--- Opens the history of the command: settings, file, and the names of applications.
-- @module pcapi.cli.history_file
local exit = require "pcapi.cli.exit"
local errors = require "pcapi.error"

local M = {}

local function stop_if(err)
  if err then
    exit.fail(err)
  end
end

--- The settings of the history. Wrong ones end the command.
-- @tparam table args
-- @treturn table values by name, see `pcapi.settings.history`; with `path`, `retention` as for
-- `pcapi.history.retention`, and `own` (set of one's own applications by id; nil: unknown)
function M.settings(args)
  local read, err = require("pcapi.settings.history"):read {
    getenv = os.getenv, path = args.config_file,
  }
  stop_if(err)
  local values = read.values
  if not values.path then
    exit.stop(exit.EXIT.usage, "there is no HOME, so no folder for the history; set HOME, "
      .. "XDG_STATE_HOME or PCAPI_HISTORY")
  end
  if values.own_applications then
    values.own = {}
    for id in values.own_applications:gmatch "[^,%s]+" do
      values.own[id] = true
    end
  end
  values.retention = {}
  for name in pairs(require("pcapi.history.retention").DEFAULTS) do
    values.retention[name] = values[name]
  end
  return values
end

--- Loads SQLite, or ends the command: only a history needs it, so a machine may lack it.
function M.load_store()
  local ok, why = pcall(require, "pcapi.history.store")
  if not ok then
    exit.stop(exit.EXIT.error, "a history needs the library SQLite (libsqlite3): "
      .. tostring(why):match "[^\n]*")
  end
end

--- Opens the history. A failure ends the command.
-- @tparam table settings from @{settings}
-- @tparam[opt] table options `create` (default true; false: a missing history ends the command)
-- @treturn pcapi.history
function M.open(settings, options)
  M.load_store()
  local history, err = require("pcapi.history").open(settings.path, options)
  if not history and err.code == "absent" then
    exit.stop(exit.EXIT.error, ("there is no history at %s; run pcapi watch first, or set "
      .. "[history] path or PCAPI_HISTORY"):format(settings.path))
  end
  stop_if(err)
  return history
end

--- The text of a file that a setting names. A failure ends the command.
-- @tparam string path
-- @tparam string setting its name, for the message
-- @treturn string
function M.text_of(path, setting)
  local file, why = io.open(path, "rb")
  local text
  if file then
    text, why = file:read "*a"
    file:close()
  end
  if not text then
    why = why or "it cannot be read"
    exit.fail(errors.new { kind = "config", message = ("%s in [history]: %s"):format(setting,
      why:find(path, 1, true) and why or path .. ": " .. why) })
  end
  return text
end

--- The names of applications that the setting `applications` gives.
-- @tparam table settings from @{settings}
-- @treturn ?table names by id; nil without that setting
function M.names(settings)
  if not settings.applications then
    return nil
  end
  local names, why = require("pcapi.history.applications").read_csv(
    M.text_of(settings.applications, "applications"))
  if not names then
    exit.fail(errors.new { kind = "config",
      message = ("applications in [history]: %s %s"):format(settings.applications, why) })
  end
  return names
end

return M
