--- make release, on a copy of this tree: the files that it makes, and what it refuses.
local cjson = require "cjson"
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local rockspecs = require "spec.support.rockspecs"

local VERSION = require "pcapi.version"
local DATE = "2026-12-01T09:30:00Z"

local lines_of, quote, slurp = files.lines_of, curl.quote, files.slurp

local function run(...)
  assert(os.execute(string.format(...)))
end

-- Commits everything in a folder, at a fixed time and by a fixed name.
local function commit(path)
  run("cd %s && git add -A && GIT_AUTHOR_DATE=%s GIT_COMMITTER_DATE=%s git -c user.name=pcapi "
    .. "-c user.email=pcapi@fabrikam.example -c commit.gpgsign=false commit -q -m release",
    quote(path), DATE, DATE)
end

local function edit(path, pattern, text)
  local changed, count = slurp(path):gsub(pattern, text, 1)
  assert(count == 1, pattern)
  folder.write(path, changed)
end

-- A clone of this tree with one commit. Its changelog has the date of the release.
local function new_tree()
  local path = folder.new()
  run("git ls-files -z | tar -c --null -T - | tar -x -C %s && git -C %s init -q", quote(path),
    quote(path))
  edit(path .. "/CHANGELOG.md", "\n## %S+ %b()\n", ("\n## %s (2026-12-01)\n"):format(VERSION))
  commit(path)
  return path
end

-- Runs a command in a tree; returns its output and exit status.
local function run_in(path, command)
  local lines = lines_of(("cd %s && env -u MAKEFLAGS -u MAKELEVEL -u LUA_PATH -u LUA_CPATH %s 2>&1;"
    .. " echo $?"):format(quote(path), command))
  local status = tonumber(table.remove(lines))
  return table.concat(lines, "\n"), status
end

