local export_rows = require "pcapi.history.export_rows"
local folder = require "spec.support.folder"
local history = require "pcapi.history"
local lists = require "spec.support.history_lists"
local private_folder = require "spec.support.private_folder"
local transfer = require "pcapi.history.transfer"

local NOW = 1795845600 -- 2026-11-28T06:00:00Z
local HOUR, DAY = 3600, 86400
local TENANT = "5f0b3c1e-0000-4000-8000-0000000000aa"
local OTHER = "5f0b3c1e-0000-4000-8000-0000000000ab"
local SYNC, BILLING = "5f0b3c1e-0000-4000-8000-0000000000b1", "billing"

local from, into

before_each(function()
  private_folder.new()
  from = assert(history.open(private_folder.path "from.sqlite"))
  into = assert(history.open(private_folder.path "into.sqlite"))
end)

after_each(function()
  from:close()
  into:close()
  folder.remove()
end)

local function guid(kind, number)
  return ("5f0b3c1e-%04d-4000-8000-%012d"):format(kind, number)
end

-- Records a run with a user of each number, who came a day before.
local function observe(opened, at, numbers, tenant)
  local users, requests = {}, {}
  for i, number in ipairs(numbers) do
    users[i] = { id = guid(1, number), upn = ("user%d@x.example"):format(number), at = at - DAY }
    requests[i] = { id = guid(3, at % 1000000 * 10 + number), at = at - DAY, user = guid(1, number),
                    application = number % 2 == 0 and SYNC or BILLING, mfa = false,
                    ip = "192.0.2.7", operation = "Get " .. number }
  end
  return assert(opened:observe {
    tenant = tenant or TENANT, name = "fabrikam", now = at, readers = { "mail" },
    users = lists.users(at, users), requests = lists.requests(at, requests),
    adoption = lists.adoption(at, { { day = os.date("!%Y-%m-%d", at), application = SYNC,
                                      name = "Sync", total = 2, with_mfa = 1 } }),
  })
end

-- The rows of an export without collector and run.
local function rows_of(opened, kind, after)
  local rows = {}
  assert(export_rows.each(opened.store, kind, after or 0, function(lines)
    for line in lines:gmatch "[^\n]+" do
      rows[#rows + 1] = line:gsub("^[^,]*,[^,]*,", "")
    end
  end))
  table.sort(rows)
  return rows
end

local function told(opened, now)
  local found = {}
  for _, plan in ipairs(assert(opened:changes { reader = "mail", tenant = TENANT, now = now })) do
    for _, event in ipairs(plan.fresh) do
      found[#found + 1] = event.kind .. " " .. (event.person and event.person.upn or event.count)
    end
  end
  return found
end

-- Three runs, of which the reader was told the first two.
local function record()
  observe(into, NOW - DAY, { 7, 8, 9 }, OTHER) -- keys differ
  observe(into, NOW, { 7, 9 }, OTHER)
  observe(from, NOW - 12 * DAY, { 1, 2 }, OTHER)
  observe(from, NOW - 12 * DAY, { 1, 2 })
  observe(from, NOW - 2 * DAY, { 2, 3 })
  told(from, NOW - 2 * DAY)
  observe(from, NOW, { 1, 3, 4 })
end

describe("a tenant that is transferred to another history", function()
  it("has the same findings, requests, adoption and runs there", function()
    record()
    local others = #rows_of(into, "requests")
    local counts = assert(transfer.tenant(from.store, into.store, TENANT))
    assert.same({ people = 4, findings = 5, requests = 7, events = counts.events }, counts)
    for _, kind in ipairs { "runs", "requests", "findings", "adoption" } do
      local wanted, found = {}, {}
      for i, opened in ipairs { from, into } do
        for _, row in ipairs(rows_of(opened, kind)) do
          local rows = i == 1 and wanted or found
          rows[#rows + 1] = row:find(TENANT, 1, true) and row or nil
        end
      end
      assert.is_true(#wanted > 0)
      assert.same(wanted, found, kind)
    end
    assert.equal(others + 7, #rows_of(into, "requests"))
    assert.is_true(into:check())
  end)

  it("reports what was not reported, and nothing twice", function()
    record()
    assert(transfer.tenant(from.store, into.store, TENANT))
    local wanted = told(from, NOW)
    assert.is_true(#wanted >= 2)
    assert.same(wanted, told(into, NOW))
    for _, opened in ipairs { from, into } do
      observe(opened, NOW + DAY, { 4, 5 })
    end
    wanted = told(from, NOW + DAY)
    assert.equal("new user5@x.example", wanted[1])
    assert.same(wanted, told(into, NOW + DAY))
    assert.same({}, told(into, NOW + DAY))
  end)

  it("explains its users with the same evidence", function()
    record()
    assert(transfer.tenant(from.store, into.store, TENANT))
    local wanted = assert(from:explain(guid(1, 3), { tenant = TENANT }))[1]
    local found = assert(into:explain(guid(1, 3), { tenant = TENANT }))[1]
    assert.same({ wanted.applications, wanted.step, #wanted.findings },
      { found.applications, found.step, #found.findings })
    assert.equal("192.0.2.7", found.applications[1].addresses[1].ip)
  end)

  it("is exported as new, with all its rows", function()
    record()
    local before
    assert(export_rows.each(into.store, "collector", 0, function(line)
      before = tonumber(line:match ",(%d+)\n$")
    end))
    assert(transfer.tenant(from.store, into.store, TENANT))
    assert.same({ 7, 5, 3, 3 }, { #rows_of(into, "requests", before),
      #rows_of(into, "findings", before), #rows_of(into, "runs", before),
      #rows_of(into, "adoption", before) })
  end)

  it("is refused if the history has it already, and nothing changes", function()
    record()
    observe(into, NOW, { 1 })
    local before = rows_of(into, "findings")
    local result, err = transfer.tenant(from.store, into.store, TENANT)
    assert.is_nil(result)
    assert.same({ "store", "the history already has the tenant " .. TENANT },
      { err.kind, err.message })
    assert.same(before, rows_of(into, "findings"))
  end)

  it("may have no event", function()
    observe(from, NOW - HOUR, {})
    assert(transfer.tenant(from.store, into.store, TENANT))
    observe(into, NOW, { 1 })
    assert.same({ "new user1@x.example" }, told(into, NOW))
  end)
end)
