--- The shapes of the command's output: --json, and formats that a program has registered.
local cjson = require("cjson").new()
local homes = require "spec.support.home"
local sandbox = require "spec.support.sandbox"

-- The command in a program that registers a format.
local function run(words)
  return sandbox.shell(([[PCAPI_TOKEN=%s %s -e '
    require("pcapi.format").register("count", {
      encode = function(list, options)
        return ("%%d records, %%s\n"):format(#list, table.concat(options.columns, " "))
      end,
    })
    os.exit(require("pcapi.cli").main { %s }, true)']]):format(
    sandbox.token { scenario = "records=3" }, sandbox.lua, words))
end

describe("a registered format", function()
  it("is a value of --output, with all fields or those of --columns", function()
    local result = run '"non-mfa", "-o", "count"'
    assert.same({ 0, "3 records, upn lastNonMfaCompliantLoginDateTime objectId tenantId\n", "" },
      { result.status, result.out, result.err })
    assert.equal("3 records, objectId\n",
      run('"non-mfa", "-o", "count", "--columns", "objectId"').out)
  end)

  it("is in the help and in the message for an unknown format", function()
    assert.truthy(run('"non-mfa", "--help"').out:find("table, json, jsonl, csv, count", 1, true))
    local result = run '"non-mfa", "-o", "xml"'
    assert.equal(2, result.status)
    assert.truthy(result.err:find("one of table, json, jsonl, csv, count", 1, true), result.err)
  end)
end)

describe("--json", function()
  local home

  before_each(function()
    home = homes.new()
    home:sign_in()
  end)

  after_each(function()
    home:remove()
  end)

  -- The name of each list of an object, and the number of its elements.
  local function shape_of(...)
    local result = home:run { ... }
    local found = {}
    for name, value in pairs(cjson.decode(result.out)) do
      found[name] = type(value) == "table" and #value or value
    end
    return found
  end

  it("is an object with a list in every command", function()
    assert.same({ profiles = 1 }, shape_of("status", "--json"))
    assert.same({ profiles = 1 }, shape_of("status", "--all-profiles", "--json"))
    assert.same({ steps = 12, status = "ok" }, shape_of("doctor", "--json"))
    assert.is_true(shape_of("config", "show", "--json").settings > 5)
  end)

  it("has the status of the whole test in doctor", function()
    assert.same({ steps = 12, status = "failed" },
      shape_of("--base-url", sandbox.env "PCAPI_SANDBOX_CLOSED_URL", "doctor", "--json"))
  end)
end)

describe("--output json", function()
  it("is one array, so that jq '.[]' reads it", function()
    local result = sandbox.pcapi({ "non-mfa", "-o", "json" },
      { PCAPI_TOKEN = sandbox.token { scenario = "records=2" } })
    assert.equal(2, #cjson.decode(result.out))
  end)
end)
