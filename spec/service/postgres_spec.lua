--- share/postgresql: histories that are loaded into a real PostgreSQL.
local collectors = require "spec.support.collectors"
local folder = require "spec.support.folder"
local lists = require "spec.support.history_lists"
local markdown = require "spec.support.markdown"
local nginx = require "spec.support.nginx"
local postgres = require "spec.support.postgres"
local sandbox = require "spec.support.sandbox"
local curl = require "spec.support.curl"
local transfer = require "pcapi.history.transfer"

local TENANT, OTHER, SYNC = collectors.TENANT, collectors.OTHER, collectors.SYNC
local NOW, HOUR, DAY = collectors.NOW, 3600, 86400
local BILLING = "Billing, \"old\""
local guid, request, user = collectors.guid, collectors.request, collectors.user

local server, program

setup(function()
  server, program = postgres.start(), collectors.program()
end)

teardown(function()
  server:stop()
  folder.remove()
end)

before_each(function()
  server:empty()
end)

local function new_collector()
  return collectors.new(server, program)
end

local function load(collector)
  local result = collector:load()
  assert.same({ 0, "", "" }, { result.status, result.out, result.err })
end

-- Loads a history that lacks the run that was loaded last.
local function load_replaced(collector)
  local result = collector:load()
  assert.same({ 0, "" }, { result.status, result.out })
  assert.matches("WARNING:  the history does not have the run %d+, which was loaded last\n"
    .. "HINT:  [^\n]*two machines", result.err)
end

local function all()
  return collectors.all(server)
end

local function count(what)
  return tonumber(server:sql("SELECT count(*) FROM pcapi." .. what))
end

