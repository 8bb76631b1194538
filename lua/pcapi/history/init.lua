--- Remembers what the service listed, and what became of each user: new, healing, fixed, quiet,
-- lost, back.
--
--     local history = assert(require("pcapi.history").open("/var/lib/pcapi/history.sqlite"))
--     local security = client.security
--     local users, users_error = security:non_mfa_principals() -- this one first
--     local requests, requests_error = security:partner_requests()
--     local adoption, adoption_error = security:application_mfa_adoption_status()
--     assert(history:observe {
--       tenant = "5f0b3c1e-0000-4000-8000-0000000000aa", name = "fabrikam",
--       users = users, users_error = users_error,
--       requests = requests, requests_error = requests_error,
--       adoption = adoption, adoption_error = adoption_error,
--     })
--     for _, plan in ipairs(assert(history:changes { reader = "mail" })) do
--       for _, event in ipairs(plan.fresh) do
--         print(event.kind, event.person and event.person.upn or event.count)
--       end
--     end
--
-- The parts: `outcomes` decides what became of a user, `observe` records a run, `told` decides what
-- a reader is told, `coverage` knows gaps, `explanation` explains a user, `overview` shows all, and
-- `retention` says what is deleted. They know neither SQLite nor the network.
--
-- `pcapi.history.store` keeps all in SQLite, and says what another store needs.
-- @module pcapi.history
local check = require "pcapi.check"
local errors = require "pcapi.error"
local explanation = require "pcapi.history.explanation"
local identity = require "pcapi.history.identity"
local observe = require "pcapi.history.observe"
local retention = require "pcapi.history.retention"
local search = require "pcapi.history.search"
local told = require "pcapi.history.told"

local M = {}

local History = {}
History.__index = History
History.__name = "pcapi.history"

--- Opens a history, and makes it if it is missing.
-- @tparam string path of its file; the folder must be private (0700)
-- @tparam[opt] table options `create` (default true)
-- @treturn[1] pcapi.history
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function M.open(path, options)
  options = check.options(options, { create = "boolean" }, "open")
  local store, err = require("pcapi.history.store").open(path, options)
  return store and M.new(store, path), err
end

--- Makes a history over another store.
-- @tparam table store see `pcapi.history.store`
-- @tparam[opt] string path of its file
-- @treturn pcapi.history
function M.new(store, path)
  return setmetatable({ store = store, path = path }, History)
end

--- A history.
-- @type History

--- Closes it.
function History:close()
  self.store:close()
end

local OBSERVED = {
  tenant = "string", name = "string", names = "table", users = "table", users_error = "table",
  requests = "table", requests_error = "table", adoption = "table", adoption_error = "table",
  exceptions = "table", readers = "table", keep_all = "boolean", retention = "table",
  now = "number", preview = "function",
}

--- Looks for damage.
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function History:check()
  return self.store:check()
end

--- The tenants of the history.
-- @treturn[1] table array of `id`, `name`, `at` (the newest run), `asked` (also if it failed),
-- `failure` and `coverage`
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function History:tenants()
  return self.store:read(function()
    return self.store:tenants()
  end)
end

--- What the history holds.
-- @treturn[1] table `format`, `application_id`, and `counts` (rows by name)
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function History:facts()
  return self.store:read(function()
    return self.store:facts()
  end)
end

--- Copies the history to a new file. It replaces no file.
-- @tparam string path
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function History:backup(path)
  return self.store:backup(path)
end

