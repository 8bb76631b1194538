--- Every example of the help, which the man pages repeat, runs against the sandbox as it stands.
local commands = require "pcapi.cli.commands"
local files = require "spec.support.files"
local help = require "pcapi.cli.help"
local history = require "pcapi.history"
local homes = require "spec.support.home"
local lists = require "spec.support.history_lists"
local recorded = require "spec.support.recorded"
local sandbox = require "spec.support.sandbox"

-- The pages with examples.
local PAGES = { { "pcapi", {} } }
for _, entry in ipairs(commands.all()) do
  local words = {}
  for word in entry.path:gmatch "%S+" do
    words[#words + 1] = word
  end
  PAGES[#PAGES + 1] = { "pcapi " .. entry.path, words }
end

-- The command lines below the heading "Examples", and the text on each.
local function examples_of(text)
  local found, about = {}, nil
  local part = text:match "\nExamples:\n(.*)$":gsub(" \\\n%s+", " ")
  for written in part:gmatch "[^\n]+" do
    local line = written:match "^%s*(.-)$"
    about = line:match "^# (.*)$" or about
    if not line:find "^#" then
      found[#found + 1] = { line = line, about = about }
    end
  end
  return found
end

-- Programs that examples name: curl finds the sandbox at the address of the service, and gh only
-- stores what it reads.
local PROGRAMS = {
  curl = [[exec /usr/bin/curl -sfk --connect-to api.partnercenter.microsoft.com:443:%s "$@"]],
  gh = [[[ "$1 $2 $3" = "secret set PCAPI_REFRESH_TOKEN" ] && cat >secret]],
}

-- Signed in, with the profiles that the examples name, and with a history.
local prepared

setup(function()
  prepared = homes.new()
  for _, profile in ipairs { "default", "contoso" } do
    local result = prepared:shell(("pcapi -q login --browser --profile %s --client-id %s --tenant "
      .. "%s.onmicrosoft.com"):format(profile, homes.CLIENT,
        profile == "default" and "fabrikam" or profile))
    assert(result.status == 0, result.err)
  end
  local now = os.date "!%Y-%m-%dT%H:%M:%SZ"
  recorded.story(prepared, now .. " kim@fabrikam.example signs-in", { now })
  prepared:shell "mkdir -m 755 node-exporter"
  local other = assert(history.open(prepared.path .. "/host1.sqlite"))
  assert(other:observe { tenant = "5f0b3c1e-0000-4000-8000-0000000000ab", name = "contoso",
                         now = os.time(), users = lists.users(os.time(), {}) })
  other:close()
end)

teardown(function()
  prepared:remove()
end)

-- A copy of the home, so an example may sign out.
local function new_home()
  local home = prepared:copy()
  for name, script in pairs(PROGRAMS) do
    local path = home:write("bin/" .. name, "#!/bin/sh\n" .. script:format(
      sandbox.url:match "//(.*)$") .. "\n")
    os.execute("chmod +x " .. path)
  end
  home:write(".config/fish/completions/other.fish", "")
  return home
end

-- `source <(…)` is no command of sh.
local SHELLS = {
  ["source <(pcapi completion bash)"] = "bash -c '%s; complete -p pcapi'",
  ["source <(pcapi completion zsh)"] = "zsh -fc 'autoload -Uz compinit; compinit -u -D; %s; "
    .. "echo $_comps[pcapi]'",
}

local RESULTS = {
  ["pcapi token --refresh-token | gh secret set PCAPI_REFRESH_TOKEN"] = function(home)
    assert.truthy(files.slurp(home.path .. "/secret"):find "^%S+\n$")
  end,
  ["{ printf 'Authorization: Bearer '; pcapi token; } | curl "
    .. "-H @- https://api.partnercenter.microsoft.com/v1/partnerRequests"] = function(_, result)
    assert.truthy(result.out:find('"mfaCompliant"', 1, true), result.out)
  end,
}

for _, page in ipairs(PAGES) do
  describe("the help of " .. page[1], function()
    for _, example in ipairs(examples_of(help.of(page[2]))) do
      it(("has the example %q, which runs: %s"):format(example.about, example.line), function()
        local home = new_home()
        finally(function() home:remove() end)
        home:add_channel(example.line)
        local result = home:shell((SHELLS[example.line] or "%s"):format(example.line))
        assert.equal(0, result.status, result.err)
        if RESULTS[example.line] then
          RESULTS[example.line](home, result)
        end
      end)
    end
  end)
end

describe("the configuration file in the help of settings", function()
  it("is one that pcapi reads", function()
    local text = help.of { "settings" }:match "\n(  ca_file.-)\n\nAn option"
    local home = homes.new()
    finally(function() home:remove() end)
    home:write_config(text .. "\n")
    local result = home:run { "--profile", "contoso", "config", "show" }
    assert.equal(0, result.status, result.err)
    assert.truthy(result.out:find "tenant +contoso%.onmicrosoft%.com +profile contoso in",
      result.out)
  end)
end)

describe("the examples", function()
  it("include those that this spec knows", function()
    local is_example = {}
    for _, page in ipairs(PAGES) do
      for _, example in ipairs(examples_of(help.of(page[2]))) do
        is_example[example.line] = true
      end
    end
    for _, known in ipairs { SHELLS, RESULTS } do
      for line in pairs(known) do
        assert.is_true(is_example[line], line)
      end
    end
  end)

  it("are at least two for each command, and call it", function()
    for i = 2, #PAGES do
      local count = 0
      for _, example in ipairs(examples_of(help.of(PAGES[i][2]))) do
        local words = PAGES[i][1]:gsub("%-", "%%-")
        local is_version = PAGES[i][1] == "pcapi version"
        assert.truthy(is_version or example.line:find("%f[%w]" .. words .. "%f[^%w-]"),
          example.line)
        count = count + 1
      end
      assert.is_true(count >= 2, PAGES[i][1])
    end
  end)
end)
