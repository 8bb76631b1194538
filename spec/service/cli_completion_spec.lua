--- The completion scripts in real shells: a user types the beginning of a line and TAB.
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local pty = require "spec.support.pty"
local sandbox = require "spec.support.sandbox"

-- What is typed before TAB, and the arguments that pcapi gets then.
local CASES = {
  { "non-mfa --all-p", "non-mfa|--all-profiles" },
  { "requ", "requests" },
  { "config sh", "config|show" },
  { "help exit-", "help|exit-status" },
  { "status --profile k", "status|--profile|kim@work" },
  { "status --profile=k", "status|--profile=kim@work" },
  { "status --profile kim@", "status|--profile|kim@work" },
  { "profiles remove cont", "profiles|remove|contoso" },
  { "non-mfa --profile contoso --columns upn,obj",
    "non-mfa|--profile|contoso|--columns|upn,objectId" },
  { "requests --columns=requestI", "requests|--columns=requestId" },
  { "non-mfa -o cs", "non-mfa|-o|csv" },
  { "--cloud us", "--cloud|us_government" },
  { "non-mfa --tenants only", "non-mfa|--tenants|only list.txt" },
  { "non-mfa --tenants=only", "non-mfa|--tenants=only list.txt" },
  { "--ca-path only", "--ca-path|only" }, -- a file is no folder
  { "--ca-path fol", "--ca-path|folder" },
  { "non-mfa --user onl", "non-mfa|--user|onl" }, -- a user is no file
  { "status onl", "status|onl" },
  { "nonsense --bogus onl", "nonsense|--bogus|onl" },
}

local CONFIG = "[contoso]\ntenant = contoso.example\n[kim@work]\n"

-- Shows its arguments, except when the completion calls it.
local PROGRAM = [[#!/bin/sh
[ "$1" != completion ] || exec %s %s/bin/pcapi "$@"
IFS='|'
printf 'got<%%s>\n' "$*"
]]

local home

setup(function()
  home = folder.new()
  folder.write(home .. "/pcapi", PROGRAM:format(sandbox.lua, files.lines_of "pwd -P"[1]))
  folder.write(home .. "/config", CONFIG)
  folder.write(home .. "/bashrc", "PS1='$ '\nsource <(pcapi completion bash)\n")
  folder.write(home .. "/.zshrc", "PS1='$ '\nunsetopt automenu\nautoload -Uz compinit\n"
    .. "compinit -u -D\nsource <(pcapi completion zsh)\n")
  folder.write(home .. "/only list.txt", "contoso\n")
  assert(os.execute(("chmod +x %s/pcapi && mkdir %s/folder"):format(home, home)))
end)

teardown(folder.remove)

-- The start of a command in the folder of the user.
local function in_home(config)
  return ("cd %s && env PATH=%s:$PATH HOME=%s ZDOTDIR=%s TERM=dumb PCAPI_CONFIG=%s "):format(home,
    home, home, home, config or home .. "/config")
end

-- Types lines, each with a TAB. Returns the arguments that pcapi got, and the screen.
local function type_into(shell, lines, config)
  local typed = {}
  for i, line in ipairs(lines) do
    typed[i] = "pcapi " .. line .. "\t\n"
  end
  local result = pty.run(in_home(config) .. shell, table.concat(typed) .. "exit\n")
  local got = {}
  for words in result.screen:gmatch "\ngot<(.-)>\n" do
    got[#got + 1] = words:gsub("/$", "")
  end
  return got, result.screen
end

local LINES, EXPECTED = {}, {}
for i, case in ipairs(CASES) do
  LINES[i], EXPECTED[i] = case[1], case[2]
end

for name, shell in pairs {
  bash = "bash --noprofile --rcfile bashrc -i", zsh = "zsh -d -i",
} do
  describe("the completion of " .. name, function()
    it("completes commands, options, values, profiles, fields and paths", function()
      local got, screen = type_into(shell, LINES)
      assert.same(EXPECTED, got, screen)
    end)

    it("shows nothing if pcapi fails", function()
      local got, screen = type_into(shell, { "status --profile k", "non-mfa --all-p" }, "/nowhere")
      assert.same({ "status|--profile|k", "non-mfa|--all-profiles" }, got, screen)
      assert.is_nil(screen:find("/nowhere", 1, true), screen)
    end)

    it("offers all words if several begin alike", function()
      local _, screen = type_into(shell, { "non-mfa --output \t" })
      for _, format in ipairs { "table", "json", "jsonl", "csv" } do
        assert.truthy(screen:find("%f[%w]" .. format .. "%f[^%w]"), screen)
      end
    end)
  end)
end

describe("the completion of fish", function()
  local function complete(line, config)
    local result = sandbox.shell(in_home(config) .. "fish --no-config -c '"
      .. "source (pcapi completion fish | psub); complete -C \"pcapi " .. line .. "\"'")
    assert.same({ 0, "" }, { result.status, result.err })
    local found = {}
    for word, meaning in result.out:gmatch "([^\n\t]+)(%C*\t?[^\n]*)\n" do
      found[#found + 1] = { word, meaning:match "^\t(.*)$" }
    end
    return found
  end

  for _, case in ipairs(CASES) do
    local word = case[2]:match "[^|]*$"
    local is_complete = case[1]:sub(-#word) == word
    it((is_complete and "adds nothing to " or "completes ") .. case[1], function()
      local words = {}
      for i, found in ipairs(complete(case[1])) do
        words[i] = found[1]:gsub("/$", "")
      end
      assert.same({ not is_complete and word or nil }, words)
    end)
  end

  it("shows the meaning of each word", function()
    local found = complete "con"
    assert.same({ { "config", "Show the settings" } }, found)
  end)

  it("shows nothing if pcapi fails", function()
    assert.same({}, complete("status --profile k", "/nowhere"))
  end)
end)
