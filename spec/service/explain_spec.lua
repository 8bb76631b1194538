--- `pcapi explain`, of histories that the library recorded from stories.
local cjson = require("cjson").new()
local homes = require "spec.support.home"
local lists = require "spec.support.history_lists"
local recorded = require "spec.support.recorded"
local time = require "pcapi.time"

local OTHER = "5f0b3c1e-0000-4000-8000-0000000000ab"
local KIM = "5f0b3c1e-0000-4000-8000-000000000001"
local SYNC = "5f0b3c1e-0000-4000-8000-0000000000b1"
local AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"

local STORY = "2026-11-10 kim@fabrikam.example known id=" .. KIM .. "\n"
  .. "2026-11-20 kim@fabrikam.example requests app=" .. SYNC .. " Sync; every=1h; "
  .. "until=2026-12-01; ip=192.0.2.7; operation=Get /v{version}/customers\n" .. [[
2026-11-25T09:00Z kim@fabrikam.example requests app=]] .. AZURE_CLI .. [[; ip=192.0.2.8; mfa=1
2026-11-25T09:00Z max@fabrikam.example signs-in
2026-11-25T09:00Z sam@fabrikam.example signs-in
]]

local home

setup(function()
  home = homes.new()
  recorded.story(home, STORY, { "2026-11-24T06:00:00Z", "2026-11-26T06:00:00Z" })
  recorded.story(home, "2026-11-25 sam@fabrikam.example signs-in", { "2026-11-26T06:00:00Z" },
    { tenant = OTHER, name = "contoso" })
end)

teardown(function()
  home:remove()
end)

local function explain(...)
  return home:run { "explain", ... }
end

local function explained(...)
  local result = explain("--json", ...)
  assert.same({ 0, "" }, { result.status, result.err })
  return cjson.decode(result.out).users[1]
end

local function expect(text, ...)
  local at = 1
  for _, part in ipairs { ... } do
    local first, last = text:find(part, at, true)
    assert.truthy(first, ("%q is not in:\n%s"):format(part, text))
    at = last + 1
  end
end

