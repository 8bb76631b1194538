--- The part of the store that has runs, events and readers, and that deletes.
-- @module pcapi.history.event_rows
local identity = require "pcapi.history.identity"
local retention = require "pcapi.history.retention"
local row_values = require "pcapi.history.row_values"

local flag, text, with_flags = row_values.flag, row_values.text, row_values.with_flags

local LAST = 2 ^ 53 -- more than any id of an event

local Rows = {}

function Rows:add_run(tenant, r)
  local replaced = self.db:row("SELECT changed_from FROM run WHERE tenant = ? AND at = ?",
    tenant.key, r.at)
  if replaced and replaced.changed_from then
    self:note_change(replaced.changed_from)
  end
  self.db:run("INSERT OR REPLACE INTO run VALUES "
    .. "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", tenant.key, r.at, r.users,
    r.users_from, r.users_error, r.unidentified, r.requests, r.requests_from,
    r.requests_error, r.requests_without_time, r.gap_from, r.gap_to, r.next_at, r.adoption,
    r.adoption_error, self:run_number(), self.changed_from, r.without_mfa, r.share)
end

-- A run as the caller stored it.
local function run_of(row)
  row.tenant, row.number, row.changed_from = nil, nil, nil
  return row
end

function Rows:runs(tenant)
  local runs = {}
  for row in self.db:rows("SELECT * FROM run WHERE tenant = ? ORDER BY at", tenant.key) do
    runs[#runs + 1] = run_of(row)
  end
  return runs
end

function Rows:first_run(tenant)
  return self.db:row("SELECT min(at) AS at FROM run WHERE tenant = ?", tenant.key).at
end

local LAST_RUN = {}
for _, list in ipairs { "users", "requests", "adoption" } do
  LAST_RUN[list] = ("SELECT * FROM run WHERE tenant = ? AND at <= ? AND %s <> 'failed' "
    .. "ORDER BY at DESC LIMIT 1"):format(list)
end

function Rows:last_run(tenant, limit, list)
  local row = self.db:row(LAST_RUN[list or "users"], tenant.key, limit)
  return row and run_of(row)
end

function Rows:news(tenant, after, since)
  local news = {}
  for row in self.db:rows([[
    SELECT event AS id, kind, p.id AS person FROM event JOIN person p USING (person)
    WHERE event.tenant = ?1 AND (event > ?2 OR at > ?3) AND excepted = 0
      AND kind IN ('new', 'back', 'again', 'ended') ORDER BY event]], tenant.key, after, since) do
    news[#news + 1] = row
  end
  return news
end

function Rows:newest_event(tenant)
  return self.db:row("SELECT max(event) AS newest FROM event WHERE tenant = ?", tenant.key).newest
    or 0
end

function Rows:add_event(tenant, e)
  return self.db:row([[
    INSERT INTO event VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING event]],
    tenant.key, e.at, e.kind, e.person and e.person.key, e.episode, e.last_at, e.mfa_at,
    e.closed_at, e.was, text(e.known_as), flag(e.excepted), e.count, e.excepted_count).event
end

local function event_of(self, row)
  local event = with_flags({
    id = row.event, at = row.at, kind = row.kind, episode = row.episode, last_at = row.last_at,
    mfa_at = row.mfa_at, closed_at = row.closed_at, was = row.was, known_as = row.known_as,
    excepted = row.excepted, count = row.count, excepted_count = row.excepted_count,
  }, "excepted")
  event.person = row.person and self:person_by_key(row.person) or nil
  return event
end

local function events(self, ...)
  local found = {}
  for row in self.db:rows(...) do
    found[#found + 1] = event_of(self, row)
  end
  return found
end

function Rows:events(tenant, after)
  return events(self, "SELECT * FROM event WHERE tenant = ? AND event > ? ORDER BY event",
    tenant.key, after)
end

function Rows:events_of(tenant, person)
  return events(self, "SELECT * FROM event WHERE tenant = ? AND (person = ? OR known_as = ?) "
    .. "ORDER BY event", tenant.key, person.key, text(person.id))
end

local READER = "SELECT name, told, claimed, reminded, reminding, is_late, warned, thread "
  .. "FROM reader "

-- What a reader was warned of, as a text: one line of each warning. A key has no line break.
local function text_of_warned(warned)
  local lines = {}
  for key, at in pairs(warned or {}) do
    lines[#lines + 1] = ("%.0f %s"):format(at, key)
  end
  table.sort(lines)
  return #lines > 0 and text(table.concat(lines, "\n")) or nil
end

local function reader_of(row)
  local warned
  for at, key in (row.warned or ""):gmatch "(%d+) ([^\n]+)" do
    warned = warned or {}
    warned[key] = tonumber(at)
  end
  row.warned = warned
  return with_flags(row, "is_late")
end

function Rows:reader(tenant, name)
  local row = self.db:row(READER .. "WHERE tenant = ? AND name = ?", tenant.key, name)
  return row and reader_of(row)
end

function Rows:readers(tenant)
  local readers = {}
  for row in self.db:rows(READER .. "WHERE tenant = ? ORDER BY name", tenant.key) do
    readers[#readers + 1] = reader_of(row)
  end
  return readers
end

function Rows:save_reader(tenant, reader)
  self.db:run("INSERT OR REPLACE INTO reader VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", tenant.key,
    reader.name, reader.told, reader.claimed, reader.reminded, reader.reminding,
    flag(reader.is_late), text_of_warned(reader.warned), reader.thread)
end

-- Deletes the events of a tenant that are over.
local function prune_events(self, tenant, limits)
  local told = self.db:row("SELECT min(told) AS told FROM reader WHERE tenant = ?", tenant.key).told
  return self.db:run("DELETE FROM event WHERE tenant = ?1 AND (at < ?2 OR at < ?3 "
    .. "AND event <= ?4)", tenant.key, limits.events_untold, limits.events, told or LAST)
end

function Rows:prune(tenant, limits)
  local db, key = self.db, tenant.key
  self:note_pruned(tenant, limits.runs)
  local counts = {
    requests = db:run("DELETE FROM request WHERE tenant = ? AND at < ?", key, limits.requests),
    findings = db:run("DELETE FROM finding WHERE tenant = ? AND closed < ?", key, limits.findings),
    runs = db:run("DELETE FROM run WHERE tenant = ? AND at < ?", key, limits.runs),
    events = prune_events(self, tenant, limits),
  }
  counts.people = db:run([[
    DELETE FROM person WHERE tenant = ? AND NOT EXISTS (
        SELECT 1 FROM finding WHERE person = person.person)
      AND NOT EXISTS (SELECT 1 FROM request WHERE person = person.person)]], key)
  counts.notices = self:prune_notices(limits)
  db:run("DELETE FROM removed WHERE tenant = ?1 AND run < (SELECT min(number) FROM run "
    .. "WHERE tenant = ?1)", key)
  tenant.coverage = retention.covered(tenant.coverage, limits)
  self:save_tenant(tenant)
  return counts
end

local COUNTED = { tenants = "tenant", people = "person", findings = "finding", requests = "request",
                  applications = "application", adoption = "adoption", runs = "run",
                  events = "event", readers = "reader", notices = "notice" }

function Rows:facts()
  local counts = {}
  for what, name in pairs(COUNTED) do
    counts[what] = self.db:row("SELECT count(*) AS n FROM " .. name).n
  end
  return { format = self.db:row("PRAGMA user_version").user_version, counts = counts,
           application_id = self.db:row("PRAGMA application_id").application_id }
end

function Rows:forget(tenant, person)
  self.db:run("UPDATE request SET person = NULL, ip = NULL WHERE person = ?", person.key)
  self.db:run("UPDATE event SET known_as = NULL WHERE known_as = ?", person.id)
  self.db:run("DELETE FROM binding WHERE tenant = ? AND id = ?", tenant.key, person.id)
  self:forget_notices(tenant, person)
  self.db:run("DELETE FROM removed WHERE tenant = ? AND id = ?", tenant.key,
    identity.of_upn(person.upn or ""))
  self.db:run("DELETE FROM person WHERE person = ?", person.key)
end

return Rows
