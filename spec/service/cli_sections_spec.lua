--- Reserved sections of the configuration file, as the command sees them.
local cjson = require("cjson").new()
local folder = require "spec.support.folder"
local sandbox = require "spec.support.sandbox"

local RESERVED = "[history]\npath = /x\n[metrics]\n[report]\n[notify siem]\ntype = jsonl\n"
  .. "path = siem.jsonl\n[route all]\nchannels = siem\n"

describe("a reserved section of the configuration file", function()
  teardown(folder.remove)

  -- The command with a configuration of this text.
  local function run(text, ...)
    local home = folder.new()
    return sandbox.pcapi({ "--config", folder.write(home .. "/config", text), ... },
      { HOME = home, PCAPI_TOKEN = false })
  end

  it("is not listed by status --all-profiles", function()
    local result = run(RESERVED .. "[a]\n[profile report]\n", "status", "--all-profiles", "--json")
    local names = {}
    for i, facts in ipairs(cjson.decode(result.out).profiles) do
      names[i] = facts.profile
    end
    assert.same({ "a", "report" }, names)
  end)

  it("is not queried by non-mfa --all-profiles", function()
    local result = run(RESERVED .. "[a]\n", "non-mfa", "--all-profiles")
    assert.equal(4, result.status)
    assert.truthy(result.err:find("pcapi: a: sign_in_required", 1, true), result.err)
    assert.truthy(result.err:find("1 of 1 tenants failed", 1, true), result.err)
    result = run(RESERVED, "non-mfa", "--all-profiles")
    assert.same({ 4, "" }, { result.status, result.out })
    assert.truthy(result.err:find("sign_in_required: ", 1, true), result.err)
  end)

  it("is not listed among the profiles by config show", function()
    local err = run(RESERVED .. "[b]\n[profile a]", "config", "show").err
    assert.truthy(err:find("profiles in it: a, b\n", 1, true), err)
  end)

  it("is no profile for --profile, and the message names the cure", function()
    for _, command in ipairs { "status", "login", "non-mfa" } do
      local result = run(RESERVED, "--profile", "history", command)
      assert.same({ 1, "" }, { result.status, result.out })
      assert.truthy(result.err:find('^pcapi: config: "history" is reserved as a plain section '
        .. "%(%[history%] in /%S+/config:1%), so it names no profile %(flag %-%-profile%)%. Write "
        .. "%[profile history%]"), result.err)
    end
  end)
end)
