local markup = require "pcapi.report.markup"
local reports = require "spec.support.report_history"

describe("a text of a report", function()
  it("has no character that HTML or XML takes for markup", function()
    assert.equal("&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt; &amp;amp;",
      markup.text([[<b a='1' c="2"> &amp;]], 100))
    for _, text in ipairs(reports.HOSTILE) do
      local made = markup.text(text, 100)
      assert.is_nil(made:find "[<>\"']", made)
      assert.is_nil(made:gsub("&%a+;", ""):gsub("&#39;", ""):find("&", 1, true), made)
    end
  end)

  it("shows what is invisible, and turns no writing around", function()
    assert.equal("a\\u{202e}b\\x1b\\x00\\xff\\n", markup.text("a\226\128\174b\27\0\255\n", 100))
  end)

  it("is cut where there is no room, and stays UTF-8", function()
    assert.equal("abc…", markup.text("abcdef", 4))
    assert.equal("äöü…", markup.text("äöüäöü", 4))
    local long = markup.text(("\240\159\146\169"):rep(10000), 100)
    assert.is_true(#long < 400 and not long:find("\\x", 1, true), long)
    local marks = markup.text("a" .. ("\204\129"):rep(10000), 100) -- they take no column
    assert.truthy(marks:find "\204\129…$")
    assert.equal("", markup.text(nil, 4))
  end)

  it("has numbers with commas, and a dash for what is not known", function()
    assert.same({ "0", "999", "1,000", "1,234,567", "–" }, { markup.number(0), markup.number(999),
      markup.number(1000), markup.number(1234567), markup.number(nil) })
    assert.same({ "1 user", "2 users", "1,000 boxes" }, { markup.count(1, "user"),
      markup.count(2, "user"), markup.count(1000, "box", "boxes") })
    assert.same({ "2026-11-28", "2026-11-28 06:00", "–", "–" }, { markup.day(reports.NOW),
      markup.time(reports.NOW), markup.day(nil), markup.time(nil) })
  end)
end)