describe("a load of a history into PostgreSQL", function()
  local one

  before_each(function()
    one = new_collector()
  end)

  after_each(function()
    one.history:close()
  end)

  it("brings findings, requests, adoption and runs", function()
    one:observe(NOW - DAY, {})
    one:observe(NOW, { user(1, NOW - HOUR) }, {
      request(3, NOW - HOUR, { user = guid(1, 1), ip = "192.0.2.7" }), request(4, NOW - HOUR),
    })
    load(one)
    assert.equal("fabrikam|user1@fabrikam.example|open",
      server:sql("SELECT tenant, upn, state FROM pcapi.open_findings", "pcapi_read"))
    assert.equal("1", server:sql("SELECT count(*) FROM pcapi.new_this_week", "pcapi_read"))
    assert.equal(SYNC .. "|Sync|1|1|1", server:sql("SELECT * FROM pcapi.by_application",
      "pcapi_read"))
    assert.equal("fabrikam|1|0|1|1", server:sql("SELECT tenant, open, excepted, without_mfa, "
      .. "with_mfa FROM pcapi.by_tenant", "pcapi_read"))
    assert.equal(("%s|1|1|4|10\n%s|||4|10"):format(os.date("!%Y-%m-%d", NOW - DAY),
      os.date("!%Y-%m-%d", NOW)), server:sql("SELECT * FROM pcapi.per_day", "pcapi_read"))
    assert.equal(guid(3, 3):gsub("%-", "") .. "|192.0.2.7|f", server:sql(
      "SELECT encode(id, 'hex'), ip, mfa FROM pcapi.request WHERE person IS NOT NULL"))
    assert.equal(2, count "run")
  end)

  it("changes nothing if it is repeated, with the bookmark or from the start", function()
    one:observe(NOW - DAY, { user(1, NOW - 2 * DAY) }, { request(1, NOW - 2 * DAY) })
    load(one)
    one:observe(NOW, { user(1, NOW - HOUR) }, { request(1, NOW - 2 * DAY), request(2, NOW) })
    load(one)
    local before = all()
    load(one)
    assert.equal(before, all())
    server:sql "UPDATE pcapi.collector SET run = 0"
    load(one)
    assert.equal(before, all())
    assert.equal(0, server:upgrade().status)
    assert.equal(before, all())
  end)

  it("reads only what changed since the bookmark", function()
    one:observe(NOW - DAY, { user(1, NOW - 2 * DAY) }, { request(1, NOW - 2 * DAY) })
    load(one)
    server:sql "DELETE FROM pcapi.request"
    one:observe(NOW, {}, { request(1, NOW - 2 * DAY), request(2, NOW) })
    load(one)
    assert.equal(1, count "request") -- the first is not sent again
  end)

  it("stores the later run of a finding", function()
    one:observe(NOW - 8 * DAY, { user(1, NOW - 9 * DAY) })
    load(one)
    one:observe(NOW, {})
    load(one)
    assert.equal("quiet", server:sql "SELECT state FROM pcapi.findings")
  end)

  it("stores the adoption of the collector that a tenant moved to, by any clock", function()
    one:observe(NOW - 3 * HOUR, {})
    load(one)
    server:sql "UPDATE pcapi.adoption SET run = run + 1000" -- a number of a run is a time, or later
    local two = new_collector()
    two:observe(NOW, {}, {}, { adoption = lists.adoption(NOW, {
      { day = os.date("!%Y-%m-%d", NOW - 3 * HOUR), application = SYNC, total = 20, with_mfa = 9 },
    }) })
    load(two)
    local stored = "SELECT with_mfa, total FROM pcapi.adoption"
    assert.equal("9|20", server:sql(stored))
    server:sql "UPDATE pcapi.collector SET run = 0"
    load(one) -- the tenant is not its own any more
    assert.equal("9|20", server:sql(stored))
    two.history:close()
  end)

  it("keeps ids that are no GUID, and any text", function()
    local odd = "Jos\195\169, \"the\\.\"\n\\.\n\0end"
    local kim = { upn = "Kim@Fabrikam.example", at = NOW - HOUR }
    one:observe(NOW, { kim, { id = odd, at = NOW } }, {
      request(1, NOW, { id = "no guid", upn = "kim@fabrikam.example", application = BILLING,
                        operation = odd }),
      request(2, NOW, { id = "no guid 2", operation = ("x"):rep(20000), application = "" }),
    })
    load(one)
    assert.equal("32\n32", server:sql "SELECT length(id) FROM pcapi.request")
    assert.equal("upn:kim@fabrikam.example|billing, \"old\"", server:sql("SELECT p.id, a.id FROM "
      .. "pcapi.request JOIN pcapi.person p USING (person) JOIN pcapi.application a "
      .. "USING (application)"))
    local shown = "jos\195\169, \"the\\.\"\239\191\189\\.\239\191\189\239\191\189end"
    assert.equal(shown, server:sql "SELECT person_id FROM pcapi.findings WHERE upn IS NULL")
    assert.equal("1", server:sql("SELECT count(*) FROM pcapi.operation WHERE name = 'J' || substr("
      .. curl.quote(shown) .. ", 2)"))
    local before = all()
    server:sql "UPDATE pcapi.collector SET run = 0"
    load(one)
    assert.equal(before, all())
  end)

  it("follows a user who gets an object ID", function()
    one:observe(NOW - DAY, { { upn = "kim@fabrikam.example", at = NOW - 2 * DAY } },
      { request(1, NOW - 2 * DAY, { upn = "kim@fabrikam.example" }) })
    load(one)
    one:observe(NOW, { { id = guid(1, 7), upn = "kim@fabrikam.example", at = NOW - 2 * DAY } })
    load(one)
    assert.equal(guid(1, 7) .. "|open", server:sql "SELECT person_id, state FROM pcapi.findings")
    assert.equal(guid(1, 7), server:sql("SELECT p.id FROM pcapi.request JOIN pcapi.person p "
      .. "USING (person)"))
  end)

  it("stores no days that are over or in the future", function()
    one:observe(NOW, {}, { request(1, 0), request(2, NOW + 10 * DAY), request(3, NOW) })
    load(one)
    assert.equal(1, count "request")
    assert.equal("1", server:sql("SELECT count(*) FROM pg_inherits WHERE inhparent = "
      .. "'pcapi.request'::regclass"))
  end)

  it("fails if the history cannot be read, and stores nothing", function()
    one:observe(NOW, { user(1, NOW) }, { request(1, NOW) })
    local wrapper = collectors.program "[ \"$3\" != requests ]"
    local result = one:load { PATH = wrapper .. ":" .. os.getenv "PATH" }
    assert.equal(3, result.status)
    assert.matches("child process exited with exit code 1", result.err, 1, true)
    result = one:load { PCAPI_HISTORY = one.path .. ".absent" }
    assert.equal(3, result.status)
    assert.matches("there is no history at", result.err, 1, true)
    assert.same({ 0, 0, 0 }, { count "collector", count "finding", count "request" })
  end)

  it("begins anew if the history is older than the bookmark", function()
    one:observe(NOW - DAY, { user(1, NOW - 2 * DAY) }, { request(1, NOW - 2 * DAY) })
    load(one)
    server:sql "UPDATE pcapi.collector SET run = 999999999999999; DELETE FROM pcapi.request"
    load_replaced(one)
    assert.equal(1, count "request")
    assert.equal("t", server:sql "SELECT run < 999999999999999 FROM pcapi.collector")
  end)

  it("follows a history that was restored, before its next run and after it", function()
    one:observe(NOW - 3 * DAY, { user(1, NOW - 4 * DAY), user(2, NOW - 4 * DAY) })
    local copy = folder.new() .. "/copy.sqlite"
    assert(one.history:backup(copy))
    for _, has_run in ipairs { false, true } do
      one:observe(NOW - 2 * DAY, { user(1, NOW - 4 * DAY), user(3, NOW - 3 * DAY) }, {}, {
        tenant = OTHER })
      one:observe(NOW - DAY, { user(1, NOW - 2 * DAY), user(3, NOW - 3 * DAY) }, {}, {
        adoption = lists.adoption(NOW, { { day = os.date("!%Y-%m-%d", NOW - 3 * DAY),
                                           application = SYNC, total = 20, with_mfa = 9 } }) })
      load(one)
      assert.equal("9|20", server:sql "SELECT with_mfa, total FROM pcapi.adoption WHERE total = 20")
      one:restore(copy)
      if has_run then
        one:observe(NOW, {}, {}, { users = lists.users(NOW, {}, { truncated = true }) })
      end
      load_replaced(one)
      assert.equal("user1|1|open\nuser2|1|open", server:sql(
        "SELECT split_part(upn, '@', 1), times, state FROM pcapi.open_findings ORDER BY 1"))
      assert.equal("2", server:sql "SELECT count(*) FROM pcapi.finding")
      assert.equal("0", server:sql "SELECT count(*) FROM pcapi.adoption WHERE total = 20")
    end
  end)

  it("follows a history that was restored, also if the bookmark was set to 0", function()
    one:observe(NOW - 2 * DAY, { user(1, NOW - 3 * DAY) })
    local copy = folder.new() .. "/copy.sqlite"
    assert(one.history:backup(copy))
    one:observe(NOW - DAY, { user(2, NOW - 2 * DAY) })
    load(one)
    assert.equal(1, count "open_findings")
    server:sql "UPDATE pcapi.collector SET run = 0"
    one:restore(copy)
    load(one)
    assert.equal("user1@fabrikam.example|open", server:sql
      "SELECT upn, state FROM pcapi.open_findings")
  end)

  it("loads all, and warns, if another machine works with a copy of the history", function()
    one:observe(NOW - DAY, { user(1, NOW - 2 * DAY) }, { request(1, NOW - 2 * DAY) })
    load(one)
    local copy = collectors.copy(one)
    copy:observe(NOW - 2 * HOUR, {}, { request(2, NOW - 3 * HOUR) }, { tenant = OTHER })
    one:observe(NOW - HOUR, {}, { request(3, NOW - 2 * HOUR) })
    load(one)
    copy:observe(NOW, {}, { request(4, NOW - HOUR) }, { tenant = OTHER })
    load_replaced(copy)
    assert.equal(4, count "request")
    load(copy)
    copy.history:close()
  end)

  it("says what the server lacks, and the cure", function()
    local function refused(message, role)
      local result = one:load { PGOPTIONS = "-c role=" .. (role or "pcapi_load") }
      assert.equal(3, result.status)
      assert.matches(message, result.err, 1, true)
    end
    server:sql "DROP FUNCTION pcapi.is_whole"
    refused "the schema pcapi is of another pcapi\nHINT:  Run the schema.sql of this pcapi there"
    for _, role in ipairs { "pcapi_read", "pg_monitor" } do
      refused(("the user %s may not load\nHINT:  GRANT pcapi_load TO %s"):format(role, role), role)
    end
    server:sql "SET client_min_messages = warning; DROP SCHEMA pcapi CASCADE"
    refused "the database postgres has no schema pcapi\nHINT:  Run schema.sql in this database"
  end)
end)

