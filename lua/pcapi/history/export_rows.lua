--- The part of the store that numbers runs, and reads what changed after one.
--
-- Each transaction that stores rows of a tenant has a number, larger than all before it, and the
-- rows remember the one that changed them last. Where it can, the number is this machine's time in
-- milliseconds. So a history that was restored from a backup does not use numbers again that a
-- reader of exports has seen. Rows from before there were numbers have 1. Other stores need none of
-- this.
-- @module pcapi.history.export_rows
local row_values = require "pcapi.history.row_values"

local text = row_values.text

local Rows = {}

local NOW = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)" -- milliseconds since 1970

--- The number of the current transaction.
function Rows:run_number()
  if not self.run then
    self.run = self.db:row("UPDATE collector SET run = max(run + 1, " .. NOW
      .. ") RETURNING run").run
  end
  return self.run
end

--- Remembers the time of a row of requests or adoption that the transaction changed: an export
-- starts there.
-- @tparam number at
function Rows:note_change(at)
  self.changed_from = math.min(self.changed_from or at, at)
end

--- Marks what belongs to a person as changed.
-- @tparam table person
-- @tparam ?string old_id the key that the person had
function Rows:person_changed(tenant, person, old_id)
  local run = self:run_number()
  self.db:run("UPDATE finding SET run = ? WHERE person = ?", run, person.key)
  if old_id then
    local first = self.db:row("SELECT min(at) AS at FROM request WHERE person = ?", person.key).at
    if first then
      self:note_change(first)
      self.db:run("UPDATE request SET run = ? WHERE person = ?", run, person.key)
    end
    self.db:run("INSERT OR REPLACE INTO removed VALUES (?, ?, ?)", tenant.key, text(old_id), run)
  end
end

-- datetime() takes a quarter of the time of strftime().
local function moment(column)
  return ("replace(datetime(%s, 'unixepoch'), ' ', 'T') || 'Z'"):format(column)
end

-- What an export holds of each kind: name and SQL of each column, and what they are read from.
-- ?1 is the number of a run; `changed` has the tenants that changed since, and the time from which
-- on their requests and adoption may have.
local KINDS = {
  runs = {
    { "name", "t.name" }, { "at", moment "r.at" }, { "users", "r.users" },
    { "users_from", moment "r.users_from" }, { "users_error", "r.users_error" },
    { "unidentified", "r.unidentified" }, { "requests", "r.requests" },
    { "requests_from", moment "r.requests_from" }, { "requests_error", "r.requests_error" },
    { "requests_without_time", "r.requests_without_time" }, { "gap_from", moment "r.gap_from" },
    { "gap_to", moment "r.gap_to" }, { "next_at", moment "r.next_at" },
    { "adoption", "r.adoption" }, { "adoption_error", "r.adoption_error" },
    number = "r.number",
    from = "run r JOIN tenant t USING (tenant) WHERE r.number > ?1 ORDER BY r.number",
  },
  requests = {
    { "at", moment "r.at" }, { "request_id", "r.id" },
    { "person_id", "p.id" }, { "application_id", "a.id" }, { "operation", "o.name" },
    { "ip", "r.ip" }, { "mfa", "r.mfa" },
    from = [[changed c CROSS JOIN request r ON r.tenant = c.tenant AND r.at >= c.since
      JOIN tenant t ON t.tenant = r.tenant JOIN application a ON a.application = r.application
      LEFT JOIN operation o ON o.operation = r.operation LEFT JOIN person p ON p.person = r.person
      WHERE r.run > ?1]],
  },
  findings = {
    { "person_id", "p.id" }, { "upn", "p.upn" }, { "home_tenant_id", "p.tenant_id" },
    { "episode", "r.episode" }, { "state", "r.state" },
    { "first_at", moment "r.first_at" }, { "last_at", moment "r.last_at" },
    { "is_exact", "r.is_exact" }, { "times", "r.times" }, { "mfa_at", moment "r.mfa_at" },
    { "opened_at", moment "r.opened" }, { "seen_at", moment "r.seen" },
    { "closed_at", moment "r.closed" }, { "is_visible", "r.is_visible" },
    { "exception_who", "r.exception_who" }, { "exception_tenant", "r.exception_tenant" },
    { "exception_until", "r.exception_ends" }, { "exception_why", "r.exception_why" },
    from = [[changed c CROSS JOIN person p ON p.tenant = c.tenant
      CROSS JOIN finding r ON r.person = p.person JOIN tenant t ON t.tenant = c.tenant
      WHERE r.run > ?1]],
  },
  adoption = {
    { "day", "date(r.day, 'unixepoch')" }, { "application_id", "a.id" },
    { "application", "a.name" }, { "with_mfa", "r.with_mfa" }, { "total", "r.total" },
    from = [[changed c CROSS JOIN adoption r ON r.tenant = c.tenant AND r.day >= c.since
      JOIN tenant t ON t.tenant = r.tenant JOIN application a ON a.application = r.application
      WHERE r.run > ?1]],
  },
}

