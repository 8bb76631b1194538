--- Transactions of pcapi.sqlite: what is stored, what is rolled back, what is raised.
local core = require "pcapi.core"
local database = require "spec.support.database"
local files = require "spec.support.files"
local private_folder = require "spec.support.private_folder"
local raised_by = require "spec.support.raised_by"
local raises = require "spec.support.raises"

local INSERT = "INSERT INTO t VALUES (?, 1)"

local db

before_each(function()
  db = database.new()
end)

after_each(database.remove)

describe("a transaction", function()
  it("passes its arguments on, and returns what its function returns", function()
    local function echo(tx, ...)
      assert.equal(db, tx)
      return ...
    end
    assert.same({ 1, "x", false, n = 5 }, (function(...)
      return { n = select("#", ...), ... }
    end)(db:transaction(echo, 1, "x", false, nil, nil)))
    assert.is_true(db:transaction(echo))
    assert.is_true(db:read(echo))
    assert.equal(7, db:read(echo, 7))
    assert.is_false(db:transaction(echo, false))
  end)

  it("stores all that its function wrote", function()
    assert.equal("done", db:transaction(function(tx)
      for i = 1, 100 do
        tx:run(INSERT, i)
      end
      return "done"
    end))
    assert.equal(100, database.count(assert(database.open())))
  end)

  it("stores nothing if its function returns nil and an error", function()
    local err = {}
    local value, same = db:transaction(function(tx)
      tx:run(INSERT, 1)
      return nil, err
    end)
    assert.is_nil(value)
    assert.equal(err, same)
    assert.equal(0, database.count(db))
  end)

  it("stores nothing if its function raises an error, which goes on", function()
    local err = setmetatable({}, { __tostring = function() return "own" end })
    for _, raised in ipairs { err, "text", false } do
      local ok, same = pcall(db.transaction, db, function(tx)
        tx:run(INSERT, 1)
        error(raised, 0)
      end)
      assert.is_false(ok)
      assert.equal(raised, same)
    end
    assert.equal(0, database.count(db))
    assert.equal(1, database.run(db, INSERT, 1))
  end)

  it("stores the rest if its function catches a mistake of its own", function()
    assert(db:transaction(function(tx)
      tx:run(INSERT, 1)
      assert.is_false(pcall(tx.run, tx, INSERT, "\255"))
      tx:run(INSERT, 2)
    end))
    assert.equal(2, database.count(db))
  end)

  it("fails as a whole if one of its statements failed, even if its function goes on", function()
    database.run(db, "CREATE UNIQUE INDEX one ON t (a)")
    local later
    local value, message, kind, remedy = db:transaction(function(tx)
      tx:run(INSERT, 1)
      assert.is_false(pcall(tx.run, tx, INSERT, 1))
      later = raised_by(tx.run, tx, INSERT, 2)
      return "done"
    end)
    assert.is_nil(value)
    assert.equal(private_folder.path "db" .. " refuses a row: UNIQUE constraint failed: t.a",
      message)
    assert.equal("constraint", kind)
    assert.is_nil(remedy)
    assert.truthy(later:find(message, 1, true))
    assert.equal(0, database.count(db))
  end)

  it("names the first failure, not an error that it caused", function()
    database.run(db, "CREATE UNIQUE INDEX one ON t (a)")
    local _, message = db:transaction(function(tx)
      tx:run(INSERT, 1)
      pcall(tx.run, tx, INSERT, 1)
      error "another error"
    end)
    assert.truthy(message:find("UNIQUE constraint failed: t.a", 1, true))
  end)

  it("names no value that was bound", function()
    assert(db:transaction(function(tx)
      tx:run "CREATE TABLE strict (n INTEGER NOT NULL CHECK (n > 0), u TEXT UNIQUE) STRICT"
      tx:run "INSERT INTO strict VALUES (1, 'secret')"
    end))
    for _, values in ipairs { { "secret", "x" }, { nil, "secret" }, { -1, "secret" },
                              { 2, "secret" } } do
      local _, message, kind = database.run(db, "INSERT INTO strict VALUES (?, ?)", values[1],
        values[2])
      assert.equal("constraint", kind)
      assert.is_nil(message:find "secret")
    end
  end)

  it("checks foreign keys", function()
    assert(db:transaction(function(tx)
      tx:run "CREATE TABLE parent (id INTEGER PRIMARY KEY)"
      tx:run "CREATE TABLE child (parent INTEGER REFERENCES parent ON DELETE CASCADE)"
      tx:run "INSERT INTO parent VALUES (1)"
      tx:run "INSERT INTO child VALUES (1)"
    end))
    assert.equal("constraint", select(3, database.run(db, "INSERT INTO child VALUES (2)")))
    assert.equal(1, database.run(db, "DELETE FROM parent"))
    assert.is_nil(database.row(db, "SELECT * FROM child"))
  end)

  it("fails at its end if a deferred foreign key is not satisfied", function()
    assert(db:transaction(function(tx)
      tx:run "CREATE TABLE parent (id INTEGER PRIMARY KEY)"
      tx:run [[CREATE TABLE child (parent INTEGER REFERENCES parent
        DEFERRABLE INITIALLY DEFERRED)]]
    end))
    local value, message, kind = database.run(db, "INSERT INTO child VALUES (2)")
    assert.is_nil(value)
    assert.truthy(message:find("FOREIGN KEY constraint failed", 1, true))
    assert.equal("constraint", kind)
    assert.is_nil(database.row(db, "SELECT * FROM child"))
  end)

  it("can create and change tables, and set the version of the schema", function()
    assert.is_nil((db:transaction(function(tx)
      tx:run "CREATE TABLE new (x)"
      tx:run "PRAGMA user_version = 5"
      return nil, "no"
    end)))
    assert.equal(0, database.row(db, "PRAGMA user_version").user_version)
    assert(db:transaction(function(tx)
      tx:run "CREATE TABLE new (x)"
      tx:run "PRAGMA user_version = 5"
    end))
    assert.equal(5, database.row(db, "PRAGMA user_version").user_version)
  end)

  it("cannot be nested, and its connection not be closed, checked or copied in it", function()
    for _, method in ipairs { "transaction", "read", "close", "check", "checkpoint", "backup" } do
      for _, outer in ipairs { "transaction", "read" } do
        raises(function()
          db[outer](db, function()
            db[method](db, function() end)
          end)
        end, "not possible in a transaction")
      end
    end
    assert.equal(1, database.run(db, INSERT, 1))
  end)

  it("cannot be left by a yield, since other tasks would write in it", function()
    local task = coroutine.wrap(function()
      return pcall(db.transaction, db, function(tx)
        tx:run(INSERT, 1)
        coroutine.yield()
      end)
    end)
    local ok, message = task()
    assert.is_false(ok)
    assert.truthy(message:find "attempt to yield")
    assert.equal(0, database.count(db))
  end)

  it("works in a coroutine", function()
    coroutine.wrap(function()
      assert.equal(1, database.run(db, INSERT, 1))
    end)()
    assert.equal(1, database.count(db))
  end)

  it("needs a function", function()
    raises(function()
      db:transaction(1)
    end, "function expected")
  end)

  it("has a changed row in read() only when it is stored", function()
    local other = assert(database.open())
    assert(db:transaction(function(tx)
      tx:run(INSERT, 1)
      assert.equal(0, database.count(other))
    end))
    assert(other:read(function(tx)
      assert.equal(1, tx:row("SELECT count(*) AS n FROM t").n)
      assert.equal(1, database.run(db, INSERT, 2))
      assert.equal(1, tx:row("SELECT count(*) AS n FROM t").n)
    end))
    assert.equal(2, database.count(other))
  end)
end)

