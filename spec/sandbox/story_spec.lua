--- Tests people and programs in the sandbox's stories, and the lists that they make.
local token = require "sandbox.token"
local api = require "spec.support.api"
local stories = require "spec.support.story"

local sandbox = os.getenv("PCAPI_SANDBOX_URL") and require "spec.support.sandbox"
local sandbox_it = api.needing_sandbox(it, pending)
local tell = stories.tell
local APP = "5f0b3c1e-0000-4000-8000-0000000000bb"
local ID = "5f0b3c1e-0000-4000-8000-000000000001"
local OTHER_TENANT = "5f0b3c1e-0000-4000-8000-0000000000aa"

describe("a sign-in of a story", function()
  sandbox_it("is in the list for seven days", function()
    local story = tell "2026-11-10T09:00:00Z kim@fabrikam.example signs-in"
    assert.same({}, story:at("2026-11-10T08:59:59Z"):upns())
    local user = story:at("2026-11-10T09:00:00Z"):records("principals")[1]
    assert.same({ "kim@fabrikam.example", "2026-11-10T09:00:00", token.TENANT },
                { user.upn, user.lastNonMfaCompliantRequestDateTime, user.tenantId })
    assert.matches("^%x+%-%x+%-4%x+%-8%x+%-%x+$", user.objectId)
    assert.same(user, story:at("2026-11-17T08:59:59Z"):records("principals")[1])
    assert.same({}, story:at("2026-11-17T09:00:00Z"):upns())
  end)

  sandbox_it("can be repeated; the list has the last one", function()
    local story = tell "2026-11-10T09:00:00Z kim@fabrikam.example signs-in every=1d; count=3"
    local function last(now)
      return story:at(now):values("principals", "lastNonMfaCompliantRequestDateTime")[1]
    end
    assert.equal("2026-11-11T09:00:00", last "2026-11-12T08:00:00Z")
    assert.equal("2026-11-12T09:00:00", last "2026-11-19T08:59:59Z")
    assert.is_nil(last "2026-11-19T09:00:00Z")
  end)

  sandbox_it("is listed by its time, with up to six digits of a second", function()
    local story = tell([[
      2026-11-10T09:00:00.250001Z kim@fabrikam.example signs-in
      2026-11-10T09:00:00.25Z lee@fabrikam.example signs-in
      2026-11-10T09:00:01Z ann@fabrikam.example signs-in]], "2026-11-11")
    assert.same({ "ann@fabrikam.example", "kim@fabrikam.example", "lee@fabrikam.example" },
                story:upns())
    assert.same({ "2026-11-10T09:00:01", "2026-11-10T09:00:00.250001", "2026-11-10T09:00:00.25" },
                story:values("principals", "lastNonMfaCompliantRequestDateTime"))
  end)
end)

