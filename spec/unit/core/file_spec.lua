--- Private files and their locks, in folders of /tmp. Where the system refuses in ways
-- that no folder can be brought to, spec/c/file_test.c goes on.
local core = require "pcapi.core"
local files = require "spec.support.files"
local folder = require "spec.support.folder"

local LUA = os.getenv "LUA" or "lua5.4"
local MIB = 1024 * 1024

local directory

local function sh(command, ...)
  return table.concat(files.lines_of(command:format(...) .. " 2>&1"), "\n")
end

local IS_ROOT = sh "id -u" == "0"

local function path(name)
  return directory .. "/" .. name
end

local function mode(name)
  return sh("stat -c %%a '%s'", name)
end

local function names()
  return sh("ls -A '%s'", directory)
end

-- What a process of its own prints that runs this Lua code; `before` stands in front
-- of the interpreter, as in `umask 0;`
local function other_process(code, before)
  local script = folder.write(files.temporary(),
    ("local core, directory = require 'pcapi.core', %q\n%s"):format(directory, code))
  local said = sh("chmod 644 %s; %s %s %s", script, before or "", LUA, script)
  os.remove(script)
  return said
end

before_each(function()
  directory = folder.new()
end)

after_each(folder.remove)

describe("a private file", function()
  it("is nil, and no error, where there is none", function()
    for _, where in ipairs { directory, path "absent", path "absent/more" } do
      assert.same({ 1, nil }, { select("#", core.file_read(where, "token")),
                                core.file_read(where, "token") })
    end
  end)

  it("comes back as it was written, whatever is in it", function()
    for _, text in ipairs { "token", "", "\0\r\n\26\255", ("x"):rep(4096), ("y"):rep(MIB) } do
      assert.is_true(core.file_replace(directory, "token", text))
      assert.is_true(core.file_read(directory, "token") == text)
    end
  end)

  it("is there under its name alone, with mode 0600", function()
    assert.is_true(core.file_replace(directory, "token", "text"))
    assert.equal("token", names())
    assert.equal("600", mode(path "token"))
    assert.equal("text", files.slurp(path "token"))
  end)

  it("has its folder made, and those above it, with mode 0700", function()
    assert.is_true(core.file_replace(path "a/b//c/", "token", "text"))
    assert.equal("700 700 700", table.concat(
      { mode(path "a"), mode(path "a/b"), mode(path "a/b/c") }, " "))
    assert.equal("text", core.file_read(path "a/b/c", "token"))
  end)

  for _, umask in ipairs { "0", "022", "0177", "0277", "0777" } do
    it("has these modes under the umask " .. umask .. " too", function()
      assert.equal("true", other_process([[
        local lock = assert(core.file_lock(directory .. "/a/b", "token"))
        print(core.file_replace(directory .. "/a/b", "token", "text"))]], "umask " .. umask .. ";"))
      assert.equal("700 700 600 600", table.concat({ mode(path "a"), mode(path "a/b"),
        mode(path "a/b/token"), mode(path "a/b/.token.lock") }, " "))
    end)
  end

  it("takes a folder by a relative path", function()
    local said = sh("cd '%s' && mkdir -m 700 in && %s -e '%s'", directory, LUA, [[
      local core = require "pcapi.core"
      print(core.file_replace("in", "token", "1"), core.file_replace("new/er", "token", "2"))]])
    assert.equal("true\ttrue", said)
    assert.equal("2", core.file_read(path "new/er", "token"))
  end)

  it("is replaced as a whole: who reads meanwhile sees the old text or the new one", function()
    local old, new = ("old"):rep(30000), ("new"):rep(20000)
    core.file_replace(directory, "token", old)
    local writer = io.popen(([[%s -e 'local core = require "pcapi.core"
      for i = 1, 200 do
        assert(core.file_replace("%s", "token", i %% 2 == 0 and ("old"):rep(30000)
          or ("new"):rep(20000)))
      end']]):format(LUA, directory))
    local seen = {}
    for _ = 1, 2000 do
      seen[assert(core.file_read(directory, "token"))] = true
    end
    assert.equal("", writer:read "*a")
    writer:close()
    seen[old], seen[new] = nil, nil
    assert.is_nil(next(seen))
  end)

  it("survives a writer that is killed, which the next write cleans up after", function()
    for i = 1, 30 do
      sh([[%s -e 'local core = require "pcapi.core"
        while true do core.file_replace("%s", "token", ("x"):rep(1e5)) end' &
        sleep 0.0%02d; kill -9 $!; wait $!]], LUA, directory, 10 + i)
      local text = core.file_read(directory, "token")
      assert.is_true(text == nil or text == ("x"):rep(1e5) or text == "whole")
      assert.is_true(core.file_replace(directory, "token", "whole"))
      assert.equal("token", names())
    end
  end)

  it("is not written through what was left under the temporary name", function()
    folder.write(path "victim", "untouched")
    sh("ln -s victim '%s'", path ".token.new")
    assert.is_true(core.file_replace(directory, "token", "text"))
    assert.equal("untouched", files.slurp(path "victim"))
    assert.equal("token\nvictim", names())
  end)

  it("may be too large to be ours", function()
    folder.write(path "token", ("x"):rep(MIB + 1))
    sh("chmod 600 '%s'", path "token")
    assert.same({ nil, path "token" .. " is larger than 1048576 bytes, so pcapi did not write it; "
      .. "remove it" }, { core.file_read(directory, "token") })
    assert.has_error(function() core.file_replace(directory, "token", ("x"):rep(MIB + 1)) end)
    assert.equal(MIB + 1, #files.slurp(path "token"))
  end)
end)

-- All that looks at a file before it trusts it.
local function refusals(where, name)
  local _, reading = core.file_read(where, name)
  local _, replacing = core.file_replace(where, name, "new")
  assert.equal(reading, replacing)
  return reading
end

describe("a private file is refused when", function()
  for _, loose in ipairs { "644", "640", "604", "660", "602", "601", "777" } do
    it("it is open to others: mode " .. loose, function()
      folder.write(path "token", "old")
      sh("chmod %s '%s'", loose, path "token")
      assert.equal(("%s is open to other users (mode 0%s); run: chmod 600 %s")
        :format(path "token", loose, path "token"), refusals(directory, "token"))
      assert.equal("old", files.slurp(path "token"))
      assert.equal("token", names())
    end)
  end

  for _, loose in ipairs { "755", "750", "701", "770" } do
    it("its folder is open to others: mode " .. loose, function()
      core.file_replace(directory, "token", "old")
      sh("chmod %s '%s'", loose, directory)
      local message = ("%s is open to other users (mode 0%s); run: chmod 700 %s")
        :format(directory, loose, directory)
      assert.equal(message, refusals(directory, "token"))
      assert.equal(message, select(2, core.file_lock(directory, "token")))
      assert.equal(message, select(2, core.file_remove(directory, "token")))
      assert.equal("token", names())
    end)
  end

  it("its folder is one that all users share", function()
    sh("chmod 1777 '%s'", directory)
    assert.equal(directory .. " is shared by all users; choose a place that is yours",
      refusals(directory, "token"))
  end)

  it("it is a symbolic link, wherever that leads", function()
    folder.write(path "victim", "old")
    sh("chmod 600 '%s'", path "victim")
    for _, target in ipairs { "victim", path "victim", "nowhere", "." } do
      sh("ln -sfn '%s' '%s'", target, path "token")
      assert.equal(path "token" .. " is a symbolic link, which is not followed; "
        .. "put a real file there", refusals(directory, "token"))
    end
    assert.equal("old", files.slurp(path "victim"))
  end)

  it("its folder is a symbolic link, though not when one above is", function()
    sh("mkdir -m 700 -p '%s/real' && ln -s real '%s/link' && ln -s . '%s/here'", directory,
      directory, directory)
    core.file_replace(path "real", "token", "text")
    for _, slashes in ipairs { "", "/", "//" } do
      assert.equal(path "link" .. " is a symbolic link, which is not followed; "
        .. "put a real directory there", refusals(path "link" .. slashes, "token"))
    end
    assert.equal("text", core.file_read(path "here/real", "token"))
  end)

  it("it is a FIFO, for which nobody waits, or a folder", function()
    sh("mkfifo -m 600 '%s' && mkdir -m 700 '%s'", path "fifo", path "sub")
    for _, name in ipairs { "fifo", "sub" } do
      assert.equal(path(name) .. " is not a regular file; remove it", refusals(directory, name))
    end
  end)

  it("its folder is a file", function()
    folder.write(path "file", "")
    assert.equal(path "file" .. " could not be opened: Not a directory",
      refusals(path "file", "token"))
    assert.equal(path "file/more" .. " could not be opened: Not a directory",
      refusals(path "file/more", "token"))
  end)

  it("it belongs to another user, or its folder does", function()
    if not IS_ROOT then
      return pending "only root can give a file away"
    end
    core.file_replace(directory, "token", "old")
    sh("chown 65534 '%s'", path "token")
    assert.equal(path "token" .. " belongs to another user; choose a place that is yours",
      refusals(directory, "token"))
    sh("chown 65534 '%s'", directory)
    assert.equal(directory .. " belongs to another user; choose a place that is yours",
      refusals(directory, "token"))
  end)
end)

describe("a private file stays as it was when", function()
  local WRITE = [[print(core.file_replace(directory, "token", ("new"):rep(1e5)))]]

  before_each(function()
    core.file_replace(directory, "token", "old")
  end)

  local function is_untouched()
    sh("chmod 700 '%s'", directory)
    assert.equal("old", core.file_read(directory, "token"))
    assert.is_nil(names():find(".new", 1, true))
  end

  -- Modes do not bind root: it runs these as nobody, who gets the folder and a copy of
  -- the core, since nobody may not be allowed where this one is.
  local function as_owner(code)
    if not IS_ROOT then
      return other_process(code)
    end
    local copy = folder.new()
    local version = os.getenv("LUA_CPATH"):match "^[^;]+":gsub("%?", "pcapi/core")
    sh("mkdir '%s/pcapi' && cp '%s' '%s/pcapi' && chown -R 65534 '%s' '%s'", copy, version, copy,
      copy, directory)
    -- GCOV_PREFIX: what counts lines of C would complain that it may not write
    local said = other_process(code, ("cd / && LUA_CPATH='%s/?.so;;' GCOV_PREFIX='%s' setpriv "
      .. "--reuid=65534 --regid=65534 --clear-groups"):format(copy, copy))
    sh("chown -R root '%s'", directory)
    return said
  end

  it("its folder is read-only", function()
    sh("chmod 500 '%s'", directory)
    local said = as_owner(WRITE .. [[ print(core.file_remove(directory, "token"))
      print(core.file_lock(directory, "token")) print(core.file_read(directory, "token"))]])
    local message = "nil\t%s could not be %s: Permission denied; run: chmod 700 " .. directory
    assert.equal(table.concat({ message:format(path "token", "written"),
      message:format(path "token", "removed"), message:format(path ".token.lock", "opened"),
      "old" }, "\n"), said)
    is_untouched()
  end)

  it("its folder cannot be entered, or it cannot be read", function()
    sh("chmod 600 '%s'", directory)
    assert.matches("could not be .*: Permission denied; run: chmod 700 "
      .. directory:gsub("%p", "%%%0"),
      as_owner [[print(core.file_read(directory, "token"))]], 1, false)
    sh("chmod 700 '%s'; chmod 000 '%s'", directory, path "token")
    assert.equal(("nil\t%s could not be opened: Permission denied; run: chmod 600 %s")
      :format(path "token", path "token"), as_owner [[print(core.file_read(directory, "token"))]])
    sh("chmod 600 '%s'", path "token")
    is_untouched()
  end)

  it("its folder may not be made", function()
    sh("chmod 500 '%s'", directory)
    assert.equal(("nil\t%s could not be made: Permission denied; let this user do that there, "
      .. "or choose another place"):format(path "a/b"),
      as_owner [[print(core.file_replace(directory .. "/a/b", "token", "new"))]])
    is_untouched()
  end)

  it("a limit on the size of files is met", function()
    assert.equal(("nil\t%s could not be written: File too large; raise the limit on the size of "
      .. "files (ulimit -f)"):format(path "token"),
      other_process(WRITE, "trap '' XFSZ; ulimit -f 8;"))
    is_untouched()
  end)

  it("the disk is full", function()
    local probe = "unshare -rm mount -t tmpfs -o size=64k none /mnt"
    if sh(probe .. " && echo yes") ~= "yes" then
      return pending("no mount is allowed here (" .. probe .. "); see spec/c/file_test.c")
    end
    local said = sh([[unshare -rm sh -c 'mount -t tmpfs -o size=64k,mode=700 none %s &&
      %s -e "$1"' sh '%s']], directory, LUA, ([[local core, directory = require "pcapi.core", "%s"
      assert(core.file_replace(directory, "token", "old"))
      %s
      print(core.file_read(directory, "token"))
      io.stdout:flush()
      os.execute("ls -A " .. directory)]]):format(directory, WRITE))
    assert.equal(("nil\t%s could not be written: No space left on device; make room on that disk\n"
      .. "old\ntoken"):format(path "token"), said)
  end)
end)

describe("removing a private file", function()
  it("takes along what a killed process left half written", function()
    core.file_replace(directory, "token", "text")
    folder.write(path ".token.new", "SECRET")
    assert.is_true(core.file_remove(directory, "token"))
    assert.equal("", names())
  end)

  it("succeeds where there is none, and makes no folder", function()
    assert.is_true(core.file_remove(directory, "token"))
    assert.is_true(core.file_remove(path "absent", "token"))
    assert.equal("", names())
  end)

  it("removes a symbolic link, and not what it leads to", function()
    folder.write(path "victim", "untouched")
    sh("ln -s victim '%s'", path "token")
    assert.is_true(core.file_remove(directory, "token"))
    assert.equal("victim", names())
  end)

  it("says why it cannot", function()
    sh("mkdir '%s'", path "token")
    assert.same({ nil, path "token" .. " could not be removed: Is a directory" },
      { core.file_remove(directory, "token") })
  end)
end)

describe("a list of private files", function()
  local function listed(where)
    local all, why = core.file_list(where or directory)
    if all then
      table.sort(all)
    end
    return all, why
  end

  it("has the names of what was written, without locks and what is half written", function()
    for _, name in ipairs { "token", ".hidden", "new", "a.lock", ("n"):rep(249), "\255\n" } do
      core.file_replace(directory, name, "text")
      core.file_lock(directory, name):release()
    end
    folder.write(path ".token.new", "SECRET")
    assert.same({ ".hidden", "a.lock", "new", ("n"):rep(249), "token", "\255\n" }, listed())
  end)

  it("is empty where there is nothing, also where there is no folder, and makes none", function()
    assert.same({}, listed())
    assert.same({}, listed(path "absent"))
    assert.same({}, listed(path "absent/more"))
    assert.equal("", names())
  end)

  it("names what reading will refuse, so that nobody is passed over in silence", function()
    folder.write(path "loose", "")
    sh("ln -s nowhere '%s' && mkdir '%s'", path "link", path "sub")
    assert.same({ "link", "loose", "sub" }, listed())
  end)

  it("has thousands of names", function()
    sh("cd '%s' && seq -f 'tenant-%%.0f.json' 20000 | xargs touch", directory)
    assert.equal(20000, #listed())
  end)

  it("is refused where there are names without end", function()
    sh("cd '%s' && seq -f '%%.0f-%s' 6000 | xargs touch", directory, ("x"):rep(200))
    assert.same({ nil, directory .. " holds more files than pcapi takes (1048576 bytes of names); "
      .. "move away what is not pcapi's" }, { listed() })
  end)

  it("is refused where others could have put them", function()
    sh("chmod 755 '%s'", directory)
    assert.matches("run: chmod 700 " .. directory, select(2, listed()), 1, true)
    sh("chmod 700 '%s' && ln -s . '%s'", directory, path "link")
    assert.matches("symbolic link", select(2, listed(path "link")), 1, true)
    folder.write(path "file", "")
    assert.equal(path "file" .. " could not be opened: Not a directory",
      select(2, listed(path "file")))
  end)
end)

describe("a lock", function()
  local TRY = [[local lock, why = core.file_lock(directory, "token")
    print(lock and "taken" or why or lock)]]

  it("is held by one at a time, in this process and in others", function()
    local lock = assert(core.file_lock(directory, "token"))
    assert.is_false(core.file_lock(directory, "token"))
    assert.equal("false", other_process(TRY))
    lock:release()
    assert.equal("taken", other_process(TRY))
    core.file_lock(directory, "token"):release()
  end)

  it("goes with the process that holds it, however that ends", function()
    local pid = sh([[%s -e 'local lock = assert(require("pcapi.core").file_lock("%s", "token"))
      io.open("%s", "w"):close() while true do require("pcapi.core").sleep(9) end' >/dev/null &
      for i in $(seq 500); do [ -e '%s' ] && break; sleep 0.01; done; echo $!]], LUA, directory,
      path "ready", path "ready")
    assert.is_false(core.file_lock(directory, "token"))
    sh("kill -9 %s", pid)
    local lock
    for _ = 1, 500 do
      lock = lock or core.file_lock(directory, "token") or core.sleep(0.01)
    end
    lock:release()
  end)

  it("is of one name in one folder", function()
    local lock = assert(core.file_lock(directory, "token"))
    local others = { assert(core.file_lock(directory, "token2")),
                     assert(core.file_lock(path "sub", "token")) }
    for _, other in ipairs(others) do
      other:release()
    end
    lock:release()
  end)

  it("makes its folder, and leaves an empty file of mode 0600 there for good", function()
    core.file_lock(path "a/b", "token"):release()
    assert.equal("700", mode(path "a/b"))
    assert.equal("600", mode(path "a/b/.token.lock"))
    assert.equal("", files.slurp(path "a/b/.token.lock"))
  end)

  it("does not keep the file from being read and written by its holder", function()
    local lock = assert(core.file_lock(directory, "token"))
    assert.is_true(core.file_replace(directory, "token", "text"))
    assert.equal("text", core.file_read(directory, "token"))
    assert.is_false(core.file_lock(directory, "token"))
    assert.is_true(core.file_remove(directory, "token"))
    assert.is_false(core.file_lock(directory, "token"))
    lock:release()
  end)

  it("is given back once, by release, the end of its scope or the collector", function()
    local lock = assert(core.file_lock(directory, "token"))
    assert.equal("pcapi.core.lock (held)", tostring(lock))
    lock:release()
    assert.equal("pcapi.core.lock (released)", tostring(lock))
    local second = assert(core.file_lock(directory, "token"))
    lock:release() -- a second time, and not what is another's now
    assert.is_false(core.file_lock(directory, "token"))
    getmetatable(second).__close(second)
    local third = assert(core.file_lock(directory, "token"))
    assert.equal("pcapi.core.lock (held)", tostring(third))
    third = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    core.file_lock(directory, "token"):release()
  end)

  it("is not handed on to commands that are run meanwhile", function()
    local lock = assert(core.file_lock(directory, "token"))
    assert.is_nil(sh "ls -l /proc/self/fd":find(directory, 1, true))
    lock:release()
  end)

  it("is refused where its file is not the user's own", function()
    folder.write(path ".token.lock", "")
    sh("chmod 666 '%s'", path ".token.lock")
    assert.same({ nil, ("%s is open to other users (mode 0666); run: chmod 600 %s")
      :format(path ".token.lock", path ".token.lock") }, { core.file_lock(directory, "token") })
    os.remove(path ".token.lock")
    sh("ln -s victim '%s'", path ".token.lock")
    assert.same({ nil, path ".token.lock" .. " is a symbolic link, which is not followed; "
      .. "put a real file there" }, { core.file_lock(directory, "token") })
    assert.equal(".token.lock", names())
    os.remove(path ".token.lock")
    sh("mkfifo -m 600 '%s'", path ".token.lock")
    assert.same({ nil, path ".token.lock" .. " is not a regular file; remove it" },
      { core.file_lock(directory, "token") })
  end)
end)

describe("a place that cannot be one is the caller's mistake:", function()
  for _, name in ipairs { "", ".", "..", "a/b", "/", "../token", "a\0b", ("x"):rep(250),
                           ".token.lock", ".token.new", ".\n.new" } do
    it(("the name %q"):format(name), function()
      for _, call in ipairs { "file_read", "file_replace", "file_remove", "file_lock" } do
        local ok, message = pcall(core[call], directory, name, "text")
        assert.is_false(ok)
        assert.truthy(message:find("must be the name of a file, not a path", 1, true), message)
      end
      assert.equal("", names())
    end)
  end

  it("a directory without a path", function()
    for _, where in ipairs { "", "a\0b" } do
      assert.has_error(function() core.file_read(where, "token") end)
      assert.has_error(function() core.file_list(where) end)
    end
    assert.has_error(function() core.file_read(nil, "token") end)
    assert.has_error(function() core.file_replace(directory, "token") end)
  end)
end)
