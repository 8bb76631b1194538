--- Opening and closing of databases by pcapi.sqlite; files that are refused.
local core = require "pcapi.core"
local database = require "spec.support.database"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local private_folder = require "spec.support.private_folder"
local raises = require "spec.support.raises"
local sqlite = require "pcapi.sqlite"

local mode, names, path, sh = private_folder.mode, private_folder.names, private_folder.path,
  private_folder.sh

local directory

before_each(function()
  directory = private_folder.new()
end)

after_each(database.remove)

-- The open files of this process.
local function open_files()
  return sh "ls -l /proc/$PPID/fd"
end

-- Opens and asserts the kind and the remedy of the failure. Returns the message without the path.
local function refused(kind, remedy, file, changes)
  local db, message, actual_kind, actual_remedy = database.open(file, changes)
  assert.is_nil(db)
  assert.same({ kind, remedy }, { actual_kind, actual_remedy }, message)
  return (message:gsub(directory:gsub("%p", "%%%0"), "DIR"))
end

describe("a new database", function()
  it("is a private file in a private folder, both made", function()
    local db = assert(database.open(path "a/b/db"))
    assert.equal("700 700 600", table.concat(
      { mode(path "a"), mode(path "a/b"), mode(path "a/b/db") }, " "))
    database.run(db, "CREATE TABLE t (a)")
    assert.equal("600 600", mode(path "a/b/db-wal") .. " " .. mode(path "a/b/db-shm"))
  end)

  it("has these modes whatever the umask is", function()
    local made = database.script "db:transaction(function(tx) tx:run 'CREATE TABLE t (a)' end)"
    sh("umask 0; %s", made)
    assert.equal("600", mode(path "db"))
  end)

  it("has our application id, and is a single file after it is closed", function()
    local db = assert(database.open())
    assert.equal(database.ID, database.row(db, "PRAGMA application_id").application_id)
    database.run(db, "CREATE TABLE t (a)")
    db:close()
    assert.equal("db", names())
    assert.equal("PCAP", files.slurp(path "db"):sub(69, 72)) -- sqlite.org/fileformat2.html, 1.3.12
  end)

  it("is not made if the caller does not want that", function()
    assert.equal("DIR/db does not exist", refused("absent", nil, nil, { create = false }))
    assert.equal("DIR/no/db does not exist",
      refused("absent", nil, path "no/db", { create = false }))
    assert.equal("", names())
    assert(database.open()):close()
    assert(database.open(nil, { create = false }))
  end)

  it("may be an empty file that was made before, as by a process that was killed", function()
    folder.write(path "db", "")
    sh("chmod 600 '%s'", path "db")
    local db = assert(database.open())
    assert.equal(database.ID, database.row(db, "PRAGMA application_id").application_id)
  end)

  it("may be made by many processes at once", function()
    local made = database.script [[
      assert(db:transaction(function(tx)
        tx:run "CREATE TABLE IF NOT EXISTS t (a)"
        tx:run "INSERT INTO t VALUES (1)"
      end))]]
    assert.equal("", sh(("%s & "):rep(8) .. "wait", made, made, made, made, made, made, made, made))
    assert.equal(8, database.count(assert(database.open())))
  end)

  it("may have a relative path, one like a URI, and one below a link", function()
    local code = [[
      local sqlite = require "pcapi.sqlite"
      local options = { application_id = 1, busy_timeout = 1, create = true }
      local paths = { "rel", "file:x?mode=memory", "sub/db", "./link/in/db" }
      for _, path in ipairs(paths) do
        local db = assert(sqlite.open(path, options))
        assert(db:transaction(function(tx) tx:run "CREATE TABLE t (a)" end))
        db:close()
      end
      for _, path in ipairs(paths) do
        assert(sqlite.open(path, { application_id = 1, busy_timeout = 1 })):close()
      end]]
    local script = folder.write(files.temporary(), code)
    assert.equal("", sh("cd '%s'; mkdir real; ln -s real link; mkdir -m 700 real/in; %s %s",
      directory, os.getenv "LUA" or "lua5.4", script))
    os.remove(script)
    assert.equal("file:x?mode=memory\nlink\nreal\nrel\nsub", names())
  end)

  it("keeps the settings that it needs", function()
    local db = assert(database.open())
    local function pragma(name)
      return assert(db:transaction(function(tx)
        return (tx:row("PRAGMA " .. name) or {})[name]
      end))
    end
    assert.equal("wal", pragma "journal_mode")
    assert.equal(2, pragma "synchronous") -- FULL
    assert.equal(1, pragma "foreign_keys")
    assert.equal(0, pragma "trusted_schema")
    assert.equal(1, pragma "secure_delete")
    assert.equal(2, pragma "temp_store") -- MEMORY
    assert.equal(0, pragma "mmap_size")
  end)
end)

