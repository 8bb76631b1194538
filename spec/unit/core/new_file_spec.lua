--- New private files that the caller writes, in folders of /tmp.
local core = require "pcapi.core"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local private_folder = require "spec.support.private_folder"

local directory

local mode, names, path = private_folder.mode, private_folder.names, private_folder.path

before_each(function()
  directory = private_folder.new()
end)

after_each(folder.remove)

describe("a new private file", function()
  local function write(name, text)
    local made = assert(core.file_begin(directory, name))
    assert.equal("600", mode(path(made)))
    folder.write(path(made), text)
    return made
  end

  it("has its name when it is published, and is private", function()
    write("copy", "text")
    assert.is_true(core.file_end(directory, "copy"))
    assert.same({ "copy", "600", "text" }, { names(), mode(path "copy"), files.slurp(path "copy") })
  end)

  it("is removed when it is abandoned", function()
    write("copy", "text")
    core.file_abandon(directory, "copy")
    assert.equal("", names())
  end)

  it("may be in a folder that others read, not in one that they write", function()
    private_folder.sh("chmod 755 %s", directory)
    write("copy", "text")
    core.file_abandon(directory, "copy")
    private_folder.sh("chmod 777 %s", directory)
    local made, why = core.file_begin(directory, "copy")
    assert.is_nil(made)
    assert.truthy(why:find(directory, 1, true), why)
  end)

  it("replaces no file, not even one that appears meanwhile", function()
    folder.write(path "copy", "old")
    local made, why = core.file_begin(directory, "copy")
    assert.is_nil(made)
    assert.truthy(why:find("copy", 1, true), why)
    os.remove(path "copy")
    write("copy", "text")
    folder.write(path "copy", "old")
    local ok
    ok, why = core.file_end(directory, "copy")
    assert.is_nil(ok)
    assert.truthy(why:find("copy", 1, true), why)
    assert.equal("old", files.slurp(path "copy"))
  end)

  it("needs a folder that exists", function()
    assert.is_nil((core.file_begin(path "absent", "copy")))
    assert.is_nil((core.file_end(path "absent", "copy")))
  end)
end)
