--- One spec of each row of the table of outcomes, and of the cases beside it.
local outcomes = require "pcapi.history.outcomes"

local NOW = 1795845600 -- 2026-11-28T06:00:00Z
local HOUR, DAY = 3600, 86400

local RUN = { at = NOW, users = "whole" }

-- A finding that was opened two days ago, by a sign-in three days ago.
local function finding(fields)
  local made = { episode = 1, state = "open", first_at = NOW - 3 * DAY, last_at = NOW - 3 * DAY,
                 is_exact = true, times = 1, opened = NOW - 2 * DAY, seen = NOW - DAY,
                 is_visible = true }
  for name, value in pairs(fields or {}) do
    made[name] = value
  end
  return made
end

-- The evidence of some applications: hours after the last sign-in without MFA at which each was
-- used last without MFA and with MFA.
local function evidence(applications, from)
  return function(now)
    local rows, latest = {}, outcomes.latest(now)
    for name, hours in pairs(applications) do
      rows[#rows + 1] = {
        application = name, without = hours[1] and latest + hours[1] * HOUR,
        with = hours[2] and latest + hours[2] * HOUR,
        with_after = hours[2] and hours[2] > 0 and latest + (hours[3] or hours[2]) * HOUR or nil,
      }
    end
    return { rows = rows, from = from or latest - 4 * DAY }
  end
end

local NONE = evidence {}
local PROVEN = evidence { sync = { 0, 20, 5 } }

local function present(was, last_at, proof, run)
  return outcomes.present(was, last_at, run or RUN, proof or NONE)
end

describe("a user who is in the list", function()
  it("for the first time, in the tenant's first whole list, is open, by a baseline", function()
    local now, events = present(nil, NOW - HOUR, NONE, { at = NOW, is_baseline = true })
    assert.same({ "baseline" }, events)
    assert.same({ episode = 1, state = "open", first_at = NOW - HOUR, last_at = NOW - HOUR,
                  is_exact = true, times = 1, opened = NOW, seen = NOW, is_visible = true }, now)
  end)

  it("for the first time later is open, and new", function()
    local now, events = present(nil, NOW - HOUR)
    assert.same({ "new" }, events)
    assert.equal("open", now.state)
  end)

  it("with the same sign-in stays open without an event", function()
    local now, events = present(finding(), NOW - 3 * DAY)
    assert.same({}, events)
    assert.same(finding { seen = NOW }, now)
  end)

  it("with a later sign-in stays open; that is counted, by the event again", function()
    local now, events = present(finding(), NOW - HOUR)
    assert.same({ "again" }, events)
    assert.same(finding { last_at = NOW - HOUR, times = 2, seen = NOW }, now)
  end)

  it("with the same sign-in, and each application with MFA since, is healing", function()
    local now, events = present(finding(), NOW - 3 * DAY, evidence {
      sync = { 0, 20, 5 }, report = { -30, 8, 7 },
    })
    assert.same({ "healing" }, events)
    assert.equal("healing", now.state)
    assert.equal(NOW - 3 * DAY + 7 * HOUR, now.mfa_at)
  end)

  it("with a sign-in before the known one keeps the later one", function()
    local now, events = present(finding(), NOW - 4 * DAY)
    assert.same({}, events)
    assert.equal(NOW - 3 * DAY, now.last_at)
  end)

  for name, state in pairs {
    ["after it was fixed"] = "fixed", ["after it went quiet"] = "quiet",
    ["after it was lost"] = "lost",
  } do
    it(name .. ", with a later sign-in, is back: open in a new episode", function()
      local was = finding { state = state, closed = NOW - 2 * DAY, episode = 3, mfa_at = 1,
                            last_at = NOW - 10 * DAY }
      local now, events = present(was, NOW - HOUR)
      assert.same({ "back" }, events)
      assert.same({ episode = 4, state = "open", first_at = NOW - HOUR, last_at = NOW - HOUR,
                    is_exact = true, times = 1, opened = NOW, seen = NOW, is_visible = true }, now)
    end)
  end

  it("after it was lost, with the same sign-in, is open again in the same episode", function()
    local was = finding { state = "lost", closed = NOW - DAY }
    local now, events = present(was, was.last_at)
    assert.same({ "again" }, events)
    assert.same(finding { seen = NOW }, now)
  end)

  for _, state in ipairs { "fixed", "quiet" } do
    it("after it was " .. state .. ", with the same sign-in, stays " .. state, function()
      local was = finding { state = state, closed = NOW - DAY, last_at = NOW - 9 * DAY }
      local now, events = present(was, was.last_at)
      assert.same({}, events)
      assert.equal(was, now)
    end)
  end

  it("while healing, with a later sign-in, is open again", function()
    local now, events = present(finding { state = "healing", mfa_at = NOW - 2 * DAY }, NOW - HOUR)
    assert.same({ "again" }, events)
    assert.equal("open", now.state)
    assert.is_nil(now.mfa_at)
  end)

  it("while healing, with a later request without MFA, is open again", function()
    local was = finding { state = "healing", mfa_at = NOW - 2 * DAY }
    local now, events = present(was, was.last_at, evidence { sync = { 30, 20 } })
    assert.same({ "again" }, events)
    assert.equal("open", now.state)
  end)

  it("while healing stays so if an older request without MFA comes up", function()
    local was = finding { state = "healing", mfa_at = NOW - 2 * DAY }
    local now, events = present(was, was.last_at, evidence { sync = { 0, 20 }, report = { -9 } })
    assert.same({}, events)
    assert.equal("healing", now.state)
  end)

  it("while healing stays so if the evidence is out of reach", function()
    local was = finding { state = "healing", mfa_at = NOW - 2 * DAY }
    local now, events = present(was, was.last_at, evidence({}, NOW))
    assert.same({}, events)
    assert.equal("healing", now.state)
  end)

  it("is visible again", function()
    assert.is_true(present(finding { is_visible = false }, NOW - 3 * DAY).is_visible)
  end)

  for name, case in pairs {
    ["new"] = { nil, NOW - DAY, { "new", "healing" } },
    ["listed again"] = { finding(), NOW - DAY, { "again", "healing" } },
    ["back"] = { finding { state = "quiet", closed = NOW - 2 * DAY, last_at = NOW - 9 * DAY },
                 NOW - DAY, { "back", "healing" } },
  } do
    it(name .. " heals in the same run, so that the same answer twice changes nothing", function()
      local now, events = present(case[1], case[2], PROVEN)
      assert.same(case[3], events)
      assert.equal("healing", now.state)
      local later, more = present(now, case[2], PROVEN)
      assert.same({}, more)
      assert.same(now, later)
    end)
  end

  it("heals in a baseline without an event of its own", function()
    local now, events = present(nil, NOW - DAY, PROVEN, { at = NOW, is_baseline = true })
    assert.same({ "baseline" }, events)
    assert.equal("healing", now.state)
  end)
end)

