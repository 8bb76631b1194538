--- Files that other users read, in folders of /tmp. spec/c/file_test.c covers the failures of the
-- system that cannot be caused here.
local core = require "pcapi.core"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local private_folder = require "spec.support.private_folder"

local mode, names, path, sh = private_folder.mode, private_folder.names, private_folder.path,
  private_folder.sh

-- only root can give files to others
local it_as_root = sh "id -u" == "0" and it or pending

local directory

before_each(function()
  directory = private_folder.new()
  sh("chmod 755 '%s'", directory)
end)

after_each(folder.remove)

local function publish(text, name)
  return core.file_publish(directory, name or "page", text)
end

local function refused(message, remedy)
  local ok, why, cure = publish "new"
  assert.is_nil(ok)
  assert.matches(message, why, 1, true)
  assert.matches(remedy, cure, 1, true)
end

describe("a published file", function()
  it("replaces the one before as a whole, with mode 0640", function()
    for _, text in ipairs { "old", "", ("x"):rep(3 * 1024 * 1024) } do
      assert.is_true(publish(text))
      assert.is_true(files.slurp(path "page") == text)
      assert.equal("640", mode(path "page"))
      assert.equal("page", names())
    end
    assert.has_error(function() publish(("x"):rep(64 * 1024 * 1024 + 1)) end)
  end)

  it_as_root("has the group of its folder", function()
    sh("chgrp www-data '%s'", directory)
    assert.is_true(publish "text")
    assert.equal("root www-data", sh("stat -c '%%U %%G' '%s'", path "page"))
  end)

  it("is not made in a folder that is missing, or that others can write to", function()
    assert.is_nil((core.file_publish(path "absent", "page", "text")))
    assert.is_nil(files.exists(path "absent") or nil)
    for _, changed in ipairs { "775", "757", "1777" } do
      sh("chmod %s '%s'", changed, directory)
      refused("other users can write to " .. directory, "Choose a directory that no other user")
    end
    assert.equal("", names())
  end)

  it("for all has mode 0644, and is made in a folder that others write to", function()
    for _, folder_mode in ipairs { "755", "775", "1777" } do
      sh("chmod %s '%s'", folder_mode, directory)
      assert.is_true(core.file_publish(directory, "all.prom", folder_mode, true))
      assert.equal("644", mode(path "all.prom"))
      assert.equal(folder_mode, files.slurp(path "all.prom"))
      assert.equal("all.prom", names())
    end
    sh("chmod 700 '%s'", directory)
    local ok, why = core.file_publish(directory, "all.prom", "new", true)
    assert.is_nil(ok)
    assert.matches("no other user can enter", why, 1, true)
    sh("chmod 755 '%s'; ln -s victim '%s'", directory, path "link.prom")
    assert.is_nil((core.file_publish(directory, "link.prom", "new", true)))
  end)

  it("is not made in a folder that no other user can enter", function()
    sh("chmod 700 '%s'", directory)
    refused("no other user can enter " .. directory .. " (mode 0700)", "mode 0750")
  end)

  it("replaces no link, no folder and no FIFO", function()
    folder.write(path "victim", "untouched")
    sh("ln -s victim '%s'", path "page")
    refused("is a symbolic link", "Remove " .. path "page")
    sh("rm '%s'; mkdir '%s'", path "page", path "page")
    refused("is not a regular file", "Remove")
    sh("rmdir '%s'; mkfifo '%s'", path "page", path "page")
    refused("is not a regular file", "Remove")
    assert.equal("untouched", files.slurp(path "victim"))
    sh("rm '%s'; ln -s victim '%s'", path "page",
      path(private_folder.temporary_name "page"))
    assert.is_true(publish "text")
    assert.equal("untouched", files.slurp(path "victim"))
  end)

  it("is not made in a folder that a link leads to", function()
    sh("mkdir '%s'; ln -s real '%s'", path "real", path "link")
    local ok, why = core.file_publish(path "link", "page", "text")
    assert.is_nil(ok)
    assert.matches("is a symbolic link", why, 1, true)
  end)
end)

describe("the state of a file", function()
  it("has a stamp that changes when the file is replaced or changed", function()
    publish "one"
    local kind, size, stamp, id = core.file_state(path "page")
    assert.same({ "f", 3 }, { kind, size })
    assert.equal(stamp, select(3, core.file_state(path "page")))
    folder.write(path "page", "onetwo")
    local _, _, changed, same = core.file_state(path "page")
    assert.equal(id, same)
    assert.is_true(changed ~= stamp)
    publish "one"
    assert.is_true(select(3, core.file_state(path "page")) ~= changed)
  end)

  it("has one id for all paths of a file, and says what it is", function()
    sh("ln -s . '%s'; mkfifo '%s'", path "link", path "fifo")
    assert.same({ "d", "d", "o" }, { (core.file_state(directory)), (core.file_state(path "link")),
                                     (core.file_state(path "fifo")) })
    assert.equal(select(4, core.file_state(directory)), select(4, core.file_state(path "link/.")))
    assert.same({ nil, "No such file or directory" }, { core.file_state(path "absent") })
  end)
end)
