local adoption = require "pcapi.report.adoption"

local function row(id, with_mfa, total, name)
  return { applicationId = id, applicationName = name, mfaCompliantRequestCount = with_mfa,
           totalRequestCount = total }
end

describe("the share of a row", function()
  for name, case in pairs {
    ["is 0 to 1"] = { row("a", 3, 4), 0.75, 75 },
    ["is 0 if no request had MFA"] = { row("a", 0, 4), 0, 0 },
    ["is 1 if every request had MFA"] = { row("a", 4, 4), 1, 100 },
    ["is rounded down to whole percent"] = { row("a", 2, 3), 2 / 3, 66 },
    ["is a whole percent where a double is a little less"] = { row("a", 29, 100), 0.29, 29 },
    ["is 100 percent for every request alone"] = { row("a", 2 ^ 53 - 1, 2 ^ 53),
                                                  (2 ^ 53 - 1) / 2 ^ 53, 99 },
    ["is 100 percent for every request, however many"] = { row("a", 2 ^ 53, 2 ^ 53), 1, 100 },
    ["is unknown without requests"] = { row("a", 0, 0) },
    ["is unknown without a total"] = { row("a", 3) },
    ["is unknown without the requests with MFA"] = { row("a", nil, 3) },
    ["is unknown for more requests with MFA than requests"] = { row("a", 4, 3) },
    ["is unknown for negative counts"] = { row("a", -1, 3) },
    ["is unknown for counts that are texts"] = { row("a", "3", "4") },
    ["is unknown for counts that are infinite"] = { row("a", 1, math.huge) },
    ["is unknown for an empty row"] = { {} },
  } do
    it(name, function()
      assert.equal(case[2], adoption.share(case[1]))
      assert.equal(case[3], adoption.percent(case[1]))
    end)
  end
end)

describe("the adoption of rows", function()
  it("adds up all rows, and those of each application", function()
    local found = adoption.of {
      row("a", 1, 4, "Alpha"), row("b", 5, 5, "Beta"), row("a", 2, 4, "Alpha"),
    }
    assert.same({
      with_mfa = 8, total = 13, ratio = 8 / 13,
      applications = {
        { id = "a", name = "Alpha", with_mfa = 3, total = 8, ratio = 3 / 8 },
        { id = "b", name = "Beta", with_mfa = 5, total = 5, ratio = 1 },
      },
    }, found)
  end)

  it("lists the busiest application first, and equally busy ones by id", function()
    local ids = {}
    for i, application in ipairs(adoption.of {
      row("c", 0, 1), row("b", 0, 9), row("a", 0, 1), row("d", 0, 1),
    }.applications) do
      ids[i] = application.id
    end
    assert.same({ "b", "a", "c", "d" }, ids)
  end)

  it("is empty without rows", function()
    assert.same({ with_mfa = 0, total = 0, applications = {} }, adoption.of {})
  end)

  it("has no ratio without requests", function()
    local found = adoption.of { row("a", 0, 0, "Alpha") }
    assert.is_nil(found.ratio)
    assert.same({ { id = "a", name = "Alpha", with_mfa = 0, total = 0 } }, found.applications)
  end)

  it("takes the first name that an application has", function()
    local found = adoption.of { row("a", 0, 1), row("a", 0, 1, ""), row("a", 0, 1, "Alpha"),
                                row("a", 0, 1, "Other") }
    assert.equal("Alpha", found.applications[1].name)
  end)

  it("groups rows without an id under an empty one", function()
    local found = adoption.of { row(nil, 1, 2), row("", 1, 2), row({}, 1, 2), row(5, 1, 2) }
    assert.same({ { id = "", with_mfa = 4, total = 8, ratio = 0.5 } }, found.applications)
  end)

  it("counts a request with MFA as a request, even if the total is smaller", function()
    local found = adoption.of { row("a", 5, 3), row("a", 2) }
    assert.same({ 7, 7, 1 }, { found.with_mfa, found.total, found.ratio })
  end)

  it("adds nothing for values that are not counts", function()
    local found = adoption.of { row("a", "abc", 4), row("a", -7, math.huge), row("a", 0 / 0, {}),
                                row("a", true, 2 ^ 60), row("a") }
    assert.same({ 0, 4 }, { found.with_mfa, found.total })
  end)

  it("takes hostile texts as they are", function()
    local name = "<script>alert(1)</script>\255\0"
    local found = adoption.of { row("__index", 1, 1, name), row("%d", 1, 1, name) }
    assert.equal(2, #found.applications)
    assert.equal(name, found.applications[1].name)
  end)
end)

describe("rows by application", function()
  it("have the sums of all days, the lowest share first", function()
    assert.same({
      { applicationId = "b", mfaCompliantRequestCount = 3, totalRequestCount = 8 },
      { applicationId = "a", applicationName = "Alpha", mfaCompliantRequestCount = 4,
        totalRequestCount = 5 },
    }, adoption.by({ row("a", 1, 2), row("b", 3, 4), row("a", 3, 3, "Alpha"), row("b", 0, 4) },
      "application"))
  end)

  it("are sorted by requests, then by id, if their shares are equal", function()
    local ids = {}
    for i, found in ipairs(adoption.by({ row("d", 1, 2), row("c", 1, 2), row("b", 2, 4),
                                         row("a", 0, 0), row("e", 1, 9) }, "application")) do
      ids[i] = found.applicationId
    end
    assert.same({ "e", "b", "c", "d", "a" }, ids) -- without requests there is no share
  end)

  it("have no id if their rows have none", function()
    assert.same({ { mfaCompliantRequestCount = 1, totalRequestCount = 2 } },
      adoption.by({ row(nil, 1, 2) }, "application"))
  end)

  it("are rows as well", function()
    local found = adoption.by({ row("a", 1, 4), row("a", 2, 4) }, "application")[1]
    assert.same({ 3 / 8, 37 }, { adoption.share(found), adoption.percent(found) })
  end)
end)

describe("rows by day", function()
  local function day(text, with_mfa, total)
    local made = row("a", with_mfa, total)
    made.loginDate = text
    return made
  end

  it("have the sums of all applications, the newest day first", function()
    assert.same({
      { loginDate = "2024-02-04", mfaCompliantRequestCount = 1, totalRequestCount = 1 },
      { loginDate = "2024-02-03", mfaCompliantRequestCount = 3, totalRequestCount = 6 },
    }, adoption.by({ day("2024-02-03", 1, 3), day("2024-02-04", 1, 1),
                     day("2024-02-03T00:00:00", 2, 3) }, "day"))
  end)

  it("come last without a day, and have the text of a day that cannot be read", function()
    local days = {}
    for i, found in ipairs(adoption.by({ day(nil, 1, 1), day("soon", 1, 1),
                                         day("2024-02-03", 1, 1), day("", 1, 1) }, "day")) do
      days[i] = found.loginDate or "none"
    end
    assert.same({ "soon", "2024-02-03", "none" }, days)
  end)

  it("need a known way to group", function()
    assert.has_error(function()
      adoption.by({}, "user")
    end, 'adoption.by groups by "application" or "day", not by user')
  end)
end)

describe("the rows below a share", function()
  it("are those whose share is known and smaller", function()
    local low, equal, high = row("a", 1, 3), row("b", 1, 2), row("c", 3, 3)
    assert.same({ low }, adoption.below({ low, equal, high, row("d", 0, 0), {} }, 50))
    assert.same({ low, equal }, adoption.below({ low, equal, high }, 50.5))
    assert.same({}, adoption.below({ row("a", 29, 100) }, 29)) -- 0.29 * 100 is less than 29
  end)
end)
