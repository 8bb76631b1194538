-- Which records `since` keeps, from when it counts, and what the list says of both.
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
  describe("keeps and counts a record whose time", function()
    for name, at in pairs {
      ["is what .NET writes for none"] = "0001-01-01T00:00:00",
      ["is that in UTC"] = "0001-01-01T00:00:00Z",
      ["is what SQL Server writes for none"] = "1900-01-01T00:00:00",
      ["is what Unix writes for none"] = "1970-01-01T00:00:00Z",
      ["is the end of all times"] = "9999-12-31T23:59:59.9999999",
      ["is American"] = "2/3/2024 7:08:09 AM",
      ["is German"] = "03.02.2024 07:08:09",
      ["is empty"] = "",
      ["is no text"] = 5,
      ["is missing"] = "missing",
    } do
      it(name, function()
        local some = requests { "2024-02-03T07:00:00", at, "2024-01-01T00:00:00" }
        local kept = some:filter { since = "24h" }
        assert.equal("1 2", upns(kept))
        assert.equal(1, kept.without_time)
        assert.is_nil(some.without_time)
        assert.equal("1 3 2", upns(some:newest_first()))
      end)
    end
  end)

  it("reads a time as HTTP writes it", function()
    local kept = requests { "Sat, 03 Feb 2024 07:00:00 GMT", "Thu, 01 Feb 2024 07:00:00 GMT" }
      :filter { since = "24h" }
    assert.equal("1", upns(kept))
    assert.equal(0, kept.without_time)
  end)

  it("counts those alone that the other criteria keep, and counts anew for a part", function()
    local kept = requests({ "", "", "2024-02-03T07:00:00" }):filter { since = "24h", user = "2" }
    assert.equal(1, kept.without_time)
    local both = requests({ "", "", "2024-02-03T07:00:00" }):filter { since = "24h" }
    assert.equal(2, both.without_time)
    assert.equal(0, both:filter({ user = "3" }).without_time)
    assert.equal(1, both:filter({ user = "1" }):newest_first().without_time)
    assert.is_nil(requests({ "" }):filter({ user = "1" }).without_time)
  end)

  describe("counts from when the service answered", function()
    local times = { "2024-02-03T07:00:00", "2024-02-02T12:00:00", "2024-02-01T12:00:00" }

    it("whatever this machine's clock says", function()
      for _, offset in ipairs { -20 * HOUR, 20 * HOUR, 10 * 365 * DAY } do
        local some = requests(times, { date = NOW, clock = function() return NOW + offset end })
        assert.equal("1 2", upns(some:filter { since = "24h" }))
        assert.equal("1", upns(some:filter { since = "today" }))
        assert.equal("1 2", upns(some:filter { since = "yesterday" }))
      end
    end)

    it("but for a time that is given as such", function()
      local some = requests(times, { date = NOW + 9 * DAY })
      assert.equal("1 2", upns(some:filter { since = "2024-02-02T00:00" }))
      assert.equal("1 2", upns(some:filter { since = NOW - DAY }))
    end)

    it("in the call itself", function()
      assert.equal("new", upns(call("Sat, 03 Feb 2024 07:08:09 GMT", { since = "24h" },
        NOW + 20 * HOUR)))
      assert.equal("new old", upns(call("Sat, 03 Feb 2024 07:08:09 GMT", { since = "2d" },
        NOW + 20 * HOUR)))
    end)

    it("or from this machine's clock, where the answer does not say when", function()
      for _, date in ipairs { "garbage", "2024-02-03T07:08:09Z", "" } do
        local some = call(date, { since = "24h" })
        assert.equal("new", upns(some))
        assert.is_nil(some.date)
        assert.is_nil(some.clock_offset)
      end
      assert.is_nil(call(nil, {}).date)
    end)
  end)

  describe("tells what the service does not cover", function()
    for name, case in pairs {
      ["for a longer duration"] = { "30d", true }, ["for weeks"] = { "2w", true },
      ["for a day long ago"] = { "2023-12-24", true },
      ["for epoch seconds"] = { NOW - 8 * DAY, true },
      ["not for just that long"] = { "7d", false }, ["not for its weeks"] = { "1w", false },
      ["not for a moment more, as clocks differ"] = { NOW - 7 * DAY - 60, false },
      ["not for less"] = { "24h", false },
    } do
      it(name, function()
        local kept = requests({ "2024-02-03T07:00:00" }):filter { since = case[1] }
        assert.equal(case[2] and NOW - 7 * DAY or nil, kept.covered_since)
      end)
    end

    it("by the service's clock", function()
      local some = call("Sat, 03 Feb 2024 07:08:09 GMT", { since = "8d" }, NOW + 20 * HOUR)
      assert.equal(NOW - 7 * DAY, some.covered_since)
      assert.equal(NOW - 7 * DAY, some:filter({ user = "new" }).covered_since)
    end)

    it("not where nobody knows how much it covers", function()
      local client = fake.client { { body = "[]" } }
      local days = assert(client.security:application_mfa_adoption_status { since = "30d" })
      assert.is_nil(days.covered_since)
    end)
  end)

  it("counts by this machine's clock where the service's date is of no clock", function()
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
  it("tells how far the service's is ahead", function()
    assert.equal(3600, call("Sat, 03 Feb 2024 08:08:09 GMT", {}).clock_offset)
    assert.equal(-3600, call("Sat, 03 Feb 2024 06:08:09 GMT", {}).clock_offset)
    assert.equal(NOW + 3600, call("Sat, 03 Feb 2024 08:08:09 GMT", {}).date)
  end)

  it("takes no long answer for a wrong clock", function()
    assert.equal(0, call("Sat, 03 Feb 2024 07:08:19 GMT", {}, NOW, 900).clock_offset)
    assert.equal(-5, call("Sat, 03 Feb 2024 07:08:04 GMT", {}, NOW, 900).clock_offset)
    assert.equal(100, call("Sat, 03 Feb 2024 07:24:49 GMT", {}, NOW, 900).clock_offset)
  end)

  it("is written down with the list", function()
    local facts = list.facts(call("Sat, 03 Feb 2024 08:08:09 GMT", { since = "30d" }))
    assert.equal(NOW + 3600, facts.date)
    assert.equal(3600, facts.clock_offset)
    assert.equal(NOW + 3600 - 7 * DAY, facts.covered_since)
    assert.equal(0, facts.without_time)
  end)
end)
