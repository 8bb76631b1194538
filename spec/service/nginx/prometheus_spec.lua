--- The metrics of `pcapi metrics` and of the page in a real Prometheus, with the rules and the
-- dashboard of share/.
local cjson = require("cjson").new()
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local history = require "pcapi.history"
local lists = require "spec.support.history_lists"
local nginx = require "spec.support.nginx"
local prometheus = require "spec.support.prometheus"
local sandbox = require "spec.support.sandbox"
local summary = require "pcapi.history.summary"
local time = require "pcapi.time"
local watched = require "spec.support.watched"

local ROOT = files.lines_of "pwd -P"[1]
local RULES = ROOT .. "/share/prometheus/pcapi.rules.yml"
local DAY = 86400
local TENANT = "5f0b3c1e-0000-4000-8000-0000000000aa"
local OTHER = "5f0b3c1e-0000-4000-8000-0000000000ab"
local HOSTILE = 'a "b" \\ c\nd \226\128\174e\226\128\172 {tenant="x"} 1 \255'
  .. ("\240\159\148\145"):rep(500)

local HTTP = ([[
  lua_shared_dict pcapi 10m;
  init_by_lua_block {
    package.path = "%s/examples/nginx/lua/?.lua;" .. package.path
    require "page.metrics"
    require "page.watch"
  }
  init_worker_by_lua_block { require("page.watch").start() }
]]):format(ROOT)
local SERVER = [[
  location = /metrics { content_by_lua_block { require("page.metrics").respond() } }
]]

local now, home, textfiles

local function day(back)
  return time.format_date(now - back * DAY)
end

