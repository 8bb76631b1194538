local adoption = require "pcapi.report.adoption"
local metrics = require "pcapi.report.metrics"
local raises = require "spec.support.raises"

-- The samples alone, in their order.
local function samples_of(page)
  local samples = {}
  for line in page:text():gmatch "[^\n]+" do
    samples[#samples + 1] = line:sub(1, 1) ~= "#" and line or nil
  end
  return samples
end

local MORE = { { "pcapi_up", "gauge", "Whether it is up.", "list", "tenant" },
               { "pcapi_runs_total", "counter", "Runs." } }

describe("metrics as text", function()
  it("have help and type once, before all samples of the metric", function()
    local page = metrics.new(MORE)
    page:set("pcapi_up", 1, { list = "users" })
    page:set("pcapi_runs_total", 7)
    page:set("pcapi_up", 0, { list = "requests" })
    assert.truthy(page:text():find([[
# HELP pcapi_up Whether it is up.
# TYPE pcapi_up gauge
pcapi_up{list="users"} 1
pcapi_up{list="requests"} 0
# HELP pcapi_runs_total Runs.
# TYPE pcapi_runs_total counter
pcapi_runs_total 7
]], 1, true))
  end)

  it("end with a line end", function()
    assert.equal("\n", metrics.new():text():sub(-1))
  end)

  it("write labels in the order of the declaration", function()
    local page = metrics.new(MORE)
    page:set("pcapi_up", 1, { tenant = "fabrikam", list = "users" })
    assert.same({ 'pcapi_up{list="users",tenant="fabrikam"} 1' }, samples_of(page))
  end)

  it("escape backslashes, quotes and line ends", function()
    local page = metrics.new { { "a", "gauge", "one\\two\nthree", "b" } }
    page:set("a", 1, { b = 'x"\\\ny' })
    assert.same({ [[a{b="x\"\\\ny"} 1]] }, samples_of(page))
    assert.truthy(page:text():find("# HELP a one\\\\two\\nthree\n", 1, true))
  end)

  it("are valid UTF-8", function()
    local page = metrics.new { { "a", "gauge", "A.", "b" } }
    page:set("a", 1, { b = "k\255m" })
    assert.same({ 'a{b="k\239\191\189m"} 1' }, samples_of(page))
  end)

  it("have one sample for labels that become the same", function()
    local page = metrics.new { { "a", "gauge", "A.", "b" } }
    page:set("a", 1, { b = "k\255m" })
    page:set("a", 2, { b = "other" })
    page:set("a", 3, { b = "k\254m" })
    assert.same({ 'a{b="k\239\191\189m"} 3', 'a{b="other"} 2' }, samples_of(page))
  end)

  it("have no sample without a value", function()
    local page = metrics.new(MORE)
    page:set("pcapi_up", nil, { list = "users" })
    assert.same({}, samples_of(page))
  end)

  it("write every number that Prometheus reads", function()
    for value, text in pairs { [0.75] = "0.75", [12] = "12", [-3] = "-3", [1e21] = "1e+21",
                               [math.huge] = "+Inf", [-math.huge] = "-Inf" } do
      local page = metrics.new(MORE)
      page:set("pcapi_runs_total", value)
      assert.same({ "pcapi_runs_total " .. text }, samples_of(page))
    end
    local page = metrics.new(MORE)
    page:set("pcapi_runs_total", 0 / 0)
    assert.same({ "pcapi_runs_total NaN" }, samples_of(page))
  end)
end)

describe("the metrics of a report", function()
  it("are those of its facts", function()
    local page = metrics.new()
    page:set_report {
      users = { count = 25, new_count = 2 }, requests = { count = 40 },
      adoption = adoption.of { { applicationId = "a", applicationName = "Alpha",
                                 mfaCompliantRequestCount = 3, totalRequestCount = 4 } },
    }
    assert.same({
      "pcapi_non_mfa_users 25", "pcapi_non_mfa_new_users 2", "pcapi_non_mfa_requests 40",
      'pcapi_adoption_requests{application_id="a",application="Alpha"} 4',
      'pcapi_adoption_ratio{application_id="a",application="Alpha"} 0.75',
    }, samples_of(page))
  end)

  it("name their tenant, and are grouped by metric for several tenants", function()
    local page = metrics.new()
    page:set_report({ users = { count = 1 } }, "fabrikam")
    page:set_report({ users = { count = 2 }, requests = { count = 3 } }, "contoso")
    assert.same({ 'pcapi_non_mfa_users{tenant="fabrikam"} 1',
                  'pcapi_non_mfa_users{tenant="contoso"} 2',
                  'pcapi_non_mfa_requests{tenant="contoso"} 3' }, samples_of(page))
  end)

  it("are missing without facts, or for an application without requests", function()
    local page = metrics.new()
    page:set_report {}
    page:set_report { users = {}, requests = {}, adoption = {} }
    assert.same({}, samples_of(page))
    page:set_report { adoption = adoption.of { { applicationId = "a" } } }
    assert.same({ 'pcapi_adoption_requests{application_id="a",application=""} 0' },
      samples_of(page))
  end)
end)

describe("a caller of metrics", function()
  for name, family in pairs {
    ["is not the name of a metric"] = { "a b", "gauge", "A." },
    ["must be a gauge or a counter"] = { "a", "summary", "A." },
    ["is declared twice"] = { "pcapi_non_mfa_users", "gauge", "A." },
  } do
    it("gets an error at its line if a metric " .. name, function()
      raises(function() metrics.new { family } end, name)
    end)
  end

  it("gets an error at its line for an unknown metric, label or type of value", function()
    local page = metrics.new(MORE)
    raises(function() page:set("pcapi_down", 1) end, "pcapi_down is not declared")
    raises(function() page:set("pcapi_up", 1, { lists = "x" }) end, 'pcapi_up has no label "lists"')
    raises(function() page:set("pcapi_up", "1") end, "must be a number, not a string")
  end)
end)
