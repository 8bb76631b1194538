--- The tables of a history, and how an older file becomes a newer one.
--
-- All times are UTC epoch seconds. `request` has no foreign keys, since it has millions of rows; a
-- person's requests are erased before the person. `event` never uses an id twice, as readers
-- remember ids.
-- @module pcapi.history.tables
local errors = require "pcapi.error"

local M = {}

-- A random UUID of version 4.
local UUID = "substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-4' || substr(h, 14, 3) || '-' || "
  .. "substr('89ab', 1 + (random() & 3), 1) || substr(h, 18, 3) || '-' || substr(h, 21, 12)"

-- The statements that lead to each version, from an empty file on. A version that was published
-- does not change any more.
local VERSIONS = {
  {
    [[CREATE TABLE tenant (
      tenant INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT,
      at INTEGER, asked INTEGER, has_baseline INTEGER NOT NULL,
      covered_from INTEGER, covered_to INTEGER, covered_newest INTEGER,
      failure_kind TEXT, failure_since INTEGER, failure_reported INTEGER) STRICT]],
    [[CREATE TABLE person (
      person INTEGER PRIMARY KEY, tenant INTEGER NOT NULL REFERENCES tenant ON DELETE CASCADE,
      id TEXT NOT NULL, upn TEXT, name TEXT, tenant_id TEXT, UNIQUE (tenant, id)) STRICT]],
    "CREATE INDEX person_name ON person (tenant, name, id)",
    [[CREATE TABLE finding (
      person INTEGER NOT NULL REFERENCES person ON DELETE CASCADE, episode INTEGER NOT NULL,
      tenant INTEGER NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('open', 'healing', 'fixed', 'quiet', 'lost')),
      first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, is_exact INTEGER NOT NULL,
      times INTEGER NOT NULL, mfa_at INTEGER, opened INTEGER NOT NULL, seen INTEGER NOT NULL,
      closed INTEGER, is_visible INTEGER NOT NULL, exception_who TEXT, exception_tenant TEXT,
      exception_ends TEXT, exception_why TEXT,
      PRIMARY KEY (person, episode)) STRICT, WITHOUT ROWID]],
    "CREATE INDEX finding_open ON finding (tenant) WHERE closed IS NULL",
    "CREATE INDEX finding_closed ON finding (tenant, closed) WHERE closed IS NOT NULL",
    [[CREATE TABLE application (
      application INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT) STRICT]],
    "CREATE TABLE operation (operation INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT",
    [[CREATE TABLE request (
      tenant INTEGER NOT NULL, at INTEGER NOT NULL, id BLOB NOT NULL, person INTEGER,
      application INTEGER NOT NULL, operation INTEGER, ip TEXT, mfa INTEGER,
      PRIMARY KEY (tenant, at, id)) STRICT, WITHOUT ROWID]],
    "CREATE INDEX request_person ON request (person, at) WHERE person IS NOT NULL",
    [[CREATE TABLE adoption (
      tenant INTEGER NOT NULL REFERENCES tenant ON DELETE CASCADE, day INTEGER NOT NULL,
      application INTEGER NOT NULL, with_mfa INTEGER NOT NULL, total INTEGER NOT NULL,
      PRIMARY KEY (tenant, day, application)) STRICT, WITHOUT ROWID]],
    [[CREATE TABLE binding (
      tenant INTEGER NOT NULL REFERENCES tenant ON DELETE CASCADE, upn TEXT NOT NULL,
      id TEXT NOT NULL, PRIMARY KEY (tenant, upn)) STRICT, WITHOUT ROWID]],
    [[CREATE TABLE run (
      tenant INTEGER NOT NULL REFERENCES tenant ON DELETE CASCADE, at INTEGER NOT NULL,
      users TEXT NOT NULL CHECK (users IN ('whole', 'cut', 'failed')), users_from INTEGER,
      users_error TEXT, unidentified INTEGER,
      requests TEXT CHECK (requests IN ('whole', 'cut', 'failed')), requests_from INTEGER,
      requests_error TEXT, requests_without_time INTEGER, gap_from INTEGER, gap_to INTEGER,
      next_at INTEGER, adoption TEXT CHECK (adoption IN ('whole', 'failed')), adoption_error TEXT,
      PRIMARY KEY (tenant, at)) STRICT, WITHOUT ROWID]],
    [[CREATE TABLE event (
      event INTEGER PRIMARY KEY AUTOINCREMENT,
      tenant INTEGER NOT NULL REFERENCES tenant ON DELETE CASCADE, at INTEGER NOT NULL,
      kind TEXT NOT NULL, person INTEGER REFERENCES person ON DELETE CASCADE, episode INTEGER,
      last_at INTEGER, mfa_at INTEGER, closed_at INTEGER, was TEXT, known_as TEXT,
      excepted INTEGER NOT NULL, count INTEGER, excepted_count INTEGER) STRICT]],
    "CREATE INDEX event_tenant ON event (tenant)",
    "CREATE INDEX event_person ON event (person) WHERE person IS NOT NULL",
    [[CREATE TABLE reader (
      tenant INTEGER NOT NULL REFERENCES tenant ON DELETE CASCADE, name TEXT NOT NULL,
      told INTEGER NOT NULL, claimed INTEGER, reminded INTEGER NOT NULL, reminding INTEGER,
      is_late INTEGER NOT NULL, warned TEXT,
      PRIMARY KEY (tenant, name)) STRICT, WITHOUT ROWID]],
  },
  { -- notices: a person's parts go with the person
    "ALTER TABLE reader ADD COLUMN thread TEXT",
    [[CREATE TABLE notice (
      notice INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, id TEXT NOT NULL,
      kind TEXT NOT NULL, at INTEGER NOT NULL, head TEXT NOT NULL, tries INTEGER NOT NULL,
      tried INTEGER, delivered TEXT, error TEXT, holder TEXT, held_until INTEGER,
      sent INTEGER, given_up INTEGER, UNIQUE (channel, id)) STRICT]],
    "CREATE INDEX notice_waiting ON notice (channel) WHERE sent IS NULL AND given_up IS NULL",
    [[CREATE TABLE notice_part (
      notice INTEGER NOT NULL REFERENCES notice ON DELETE CASCADE, part INTEGER NOT NULL,
      place INTEGER NOT NULL, tenant INTEGER NOT NULL REFERENCES tenant ON DELETE CASCADE,
      person INTEGER REFERENCES person ON DELETE CASCADE, known_as TEXT, text TEXT NOT NULL,
      PRIMARY KEY (notice, part)) STRICT, WITHOUT ROWID]],
    "CREATE INDEX notice_part_person ON notice_part (person) WHERE person IS NOT NULL",
    "CREATE INDEX notice_part_tenant ON notice_part (tenant)",
    [[CREATE TABLE channel (
      name TEXT PRIMARY KEY, stopped INTEGER, next_at INTEGER, failure_kind TEXT,
      failure_since INTEGER, failure_reported INTEGER) STRICT, WITHOUT ROWID]],
    "CREATE TABLE concern (key TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID",
  },
  { -- exports of what changed: see `pcapi.history.export_rows`
    [[CREATE TABLE collector (
      id TEXT NOT NULL, run INTEGER NOT NULL, pruned INTEGER NOT NULL) STRICT]],
    "INSERT INTO collector SELECT " .. UUID
      .. ", 1, 1 FROM (SELECT lower(hex(randomblob(16))) AS h)",
    "ALTER TABLE run ADD COLUMN number INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE run ADD COLUMN changed_from INTEGER",
    "CREATE INDEX run_number ON run (number)",
    "ALTER TABLE finding ADD COLUMN run INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE request ADD COLUMN run INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE adoption ADD COLUMN run INTEGER NOT NULL DEFAULT 1",
    [[CREATE TABLE removed (
      tenant INTEGER NOT NULL REFERENCES tenant ON DELETE CASCADE, id TEXT NOT NULL,
      run INTEGER NOT NULL, PRIMARY KEY (tenant, id)) STRICT, WITHOUT ROWID]],
  },
  { -- to sum up many tenants, no requests are read; and a run does not look at all notices
    "ALTER TABLE run ADD COLUMN without_mfa INTEGER",
    "ALTER TABLE run ADD COLUMN share REAL",
    "CREATE INDEX notice_at ON notice (at)",
  },
}