-- Adoption of an application that went silent, and of one whose requests are half known.
local function adoption()
  local rows = {}
  for back = 10, 20 do
    rows[#rows + 1] = { day = day(back), application = "quiet", total = 5, with_mfa = 5 }
  end
  rows[#rows + 1] = { day = day(2), application = "busy", total = 4, with_mfa = 1,
                      name = HOSTILE }
  return rows
end

local function observe(opened, fields)
  local options = { users = lists.users(fields.now, {}), requests = lists.requests(fields.now, {}),
                    adoption = lists.adoption(fields.now, {}) }
  for name, value in pairs(fields) do
    options[name] = value
  end
  assert(opened:observe(options))
end

-- Tenants, one with all that there are metrics for.
local function make_history()
  local opened = assert(history.open(home.history))
  observe(opened, { tenant = TENANT, name = "fabrikam", now = now - DAY })
  observe(opened, {
    tenant = TENANT, name = "fabrikam", now = now, adoption = lists.adoption(now, adoption()),
    users = lists.users(now, { { id = "kim", at = now - 60 } }, { truncated = true }),
    requests = lists.requests(now, {
      { id = "1", user = "kim", at = now - 2 * DAY, application = "busy", mfa = false },
      { id = "2", user = "kim", at = now - 2 * DAY, application = "busy", mfa = false },
    }),
  })
  observe(opened, { tenant = OTHER, name = HOSTILE, now = now,
                    adoption = lists.adoption(now, adoption()) })
  assert(summary.write(opened, home.home .. "/summary/summary.json", now))
  opened:close()
end

local function start_page()
  return nginx.start { http = HTTP, server = SERVER, env = {
    "PCAPI_BASE_URL=" .. sandbox.url, "PCAPI_TOKEN=" .. sandbox.token { tid = TENANT },
    "PCAPI_SUMMARY=" .. home.home .. "/summary/summary.json",
  } }
end

-- A run for a third tenant writes the file.
local function write_textfile()
  home:configure "\n[metrics]\ntextfile = prom"
  local result = home:run(time.format(now))
  assert.same({ 0, "" }, { result.status, result.err })
end

setup(function()
  now = os.time()
  home = watched.tell("", { tenant = "5f0b3c1e-0000-4000-8000-0000000000ac" })
  textfiles = home.home .. "/prom"
  os.execute(("chmod 755 %s; mkdir -m 755 %s %s/summary"):format(home.home, textfiles, home.home))
  home:sign_in("default", TENANT, nil, {
    access_token = sandbox.token { tid = TENANT }, obtained_at = now - DAY, expires_at = now,
  })
  make_history()
end)

teardown(function()
  prometheus.stop_all()
  nginx.stop_all()
  folder.remove()
end)

describe("the rules of share/", function()
  it("are rules, and fire as their tests say", function()
    assert.matches("SUCCESS", curl.shell("promtool check rules " .. RULES .. " 2>&1"), 1, true)
    assert.matches("SUCCESS", curl.shell("nice -n 19 promtool test rules "
      .. "spec/prometheus/rules_test.yml 2>&1"), 1, true)
  end)
end)

describe("metrics", function()
  local page, server

  setup(function()
    write_textfile()
    page = start_page()
    local node = prometheus.node_exporter(textfiles)
    assert.is_true(nginx.wait_for(function()
      return page:get "/metrics".body:find "\npcapi_adoption_ratio{" ~= nil
    end))
    server = prometheus.start(RULES, { page = page.url:match "%d+$", node = node.port })
    assert.is_true(nginx.wait_for(function()
      return #server:query 'pcapi_up{list="users",job="page"}' == 1
        and #server:query 'pcapi_up{list="users",job="node"}' == 3
    end, 30))
  end)

  it("please promtool, from the file and from the page", function()
    assert.equal("", prometheus.complaint(files.slurp(textfiles .. "/pcapi.prom")))
    assert.equal("", prometheus.complaint(page:get "/metrics".body))
  end)

  it("are taken by node_exporter, whatever a tenant or an application is called", function()
    assert.equal("0", server:query "node_textfile_scrape_error"[1].value[2])
    local found = server:query 'pcapi_adoption_ratio{job="node",application_id="quiet"}'
    assert.equal(0, #found) -- for longer than 7 days
    found = server:query 'pcapi_application_silent{job="node",tenant!="fabrikam"}'
    assert.equal(1, #found)
    local name = found[1].metric.tenant
    assert.equal('a "b" \\ c\nd \\u{202e}e\\u{202c} {tenant="x"} 1 \239\191\189',
      name:match "^[%g\n ]*1 [\128-\255]?[\128-\255]?[\128-\255]?")
    assert.is_true(#name <= 153)
  end)

  it("have the same values and the same help from both, where both know them", function()
    for _, name in ipairs { "non_mfa_users", "non_mfa_new_users", "non_mfa_healing_users",
      "non_mfa_excluded_users", "non_mfa_oldest_open_timestamp_seconds", "request_coverage_ratio" }
    do
      local values = {}
      for _, found in ipairs(server:query(('pcapi_%s{tenant="fabrikam"}'):format(name))) do
        values[#values + 1] = found.value[2]
      end
      assert.same({ values[1], values[1] }, values, name)
    end
    for name, entries in pairs(cjson.decode(server:get "/api/v1/metadata".body).data) do
      assert.equal(1, #entries, name)
    end
  end)

  it("are what each panel of the dashboard shows", function()
    local dashboard = cjson.decode(files.slurp "share/grafana/pcapi.json")
    local count = 0
    for _, panel in ipairs(dashboard.panels) do
      for _, target in ipairs(panel.targets) do
        local query = target.expr:gsub("%$tenant", ".*")
        assert.is_nil(query:find("$", 1, true), query)
        assert.is_true(#server:query(query) > 0, panel.title .. ": " .. query)
        count = count + 1
      end
    end
    assert.is_true(count >= #dashboard.panels)
    assert.equal(3, #server:query "group by (tenant) (pcapi_up)")
  end)

  it("make the alerts fire, one of each tenant", function()
    local firing = {}
    assert.is_true(nginx.wait_for(function()
      firing = {}
      for _, found in ipairs(server:query 'ALERTS{alertstate="firing"}') do
        firing[#firing + 1] = found.metric.alertname .. " " .. found.metric.tenant
      end
      return #firing >= 2
    end, 30))
    table.sort(firing)
    assert.equal("PcapiNewUserWithoutMfa fabrikam", firing[#firing])
    for _, group in ipairs(cjson.decode(server:get "/api/v1/rules".body).data.groups) do
      for _, rule in ipairs(group.rules) do
        assert.equal("ok", rule.health, rule.name)
      end
    end
  end)
end)

describe("the dashboard", function()
  it("has panels that do not overlap, and the data source of its variable", function()
    local dashboard, places, ids = cjson.decode(files.slurp "share/grafana/pcapi.json"), {}, {}
    for _, panel in ipairs(dashboard.panels) do
      assert.is_nil(ids[panel.id])
      ids[panel.id] = true
      local at = panel.gridPos
      assert.is_true(at.x + at.w <= 24)
      for x = at.x, at.x + at.w - 1 do
        for y = at.y, at.y + at.h - 1 do
          assert.is_nil(places[x .. "," .. y], panel.title)
          places[x .. "," .. y] = true
        end
      end
      for _, target in ipairs(panel.targets) do
        assert.equal("${datasource}", target.datasource.uid)
      end
    end
  end)
end)