describe("an open user is not healing", function()
  for name, applications in pairs {
    ["if no request is known, as of a user of the portal"] = {},
    ["if an application was never used with MFA"] = { sync = { 0 } },
    ["if one application was used with MFA and another was not"] = { sync = { 0, 20 },
                                                                   report = { -30 } },
    ["if only another application was used with MFA"] = { sync = { 0 }, report = { nil, 20 } },
    ["if the request with MFA came before the sign-in without"] = { sync = { 0, -1 } },
    ["if the request with MFA came at the time of the sign-in without"] = { sync = { 0, 0 } },
    ["if a request without MFA followed the one with"] = { sync = { 21, 20 } },
    ["if a request without MFA came at the time of the one with"] = { sync = { 20, 20 } },
    ["if no request explains the sign-in, as of a user of the portal"] = { sync = { -1, 20 } },
  } do
    it(name, function()
      local now, events = present(finding(), NOW - 3 * DAY, evidence(applications))
      assert.same({}, events)
      assert.equal("open", now.state)
    end)
  end

  it("if the requests do not reach back to the sign-in", function()
    local proof = evidence({ sync = { 0, 20 } }, NOW - 3 * DAY + 1)
    assert.equal("open", present(finding(), NOW - 3 * DAY, proof).state)
    proof = evidence({ sync = { 0, 20 } }, NOW - 3 * DAY)
    assert.equal("healing", present(finding(), NOW - 3 * DAY, proof).state)
  end)

  it("if nobody knows how far the requests reach", function()
    local rows = PROVEN(finding()).rows
    assert.equal("open", present(finding(), NOW - 3 * DAY, function()
      return { rows = rows }
    end).state)
  end)
end)

describe("an application that was left a week before the last sign-in", function()
  it("needs no proof", function()
    local now = present(finding(), NOW - 3 * DAY, evidence { sync = { 0, 20 },
                                                           old = { -7 * 24 - 1 } })
    assert.equal("healing", now.state)
    now = present(finding(), NOW - 3 * DAY, evidence { sync = { 0, 20 }, old = { -7 * 24 } })
    assert.equal("open", now.state)
  end)
end)

