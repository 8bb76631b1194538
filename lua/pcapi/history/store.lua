--- The store of a history, in SQLite.
--
-- Another store needs the functions below.
-- `spec/support/history_store_contract.lua` tests each of them. They run within `transaction` or
-- `read`, and raise an error if the database fails. Times are UTC epoch seconds, integers.
--
-- - `transaction(f)` runs f; all that f stores is kept, or nothing if f raises an error or returns
--   nil and an error. It returns what f returns (two values at most), or nil and a `pcapi.error` of
--   kind store. `read(f)` is the same for functions that store nothing.
-- - `tenant(id)` and `tenants()`: tables of `id`, `name`, `at` (the newest run), `asked` (also if
--   it failed), `has_baseline`, `coverage` (`from`, `to`, `newest`; see `coverage`), `failure`
--   (`kind`, `since`, `reported`; see `failures`), and `key`, by which the store knows it.
--   `save_tenant(tenant)` sets `key`.
-- - `person(tenant, id)`, `people(tenant)`, `people_named(tenant, upn)` (case does not count) and
--   `open_people(tenant)` (with an open or healing finding): tables of `id`, `upn`, `tenant_id`,
--   `key`, and `finding`, the newest episode (see `outcomes`). Arrays are sorted by id.
--   `each_person(tenant, is_open)` is an iterator over the same as `people` or `open_people`.
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
-- - `uses(tenant, from)`: an iterator over what people with a finding that is open, or was closed
--   at `from` or later, did: by person (its id) and application, as in `usage`, but
--   `address_count`. `proofs(person, from, after, to)`: until `to`, of each application the last
--   request without MFA from `from` on, and the first with MFA after `after`, sorted by time.
-- - `save_adoption(tenant, row)`: `day` (its first second), `application`, `with_mfa`, `total`;
--   replaces the row of that day. `received(tenant, from)` returns rows of `day`, `application`,
--   `received` (requests), `with_mfa` and `total` (of adoption; nil: none), sorted; `adoption`
--   those of adoption alone. `count_without_mfa(tenant, from)` counts the requests without MFA.
-- - `name_application(id, name)`, and `application_names()`: names by id, a table that can only be
--   indexed, and within this transaction or read.
-- - `bindings(tenant)` and `save_bindings(tenant, bindings)`: upn to id, see `exceptions`.
-- - `add_run(tenant, row)`: a run as `observe` makes it; one of the same `at` replaces the other.
--   `runs(tenant)` returns them in their order; `first_run(tenant)` the time of the oldest, and
--   `last_run(tenant, limit, list)` the newest until `limit` whose list (default: users) is there.
-- - `add_event(tenant, event)` returns an id that is larger than all before it, also of deleted
--   ones. `newest_event(tenant)` returns the largest, or 0. `events(tenant, after)` returns those
--   with an id above `after`, in their order, each with its `person`. `events_of(tenant, person)`
--   returns those of a person, or that name the person by `known_as`.
-- - `reader(tenant, name)`, `readers(tenant)` (sorted by name) and `save_reader(tenant, reader)`:
--   see `told`.
-- - `news(tenant, after, since)` returns `id`, `kind` and `person` (its id alone) of events that
--   are news of users without an exception, and have an id above `after` or came after `since`, in
--   their order.
-- - `prune(tenant, limits)` deletes what is over (see `retention`), with people of whom nothing is
--   left, saves the tenant, and returns how many rows of what.
-- - `facts()`: see @{pcapi.history.History:facts}.
-- - `forget(tenant, person)` erases a person, also in notices; requests stay without user and
--   address. `pcapi.history.notice_rows` has the functions of what channels are told.
--
-- `close()`, `check()`, `backup(path)` and `erase()` (what was deleted is in no file any more) run
-- outside of transactions; the last three return true, or nil and a `pcapi.error` of kind store.
-- @module pcapi.history.store
local errors = require "pcapi.error"
local identity = require "pcapi.history.identity"
local event_rows = require "pcapi.history.event_rows"
local export_rows = require "pcapi.history.export_rows"
local notice_rows = require "pcapi.history.notice_rows"
local request_rows = require "pcapi.history.request_rows"
local row_values = require "pcapi.history.row_values"
local sqlite = require "pcapi.sqlite"
local tables = require "pcapi.history.tables"

local M = {}

local PATIENCE = 30 -- seconds to wait for another process that writes

local flag, text, with_flags = row_values.flag, row_values.text, row_values.with_flags

local Store = {}
Store.__index = Store
Store.__name = "pcapi.history.store"

local function fail(message, kind, remedy)
  return errors.fail { kind = "store", message = message, hint = remedy, code = kind }
end

-- What a transaction returned, with an error object for a failure of the database.
local function finish(self, result, second, kind, remedy)
  self.is_over = true
  if result == nil and second ~= nil then
    self.numbers = nil -- they may have been rolled back
    if kind then -- of the database, not of the function
      return fail(second, kind, remedy)
    end
  end
  return result, second