--- Records what the service listed of one tenant, in one transaction.
-- @tparam table options as @{pcapi.history.observe.run} takes them, but `now` is this machine's
-- clock by default, and `retention` holds days by name, see `pcapi.history.retention`. With
-- `preview`, nothing is stored: this function gets what would be returned, reads the store, and its
-- result is returned after a nil
-- @treturn[1] table as of @{pcapi.history.observe.run}
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config (the tenant is no GUID, a wrong period) or store
function History:observe(options)
  check.options(options, OBSERVED, "observe")
  local id, problem = identity.tenant(options.tenant)
  local periods
  if id then
    periods, problem = retention.check(options.retention or {})
  end
  if not periods then
    return errors.fail { kind = "config", message = problem }
  end
  local run = { tenant = id, now = options.now or os.time(), retention = periods }
  setmetatable(run, { __index = options })
  return self.store:transaction(function()
    local summary = observe.run(self.store, run)
    if options.preview then
      return nil, options.preview(summary)
    end
    return summary
  end)
end

local CHANGES = { reader = "string", tenant = "string", tenants = "table", remind = "number",
                  now = "number", warnings = "table", write = "function" }

--- What changed since a reader was last told. See `pcapi.history.told` for what happens after a
-- crash.
-- @tparam[opt] table options `reader` (its name; default `"lua"`), `tenant` (an id) or `tenants`
-- (array of ids; default all), `remind` (days between reminders of open findings; default 7, 0:
-- never), `now`, `warnings` (of a tenant by its id, see @{pcapi.history.told.due}), and `write`: a
-- function that takes the plans, writes them, and returns true, or nil and an error. Without it,
-- all counts as told when this function returns
-- @treturn[1] table array of plans as of `pcapi.history.told.plan`, one a tenant, with `tenant`
-- @treturn[2] nil
-- @treturn[2] any the error of `write`, or a pcapi.error of kind store
function History:changes(options)
  options = check.options(options, CHANGES, "changes")
  local tenants, err = self.store:read(function()
    return search.tenants(self.store, options)
  end)
  if not tenants then
    return nil, err
  end
  return told.tell(self.store, {
    reader = options.reader or "lua", tenants = tenants, remind = options.remind or 7,
    now = options.now or os.time(), warnings = options.warnings,
  }, options.write or function() return true end)
end

--- Finds users, with or without a finding.
-- @tparam string user objectId or upn; `*` stands for any text
-- @tparam[opt] table options `tenant` (an id) or `tenants` (array of ids; default all)
-- @treturn[1] table array of `tenant` and `person`, as of @{findings}
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function History:users(user, options)
  options = check.options(options, { tenant = "string", tenants = "table" }, "users")
  return self.store:read(function()
    return search.users(self.store, user, options)
  end)
end

