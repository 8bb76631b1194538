--- What `pcapi watch` tells over days: each outcome of a user, from real lists of the sandbox.
local folder = require "spec.support.folder"
local watched = require "spec.support.watched"

local tell = watched.tell

-- Runs once a day at 06:00, from one day of November to another; returns the events by day, without
-- days on which there were none.
local function play(home, first, last, arguments)
  local days = {}
  for day = first, last do
    local events, result = home:events(("2026-11-%02dT06:00:00Z"):format(day), arguments)
    assert.same({ 0, "" }, { result.status, result.err })
    days[day] = #events > 0 and events or nil
  end
  return days
end

describe("pcapi watch tells", function()
  teardown(folder.remove)

  it("the first list of a tenant as one number, and of nobody in it", function()
    local home = tell [[
      2026-11-10T09:00:00Z kim@fabrikam.example signs-in
      2026-11-10T10:00:00Z lee@fabrikam.example signs-in]]
    local rows = home:rows "2026-11-11T06:00:00Z"
    assert.equal(1, #rows)
    assert.same({ "baseline", 2, 0 }, { rows[1].event, rows[1].count, rows[1].exceptedCount })
    assert.same({}, home:events "2026-11-12T06:00:00Z")
  end)

  it("of an empty first list nothing, and everyone after it as new", function()
    local home = tell "2026-11-12T09:00:00Z kim@fabrikam.example signs-in"
    assert.same({ [13] = { "new kim" } }, play(home, 11, 15))
  end)

  it("of who is new since it was last told, not since midnight", function()
    local home = tell [[
      2026-11-10T09:00:00Z kim@fabrikam.example signs-in
      2026-11-12T20:00:00Z lee@fabrikam.example signs-in
      2026-11-13T20:00:00Z lee@fabrikam.example signs-in]]
    assert.same({ [11] = { "baseline 1" }, [13] = { "new lee" } }, play(home, 11, 14))
  end)

  it("nothing if an open user signs in again", function()
    local home = tell "2026-11-10 kim@fabrikam.example signs-in every=1d; count=20"
    assert.same({ [10] = { "baseline 1" } }, play(home, 10, 16, { "--output", "jsonl" }))
  end)

  it("of who heals, and then is fixed: each application comes with MFA", function()
    local home = tell [[
      2026-11-11 svc@fabrikam.example requests app=Billing; every=1h; until=2026-11-14
      2026-11-14 svc@fabrikam.example requests app=Billing; every=1h; until=2026-12-01; mfa=1]]
    assert.same({ [11] = { "baseline 1" }, [14] = { "healing svc" }, [21] = { "fixed svc" } },
      play(home, 11, 22))
  end)

  it("not that a user heals whose other application has no MFA", function()
    local home = tell [[
      2026-11-11 svc@fabrikam.example requests app=Billing; every=1h; until=2026-11-13
      2026-11-11T00:30Z svc@fabrikam.example requests app=Sync; every=1h; until=2026-11-13
      2026-11-13 svc@fabrikam.example requests app=Billing; every=1h; until=2026-12-01; mfa=1]]
    assert.same({ [11] = { "baseline 1" }, [18] = { "open svc" }, [20] = { "quiet svc" } },
      play(home, 11, 22))
  end)

  it("that a healing user comes without MFA again", function()
    local home = tell [[
      2026-11-11 svc@fabrikam.example requests app=Billing; every=1h; until=2026-11-12
      2026-11-12 svc@fabrikam.example requests app=Billing; every=1h; until=2026-11-15; mfa=1
      2026-11-15 svc@fabrikam.example requests app=Billing; every=1h; until=2026-11-20]]
    local days = play(home, 11, 16)
    assert.same({ [11] = { "baseline 1" }, [12] = { "healing svc" }, [15] = { "again svc" } }, days)
  end)

  it("that a user is not seen any more, which proves no repair", function()
    local home = tell "2026-11-10T09:00:00Z kim@fabrikam.example signs-in"
    assert.same({ [11] = { "baseline 1" }, [18] = { "quiet kim" } },
      play(home, 11, 20, { "--reader", "r" }))
  end)

  it("that a user left the list early", function()
    local home = tell [[
      2026-11-10T09:00:00Z kim@fabrikam.example signs-in
      2026-11-12T09:00:00Z kim@fabrikam.example deleted]]
    assert.same({ [11] = { "baseline 1" }, [13] = { "lost kim" } }, play(home, 11, 20))
  end)

  it("that a user is back, and when the finding was closed", function()
    local home = tell [[
      2026-11-10T09:00:00Z kim@fabrikam.example signs-in
      2026-11-20T09:00:00Z kim@fabrikam.example signs-in]]
    assert.same({ [11] = { "baseline 1" }, [18] = { "quiet kim" } }, play(home, 11, 20))
    local rows = home:rows "2026-11-21T06:00:00Z"
    assert.same({ "back", "quiet", "2026-11-18T06:00:00Z", 2 },
      { rows[1].event, rows[1].was, rows[1].closedAt, rows[1].episode })
  end)

  it("of nobody beyond the end of a cut list, but that the list may be incomplete", function()
    local lines = { "2026-11-10T09:00:00Z kim@fabrikam.example signs-in" }
    for i = 1, 10000 do
      lines[#lines + 1] = ("2026-11-12T%02d:%02d:00Z u%d@fabrikam.example signs-in"):format(
        i % 4, i % 60, i)
    end
    local home = tell(table.concat(lines, "\n"))
    assert.same({ "baseline 1" }, home:events "2026-11-11T06:00:00Z")
    local result = home:run("2026-11-12T06:00:00Z", { "--output", "csv" })
    assert.equal(1 + 10000, select(2, result.out:gsub("\n", "")))
    assert.is_nil(result.out:find("kim@", 1, true))
    assert.truthy(result.err:find("the list of users may be incomplete", 1, true), result.err)
    result = home:run "2026-11-13T06:00:00Z"
    assert.same({ "", "" }, { result.out, result.err })
  end)

  it("of a user who was made anew with the same name, that the name was known", function()
    local home = tell [[
      2026-11-10T09:00:00Z kim@fabrikam.example signs-in
      2026-11-12T09:00:00Z kim@fabrikam.example deleted
      2026-11-12T10:00:00Z kim@fabrikam.example signs-in]]
    home:run "2026-11-11T06:00:00Z"
    local rows = home:rows "2026-11-13T06:00:00Z"
    table.sort(rows, function(a, b) return a.event < b.event end)
    assert.same({ "lost", "new" }, { rows[1].event, rows[2].event })
    assert.equal(rows[1].objectId, rows[2].knownAs)
    assert.not_equal(rows[1].objectId, rows[2].objectId)
  end)

  it("nothing of a user who was renamed", function()
    local home = tell [[
      2026-11-10T09:00:00Z kim@fabrikam.example signs-in
      2026-11-12T09:00:00Z kim@fabrikam.example renamed to=kim.lee@fabrikam.example]]
    assert.same({ [11] = { "baseline 1" } }, play(home, 11, 16))
    assert.same({ "quiet kim.lee" }, home:events "2026-11-18T06:00:00Z")
  end)
end)

describe("pcapi watch, which is told by time alone,", function()
  teardown(folder.remove)

  it("loses nothing of days on which it did not run", function()
    local home = tell [[
      2026-11-10T09:00:00Z kim@fabrikam.example signs-in
      2026-11-11 svc@fabrikam.example requests app=Billing; every=1h; until=2026-11-12
      2026-11-12 svc@fabrikam.example requests app=Billing; every=1h; until=2026-11-25; mfa=1]]
    home:run "2026-11-10T12:00:00Z"
    assert.same({ "healing svc", "new svc" }, home:events "2026-11-13T06:00:00Z")
    assert.same({ "fixed svc", "quiet kim" }, home:events "2026-11-19T06:00:00Z")
  end)

  it("says which requests are missing, and when to run, after more than 6 days", function()
    local home = tell [[
      2026-11-11 svc@fabrikam.example requests app=Billing; every=1h; until=2026-11-12
      2026-11-12 svc@fabrikam.example requests app=Billing; every=1h; until=2026-11-25; mfa=1]]
    home:run "2026-11-13T06:30:00Z"
    local events, result = home:events "2026-11-21T06:30:00Z"
    assert.same({ "quiet svc" }, events) -- nobody knows that there was no request without MFA
    assert.equal("pcapi: the requests from 2026-11-13 06:30:00 UTC to 2026-11-14 07:00:00 UTC are "
      .. "missing: the service lists those of 7 days. Run pcapi watch at least every 6 days\n",
      result.err)
  end)

  it("tells each user once on days of 23 and 25 hours, and reminds after 7 of them", function()
    -- 06:00 in Berlin: 25 October has 25 hours, 29 March has 23
    for _, days in ipairs {
      { "2026-10-24T04:00:00Z", "2026-10-25T05:00:00Z", "2026-10-26T05:00:00Z",
        "2026-10-31T05:00:00Z", seen = "2026-10-24T20:00:00Z" },
      { "2026-03-28T05:00:00Z", "2026-03-29T04:00:00Z", "2026-03-30T04:00:00Z",
        "2026-04-04T04:00:00Z", seen = "2026-03-28T20:00:00Z" },
    } do
      local home = tell(("%s kim@fabrikam.example signs-in\n%s lee@fabrikam.example signs-in\n"
        .. "%s lee@fabrikam.example signs-in\n%s kim@fabrikam.example signs-in"):format(
        days[1], days.seen, days[3], days[3]))
      assert.same({ "baseline 1" }, home:events(days[1]))
      assert.same({ "new lee" }, home:events(days[2]))
      assert.same({}, home:events(days[3]))
      assert.same({ "open kim", "open lee" }, home:events(days[4]))
    end
  end)

  it("reminds of open users as often as [history] remind says, or never", function()
    for remind, wanted in pairs {
      ["3"] = { [11] = { "baseline 1" }, [14] = { "open kim" }, [17] = { "open kim" } },
      ["0"] = { [11] = { "baseline 1" } },
    } do
      local home = tell("2026-11-10 kim@fabrikam.example signs-in every=1d; count=20",
        { config = "remind = " .. remind })
      assert.same(wanted, play(home, 11, 18))
    end
  end)

  it("goes by the service's clock, and says that this machine's differs", function()
    local home = tell "2026-11-10T09:00:00Z kim@fabrikam.example signs-in"
    home:at "2026-11-11T06:00:00Z"
    local result = require("spec.support.sandbox").pcapi({ "watch" }, home:environment())
    assert.truthy(result.err:find("^pcapi: this machine's clock is %d+ %a+ %a+ ?o?f? the "
      .. "service's clock; correct it"), result.err)
    assert.is_nil(result.err:find("--since", 1, true), result.err)
    assert.truthy(result.out:find("SINCE (UTC)", 1, true), result.out)
  end)
end)