describe("requests of a story", function()
  sandbox_it("have an application, an address, an operation and MFA or not", function()
    local story = tell(([[
      2026-11-10T09:00:00Z svc@fabrikam.example requests app=%s; ip=2001:db8::7; operation=Get /v1
      2026-11-10T09:00:01Z svc@fabrikam.example requests app=%s Litware Panel; mfa=1
      2026-11-10T09:00:02Z svc@fabrikam.example requests app=Billing%%3B new]]):format(APP, APP),
      "2026-11-11")
    local newest, middle, oldest = (table.unpack or unpack)(story:records "requests")
    assert.same({ APP, "2001:db8::7", "Get /v1", false, "svc@fabrikam.example",
                  "2026-11-10T09:00:00", token.TENANT },
                { oldest.applicationId, oldest.ipAddress, oldest.operationName,
                  oldest.mfaCompliant, oldest.upn, oldest.requestDateTime, oldest.tenantId })
    assert.same({ APP, true }, { middle.applicationId, middle.mfaCompliant })
    assert.same({ "Billing; new", "Litware Panel" }, story:values("adoption", "applicationName"))
    assert.not_equal(APP, newest.applicationId)
    assert.equal(story:records("principals")[1].objectId, newest.objectId)
  end)

  sandbox_it("put their user into the list of users, unless they had MFA", function()
    local story = tell([[
      2026-11-10 svc@fabrikam.example requests mfa=1
      2026-11-10 kim@fabrikam.example requests mfa=0
      2026-11-11 kim@fabrikam.example requests mfa=1]], "2026-11-12")
    assert.same({ "kim@fabrikam.example" }, story:upns())
    assert.same({ "2026-11-10T00:00:00" },
                story:values("principals", "lastNonMfaCompliantRequestDateTime"))
  end)

  sandbox_it("come at even intervals, by two of count, every and until", function()
    for _, how in ipairs { "count=4; every=6h", "count=4; until=2026-11-11",
                           "every=6h; until=2026-11-11" } do
      local story = tell("2026-11-10 svc@fabrikam.example requests " .. how, "2026-11-12")
      assert.same({ "2026-11-10T18:00:00", "2026-11-10T12:00:00", "2026-11-10T06:00:00",
                    "2026-11-10T00:00:00" }, story:values("requests", "requestDateTime"), how)
    end
  end)

  sandbox_it("slide out of the list one by one", function()
    local story = tell "2026-11-10 svc@fabrikam.example requests every=1h; count=48"
    assert.equal(13, #story:at("2026-11-10T12:00:00Z"):records "requests")
    assert.equal(48, #story:at("2026-11-15"):records "requests")
    assert.equal(47, #story:at("2026-11-17"):records "requests")
    assert.equal(23, #story:at("2026-11-18"):records "requests")
    assert.equal(0, #story:at("2026-11-19"):records "requests")
  end)

  sandbox_it("have the same ids in every response, also when a line is added", function()
    local text = "2026-11-10 svc@fabrikam.example requests every=1m; count=100"
    local story = tell(text, "2026-11-12")
    local ids, seen = story:values("requests", "requestId"), {}
    for _, id in ipairs(ids) do
      assert.is_nil(seen[id])
      seen[id] = true
    end
    assert.same(ids, story:at("2026-11-13"):values("requests", "requestId"))
    sandbox.story("2026-11-09 kim@fabrikam.example requests\n" .. text, "2026-11-12", story.label)
    local longer = story:values("requests", "requestId")
    assert.equal(101, #longer)
    longer[101] = nil
    assert.same(ids, longer)
  end)

  sandbox_it("beyond the newest 10,000 are in the adoption only", function()
    local story = tell("2026-11-10 svc@fabrikam.example requests count=1000000; until=2026-11-12",
                       "2026-11-12")
    local items = story:records "requests"
    assert.equal(10000, #items)
    assert.equal("2026-11-11T23:59:59.8272", items[1].requestDateTime)
    assert.equal("2026-11-11T23:31:12", items[10000].requestDateTime)
    assert.same({ 500000, 500000 }, story:values("adoption", "totalRequestCount"))
  end)

  sandbox_it("are counted by day and application, with and without MFA, for seven days", function()
    local story = tell(([[
      2026-11-10T22:00Z svc@fabrikam.example requests app=%s; every=1h; count=4
      2026-11-10T22:30Z kim@fabrikam.example requests app=%s; mfa=1
      2026-11-11 kim@fabrikam.example requests app=Panel]]):format(APP, APP))
    local function rows(now)
      local list = {}
      for at, row in ipairs(story:at(now):records "adoption") do
        list[at] = ("%s %s %d/%d"):format(row.loginDate, row.applicationId == APP and "app" or
          row.applicationName, row.mfaCompliantRequestCount, row.totalRequestCount)
      end
      table.sort(list)
      return list
    end
    assert.same({ "2026-11-10 app 1/2" }, rows "2026-11-10T22:59Z")
    local whole = { "2026-11-10 app 1/3", "2026-11-11 Panel 0/1", "2026-11-11 app 0/2" }
    assert.same(whole, rows "2026-11-11T12:00Z")
    assert.same(whole, rows "2026-11-16T23:59Z")
    assert.same({ whole[2], whole[3] }, rows "2026-11-17")
    local path = stories.PATHS.adoption .. "?startDate=2026-11-10&endDate=2026-11-10"
    story:at "2026-11-12"
    assert.equal(1, #api.decode(api.fetch { path = path, settings = "story=" .. story.label }))
  end)
end)

describe("a person of a story", function()
  local function people(story)
    local list = {}
    for at, user in ipairs(story:records "principals") do
      list[at] = user.upn:match "^[^@]+" .. " " .. user.objectId
    end
    return list
  end

  sandbox_it("keeps the object id when it is renamed; the log has the name of the time", function()
    local story = tell [[
      2026-11-10 kim@fabrikam.example requests every=1d; count=4
      2026-11-12 kim@fabrikam.example renamed to=kim.lee@fabrikam.example]]
    local before = story:at("2026-11-11"):records("principals")[1]
    local after = story:at("2026-11-13"):records("principals")[1]
    assert.same({ "kim@fabrikam.example", "kim.lee@fabrikam.example", before.objectId },
                { before.upn, after.upn, after.objectId })
    assert.same({ "kim.lee@fabrikam.example", "kim.lee@fabrikam.example", "kim@fabrikam.example",
                  "kim@fabrikam.example" }, story:values("requests", "upn"))
  end)

  sandbox_it("leaves the list at once when it is deleted, and its programs stop", function()
    local story = tell [[
      2026-11-10 kim@fabrikam.example requests every=1h; count=100
      2026-11-11 kim@fabrikam.example deleted]]
    assert.same({ "kim@fabrikam.example" }, story:at("2026-11-10T23:59Z"):upns())
    assert.same({}, story:at("2026-11-11"):upns())
    assert.equal(24, #story:at("2026-11-13"):records "requests")
  end)

  sandbox_it("has another object id than an earlier one of the same name", function()
    for _, event in ipairs { "deleted", "renamed to=old@fabrikam.example" } do
      local story = tell([[
        2026-11-10 kim@fabrikam.example signs-in
        2026-11-11 kim@fabrikam.example ]] .. event .. [[

        2026-11-12 KIM@fabrikam.example signs-in]])
      local first = people(story:at "2026-11-10T12:00Z")[1]:match "%S+$"
      local name, second = people(story:at "2026-11-13")[1]:match "^(%S+) (%S+)$"
      assert.equal("KIM", name)
      assert.not_equal(first, second)
      assert.equal(event == "deleted" and 1 or 2, #people(story))
    end
  end)

  sandbox_it("can be known by a given object id and tenant id, from a time on", function()
    local story = tell(([[
      2026-11-10 kim@fabrikam.example known id=none
      2026-11-10 kim@fabrikam.example requests every=1d; count=3
      2026-11-12 kim@fabrikam.example known id=%s; home=%s]]):format(ID, OTHER_TENANT))
    local user = story:at("2026-11-11"):records("principals")[1]
    assert.same({ "", token.TENANT }, { user.objectId, user.tenantId })
    user = story:at("2026-11-12"):records("principals")[1]
    assert.same({ ID, OTHER_TENANT }, { user.objectId, user.tenantId })
    assert.same({ ID, "", "" }, story:values("requests", "objectId"))
  end)
end)

describe("the lists of a story", function()
  local WEEK, SECONDS = 1794268800, 7 * 24 * 3600 -- 10 to 16 November 2026

  -- Park and Miller's generator.
  local function generator(state)
    return function(most)
      state = state * 16807 % 2147483647
      return state % most + 1
    end
  end

  -- Makes a random week of five people.
  local function random_lines(random)
    local lines = {}
    for number = 1, 40 do
      local time = os.date("!%Y-%m-%dT%H:%M:%SZ", WEEK + random(SECONDS))
      lines[number] = ("%s p%d@fabrikam.example requests app=App %d; mfa=%d; every=%dm; count=%d")
        :format(time, random(5), random(3), random(2) - 1, random(300), random(40) + 1)
    end
    return table.concat(lines, "\n")
  end

  -- Counts requests by day and application, and the last one without MFA by user.
  local function digest(requests)
    local rows, last = {}, {}
    for _, request in ipairs(requests) do
      local key = request.requestDateTime:sub(1, 10) .. " " .. request.applicationId
      rows[key] = (rows[key] or 0) + 1
      if not request.mfaCompliant then
        last[request.upn] = last[request.upn] or request.requestDateTime
      end
    end
    return rows, last
  end

  sandbox_it("agree with one another", function()
    for seed = 1, 5 do
      local story = tell(random_lines(generator(seed * 7919)), WEEK + SECONDS - 1)
      local rows, last = digest(story:records "requests")
      for _, row in ipairs(story:records "adoption") do
        local key = row.loginDate .. " " .. row.applicationId
        assert.equal(row.totalRequestCount, rows[key])
        rows[key] = nil
      end
      for _, user in ipairs(story:records "principals") do
        assert.equal(user.lastNonMfaCompliantRequestDateTime, last[user.upn])
        last[user.upn] = nil
      end
      assert.same({ {}, {} }, { rows, last })
    end
  end)

  sandbox_it("can have more users than the cap", function()
    local lines = {}
    for number = 1, 10001 do
      lines[number] = os.date("!%Y-%m-%dT%H:%M:%SZ", WEEK + number)
        .. (" user.with.a.long.name.%05d@emea.sales.fabrikam.example signs-in"):format(number)
    end
    local upns = tell(table.concat(lines, "\n"), "2026-11-11"):upns()
    assert.same({ 10000, "10001", "00002" },
                { #upns, upns[1]:match "%d+", upns[10000]:match "%d+" })
  end)
end)
