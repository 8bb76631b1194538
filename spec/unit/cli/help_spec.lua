--- The pages of the help, as texts.
local commands = require "pcapi.cli.commands"
local fields = require "pcapi.cli.fields"
local help = require "pcapi.cli.help"
local options = require "pcapi.cli.options"
local pages = require "pcapi.cli.pages"
local security = require "pcapi.service.resources.security"

local function split(name)
  local words = {}
  for word in name:gmatch "%S+" do
    words[#words + 1] = word
  end
  return words
end

-- Names of all pages.
local NAMES = { "" }
for _, entry in ipairs(commands.all()) do
  NAMES[#NAMES + 1] = entry.path
end
for _, topic in ipairs(help.TOPICS) do
  NAMES[#NAMES + 1] = topic
end

describe("the help", function()
  for _, name in ipairs(NAMES) do
    it("of pcapi " .. name .. " is ASCII, at most 80 columns wide", function()
      local text = help.of(split(name))
      assert.is_nil(text:find "[^\n\32-\126]", text)
      assert.is_nil(text:find " \n", text)
      assert.is_nil(text:find("\n\n\n", 1, true), text)
      for line in text:gmatch "[^\n]+" do
        assert.is_true(#line <= 80, line)
      end
    end)
  end

  it("of pcapi fits one screen, and names each command and topic", function()
    local text = help.of {}
    assert.is_true(select(2, text:gsub("\n", "\n")) <= 50, text)
    for _, list in ipairs { commands.names, help.TOPICS } do
      for _, name in ipairs(list) do
        assert.truthy(text:find("\n  " .. name .. "  ", 1, true), name)
      end
    end
  end)

  for _, entry in ipairs(commands.all()) do
    local command = entry.command

    it("of " .. entry.path .. " has a paragraph, examples and its options", function()
      local text = help.of(split(entry.path))
      assert.truthy(text:find("^Usage: pcapi " .. entry.path:gsub("%-", "%%-")), text)
      local about = type(command.about) == "table" and command.about[1] or command.about
      assert.truthy(text:gsub("\n", " "):find("  " .. about .. "  ", 1, true), text)
      assert.is_true(#command.examples >= 2)
      for _, option in ipairs(command.options or {}) do
        assert.truthy(text:find(option[#option], 1, true), option[#option])
      end
      assert.truthy(text:find("pcapi help options", 1, true))
      assert.truthy(text:find("--help", 1, true))
    end)
  end

  it("of login has all options that a sign-in takes", function()
    local text = help.of { "login" }
    for _, option in ipairs(options.GLOBAL) do
      if option.group == "Account" and option[1] ~= "--token-stdin" then
        assert.truthy(text:find("\n      " .. option[1] .. " ", 1, true), option[1])
      end
    end
  end)

  it("of options has the options of all commands", function()
    local text = help.of { "options" }
    for _, option in ipairs(options.GLOBAL) do
      assert.truthy(text:find("%s" .. option[#option]:gsub("%-", "%%-") .. "%s"), option[#option])
    end
  end)

  it("of environment has the variables of settings and options", function()
    local text = help.of { "environment" }
    local schema = require "pcapi.settings.schema"
    for _, list in ipairs { options.GLOBAL, schema.settings } do
      for _, item in ipairs(list) do
        assert.is_true(item.env == nil or text:find("\n  " .. item.env .. "%s") ~= nil, item.env)
        assert.equal(item.env and 1 or 0, item.env
          and select(2, text:gsub("\n  " .. item.env .. "%f[%s]", "")) or 0, item.env)
      end
    end
  end)
end)

describe("the fields in the help of a list", function()
  for name, call in pairs {
    ["non-mfa"] = "non_mfa_principals", adoption = "application_mfa_adoption_status",
    requests = "partner_requests",
  } do
    it("begin with those of the call, each with its meaning: " .. name, function()
      local found = pages.fields(commands.load(name))
      for i, column in ipairs(security[call].description.columns) do
        assert.equal(column, found[i][1])
      end
      for _, field in ipairs(found) do
        assert.truthy(field[2]:find "%a", field[1])
        assert.is_nil(field[2]:find "[`\n]", field[2])
      end
    end)
  end

  it("come from the doc comment of the call, not from that of another one", function()
    local SOURCE = [[
--- One.
-- @table one
-- @tfield string a of one

M.one = {
  description = {
  },
}

--- Two.
-- @table two
-- @tfield string a of two, such as `x`,
-- and more; see @{one}
-- @tfield number n
-- @tfield boolean b whether

--- Lists two.
-- @tparam table options
M.two = {
]]
    assert.same({ a = "of one" }, fields.read(SOURCE, "one"))
    assert.same({ a = "of two, such as x, and more; see one", n = "a number",
                  b = "true or false: whether" }, fields.read(SOURCE, "two"))
    assert.same({}, fields.read(SOURCE, "three"))
  end)
end)