describe("make release", function()
  local tree, made
  setup(function()
    tree = new_tree()
    made = tree .. "/build/release/"
    local output, status = run_in(tree, "make -s release")
    assert.equal(0, status, output)
  end)
  teardown(folder.remove)

  local function made_file(suffix)
    return made .. "pcapi-" .. VERSION .. suffix
  end

  it("makes four files, whose sums SHA256SUMS has", function()
    assert.same({ "SHA256SUMS", ("pcapi-%s-1.rockspec"):format(VERSION),
                  ("pcapi-%s.cdx.json"):format(VERSION), ("pcapi-%s.tar.gz"):format(VERSION) },
      lines_of("LC_ALL=C ls " .. quote(made)))
    assert.equal("0", lines_of(("cd %s && sha256sum -c --strict SHA256SUMS >&2; echo $?")
      :format(quote(made)))[1])
    assert.equal(3, #lines_of("cat " .. quote(made .. "SHA256SUMS")))
  end)

  it("makes the same bytes in another folder, at another time and by another user", function()
    local other = folder.new() .. "/a clone"
    run("umask 077; git clone -q %s %s && touch -d 2001-01-01 %s/*", quote(tree), quote(other),
      quote(other))
    local output, status = run_in(other, "TZ=Asia/Tokyo GZIP=-1 GIT_CONFIG_COUNT=1 "
      .. "GIT_CONFIG_KEY_0=tar.umask GIT_CONFIG_VALUE_0=0077 "
      .. "sh -c 'umask 077; make -s release'")
    assert.equal(0, status, output)
    assert.equal(slurp(made .. "SHA256SUMS"), slurp(other .. "/build/release/SHA256SUMS"))
  end)

  it("archives the files of the commit, for each user to read", function()
    local listed = lines_of(("tar -tvzf %s --utc | awk '{ print $4 }' | sort -u")
      :format(quote(made_file ".tar.gz")))
    assert.same({ "2026-12-01" }, listed)
    assert.same({}, lines_of(("tar -tvzf %s | grep -Ev '^(drwxr-xr-x|-rwxr-xr-x|-rw-r--r--|l)'")
      :format(quote(made_file ".tar.gz"))))
    assert.same(lines_of(("cd %s && git ls-files | sort"):format(quote(tree))),
      lines_of(("tar -tzf %s | sed -n 's|^pcapi-%s/\\(.*[^/]\\)$|\\1|p' | sort")
        :format(quote(made_file ".tar.gz"), VERSION)))
  end)

  it("makes a rockspec that builds what scm builds, from the archive", function()
    local rockspec = rockspecs.load(slurp(made_file "-1.rockspec"))
    local scm = rockspecs.load(slurp "pcapi-scm-1.rockspec")
    assert.equal(VERSION .. "-1", rockspec.version)
    assert.same(scm.build, rockspec.build)
    assert.same(scm.dependencies, rockspec.dependencies)
    assert.matches(("/v%s/pcapi-%s.tar.gz"):format(VERSION, VERSION), rockspec.source.url, 1, true)
    assert.equal(lines_of("md5sum <" .. quote(made_file ".tar.gz"))[1]:match "^%x+",
      rockspec.source.md5)
    assert.equal("pcapi-" .. VERSION, rockspec.source.dir)
  end)

  describe("makes an SBOM that", function()
    local sbom
    setup(function()
      sbom = cjson.decode(slurp(made_file ".cdx.json"))
    end)

    it("is valid by the schema of CycloneDX", function()
      assert.same({ "valid" }, lines_of("dev/node spec/release/sbom.mjs "
        .. quote(made_file ".cdx.json")))
    end)

    it("has the sum of the archive and the time of the commit", function()
      local component = sbom.metadata.component
      assert.same({ "pcapi", VERSION }, { component.name, component.version })
      assert.equal(DATE, sbom.metadata.timestamp)
      assert.equal(lines_of("sha256sum <" .. quote(made_file ".tar.gz"))[1]:match "^%x+",
        component.hashes[1].content)
    end)

    it("names each library that the built modules link, and what Lua loads", function()
      local NAMES = { libcurl = "curl", libssl = "openssl", libcrypto = "openssl", libz = "zlib",
                      libmicrohttpd = "libmicrohttpd", libsqlite3 = "sqlite" }
      local SYSTEM = { libc = true, libm = true }
      local expected = { argparse = true, lua = true, ["lua-cjson"] = true }
      for _, name in ipairs(lines_of("readelf -d build/" .. _VERSION:match "%d+%.%d+"
        .. "/pcapi/*.so | sed -n 's/.*(NEEDED).*\\[\\([a-z0-9]*\\)\\.so.*/\\1/p'")) do
        if not SYSTEM[name] then
          expected[assert(NAMES[name], name)] = true
        end
      end
      local named = {}
      for _, component in ipairs(sbom.components) do
        named[component.name] = true
        assert.matches("^%d+%.%d", component.version)
      end
      assert.same(expected, named)
      assert.equal(#sbom.components, #sbom.dependencies[1].dependsOn)
    end)
  end)
end)

describe("make release refuses", function()
  local tree
  setup(function()
    tree = new_tree()
  end)
  teardown(folder.remove)

  local function expect_refusal(...)
    local output, status = run_in(tree, "lua5.4 dev/release build/release")
    assert.not_equal(0, status)
    for _, message in ipairs { ... } do
      assert.matches(message, output, 1, true)
    end
    assert.is_false(files.exists(tree .. "/build/release/SHA256SUMS"))
  end

  after_each(function()
    run("cd %s && git reset -q --hard \"$(git rev-list --max-parents=0 HEAD)\" && git clean -qfd",
      quote(tree))
  end)

  it("a version that the changelog does not have", function()
    folder.write(tree .. "/lua/pcapi/version.lua", 'return "9.8.7"\n')
    commit(tree)
    expect_refusal(("CHANGELOG.md begins with %s, but lua/pcapi/version.lua says 9.8.7: head its "
      .. "newest entry with ## 9.8.7 (YYYY-MM-DD)"):format(VERSION))
  end)

  it("a version that is not three numbers", function()
    folder.write(tree .. "/lua/pcapi/version.lua", 'return "1.0"\n')
    commit(tree)
    expect_refusal 'lua/pcapi/version.lua returns "1.0": it must be three numbers, as in 1.2.3'
  end)

  it("a changelog without an entry, without a date, or without a text", function()
    local path = tree .. "/CHANGELOG.md"
    local text = slurp(path)
    for changed, message in pairs {
      ["# Changelog\n"] = "CHANGELOG.md begins with no entry",
      [text:gsub("%(2026%-12%-01%)", "(unreleased)")] = ("CHANGELOG.md heads %s with "
        .. '"(unreleased)" in place of the date'):format(VERSION),
      [text:gsub("(%(2026%-12%-01%)\n).*", "%1")] = "CHANGELOG.md has no text for " .. VERSION,
    } do
      folder.write(path, changed)
      commit(tree)
      expect_refusal(message)
    end
  end)

  it("files that are not committed", function()
    folder.write(tree .. "/README.md", "changed")
    folder.write(tree .. "/lua/pcapi/new.lua", "")
    expect_refusal("these files differ from the commit", " M README.md", "?? lua/pcapi/new.lua")
  end)

  it("a rockspec that lacks a file, lists a missing one, or is of another version", function()
    folder.write(tree .. "/lua/pcapi/new.lua", "")
    edit(tree .. "/pcapi-scm-1.rockspec", "lua/pcapi/url%.lua", "lua/pcapi/old.lua")
    folder.write(tree .. "/pcapi-9.8.7-1.rockspec", 'version = "9.8.7-1"\n')
    commit(tree)
    expect_refusal("pcapi-scm-1.rockspec does not list lua/pcapi/new.lua",
      "pcapi-scm-1.rockspec lists lua/pcapi/old.lua, which git does not have",
      "pcapi-9.8.7-1.rockspec is of version 9.8.7-1, but lua/pcapi/version.lua says " .. VERSION)
  end)

  it("a Debian changelog of another version", function()
    run("mkdir -p %s/debian", quote(tree))
    folder.write(tree .. "/debian/changelog", "pcapi (9.8.7~git1-1) unstable; urgency=low\n")
    commit(tree)
    expect_refusal("debian/changelog begins with 9.8.7~git1-1, but lua/pcapi/version.lua says "
      .. VERSION)
  end)

  it("a version that has the tag of another commit, and a tag of another version", function()
    run("git -C %s tag v%s", quote(tree), VERSION)
    folder.write(tree .. "/new", "")
    commit(tree)
    run("git -C %s tag v9.8.7", quote(tree))
    expect_refusal(("v%s is the tag of another commit: set a new version"):format(VERSION),
      "the commit has the tag v9.8.7, but lua/pcapi/version.lua says " .. VERSION)
  end)
end)
