local mail = require "pcapi.report.mail"
local reports = require "spec.support.report_history"
local plain_words = require "spec.support.plain_words"

local function tenant_of(name, rows, more)
  return { name = name, rows = rows, more = more or 0, warnings = {},
           counts = { open = 3, healing = 1, excepted = 1 } }
end

local function digest_of(...)
  return { title = "fabrikam: 2 new users", version = "0.2.0", tenants = { ... } }
end

local KIM = { upn = "kim@fabrikam.example", event = "new", nextStep = "Renew the token" }

local function count_of(text, words_of)
  local count, at = 0, 1
  while true do
    local first, last = text:find(words_of, at, true)
    if not first then
      return count
    end
    count, at = count + 1, last + 1
  end
end

describe("the HTML part of a mail", function()
  it("has a title, and of each user what happened and the next step", function()
    local text = mail.html(digest_of(tenant_of("fabrikam", { KIM })), plain_words)
    assert.equal(2, count_of(text, "fabrikam: 2 new users"))
    assert.truthy(text:find("<strong>kim@fabrikam.example</strong><br/>new<br/>", 1, true))
    assert.truthy(text:find("Next step:</span> Renew the token", 1, true))
    assert.truthy(text:find("pcapi 0.2.0, 2026-11-28 06:00 UTC", 1, true))
    assert.equal(0, count_of(text, "<h2"))
  end)

  it("has a heading for each of several tenants", function()
    local two = digest_of(tenant_of("fabrikam", { KIM }), tenant_of("contoso", {}))
    local text = mail.html(two, plain_words)
    assert.equal(2, count_of(text, "<h2"))
  end)

  it("shows how many are open, healing and excepted as cells and in words", function()
    local text = mail.html(digest_of(tenant_of("fabrikam", {})), plain_words)
    assert.truthy(text:find('<td width="50%" height="8" bgcolor="#b42318"', 1, true))
    assert.truthy(text:find("2 open, 1 healing, 1 excepted", 1, true))
  end)

  it("loads nothing, and needs no style but inline ones", function()
    local digest = digest_of(tenant_of("fabrikam", { KIM }))
    local text = mail.html(digest, plain_words, { link = "https://x.example/?a=1&b=2" })
    for _, word in ipairs { "<style", "<link", "<script", "<img", "<svg", "url(", "src=", "flex",
                            "grid" } do
      assert.equal(0, count_of(text, word), word)
    end
    assert.truthy(text:find('<a href="https://x.example/?a=1&amp;b=2"', 1, true))
    assert.equal(1, count_of(text, "https://x."))
    text = mail.html(digest, plain_words, { link = "javascript:x" })
    assert.is_nil(text:find("javascript", 1, true))
  end)

  it("has at most 100 KB, and says how many users and tenants are missing", function()
    local rows, tenants = {}, {}
    for i = 1, 200 do
      rows[i] = { upn = ('<"'):rep(200), event = ("&"):rep(500), nextStep = ("'"):rep(500) }
    end
    for i = 1, 50 do
      tenants[i] = tenant_of(('"'):rep(500), rows, 7)
      tenants[i].warnings = { ("<"):rep(500) }
    end
    local text = mail.html({ title = ('"'):rep(500), tenants = tenants, notes = tenants[1].warnings,
                             hidden = 3, version = "0.2.0" }, plain_words)
    assert.is_true(#text <= 100 * 1000, #text)
    assert.truthy(text:find "and %d+ more tenants")
    assert.truthy(text:find "and %d+ more<")
    assert.truthy(text:find "</html>\n$")
  end)

  it("has no markup of a hostile tenant", function()
    local rows = {}
    for i, text in ipairs(reports.HOSTILE) do
      rows[i] = { upn = text, event = text, nextStep = text }
    end
    local digest = digest_of(tenant_of(reports.HOSTILE[1], rows), tenant_of("x", {}))
    digest.title, digest.notes = reports.HOSTILE[3], reports.HOSTILE
    local text = mail.html(digest, plain_words)
    for _, word in ipairs { "<script", "<img", "<b>", "<svg", "</title></style", "<a ", "<!--",
                            "<style" } do
      assert.equal(0, count_of(text, word), word)
    end
    assert.is_nil(text:find "[%z\1-\9\11-\31\127]")
    assert.truthy(text:find("a\\u{202e}gpj.exe", 1, true))
  end)
end)
