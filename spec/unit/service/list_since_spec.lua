-- Which records `since` returns, from which time it counts, and what the list knows of both.
local fake = require "spec.support.fake_transport"
local list = require "pcapi.service.list"
local security = require "pcapi.service.resources.security"

local NOW = fake.NOW -- 2024-02-03T07:08:09Z
local HOUR, DAY = 3600, 86400

local function requests(times, facts)
  local records = {}
  for i, at in ipairs(times) do
    records[i] = { upn = tostring(i), requestDateTime = at ~= "missing" and at or nil }
  end
  local all = { resource = security.partner_requests, clock = function() return NOW end,
                total_count = #times }
  for name, fact in pairs(facts or {}) do
    all[name] = fact
  end
  return list.new(records, all)
end

local function upns(of)
  local all = {}
  for i, record in ipairs(of) do
    all[i] = record.upn
  end
  return table.concat(all, " ")
end

-- The list of a call that the service answers at this time, by its clock.
local function call(date, options, clock, took)
  local body = '{"items":[{"upn":"new","requestDateTime":"2024-02-03T07:00:00"},'
    .. '{"upn":"old","requestDateTime":"2024-02-02T00:00:00"}]}'
  local now = clock or NOW
  local client = fake.client({ function()
    now = now + (took or 0)
    return { body = body, headers = { date = date } }
  end }, { clock = function() return now end })
  return assert(client.security:partner_requests(options))
end

describe("since", function()
  describe("returns and counts a record whose time", function()
    for name, at in pairs {
      ["is what .NET writes for none"] = "0001-01-01T00:00:00",
      ["is that in UTC"] = "0001-01-01T00:00:00Z",
      ["is what SQL Server writes for none"] = "1900-01-01T00:00:00",
      ["is what Unix writes for none"] = "1970-01-01T00:00:00Z",
      ["is the last of .NET"] = "9999-12-31T23:59:59.9999999",
      ["is American"] = "2/3/2024 7:08:09 AM",
      ["is German"] = "03.02.2024 07:08:09",
      ["is empty"] = "",
      ["is a number"] = 5,
      ["is missing"] = "missing",
    } do
      it(name, function()
        local some = requests { "2024-02-03T07:00:00", at, "2024-01-01T00:00:00" }
        local found = some:filter { since = "24h" }
        assert.equal("1 2", upns(found))
        assert.equal(1, found.without_time)
        assert.is_nil(some.without_time)
        assert.equal("1 3 2", upns(some:newest_first()))
      end)
    end
  end)

  it("reads a time in the form of HTTP", function()
    local found = requests { "Sat, 03 Feb 2024 07:00:00 GMT", "Thu, 01 Feb 2024 07:00:00 GMT" }
      :filter { since = "24h" }
    assert.equal("1", upns(found))
    assert.equal(0, found.without_time)
  end)

  it("counts the records without a time in the list that it returns", function()
    local found = requests({ "", "", "2024-02-03T07:00:00" }):filter { since = "24h", user = "2" }
    assert.equal(1, found.without_time)
    local both = requests({ "", "", "2024-02-03T07:00:00" }):filter { since = "24h" }
    assert.equal(2, both.without_time)
    assert.equal(0, both:filter({ user = "3" }).without_time)
    assert.equal(1, both:filter({ user = "1" }):newest_first().without_time)
    assert.is_nil(requests({ "" }):filter({ user = "1" }).without_time)
  end)

  describe("counts from the date of the response", function()
    local times = { "2024-02-03T07:00:00", "2024-02-02T12:00:00", "2024-02-01T12:00:00" }

    it("whatever this machine's clock shows", function()
      for _, offset in ipairs { -20 * HOUR, 20 * HOUR, 10 * 365 * DAY } do
        local some = requests(times, { date = NOW, clock = function() return NOW + offset end })
        assert.equal("1 2", upns(some:filter { since = "24h" }))
        assert.equal("1", upns(some:filter { since = "today" }))
        assert.equal("1 2", upns(some:filter { since = "yesterday" }))
      end
    end)

    it("unless it is a time itself", function()
      local some = requests(times, { date = NOW + 9 * DAY })
      assert.equal("1 2", upns(some:filter { since = "2024-02-02T00:00" }))
      assert.equal("1 2", upns(some:filter { since = NOW - DAY }))
    end)

    it("as a criterion of the call, too", function()
      assert.equal("new", upns(call("Sat, 03 Feb 2024 07:08:09 GMT", { since = "24h" },
        NOW + 20 * HOUR)))
      assert.equal("new old", upns(call("Sat, 03 Feb 2024 07:08:09 GMT", { since = "2d" },
        NOW + 20 * HOUR)))
    end)

    it("or from this machine's clock without one", function()
      for _, date in ipairs { "garbage", "2024-02-03T07:08:09Z", "" } do
        local some = call(date, { since = "24h" })
        assert.equal("new", upns(some))
        assert.is_nil(some.date)
        assert.is_nil(some.clock_offset)
      end
      assert.is_nil(call(nil, {}).date)
    end)
  end)

  describe("sets covered_since", function()
    for name, case in pairs {
      ["for a longer duration"] = { "30d", true }, ["for weeks"] = { "2w", true },
      ["for a day long ago"] = { "2023-12-24", true },
      ["for epoch seconds"] = { NOW - 8 * DAY, true },
      ["not for the same duration"] = { "7d", false },
      ["not for the same duration in weeks"] = { "1w", false },
      ["not for a minute more, as clocks differ"] = { NOW - 7 * DAY - 60, false },
      ["not for a shorter duration"] = { "24h", false },
    } do
      it(name, function()
        local found = requests({ "2024-02-03T07:00:00" }):filter { since = case[1] }
        assert.equal(case[2] and NOW - 7 * DAY or nil, found.covered_since)
      end)
    end

    it("by the service's clock", function()
      local some = call("Sat, 03 Feb 2024 07:08:09 GMT", { since = "8d" }, NOW + 20 * HOUR)
      assert.equal(NOW - 7 * DAY, some.covered_since)
      assert.equal(NOW - 7 * DAY, some:filter({ user = "new" }).covered_since)
    end)

    it("not if it is unknown what the service covers", function()
      local client = fake.client { { body = "[]" } }
      local days = assert(client.security:application_mfa_adoption_status { since = "30d" })
      assert.is_nil(days.covered_since)
    end)
  end)

  it("counts by this machine's clock if the date of the response is impossible", function()
    for _, date in ipairs { "Sat, 01 Jan 0000 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT",
                            "Sat, 03 Feb 2124 07:08:09 GMT", "lately" } do
      local some = call(date, { since = "104w" })
      assert.is_nil(some.date)
      assert.is_nil(some.clock_offset)
      assert.equal(#call(nil, { since = "104w" }), #some)
      assert.is_table(some:filter { since = "today" })
    end
  end)
end)

describe("the clock of a list", function()
  it("knows how far the service's clock is ahead", function()
    assert.equal(3600, call("Sat, 03 Feb 2024 08:08:09 GMT", {}).clock_offset)
    assert.equal(-3600, call("Sat, 03 Feb 2024 06:08:09 GMT", {}).clock_offset)
    assert.equal(NOW + 3600, call("Sat, 03 Feb 2024 08:08:09 GMT", {}).date)
  end)

  it("does not take a long call for a wrong clock", function()
    assert.equal(0, call("Sat, 03 Feb 2024 07:08:19 GMT", {}, NOW, 900).clock_offset)
    assert.equal(-5, call("Sat, 03 Feb 2024 07:08:04 GMT", {}, NOW, 900).clock_offset)
    assert.equal(100, call("Sat, 03 Feb 2024 07:24:49 GMT", {}, NOW, 900).clock_offset)
  end)

  it("is compared when the response comes, however late that is asked", function()
    local now = NOW
    local client = fake.client({ { body = "[]", headers = {
      date = "Sat, 03 Feb 2024 08:08:09 GMT" } } }, { clock = function() return now end })
    local some = assert(client.security:partner_requests())
    now = NOW + 5 * DAY
    assert.same({ 3600, NOW + 3600 }, { some.clock_offset, some.date })
  end)

  it("is stored with the list", function()
    local facts = list.facts(call("Sat, 03 Feb 2024 08:08:09 GMT", { since = "30d" }))
    assert.equal(NOW + 3600, facts.date)
    assert.equal(3600, facts.clock_offset)
    assert.equal(NOW + 3600 - 7 * DAY, facts.covered_since)
    assert.equal(0, facts.without_time)
  end)
end)
