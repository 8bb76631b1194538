--- Failures of the system under a database of pcapi.sqlite, and copies of it.
local database = require "spec.support.database"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local private_folder = require "spec.support.private_folder"
local raises = require "spec.support.raises"

local names, path, sh = private_folder.names, private_folder.path, private_folder.sh

local INSERT = "INSERT INTO t VALUES (?, 1)"

local db

before_each(function()
  db = database.new()
end)

after_each(database.remove)

-- Prints what a transaction returns that writes a megabyte.
local WRITE = [[
  local value, message, kind, remedy = db:transaction(function(tx)
    for i = 1, 1000 do
      tx:run("INSERT INTO t VALUES (?, ?)", i, ("x"):rep(1000))
    end
  end)
  print(value, kind, message, remedy)]]

describe("a full disk", function()
  it("fails the transaction as a whole, and the next one succeeds when there is space", function()
    database.run(db, INSERT, 1)
    assert(db:transaction(function(tx)
      tx:row "PRAGMA max_page_count = 10"
    end))
    local value, message, kind, remedy = db:transaction(function(tx)
      for i = 1, 1000 do
        tx:run("INSERT INTO t VALUES (?, ?)", i, ("x"):rep(1000))
      end
    end)
    assert.is_nil(value)
    assert.equal(path "db" .. " has no space to grow", message)
    assert.equal("full", kind)
    assert.equal("Free space on that disk", remedy)
    assert.equal(1, database.count(db))
    assert(db:transaction(function(tx)
      tx:row "PRAGMA max_page_count = 100000"
    end))
    assert.equal(1, database.run(db, INSERT, 2))
    assert.is_true(db:check())
  end)

  it("is a limit on file sizes as well", function()
    db:close()
    assert.equal("nil\tfull\t" .. path "db" .. " could not be used: File too large"
      .. "\tRaise the limit on file sizes (ulimit -f)",
      sh("trap '' XFSZ; ulimit -f 200; %s", database.script(WRITE)))
    db = assert(database.open())
    assert.equal(0, database.count(db))
    assert.is_true(db:check())
  end)

  it("is a real one in a small tmpfs", function()
    local small = path "small"
    if sh("mkdir '%s'; mount -t tmpfs -o size=400k,mode=700 none '%s' && echo yes", small, small)
      ~= "yes" then
      return pending "needs the right to mount"
    end
    local ok, err = pcall(function()
      local full = assert(database.open(path "small/db"))
      assert.equal(0, database.run(full, "CREATE TABLE t (a, b)"))
      for _ = 1, 3 do
        assert.equal("full", select(3, full:transaction(function(tx)
          for i = 1, 1000 do
            tx:run("INSERT INTO t VALUES (?, ?)", i, ("x"):rep(1000))
          end
        end)))
      end
      assert.equal(0, database.count(full))
      assert.is_true(full:check())
      full:close()
      assert.equal(1, database.run(db, "INSERT INTO t VALUES (1, ?)", ("x"):rep(1e6)))
      local value, message, kind = db:backup(path "small/copy")
      assert.same({ nil, path "small/copy" .. " has no space to grow", "full" },
        { value, message, kind })
      assert.equal("", sh("ls -A '%s' | grep copy", small))
      -- what the log has could not be moved into the file, and is not lost
      assert.equal(0, database.count(assert(database.open(path "small/db"))))
    end)
    sh("umount -l '%s'", small)
    assert(ok, err)
  end)
end)

describe("a folder without the right to write", function()
  -- Root may write everywhere, so it gives this right up.
  local AS_USER = sh "id -u" == "0" and "setpriv --bounding-set=-dac_override,-dac_read_search "
    or ""

  -- Prints what open() returns without the right.
  local function try_to_open()
    db:close()
    local script = folder.write(files.temporary(), ([[print(select(2,
      require("pcapi.sqlite").open(%q, { application_id = 1, busy_timeout = 1 })))]])
      :format(path "db"))
    local said = sh("%s%s '%s'", AS_USER, os.getenv "LUA" or "lua5.4", script)
    os.remove(script)
    return said
  end

  local REMEDY = "\tGive this user the right to write to the file and its directory, or set "
    .. "{history} to a path where it has that right"

  it("is a failure of kind readonly", function()
    sh("chmod 500 '%s'", path "")
    local said = try_to_open()
    sh("chmod 700 '%s'", path "")
    assert.equal(path "db" .. " cannot be written by this user\treadonly" .. REMEDY, said)
  end)

  it("is a failure of kind readonly if only the file is read-only", function()
    sh("chmod 400 '%s'", path "db")
    assert.equal(path "db" .. " cannot be written by this user\treadonly" .. REMEDY,
      try_to_open())
  end)
end)

