local retention = require "pcapi.history.retention"

local NOW = 1795845600 -- 2026-11-28T06:00:00Z
local DAY = 86400

describe("the settings of retention", function()
  it("have defaults", function()
    assert.same({ keep_requests = 90, keep_findings = 400, keep_notices = 30 }, retention.check {})
  end)

  it("can be set one by one", function()
    assert.same({ keep_requests = 8, keep_findings = 400, keep_notices = 1 },
      retention.check { keep_requests = 8, keep_notices = 1 })
  end)

  for name, settings in pairs {
    ["a week of requests: the service lists them again"] = { keep_requests = 7 },
    ["half a day"] = { keep_notices = 0.5 }, ["a text"] = { keep_findings = "400" },
    ["a thousand years"] = { keep_findings = 365000 }, ["NaN"] = { keep_requests = 0 / 0 },
  } do
    it("cannot be " .. name, function()
      local checked, problem = retention.check(settings)
      assert.is_nil(checked)
      assert.truthy(problem:find("^" .. next(settings) .. " must be a whole number of days, from "))
    end)
  end
end)

describe("the history deletes", function()
  local LIMITS = retention.limits(retention.check {}, NOW)

  it("requests after 90 days, findings 400 days after they were closed", function()
    assert.equal(NOW - 90 * DAY, LIMITS.requests)
    assert.equal(NOW - 400 * DAY, LIMITS.findings)
  end)

  local function is_over(age, ...)
    local readers = {}
    for i, id in ipairs { ... } do
      readers[i] = { told = id }
    end
    return retention.is_over({ id = 5, at = NOW - age * DAY }, LIMITS, readers)
  end

  it("events after 30 days, if every reader was told", function()
    assert.is_true(is_over(31, 5, 9))
    assert.is_false(is_over(30, 5, 9))
    assert.is_false(is_over(31, 5, 4))
  end)

  it("events after 400 days, also if a reader never came", function()
    assert.is_true(is_over(401, 4))
    assert.is_false(is_over(400, 4))
  end)

  it("shortens what the requests cover", function()
    local covered = { from = NOW - 100 * DAY, to = NOW, newest = NOW - 1 }
    assert.same({ from = NOW - 90 * DAY, to = NOW, newest = NOW - 1 },
      retention.covered(covered, LIMITS))
    covered.from = NOW - 90 * DAY
    assert.equal(covered, retention.covered(covered, LIMITS))
    assert.is_nil(retention.covered(nil, LIMITS))
    assert.same({ from = NOW - 99 * DAY, to = NOW - 99 * DAY },
      retention.covered({ from = NOW - 100 * DAY, to = NOW - 99 * DAY }, LIMITS))
  end)
end)
