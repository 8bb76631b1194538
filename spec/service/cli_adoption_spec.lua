--- `pcapi adoption`: the share, sums by application and by day, and a limit.
local cjson = require("cjson").new()
local sandbox = require "spec.support.sandbox"

local function run(...)
  local result = sandbox.pcapi({ "adoption", ... }, { PCAPI_TOKEN = sandbox.token() })
  assert.equal(0, result.status, result.err)
  return result
end

local function decoded(...)
  return cjson.decode(run("-o", "json", ...).out)
end

local function lines(text)
  local all = {}
  for line in text:gmatch "[^\r\n]+" do
    all[#all + 1] = line
  end
  return all
end

-- The sums of rows by a field.
local function sums_of(rows, field)
  local sums = {}
  for _, row in ipairs(rows) do
    local sum = sums[row[field]] or { 0, 0 }
    sums[row[field]] = { sum[1] + row.mfaCompliantRequestCount, sum[2] + row.totalRequestCount }
  end
  return sums
end

describe("the share", function()
  it("is whole percent in JSON, rounded down, and null without requests", function()
    local unknown = 0
    for _, row in ipairs(decoded()) do
      if row.totalRequestCount == 0 then
        unknown = unknown + 1
        assert.equal(cjson.null, row.share)
      else
        assert.equal(math.floor(100 * row.mfaCompliantRequestCount / row.totalRequestCount),
          row.share)
      end
      assert.equal(row.applicationName or row.applicationId, row.application)
    end
    assert.is_true(unknown > 0)
  end)

  it("is in JSON Lines and in CSV, as the last column there", function()
    assert.is_number(cjson.decode(lines(run("-o", "jsonl").out)[1]).share)
    local rows = lines(run("-o", "csv").out)
    assert.equal("loginDate,applicationName,mfaCompliantRequestCount,totalRequestCount,"
      .. "applicationId,application,share", rows[1])
    assert.truthy(rows[2]:find ",%d+$")
  end)

  it("can be chosen by --columns, with the application", function()
    local rows = lines(run("-o", "csv", "--columns", "application,share").out)
    assert.equal("application,share", rows[1])
    assert.truthy(rows[2]:find "^[^,]+,%d+$")
    rows = lines(run("--columns", "share,application").out)
    assert.equal("SHARE  APPLICATION", rows[1])
    assert.truthy(rows[2]:find "^%d+%%")
  end)

  it("can be chosen if there are no rows", function()
    assert.equal("application,share\r\n", run("-o", "csv", "--columns", "application,share",
      "--application", "nothing").out)
  end)
end)

describe("--by application", function()
  it("adds up the days, the lowest share first", function()
    local found = decoded("--by", "application")
    local sums, last = sums_of(decoded(), "applicationId"), -1
    assert.is_true(#found > 1)
    for _, row in ipairs(found) do
      assert.same(sums[row.applicationId], { row.mfaCompliantRequestCount, row.totalRequestCount })
      assert.equal(math.floor(100 * row.mfaCompliantRequestCount / row.totalRequestCount),
        row.share)
      assert.is_true(row.share >= last)
      assert.is_nil(row.loginDate)
      last = row.share
    end
  end)

  it("is a table with a summary", function()
    local result = run("--by", "application")
    assert.truthy(lines(result.out)[1]:find "^APPLICATION +WITH MFA +ALL +SHARE$")
    assert.equal("pcapi: 3 applications.\n", result.err)
  end)
end)

describe("--by day", function()
  it("adds up the applications, the newest day first", function()
    local found = decoded("--by", "day")
    local sums, last = sums_of(decoded(), "loginDate"), "9"
    assert.is_true(#found > 1)
    for _, row in ipairs(found) do
      assert.same(sums[row.loginDate], { row.mfaCompliantRequestCount, row.totalRequestCount })
      assert.is_true(row.loginDate < last)
      assert.is_nil(row.applicationId)
      last = row.loginDate
    end
  end)

  it("is a table with a summary", function()
    local result = run("--by", "day")
    assert.truthy(lines(result.out)[1]:find "^DAY +WITH MFA +ALL +SHARE$")
    assert.equal("pcapi: 7 days.\n", result.err)
  end)

  it("is CSV", function()
    assert.equal("loginDate,mfaCompliantRequestCount,totalRequestCount,share",
      lines(run("--by", "day", "-o", "csv").out)[1])
  end)
end)

describe("--below", function()
  local function shares(...)
    local found = {}
    for i, row in ipairs(decoded(...)) do
      found[i] = row.share
    end
    return found
  end

  it("lists the rows with a smaller share", function()
    local all, below = shares(), shares("--below", "60")
    local expected = 0
    for _, share in ipairs(all) do
      expected = expected + ((share ~= cjson.null and share < 60) and 1 or 0)
    end
    assert.is_true(expected > 0 and expected < #all)
    assert.equal(expected, #below)
    assert.equal(("pcapi: %d of %d records match.\n"):format(expected, #all),
      run("--below", "60").err)
  end)

  it("applies to the sums of --by", function()
    local all = shares("--by", "application")
    local limit = all[2]
    assert.same({ all[1] }, shares("--by", "application", "--below", tostring(limit)))
    assert.equal("pcapi: 1 of 3 applications match.\n",
      run("--by", "application", "--below", tostring(limit)).err)
    assert.equal("pcapi: None of 7 days matches.\n", run("--by", "day", "--below", "1").err)
  end)

  it("takes a percentage", function()
    for _, value in ipairs { "0", "101", "half", "" } do
      local result = sandbox.pcapi { "adoption", "--below", value }
      assert.equal(2, result.status)
      assert.truthy(result.err:find("--below must be a positive number from 1 to 100", 1, true),
        result.err)
    end
  end)
end)