describe("a damaged file", function()
  -- A small generator of our own: each run damages the same bytes, on each Lua.
  local function random_of(seed)
    return function(most)
      seed = (seed * 16807) % 2147483647
      return seed % most
    end
  end

  it("is a failure of some kind wherever it is damaged, or is read as it is", function()
    assert(db:transaction(function(tx)
      tx:run "CREATE INDEX t_a ON t (a)"
      for i = 1, 300 do
        tx:run("INSERT INTO t VALUES (?, ?)", i, ("x"):rep(i))
      end
    end))
    db:close()
    local whole, kinds = files.slurp(path "db"), {}
    for seed = 1, 100 do
      local random = random_of(seed)
      local file = io.open(path "db", "wb")
      file:write(whole)
      for _ = 1, 1 + random(5) do
        file:seek("set", random(({ 100, 4096, #whole })[1 + seed % 3]))
        file:write(string.char(random(256)))
      end
      file:close()
      local damaged, _, kind = database.open()
      kinds[kind or "opened"] = true
      if damaged then
        for _, step in ipairs {
          function() return damaged:check() end,
          function() return database.row(damaged, "SELECT sum(length(b)) AS n FROM t") end,
          function() return database.run(damaged, "UPDATE t SET b = 'y' WHERE a % 7 = 0") end,
        } do
          local ok, value, _, why = pcall(step)
          kinds[ok and (value and "worked" or why or "no row") or "raised"] = true
        end
        damaged:close()
      end
    end
    assert.is_true(kinds.corrupt and kinds.foreign and kinds.worked)
    -- "readonly": a newer format, by its header
    for _, known in ipairs { "corrupt", "foreign", "io", "readonly", "opened", "worked" } do
      kinds[known] = nil
    end
    assert.is_nil(next(kinds))
  end)
end)

describe("a database that was removed while it was open", function()
  it("fails instead of writing to nowhere", function()
    sh("rm '%s'", path "db")
    local value, message, kind = database.run(db, INSERT, 1)
    assert.is_nil(value, message)
    assert.equal("io", kind)
    assert.truthy(message:find("was moved or removed while it was in use", 1, true), message)
  end)
end)

describe("a copy", function()
  it("is one complete, private file", function()
    database.run(db, "PRAGMA user_version = 3")
    database.run(db, INSERT, "kim")
    assert.is_true(db:backup(path "copy"))
    assert.equal("600", private_folder.mode(path "copy"))
    local copy = assert(database.open(path "copy", { create = false }))
    assert.same({ a = "kim", b = 1 }, database.row(copy, "SELECT * FROM t"))
    assert.equal(3, database.row(copy, "PRAGMA user_version").user_version)
    assert.is_true(copy:check())
    copy:close()
    assert.equal("copy\ndb\ndb-shm\ndb-wal", names())
  end)

  it("has what was stored when it began, while others write", function()
    local other = assert(database.open())
    database.run(db, INSERT, 1)
    assert(other:transaction(function(tx)
      tx:run(INSERT, 2)
      assert.is_true(db:backup(path "copy"))
    end))
    assert.equal(1, database.count(assert(database.open(path "copy"))))
  end)

  it("has no text that was erased", function()
    database.run(db, INSERT, "kim-fabrikam")
    database.run(db, "DELETE FROM t")
    assert.is_true(db:backup(path "copy"))
    assert.equal("0", sh("grep -c kim-fabrikam '%s'", path "copy"))
  end)

  it("never replaces a file, not even a link to nowhere", function()
    folder.write(path "copy", "mine")
    sh("ln -s nowhere '%s'", path "link")
    for _, name in ipairs { "copy", "link", "db" } do
      assert.same({ nil, path(name) .. " exists already", "file",
        "Choose a new name, or remove that file" }, { db:backup(path(name)) })
    end
    assert.equal("mine", files.slurp(path "copy"))
    assert.equal("copy\ndb\ndb-shm\ndb-wal\nlink", names())
  end)

  it("is refused where another user could replace it, or where there is no folder", function()
    sh("mkdir '%s'; chmod 775 '%s'", path "shared", path "shared")
    assert.same({ nil, "other users can write to " .. path "shared" .. " (mode 0775)", "file",
      "Choose a directory that no other user can write to" }, { db:backup(path "shared/copy") })
    sh("chmod 755 '%s'", path "shared")
    assert.is_true(db:backup(path "shared/copy"))
    assert.same({ nil, path "no" .. " could not be opened: No such file or directory", "file",
      "Choose another path for the copy" }, { db:backup(path "no/copy") })
  end)

  it("replaces what a killed process has left", function()
    folder.write(path ".copy.new", "half")
    assert.is_true(db:backup(path "copy"))
    assert.equal("copy\ndb\ndb-shm\ndb-wal", names())
  end)

  it("leaves nothing if it is killed, but what the next one removes", function()
    assert(db:transaction(function(tx)
      for i = 1, 20000 do
        tx:run("INSERT INTO t VALUES (?, ?)", i, ("x"):rep(500))
      end
    end))
    local script = database.script [[io.open(path "started", "w"):close() db:backup(path "copy")]]
    for i = 0, 4 do
      sh("rm -f '%s' '%s'", path "started", path "copy")
      sh("%s & while [ ! -e '%s' ]; do sleep 0.01; done; sleep 0.0%d; kill -9 $!; wait $!", script,
        path "started", 2 * i)
      local exists = files.exists(path "copy")
      assert.is_true(exists or names():find("copy\n", 1, true) == nil
        or names():find(".copy.new", 1, true) ~= nil)
      if exists then
        local copy = assert(database.open(path "copy"))
        assert.equal(20000, database.count(copy))
        copy:close()
      end
    end
    sh("rm -f '%s'", path "copy")
    assert.is_true(db:backup(path "copy"))
    assert.equal("copy\ndb\ndb-shm\ndb-wal\nstarted", names())
  end)

  it("is refused if its path is too long for SQLite", function()
    local long = path(("x"):rep(200) .. "/" .. ("y"):rep(200) .. "/" .. ("z"):rep(200))
    sh("mkdir -m 700 -p '%s'", long)
    assert.same({ nil, long .. "/copy has a path that is too long for SQLite", "file",
      "Choose another path for the copy" }, { db:backup(long .. "/copy") })
    assert.equal("", sh("ls -A '%s'", long))
  end)

  it("has the path of a file", function()
    raises(function()
      db:backup "a/"
    end, "must be the path of a file")
  end)
end)
