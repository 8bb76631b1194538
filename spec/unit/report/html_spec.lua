local history = require "pcapi.history"
local html = require "pcapi.report.html"
local folder = require "spec.support.folder"
local overview = require "pcapi.history.overview"
local private_folder = require "spec.support.private_folder"
local reports = require "spec.support.report_history"

local NOW, DAY = reports.NOW, 86400

local opened

setup(function()
  private_folder.new()
  reports.full(private_folder.path "history.sqlite")
  opened = assert(history.open(private_folder.path "history.sqlite"))
end)

teardown(function()
  opened:close()
  folder.remove()
end)

local function facts_of(options)
  options = options or {}
  options.now = NOW
  return assert(overview.of(opened, options))
end

local function shows(text, ...)
  for _, words in ipairs { ... } do
    assert.truthy(text:find(words, 1, true), words)
  end
end

-- The facts of a tenant with so many users, whose texts are all the same.
local function tenant_of(number, count, text)
  local people = {}
  for i = 1, count do
    people[i] = { user = text, state = "open", since = NOW, last = NOW, application = text,
                  step = text, is_visible = true }
  end
  return { id = reports.id(number), name = text, asked = NOW, at = NOW, since = NOW,
           is_asked = true, reach = { gaps = {} }, warnings = {}, fixes = {}, more_fixes = 0,
           exceptions = {}, more_exceptions = 0, people = people, more_people = 0,
           counts = { open = count, new = 0, healing = 0, excepted = 0 } }
end

describe("a report", function()
  it("of one tenant has its name as title, and no table of tenants", function()
    local text = html.text(facts_of { tenants = { reports.FABRIKAM } })
    shows(text, "<title>Users without MFA in Partner Center: fabrikam</title>",
      "As of 2026-11-28 06:00. All times are UTC.", "<bdi>kim@fabrikam.example</bdi>")
    assert.is_nil(text:find("All tenants", 1, true))
    assert.is_nil(text:find("contoso", 1, true))
  end)

  it("of several tenants begins with all of them, those with most open users first", function()
    local text = html.text(facts_of())
    shows(text, "All tenants", '<a href="#t1"><bdi>fabrikam</bdi></a>',
      '<a href="#t2"><bdi>contoso</bdi></a>', "fails since 2026-11-28 06:00")
    assert.is_true(text:find('<h2 id="t1"><bdi>fabrikam', 1, true)
      < text:find('<h2 id="t2"><bdi>contoso', 1, true))
  end)

  it("says what is not known", function()
    shows(html.text(facts_of()), "the service returned its newest requests only; to miss none,",
      "of the requests that adoption counts in the last days are known",
      "It fails since 2026-11-28 06:00 (sign_in_required)",
      "by requests without MFA, as not all requests are known")
  end)

  it("has evidence only of a period", function()
    assert.is_nil(html.text(facts_of()):find("Evidence", 1, true))
    local text = html.text(facts_of { from = NOW - 60 * DAY, to = NOW })
    shows(text, "Evidence from 2026-09-29 to 2026-11-28",
      "61 days, 13 days without a successful run",
      "<code>" .. reports.FABRIKAM .. "</code>", "<code>" .. reports.id(1206) .. "</code>",
      "no run was in time", "until 2027-01-31, as <bdi>sam*</bdi>: break-glass account, checked "
      .. "monthly", "Made on 2026-11-28 06:00 by pcapi " .. require "pcapi.version")
  end)

  it("is the same text for the same facts", function()
    local facts = facts_of { from = NOW - 60 * DAY, to = NOW }
    assert.equal(html.text(facts), html.text(facts))
    assert.equal(html.text(facts), html.text(facts_of { from = NOW - 60 * DAY, to = NOW }))
  end)

  it("says so if the history has no tenant", function()
    shows(html.text { at = NOW, tenants = {}, counts = {} }, "The history has no tenant yet")
  end)

  it("of long names is as small as one of short names, and says how many are missing", function()
    local facts = { at = NOW, counts = { open = 1 }, is_anonymous = false,
                    tenants = { tenant_of(1, 1000, ('<"'):rep(200)), tenant_of(2, 1, "small") } }
    local text = html.text(facts)
    assert.is_true(#text <= 300 * 1000, #text)
    assert.truthy(text:find "And %d+ users more%. All of them: <code>pcapi history show")
    local _, small = text:gsub("<bdi>small</bdi></th>", "")
    assert.is_true(small >= 1)
  end)

  it("of many tenants has a section of those with most open users", function()
    local facts = { at = NOW, counts = { open = 600 }, is_anonymous = false, tenants = {} }
    for i = 1, 600 do
      facts.tenants[i] = tenant_of(i, 1, ("tenant%03d"):format(i))
    end
    local text = html.text(facts)
    shows(text, "And 100 tenants more.", "The first 100 follow one by one")
    local _, sections = text:gsub("<section ", "")
    assert.equal(101, sections)
    assert.is_true(#text < 300 * 1000, #text)
  end)
end)
