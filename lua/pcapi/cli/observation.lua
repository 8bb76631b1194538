--- Asks the three lists of a tenant, and records them in the history.
-- @module pcapi.cli.observation
local claims = require "pcapi.auth.claims"
local core = require "pcapi.core"
local errors = require "pcapi.error"
local identity = require "pcapi.history.identity"
local news = require "pcapi.history.news"
local results = require "pcapi.cli.results"
local time = require "pcapi.time"
local told = require "pcapi.history.told"

local M = {}

local DRIFT = 300 -- seconds by which clocks may differ without a message

local CLOCK = "this machine's clock is %s %s the service's clock; correct it, such as by NTP. "
  .. "All times here are the service's"

-- The claims of the token by which the client asks; or nil and an error.
local function claims_of(client)
  local token, err = client:access_token()
  if not token then
    return nil, err
  end
  return claims.read(token)
end

-- The GUID that the settings of a tenant or its stored sign-in have; nil if there is none.
local function known_id(tenant)
  for _, name in ipairs(tenant.profile and tenant.profile:tenants() or {}) do
    if identity.is_guid(name) then
      return name:lower()
    end
  end
end

M.known_id = known_id

-- The id of the tenant that is asked.
local function id_of(token, tenant)
  if identity.is_guid(token.tenant_id) then
    return token.tenant_id:lower()
  end
  local id = known_id(tenant)
  if id then
    return id
  end
  return errors.fail {
    kind = "config", message = "the token does not say which tenant it is for, and the history "
      .. "needs the tenant's ID, a GUID",
    hint = "Give the GUID by --tenant, or as tenant in the configuration file",
  }
end

--- Asks the lists. The users come first: a request that follows is then no evidence against a
-- repair.
-- @tparam pcapi.client client
-- @treturn table `users`, `requests`, `adoption`, each a list or nil, and `users_error`,
-- `requests_error`, `adoption_error`
function M.ask(client)
  local security, lists = client.security, {}
  lists.users, lists.users_error = security:non_mfa_principals()
  if lists.users then
    lists.requests, lists.requests_error = security:partner_requests()
    lists.adoption, lists.adoption_error = security:application_mfa_adoption_status()
  end
  return lists
end

local function is_stopped(err)
  return err ~= nil and err.kind == "stopped"
end

local function add(warnings, key, text, is_common)
  warnings[#warnings + 1] = { key = key, text = text, is_common = is_common }
end

-- The history stores keys, and such a text may name a user, who can be forgotten.
local function key_of(text)
  return core.base64url(core.sha256(text))
end

-- Warnings of the run; those with `is_common` do not depend on the tenant.
local function warnings_of(round, summary, users, facts)
  local store, row, warnings = round.history.store, summary.row, {}
  if row then
    warnings = news.warnings(store, summary.tenant, row, facts)
  end
  if summary.ignored then
    add(warnings, "ignored", ("the service's lists are older than those of the last run, of %s; "
      .. "nothing was recorded"):format(time.format(summary.tenant.at)))
  end
  local offset = users.clock_offset or 0
  if summary.is_own_clock then
    add(warnings, "no clock", "the service did not say its time; this machine's clock was used")
  elseif math.abs(offset) > DRIFT then
    add(warnings, "clock", CLOCK:format(results.period(math.abs(offset)),
      offset > 0 and "behind" or "ahead of"), true)
  end
  if users.is_mfa_compliant == false then
    add(warnings, "token", "the service reports that this token lacks MFA; sign in again with MFA "
      .. "before the service refuses it")
  end
  for _, text in ipairs(summary.warnings) do
    add(warnings, key_of(text), text)
  end
  for _, text in ipairs(round.exceptions and round.exceptions:warnings(round.now) or {}) do
    add(warnings, key_of(text), "exceptions: " .. text, true)
  end
  return warnings
end

-- The open and healing users without an exception.
local function count_open(store, tenant)
  local count = 0
  for _, person in ipairs(store:open_people(tenant)) do
    count = count + (person.finding.exception and 0 or 1)
  end
  return count
end

-- What is read of the history after a run of a tenant, within a transaction.
local function read_facts(round, value, summary, users)
  local store = round.history.store
  local facts = { names = round.names, own = round.settings.own, client_id = value.client_id,
                  adoption = store:application_names() }
  value.is_reported, value.date = summary.is_reported, users.date
  value.warnings = warnings_of(round, summary, users, facts)
  value.open = count_open(store, summary.tenant)
  return facts
end

-- What would be reported, of a run that is not stored.
local function preview(round, value, users)
  return function(summary)
    local store, tenant = round.history.store, summary.tenant
    local facts = read_facts(round, value, summary, users)
    local now = users.date or round.now
    local reader = told.reader(store, tenant, round.reader, now)
    value.plan = told.plan(reader, store:events(tenant, reader.told), store:open_people(tenant), {
      now = now, remind = round.settings.remind, warnings = value.warnings,
    })
    value.plan.tenant = tenant
    value.rows = news.rows(store, value.plan, facts)
    return value
  end
end

local function options_of(round, tenant, id, lists)
  local settings, names = round.settings, round.names_of(tenant, id)
  return {
    tenant = id, name = names[1], names = names,
    users = lists.users, users_error = lists.users_error,
    requests = lists.requests, requests_error = lists.requests_error,
    adoption = lists.adoption, adoption_error = lists.adoption_error,
    exceptions = round.exceptions, readers = round.readers,
    keep_all = settings.requests == "all", retention = settings.retention, now = round.now,
  }
end

-- Stores the lists. Returns the value, or nil and an error.
local function record(round, tenant, value, lists)
  local options = options_of(round, tenant, value.id, lists)
  local history = round.history
  if round.is_dry then
    options.preview = preview(round, value, lists.users)
    local _, found = history:observe(options)
    return found == value and value or nil, found
  end
  local summary, err = history:observe(options)
  if not summary then
    return nil, err
  end
  local ok
  ok, err = history.store:read(function()
    read_facts(round, value, summary, lists.users)
    return true
  end)
  return ok and value or nil, err
end

--- Asks one tenant and records it.
-- @tparam table round of `pcapi.cli.commands.watch`
-- @tparam pcapi.client client
-- @tparam table tenant of `pcapi.cli.tenant_list`; its `id` is set once it is known
-- @treturn[1] table `id`, `client_id`, `is_reported` (a failure ended, which is worth a line),
-- `warnings` (see `pcapi.history.told`; with `is_common`, they do not depend on the tenant), `open`
-- (users), `date`, `list_error` (the first list but the users that failed; nil: none) and `list`
-- (its name); of a dry run also `plan` and `rows`
-- @treturn[2] nil
-- @treturn[2] pcapi.error
-- @treturn[2] boolean true if the history failed
function M.run(round, client, tenant)
  local token, err = claims_of(client)
  local id
  if token then
    id, err = id_of(token, tenant)
  end
  if not id then
    return nil, err
  end
  tenant.id = id
  local lists = M.ask(client)
  local list_error = lists.requests_error or lists.adoption_error
  if not lists.users or is_stopped(list_error) then
    return nil, lists.users_error or list_error
  end
  local value = { id = id, client_id = token.application_id, list_error = list_error,
                  list = lists.requests_error and "requests" or "adoption" }
  local found
  found, err = record(round, tenant, value, lists)
  return found, err, not found
end

return M