end

--- Opens a history.
-- @tparam string path of the file
-- @tparam[opt] table options `create` (default true: a missing file is made)
-- @treturn[1] table
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function M.open(path, options)
  local db, message, kind, remedy = sqlite.open(path, {
    application_id = tables.APPLICATION_ID, busy_timeout = PATIENCE,
    create = not options or options.create ~= false,
  })
  if not db then
    return fail(message, kind, remedy)
  end
  local self = setmetatable({ db = db, is_over = true }, Store)
  -- a reader does not wait for a run that writes
  local ok, err = self:read(function()
    return tables.is_current(db)
  end)
  if ok == false then
    ok, err = self:transaction(function()
      return tables.migrate(db)
    end)
  end
  if not ok then
    db:close()
    return nil, err
  end
  return self
end

function Store:close()
  self.db:close()
end

-- The result of a function of the database, with an error object.
local function result_of(ok, message, kind, remedy)
  if not ok then
    return fail(message, kind, remedy)
  end
  return true
end

function Store:check()
  return result_of(self.db:check())
end

function Store:backup(path)
  return result_of(self.db:backup(path))
end

function Store:erase()
  return result_of(self.db:checkpoint())
end

function Store:transaction(run)
  if not self.is_over then -- an error ended the last one
    self.numbers = nil
  end
  self.is_over, self.run, self.changed_from = false, nil, nil
  return finish(self, self.db:transaction(run))
end

function Store:read(run)
  return finish(self, self.db:read(run))
end

local function tenant_of(row)
  local tenant = {
    key = row.tenant, id = row.id, name = row.name, at = row.at, asked = row.asked,
    has_baseline = row.has_baseline == 1,
  }
  if row.covered_from then
    tenant.coverage = { from = row.covered_from, to = row.covered_to, newest = row.covered_newest }
  end
  if row.failure_kind then
    tenant.failure = { kind = row.failure_kind, since = row.failure_since,
                       reported = row.failure_reported }
  end
  return tenant
end

function Store:tenant(id)
  local row = self.db:row("SELECT * FROM tenant WHERE id = ?", id)
  return row and tenant_of(row)
end

