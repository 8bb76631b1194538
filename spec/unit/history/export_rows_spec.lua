local database = require "spec.support.database"
local export_rows = require "pcapi.history.export_rows"
local folder = require "spec.support.folder"
local history = require "pcapi.history"
local lists = require "spec.support.history_lists"
local private_folder = require "spec.support.private_folder"
local sqlite = require "pcapi.sqlite"
local tables = require "pcapi.history.tables"

local NOW = 1795845600 -- 2026-11-28T06:00:00Z
local HOUR, DAY = 3600, 86400
local TENANT = "5f0b3c1e-0000-4000-8000-0000000000aa"
local OTHER = "5f0b3c1e-0000-4000-8000-0000000000ab"
local KIM = "5f0b3c1e-0000-4000-8000-000000000001"
local SYNC = "5f0b3c1e-0000-4000-8000-0000000000b1"

local opened

local function open()
  opened = assert(history.open(private_folder.path "history.sqlite"))
end

before_each(function()
  private_folder.new()
  open()
end)

after_each(function()
  opened:close()
  folder.remove()
end)

-- Kim by name alone, unless a user is given.
local function observe(at, requests, fields)
  local options = {
    tenant = TENANT, name = "fabrikam", now = at,
    users = lists.users(at, { { id = KIM, upn = "kim@x.example", at = NOW - 2 * DAY } }),
    requests = lists.requests(at, requests),
    adoption = lists.adoption(at, { { day = "2026-11-28", application = SYNC, total = 2,
                                      with_mfa = 1, name = "Billing, \"Sync\"" } }),
  }
  for name, value in pairs(fields or {}) do
    options[name] = value
  end
  assert(opened:observe(options))
end

local function request(number, at, fields)
  local record = { id = ("5f0b3c1e-0003-4000-8000-%012d"):format(number), at = at,
                   application = SYNC, mfa = true, user = KIM }
  for name, value in pairs(fields or {}) do
    record[name] = value
  end
  return record
end

