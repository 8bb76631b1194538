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

local MORE = { { "pcapi_on", "gauge", "Whether it is on.", "list", "tenant" },
               { "pcapi_runs_total", "counter", "Runs." } }

describe("metrics as text", function()
  it("have help and type once, before all samples of the metric", function()
    local page = metrics.new(MORE)
    page:set("pcapi_on", 1, { list = "users" })
    page:set("pcapi_runs_total", 7)
    page:set("pcapi_on", 0, { list = "requests" })
    assert.truthy(page:text():find([[
# HELP pcapi_on Whether it is on.
# TYPE pcapi_on gauge
pcapi_on{list="users"} 1
pcapi_on{list="requests"} 0
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
    page:set("pcapi_on", 1, { tenant = "fabrikam", list = "users" })
    assert.same({ 'pcapi_on{list="users",tenant="fabrikam"} 1' }, samples_of(page))
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

  it("show characters that change how a text looks, and no control characters", function()
    local page = metrics.new { { "a", "gauge", "A.", "b" } }
    page:set("a", 1, { b = "moc\226\128\174.evil\0\r\27[2J" })
    assert.same({ 'a{b="moc\\\\u{202e}.evil\239\191\189\239\191\189\239\191\189[2J"} 1' },
      samples_of(page))
  end)

  it("cut a long label, between two characters", function()
    local page = metrics.new { { "a", "gauge", "A.", "b" } }
    page:set("a", 1, { b = ("x"):rep(199) .. "\195\188" .. ("y"):rep(300) })
    assert.same({ 'a{b="' .. ("x"):rep(199) .. '\226\128\166"} 1' }, samples_of(page))
    page = metrics.new { { "a", "gauge", "A.", "b" } }
    page:set("a", 1, { b = ("x"):rep(200) })
    assert.same({ 'a{b="' .. ("x"):rep(200) .. '"} 1' }, samples_of(page))
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
    page:set("pcapi_on", nil, { list = "users" })
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

local TENANT = "5f0b3c1e-0000-4000-8000-0000000000aa"
local OTHER = "5f0b3c1e-0000-4000-8000-0000000000ab"

local function applications(count)
  local rows = {}
  for i = 1, count do
    rows[i] = { applicationId = "a" .. i, applicationName = "A" .. i, totalRequestCount = 100 - i,
                mfaCompliantRequestCount = i }
  end
  return adoption.of(rows)
end

describe("the metrics of a tenant", function()
  it("are those of its facts", function()
    local page = metrics.new()
    page:set_tenant {
      id = TENANT, name = "fabrikam", sign_in_until = 1803621600, silent = { "b" },
      lists = { users = { at = 1795845600, is_up = true, is_cut = true },
                requests = { is_up = false }, adoption = { at = 1795845600, is_up = true,
                                                           is_cut = false } },
      users = { count = 25, new_count = 2, healing_count = 3, excepted_count = 1,
                oldest_open = 1795759200 },
      requests = { count = 40, coverage = 0.5 },
      adoption = adoption.of { { applicationId = "a", applicationName = "Alpha",
                                 mfaCompliantRequestCount = 3, totalRequestCount = 4 } },
    }
    assert.same({
      'pcapi_up{tenant="fabrikam",list="users"} 1', 'pcapi_up{tenant="fabrikam",list="requests"} 0',
      'pcapi_up{tenant="fabrikam",list="adoption"} 1',
      'pcapi_list_timestamp_seconds{tenant="fabrikam",list="users"} 1795845600',
      'pcapi_list_timestamp_seconds{tenant="fabrikam",list="adoption"} 1795845600',
      'pcapi_list_truncated{tenant="fabrikam",list="users"} 1',
      'pcapi_list_truncated{tenant="fabrikam",list="adoption"} 0',
      'pcapi_non_mfa_users{tenant="fabrikam"} 25', 'pcapi_non_mfa_new_users{tenant="fabrikam"} 2',
      'pcapi_non_mfa_healing_users{tenant="fabrikam"} 3',
      'pcapi_non_mfa_excluded_users{tenant="fabrikam"} 1',
      'pcapi_non_mfa_oldest_open_timestamp_seconds{tenant="fabrikam"} 1795759200',
      'pcapi_non_mfa_requests{tenant="fabrikam"} 40',
      'pcapi_request_coverage_ratio{tenant="fabrikam"} 0.5',
      'pcapi_adoption_requests{tenant="fabrikam",application_id="a",application="Alpha"} 4',
      'pcapi_adoption_ratio{tenant="fabrikam",application_id="a",application="Alpha"} 0.75',
      'pcapi_application_silent{tenant="fabrikam",application_id="b"} 1',
      'pcapi_sign_in_expires_timestamp_seconds{tenant="fabrikam"} 1803621600',
    }, samples_of(page))
  end)

  it("are grouped by metric for several tenants", function()
    local page = metrics.new()
    page:set_tenant { name = "fabrikam", users = { count = 1 } }
    page:set_tenant { id = OTHER, users = { count = 2 }, requests = { count = 3 } }
    page:set_tenant { users = { count = 4 } }
    assert.same({ 'pcapi_non_mfa_users{tenant="fabrikam"} 1',
                  'pcapi_non_mfa_users{tenant="' .. OTHER .. '"} 2', "pcapi_non_mfa_users 4",
                  'pcapi_non_mfa_requests{tenant="' .. OTHER .. '"} 3' }, samples_of(page))
  end)

  it("have the id where two tenants have one name, also a long one", function()
    for _, name in ipairs { "fabrikam", ("\195\188"):rep(250) } do
      local page = metrics.new()
      page:set_tenant { id = TENANT, name = name, users = { count = 1 } }
      page:set_tenant { id = OTHER, name = name, users = { count = 2 } }
      page:set_tenant { id = TENANT, name = name, users = { count = 3 } } -- the first one again
      local samples = samples_of(page)
      assert.equal(2, #samples)
      assert.matches("3$", samples[1])
      assert.matches(" (" .. OTHER .. ')"} 2', samples[2], 1, true)
    end
  end)

  it("have the 20 busiest applications, and the others as one", function()
    local page = metrics.new()
    page:set_tenant { adoption = applications(20) }
    assert.equal(40, #samples_of(page))
    page = metrics.new()
    page:set_tenant { adoption = applications(23) }
    local samples = samples_of(page)
    assert.equal(42, #samples)
    assert.equal('pcapi_adoption_requests{application_id="a20",application="A20"} 80', samples[20])
    assert.equal('pcapi_adoption_requests{application_id="other",application="other"} 234',
      samples[21])
    assert.matches("^pcapi_adoption_ratio{application_id=\"other\",application=\"other\"} 0.28",
      samples[42])
  end)

  it("are missing without facts, or for an application without requests", function()
    local page = metrics.new()
    page:set_tenant {}
    page:set_tenant { users = {}, requests = {}, adoption = {}, lists = {} }
    assert.same({}, samples_of(page))
    page:set_tenant { adoption = adoption.of { { applicationId = "a" } } }
    assert.same({ 'pcapi_adoption_requests{application_id="a",application=""} 0' },
      samples_of(page))
  end)
end)

describe("the metrics of runs", function()
  it("have no label", function()
    local page = metrics.new()
    page:set_run { last_success = 1795845600, duration = 1.5 }
    assert.same({ "pcapi_run_last_success_timestamp_seconds 1795845600",
                  "pcapi_run_duration_seconds 1.5" }, samples_of(page))
  end)

  it("say how many notices wait, by channel", function()
    local page = metrics.new()
    page:set_run { waiting = { pager = 0, ops = 3 } }
    assert.same({ 'pcapi_notices_pending{channel="ops"} 3',
                  'pcapi_notices_pending{channel="pager"} 0' }, samples_of(page))
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
    raises(function() page:set("pcapi_on", 1, { lists = "x" }) end, 'pcapi_on has no label "lists"')
    raises(function() page:set("pcapi_on", "1") end, "must be a number, not a string")
  end)
end)