--- The number that marks a file as a history (`PRAGMA application_id`): "PCAP".
M.APPLICATION_ID = 0x50434150

--- The version that this pcapi writes (`PRAGMA user_version`).
M.VERSION = #VERSIONS

local function version_of(db)
  return db:row("PRAGMA user_version").user_version
end

--- Tests whether a database has the version that this pcapi writes.
-- @tparam table db a connection of `pcapi.sqlite`
-- @treturn boolean
function M.is_current(db)
  return version_of(db) == M.VERSION
end

--- Brings a database to a version. Call it in a transaction.
-- @tparam table db a connection of `pcapi.sqlite`
-- @tparam[opt] number version default @{VERSION}; specs make files of older versions
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store: the file is of a newer pcapi
function M.migrate(db, version)
  version = version or M.VERSION
  local found = version_of(db)
  if found > M.VERSION then
    return errors.fail {
      kind = "store", hint = "Use the pcapi that made it, or a newer one",
      message = ("the history has the format %d, made by a newer pcapi; this one knows up to %d")
        :format(found, M.VERSION),
    }
  end
  for next_version = found + 1, version do
    for _, statement in ipairs(VERSIONS[next_version]) do
      db:run(statement)
    end
    db:run(("PRAGMA user_version = %d"):format(next_version))
  end
  return true
end

return M
