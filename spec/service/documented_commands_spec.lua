--- Runs each command line of the README and the guides against the sandbox. A line that can run
-- nowhere but on a user's own machine or account stands in the list below, with the reason.
local documented = require "spec.support.documented"
local files = require "spec.support.files"
local homes = require "spec.support.home"
local markdown = require "spec.support.markdown"
local sandbox = require "spec.support.sandbox"

local DOCUMENTS = files.lines_of "ls README.md docs/*.md examples/*/README.md"
local CLIENT = "00000000-0000-0000-0000-000000000000"

local CI = "CI runs it: minutes, and it changes files of this folder"
local SYSTEM = "changes the system"
local CANNOT_RUN = {
  ["make test"] = "this spec is part of it",
  ["make lint"] = CI, ["make docs"] = CI, ["make types"] = CI, ["make sanitize"] = CI,
  ["make valgrind"] = CI, ["make fuzz"] = CI, ["make test-page"] = CI,
  ["make coverage"] = "takes minutes and builds a second core",
  ["make bench"] = "takes an hour and writes bench/RESULTS.md",
  ["make bench-nginx"] = "takes minutes and needs an idle machine",
  ["make soak"] = "takes five minutes",
  ["make long"] = "takes hours",
  ["make nginx-demo"] = "runs until Ctrl-C; make test-page starts the same page",
  ["sudo make install"] = SYSTEM, ["sudo make install-nginx"] = SYSTEM,
}

local all, in_documents = {}, {}
for _, path in ipairs(DOCUMENTS) do
  for _, line in ipairs(documented.of(path)) do
    all[#all + 1] = line
    in_documents[line.text] = true
  end
end

-- Signed in, with the profiles and the files that the examples name.
local prepared

setup(function()
  prepared = homes.new()
  for _, profile in ipairs { "default", "contoso" } do
    local result = prepared:shell(("pcapi -q login --browser --profile %s --client-id %s --tenant "
      .. "%s.onmicrosoft.com"):format(profile, CLIENT,
        profile == "default" and "fabrikam" or profile))
    assert(result.status == 0, result.err)
  end
end)

teardown(function()
  prepared:remove()
end)

-- make runs in this folder, and must not inherit the Lua of these specs.
local OF_MAKE = { "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "LUA", "LUA_PATH", "LUA_CPATH", "SPECS" }

local function make(words)
  return sandbox.shell(("env -u %s make %s"):format(table.concat(OF_MAKE, " -u "), words))
end

local function run_in(home, line)
  local words = line.text:match "^make ?(.*)$"
  if words then
    return make(words)
  end
  return home:shell(line.text)
end

local function expect_output(result, line)
  local at = 1
  for _, expected in ipairs(line.output or {}) do
    local first, last = result.out:find(expected, at, true)
    assert.truthy(first, ("%q is not in:\n%s"):format(expected, result.out))
    at = last + 1
  end
end

local RUN = {}

function RUN.sh(home, line)
  local result = run_in(home, line)
  assert.equal(0, result.status, result.err)
  expect_output(result, line)
end
RUN.console = RUN.sh

-- Like cron: sh, and no variables but HOME and those of the sandbox.
function RUN.crontab(home, line)
  assert.is_nil(line.text:find("%", 1, true), "cron takes % for a line end")
  local text = line.text:gsub("/usr/local/bin/pcapi", home:program())
  local function run_as_cron(environment)
    return home:shell(text, sandbox.merged({ PATH = "/usr/bin:/bin", BROWSER = false },
      environment))
  end
  local result = run_as_cron()
  assert.same({ 0, "", "" }, { result.status, result.out, result.err }) -- cron mails nothing

  local list = assert(text:match "mv %S+ \"$HOME/([^\"]+)\"$", "replaces no list")
  local before = files.slurp(home.path .. "/" .. list)
  assert.truthy(before:find "^upn,")
  result = run_as_cron { PCAPI_BASE_URL = sandbox.env "PCAPI_SANDBOX_CLOSED_URL",
                         PCAPI_TIMEOUT = "1" }
  assert.equal(6, result.status)
  assert.truthy(result.err:find("network", 1, true), result.err) -- cron mails the reason
  assert.equal(before, files.slurp(home.path .. "/" .. list))
end

for _, path in ipairs(DOCUMENTS) do
  describe(path, function()
    local home, block

    teardown(function()
      if home then
        home:remove()
      end
    end)

    -- The lines of a block run one after the other.
    local function home_for(line)
      if line.block ~= block then
        if home then
          home:remove()
        end
        home, block = prepared:copy(), line.block
      end
      return home
    end

    for _, line in ipairs(all) do
      if line.place:match "^[^:]+" == path and not CANNOT_RUN[line.text] then
        it("has a command line that runs: " .. line.text, function()
          RUN[line.block.language](home_for(line), line)
        end)
      end
    end
  end)
end

describe("the list of command lines that cannot run here", function()
  for text, reason in pairs(CANNOT_RUN) do
    it("has only lines that a document has: " .. text, function()
      assert.is_true(in_documents[text] and #reason > 10)
    end)

    local words = text:match "^make (.+)$" or text:match "^sudo make (.+)$"
    if words then
      it("names a target of make: " .. text, function()
        assert.equal(0, make("-n " .. words).status)
      end)
    end
  end
end)

describe("the documents", function()
  -- The languages whose blocks another spec runs or reads.
  local OTHERS = { lua = true, nginx = true, ini = true, text = true }

  local function each_block(visit)
    for _, path in ipairs(DOCUMENTS) do
      for _, block in ipairs(markdown.blocks(path)) do
        visit(block, ("%s:%d: %s"):format(path, block.line, block.language))
      end
    end
  end

  it("have code blocks only in languages that a spec can check", function()
    each_block(function(block, place)
      assert.is_true(documented.knows(block.language) or OTHERS[block.language] or false, place)
    end)
  end)

  it("have no command in a block of text, where this spec does not look for any", function()
    each_block(function(block, place)
      if block.language == "text" then
        for line in block.text:gmatch "[^\n]+" do
          assert.is_nil(line:match "^[$#]? ?pcapi %l" or line:match "^%$ ", place)
        end
      end
    end)
  end)
end)
