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
-- a reader is told, `coverage` knows gaps and silence, `exceptions` reads the file of exceptions,
-- `usage`, `classes` and `advice` explain a user, `retention` says what is deleted. They know
-- neither SQLite nor the network.
--
-- ## The store
--
-- `pcapi.history.store` keeps all in SQLite. Another store needs the functions below.
-- `spec/support/history_store_contract.lua` tests each of them. They run within `transaction` or
-- `read`, and raise an error if the database fails. Times are UTC epoch seconds, integers.
--
-- - `transaction(f)` runs f; all that f stores is kept, or nothing if f raises an error or returns
--   nil and an error. It returns what f returns (two values at most), or nil and a `pcapi.error` of
--   kind store. `read(f)` is the same for functions that store nothing.
-- - `tenant(id)` and `tenants()`: tables of `id`, `name`, `at` (the newest run), `asked` (also if
--   it failed), `has_baseline`, `coverage` (`from`, `to`, `newest`; see `coverage`), `failure`
--   (`kind`, `since`, `reported`; see `failures`), and `key`, which only the store understands.
--   `save_tenant(tenant)` sets `key`.
-- - `person(tenant, id)`, `people(tenant)`, `people_named(tenant, upn)` (case does not count) and
--   `open_people(tenant)` (with an open or healing finding): tables of `id`, `upn`, `tenant_id`,
--   `key`, and `finding`, the newest episode (see `outcomes`). Arrays are sorted by id.
--   `save_person(tenant, person)` sets `key`; `id` may change.
-- - `absorb(tenant, old, into)` gives requests and events of one person to another, and deletes the
--   first with its findings.
-- - `save_finding(tenant, person, finding)` stores an episode, and makes it `person.finding`.
--   `findings(person)` returns all episodes in their order. `episodes(tenant, from)` returns
--   `opened`, `closed` and `state` of all that were open at `from` or later, in any order.
-- - `add_request(tenant, request)`: `id` (bytes), `at`, `person` (nil: nobody), `application`,
--   `operation`, `ip`, `mfa` (true, false, or unknown). The same `at` and `id` is stored once; a
--   person and an address are added where there was none. `requests_of(person)` returns an iterator
--   over a person's requests, the newest first.
-- - `evidence(person, from, after)`: an array of one row of each application that the person used
--   at `from` or later, as `outcomes.applications` takes it; `with_after` is later than `after`.
-- - `save_adoption(tenant, row)`: `day` (its first second), `application`, `with_mfa`, `total`;
--   replaces the row of that day. `received(tenant, from)` returns rows of `day`, `application`,
--   `received` (requests), `with_mfa` and `total` (of adoption; nil: none), sorted.
-- - `name_application(id, name)`, and `application_names()`: names by id.
-- - `bindings(tenant)` and `save_bindings(tenant, bindings)`: upn to id, see `exceptions`.
-- - `add_run(tenant, row)`: a run as `observe` makes it; one of the same `at` replaces the other.
--   `runs(tenant)` returns them in their order; `first_run(tenant)` the time of the oldest, and
--   `last_run(tenant, limit)` the newest one until `limit` whose users did not fail (nil: none).
-- - `add_event(tenant, event)` returns an id that is larger than all before it, also of deleted
--   ones. `newest_event(tenant)` returns the largest, or 0. `events(tenant, after)` returns those
--   with an id above `after`, in their order, each with its `person`.
-- - `reader(tenant, name)`, `readers(tenant)` (sorted by name) and `save_reader(tenant, reader)`:
--   see `told`.
-- - `news(tenant, after, since)` returns `id`, `kind` and `person` (its id alone) of the events that
--   are news of users without an exception, and have an id above `after` or came after `since`, in
--   their order.
-- - `prune(tenant, limits)` deletes what is over (see `retention`), with people of whom nothing is
--   left, saves the tenant, and returns how many rows of what.
-- - `forget(tenant, person)` erases a person; requests stay without user and address.
--
-- `close()`, `check()`, `backup(path)` and `erase()` (what was deleted is in no file any more) run
-- outside of transactions; the last three return true, or nil and a `pcapi.error` of kind store.
-- @module pcapi.history
local advice = require "pcapi.history.advice"
local applications = require "pcapi.history.applications"
local check = require "pcapi.check"
local classes = require "pcapi.history.classes"
local core = require "pcapi.core"
local errors = require "pcapi.error"
local identity = require "pcapi.history.identity"
local observe = require "pcapi.history.observe"
local outcomes = require "pcapi.history.outcomes"
local retention = require "pcapi.history.retention"
local told = require "pcapi.history.told"
local usage = require "pcapi.history.usage"

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
-- @tparam table store as described above
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

-- The tenants of the options: one or some by id, or all.
local function tenants_of(self, options)
  if options.tenants then
    local found = {}
    for _, id in ipairs(options.tenants) do
      found[#found + 1] = self.store:tenant(id:lower())
    end
    return found
  elseif not options.tenant then
    return self.store:tenants()
  end
  return { self.store:tenant(options.tenant:lower()) }
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
    return tenants_of(self, options)
  end)
  if not tenants then
    return nil, err
  end
  return told.tell(self.store, {
    reader = options.reader or "lua", tenants = tenants, remind = options.remind or 7,
    now = options.now or os.time(), warnings = options.warnings,
  }, options.write or function() return true end)
