-- What the page of examples/nginx says by the summary file: of one tenant or all, as JSON and CSV,
-- also of 10,000 users and of hostile names. spec/browser tests the page in a browser.
local cjson = require "cjson"
local exceptions = require "pcapi.history.exceptions"
local folder = require "spec.support.folder"
local nginx = require "spec.support.nginx"
local page = require "spec.support.page"
local sandbox = require "spec.support.sandbox"
local summaries = require "spec.support.summaries"
local time = require "pcapi.time"

local DAY = 86400
local TENANT, OTHER = "11111111-0000-0000-0000-000000000000", "22222222-0000-0000-0000-000000000000"
local OF = sandbox.token { tid = TENANT }

local path, now

before_each(function()
  now = os.time()
  local place = folder.new()
  os.execute("chmod 755 " .. place)
  path = place .. "/summary.json"
end)

after_each(function()
  nginx.stop_all()
  folder.remove()
end)

local function start(env)
  return page.start(sandbox.merged({ PCAPI_TOKEN = OF, PCAPI_SUMMARY = path }, env))
end

-- Writes a summary file with the tenants of these ids; each has a new user.
local function write(...)
  local runs = {}
  for _, tenant in ipairs { ... } do
    for day = 1, 0, -1 do
      runs[#runs + 1] = { at = now - day * DAY, tenant = tenant, name = "Of " .. tenant,
                          users = { day == 0 and { id = "new", upn = "kim@" .. tenant,
                                                   at = now } or nil } }
    end
  end
  summaries.write(path, runs, now)
end

-- Writes a summary file with so many users, all new.
local function write_many(count)
  local users = {}
  for i = 1, count do
    users[i] = { id = ("5f0b3c1e-0000-4000-8000-%012d"):format(i), at = now - i,
                 upn = ("Firstname.Lastname%d@fabrikam.example"):format(i) }
  end
  summaries.write(path, { { at = now - DAY, users = {}, tenant = TENANT },
                          { at = now, users = users, tenant = TENANT } }, now)
end

local function history_of(server, arguments)
  local response = server:get("/api/history" .. (arguments or ""))
  assert.equal(200, response.status, response.body)
  return cjson.decode(response.body)
end

