--- The order of a list that is sorted by time, whatever the times.
local list = require "pcapi.service.list"
local security = require "pcapi.service.resources.security"

local random = math.random

local function one(values)
  return values[random(#values)]
end

local RARE = {
  "Sat, 03 Feb 2024 07:08:09 GMT", "Saturday, 03-Feb-24 07:08:09 GMT", "2024-02-03", "2024-02-30",
  "0001-01-01T00:00:00", "9999-12-31T23:59:59", "1999-12-31T23:59:59Z", "2000-01-01T00:00:00",
  "2024-02-03T07:08:60Z", "2024-02-03T07:08", "1706944089", "lately", "", "2024-02-03T07:08:09.",
  "2024-02-03t07:08:09z", "2024-02-03 07:08:09", "2024-02-03T07:08:09.9999999",
  "2024-02-03T07:08:09.99999949999999999", 1706944089, true, false, {}, require("cjson").null,
}

local function time()
  local kind = random(12)
  if kind == 1 then
    return nil
  elseif kind == 2 then
    return one(RARE)
  end
  local text = ("2024-0%d-0%dT0%d:0%d:%02d"):format(random(2), random(2), random(2), random(2),
    random(0, 59))
  if kind > 8 then
    text = text .. "." .. tostring(random(0, 1e6)):rep(random(2)):gsub("%D", "")
  end
  return text .. one { "", "", "Z", "+01:00", "-0130", "+25:00" }
end

local function places_in(records)
  local places = {}
  for i, record in ipairs(records) do
    places[i] = record.at
  end
  return places
end

-- The places of records in the order that a sort by pcapi.time has.
local function expected(records, descending)
  local rows = {}
  for i, record in ipairs(records) do
    rows[i] = { at = i, time = records:time_of(record) }
  end
  table.sort(rows, function(a, b)
    if a.time ~= b.time then
      if not a.time or not b.time then
        return a.time ~= nil
      end
      return (a.time < b.time) ~= descending
    end
    return a.at < b.at
  end)
  return places_in(rows)
end

describe("a list sorted by time", function()
  for seed = 1, 20 do
    it("has the order of its times, seed " .. seed, function()
      math.randomseed(seed)
      local records = {}
      for i = 1, random(0, 200) do
        records[i] = { requestDateTime = time(), at = i }
      end
      if seed % 4 == 0 and records[1] then
        setmetatable(records[1], { __index = { requestDateTime = "2024-02-01T00:00:00Z" } })
        records[1].requestDateTime = nil
      end
      records = list.new(records, { resource = security.partner_requests, clock = os.time })
      assert.same(expected(records, true), places_in(records:newest_first()))
      assert.same(expected(records, true), places_in(records:sort_by("requestDateTime", true)))
      assert.same(expected(records, false), places_in(records:sort_by "requestDateTime"))
    end)
  end

  it("has the same records", function()
    local records = list.new({ { requestDateTime = "2024-02-03" }, {} },
      { resource = security.partner_requests, clock = os.time, total_count = 2 })
    local sorted = records:newest_first()
    assert.equal(records[1], sorted[1])
    assert.equal(2, sorted.total_count)
    assert.not_equal(records, sorted)
  end)
end)