--- Lists the newest finding of each user.
-- @tparam[opt] table options `states` (array; default `open` and `healing`), `tenant` (an id) or
-- `tenants` (array of ids; default all), `user` (objectId or upn; `*` stands for any text), `since`
-- (the earliest `last_at`, UTC epoch seconds)
-- @treturn[1] table array of `tenant` and `person`, with `person.finding` (see
-- `pcapi.history.outcomes`), by tenant and user
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function History:findings(options)
  options = check.options(options, { states = "table", tenant = "string", tenants = "table",
                                     user = "string", since = "number" }, "findings")
  return self.store:read(function()
    local found = {}
    search.findings(self.store, options, function(tenant, person)
      found[#found + 1] = { tenant = tenant, person = person }
    end)
    return found
  end)
end

-- What the store and the options say of applications.
local function facts_of(self, options)
  return { names = options.names, own = options.own, client_id = options.client_id,
           adoption = self.store:application_names() }
end

--- Passes findings with their evidence to a function, one by one, in one read of the history.
-- @tparam table options as of @{findings} and @{explain}, and `is_all` (true: all findings of a
-- user, not the newest alone)
-- @tparam function visit takes a table as of `pcapi.history.explanation`
-- @treturn[1] number of findings
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function History:each_finding(options, visit)
  check.options(options, { states = "table", tenant = "string", tenants = "table",
                           user = "string", since = "number", is_all = "boolean", names = "table",
                           own = "table", client_id = "string" }, "each_finding")
  return self.store:read(function()
    local count, facts = 0, facts_of(self, options)
    search.findings(self.store, options, function(tenant, person, finding)
      count = count + 1
      visit(explanation.of(self.store, tenant, person, finding, facts))
    end)
    return count
  end)
end

-- What is known of the users that are found, and what else to do with each.
local function explain_all(self, user, options, also)
  local found, facts = {}, facts_of(self, options)
  for i, entry in ipairs(search.users(self.store, user, options)) do
    local tenant, person = entry.tenant, entry.person
    found[i] = explanation.of(self.store, tenant, person, person.finding, facts)
    found[i].findings = self.store:findings(person)
    also(tenant, person)
  end
  return found
end

--- Explains a user: the applications, addresses and operations, how the user came without MFA, and
-- the next step.
-- @tparam string user objectId or upn; `*` stands for any text
-- @tparam[opt] table options `tenant` (an id; default all), `names` (of applications by id, such as
-- from `pcapi.history.applications.read_csv`), `own` (set of your own applications by id),
-- `client_id` (the application of pcapi itself)
-- @treturn[1] table array, one of each user that is found, as of `pcapi.history.explanation`, with
-- `findings` (all episodes)
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function History:explain(user, options)
  options = check.options(options, { tenant = "string", names = "table", own = "table",
                                     client_id = "string" }, "explain")
  return self.store:read(function()
    return explain_all(self, user, options, function() end)
  end)
end

--- How far the requests of a tenant reach.
-- @tparam string tenant its id
-- @treturn[1] table as of `pcapi.history.explanation.reach`
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function History:reach(tenant)
  return self.store:read(function()
    return explanation.reach(self.store, self.store:tenant(tenant))
  end)
end

--- Passes all that is stored of users to a function, in one read of the history.
-- @tparam string user as of @{users}
-- @tparam table options as of @{users}
-- @tparam function visit takes kind and fact, as of `pcapi.history.search.personal`
-- @treturn[1] number of users
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function History:each_fact(user, options, visit)
  check.options(options, { tenant = "string" }, "each_fact")
  return self.store:read(function()
    local users = search.users(self.store, user, options)
    for _, entry in ipairs(users) do
      search.personal(self.store, entry.tenant, entry.person, visit)
    end
    return #users
  end)
end

-- Makes sure that what a transaction deleted is in no file any more. Passes on its results.
local function erase(self, deleted, err)
  if not deleted then
    return nil, err
  end
  local ok
  ok, err = self.store:erase()
  return ok and deleted or nil, err
end

--- Erases a user. What the service still lists comes again with the next run.
-- @tparam string user objectId or upn; a pattern is not accepted
-- @tparam[opt] table options `tenant` (an id; default all)
-- @treturn[1] table array of what was erased, as of @{explain}
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function History:forget(user, options)
  options = check.options(options, { tenant = "string" }, "forget")
  local wanted = { tenant = options.tenant, is_exact = true }
  local forgotten, err = erase(self, self.store:transaction(function()
    return explain_all(self, user, wanted, function(tenant, person)
      self.store:forget(tenant, person)
    end)
  end))
  if forgotten and #forgotten == 0 and user:find("*", 1, true) then
    error("forget takes one user, not a pattern", 2)
  end
  return forgotten, err
end

--- Deletes what is over.
-- @tparam[opt] table options `retention` (days by name, see `pcapi.history.retention`), and `now`
-- (default: this machine's clock)
-- @treturn[1] table how many rows of what
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config (a wrong period) or store
function History:prune(options)
  options = check.options(options, { retention = "table", now = "number" }, "prune")
  local periods, problem = retention.check(options.retention or {})
  if not periods then
    return errors.fail { kind = "config", message = problem }
  end
  local limits = retention.limits(periods, options.now or os.time())
  return erase(self, self.store:transaction(function()
    local all = {}
    for _, tenant in ipairs(self.store:tenants()) do
      for what, count in pairs(self.store:prune(tenant, limits)) do
        all[what] = (all[what] or 0) + count
      end
    end
    return all
  end))
end

return M
