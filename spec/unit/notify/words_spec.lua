local digests = require "spec.support.digests"
local text = require "pcapi.text"
local words = require "pcapi.notify.words"

local function title(counts, kind)
  return words.title(digests.digest(kind or "changes", { digests.tenant("fabrikam", counts, {}) }))
end

describe("the title of a digest", function()
  it("names the tenant, then the news, then the rest", function()
    assert.equal("fabrikam: 1 new user without MFA", title { new = 1, open = 5 })
    assert.equal("fabrikam: 2 new users without MFA, 1 back, 3 fixed",
      title { new = 2, back = 1, fixed = 3 })
    assert.equal("fabrikam: 1 user fixed", title { fixed = 1 })
    assert.equal("fabrikam: 2 users back without MFA, 1 without MFA again",
      title { back = 2, again = 1 })
    assert.equal("fabrikam: 1 user with MFA again, 2 not seen for 7 days, 1 left the list early",
      title { healing = 1, quiet = 2, lost = 1 })
    assert.equal("fabrikam: 2 exceptions ended", title { ended = 2 })
    assert.equal("fabrikam: 12 users without MFA at the first run", title { baseline = 12 })
  end)

  it("says who is still open, if nothing happened", function()
    assert.equal("fabrikam: 1 user without MFA still open", title { open = 1 })
    assert.equal("fabrikam: 5 open users without MFA", title({ open = 5 }, "open"))
  end)

  it("counts warnings if there is nothing else", function()
    local tenant = digests.tenant("fabrikam", { open = 1 }, {})
    tenant.warnings = { "a", "b" }
    assert.equal("fabrikam: 2 warnings", words.title(digests.digest("changes", { tenant })))
  end)

  it("counts several tenants", function()
    assert.equal("300 tenants: 1200 users without MFA at the first run",
      words.title(digests.many(300)))
  end)

  it("has no more than 78 columns, and leaves out whole phrases", function()
    local all = words.title(digests.events())
    assert.equal("fabrikam: 1 new user without MFA, 1 back, 1 without MFA again, and more", all)
    for _, name in ipairs(digests.HOSTILE) do
      assert.is_true(text.width(words.title(digests.hostile(name))) <= 78, name)
    end
  end)

  it("keeps the numbers of a tenant with a long name", function()
    local cut = words.title(digests.hostile(("x"):rep(500)))
    assert.equal(("x"):rep(39) .. "…: 1 new user without MFA, 1 fixed", cut)
  end)

  it("is the problem, if pcapi has one, or their number", function()
    assert.equal("pcapi: the sign-in of fabrikam ends on 2026-12-12",
      words.title(digests.operator "the sign-in of fabrikam ends on 2026-12-12"))
    assert.equal("pcapi: 2 problems", words.title(digests.operator("one", "two")))
  end)

  it("says that a test is one", function()
    assert.equal("pcapi: this is a test, nothing is wrong", words.title(digests.test()))
  end)
end)

describe("the words of a row", function()
  it("are the user, what happened and when, the application, and the next step", function()
    assert.same({
      who = "kim@fabrikam.example",
      facts = "new, last without MFA 2026-11-28 05:41 UTC, Billing Sync",
      step = "Renew the token of Billing Sync by a sign-in with MFA",
    }, words.row(digests.one().tenants[1].rows[1]))
  end)

  it("name a user without a upn by the object ID", function()
    local row = digests.row(1)
    row.upn = nil
    assert.equal(row.objectId, words.row(row).who)
    row.objectId = nil
    assert.equal("a user without a name", words.row(row).who)
  end)

  it("count the users of a baseline", function()
    local texts = words.row { event = "baseline", count = 12, exceptedCount = 3 }
    assert.equal("12 users, 3 of them excepted", texts.who)
    assert.equal("To see them: pcapi history show", texts.step)
  end)

  it("say that a user may have been reported before", function()
    assert.equal("new (may have been reported before)", words.row { event = "new",
      repeated = true, upn = "kim" }.facts)
  end)

  it("hold neither controls nor invisible characters, and are never empty", function()
    for _, name in ipairs(digests.HOSTILE) do
      local texts = words.row(digests.row(1, { upn = name, application = name, nextStep = name }))
      for _, value in pairs(texts) do
        assert.equal(text.visible(value), value)
        assert.truthy(value:find "%S")
        assert.is_true(text.width(value) < 500)
      end
    end
  end)
end)

describe("the chosen rows of a digest", function()
  it("are all, if there is room", function()
    local groups, hidden = words.choose(digests.events(), 20)
    assert.equal(1, #groups)
    assert.equal(9, #groups[1].rows)
    assert.equal(0, groups[1].more)
    assert.equal(0, hidden)
  end)

  it("are the news first, in their order", function()
    local digest, events = digests.events(), {}
    table.insert(digest.tenants[1].rows, digests.row(10))
    for i, row in ipairs(words.choose(digest, 6)[1].rows) do
      events[i] = row.event
    end
    assert.same({ "new", "back", "again", "ended", "healing", "new" }, events)
  end)

  it("are of each tenant some, and all others are counted", function()
    local groups, hidden = words.choose(digests.large(10000, 4), 10)
    local shown, more = {}, 0
    for i, group in ipairs(groups) do
      shown[i], more = #group.rows, more + group.more
    end
    assert.same({ 3, 3, 2, 2 }, shown)
    assert.equal(9990, more)
    assert.equal(0, hidden)
  end)

  it("leave out whole tenants, if there are more tenants than rows", function()
    local groups, hidden = words.choose(digests.many(300), 20)
    assert.equal(20, #groups)
    assert.equal(280, hidden)
    assert.same({}, groups[1].rows) -- its title says the number
    assert.equal(1, #words.choose(digests.many(300), 20, true)[1].rows)
  end)

  it("are none for zero", function()
    local groups, hidden = words.choose(digests.large(100, 2), 0)
    assert.same({}, groups)
    assert.equal(2, hidden)
  end)
end)

describe("the text of a digest", function()
  it("has the users with their next steps, the rest, and what is known", function()
    local digest = digests.one()
    digest.tenants[1].requests, digest.tenants[1].coverage = "cut", 0.419
    digest.tenants[1].warnings = { "an exception ends on 2026-12-01" }
    digest.tenants[1].more = 12
    assert.equal([[
fabrikam: 1 new user without MFA

kim@fabrikam.example
  new, last without MFA 2026-11-28 05:41 UTC, Billing Sync
  Next step: Renew the token of Billing Sync by a sign-in with MFA
and 12 more

5 open, 3 excepted.
The service listed its newest requests only: 41 % are known.
Warning: an exception ends on 2026-12-01

Report: https://mfa.fabrikam.example/
pcapi 0.2.0, 2026-11-28 06:00 UTC
]], words.text(digest, 20, "https://mfa.fabrikam.example/"))
  end)

  it("says that the requests failed", function()
    local digest = digests.one()
    digest.tenants[1].requests = "failed"
    assert.truthy(words.text(digest, 20):find("The list of requests failed", 1, true))
  end)

  it("has one paragraph for each tenant", function()
    local shown = words.text(digests.many(3), 2)
    assert.truthy(shown:find("\n\ntenant-1: 4 users without MFA at the first run\n\n4 open.\n\n"
      .. "tenant-2: ", 1, true))
    assert.truthy(shown:find("\nand 1 more tenant\n", 1, true))
  end)

  it("has the problems of pcapi itself, one in a line", function()
    local shown = words.text(digests.operator("one is\nbroken", "two"), 20)
    assert.truthy(shown:find("\none is\\nbroken\n\ntwo\n", 1, true))
  end)
end)
