--- The workflows of GitHub Actions.
local files = require "spec.support.files"
local folder = require "spec.support.folder"

local PATHS = files.lines_of "ls .github/workflows/*.yml"

local function check(path)
  return table.concat(files.lines_of(("dev/node spec/release/workflow.mjs '%s' 2>&1"):format(path)),
    "\n")
end

local function each_match(pattern, visit)
  local count = 0
  for _, path in ipairs(PATHS) do
    for line in files.slurp(path):gmatch "[^\n]+" do
      local first, second = line:match(pattern)
      if first then
        visit(first, second)
        count = count + 1
      end
    end
  end
  assert.is_true(count > 0)
end

describe("a workflow", function()
  teardown(folder.remove)

  for _, path in ipairs(PATHS) do
    it("is accepted by actionlint: " .. path, function()
      assert.equal("valid", check(path))
    end)

    it("gives no job more than the right to read the repository: " .. path, function()
      local text = files.slurp(path)
      assert.matches("\npermissions: {}\n", text, 1, true)
      local _, jobs = text:gsub("\n    runs%-on:", "")
      local _, rights = text:gsub("\n    permissions:\n      contents: read\n    %l", "")
      assert.equal(jobs, rights)
      assert.is_nil(text:find("write", 1, true))
      local _, checkouts = text:gsub("uses: actions/checkout@", "")
      local _, without = text:gsub("persist%-credentials: false", "")
      assert.equal(checkouts, without)
    end)
  end

  it("names each action by a commit, and says which version this is", function()
    each_match("uses: (%S+)(.*)", function(action, comment)
      assert.matches("^[%w-]+/[%w-]+@%x+$", action)
      assert.equal(40, #action:match "@(%x+)$")
      assert.matches("^ # v%d+%.%d+%.%d+$", comment)
    end)
  end)

  it("runs only targets and files that exist", function()
    local targets = " " .. files.slurp "Makefile":match "\n%.PHONY: ([^\n]*)" .. " "
    each_match("run: make (%S+)", function(target)
      assert.truthy(targets:find(" " .. target .. " ", 1, true), target)
    end)
    each_match("run: (%.%S+)", function(path)
      assert.is_true(files.exists(path), path)
    end)
    each_match("build %-f (%S+)", function(path)
      assert.is_true(files.exists(path), path)
    end)
  end)
end)

describe("the check of workflows", function()
  it("finds an unknown key and an unknown variable", function()
    local path = folder.write(folder.new() .. "/wrong.yml", (files.slurp(PATHS[1])
      :gsub("timeout%-minutes", "timeout"):gsub("github%.ref_type", "github.ref_typ")))
    local said = check(path)
    folder.remove()
    assert.matches('unexpected key "timeout"', said, 1, true)
    assert.matches('property "ref_typ" is not defined', said, 1, true)
  end)
end)