describe("two collectors", function()
  it("lose nothing if they load at once, also the same requests", function()
    local machines, pipes = { new_collector(), new_collector() }, {}
    for i, machine in ipairs(machines) do
      local mine, shared = {}, {}
      for number = 1, 300 do
        mine[number] = request(1000 * i + number, NOW - number * 1000)
        shared[number] = request(number, NOW - number * 1000, { application = "app" .. number % 7 })
      end
      machine:observe(NOW, { user(i, NOW) }, mine, { tenant = i == 1 and TENANT or OTHER })
      machine:observe(NOW, {}, shared, { tenant = guid(9, 1) })
    end
    for _ = 1, 2 do
      for i, machine in ipairs { machines[1], machines[2], machines[1], machines[2] } do
        pipes[i] = assert(io.popen("( " .. machine:line() .. " ) 2>&1; echo status $?"))
      end
      for _, pipe in ipairs(pipes) do
        assert.equal("status 0\n", pipe:read "*a")
        pipe:close()
      end
      assert.equal(900, count "request")
      assert.equal("900", server:sql(
        "SELECT sum(without_mfa + with_mfa + unknown) FROM pcapi.request_count"))
      assert.equal(2, count "open_findings")
      server:sql "UPDATE pcapi.collector SET run = 0"
    end
    for _, machine in ipairs(machines) do
      machine.history:close()
    end
  end)

  it("bring each request once, of days that PostgreSQL has and of new ones", function()
    local first, second = new_collector(), new_collector()
    first:observe(NOW, {}, { request(1, NOW - DAY), request(2, NOW - DAY + 1) })
    second:observe(NOW, {}, { request(1, NOW - DAY), request(3, NOW - DAY + 2, { mfa = false }),
                              request(4, NOW - 3 * DAY), request(5, NOW - 3 * DAY + 1) })
    load(first)
    load(second)
    load(first)
    assert.equal("1|2|3|4|5", (server:sql(
      "SELECT right(encode(id, 'hex'), 1) FROM pcapi.request ORDER BY id"):gsub("\n", "|")))
    assert.equal(("%s|2\n%s|3"):format(os.date("!%Y-%m-%d", NOW - 3 * DAY),
      os.date("!%Y-%m-%d", NOW - DAY)), server:sql("SELECT day, "
      .. "sum(without_mfa + with_mfa + unknown) FROM pcapi.request_count GROUP BY 1 ORDER BY 1"))
    assert.equal("2|4", server:sql("SELECT count(DISTINCT inhrelid), count(*) FROM pg_inherits "
      .. "JOIN pg_index ON indrelid = inhrelid WHERE inhparent = 'pcapi.request'::regclass "
      .. "AND indisvalid"))
    assert.equal("0", server:sql("SELECT count(*) FROM pg_inherits WHERE inhparent = "
      .. "'pcapi.request_new'::regclass"))
    first.history:close()
    second.history:close()
  end)

  it("may follow each other in a tenant: what the later one knows is shown", function()
    local first, second = new_collector(), new_collector()
    first:observe(NOW - DAY, { user(1, NOW - 2 * DAY), user(2, NOW - 2 * DAY) })
    second:observe(NOW, { user(2, NOW - 2 * DAY) })
    load(second)
    load(first)
    assert.equal("user2@fabrikam.example", server:sql "SELECT upn FROM pcapi.open_findings")
    assert.equal("", server:sql "SELECT upn FROM pcapi.new_this_week") -- a first list is no news
    assert.equal(3, count "finding")
    first.history:close()
    second.history:close()
  end)

  it("may follow each other with the history, which stays whole", function()
    local first, second = new_collector(), new_collector()
    first:observe(NOW - 9 * DAY, { user(1, NOW - 9 * DAY) }, { request(1, NOW - 9 * DAY) })
    first:observe(NOW - DAY, { user(2, NOW - 2 * DAY) }, { request(2, NOW - 2 * DAY) })
    load(first)
    local QUIET = "SELECT person_id, episode, first_at, opened_at, closed_at FROM pcapi.findings "
      .. "WHERE state = 'quiet'"
    local quiet = server:sql(QUIET)
    assert(transfer.tenant(first.history.store, second.history.store, TENANT))
    second:observe(NOW, { user(2, NOW - 2 * DAY), user(3, NOW - HOUR) })
    load(second)
    assert.equal("user1|quiet\nuser2|open\nuser3|open", server:sql(
      "SELECT split_part(upn, '@', 1), state FROM pcapi.findings ORDER BY upn"))
    assert.equal(quiet, server:sql(QUIET))
    assert.equal(2, count "request")
    assert.equal(2, count "new_this_week")
    first.history:close()
    second.history:close()
  end)
end)

