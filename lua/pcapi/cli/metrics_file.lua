--- Makes the metrics of the history, and the file for node_exporter's textfile collector.
-- @module pcapi.cli.metrics_file
local core = require "pcapi.core"
local defaults = require "pcapi.defaults"
local errors = require "pcapi.error"
local exit = require "pcapi.cli.exit"
local figures = require "pcapi.history.figures"
local metrics = require "pcapi.report.metrics"
local observation = require "pcapi.cli.observation"
local text = require "pcapi.text"

local M = {}

--- The name of the file in its folder. node_exporter reads names that end in `.prom`, so not the
-- temporary file that is renamed.
M.NAME = "pcapi.prom"

local SHOWN = 30 * 24 * 60 * 60 -- seconds until a tenant has no metrics that is not asked any more
local TRIES = 3 -- to write what holds now, while other runs change it
local MARK = "# Written by pcapi from the history "

--- The folder of the settings. Wrong settings end the command.
-- @tparam table args
-- @treturn ?string
function M.folder(args)
  local read, err = require("pcapi.settings.metrics_section"):read {
    getenv = os.getenv, path = args.config_file,
  }
  if not read then
    exit.fail(err)
  end
  return read.values.textfile
end

-- When the stored sign-in of a profile was used last.
local function used_at(profile)
  local record, newest = profile.stored and profile.stored:read(), nil
  for _, token in ipairs(record and record.tokens or {}) do
    newest = math.max(newest or 0, token.obtained_at or 0)
  end
  return newest
end

--- When the stored sign-ins end, by the id of the tenant: of several profiles of one tenant the
-- latest.
-- @tparam table args
-- @treturn table
function M.sign_ins(args)
  local ok, tenants = pcall(require("pcapi.cli.tenant_list").profiles,
    { config_file = args.config_file })
  if not ok and not exit.is_stop(tenants) then
    error(tenants, 0)
  end
  local ends = {}
  for _, tenant in ipairs(ok and tenants or {}) do
    local id = observation.known_id(tenant)
    local at = id and used_at(tenant.profile)
    if at then
      ends[id] = math.max(ends[id] or 0, at + defaults.refresh_life)
    end
  end
  return ends
end

local function down(name)
  return { name = name, lists = { users = { is_up = false } } }
end

local function facts_of(store, tenant, names, options)
  local facts = figures.of(store, tenant, names)
  facts.sign_in_until = options.sign_ins[tenant.id]
  for _, list in pairs(facts.lists) do
    list.is_up = list.is_up and not options.is_down
  end
  return facts
end

-- The text, within a transaction of the history.
local function text_of(history, options)
  local store, page = history.store, metrics.new()
  local names = { given = options.names, adoption = store:application_names() }
  local tenants, newest, last_success = store:tenants(), 0, nil
  for _, tenant in ipairs(tenants) do
    newest = math.max(newest, tenant.asked or 0)
    last_success = tenant.at and math.max(last_success or 0, tenant.at) or last_success
  end
  for _, tenant in ipairs(tenants) do
    if tenant.asked and tenant.asked > newest - SHOWN then
      page:set_tenant(facts_of(store, tenant, names, options))
    end
  end
  for _, name in ipairs(options.failed or {}) do
    page:set_tenant(down(name))
  end
  page:set_run { last_success = last_success, duration = options.duration,
                 waiting = store:waiting() }
  return MARK .. text.visible(history.path) .. "\n" .. page:text()
end

--- The text of the file.
-- @tparam pcapi.history history
-- @tparam table options `names` of applications by id; `sign_ins` of @{sign_ins}; of a run
-- also its `duration`, `failed` (names of tenants that failed and are not in the history), and
-- `is_down` (true: the run could not record what it received)
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function M.text(history, options)
  return history.store:read(function()
    return text_of(history, options)
  end)
end

local function fail(directory, message, remedy)
  return errors.fail {
    kind = "store", message = "the metrics: " .. message,
    hint = remedy and remedy:gsub("{store}", "the folder of metrics")
      or ("Make it, or name the folder that node_exporter reads (Debian: "
        .. "/var/lib/prometheus/node-exporter), not %s"):format(directory),
  }
end

-- What stands in the way of replacing the file: it is not ours.
local function problem_in(directory, path)
  local kind = core.file_state(directory)
  if kind ~= "d" then
    return ("%s is %s"):format(directory, kind and "no folder" or "missing")
  end
  local place = directory .. "/" .. M.NAME
  local file = io.open(place, "rb")
  local first = file and file:read "*l"
  if file then
    file:close()
  end
  local owner = first and (first:sub(1, #MARK) == MARK and first:sub(#MARK + 1) or "")
  if owner == "" then
    return ("%s is not one that pcapi wrote"):format(place), ("Remove %s, or set {store} to "
      .. "another one"):format(place)
  elseif owner and owner ~= text.visible(path) then
    return ("%s is of another history, %s"):format(place, owner), ("Set {store} to another one for "
      .. "one of them; if that history has moved here, remove %s"):format(place)
  end
end

local function publish(directory, content)
  local ok, why, remedy = core.file_publish(directory, M.NAME, content, true)
  if not ok then
    return fail(directory, why, remedy)
  end
  return true
end

-- Replaces the file by one that says that all is down, with the figures from before.
local function publish_down(history_path, directory)
  local file, page = io.open(directory .. "/" .. M.NAME, "rb"), metrics.new()
  page:set_tenant(down(nil))
  local content = MARK .. text.visible(history_path) .. "\n" .. page:text()
  if file then
    content = file:read "*a"
    file:close()
  end
  return publish(directory, (content:gsub("(\npcapi_up[^\n]*) 1%f[\n]", "%1 0")))
end

-- Differs once a run has changed what the text says.
local function stamp_of(store)
  local times = {}
  for i, tenant in ipairs(store:tenants()) do
    times[i] = ("%s %d %d"):format(tenant.id, tenant.at or 0, tenant.asked or 0)
  end
  return table.concat(times, "\n")
end

-- Writes the file unless the history has changed meanwhile. The transaction makes processes do so
-- one after the other; it is short, so that no other run waits for long. Returns false if the
-- history has changed.
local function write_once(history, directory, options, is_last)
  local store, content, stamp = history.store, nil, nil
  local ok, err = store:read(function()
    content, stamp = text_of(history, options), stamp_of(store)
    return true
  end)
  if ok then
    ok, err = store:transaction(function()
      if not is_last and stamp_of(store) ~= stamp then
        return false
      end
      return publish(directory, content)
    end)
  else
    publish_down(history.path, directory)
  end
  return ok, err
end

--- Replaces the file as a whole; it has mode 0644. If several processes do so at the same time, the
-- newest facts stay. If the history fails, the file says that all is down.
-- @tparam pcapi.history history
-- @tparam string directory which exists
-- @tparam table options as for @{text}
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function M.write(history, directory, options)
  local problem, remedy = problem_in(directory, history.path)
  if problem then
    return fail(directory, problem, remedy)
  end
  local ok, err
  for i = 1, TRIES do
    ok, err = write_once(history, directory, options, i == TRIES)
    if ok ~= false then
      break
    end
  end
  return ok, err
end

--- Writes that a run failed before it asked anybody: all is down, and the rest of the file stays.
-- @tparam string history_path
-- @tparam string directory
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function M.write_down(history_path, directory)
  local problem, remedy = problem_in(directory, history_path)
  if problem then
    return fail(directory, problem, remedy)
  end
  return publish_down(history_path, directory)
end

return M
