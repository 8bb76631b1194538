--- Statements of pcapi.sqlite: parameters, rows, and what is refused.
local database = require "spec.support.database"
local raised_by = require "spec.support.raised_by"
local raises = require "spec.support.raises"
local sqlite = require "pcapi.sqlite"

local HAS_INTEGERS = math.type ~= nil

local db

before_each(function()
  db = database.new()
end)

after_each(database.remove)

-- What a value becomes: its type in SQLite, and what is read.
local function stored(value)
  return assert(db:transaction(function(tx)
    tx:run "DELETE FROM t"
    tx:run("INSERT INTO t VALUES (?, 0)", value)
    local row = tx:row "SELECT typeof(a) AS type, a FROM t"
    return { row.type, row.a }
  end))
end

describe("a parameter", function()
  it("is stored as what it is in Lua", function()
    assert.same({ "null" }, stored(nil))
    assert.same({ "integer", 1 }, stored(true))
    assert.same({ "integer", 0 }, stored(false))
    assert.same({ "integer", -7 }, stored(-7))
    assert.same({ "real", 1.5 }, stored(1.5))
    assert.same({ "text", "text" }, stored "text")
    assert.same({ "text", "12" }, stored "12")
    assert.same({ "blob", "\0\255" }, stored(sqlite.blob "\0\255"))
    assert.same({ "blob", "" }, stored(sqlite.blob ""))
    assert.same({ "text", "" }, stored "")
  end)

  it("is an integer if it is a float without a fraction", function()
    assert.same({ "integer", 3 }, stored(6 / 2))
    assert.same({ "integer", 0 }, stored(-0.0))
    assert.same({ "integer", 2 ^ 53 }, stored(2 ^ 53))
    assert.same({ "real", 2 ^ 63 }, stored(2 ^ 63))
    assert.same({ "real", 1e300 }, stored(1e300))
  end)

  it("may have zero bytes and all characters", function()
    for _, text in ipairs { "a\0b", "\0", "é€😀", "\239\191\191", "\244\143\191\191",
                            ("x"):rep(1e6) } do
      assert.is_true(stored(text)[2] == text)
    end
  end)

  it("is copied: later texts do not change it", function()
    assert(db:transaction(function(tx)
      for i = 1, 100 do
        tx:run("INSERT INTO t VALUES (?, ?)", ("text %d"):format(i), i)
        collectgarbage "step"
      end
      for row in tx:rows "SELECT a, b FROM t" do
        assert.equal("text " .. row.b, row.a)
      end
    end))
  end)

  it("is refused if it is text that is not UTF-8", function()
    for _, text in ipairs { "\128", "\192\128", "\224\128\128", "\237\160\128", "\244\144\128\128",
                            "\248\136\128\128\128", "a\195", "\226\130", "\195a", "\255" } do
      raises(function()
        db:transaction(function(tx)
          tx:run("INSERT INTO t VALUES (?, 1)", text)
        end)
      end, "parameter 1 is not UTF-8; bytes are stored with blob()")
    end
    assert.equal(0, database.count(db))
  end)

  it("is refused if SQLite has no value for it", function()
    for _, value in ipairs { 0 / 0, 1 / 0, -1 / 0 } do
      assert.truthy(raised_by(database.run, db, "INSERT INTO t VALUES (1, ?)", value)
        :find("parameter 1 is not a finite number", 1, true))
    end
    for _, value in ipairs { print, io.stdout, coroutine.create(function() end) } do
      assert.truthy(raised_by(database.run, db, "INSERT INTO t VALUES (1, ?)", value)
        :find("parameter 1 must be nil, a boolean, a number, a string or a blob", 1, true))
    end
    assert.truthy(raised_by(database.run, db, "INSERT INTO t VALUES (1, ?)",
      ("x"):rep(16 * 1024 * 1024 + 1)):find("parameter 1 is longer than 16 MiB", 1, true))
    assert.equal(0, database.count(db))
  end)

  it("may have a name; a name that the table lacks is NULL", function()
    assert.equal(1, database.run(db, "INSERT INTO t VALUES (:first, :second)", { second = 2 }))
    assert.same({ b = 2 }, database.row(db, "SELECT * FROM t"))
    -- the statement is compiled once, but remembers no value
    assert.equal(1, database.run(db, "INSERT INTO t VALUES (:first, :second)", { first = 1 }))
    assert.same({ a = 1 }, database.row(db, "SELECT * FROM t WHERE a = 1"))
  end)

  for name, call in pairs {
    ["the statement has 2 parameters, not 1"] = { "INSERT INTO t VALUES (?, ?)", 1 },
    ["the statement has 2 parameters, not 3"] = { "INSERT INTO t VALUES (?, ?)", 1, 2, 3 },
    ["the statement has 0 parameters, not 1"] = { "DELETE FROM t", 1 },
    ["the statement has no parameter :frist"] = { "INSERT INTO t VALUES (:first, 1)",
      { frist = 1 } },
    ["the statement has no parameter :a"] = { "DELETE FROM t", { a = 1 } },
    ["names of parameters must be strings"] = { "INSERT INTO t VALUES (:first, 1)", { 1 } },
    ["parameter 1 has no name; pass values, not a table"] = { "INSERT INTO t VALUES (?, 1)",
      { a = 1 } },
    ["parameter :first is not UTF-8"] = { "INSERT INTO t VALUES (:first, 1)", { first = "\255" } },
  } do
    it("of the wrong number, name or kind is the caller's error: " .. name, function()
      raises(function()
        db:transaction(function(tx)
          tx:run((unpack or table.unpack)(call)) -- luacheck: ignore
        end)
      end, name)
      assert.equal(0, database.count(db))
    end)
  end
end)