describe("the schema of PostgreSQL", function()
  local one

  before_each(function()
    one = new_collector()
    one:observe(NOW, { user(1, NOW - HOUR), user(2, NOW - HOUR) }, {
      request(1, NOW - HOUR, { user = guid(1, 1), ip = "192.0.2.7" }),
      request(2, NOW - 20 * DAY, { user = guid(1, 2), ip = "192.0.2.8" }),
    })
    load(one)
  end)

  after_each(function()
    one.history:close()
  end)

  local function is_locked()
    return server:sql "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'" == "1"
  end

  local function refused(sql, role)
    local result = server:psql("-c", "SET ROLE " .. role, "-c", sql)
    assert.equal(1, result.status, role .. ": " .. sql)
    assert.matches("permission denied", result.err, 1, true)
  end

  it("erases a person", function()
    assert.equal("1", server:sql("SELECT pcapi.erase_person('User1@fabrikam.example')",
      "pcapi_erase"))
    assert.equal("user2@fabrikam.example", server:sql "SELECT upn FROM pcapi.person")
    assert.equal("1", server:sql(
      "SELECT count(*) FROM pcapi.request WHERE person IS NULL AND ip IS NULL"))
    for tenant, erased in pairs { [OTHER] = "0", [TENANT] = "1" } do
      assert.equal(erased, server:sql(("SELECT pcapi.erase_person('%s', '%s')"):format(guid(1, 2),
        tenant), "pcapi_erase"))
    end
    assert.same({ 0, 0, 2 }, { count "person", count "finding", count "request" })
  end)

  it("erases a person whose id has other letters than those of English", function()
    one:observe(NOW + 1, { { id = "JOS\195\137", at = NOW } })
    load(one)
    assert.equal("1", server:sql("SELECT pcapi.erase_person('JOS\195\137')", "pcapi_erase"))
  end)

  it("drops the days that are over, which do not come back", function()
    assert.equal("2", server:sql("SELECT count(*) FROM pg_inherits WHERE inhparent = "
      .. "'pcapi.request'::regclass"))
    server:sql("SELECT pcapi.prune(8)", "pcapi_erase")
    assert.equal(1, count "request")
    assert.equal("1", server:sql("SELECT count(*) FROM pg_inherits WHERE inhparent = "
      .. "'pcapi.request'::regclass"))
    local counted = server:sql "SELECT * FROM pcapi.request_count ORDER BY day"
    server:sql "UPDATE pcapi.collector SET run = 0"
    load(one)
    assert.equal(1, count "request")
    assert.equal(counted, server:sql "SELECT * FROM pcapi.request_count ORDER BY day")
    for _, days in ipairs { "7", "90, 7", "NULL", "90, NULL" } do
      local result = server:psql("-c", ("SELECT pcapi.prune(%s)"):format(days))
      assert.equal(1, result.status, days)
      assert.matches("keep_requests and keep_findings must be 8 days or more", result.err, 1, true)
    end
  end)

  it("refuses a database with another encoding", function()
    server:sql "CREATE DATABASE ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"
    local result = server:psql("-d", "ascii", "-f", "share/postgresql/schema.sql")
    assert.equal(3, result.status)
    assert.matches("needs a database with the encoding UTF8, not SQL_ASCII", result.err, 1, true)
  end)

  it("lets prune wait for a load, however long", function()
    local loading = assert(io.popen(("PGHOST=%s psql -XqAt -U postgres -c BEGIN "
      .. "-c 'CALL pcapi.lock_rows()' -c 'SELECT pg_sleep(1)' -c COMMIT postgres")
      :format(server.dir)))
    assert.is_true(nginx.wait_for(is_locked, 10))
    server:sql "SET lock_timeout = '100ms'; SELECT pcapi.prune(8)"
    loading:close()
    assert.equal(1, count "request")
  end)

  it("counts the same days in each time zone", function()
    server:sql [[INSERT INTO pcapi.request_count SELECT 1, day, 1, 1, 0, 0
      FROM generate_series(now() - interval '11 days', now(), '1 day') day
      ON CONFLICT DO NOTHING]]
    local question = "SELECT t.without_mfa, a.without_mfa FROM pcapi.by_tenant t, "
      .. "pcapi.by_application a"
    local counted = server:sql(question)
    for _, zone in ipairs { "Etc/GMT+12", "Etc/GMT-14" } do
      assert.equal(counted, server:sql(("SET timezone = '%s'; %s"):format(zone, question)))
    end
  end)

  it("drops days while a load waits, and the load leaves them out", function()
    one:observe(NOW + 1, {}, { request(7, NOW - 20 * DAY), request(8, NOW) })
    local pruning = assert(io.popen(("PGOPTIONS='-c role=pcapi_erase' PGHOST=%s psql -XqAt "
      .. "-U postgres -c BEGIN -c 'SELECT pcapi.prune(8)' -c 'SELECT pg_sleep(2)' -c COMMIT "
      .. "postgres"):format(server.dir)))
    assert.is_true(nginx.wait_for(is_locked, 10))
    load(one)
    pruning:close()
    assert.equal("0", server:sql(("SELECT count(*) FROM pcapi.request WHERE at < to_timestamp(%d)")
      :format(NOW - 8 * DAY)))
    assert.equal("1", server:sql("SELECT count(*) FROM pcapi.request "
      .. "WHERE right(encode(id, 'hex'), 1) = '8'"))
  end)

  it("gives each role no more than it needs", function()
    for role, statements in pairs {
      pcapi_load = { "DELETE FROM pcapi.request", "DELETE FROM pcapi.person",
                     "TRUNCATE pcapi.finding", "SELECT pcapi.prune()",
                     "SELECT * FROM pcapi.findings", "SELECT pcapi.erase_person('x')",
                     "UPDATE pcapi.kept SET requests_from = '2000-01-01'" },
      pcapi_read = { "SELECT * FROM pcapi.person", "SELECT * FROM pcapi.request",
                     "CALL pcapi.finish_load()", "SELECT pcapi.erase_person('x')",
                     "INSERT INTO pcapi.operation (name) VALUES ('x')" },
      pcapi_erase = { "SELECT * FROM pcapi.person", "SELECT * FROM pcapi.findings",
                      "CALL pcapi.begin_load()", "DELETE FROM pcapi.request" },
    } do
      for _, sql in ipairs(statements) do
        refused(sql, role)
      end
    end
    assert.equal(1, server:psql("-c", "SET ROLE pcapi_load", "-c",
      "DROP TABLE pcapi.request").status)
  end)
end)

describe("the SQL of docs/scale.md", function()
  it("runs", function()
    local examples = markdown.examples("docs/scale.md", "sql")
    for _, text in ipairs(examples) do
      local result = server:psql("-c", text)
      assert.same({ 0, "" }, { result.status, result.err }, text)
    end
    assert.is_true(#examples >= 3)
  end)
end)

describe("the units of systemd in share/postgresql", function()
  it("are accepted by systemd without a warning", function()
    local result = sandbox.shell("env -u LD_PRELOAD systemd-analyze --no-pager verify --man=no "
      .. "./share/postgresql/pcapi-load.service ./share/postgresql/pcapi-load.timer")
    assert.same({ 0, "", "" }, { result.status, result.out, result.err })
  end)
end)
