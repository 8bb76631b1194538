--- Locks of private files, in folders of /tmp.
local core = require "pcapi.core"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local private_folder = require "spec.support.private_folder"

local LUA = os.getenv "LUA" or "lua5.4"

local directory

local mode, names, other_process = private_folder.mode, private_folder.names,
  private_folder.other_process
local path, sh = private_folder.path, private_folder.sh

before_each(function()
  directory = private_folder.new()
end)

after_each(folder.remove)

describe("a lock", function()
  local TRY = [[local lock, why = core.file_lock(directory, "token")
    print(lock and "taken" or why or lock)]]

  it("has one holder at a time, in this process and in others", function()
    local lock = assert(core.file_lock(directory, "token"))
    assert.is_false(core.file_lock(directory, "token"))
    assert.equal("false", other_process(TRY))
    lock:release()
    assert.equal("taken", other_process(TRY))
    core.file_lock(directory, "token"):release()
  end)

  it("is released when the process that holds it ends in any way", function()
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

  it("belongs to one name in one folder", function()
    local lock = assert(core.file_lock(directory, "token"))
    local others = { assert(core.file_lock(directory, "token2")),
                     assert(core.file_lock(path "sub", "token")) }
    for _, other in ipairs(others) do
      other:release()
    end
    lock:release()
  end)

  it("creates its folder and an empty file with mode 0600, which stays", function()
    core.file_lock(path "a/b", "token"):release()
    assert.equal("700", mode(path "a/b"))
    assert.equal("600", mode(path "a/b/.token.lock"))
    assert.equal("", files.slurp(path "a/b/.token.lock"))
  end)

  it("does not prevent its holder from reading and writing the file", function()
    local lock = assert(core.file_lock(directory, "token"))
    assert.is_true(core.file_replace(directory, "token", "text"))
    assert.equal("text", core.file_read(directory, "token"))
    assert.is_false(core.file_lock(directory, "token"))
    assert.is_true(core.file_remove(directory, "token"))
    assert.is_false(core.file_lock(directory, "token"))
    lock:release()
  end)

  it("is released once: by release, the end of its scope or the garbage collector", function()
    local lock = assert(core.file_lock(directory, "token"))
    assert.equal("pcapi.core.lock (held)", tostring(lock))
    lock:release()
    assert.equal("pcapi.core.lock (released)", tostring(lock))
    local second = assert(core.file_lock(directory, "token"))
    lock:release() -- again: it must not release the second lock
    assert.is_false(core.file_lock(directory, "token"))
    getmetatable(second).__close(second)
    local third = assert(core.file_lock(directory, "token"))
    assert.equal("pcapi.core.lock (held)", tostring(third))
    third = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    core.file_lock(directory, "token"):release()
  end)

  it("is not inherited by child processes", function()
    local lock = assert(core.file_lock(directory, "token"))
    assert.is_nil(sh "ls -l /proc/self/fd":find(directory, 1, true))
    lock:release()
  end)

  it("is refused if its file is unsafe", function()
    folder.write(path ".token.lock", "")
    sh("chmod 666 '%s'", path ".token.lock")
    assert.same({ nil, path ".token.lock" .. " is open to other users (mode 0666)",
                  "Run: chmod 600 " .. path ".token.lock" }, { core.file_lock(directory, "token") })
    os.remove(path ".token.lock")
    sh("ln -s victim '%s'", path ".token.lock")
    assert.same({ nil, path ".token.lock" .. " is a symbolic link, which is not followed",
                  "Remove " .. path ".token.lock" }, { core.file_lock(directory, "token") })
    assert.equal(".token.lock", names())
    os.remove(path ".token.lock")
    sh("mkfifo -m 600 '%s'", path ".token.lock")
    assert.same({ nil, path ".token.lock" .. " is not a regular file",
                  "Remove " .. path ".token.lock" }, { core.file_lock(directory, "token") })
  end)
end)
