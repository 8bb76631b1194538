--- The container file. make test-container runs its steps.
local arguments = require "pcapi.cli.arguments"
local cjson = require "cjson"
local files = require "spec.support.files"

local TEXT = files.slurp "share/container/Containerfile":gsub("\n#[^\n]*", ""):gsub("\\\n%s*", "")
local IMAGE = TEXT:match "\nFROM debian:12%-slim\n.*"

local function value_of(instruction)
  return IMAGE:match("\n" .. instruction .. " ([^\n]+)")
end

-- The packages of the libraries that the modules link. libc6 is in each image; libcurl4 depends on
-- libssl3 and zlib1g.
local function packages_of_libraries()
  local packages = {}
  for _, line in ipairs(files.lines_of [[readelf -d build/5.4/pcapi/*.so |
    sed -n 's|.*(NEEDED).*\[\(.*\)\]|*/\1|p' | sort -u | xargs dpkg-query -S]]) do
    packages[line:match "^[^:]+"] = true
  end
  for _, name in ipairs { "libc6", "libc6-i386", "libssl3", "zlib1g" } do
    packages[name] = nil
  end
  return packages
end

describe("the image of share/container/Containerfile", function()
  it("installs the packages of libraries that the modules link, and of what Lua loads", function()
    local installed = {}
    for name in IMAGE:match "install %-y %-%-no%-install%-recommends ([^&]*)":gmatch "%S+" do
      installed[name] = true
    end
    local expected = packages_of_libraries()
    for _, name in ipairs { "ca-certificates", "lua5.4", "lua-argparse", "lua-cjson" } do
      expected[name] = true
    end
    assert.same(expected, installed)
  end)

  it("runs as a user without rights, in a volume that is its home folder", function()
    assert.equal("65532:65532", value_of "USER")
    local folder = cjson.decode(value_of "VOLUME")[1]
    assert.equal("HOME=" .. folder, value_of "ENV")
    assert.equal(folder, value_of "WORKDIR")
    assert.matches("-m 700 -o 65532 -g 65532 " .. folder, IMAGE, 1, true)
  end)

  it("runs a command of pcapi", function()
    assert.same({ "/usr/local/bin/pcapi" }, cjson.decode(value_of "ENTRYPOINT"))
    assert.equal("watch", arguments.parse(cjson.decode(value_of "CMD")).command)
  end)

  it("is built without files that a clone may have, but the repository has not", function()
    local ignored = {}
    for _, path in ipairs(files.lines_of "cat .dockerignore") do
      ignored[path] = true
    end
    for _, path in ipairs { ".git", "build", "doc" } do
      assert.is_true(ignored[path] or false, path)
    end
  end)
end)
