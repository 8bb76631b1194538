--- How the command treats the times of records, clocks that differ, and periods too long ago.
local cjson = require("cjson").new()
local sandbox = require "spec.support.sandbox"

-- `ahead`: seconds that the service's clock is ahead of this machine's.
local function run(arguments, scenario, ahead)
  return sandbox.pcapi(arguments, { PCAPI_TOKEN = sandbox.token {
    scenario = scenario or "", skew = ahead, exp = os.time() + math.max(ahead or 0, 0) + 3600,
  } })
end

local function rows(arguments, scenario, ahead)
  arguments[#arguments + 1] = "--output=json"
  local result = run(arguments, scenario, ahead)
  assert.equal(0, result.status, result.err)
  return #cjson.decode(result.out), result.err
end

describe("--since", function()
  local HOURS = 3600

  it("counts from the service's clock, and reports that this machine's clock differs", function()
    local two_days = rows { "requests", "--since", "48h" }
    local count, said = rows({ "requests", "--since", "24h" }, nil, -24 * HOURS)
    assert.equal(two_days, count)
    assert.truthy(said:find("this machine's clock is 1440 minutes ahead of the service's", 1, true))
    local one_day = rows { "requests", "--since", "24h" }
    count, said = rows({ "-q", "requests", "--since", "44h" }, nil, 20 * HOURS)
    assert.equal(one_day, count)
    assert.truthy(said:find("clock is 1200 minutes behind the service's", 1, true))
  end)

  it("does not report clocks that differ by a minute", function()
    local _, said = rows({ "requests", "--since", "24h" }, nil, 60)
    assert.equal("", said)
  end)

  it("reports that it goes back further than the service covers", function()
    local result = run { "non-mfa", "--since", "30d" }
    assert.equal(0, result.status)
    assert.truthy(result.err:find "covers, which is 7 days: records before %d+%-%d+%-%d+T")
    local _, said = rows { "non-mfa", "--since", "7d" }
    assert.equal("", said)
  end)

  it("lists records without a readable time, and counts them", function()
    local count, said = rows({ "non-mfa", "--since", "1s" }, "records=10; odd_times=1")
    assert.equal(5, count)
    assert.truthy(said:find("5 records have no readable time", 1, true), said)
    local result = run({ "non-mfa", "--since", "1s" }, "records=2; odd_times=1")
    assert.equal(0, result.status)
    assert.truthy(result.err:find("1 record has no readable time", 1, true), result.err)
  end)

  it("accepts each example of its error message", function()
    local offered = run({ "non-mfa", "--since", "lately" }).err
    for _, since in ipairs { "24h", "today", "yesterday", "2024-02-03", "2024-02-03T07:08",
                             "2024-02-03T07:08:09Z", "1706944089" } do
      assert.truthy(offered:find(since, 1, true), since)
      assert.equal(0, run({ "non-mfa", "--since", since }, "records=1").status)
    end
  end)

  it("accepts epoch seconds, times without seconds and times with a zone", function()
    local at = os.time() - 30 * HOURS
    at = at - at % 60
    local expected = rows { "requests", "--since", tostring(at) }
    assert.is_true(expected > 1)
    for _, since in ipairs { os.date("!%Y-%m-%dT%H:%M", at), os.date("!%Y-%m-%d %H:%M", at),
                             os.date("!%Y-%m-%dT%H:%MZ", at),
                             os.date("!%Y-%m-%dT%H:%M+02:00", at + 2 * HOURS) } do
      assert.equal(expected, rows { "requests", "--since", since })
    end
  end)
end)

describe("a list of several pages", function()
  it("reports which page failed", function()
    local result = run({ "requests" }, "page=20; on_page=3; status=403; error=A; code=900308")
    assert.equal(4, result.status)
    assert.truthy(result.err:find("page 3 of the list, after 40 records", 1, true), result.err)
    result = run({ "requests" }, "page=20; on_page=2; status=404; error=A")
    assert.equal(1, result.status)
    assert.truthy(result.err:find("page 2 of the list, after 20 records", 1, true), result.err)
    assert.is_nil(result.err:find("base_url", 1, true))
  end)
end)

describe("a refusal that names a user like noMFA", function()
  it("is not taken for one about MFA", function()
    local result = run({ "non-mfa" }, "status=403; error=A; code=2000; text=User "
      .. "'No MFA' (svc-noMFA@contoso.example) is not allowed")
    assert.equal(4, result.status)
    assert.truthy(result.err:find("forbidden: ", 1, true), result.err)
  end)
end)