describe("a lock of another connection", function()
  it("is waited for, at most for the busy timeout", function()
    local other = assert(database.open(nil, { busy_timeout = 0.2 }))
    assert(db:transaction(function()
      local before = core.now()
      local value, message, kind, remedy = database.run(other, INSERT, 1)
      local waited = core.now() - before
      assert.is_nil(value)
      assert.equal(private_folder.path "db" .. " is locked by another process", message)
      assert.equal("busy", kind)
      assert.equal("Try again when the other process has ended", remedy)
      assert.is_true(waited >= 0.2 and waited < 5, waited)
    end))
    assert.equal(1, database.run(other, INSERT, 1))
  end)

  it("is waited for until another process releases it", function()
    local holder = database.script [[
      assert(db:transaction(function(tx)
        tx:run "INSERT INTO t VALUES ('theirs', 1)"
        io.open(path "held", "w"):close()
        core.sleep(0.5)
      end))]]
    local pipe = io.popen(holder)
    database.wait_for "held"
    local patient = assert(database.open(nil, { busy_timeout = 30 }))
    assert.equal(2, patient:transaction(function(tx)
      tx:run(INSERT, "ours")
      return tx:row("SELECT count(*) AS n FROM t").n
    end))
    pipe:close()
  end)

  it("is waited for by each of several processes, and nothing is lost", function()
    local writer = database.script [[
      for i = 1, 25 do
        assert(db:transaction(function(tx)
          local n = tx:row("SELECT count(*) AS n FROM t").n
          tx:run("INSERT INTO t VALUES (?, ?)", n, n)
        end))
      end]]
    local said = private_folder.sh("%s & %s & %s & %s & wait", writer, writer, writer, writer)
    assert.equal("", said)
    assert.same({ n = 100, distinct_n = 100 }, database.row(db,
      "SELECT count(*) AS n, count(DISTINCT a) AS distinct_n FROM t"))
  end)

  it("does not keep Ctrl-C waiting", function()
    local waiter = database.script [[
      io.open(path "waits", "w"):close()
      db:transaction(function() end)]]
    assert(db:transaction(function()
      local pipe = io.popen("echo $$; exec " .. waiter .. " 2>&1")
      local pid = pipe:read "*l"
      database.wait_for "waits"
      core.sleep(0.1)
      local before = core.now()
      os.execute("kill -INT " .. pid)
      assert.truthy(pipe:read "*a":find "interrupted!")
      pipe:close()
      assert.is_true(core.now() - before < 5)
    end))
  end)
end)