describe("an integer", function()
  it("has 64 bits in Lua 5.3 and later", function()
    if not HAS_INTEGERS then
      return
    end
    for _, n in ipairs { math.maxinteger, math.mininteger, 9007199254740993 } do
      assert.same({ "integer", n }, stored(n))
      assert.equal("integer", math.type(stored(n)[2]))
    end
  end)

  it("is a failure, not a wrong number, if this Lua cannot hold it", function()
    local function read(sql)
      local row, message, kind, remedy = database.row(db, sql)
      return row and row.n or message, kind, remedy
    end
    assert.equal(2 ^ 53, (read "SELECT 9007199254740992 AS n"))
    assert.equal(-2 ^ 53, (read "SELECT -9007199254740992 AS n"))
    local _, kind, remedy = read "SELECT 9007199254740993 AS n"
    if HAS_INTEGERS then
      assert.is_nil(kind)
    else
      assert.equal("range", kind)
      assert.equal("Use Lua 5.3 or later", remedy)
    end
  end)
end)

describe("a statement", function()
  it("returns the number of rows that it changed", function()
    assert(db:transaction(function(tx)
      assert.equal(1, tx:run "INSERT INTO t VALUES (1, 1)")
      assert.equal(2, tx:run "INSERT INTO t VALUES (2, 1), (3, 2)")
      assert.equal(2, tx:run("UPDATE t SET a = 0 WHERE b = ?", 1))
      assert.equal(0, tx:run("UPDATE t SET a = 0 WHERE b = ?", 9))
      assert.equal(0, tx:run "CREATE TABLE other (x)")
      assert.equal(3, tx:run "DELETE FROM t")
    end))
  end)

  it("returns one row as a table by column, or nil", function()
    database.run(db, "INSERT INTO t VALUES (1, NULL), (2, 'x')")
    assert.same({ a = 2, b = "x" }, database.row(db, "SELECT * FROM t WHERE a = ?", 2))
    assert.same({ a = 1 }, database.row(db, "SELECT * FROM t WHERE a = ?", 1))
    assert.is_nil(database.row(db, "SELECT * FROM t WHERE a = ?", 3))
    assert.same({ id = 3 }, db:transaction(function(tx)
      return tx:row "INSERT INTO t VALUES (3, 3) RETURNING a AS id"
    end))
  end)

  it("iterates over rows", function()
    database.run(db, "INSERT INTO t VALUES (1, 'x'), (NULL, 'y'), (3, NULL)")
    local seen = {}
    assert(db:read(function(tx)
      for row in tx:rows("SELECT * FROM t WHERE a > ? OR a IS NULL", 0) do
        seen[#seen + 1] = row
      end
    end))
    assert.same({ { a = 1, b = "x" }, { b = "y" }, { a = 3 } }, seen)
  end)

  it("can run again while rows of the same text are read", function()
    database.run(db, "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)")
    local seen = 0
    assert(db:read(function(tx)
      local function walk(depth)
        for row in tx:rows "SELECT a FROM t" do
          seen = seen + row.a
          if depth > 1 then
            walk(depth - 1)
          end
        end
      end
      walk(3)
    end))
    assert.equal(6 + 3 * 6 + 9 * 6, seen)
  end)

  it("can run again after its rows were left early", function()
    database.run(db, "INSERT INTO t VALUES (1, 1), (2, 2)")
    assert(db:transaction(function(tx)
      for _ = 1, 50 do
        assert.equal(1, tx:rows "SELECT a FROM t"().a)
      end
      tx:run "DELETE FROM t"
    end))
    assert.equal(0, database.count(db))
  end)

  it("sees a changed table", function()
    local function columns()
      local row = database.row(db, "SELECT * FROM t")
      return row.a, row.b, row.c
    end
    database.run(db, "INSERT INTO t VALUES (1, 2)")
    assert.same({ 1, 2 }, { columns() })
    database.run(db, "ALTER TABLE t ADD COLUMN c DEFAULT 3")
    assert.same({ 1, 2, 3 }, { columns() })
  end)

  it("may be one of many texts", function()
    assert(db:transaction(function(tx)
      for i = 1, 1000 do
        assert.equal(i, tx:row("SELECT " .. i .. " AS n").n)
      end
    end))
  end)

  for text, message in pairs {
    [""] = "must be one statement",
    ["  -- nothing"] = "must be one statement",
    ["DELETE FROM t; DELETE FROM t"] = "must be one statement",
    ["DELETE FROM t; nonsense"] = "must be one statement",
    ["DELETE FROM t; /* a */ ; SELECT 1"] = "must be one statement",
    ["DELETE FROM t\0"] = "must not have zero bytes",
    ["DELETE FORM t"] = 'near "FORM": syntax error',
    ["DELETE FROM nowhere"] = "no such table: nowhere",
    ['DELETE FROM t WHERE a = "text"'] = "no such column: text",
    ["SELECT 1 AS a, 2 AS a"] = "two columns have the name a; use AS",
    ["SELECT 1 AS a UNION SELECT 2"] = "the statement returns more than one row: use rows()",
    ["ATTACH '/tmp/x' AS x"] = "too many attached databases - max 0",
    ["SELECT load_extension('x')"] = "not authorized",
    ["PRAGMA writable_schema = 1; -- is ignored\nSELECT 1"] = "must be one statement",
    ["DELETE FROM sqlite_schema"] = "table sqlite_master may not be modified",
    ["COMMIT"] = "a statement has ended the transaction",
    ["ROLLBACK"] = "a statement has ended the transaction",
    ["BEGIN"] = "cannot start a transaction within a transaction",
  } do
    it("is refused, at the caller's line: " .. text:gsub("%c", " "), function()
      raises(function()
        db:transaction(function(tx)
          tx:row(text)
        end)
      end, message)
      assert.equal(0, database.count(db))
    end)
  end

  it("may end with a semicolon, blanks and comments", function()
    assert.equal(0, database.run(db, "DELETE FROM t ; -- all\n /* of it */ ;; "))
  end)

  it("is refused if it returns rows where none are read", function()
    assert.truthy(raised_by(database.run, db, "SELECT 1")
      :find("the statement returns rows: use row() or rows()", 1, true))
    assert.truthy(raised_by(database.run, db, 7):find "string expected")
    assert.truthy(raised_by(database.run, db):find "string expected")
  end)

  it("is refused outside of a transaction", function()
    local kept, iterator
    assert(db:transaction(function(tx)
      kept = tx
      tx:run "INSERT INTO t VALUES (1, 1), (2, 2)"
      iterator = tx:rows "SELECT * FROM t"
      assert.same({ a = 1, b = 1 }, iterator())
    end))
    for _, call in ipairs { kept.run, kept.row, kept.rows } do
      assert.truthy(raised_by(call, kept, "SELECT 1")
        :find("statements run in the function of transaction() or read()", 1, true))
    end
    assert.truthy(raised_by(iterator):find("statements run in the function", 1, true))
    db:read(function(tx)
      assert.truthy(raised_by(iterator):find("these rows are over", 1, true))
      for _ in tx:rows "SELECT * FROM t" do
        assert.truthy(raised_by(iterator):find("these rows are over", 1, true))
      end
    end)
  end)

  it("is refused in read() if it writes, although it was compiled to write before", function()
    database.run(db, "DELETE FROM t")
    raises(function()
      db:read(function(tx)
        tx:run "DELETE FROM t"
      end)
    end, "read() takes statements that only read")
  end)
end)
