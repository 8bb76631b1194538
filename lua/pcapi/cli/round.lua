--- One run of `pcapi watch`: its settings, its tenants and its history.
-- @module pcapi.cli.round
local connect = require "pcapi.cli.connect"
local errors = require "pcapi.error"
local exit = require "pcapi.cli.exit"
local history_file = require "pcapi.cli.history_file"
local notify_file = require "pcapi.cli.notify_file"
local outbox = require "pcapi.notify.outbox"

local M = {}

-- The exceptions of the settings; nil without the setting.
local function read_exceptions(settings, now)
  local path = settings.exceptions
  if not path then
    return nil
  end
  local found, line, problem = require("pcapi.history.exceptions").parse(
    history_file.text_of(path, "exceptions"), now)
  if not found then
    exit.fail(errors.new { kind = "config",
      message = ("exceptions in [history]: %s:%d: %s"):format(path, line, problem) })
  end
  return found
end

-- The tenants that the arguments select, each with `label`, how the history calls it.
local function choose(args)
  if connect.is_for_many(args) then
    local tenants = require("pcapi.cli.tenant_list").choose(args)
    for _, tenant in ipairs(tenants) do
      tenant.label = tenant.name
    end
    return tenants
  end
  local profile = connect.profile(args)
  local label = profile.name
  if connect.has_token(args) then -- which may be of any tenant
    label = profile.settings.values.tenant
  end
  return { { name = profile.name, label = label, args = args, profile = profile } }
end

-- The names by which exceptions may mean a tenant: those of all profiles that share its id or
-- domain.
local function namer(tenants)
  local groups = {}
  for _, tenant in ipairs(tenants) do
    local keys = tenant.profile and tenant.profile:tenants() or {}
    local group = { tenant.label }
    for _, key in ipairs(keys) do
      group = groups[key:lower()] or group
    end
    group[#group + 1] = tenant.label
    for _, key in ipairs(keys) do
      group[#group + 1], groups[key:lower()] = key, group
    end
  end
  return function(tenant, id)
    local keys = tenant.profile and tenant.profile:tenants() or {}
    return groups[id] or keys[1] and groups[keys[1]:lower()] or { tenant.label }
  end
end

-- A folder for the history of a dry run that has none yet. Returns the path and what removes it.
local function temporary_path()
  local folder = os.tmpname()
  os.remove(folder)
  local path = folder .. "/history.sqlite"
  return path, function()
    for _, name in ipairs { path, path .. "-wal", path .. "-shm", folder } do
      os.remove(name)
    end
  end
end

local function exists(path)
  local file, _, code = io.open(path, "rb")
  if file then
    file:close()
  end
  return file ~= nil or code ~= 2 -- ENOENT
end

-- Opens the history. A dry run makes none. Returns what removes it.
local function open(args, settings)
  if not args.dry_run or exists(settings.path) then
    return history_file.open(settings), function() end
  end
  local path, remove = temporary_path()
  return history_file.open { path = path }, remove
end

--- Prepares a run. A failure ends the command.
-- @tparam table args
-- @treturn table `args`, `settings` (see `pcapi.cli.history_file`), `now` (this machine's clock),
-- `reader`, `readers` (that one, and those of the channels), `is_dry`, `exceptions`, `names` (of
-- applications), `is_many`, `tenants` (as of `pcapi.cli.tenant_list`, with `label`), `names_of`
-- (function of a tenant and its id), `notify` (of `pcapi.cli.notify_file`), `history`, and `remove`
-- (function that removes what a dry run made)
function M.new(args)
  local settings, now = history_file.settings(args), os.time()
  local round = {
    args = args, settings = settings, now = now, reader = args.reader, is_dry = args.dry_run,
    exceptions = read_exceptions(settings, now), names = history_file.names(settings),
    is_many = connect.is_for_many(args), tenants = choose(args), readers = { args.reader },
    notify = args.notify and notify_file.require(args, "--notify") or notify_file.settings(args),
  }
  for _, channel in ipairs(round.notify.channels) do
    round.readers[#round.readers + 1] = outbox.reader(channel.name)
  end
  round.names_of = namer(round.tenants)
  round.history, round.remove = open(args, settings)
  return round
end

return M