describe("a file", function()
  local TO_OWN = "Set {history} to a directory of your own"

  it("is refused if another user can read it, or its folder", function()
    assert(database.open()):close()
    sh("chmod 640 '%s'", path "db")
    assert.equal("DIR/db is open to other users (mode 0640)", refused("file", "Run: chmod 600 "
      .. path "db"))
    sh("chmod 600 '%s'; chmod 755 '%s'", path "db", directory)
    assert.equal("DIR is open to other users (mode 0755)", refused("file", "Run: chmod 700 "
      .. directory))
    for _, shared in ipairs { "/tmp", "/etc", "/proc", "/" } do
      local place = shared:gsub("/$", "") .. "/pcapi-no.sqlite"
      assert.truthy(refused("file", TO_OWN, place):find "is shared by all users")
    end
  end)

  it("is refused if it is a link, or in a folder that is one", function()
    sh("ln -s other '%s'", path "db")
    assert.equal("DIR/db is a symbolic link, which is not followed", refused("file", "Remove "
      .. path "db"))
    sh("mkdir -m 700 '%s'; ln -s real '%s'", path "real", path "link")
    assert.equal("DIR/link is a symbolic link, which is not followed",
      refused("file", "Set {history} to the directory that it leads to", path "link/db"))
    sh("mkfifo -m 600 '%s'; mkdir -m 700 '%s'", path "fifo", path "folder")
    refused("file", "Remove " .. path "fifo", path "fifo")
    refused("file", "Remove " .. path "folder", path "folder")
  end)

  it("is refused if its path is too long for SQLite", function()
    local long = path(("x"):rep(200) .. "/" .. ("y"):rep(200) .. "/" .. ("z"):rep(200) .. "/db")
    assert.truthy(refused("file", "Set {history} to a shorter path", long)
      :find "has a path that is too long for SQLite$")
  end)

  for what, text in pairs {
    ["is a text"] = "who is this?\n",
    ["is a long text"] = ("who is this?\n"):rep(1000),
    ["is cut within its header"] = "SQLite format 3\0",
  } do
    it("is refused and left as it is if it " .. what, function()
      folder.write(path "db", text)
      sh("chmod 600 '%s'", path "db")
      assert.equal("DIR/db is not an SQLite database", refused("foreign",
        "Move it away, or set {history} to another file"))
      assert.equal(text, files.slurp(path "db"))
      assert.equal("db", names())
    end)
  end

  it("is refused and left as it is if it is a database of another program", function()
    local other = assert(database.open(nil, { application_id = 7 }))
    database.run(other, "CREATE TABLE t (a)")
    for _, id in ipairs { 7, 0 } do
      database.run(other, "PRAGMA application_id = " .. id)
      other:close()
      sh("sqlite3 '%s' 'PRAGMA journal_mode = DELETE' >/dev/null", path "db")
      local before = files.slurp(path "db")
      assert.equal("DIR/db is a database of another program", refused("foreign",
        "Move it away, or set {history} to another file"))
      assert.is_true(before == files.slurp(path "db"))
      assert.equal("db", names())
      other = database.open(nil, { application_id = 7 })
    end
  end)

  it("is refused if it is damaged", function()
    local db = assert(database.open())
    assert(db:transaction(function(tx)
      tx:run "CREATE TABLE t (a)"
      for i = 1, 1000 do
        tx:run("INSERT INTO t VALUES (?)", ("row %d"):format(i))
      end
    end))
    db:close()
    local file = io.open(path "db", "r+b")
    file:seek("set", 4096)
    file:write(("\255"):rep(8192))
    file:close()
    db = assert(database.open())
    local value, message, kind, remedy = db:check()
    assert.is_nil(value)
    assert.equal("corrupt", kind)
    assert.equal("Restore a backup, or move it away to begin a new one", remedy)
    assert.equal(1, message:find(path "db" .. " is damaged", 1, true))
    assert.is_nil(message:find "\n")
    assert.equal("corrupt", select(3, database.row(db, "SELECT sum(length(a)) FROM t")))
    assert.equal("corrupt", select(3, database.run(db, "DELETE FROM t")))
    assert.equal("corrupt", select(3, db:backup(path "copy")))
    assert.equal("db\ndb-shm\ndb-wal", names())
  end)
end)

