local core = require "pcapi.core"
local contract = require "spec.support.history_store_contract"
local notice_contract = require "spec.support.history_notice_contract"
local database = require "spec.support.database"
local private_folder = require "spec.support.private_folder"
local sqlite = require "pcapi.sqlite"
local store = require "pcapi.history.store"
local stores = require "spec.support.history_stores"
local tables = require "pcapi.history.tables"

after_each(stores.remove)

for kind, make in pairs(stores.kinds()) do
  describe("a store of the history in " .. kind, function()
    for _, part in ipairs { contract, notice_contract } do
      for name, check in pairs(part) do
        it(name, function()
          check(make())
        end)
      end
    end
  end)
end

describe("the file of a history", function()
  local path
  before_each(function()
    private_folder.new()
    path = private_folder.path "history.sqlite"
  end)

  -- Opens the file by the module below.
  local function raw()
    return assert(sqlite.open(path, { application_id = tables.APPLICATION_ID, busy_timeout = 1,
                                      create = true }))
  end

  local function opened()
    local found = assert(store.open(path))
    finally(function() found:close() end)
    return found
  end

  it("keeps what was stored", function()
    local first = assert(store.open(path))
    assert(first:transaction(function()
      first:save_tenant { id = "t", has_baseline = true }
    end))
    first:close()
    local second = opened()
    assert.is_true(second:read(function() return second:tenant "t" end).has_baseline)
  end)

  it("finds people by name as fast as by id, however many the tenant has", function()
    local found = opened()
    assert(found:transaction(function()
      local tenant = { id = "t", has_baseline = true }
      found:save_tenant(tenant)
      for i = 1, 3000 do
        found:save_person(tenant, { id = "id" .. i, upn = "U" .. i .. "@x.example" })
      end
      local began = core.now()
      for i = 1, 300 do
        assert(found:person(tenant, "id" .. i))
      end
      local by_id = core.now() - began
      for i = 1, 300 do
        assert.equal(1, #found:people_named(tenant, "u" .. i .. "@X.example"))
      end
      assert.is_true(core.now() - began - by_id < 20 * by_id) -- 3,000 times, if it reads all
    end))
  end)

  it("is opened without waiting for another process that writes", function()
    opened()
    local db, found, err = raw(), nil, nil
    finally(function() db:close() end)
    assert(db:transaction(function()
      found, err = store.open(path)
      return true
    end))
    assert(found, err):close()
  end)

  it("is refused if a newer pcapi made it, and stays as it is", function()
    local db = raw()
    database.run(db, ("PRAGMA user_version = %d"):format(tables.VERSION + 1))
    db:close()
    local found, err = store.open(path)
    assert.is_nil(found)
    assert.equal("store", err.kind)
    assert.equal(("the history has the format %d, made by a newer pcapi; this one knows up to %d")
      :format(tables.VERSION + 1, tables.VERSION), err.message)
    db = raw()
    assert.equal(0, database.row(db, "SELECT count(*) AS n FROM sqlite_schema").n)
    db:close()
  end)

  for version = 0, tables.VERSION do
    it(("of format %d becomes one of today"):format(version), function()
      local db = raw()
      assert(db:transaction(function()
        return tables.migrate(db, version)
      end))
      db:close()
      local found = opened()
      assert.equal(tables.VERSION, database.row(found.db, "PRAGMA user_version").user_version)
      assert.is_true(found.db:check())
    end)
  end

  it("of format 1 loses nothing, and can hold notices afterwards", function()
    local db = raw()
    assert(db:transaction(function()
      assert(tables.migrate(db, 1))
      db:run "INSERT INTO tenant (tenant, id, has_baseline) VALUES (1, 't', 1)"
      db:run "INSERT INTO person (person, tenant, id) VALUES (1, 1, 'p')"
      db:run "INSERT INTO reader VALUES (1, 'watch', 7, 9, 11, NULL, 0, '13 gap')"
      return true
    end))
    db:close()
    local found = opened()
    assert(found:transaction(function()
      local tenant = found:tenant "t"
      assert.same({ name = "watch", told = 7, claimed = 9, reminded = 11, is_late = false,
                    warned = { gap = 13 } }, found:reader(tenant, "watch"))
      assert.is_true(found:add_notice { channel = "ops", id = "1", kind = "changes", at = 1,
        head = "{}", parts = { { place = 1, tenant = tenant, text = "{}",
                                 person = found:person(tenant, "p") } } })
      assert.equal(1, #found:notices "ops")
      return true
    end))
  end)

  it("is refused if it belongs to another program", function()
    local db = assert(sqlite.open(path, { application_id = 7, busy_timeout = 1, create = true }))
    database.run(db, "CREATE TABLE t (a)")
    db:close()
    local found, err = store.open(path)
    assert.is_nil(found)
    assert.equal("store", err.kind)
  end)

  it("is not made if it must exist", function()
    local found, err = store.open(path, { create = false })
    assert.is_nil(found)
    assert.equal("absent", err.code)
  end)

  it("has no open statement that reads all rows for one user", function()
    local found = opened()
    local plans = {}
    assert(found:read(function()
      for _, query in ipairs {
        "SELECT * FROM request WHERE person = 1 AND at >= 5",
        "SELECT * FROM finding WHERE tenant = 1 AND closed IS NULL",
        "SELECT max(event) FROM event WHERE tenant = 1",
        "SELECT * FROM person WHERE tenant = 1 AND name = 'x'",
      } do
        for row in found.db:rows("EXPLAIN QUERY PLAN " .. query) do
          plans[#plans + 1] = row.detail
        end
      end
      return true
    end))
    for _, plan in ipairs(plans) do
      assert.truthy(plan:find "^SEARCH", plan)
    end
  end)
end)