-- The cells of a line of CSV: an empty cell is false.
local function cells_of(line)
  local cells, at = {}, 1
  while at <= #line + 1 do
    local quoted, after = line:match('^"([^"]*)"()', at)
    while quoted and line:sub(after, after) == '"' do
      local more, next_after = line:match('^([^"]*)"()', after + 1)
      quoted, after = quoted .. '"' .. more, next_after
    end
    if not quoted then
      quoted, after = line:match("^([^,]*)()", at)
      quoted = quoted ~= "" and quoted
    end
    cells[#cells + 1], at = quoted, after + 1
  end
  return cells
end

-- The rows of an export, with their fields by name.
local function rows_of(kind, after)
  local rows, columns = {}, export_rows.columns(kind)
  assert(export_rows.each(opened.store, kind, after or 0, function(lines)
    for line in lines:gmatch "[^\n]+" do
      local row, cells = {}, cells_of(line)
      assert.equal(#columns, #cells, line)
      for i, name in ipairs(columns) do
        row[name] = cells[i]
      end
      rows[#rows + 1] = row
    end
  end))
  return rows
end

local function newest()
  return tonumber(rows_of "collector"[1].run)
end

local function counts(after)
  local found = {}
  for i, kind in ipairs { "runs", "requests", "findings", "adoption" } do
    found[i] = #rows_of(kind, after)
  end
  return found
end

describe("an export of rows", function()
  it("names the history by a random id that stays", function()
    local id = rows_of "collector"[1].collector
    assert.matches("^%x+%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x+$", id)
    assert.equal(36, #id)
    opened:close()
    open()
    assert.equal(id, rows_of "collector"[1].collector)
    observe(NOW, {})
    assert.equal(id, rows_of "runs"[1].collector)
    folder.remove()
    private_folder.new()
    open()
    assert.not_equal(id, rows_of "collector"[1].collector)
  end)

  it("has all facts", function()
    observe(NOW, { request(1, NOW - 2 * DAY, { mfa = false, ip = "192.0.2.7", operation = "" }) })
    local found, finding = rows_of "requests"[1], rows_of "findings"[1]
    assert.same({ TENANT, "2026-11-26T06:00:00Z", "\\x5f0b3c1e000340008000000000000001", KIM, SYNC,
                  "", "192.0.2.7", "0" },
      { found.tenant_id, found.at, found.request_id, found.person_id, found.application_id,
        found.operation, found.ip, found.mfa })
    assert.same({ KIM, "kim@x.example", "1", "open", "2026-11-26T06:00:00Z", false, false, "1" },
      { finding.person_id, finding.upn, finding.episode, finding.state, finding.last_at,
        finding.mfa_at, finding.closed_at, finding.is_visible })
    local adoption, run = rows_of "adoption"[1], rows_of "runs"[1]
    assert.same({ "2026-11-28", SYNC, "Billing, \"Sync\"", "1", "2" }, { adoption.day,
      adoption.application_id, adoption.application, adoption.with_mfa, adoption.total })
    assert.same({ "fabrikam", "2026-11-28T06:00:00Z", "whole", "whole", "whole", false },
      { run.name, run.at, run.users, run.requests, run.adoption, run.gap_from })
    for _, row in ipairs { found, finding, adoption, run } do
      assert.equal(newest(), tonumber(row.run))
    end
  end)

  it("has only the rows that changed after a run", function()
    observe(NOW, { request(1, NOW - HOUR) })
    local first = newest()
    assert.same({ 1, 1, 1, 1 }, counts(0))
    assert.same({ 0, 0, 0, 0 }, counts(first))
    observe(NOW + HOUR, { request(1, NOW - HOUR), request(2, NOW) })
    assert.same({ 1, 1, 1, 0 }, counts(first)) -- the finding was seen again
    assert.equal("2026-11-28T06:00:00Z", rows_of("requests", first)[1].at)
    assert.same({ 2, 2, 1, 1 }, counts(0))
    assert.same({ 0, 0, 0, 0 }, counts(newest()))
  end)

  it("has runs that failed, and those of all tenants", function()
    observe(NOW, {})
    local first = newest()
    observe(NOW, { request(1, NOW) }, { tenant = OTHER })
    assert(opened:observe { tenant = TENANT, now = NOW + HOUR,
                            users_error = { kind = "network" } })
    local runs = rows_of("runs", first)
    assert.same({ OTHER, "whole", TENANT, "failed", "network" }, { runs[1].tenant_id, runs[1].users,
      runs[2].tenant_id, runs[2].users, runs[2].users_error })
    assert.is_true(tonumber(runs[1].run) < tonumber(runs[2].run))
    assert.equal(OTHER, rows_of("requests", first)[1].tenant_id)
  end)

  it("has an earlier request again if its user becomes known", function()
    observe(NOW, { request(1, NOW - HOUR) }, { users = lists.users(NOW, {}) })
    local first = newest()
    assert.is_false(rows_of "requests"[1].person_id)
    observe(NOW + HOUR, { request(1, NOW - HOUR) })
    assert.equal(KIM, rows_of("requests", first)[1].person_id)
  end)

  it("has the findings of a user again whose name changed", function()
    observe(NOW, {})
    local first = newest()
    observe(NOW + HOUR, {}, { users = lists.users(NOW + HOUR,
      { { id = KIM, upn = "kim.lee@x.example", at = NOW - 2 * DAY } }) })
    assert.equal("kim.lee@x.example", rows_of("findings", first)[1].upn)
  end)

  it("says that a user has another id now, with all requests again", function()
    local nameless = { users = lists.users(NOW, { { upn = "kim@x.example", at = NOW - 2 * DAY } }) }
    observe(NOW, { request(1, NOW - 6 * DAY, { upn = "kim@x.example" }) }, nameless)
    assert.equal("upn:kim@x.example", rows_of "findings"[1].person_id)
    local first = newest()
    observe(NOW + HOUR, {})
    local findings = rows_of("findings", first)
    assert.same({ "upn:kim@x.example", "removed", false, KIM, "open" },
      { findings[1].person_id, findings[1].state, findings[1].episode, findings[2].person_id,
        findings[2].state })
    assert.equal(KIM, rows_of("requests", first)[1].person_id)
    assert(opened:forget(KIM))
    assert.equal(0, #rows_of "findings")
  end)

  it("has all rows if runs were pruned since", function()
    observe(NOW, { request(1, NOW - HOUR) })
    local first = newest()
    observe(NOW + HOUR, { request(2, NOW) })
    observe(NOW + 30 * DAY, {}, { users = lists.users(NOW + 30 * DAY, {}) })
    assert(opened:prune { now = NOW + 30 * DAY,
                          retention = { keep_findings = 8, keep_requests = 90 } })
    assert.same({ 1, 2 }, { #rows_of("runs", first), #rows_of("requests", first) })
  end)

  it("has all rows after a run that the history does not know, as a restored one", function()
    observe(NOW, { request(1, NOW - HOUR) })
    local first = newest()
    observe(NOW + HOUR, { request(2, NOW) })
    assert.same({ 2, 2, 1, 1 }, counts(first - 1))
    assert.same({ 2, 2, 1, 1 }, counts(newest() + 1))
    assert.same({ 1, 1, 1, 0 }, counts(first))
  end)

  it("uses no number of a run again after a restore", function()
    observe(NOW, {})
    local first = newest()
    assert.is_true(first >= (os.time() - 60) * 1000)
    assert(opened:backup(private_folder.path "copy.sqlite"))
    opened:close()
    local db = database.open(private_folder.path "copy.sqlite")
    database.run(db, "UPDATE collector SET run = run - 1000000") -- a copy of earlier
    db:close()
    opened = assert(history.open(private_folder.path "copy.sqlite"))
    observe(NOW + HOUR, {})
    assert.is_true(newest() >= first)
  end)

  it("has the rows of a history of format 1 after run 0", function()
    opened:close()
    private_folder.new()
    local path = private_folder.path "history.sqlite"
    local db = assert(sqlite.open(path, { application_id = tables.APPLICATION_ID,
                                          busy_timeout = 1, create = true }))
    assert(db:transaction(function()
      tables.migrate(db, 1)
      db:run("INSERT INTO tenant (id, has_baseline) VALUES (?, 1)", TENANT)
      db:run("INSERT INTO application (id) VALUES ('a')")
      db:run("INSERT INTO request VALUES (1, 5, x'00', NULL, 1, NULL, NULL, NULL)")
      db:run("INSERT INTO run (tenant, at, users) VALUES (1, 5, 'whole')")
      return true
    end))
    db:close()
    open()
    assert.same({ 1, 1, 0, 0 }, counts(0))
    assert.same({ 0, 0, 0, 0 }, counts(1))
    assert.equal("1", rows_of "requests"[1].run)
  end)
end)