-- The lines of a CSV, with its header row.
local function lines_of(text)
  local lines = {}
  for line in text:gmatch "(.-)\r\n" do
    lines[#lines + 1] = line
  end
  return lines
end

describe("the history of the page", function()
  it("is that of the token's tenant", function()
    write(OTHER, TENANT)
    local server = start()
    local history = history_of(server)
    local tenant = history.tenants[1]
    assert.same({ TENANT, 1, "new", true, 0, TENANT }, { tenant.id, #history.tenants,
      tenant.people[1].news, history.configured, tenant.more_people, history.own })
    assert.equal(200, server:get "/api/users".status)
    assert.matches('\npcapi_non_mfa_new_users{tenant="[^"]*"} 1\n', server:get "/metrics".body)
  end)

  it("has the trend, the counts and the names of all tenants", function()
    write(OTHER, TENANT)
    local history = history_of(start())
    local tenant = history.tenants[1]
    assert.same({ 0, 1 }, tenant.trend.open)
    assert.equal(time.format_date(now - DAY), tenant.trend.from)
    assert.same({ 1, 1 }, { tenant.counts.open, tenant.counts.new })
    local names = {}
    for _, choice in ipairs(history.choices) do
      names[choice.id] = choice.label
    end
    assert.same({ [TENANT] = "Of " .. TENANT, [OTHER] = "Of " .. OTHER }, names)
  end)

  it("is that of another tenant, or of all, if the request asks for it", function()
    write(OTHER, TENANT)
    local server = start()
    for _, name in ipairs { OTHER, (OTHER:upper():gsub("%-", "%%2D")) } do
      local history = history_of(server, "?tenant=" .. name)
      assert.same({ 1, OTHER, TENANT }, { #history.tenants, history.tenants[1].id, history.own })
    end
    local users = {}
    for _, tenant in ipairs(history_of(server, "?tenant=all").tenants) do
      users[#users + 1] = tenant.people[1].user
    end
    table.sort(users)
    assert.same({ "kim@" .. TENANT, "kim@" .. OTHER }, users)
    local history = history_of(server, "?tenant=%3Cb%3E")
    assert.is_nil(history.tenants)
    assert.equal("the summary has no tenant <b>", history.error.message)
    assert.equal(2, #history.choices)
  end)

  it("is that of PCAPI_TENANT, an id or the name that watch has for it", function()
    write(OTHER, TENANT)
    for _, name in ipairs { OTHER, "OF " .. OTHER } do
      assert.equal(OTHER, history_of(start { PCAPI_TENANT = name }).tenants[1].id)
    end
  end)

  it("is an error if the tenant is not in it, and the metric is then missing", function()
    write(OTHER)
    local server = start()
    local history = history_of(server)
    assert.matches("has no tenant " .. TENANT, history.error.message, 1, true)
    assert.same({ OTHER, nil }, { history.choices[1].id, history.own })
    assert.equal(200, server:get "/api/users".status)
    assert.is_nil(server:get "/metrics".body:find("\npcapi_non_mfa_new_users", 1, true))
    server = start { PCAPI_TENANT = "fabrikam.example" }
    assert.equal(OTHER, history_of(server).tenants[1].id) -- a domain may be this one
    write(OTHER, TENANT)
    server = start { PCAPI_TENANT = "fabrikam.example" }
    assert.matches("Set PCAPI_TENANT", history_of(server).error.hint, 1, true)
  end)

  it("comes with an error once the file cannot be read, and stays", function()
    write(TENANT)
    local server = start()
    assert.is_nil(history_of(server).error)
    os.remove(path)
    assert.is_true(nginx.wait_for(function()
      return history_of(server).error ~= nil
    end))
    local history = history_of(server)
    assert.matches("cannot be read", history.error.message, 1, true)
    assert.equal(1, #history.tenants[1].people)
  end)

  it("is sent only once to a client that has it, until it changes", function()
    write(OTHER, TENANT)
    local server = start()
    local tag = server:get "/api/history".headers.etag
    local function status(arguments)
      return server:get("/api/history" .. arguments,
        { headers = { "If-None-Match: " .. tag } }).status
    end
    assert.same({ 304, 200, 200 }, { status "", status "?tenant=all", status("?tenant=" .. OTHER) })
    now = now + 60
    write(OTHER, TENANT)
    assert.is_true(nginx.wait_for(function()
      return status "" == 200
    end))
    local users = server:get "/api/users".headers.etag
    local response = server:get("/api/users", { headers = { "If-None-Match: " .. users } })
    assert.same({ 304, "" }, { response.status, response.body })
  end)

  it("is empty without a file", function()
    local server = start { PCAPI_SUMMARY = false }
    assert.same({ configured = false, choices = {} }, history_of(server))
    local response = server:get "/api/history.csv"
    assert.equal(404, response.status)
    assert.matches("Set PCAPI_SUMMARY", response.body, 1, true)
  end)
end)

describe("the CSV of the page", function()
  it("has the users of the service", function()
    local response = start():get "/api/users.csv"
    assert.equal(200, response.status)
    assert.equal("text/csv; charset=utf-8", response.headers["content-type"])
    assert.equal(('attachment; filename="users-without-mfa-%s.csv"'):format(time.format_date(now)),
      response.headers["content-disposition"])
    local lines = lines_of(response.body)
    assert.equal(26, #lines)
    assert.equal("upn,objectId,tenantId,lastNonMfaCompliantLoginDateTime", lines[1])
  end)

  it("has the history of the tenant, of another one, or of all", function()
    write(OTHER, TENANT)
    local server = start()
    local function users(arguments)
      local found = {}
      for i, line in ipairs(lines_of(server:get("/api/history.csv" .. arguments).body)) do
        found[i] = i > 1 and line:match "kim@[%x-]+" or nil
      end
      return found[2], found[3]
    end
    assert.same({ "kim@" .. TENANT }, { users "" })
    assert.same({ "kim@" .. OTHER }, { users("?tenant=" .. OTHER) })
    local one, two = users "?tenant=all"
    assert.is_true(one ~= nil and two ~= nil and one ~= two)
    assert.equal(503, server:get "/api/history.csv?tenant=nobody".status)
  end)

  it("is safe in a spreadsheet, whatever a user, a tenant or a reason is called", function()
    local names = { "=HYPERLINK(\"http://x\")", "+1", "-1+cmd|' /C calc'!A0", "@SUM(1)",
                    " \t=1", "\239\188\157" .. "1", "<img src=x onerror=alert(1)>",
                    "a\226\128\174b", ("x"):rep(500) .. "@x.example", "line\r\nend" }
    local users = {}
    for i, name in ipairs(names) do
      users[i] = { id = ("5f0b3c1e-0000-4000-8000-%012d"):format(i), upn = name, at = now - i }
    end
    local excepted = ("%s * %s =cmd()\n"):format(users[1].id, time.format_date(now + DAY))
    summaries.write(path, { { at = now - DAY, tenant = TENANT, users = {} },
      { at = now, tenant = TENANT, name = "=1+1", users = users,
        exceptions = assert(exceptions.parse(excepted, now)) } }, now)
    local body = start():get "/api/history.csv".body
    local lines = lines_of(body)
    assert.equal(#names + 2, #lines) -- the last cell has a line end
    for i = 2, #lines - 1 do
      assert.matches("^'=1%+1,", lines[i])
      assert.is_nil(lines[i]:find ',"?[=+@]')
    end
    for _, text in ipairs {
      ",\"'=HYPERLINK(\"\"http://x\"\")\",", ",'+1,", ",'-1+cmd|' /C calc'!A0,", ",'@SUM(1),",
      ",'\239\188\157" .. "1,", "a\\u{202e}b", ",'=cmd(),", "," .. ("x"):rep(500) .. "@x.example,",
    } do
      assert.truthy(body:find(text, 1, true), text)
    end
  end)
end)

describe("a page of 10,000 users", function()
  local PEOPLE = 10000

  it("sends all of them, as JSON and as CSV, also compressed and to many at once", function()
    write_many(PEOPLE)
    local server = start { PCAPI_TOKEN = sandbox.token { tid = TENANT, scenario = "full" } }
    for _, arguments in ipairs { {}, { "--compressed" }, { "--http1.0" } } do
      local response = server:get("/api/history", { args = arguments })
      local people = cjson.decode(response.body).tenants[1].people
      assert.equal(PEOPLE, #people)
      assert.equal("Firstname.Lastname10000@fabrikam.example", people[PEOPLE].user)
    end
    local paths = { "/api/history.csv", "/api/users.csv" }
    for i = 3, 12 do
      paths[i] = paths[2 - i % 2]
    end
    for _, response in ipairs(server:get_all(paths)) do
      assert.equal(200, response.status)
      assert.equal(PEOPLE + 1, select(2, response.body:gsub("\r\n", "")))
    end
    assert.equal(PEOPLE, #cjson.decode(server:get "/api/users".body).items)
  end)

  it("ends a response that nobody reads any more", function()
    write_many(PEOPLE)
    local server = start()
    server:get("/api/history", { timeout = 0.05 })
    server:get("/api/history.csv", { args = { "--limit-rate", "1k" }, timeout = 1 })
    assert.equal(PEOPLE, #history_of(server).tenants[1].people)
    assert.is_nil(server:log():find("[error]", 1, true))
  end)

  it("has no body for HEAD", function()
    write_many(3)
    local server = start()
    for _, address in ipairs { "/api/history", "/api/history.csv", "/api/users.csv" } do
      local response = server:get(address, { args = { "--head" } })
      assert.equal(200, response.status)
      assert.matches("^HTTP[^{]*\r\n\r\n$", response.body)
    end
  end)
end)