describe("pcapi explain", function()
  it("says state, application, advice, requests, and on what it rests", function()
    local result = explain "KIM@fabrikam.example"
    assert.same({ 0, "" }, { result.status, result.err })
    expect(result.out, "User:        kim@fabrikam.example (" .. KIM .. ")\n",
      "Tenant:      fabrikam (" .. recorded.TENANT .. ")\n",
      "Newest run:  2026-11-26 06:00 UTC\n",
      "State:       open\nWithout MFA: from 2026-11-24 06:00 to 2026-11-26 06:00 UTC\n",
      "Next step:   Renew the token of Sync by a sign-in with MFA\n",
      "\nHow the user comes without MFA\n  a program: Sync, " .. SYNC .. " (likely)\n",
      "never adds the claim.", "\nRequests\nAPPLICATION", "Sync ", "192.0.2.7",
      "Get /v{version}/customers", "Azure CLI", "192.0.2.8", "\nWhat this rests on\n",
      "  Requests are known from 2026-11-1", " to 2026-11-26 06:00 UTC: 100% of",
      "Sign-ins to the portal are in no list of requests")
  end)

  it("takes an object ID, or a pattern that one user matches", function()
    assert.equal(KIM, explained(KIM:upper()).objectId)
    assert.equal(KIM, explained("kim@*").objectId)
    assert.equal("contoso", explained("sam@*", "--tenant", "contoso").tenant)
  end)

  it("has all of it as JSON", function()
    local kim = explained "kim@fabrikam.example"
    assert.same({ "open", "program", "inference", SYNC, "Sync" }, { kim.state,
      kim.classes[1].class, kim.classes[1].certainty, kim.classes[1].applicationId,
      kim.classes[1].application })
    assert.same({ 1, 1, "2026-11-26T06:00:00Z", 0 }, { #kim.findings, kim.coverage,
      kim.requestsTo, #kim.gaps })
    local by_id = {}
    for _, use in ipairs(kim.applications) do
      by_id[use.applicationId] = use
    end
    local cli = by_id[AZURE_CLI]
    assert.same({ 0, 1, "2026-11-25T09:00:00Z" }, { cli.withoutMfa, cli.withMfa,
      cli.lastWithMfaAt })
    assert.is_nil(cli.lastWithoutMfaAt)
    assert.equal("Get /v{version}/customers",
      by_id[SYNC].addresses[1].operations[1].operationName)
  end)

  it("says that a user of the portal sends no requests", function()
    expect(explain("max@*").out, "  the portal (very likely)\n",
      "signs in to partner.microsoft.com", "A prompt is not a claim", "multipleauthn",
      "no list of requests")
    local max = explained "max@*"
    assert.same({ "portal", "good", 0 }, { max.class, max.certainty, #max.applications })
  end)

  it("takes names of applications from the CSV of the configuration file", function()
    local own = home:copy()
    finally(function() own:remove() end)
    own:write(".config/pcapi/apps.csv", "AppId,AppDisplayName\n" .. SYNC .. ",Our Sync\n")
    own:write_config "[history]\napplications = apps.csv\n"
    expect(own:run({ "explain", "kim@*" }).out, "Renew the token of Our Sync by")
    own:write(".config/pcapi/apps.csv", "id\n")
    local result = own:run { "explain", "kim@*" }
    assert.equal(1, result.status)
    expect(result.err, "applications in [history]: ", "has no columns AppId and AppDisplayName")
    own:write_config "[history]\napplications = absent.csv\n"
    expect(own:run({ "explain", "kim@*" }).err, "applications in [history]: ", "No such file")
  end)

  it("knows which applications are one's own, and takes others for a vendor's", function()
    local own = home:copy()
    finally(function() own:remove() end)
    local function class()
      return cjson.decode(own:run({ "explain", "kim@*", "--json" }).out).users[1].class
    end
    own:write_config("[history]\nown_applications = " .. SYNC:upper() .. "\n")
    assert.equal("own_program", class())
    own:write_config("[history]\nown_applications = " .. AZURE_CLI .. ", " .. KIM .. "\n")
    assert.equal("vendor", class())
    own:write_config "[history]\nown_applications = sync\n"
    expect(own:run({ "explain", "kim@*" }).err, "own_applications must be application IDs (GUIDs)")
  end)

  it("knows the application of pcapi itself by the profile", function()
    local own = home:copy()
    finally(function() own:remove() end)
    own:write_config("client_id = " .. SYNC .. "\n")
    expect(own:run({ "explain", "kim@*" }).out, "pcapi itself: Sync", "(certain)",
      "Run pcapi login")
  end)

  it("lists the users if several match, and names none that is missing", function()
    local result = explain "*"
    assert.same({ 2, "" }, { result.status, result.out })
    expect(result.err, "4 users match '*'; name one by its object ID, and its tenant by --tenant",
      KIM .. ") in the tenant fabrikam (")
    result = explain "nobody@fabrikam.example"
    assert.same({ 1, "" }, { result.status, result.out })
    expect(result.err, "the history has no user 'nobody@fabrikam.example'")
    assert.equal(2, explain("").status)
  end)

  it("explains a user without a finding, whose requests are stored", function()
    local own = homes.new()
    finally(function() own:remove() end)
    recorded.story(own, "2026-11-25 ann@fabrikam.example requests app=Sync; mfa=1",
      { "2026-11-26T06:00:00Z" }, { keep_all = true })
    local result = own:run { "explain", "ann@*" }
    assert.same({ 0, "" }, { result.status, result.err })
    expect(result.out, "No finding: the user was never listed", "\nRequests\n", "Sync")
    local ann = cjson.decode(own:run({ "explain", "ann@*", "--json" }).out).users[1]
    assert.same({ 0, 0, 1 }, { #ann.classes, #ann.findings, ann.applications[1].withMfa })
    assert.is_nil(ann.state)
    assert.equal("", own:run({ "history", "export" }).out)
  end)

  it("says where requests are missing, and what is earlier", function()
    local own = homes.new()
    finally(function() own:remove() end)
    local opened, first, later = recorded.open(own), time.parse "2026-10-01T06:00:00Z",
      time.parse "2026-11-20T06:00:00Z"
    local user = { id = KIM, upn = "kim@x.example", at = first - 60 }
    local function observe(at, users, requests, facts)
      assert(opened:observe { tenant = recorded.TENANT, now = at, users = lists.users(at, users),
                              requests = lists.requests(at, requests, facts) })
    end
    observe(first, { user }, {})
    observe(first + 9 * 86400, {}, {})
    observe(later, { { id = KIM, upn = "kim@x.example", at = later - 60 } },
      { { id = KIM, user = KIM, at = later - 60, application = SYNC, mfa = false } },
      { truncated = true })
    opened:close()
    local result = own:run { "explain", KIM }
    assert.equal(0, result.status, result.err)
    expect(result.out, "\nEarlier findings\n  quiet: 2026-10-01 05:59 UTC\n",
      "Requests from 2026-10-10 06:00 to 2026-11-20 05:59 UTC are missing: there were",
      "more than the service returns.")
  end)
end)

describe("a hostile name", function()
  local UPN = "=cmd|' /C calc'!A0\27[2J\226\128\174@x.example"

  local own

  setup(function()
    own = homes.new()
    local opened, now = recorded.open(own), time.parse "2026-11-26T06:00:00Z"
    assert(opened:observe {
      tenant = recorded.TENANT, name = "\27[31mtenant", now = now,
      users = lists.users(now, { { id = "*\27]0;x\7", upn = UPN, at = now - 60 },
                                 { upn = "*", at = now - 60 } }),
      requests = lists.requests(now, { { id = KIM, user = "*\27]0;x\7", at = now - 60, mfa = false,
                                         application = "\27[1m", operation = "=1+1\r\n\27[0m",
                                         ip = "\155" } }),
    })
    opened:close()
  end)

  teardown(function()
    own:remove()
  end)

  it("moves no cursor and makes no formula", function()
    for _, words in ipairs {
      { "explain", "*]0;x*" }, { "explain", "*]0;x*", "--json" }, { "history", "show" },
      { "history", "show", "-o", "csv" }, { "history", "export", "-o", "csv" },
      { "history", "export" }, { "history", "check" }, { "explain", "*" },
      { "history", "forget", "*x.example" },
    } do
      local result = own:run(words)
      local name = table.concat(words, " ")
      assert.is_nil((result.out .. result.err):find "[%z\1-\8\11\12\14-\31\127]", name)
      assert.is_nil((result.out .. result.err):find("\226\128\174", 1, true), name)
    end
    local csv = own:run({ "history", "show", "-o", "csv" }).out
    assert.truthy(csv:find("'=cmd|", 1, true), csv)
    assert.is_nil(csv:find ",=")
  end)

  it("is no pattern where it is meant as a name", function()
    local result = own:run { "history", "forget", "upn:*", "--yes" }
    assert.equal(0, result.status, result.err)
    assert.truthy(own:run({ "history", "show", "-o", "csv" }).out:find("'=cmd|", 1, true))
  end)
end)