function Store:tenants()
  local all = {}
  for row in self.db:rows "SELECT * FROM tenant ORDER BY id" do
    all[#all + 1] = tenant_of(row)
  end
  return all
end

function Store:save_tenant(tenant)
  local covered, failed = tenant.coverage or {}, tenant.failure or {}
  tenant.key = self.db:row([[
    INSERT INTO tenant VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (tenant) DO UPDATE SET name = excluded.name, at = excluded.at,
      asked = excluded.asked, has_baseline = excluded.has_baseline,
      covered_from = excluded.covered_from, covered_to = excluded.covered_to,
      covered_newest = excluded.covered_newest, failure_kind = excluded.failure_kind,
      failure_since = excluded.failure_since, failure_reported = excluded.failure_reported
    RETURNING tenant]],
    tenant.key, tenant.id, text(tenant.name), tenant.at, tenant.asked, flag(tenant.has_baseline),
    covered.from, covered.to, covered.newest, failed.kind, failed.since, failed.reported).tenant
end

local FINDING = "f.episode, f.state, f.first_at, f.last_at, f.is_exact, f.times, f.mfa_at, "
  .. "f.opened, f.seen, f.closed, f.is_visible, f.exception_who, f.exception_tenant, "
  .. "f.exception_ends, f.exception_why"
local PERSON = "p.person, p.id, p.upn, p.tenant_id, " .. FINDING .. [[
  FROM person p LEFT JOIN finding f ON f.person = p.person
    AND f.episode = (SELECT max(episode) FROM finding WHERE person = p.person) ]]

local function finding_of(row)
  local finding = with_flags({
    episode = row.episode, state = row.state, first_at = row.first_at, last_at = row.last_at,
    is_exact = row.is_exact, times = row.times, mfa_at = row.mfa_at, opened = row.opened,
    seen = row.seen, closed = row.closed, is_visible = row.is_visible,
  }, "is_exact", "is_visible")
  finding.exception = row.exception_who and {
    who = row.exception_who, tenant = row.exception_tenant, ends = row.exception_ends,
    why = row.exception_why } or nil
  return finding
end

local function person_of(row)
  return row and { key = row.person, id = row.id, upn = row.upn, tenant_id = row.tenant_id,
                   finding = row.episode and finding_of(row) or nil }
end

local function people(self, ...)
  local found = {}
  for row in self.db:rows(...) do
    found[#found + 1] = person_of(row)
  end
  return found
end

function Store:person(tenant, id)
  return person_of(self.db:row("SELECT " .. PERSON .. "WHERE p.tenant = ? AND p.id = ?",
    tenant.key, text(id)))
end

-- The person of a row of another table.
function Store:person_by_key(key)
  return person_of(self.db:row("SELECT " .. PERSON .. "WHERE p.person = ?", key))
end

local OF_TENANT = "SELECT " .. PERSON .. "WHERE p.tenant = ? ORDER BY p.id"

local OPEN = "SELECT p.person, p.id, p.upn, p.tenant_id, " .. FINDING .. [[
    FROM finding f JOIN person p ON p.person = f.person
    WHERE f.tenant = ? AND f.closed IS NULL ORDER BY p.id]]

function Store:people(tenant)
  return people(self, OF_TENANT, tenant.key)
end

function Store:each_person(tenant, is_open)
  local rows = self.db:rows(is_open and OPEN or OF_TENANT, tenant.key)
  return function()
    return person_of(rows())
  end
end

function Store:people_named(tenant, upn)
  return people(self, "SELECT " .. PERSON .. "WHERE p.tenant = ? AND p.name = ? ORDER BY p.id",
    tenant.key, text(identity.upn(upn)))
end

function Store:open_people(tenant)
  return people(self, OPEN, tenant.key)
end

-- Rows of a person whose names changed must be exported again.
local function note_names(self, tenant, person)
  local was = self.db:row("SELECT id, upn, tenant_id FROM person WHERE person = ?", person.key)
  local is_moved = was.id ~= text(person.id)
  if is_moved or was.upn ~= text(person.upn) or was.tenant_id ~= text(person.tenant_id) then
    self:person_changed(tenant, person, is_moved and was.id or nil)
  end
end

function Store:save_person(tenant, person)
  if person.key then
    note_names(self, tenant, person)
  end
  person.key = self.db:row([[
    INSERT INTO person VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (person) DO UPDATE SET id = excluded.id, upn = excluded.upn, name = excluded.name,
      tenant_id = excluded.tenant_id
    RETURNING person]],
    person.key, tenant.key, text(person.id), text(person.upn), text(identity.upn(person.upn)),
    text(person.tenant_id)).person
end

function Store:absorb(tenant, old, into)
  self:person_changed(tenant, old, old.id)
  self.db:run("UPDATE request SET person = ? WHERE person = ?", into.key, old.key)
  self.db:run("UPDATE event SET person = ? WHERE person = ?", into.key, old.key)
  self.db:run("UPDATE notice_part SET person = ? WHERE person = ?", into.key, old.key)
  self.db:run("DELETE FROM person WHERE person = ?", old.key)
end

function Store:save_finding(tenant, person, f)
  local exception = f.exception or {}
  self.db:run([[
    INSERT INTO finding VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (person, episode) DO UPDATE SET state = excluded.state,
      first_at = excluded.first_at, last_at = excluded.last_at, is_exact = excluded.is_exact,
      times = excluded.times, mfa_at = excluded.mfa_at, opened = excluded.opened,
      seen = excluded.seen, closed = excluded.closed, is_visible = excluded.is_visible,
      exception_who = excluded.exception_who, exception_tenant = excluded.exception_tenant,
      exception_ends = excluded.exception_ends, exception_why = excluded.exception_why,
      run = excluded.run]],
    person.key, f.episode, tenant.key, f.state, f.first_at, f.last_at, flag(f.is_exact), f.times,
    f.mfa_at, f.opened, f.seen, f.closed, flag(f.is_visible), text(exception.who),
    text(exception.tenant), exception.ends, text(exception.why), self:run_number())
  person.finding = f
end

function Store:findings(person)
  local found = {}
  for row in self.db:rows("SELECT " .. FINDING .. " FROM finding f WHERE person = ? "
    .. "ORDER BY episode", person.key) do
    found[#found + 1] = finding_of(row)
  end
  return found
end

function Store:episodes(tenant, from)
  local found = {}
  for row in self.db:rows("SELECT opened, closed, state FROM finding WHERE tenant = ? "
    .. "AND (closed IS NULL OR closed >= ?)", tenant.key, from) do
    found[#found + 1] = row
  end
  return found
end

function Store:bindings(tenant)
  local bindings = {}
  for row in self.db:rows("SELECT upn, id FROM binding WHERE tenant = ?", tenant.key) do
    bindings[row.upn] = row.id
  end
  return bindings
end

function Store:save_bindings(tenant, bindings)
  local before = self:bindings(tenant)
  for upn in pairs(before) do
    if not bindings[upn] then
      self.db:run("DELETE FROM binding WHERE tenant = ? AND upn = ?", tenant.key, upn)
    end
  end
  for upn, id in pairs(bindings) do
    if before[upn] ~= id then
      self.db:run("INSERT OR REPLACE INTO binding VALUES (?, ?, ?)", tenant.key, upn, text(id))
    end
  end
end

for _, rows in ipairs { request_rows, event_rows, notice_rows, export_rows.methods } do
  for name, method in pairs(rows) do
    Store[name] = method
  end
end

return M