describe("a user who is not in the list", function()
  local OLD = { last_at = NOW - 7 * DAY - 1 }

  for _, state in ipairs { "open", "healing" } do
    it("is fixed after 7 days, if " .. state .. " and each application is proven", function()
      local was = finding { state = state, last_at = OLD.last_at }
      local now, events = outcomes.absent(was, RUN, PROVEN)
      assert.same({ "fixed" }, events)
      assert.same(finding { state = "fixed", closed = NOW, last_at = OLD.last_at,
                            mfa_at = OLD.last_at + 5 * HOUR }, now)
    end)

    it("is quiet after 7 days, if " .. state .. " without a request since", function()
      local now, events = outcomes.absent(finding { state = state, last_at = OLD.last_at,
                                                    mfa_at = NOW }, RUN, NONE)
      assert.same({ "quiet" }, events)
      assert.same(finding { state = "quiet", closed = NOW, last_at = OLD.last_at }, now)
    end)

    it("is lost within 6 days, if " .. state, function()
      local now, events = outcomes.absent(finding { state = state, last_at = NOW - 6 * DAY }, RUN,
        PROVEN)
      assert.same({ "lost" }, events)
      assert.equal("lost", now.state)
      assert.equal(NOW, now.closed)
    end)
  end

  it("is quiet after 7 days if another application was used with MFA", function()
    local now = outcomes.absent(finding(OLD), RUN, evidence { sync = { 0 }, report = { nil, 9 } })
    assert.equal("quiet", now.state)
  end)

  for name, seconds in pairs { ["a second after 6 days"] = 6 * DAY + 1, ["7 days"] = 7 * DAY } do
    it("stays open " .. name .. " after the sign-in: the week may end at midnight", function()
      local was = finding { last_at = NOW - seconds }
      local now, events = outcomes.absent(was, RUN, PROVEN)
      assert.equal(was, now)
      assert.same({}, events)
    end)
  end

  for name, days in pairs { ["within 6 days"] = 3, ["between"] = 6.5, ["after 7 days"] = 9 } do
    it("stays open and is not visible " .. name .. " if the list is cut", function()
      local was = finding { last_at = NOW - days * DAY }
      local cut = { at = NOW, users = "cut" }
      local now, events = outcomes.absent(was, cut, PROVEN)
      assert.same({ "not_visible" }, events)
      assert.same(finding { last_at = NOW - days * DAY, is_visible = false }, now)
      local later, more = outcomes.absent(now, cut, PROVEN)
      assert.same({}, more)
      assert.equal(now, later)
    end)
  end
end)

describe("a sign-in whose time cannot be read", function()
  it("opens a finding as late as the list", function()
    local now, events = present(nil, nil)
    assert.same({ "new" }, events)
    assert.equal(NOW, now.last_at)
    assert.is_false(now.is_exact)
  end)

  it("leaves an open finding as it is", function()
    for _, state in ipairs { "open", "healing" } do
      local now, events = present(finding { state = state }, nil, PROVEN)
      assert.same({}, events)
      assert.same(finding { state = state, is_exact = false, seen = NOW }, now)
    end
  end)

  it("is replaced by one that can be read", function()
    local was = present(nil, nil)
    local now, events = present(was, NOW - 2 * DAY, NONE, { at = NOW + DAY })
    assert.same({}, events)
    assert.equal(NOW - 2 * DAY, now.last_at)
    assert.equal(NOW - 2 * DAY, now.first_at)
    assert.is_true(now.is_exact)
  end)

  it("makes nobody lost, and quiet only 7 days after the user was listed last", function()
    local was = present(nil, nil)
    assert.equal("open", outcomes.absent(was, { at = NOW + DAY, users = "whole" }, NONE).state)
    assert.equal("open", outcomes.absent(was, { at = NOW + 7 * DAY, users = "whole" }, NONE).state)
    assert.equal("quiet",
      outcomes.absent(was, { at = NOW + 7 * DAY + 1, users = "whole" }, NONE).state)
  end)

  it("brings a closed user back, but for a lost one, who may be the same", function()
    local _, events = present(finding { state = "quiet", closed = NOW - DAY }, nil)
    assert.same({ "back" }, events)
    _, events = present(finding { state = "lost", closed = NOW - DAY }, nil)
    assert.same({ "again" }, events)
  end)
end)
