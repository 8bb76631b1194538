--- Private files, in folders of /tmp. spec/c/file_test.c covers the failures of the system that
-- cannot be caused here; file_lock_spec.lua covers locks.
local core = require "pcapi.core"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local private_folder = require "spec.support.private_folder"

local LUA = os.getenv "LUA" or "lua5.4"
local MIB = 1024 * 1024

local directory

local mode, names, other_process = private_folder.mode, private_folder.names,
  private_folder.other_process
local path, sh = private_folder.path, private_folder.sh

local IS_ROOT = sh "id -u" == "0"

before_each(function()
  directory = private_folder.new()
end)

after_each(folder.remove)

describe("a private file", function()
  it("is nil without an error if it does not exist", function()
    for _, where in ipairs { directory, path "absent", path "absent/more" } do
      assert.same({ 1, nil }, { select("#", core.file_read(where, "token")),
                                core.file_read(where, "token") })
    end
  end)

  it("is read as it was written, whatever it contains", function()
    for _, text in ipairs { "token", "", "\0\r\n\26\255", ("x"):rep(4096), ("y"):rep(MIB) } do
      assert.is_true(core.file_replace(directory, "token", text))
      assert.is_true(core.file_read(directory, "token") == text)
    end
  end)

  it("is the only file in its folder, with mode 0600", function()
    assert.is_true(core.file_replace(directory, "token", "text"))
    assert.equal("token", names())
    assert.equal("600", mode(path "token"))
    assert.equal("text", files.slurp(path "token"))
  end)

  it("gets its folder and those above it created with mode 0700", function()
    assert.is_true(core.file_replace(path "a/b//c/", "token", "text"))
    assert.equal("700 700 700", table.concat(
      { mode(path "a"), mode(path "a/b"), mode(path "a/b/c") }, " "))
    assert.equal("text", core.file_read(path "a/b/c", "token"))
  end)

  for _, umask in ipairs { "0", "022", "0177", "0277", "0777" } do
    it("has these modes with the umask " .. umask .. " too", function()
      assert.equal("true", other_process([[
        local lock = assert(core.file_lock(directory .. "/a/b", "token"))
        print(core.file_replace(directory .. "/a/b", "token", "text"))]], "umask " .. umask .. ";"))
      assert.equal("700 700 600 600", table.concat({ mode(path "a"), mode(path "a/b"),
        mode(path "a/b/token"), mode(path "a/b/.token.lock") }, " "))
    end)
  end

  it("may be in a folder with a relative path", function()
    local said = sh("cd '%s' && mkdir -m 700 in && %s -e '%s'", directory, LUA, [[
      local core = require "pcapi.core"
      print(core.file_replace("in", "token", "1"), core.file_replace("new/er", "token", "2"))]])
    assert.equal("true\ttrue", said)
    assert.equal("2", core.file_read(path "new/er", "token"))
  end)

  it("is replaced as a whole: a reader gets either the old text or the new one", function()
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

  it("survives a writer that is killed, and the next write removes what it left behind", function()
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

  it("is not written through a link with the temporary name", function()
    folder.write(path "victim", "untouched")
    sh("ln -s victim '%s'", path(private_folder.temporary_name "token"))
    assert.is_true(core.file_replace(directory, "token", "text"))
    assert.equal("untouched", files.slurp(path "victim"))
    assert.equal("token\nvictim", names())
  end)

  it("is refused if it is too large to be a file of pcapi", function()
    folder.write(path "token", ("x"):rep(MIB + 1))
    sh("chmod 600 '%s'", path "token")
    assert.same({ nil, path "token" .. " is too large to be a file of pcapi",
                  "Remove " .. path "token" }, { core.file_read(directory, "token") })
    assert.has_error(function() core.file_replace(directory, "token", ("x"):rep(MIB + 1)) end)
    assert.equal(MIB + 1, #files.slurp(path "token"))
  end)
end)

-- The message and the remedy with which reading and replacing a file fail.
local function refusals(where, name)
  local reading = { select(2, core.file_read(where, name)) }
  assert.same(reading, { select(2, core.file_replace(where, name, "new")) })
  return table.concat(reading, ". ")
end

-- Runs the command of a remedy.
local function obey(words)
  sh("%s", words:match "Run: (.*)$")
end

describe("a private file is refused if", function()
  for _, loose in ipairs { "644", "640", "604", "660", "602", "601", "777" } do
    it("it is open to other users: mode " .. loose, function()
      folder.write(path "token", "old")
      sh("chmod %s '%s'", loose, path "token")
      local words = refusals(directory, "token")
      assert.equal(("%s is open to other users (mode 0%s). Run: chmod 600 %s")
        :format(path "token", loose, path "token"), words)
      assert.equal("old", files.slurp(path "token"))
      assert.equal("token", names())
      obey(words)
      assert.equal("old", core.file_read(directory, "token"))
    end)
  end

  for _, loose in ipairs { "755", "750", "701", "770" } do
    it("its folder is open to other users: mode " .. loose, function()
      core.file_replace(directory, "token", "old")
      sh("chmod %s '%s'", loose, directory)
      local message = ("%s is open to other users (mode 0%s)"):format(directory, loose)
      local remedy = "Run: chmod 700 " .. directory
      assert.equal(message .. ". " .. remedy, refusals(directory, "token"))
      assert.same({ nil, message, remedy }, { core.file_lock(directory, "token") })
      assert.same({ nil, message, remedy }, { core.file_remove(directory, "token") })
      assert.equal("token", names())
      obey(remedy)
      assert.equal("old", core.file_read(directory, "token"))
    end)
  end

  for name, quoted in pairs { ["a b"] = "'%s'", ["$(reboot)"] = "'%s'", ["a-b_c.d"] = "%s" } do
    it("its folder is open, and the remedy works for a path with " .. name, function()
      sh("mkdir -m 755 '%s'", path(name))
      local words = refusals(path(name), "token")
      assert.truthy(words:find("Run: chmod 700 " .. quoted:format(path(name)), 1, true), words)
      obey(words)
      assert.is_true(core.file_replace(path(name), "token", "new"))
    end)
  end

  it("its folder is shared by all users", function()
    sh("chmod 1777 '%s'", directory)
    assert.equal(directory .. " is shared by all users. Set {store} to a directory of your own",
      refusals(directory, "token"))
    sh("chown 65534 '%s'", directory) -- only root can
    assert.matches("shared by all users", refusals(directory, "token"), 1, true)
  end)

  it("it is a symbolic link, whatever its target", function()
    folder.write(path "victim", "old")
    sh("chmod 600 '%s'", path "victim")
    for _, target in ipairs { "victim", path "victim", "nowhere", "." } do
      sh("ln -sfn '%s' '%s'", target, path "token")
      assert.equal(path "token" .. " is a symbolic link, which is not followed. "
        .. "Remove " .. path "token", refusals(directory, "token"))
    end
    assert.equal("old", files.slurp(path "victim"))
  end)

  it("its folder is a symbolic link, but not if a folder above is one", function()
    sh("mkdir -m 700 -p '%s/real' && ln -s real '%s/link' && ln -s . '%s/here'", directory,
      directory, directory)
    core.file_replace(path "real", "token", "text")
    for _, slashes in ipairs { "", "/", "//" } do
      assert.equal(path "link" .. " is a symbolic link, which is not followed. "
        .. "Set {store} to the directory that it leads to",
        refusals(path "link" .. slashes, "token"))
    end
    assert.equal("text", core.file_read(path "here/real", "token"))
  end)

  it("it is a FIFO, without waiting for a writer, or a folder", function()
    sh("mkfifo -m 600 '%s' && mkdir -m 700 '%s'", path "fifo", path "sub")
    for _, name in ipairs { "fifo", "sub" } do
      assert.equal(("%s is not a regular file. Remove %s"):format(path(name), path(name)),
        refusals(directory, name))
    end
    for _, name in ipairs { "fifo", "sub" } do
      sh("rm -r '%s'", path(name))
      assert.is_true(core.file_replace(directory, name, "new"))
    end
  end)

  it("its folder is a file", function()
    folder.write(path "file", "")
    for _, name in ipairs { "file", "file/more" } do
      assert.equal(path(name) .. " could not be opened: Not a directory. A part of that path is a "
        .. "file: set {store} to a directory of your own", refusals(path(name), "token"))
    end
  end)

  it("it or its folder belongs to another user", function()
    if not IS_ROOT then
      return pending "only root can give a file away"
    end
    core.file_replace(directory, "token", "old")
    for _, what in ipairs { path "token", directory } do
      sh("chown 65534 '%s'", what)
      assert.equal(what .. " belongs to another user (65534). Run pcapi as user 65534, or set "
        .. "{store} to a directory of your own", refusals(directory, "token"))
    end
  end)
end)

describe("a private file is unchanged if", function()
  local WRITE = [[print(core.file_replace(directory, "token", ("new"):rep(1e5)))]]

  before_each(function()
    core.file_replace(directory, "token", "old")
  end)

  local function is_untouched()
    sh("chmod 700 '%s'", directory)
    assert.equal("old", core.file_read(directory, "token"))
    assert.is_nil(names():find(".new", 1, true))
  end

  -- Modes do not restrict root. It runs this code as nobody, who gets the folder and a copy of the
  -- core, as nobody may have no access to the original. `of_root`: a file that stays root's.
  local function as_owner(code, of_root)
    if not IS_ROOT then
      return other_process(code)
    end
    local copy = folder.new()
    local version = os.getenv("LUA_CPATH"):match "^[^;]+":gsub("%?", "pcapi/core")
    sh("mkdir '%s/pcapi' && cp '%s' '%s/pcapi' && chown -R 65534 '%s' '%s'", copy, version, copy,
      copy, directory)
    if of_root then
      sh("chown root '%s'", of_root)
    end
    -- GCOV_PREFIX: without it, a build for coverage reports that it cannot write
    local said = other_process(code, ("cd / && LUA_CPATH='%s/?.so;;' GCOV_PREFIX='%s' setpriv "
      .. "--reuid=65534 --regid=65534 --clear-groups"):format(copy, copy))
    sh("chown -R root '%s'", directory)
    return said
  end

  it("its folder is read-only", function()
    sh("chmod 500 '%s'", directory)
    local said = as_owner(WRITE .. [[ print(core.file_remove(directory, "token"))
      print(core.file_lock(directory, "token")) print(core.file_read(directory, "token"))]])
    local message = "nil\t%s could not be %s: Permission denied\tRun: chmod 700 " .. directory
    assert.equal(table.concat({ message:format(path "token", "written"),
      message:format(path "token", "removed"), message:format(path ".token.lock", "opened"),
      "old" }, "\n"), said)
    is_untouched()
  end)

  it("its folder or the file is not readable", function()
    sh("chmod 600 '%s'", directory)
    assert.matches("could not be .*: Permission denied\tRun: chmod 700 "
      .. directory:gsub("%p", "%%%0"),
      as_owner [[print(core.file_read(directory, "token"))]], 1, false)
    sh("chmod 700 '%s'; chmod 000 '%s'", directory, path "token")
    assert.equal(("nil\t%s could not be opened: Permission denied\tRun: chmod 600 %s")
      :format(path "token", path "token"), as_owner [[print(core.file_read(directory, "token"))]])
    sh("chmod 600 '%s'", path "token")
    is_untouched()
  end)

  it("the file belongs to another user", function()
    if not IS_ROOT then
      return pending "only root can give a file away"
    end
    assert.equal(("nil\t%s belongs to another user (0)\tRun as root: chown 65534 %s"):format(
      path "token", path "token"),
      as_owner([[print(core.file_read(directory, "token"))]], path "token"))
    is_untouched()
  end)

  it("its folder cannot be created", function()
    sh("chmod 500 '%s'", directory)
    assert.equal(("nil\t%s could not be created: Permission denied\tGrant this user the "
      .. "permission, or set {store} to a directory of your own"):format(path "a/b"),
      as_owner [[print(core.file_replace(directory .. "/a/b", "token", "new"))]])
    is_untouched()
  end)

  it("it would exceed the limit on file sizes", function()
    assert.equal(("nil\t%s could not be written: File too large\tRaise the limit on file "
      .. "sizes (ulimit -f)"):format(path "token"),
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
    assert.equal(("nil\t%s could not be written: No space left on device\tFree space on that disk\n"
      .. "old\ntoken"):format(path "token"), said)
  end)
end)

describe("removing a private file", function()
  it("also removes the temporary file that a killed process left behind", function()
    core.file_replace(directory, "token", "text")
    folder.write(path ".token.new", "SECRET")
    assert.is_true(core.file_remove(directory, "token"))
    assert.equal("", names())
  end)

  it("succeeds if it does not exist, and creates no folder", function()
    assert.is_true(core.file_remove(directory, "token"))
    assert.is_true(core.file_remove(path "absent", "token"))
    assert.equal("", names())
  end)

  it("removes a symbolic link, not its target", function()
    folder.write(path "victim", "untouched")
    sh("ln -s victim '%s'", path "token")
    assert.is_true(core.file_remove(directory, "token"))
    assert.equal("victim", names())
  end)

  it("fails with the reason", function()
    sh("mkdir '%s'", path "token")
    assert.same({ nil, path "token" .. " is not a regular file", "Remove " .. path "token" },
      { core.file_remove(directory, "token") })
  end)
end)

describe("a list of private files", function()
  local function listed(where)
    local all, why, remedy = core.file_list(where or directory)
    if all then
      table.sort(all)
    end
    return all, why, remedy
  end

  it("has the names of the files, without locks and temporary files", function()
    for _, name in ipairs { "token", ".hidden", "new", "a.lock", ("n"):rep(241), "\255\n" } do
      core.file_replace(directory, name, "text")
      core.file_lock(directory, name):release()
    end
    folder.write(path ".token.new", "SECRET")
    assert.same({ ".hidden", "a.lock", "new", ("n"):rep(241), "token", "\255\n" }, listed())
  end)

  it("is empty for an empty or missing folder, and creates no folder", function()
    assert.same({}, listed())
    assert.same({}, listed(path "absent"))
    assert.same({}, listed(path "absent/more"))
    assert.equal("", names())
  end)

  it("includes files that cannot be read, so that a caller can report them", function()
    folder.write(path "loose", "")
    sh("ln -s nowhere '%s' && mkdir '%s'", path "link", path "sub")
    assert.same({ "link", "loose", "sub" }, listed())
  end)

  it("can have thousands of names", function()
    sh("cd '%s' && seq -f 'tenant-%%.0f.json' 20000 | xargs touch", directory)
    assert.equal(20000, #listed())
  end)

  it("is refused if there are too many names", function()
    sh("cd '%s' && seq -f '%%.0f-%s' 6000 | xargs touch", directory, ("x"):rep(200))
    assert.same({ nil, directory .. " holds too many files (more than 1048576 bytes of names)",
                  "Move the files away that are not pcapi's" }, { listed() })
  end)

  it("is refused if other users could have created the files", function()
    sh("chmod 755 '%s'", directory)
    assert.equal("Run: chmod 700 " .. directory, (select(3, listed())))
    sh("chmod 700 '%s' && ln -s . '%s'", directory, path "link")
    assert.matches("symbolic link", select(2, listed(path "link")), 1, true)
    folder.write(path "file", "")
    assert.equal(path "file" .. " could not be opened: Not a directory",
      select(2, listed(path "file")))
  end)
end)

describe("an error is raised for", function()
  for _, name in ipairs { "", ".", "..", "a/b", "/", "../token", "a\0b", ("x"):rep(242),
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

  it("an invalid directory", function()
    for _, where in ipairs { "", "a\0b" } do
      assert.has_error(function() core.file_read(where, "token") end)
      assert.has_error(function() core.file_list(where) end)
    end
    assert.has_error(function() core.file_read(nil, "token") end)
    assert.has_error(function() core.file_replace(directory, "token") end)
  end)
end)