-- Lines of findings that have just the key of a person.
KINDS.removed = { from = "removed r JOIN tenant t USING (tenant) WHERE r.run > ?1" }
for i, column in ipairs(KINDS.findings) do
  KINDS.removed[i] = { column[1], column[1] == "person_id" and "r.id"
    or column[1] == "state" and "'removed'" or "NULL" }
end

-- If runs after ?1 were deleted, all tenants and times must be read.
local CHANGED = "WITH changed AS (SELECT tenant, min(changed_from) AS since FROM run "
  .. "WHERE number > ?1 GROUP BY tenant) "
local CHANGED_ALL = "WITH changed AS (SELECT tenant, -1e12 AS since FROM tenant) "

local M = { methods = Rows }

--- The names of the fields of a kind of rows.
-- @tparam string kind `collector`, `runs`, `requests`, `findings` or `adoption`
-- @treturn {string,...}
function M.columns(kind)
  if kind == "collector" then
    return { "collector", "run" }
  end
  local columns = { "collector", "run", "tenant_id" }
  for _, column in ipairs(KINDS[kind]) do
    columns[#columns + 1] = column[1]
  end
  return columns
end

local function statement_of(kind, with)
  local declared = KINDS[kind]
  local cells = { "(SELECT id FROM collector)", declared.number or "r.run", "t.id" }
  for i, column in ipairs(declared) do
    cells[i + 3] = column[2]
  end
  return ("%sSELECT %s FROM %s"):format(with, table.concat(cells, ", "), declared.from)
end

-- Remembers the newest run that is deleted.
function Rows:note_pruned(tenant, before)
  self.db:run([[
    UPDATE collector SET pruned = max(pruned, coalesce(
      (SELECT max(number) FROM run WHERE tenant = ? AND at < ?), 0))]], tenant.key, before)
end

-- The run after which an export begins: 0 if the history does not know the run. A history that was
-- restored lacks runs that a reader has seen, and what they changed.
local function first_after(self, after)
  local known = self.db:row("SELECT 1 FROM collector WHERE run = ?1 "
    .. "OR EXISTS (SELECT 1 FROM run WHERE number = ?1)", after)
  return known and after or 0
end

function Rows:changed(kind, after)
  if kind == "collector" then
    return self.db:csv "SELECT id, run FROM collector"
  end
  after = first_after(self, after)
  local pruned = self.db:row("SELECT pruned FROM collector").pruned
  return self.db:csv(statement_of(kind, after < pruned and CHANGED_ALL or CHANGED), after)
end

-- The parts of each export, in their order.
local PARTS = { collector = { "collector" }, runs = { "runs" }, requests = { "requests" },
                findings = { "removed", "findings" }, adoption = { "adoption" } }

--- Passes the rows that changed after a run to a function, as CSV, in one read of the history.
-- `collector` is one row: a random id of the history, and its newest run. Rows of findings with the
-- state `removed` come first: the user has another id now.
-- @tparam table store of `pcapi.history.store`
-- @tparam string kind `collector`, `runs`, `requests`, `findings` or `adoption`
-- @tparam number after the number of a run; 0, or one that the history does not know: all rows
-- @tparam function visit takes a text: lines of CSV with the cells of @{columns}. NULL is an empty
-- cell, and an empty text has quotes. PostgreSQL stores no zero byte, so control characters are
-- U+FFFD
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function M.each(store, kind, after, visit)
  local parts = assert(PARTS[kind], "no such kind of rows")
  return store:read(function()
    for _, part in ipairs(parts) do
      for lines in store:changed(part, after) do
        visit(lines)
      end
    end
    return true
  end)
end

return M