end

-- A test of people by an id, a upn, or a pattern with `*`.
local function matcher(user)
  local pattern = core.lower(user):gsub("[%^%$%(%)%%%.%[%]%+%-%?]", "%%%0"):gsub("%*", ".*")
  return function(person)
    return person.id:find("^" .. pattern .. "$") ~= nil
      or (identity.upn(person.upn) or ""):find("^" .. pattern .. "$") ~= nil
  end
end

-- The people of a tenant that a user of the history names.
local function people_of(self, tenant, user)
  local store = self.store
  if not user:find("*", 1, true) then
    local person = store:person(tenant, core.lower(user))
    return person and { person } or store:people_named(tenant, user)
  end
  local found, matches = {}, matcher(user)
  for _, person in ipairs(store:people(tenant)) do
    found[#found + 1] = matches(person) and person or nil
  end
  return found
end

local function is_listed(finding, states, since)
  return finding and states[finding.state] and (not since or finding.last_at >= since)
end

--- Lists the newest finding of each user.
-- @tparam[opt] table options `states` (array; default `open` and `healing`), `tenant` (an id;
-- default all), `user` (objectId or upn; `*` stands for any text), `since` (the earliest `last_at`,
-- UTC epoch seconds)
-- @treturn[1] table array of `tenant` and `person`, with `person.finding` (see
-- `pcapi.history.outcomes`), by tenant and user
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function History:findings(options)
  options = check.options(options, { states = "table", tenant = "string", user = "string",
                                     since = "number" }, "findings")
  local states, is_open_only = {}, true
  for _, state in ipairs(options.states or { "open", "healing" }) do
    states[state] = true
    is_open_only = is_open_only and (state == "open" or state == "healing")
  end
  return self.store:read(function()
    local found = {}
    for _, tenant in ipairs(tenants_of(self, options)) do
      local people = options.user and people_of(self, tenant, options.user)
        or is_open_only and self.store:open_people(tenant) or self.store:people(tenant)
      for _, person in ipairs(people) do
        if is_listed(person.finding, states, options.since) then
          found[#found + 1] = { tenant = tenant, person = person }
        end
      end
    end
    return found
  end)
end

-- What is known of one person.
local function explained(self, tenant, person, options)
  local store = self.store
  local uses, found = usage.of(store:requests_of(person)), { tenant = tenant, person = person }
  found.applications, found.findings = uses, store:findings(person)
  if person.finding then
    local covered, names = tenant.coverage, store:application_names()
    found.classes = classes.of(person, uses, {
      own = options.own, client_id = options.client_id,
      covered = covered ~= nil and covered.from <= outcomes.latest(person.finding),
    })
    for _, entry in ipairs(found.classes) do
      entry.name = entry.application and applications.name(entry.application, options.names, names)
      local shown = { user = person.upn or person.id, application = entry.name }
      entry.advice = advice.of(entry.class, shown)
    end
    local first = found.classes[1]
    found.step = advice.step(person.finding, first and first.class or "unknown",
      { user = person.upn or person.id, application = first and first.name })
  end
  return found
end

--- Explains a user: the applications, addresses and operations, how the user came without MFA, and
-- the next step.
-- @tparam string user objectId or upn; `*` stands for any text
-- @tparam[opt] table options `tenant` (an id; default all), `names` (of applications by id, such as
-- from `pcapi.history.applications.read_csv`), `own` (set of your own applications by id),
-- `client_id` (the application of pcapi itself)
-- @treturn[1] table array, one of each user that is found: `tenant`, `person`, `findings` (all
-- episodes), `applications` (see `pcapi.history.usage`), `classes` (see `pcapi.history.classes`,
-- with `name` and `advice`), and `step` (the next step; nil: no finding)
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function History:explain(user, options)
  options = check.options(options, { tenant = "string", names = "table", own = "table",
                                     client_id = "string" }, "explain")
  return self.store:read(function()
    local found = {}
    for _, tenant in ipairs(tenants_of(self, options)) do
      for _, person in ipairs(people_of(self, tenant, user)) do
        found[#found + 1] = explained(self, tenant, person, options)
      end
    end
    return found
  end)
end

--- Erases a user. What the service still lists comes again with the next run.
-- @tparam string user objectId or upn; a pattern is not accepted
-- @tparam[opt] table options `tenant` (an id; default all)
-- @treturn[1] table array of what was erased, as of @{explain}
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function History:forget(user, options)
  options = check.options(options, { tenant = "string" }, "forget")
  if user:find("*", 1, true) then
    error("forget takes one user, not a pattern", 2)
  end
  local erased, err = self.store:transaction(function()
    local found = {}
    for _, tenant in ipairs(tenants_of(self, options)) do
      for _, person in ipairs(people_of(self, tenant, user)) do
        found[#found + 1] = explained(self, tenant, person, {})
        self.store:forget(tenant, person)
      end
    end
    return found
  end)
  local ok
  if erased then
    ok, err = self.store:erase()
  end
  if not ok then
    return nil, err
  end
  return erased
end

return M
