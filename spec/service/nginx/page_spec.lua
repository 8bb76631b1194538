-- The Lua code of examples/nginx: odd records, tenants and settings. spec/browser tests the page in
-- a browser.
local cjson = require "cjson"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local free_port = require "spec.support.free_port"
local nginx = require "spec.support.nginx"
local page_server = require "spec.support.page"
local redis = require "spec.support.redis"
local sandbox = require "spec.support.sandbox"

local TENANT, OTHER = "11111111-0000-0000-0000-000000000000", "22222222-0000-0000-0000-000000000000"

after_each(function()
  nginx.stop_all()
  redis.stop_all()
  folder.remove()
end)

-- Starts the page. `is_less` sorts the env directives.
local function start(env, http, is_less)
  return page_server.start(env, { http = http, is_less = is_less })
end

-- Returns the address and the configuration of a service whose three lists are these JSON texts.
local function service(texts)
  local path, port = sandbox.env("PCAPI_SANDBOX_CA"):match "^(.*)/", free_port()
  local locations = {}
  for call, text in pairs(texts) do
    local body = folder.write(folder.new() .. "/body", text)
    locations[#locations + 1] = ([[location = /v1/%s {
      default_type application/json;
      content_by_lua_block { ngx.print(io.open(%q):read "*a") }
    }]]):format(call, body)
  end
  return "https://localhost:" .. port, ([[server {
    listen 127.0.0.1:%s ssl;
    ssl_certificate %s/localhost.pem;
    ssl_certificate_key %s/leaf.key;
    %s
  }]]):format(port, path, path, table.concat(locations, "\n"))
end

local function page_with(users, adoption, requests)
  local url, http = service {
    nonMfaCompliantPartnerPrincipals = '{"items":[' .. users .. "]}",
    applicationmfaadoptionstatus = '{"items":[' .. adoption .. "]}",
    partnerRequests = '{"items":[' .. requests .. "]}",
  }
  return start({ PCAPI_BASE_URL = url, PCAPI_TOKEN = sandbox.token() }, http)
end

local function list_of(page, name)
  local response = page:get("/api/" .. name)
  assert.equal(200, response.status, response.body)
  return cjson.decode(response.body)
end

-- Values that no documentation mentions, as JSON.
local ODD = { '"abc"', "-1e308", "-5", "1e308", "true", "false", "null", "{}", "[]", '""',
              '{"a":[1,{"b":null}]}', "[[[1]]]", "0.5", '"<img src=x onerror=alert(1)>"',
              '"\\u0000\\ud83d\\ude00"', "99999999999999999999", '"12"' }

local function rows(template)
  local all = {}
  for i, value in ipairs(ODD) do
    all[i] = template:gsub("@", function() return value end)
  end
  return table.concat(all, ",")
end

local NOW = os.date "!%Y-%m-%dT%H:%M:%SZ"
local GOOD_USER = ('{"upn":"good@x.example","objectId":"good",'
  .. '"lastNonMfaCompliantLoginDateTime":%q}')
  :format(NOW)
local GOOD_ROW = ('{"loginDate":%q,"applicationId":"good","applicationName":"Good",'
  .. '"mfaCompliantRequestCount":3,"totalRequestCount":4}'):format(NOW:sub(1, 10))
local GOOD_REQUEST = ('{"requestDateTime":%q,"upn":"good@x.example","objectId":"good",'
  .. '"mfaCompliant":false}'):format(NOW)

local function has_good(list, name)
  for _, record in ipairs(list.items) do
    if record[name] == "good" then
      return true
    end
  end
end

-- Checks each line, since Prometheus rejects the whole text for one that is wrong or repeated.
-- Returns the values by their samples, without the tenant.
local function metrics_of(page)
  local known = {}
  local response = page:get "/metrics"
  assert.equal(200, response.status, response.body)
  for line in response.body:gmatch "[^\n]+" do
    if line:sub(1, 1) ~= "#" then
      local sample, value = line:match "^(.*) (%-?[%d.e+]+)$"
      assert.truthy(sample, line)
      assert.is_nil(known[sample], line)
      known[sample] = tonumber(value)
    end
  end
  local without = {}
  for sample, value in pairs(known) do
    without[sample:gsub('tenant="[^"]*",?', ""):gsub("{}", "")] = value
  end
  return without
end

