--- What people see of each list on terminals of several widths.
local commands = require "pcapi.cli.commands"
local core = require "pcapi.core"
local results = require "pcapi.cli.results"
local table_format = require "pcapi.format.table"
local text = require "pcapi.text"

local ID = "0f0b3c1e-6b0f-4c2e-9d9f-3c525a644b2c"
local USER = "kim.akers@fabrikam.example"
local LONG_USER = ("k"):rep(43) .. "@fabrikam.example" -- 60 characters
local TIME = "2024-02-03 07:08:09"

-- Writes one record by a view. Returns the header and the row.
local function lines_of(view, record, width)
  local output = table_format.encode({ record }, { columns = view.columns, titles = view.titles,
                                                   narrow = view.narrow, width = width })
  local header, row = output:match "^([^\n]*)\n([^\n]*)\n$"
  assert.is_true(text.width(header) <= width and text.width(row) <= width, output)
  return row, header
end

local function has(row, ...)
  for _, part in ipairs { ... } do
    assert.truthy(row:find(part, 1, true), part .. " is not in: " .. row)
  end
end

describe("users without MFA", function()
  local view = commands.load("non-mfa").view

  local function row_of(width, upn)
    return lines_of(view, { upn = upn or USER, lastNonMfaCompliantLoginDateTime = TIME,
                            objectId = ID }, width)
  end

  it("have user and time whole at 80 columns, and the id is cut", function()
    assert.equal(USER .. "  " .. TIME .. "     " .. ID:sub(1, 27) .. "…", row_of(80))
  end)

  it("have a user of 60 characters whole at 80 columns, without the id", function()
    local row, header = row_of(80, LONG_USER)
    assert.equal(LONG_USER .. "  2024-02-03 07:08:…", row)
    assert.is_nil(header:find("OBJECT", 1, true))
  end)

  it("have user and day at 40 columns", function()
    assert.equal(USER .. "  2024-02-03 …", row_of(40))
  end)

  it("have all at 122 columns, whatever the user", function()
    has(row_of(122, LONG_USER), LONG_USER, TIME, ID)
  end)
end)

describe("requests", function()
  local view = commands.load("requests").view
  local record = { requestDateTime = TIME, upn = USER, mfaCompliant = false,
                   operationName = "Get /v{version}/customers/{customer_id}/subscriptions",
                   ipAddress = "203.0.113.7", applicationId = ID }

  it("have time, user and MFA whole at 80 columns", function()
    has(lines_of(view, record, 80), TIME, USER, "  no ", "203.0.113.7")
  end)

  it("have time, user and MFA whole at 80 columns for a user of 50 characters", function()
    local upn = ("k"):rep(33) .. "@fabrikam.example"
    has(lines_of(view, { requestDateTime = TIME, upn = upn, mfaCompliant = true, ipAddress = "::1",
                         operationName = record.operationName, applicationId = ID }, 80), TIME, upn,
      " yes")
  end)

  it("have day, most of the user, and MFA at 40 columns", function()
    assert.equal("2024-02-03…  kim.akers@fabrika…  no", lines_of(view, record, 36))
    has(lines_of(view, record, 40), "2024-02-03", "kim.akers@fabrikam.ex", "no")
  end)

  it("have everything where there is room", function()
    has(lines_of(view, record, 180), TIME, USER, record.operationName, "203.0.113.7", ID)
  end)
end)

describe("adoption", function()
  local record = { loginDate = "2024-02-03", application = ID, mfaCompliantRequestCount = 1128,
                   totalRequestCount = 1553, share = "72%" }

  for _, by in ipairs { "application", "day", "nothing" } do
    it("by " .. by .. " has key and share at 80 and at 40 columns", function()
      local view = commands.load("adoption").view { by = by ~= "nothing" and by or nil }
      for _, width in ipairs { 80, 40 } do
        local row = lines_of(view, record, width)
        has(row, "72%")
        has(row, by ~= "application" and "2024-02-03" or "")
        has(row, by ~= "day" and ID:sub(1, 13) or "")
      end
      has(lines_of(view, record, 80), "1128", "1553")
    end)
  end
end)

describe("a list of several tenants", function()
  it("has tenant, user and time whole at 80 columns", function()
    local view = results.view(commands.load("non-mfa").view)
    has(lines_of(view, { tenant = "contoso.onmicrosoft.com", upn = USER, objectId = ID,
                         lastNonMfaCompliantLoginDateTime = TIME }, 80),
      "contoso.onmicrosoft.com", USER, TIME)
  end)

  it("cuts the tenant before the user", function()
    local view = results.view(commands.load("non-mfa").view)
    has(lines_of(view, { tenant = "contoso.onmicrosoft.com", upn = LONG_USER:sub(20),
                         lastNonMfaCompliantLoginDateTime = TIME }, 68), LONG_USER:sub(20),
      "contoso.onm…")
  end)
end)

describe("the state of", function()
  it("a request without MFA is bad", function()
    local state = commands.load("requests").view.state.mfaCompliant
    assert.same({ "bad", nil, nil }, { state(false), state(true), state(nil) })
  end)

  for _, case in ipairs { { 0, 9, "bad" }, { 49, 100, "bad" }, { 50, 100, "warning" },
                          { 99, 100, "warning" }, { 100, 100 }, { 0, 0 } } do
    it(("a share of %d in %d is %s"):format(case[1], case[2], case[3] or "none"), function()
      local state = commands.load("adoption").view({}).state.share
      assert.equal(case[3], state("-", { mfaCompliantRequestCount = case[1],
                                         totalRequestCount = case[2] }))
    end)
  end
end)

describe("the share of requests with MFA", function()
  local view = commands.load("adoption").view {}

  for _, case in ipairs {
    { 3, 9, 33 }, { 9, 9, 100 }, { 999, 1000, 99 }, { 0, 5, 0 }, { 0, 0, core.null },
    { 1e308, 1, core.null }, { math.huge, 5, core.null }, { -3, 5, core.null },
    { "abc", 5, core.null }, { 5, nil, core.null }, { 29, 100, 29 },
  } do
    it(("of %s in %s is %s"):format(tostring(case[1]), tostring(case[2]), tostring(case[3])),
      function()
        local rows = setmetatable({ { mfaCompliantRequestCount = case[1],
                                      totalRequestCount = case[2] } },
          { __index = { columns = {} } })
        local share = view.prepare(rows)[1].share
        assert.equal(case[3], share)
        assert.equal(share ~= core.null and share .. "%" or nil, view.shown.share(share))
      end)
  end
end)
