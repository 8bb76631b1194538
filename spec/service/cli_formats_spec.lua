--- The command with output formats that a program has registered.
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
    assert.truthy(result.err:find("'table', 'json', 'jsonl', 'csv', 'count'", 1, true), result.err)
  end)
end)