describe("an argument of open()", function()
  local OPTIONS = { application_id = 1, busy_timeout = 1 }

  for _, wrong in ipairs { "", "/", "a/", "..", "a\0b", "a/.x.lock", ("x"):rep(250), 7, false } do
    it(("raises an error as a path: %q"):format(tostring(wrong):sub(1, 20)), function()
      raises(function()
        sqlite.open(wrong == 7 and {} or wrong, OPTIONS)
      end, "bad argument #1 to")
    end)
  end

  it("raises an error as an option that is missing or out of range", function()
    raises(function()
      sqlite.open(path "db")
    end, "table expected")
    for name, values in pairs { application_id = { 0, -1, 2 ^ 31, "1" },
                                busy_timeout = { -1, 601, 0 / 0, "1" } } do
      for i = 1, #values + 1 do
        raises(function()
          local options = { application_id = 1, busy_timeout = 1, create = true }
          options[name] = values[i]
          sqlite.open(path "db", options)
        end, "option " .. name .. " is missing or out of range")
      end
    end
    assert.equal("", names())
  end)
end)

describe("a connection", function()
  it("is closed once, in any way, and closes the file", function()
    for _, close in ipairs {
      function(db) db:close() end,
      function(db) getmetatable(db).__close(db) end,
      function(db) getmetatable(db).__gc(db) end,
    } do
      local db = assert(database.open())
      database.run(db, "CREATE TABLE IF NOT EXISTS t (a)")
      database.count(db)
      assert.equal("pcapi.sqlite (" .. path "db" .. ")", tostring(db))
      assert.truthy(open_files():find(path "db", 1, true))
      close(db)
      close(db)
      db:close()
      assert.equal("pcapi.sqlite (closed)", tostring(db))
      assert.is_nil(open_files():find(path "db", 1, true))
      for _, method in ipairs { "transaction", "read", "run", "row", "rows", "check", "checkpoint",
                                "backup" } do
        raises(function()
          db[method](db, "SELECT 1")
        end, "connection is closed")
      end
    end
  end)

  it("is closed by the garbage collector, with its statements, in any order", function()
    for _ = 1, 20 do
      local db = sqlite.open(path "db", { application_id = 1, busy_timeout = 1, create = true })
      local stale
      db:transaction(function(tx)
        tx:run "CREATE TABLE IF NOT EXISTS t (a)"
        tx:run "INSERT INTO t VALUES (1)"
        stale = { tx:rows "SELECT * FROM t", tx:rows "SELECT * FROM t" }
        stale[1]()
      end)
      stale[3] = stale -- a cycle
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(open_files():find(path "db", 1, true))
  end)

  it("lives as long as an iterator over its rows", function()
    database.run(assert(database.open()), "CREATE TABLE t (a)")
    local iterator
    do
      local db = sqlite.open(path "db", { application_id = database.ID, busy_timeout = 1 })
      db:read(function(tx)
        iterator = tx:rows "SELECT * FROM t"
      end)
    end
    collectgarbage()
    collectgarbage()
    assert.is_false(pcall(iterator))
    iterator = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
  end)

  it("leaves no erased text in any file after a checkpoint", function()
    local db = assert(database.open())
    local function holds(text)
      return sh("cat '%s'* | grep -c %s", path "db", text) ~= "0"
    end
    assert(db:transaction(function(tx)
      tx:run "CREATE TABLE t (a)"
      tx:run("INSERT INTO t VALUES (?)", "kim-fabrikam")
      tx:run("INSERT INTO t VALUES (?)", "lee-fabrikam")
    end))
    assert.is_true(db:checkpoint())
    database.run(db, "DELETE FROM t WHERE a = ?", "kim-fabrikam")
    assert.is_true(holds "kim-fabrikam")
    assert.is_true(db:checkpoint())
    assert.is_false(holds "kim-fabrikam")
    assert.is_true(holds "lee-fabrikam")
  end)

  it("says that a checkpoint is not possible while another connection reads", function()
    local db, other = assert(database.open()), assert(database.open())
    database.run(db, "CREATE TABLE t (a)")
    other:read(function(tx)
      tx:row "SELECT count(*) AS n FROM t"
      database.run(db, "INSERT INTO t VALUES (1)")
      local before = core.now()
      assert.equal("busy", select(3, db:checkpoint()))
      assert.is_true(core.now() - before < 5)
    end)
    assert.is_true(db:checkpoint())
  end)
end)