describe("a killed process", function()
  -- Kills the process after a while. Returns the lines that it printed.
  local function killed(script, seconds)
    local out = files.temporary()
    private_folder.sh("%s >%s & sleep %s; kill -9 $!; wait $!", script, out, seconds)
    local lines = files.lines_of("cat " .. out)
    os.remove(out)
    return lines
  end

  it("loses no transaction that has ended, and leaves no half of one", function()
    local writer = database.script [[
      for i = 1, 1e6 do
        assert(db:transaction(function(tx)
          for j = 1, 10 do
            tx:run("INSERT INTO t VALUES (?, ?)", i, j)
          end
        end))
        print(i)
      end]]
    db:close()
    for round = 1, 5 do
      private_folder.sh("rm -f '%s'*", private_folder.path "db")
      local made = assert(database.open())
      assert(database.run(made, "CREATE TABLE t (a, b)"))
      made:close()
      local printed = #killed(writer, 0.2 + round * 0.07)
      local after = assert(database.open())
      assert.is_true(after:check())
      local n = database.count(after)
      assert.is_true(n == 10 * printed or n == 10 * (printed + 1), n .. " of " .. printed)
      after:close()
    end
  end)

  it("releases its lock, and what it had not stored is gone", function()
    local writer = database.script [[
      db:transaction(function(tx)
        for i = 1, 1e5 do
          tx:run("INSERT INTO t VALUES (?, 'theirs')", i)
        end
        io.open(path "held", "w"):close()
        core.sleep(60)
      end)]]
    local pipe = io.popen(writer .. " & echo $!")
    local pid = pipe:read "*l"
    database.wait_for "held"
    assert.equal("busy", select(3, database.run(db, INSERT, 1)))
    os.execute("kill -9 " .. pid)
    pipe:close()
    local patient = assert(database.open(nil, { busy_timeout = 30 }))
    assert.equal(1, database.run(patient, INSERT, 1))
    assert.equal(1, database.count(db))
    assert.is_true(db:check())
  end)
end)