describe("the page shows all records,", function()
  local FIELDS = {
    { "users", '{"upn":@,"objectId":"o","lastNonMfaCompliantLoginDateTime":"' .. NOW .. '"}' },
    { "users", '{"upn":"u","objectId":@}' },
    { "users", '{"upn":"u","lastNonMfaCompliantLoginDateTime":@,"isNew":@}' },
    { "users", '{"more":@,"tenantId":@}' },
    { "adoption", '{"loginDate":"2026-01-01","applicationId":"a","totalRequestCount":@}' },
    { "adoption", '{"applicationId":"a","totalRequestCount":5,"mfaCompliantRequestCount":@}' },
    { "adoption", '{"loginDate":@,"applicationId":@,"applicationName":@,"totalRequestCount":5}' },
    { "requests", '{"requestDateTime":@,"upn":@,"objectId":@,"operationName":@,"ipAddress":@,'
      .. '"applicationId":@,"mfaCompliant":false}' },
    { "requests", '{"requestDateTime":"2026-01-01","correlationId":@,"mfaCompliant":false,"x":@}' },
  }

  for _, case in ipairs(FIELDS) do
    local name, template = case[1], case[2]
    it(("those of %s with odd values in %s"):format(name, template:sub(1, 60)), function()
      local lists = { users = GOOD_USER, adoption = GOOD_ROW, requests = GOOD_REQUEST }
      lists[name] = lists[name] .. "," .. rows(template)
      local page = page_with(lists.users, lists.adoption, lists.requests)
      for _, each in ipairs { "users", "adoption", "requests" } do
        local list = list_of(page, each)
        assert.is_true(has_good(list, each == "adoption" and "applicationId" or "objectId"))
        if each == name and name ~= "users" then -- whose times may be too old for its 7 days
          assert.equal(#ODD + 1, #list.items)
        end
      end
      assert.equal("ok", cjson.decode(page:get "/healthz".body).status)
      local metrics = metrics_of(page)
      assert.equal(0.75, metrics['pcapi_adoption_ratio{application_id="good",application="Good"}'])
    end)
  end

  it("with fields of the documented types", function()
    local page = page_with(rows '{"upn":@,"objectId":@,"more":[1,null,{"a":null}]}', GOOD_ROW
      .. "," .. rows '{"applicationId":@,"applicationName":@,"totalRequestCount":@}', GOOD_REQUEST)
    for _, user in ipairs(list_of(page, "users").items) do
      assert.is_true(user.upn == nil or type(user.upn) == "string")
      assert.is_true(user.objectId == nil or type(user.objectId) == "string")
      assert.same({ 1, cjson.null, {} }, user.more)
    end
    for _, row in ipairs(list_of(page, "adoption").items) do
      local count = row.totalRequestCount
      assert.is_true(count == nil or type(count) == "number" and count >= 0 and count <= 2 ^ 53)
    end
  end)

  it("and adds up only what can be counted", function()
    local page = page_with(GOOD_USER, '{"applicationId":"a","totalRequestCount":"abc",'
      .. '"mfaCompliantRequestCount":2},{"applicationId":"a","totalRequestCount":1e308},'
      .. '{"applicationId":"a","totalRequestCount":4,"mfaCompliantRequestCount":-7},'
      .. '{"applicationId":"a","totalRequestCount":"6","mfaCompliantRequestCount":1}', GOOD_REQUEST)
    local list = list_of(page, "adoption")
    assert.same({ 4, 12, 3, 0.25 }, { #list.items, list.total, list.with_mfa, list.ratio })
  end)

  it("and says so if a number is too large to be one", function()
    local row = '{"applicationId":"a","totalRequestCount":1e999}'
    local page = page_with(GOOD_USER, row, GOOD_REQUEST)
    local response = page:get "/api/adoption"
    assert.equal(502, response.status, response.body)
    assert.truthy(response.body:find("number that is too large", 1, true), response.body)
  end)

  it("also of applications whose ids become the same as UTF-8", function()
    local page = page_with(GOOD_USER, '{"applicationId":"a\\u0001"},{"applicationId":"a\255",'
      .. '"totalRequestCount":1},{"applicationId":"a\254","totalRequestCount":1}', GOOD_REQUEST)
    list_of(page, "adoption")
    metrics_of(page)
  end)
end)

describe("pages of two tenants", function()
  local function page_of(tid, records, env)
    return start(sandbox.merged({
      PCAPI_TOKEN = sandbox.token { tid = tid, scenario = "records=" .. records },
    }, env))
  end

  it("are separate on a shared Redis, and the machines of a tenant share their lists", function()
    local server = redis.start()
    local env = { PCAPI_REDIS = "127.0.0.1:" .. server.port }
    for _ = 1, 2 do
      for records, tid in pairs { [3] = TENANT, [5] = OTHER } do
        assert.equal(records, list_of(page_of(tid, records, env), "users").count)
      end
    end
    local _, keys = server:command("KEYS", "*"):gsub("cached:", "")
    assert.equal(2, keys)
    assert.equal(3, list_of(page_of(TENANT, 9, env), "users").count) -- from the others
  end)

  it("are separate in one dictionary, across a reload", function()
    local page = page_of(TENANT, 3)
    assert.equal(3, list_of(page, "users").count)
    local path = page.dir .. "/nginx.conf"
    local text = files.slurp(path):gsub("PCAPI_TOKEN=[^\"]+", function()
      return "PCAPI_TOKEN=" .. sandbox.token { tid = OTHER, scenario = "records=5" }
    end)
    folder.write(path, text)
    local old = page:workers()[1]
    page:signal "HUP"
    assert.is_true(nginx.wait_for(function()
      local now = page:workers()[1]
      return now and now ~= old and #page:leaving() == 0
    end))
    assert.is_nil(metrics_of(page).pcapi_non_mfa_users)
    assert.equal(5, list_of(page, "users").count)
  end)

  for order, is_less in pairs {
    ["longer names first"] = function(a, b) return a > b end,
    ["the shortest name first, whose value ngx_lua uses for all"] = function(a, b) return a < b end,
  } do
    it("use the given prefix and database, with " .. order, function()
      local server = redis.start { password = "SECRET" }
      list_of(start({ PCAPI_TOKEN = sandbox.token(), PCAPI_REDIS = "localhost:" .. server.port,
        PCAPI_REDIS_PREFIX = "fabrikam:", PCAPI_REDIS_DATABASE = "3",
        PCAPI_REDIS_PASSWORD = "SECRET" }, nil, is_less), "users")
      assert.truthy(server:command("-n", 3, "KEYS", "*"):find("fabrikam:text:cached:", 1, true))
      assert.equal("", server:command("KEYS", "*"))
    end)
  end
end)

describe("a setting of the page", function()
  local TOKEN = sandbox.token()

  -- Checks that nginx does not start, and that its error log has these words.
  local function refused(words, env)
    env.PCAPI_TOKEN = env.PCAPI_TOKEN == nil and not env.PCAPI_REFRESH_TOKEN and TOKEN
      or env.PCAPI_TOKEN
    local ok, why = pcall(start, env)
    assert.is_false(ok)
    assert.truthy(why:find("pcapi page: " .. words, 1, true), why)
    assert.is_nil(why:find("SECRET", 1, true))
  end

  for _, text in ipairs { "::1", "::1:6390", "[::1]6390", "[::1]:", "[::1]:0", "[::1]:99999",
                          "host:", ":6379", "host:99999", "host:x", "host:6379:1",
                          "redis://host:6379", "host 6379", " ", "host/0", "user@host",
                          "redis://:SECRET@host:6379", "user:SECRET@host:6379", ":SECRET@host",
                          "[::1", "h\195\182st", "*" } do
    it(("as PCAPI_REDIS=%s stops the start"):format(text), function()
      refused("PCAPI_REDIS must be HOST or HOST:PORT", { PCAPI_REDIS = text })
    end)
  end

  for name, case in pairs {
    PCAPI_REFRESH = { "0", "-5", "abc", "1e999", "99999999", "5 s", "0.5" },
    PCAPI_SUMMARY = { "summary.json", "./s" },
    PCAPI_REDIS_TLS = { "yes", "ON", "1" }, PCAPI_REDIS_DATABASE = { "-1", "x", "1.5", "1e9" },
    PCAPI_BASE_URL = { "http://localhost", "localhost", "https://", "https://a b" },
    PCAPI_LOGIN_URL = { "http://localhost", "x" }, PCAPI_TOKEN = { "Bearer x.y.z", "a b" },
  } do
    it("that is invalid stops the start: " .. name, function()
      for _, value in ipairs(case) do
        refused(name, { [name] = value, PCAPI_REDIS = name:find "_REDIS_" and "127.0.0.1" or nil })
      end
    end)
  end

  it("for Redis stops the start without PCAPI_REDIS", function()
    for _, name in ipairs { "PASSWORD", "TLS", "PREFIX", "DATABASE" } do
      refused("PCAPI_REDIS_" .. name .. " is set, but PCAPI_REDIS is not",
        { ["PCAPI_REDIS_" .. name] = name == "TLS" and "on" or "1" })
    end
  end)

  it("for a refresh token stops the start without tenant or application", function()
    refused("PCAPI_TENANT", { PCAPI_REFRESH_TOKEN = "SECRET", PCAPI_CLIENT_ID = "a" })
    refused("PCAPI_CLIENT_ID", { PCAPI_REFRESH_TOKEN = "SECRET", PCAPI_TENANT = "a" })
  end)

  it("may name Redis by an IPv6 address", function()
    local server = redis.start { more = "bind ::1 127.0.0.1" }
    local page = start { PCAPI_TOKEN = TOKEN, PCAPI_REDIS = "[::1]:" .. server.port }
    assert.equal(25, list_of(page, "users").count)
    assert.truthy(server:command("KEYS", "*"):find("cached:", 1, true))
  end)

  it("that is empty counts as not set", function()
    local page = start { PCAPI_TOKEN = TOKEN, PCAPI_REDIS = "", PCAPI_REFRESH = "",
                         PCAPI_REDIS_TLS = "" }
    assert.equal(25, list_of(page, "users").count)
  end)

  it("for the account may be missing: the page says so", function()
    local response = start { PCAPI_TOKEN = "" }:get "/api/users"
    assert.equal(503, response.status)
    assert.matches("Set PCAPI_PROFILE, PCAPI_REFRESH_TOKEN or PCAPI_TOKEN", response.body, 1, true)
  end)
end)

