--- The man pages: they compile, and say what the help says.
local commands = require "pcapi.cli.commands"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local help = require "pcapi.cli.help"
local sandbox = require "spec.support.sandbox"

local pages

setup(function()
  pages = folder.new()
  local made = sandbox.shell(sandbox.lua .. " dev/manpages " .. pages)
  assert(made.status == 0, made.err)
  assert(sandbox.shell(("cd %s && for page in *.scd; do scdoc <$page >${page%%.scd} || exit; done")
    :format(pages)).status == 0)
end)

teardown(folder.remove)

-- The names of the pages, and the help on the same subject.
local HELP = { pcapi = help.of {} }
for _, topic in ipairs(help.TOPICS) do
  HELP.pcapi = HELP.pcapi .. help.of { topic }
end
for _, entry in ipairs(commands.all()) do
  local words = {}
  for word in entry.path:gmatch "%S+" do
    words[#words + 1] = word
  end
  HELP["pcapi-" .. entry.path:gsub(" ", "-")] = help.of(words)
end

local function shown(name)
  local result = sandbox.shell(("LC_ALL=C MANWIDTH=200 man --nh --nj -l %s/%s.1"):format(pages,
    name))
  assert.same({ 0, "" }, { result.status, result.err })
  return result.out
end

-- The words of a text that a pattern matches, as keys.
local function words_in(text, pattern)
  local set = {}
  for word in (" " .. text):gmatch(pattern) do
    set[word] = true
  end
  return set
end

describe("the man pages", function()
  it("are one for pcapi and one for each command", function()
    local expected = {}
    for name in pairs(HELP) do
      expected[#expected + 1] = name .. ".1.scd"
    end
    table.sort(expected)
    assert.same(expected, files.lines_of(("cd %s && LC_ALL=C ls *.scd"):format(pages)))
  end)

  for name, text in pairs(HELP) do
    it("have no error: " .. name, function()
      local lint = sandbox.shell(("mandoc -Tlint -W error %s/%s.1"):format(pages, name))
      assert.same({ 0, "" }, { lint.status, lint.out .. lint.err })
      local page = shown(name)
      for _, section in ipairs { "NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES", "SEE ALSO" } do
        assert.truthy(page:find("\n" .. section .. "\n", 1, true), page)
      end
      assert.truthy(page:find("\n%s+" .. name:gsub("%-", "%%-") .. " %- %u"), page)
    end)

    it("have the options and variables of the help, and no others: " .. name, function()
      local page = shown(name)
      assert.same(words_in(text, "[%s,(](%-%-%l[%l-]+)"), words_in(page, "[%s,(](%-%-%l[%l-]+)"))
      assert.same(words_in(text, "[%s,(](%u+_[%u_]+)"), words_in(page, "[%s,(](%u+_[%u_]+)"))
    end)

    it("have the examples of the help: " .. name, function()
      local page = shown(name)
      local found = 0
      for line in (text .. "\n"):match "\nExamples:\n(.-)\n\n":gmatch "[^\n]+" do
        assert.truthy(page:find(line, 1, true), line)
        found = found + 1
      end
      assert.is_true(found >= 4)
    end)
  end
end)
