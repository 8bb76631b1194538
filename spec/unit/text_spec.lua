local text = require("pcapi.text")

describe("text.visible", function()
  it("leaves printable ASCII alone", function()
    local printable = {}
    for code = 32, 126 do
      printable[#printable + 1] = string.char(code)
    end
    printable = table.concat(printable)
    assert.equal(printable, text.visible(printable))
  end)

  it("leaves letters, ideographs, emoji and marks alone", function()
    for _, value in ipairs({ "Zoë", "e\204\129", "渡辺", "한국", "שלום", "👩🏽", "❤\239\184\143" }) do
      assert.equal(value, text.visible(value))
    end
  end)

  it("writes every ASCII control as an escape", function()
    local named = { [9] = "\\t", [10] = "\\n", [13] = "\\r" }
    for code = 0, 31 do
      local expected = named[code] or ("\\x%02x"):format(code)
      assert.equal("a" .. expected .. "b", text.visible("a" .. string.char(code) .. "b"))
    end
    assert.equal("\\x7f", text.visible("\127"))
  end)

  it("leaves tabs and line ends with layout, and no other control", function()
    assert.equal("a\tb\r\nc", text.visible("a\tb\r\nc", true))
    assert.equal("\\x00\\x0b\\x0c\\x1b\\x7f", text.visible("\0\11\12\27\127", true))
  end)

  it("writes every C1 control as an escape", function()
    for code = 0x80, 0x9F do
      assert.equal(("\\u{%x}"):format(code), text.visible(string.char(0xC2, code)))
    end
    assert.equal("\194\160", text.visible("\194\160"))
  end)

  it("writes bidi, zero-width and separator characters as escapes", function()
    local cases = {
      ["\216\156"] = "61c", ["\226\128\139"] = "200b", ["\226\128\140"] = "200c",
      ["\226\128\141"] = "200d", ["\226\128\142"] = "200e", ["\226\128\143"] = "200f",
      ["\226\128\168"] = "2028", ["\226\128\169"] = "2029", ["\226\128\170"] = "202a",
      ["\226\128\171"] = "202b", ["\226\128\172"] = "202c", ["\226\128\173"] = "202d",
      ["\226\128\174"] = "202e", ["\226\129\160"] = "2060", ["\226\129\166"] = "2066",
      ["\226\129\167"] = "2067", ["\226\129\168"] = "2068", ["\226\129\169"] = "2069",
      ["\239\187\191"] = "feff", ["\194\173"] = "ad", ["\243\160\129\129"] = "e0041",
    }
    for char, code in pairs(cases) do
      assert.equal("a\\u{" .. code .. "}b", text.visible("a" .. char .. "b"))
    end
  end)

  -- U+200C, U+200D, U+034F, U+180E
  local ZWNJ, ZWJ, CGJ, MVS = "\226\128\140", "\226\128\141", "\205\143", "\225\160\142"

  it("leaves a joiner if the script uses it", function()
    for _, name in ipairs {
      "علی" .. ZWNJ .. "رضا@fabrikam.example", "PDF" .. ZWNJ .. "ها", "ه" .. ZWJ, -- Persian
      "क्" .. ZWJ .. "ष", "ක්" .. ZWJ .. "රි", "രാജന്" .. ZWJ, "క్" .. ZWNJ .. "ష", -- Indic
      "👩" .. ZWJ .. "💻", "🧑🏽" .. ZWJ .. "🚀", "❤\239\184\143" .. ZWJ .. "🔥", -- emoji
      "שַׁ" .. CGJ .. "ּ", "ᠠ" .. MVS .. "ᠭ", "𞤀" .. ZWNJ .. "𞤁", -- Hebrew, Mongolian, Adlam
    } do
      assert.equal(name, text.visible(name))
    end
  end)

  it("escapes a joiner that only makes two names look alike", function()
    local cases = {
      { "ad" .. ZWNJ .. "a", "ad\\u{200c}a" }, { ZWJ .. "ada", "\\u{200d}ada" },
      { "ada" .. ZWJ, "ada\\u{200d}" }, { ZWNJ, "\\u{200c}" }, { "é" .. ZWJ .. "ö", "é\\u{200d}ö" },
      { "Иван" .. ZWNJ .. "ов", "Иван\\u{200c}ов" }, { "渡" .. ZWJ .. "辺", "渡\\u{200d}辺" },
      { "ی" .. ZWNJ .. ZWNJ .. "ر", "ی" .. ZWNJ .. "\\u{200c}ر" }, -- a second one changes nothing
      { "\226\128\174" .. ZWNJ .. "ر", "\\u{202e}\\u{200c}ر" }, { ZWJ .. "=1", "\\u{200d}=1" },
      { "\216" .. ZWJ .. "a", "\\xd8\\u{200d}a" }, { "ی" .. ZWNJ .. "\128", "ی\\u{200c}\\x80" },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[2], text.visible(case[1]))
    end
  end)

  it("escapes a direction mark, also beside right-to-left letters", function()
    assert.equal("علی\\u{200f}", text.visible "علی\226\128\143")
    assert.equal("\\u{2067}שלום\\u{2069}", text.visible "\226\129\167שלום\226\129\169")
  end)

  it("handles any number of joiners", function()
    local value = ("ی" .. ZWNJ):rep(20000)
    assert.equal(value, text.visible(value))
    assert.equal(8 * 20000, #text.visible(ZWNJ:rep(20000)))
  end)

  it("writes each byte that is not UTF-8 as an escape", function()
    local cases = {
      { "\128", "\\x80" }, { "\255", "\\xff" }, { "\254a", "\\xfea" },
      { "\195", "\\xc3" }, { "\195(", "\\xc3(" }, { "\226\130", "\\xe2\\x82" },
      { "\240\159\152", "\\xf0\\x9f\\x98" },
      { "\192\175", "\\xc0\\xaf" }, { "\193\191", "\\xc1\\xbf" },
      { "\224\159\191", "\\xe0\\x9f\\xbf" }, { "\240\143\191\191", "\\xf0\\x8f\\xbf\\xbf" },
      { "\224\128\175", "\\xe0\\x80\\xaf" }, { "\240\128\128\175", "\\xf0\\x80\\x80\\xaf" },
      { "\237\160\128", "\\xed\\xa0\\x80" }, { "\237\191\191", "\\xed\\xbf\\xbf" },
      { "\244\144\128\128", "\\xf4\\x90\\x80\\x80" },
      { "\245\128\128\128", "\\xf5\\x80\\x80\\x80" },
      { "\195\169\169", "é\\xa9" }, { "\226\128\174\155", "\\u{202e}\\x9b" },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[2], text.visible(case[1]))
    end
  end)

  it("accepts the first and the last character of each length", function()
    for _, char in ipairs({ "\194\161", "\223\191", "\224\160\128", "\237\159\191",
      "\238\128\128", "\240\144\128\128", "\244\143\191\189" }) do
      assert.equal(char, text.visible(char))
    end
  end)

  it("handles a megabyte of stray bytes", function()
    local size = 2 ^ 20
    assert.equal(4 * size, #text.visible(("\128"):rep(size)))
    assert.equal(8 * size, #text.visible(("\226\128\174"):rep(size)))
  end)
end)

describe("text.width", function()
  local cases = {
    { "", 0 }, { "abc", 3 }, { "Zoë", 3 }, { "渡辺", 4 }, { "かな", 4 }, { "한국어", 6 },
    { "ＡＢ", 4 }, { "ｶﾅ", 2 }, { "e\204\129", 1 }, { "か\227\130\153", 2 }, { "👍", 2 },
    { "a👍b", 4 }, { "𠮷", 2 }, { "…", 1 }, { "ไม้", 2 }, { "שָׁ", 1 }, { "❤\239\184\143", 1 },
    { "علی\226\128\140رضا", 6 }, { "محمّد", 4 }, { "שָׁלוֹם", 4 }, { "নির্মল", 5 }, { "தமிழ்", 4 },
    { "తెలుగు", 5 }, { "ಕನ್ನಡ", 4 }, { "မြန်မာ", 5 }, { "e\204\129\204\163", 1 }, { "สวัสดี", 4 },
    { "👩\226\128\141💻", 4 }, { "ᠠ\225\160\142ᠭ", 2 },
  }
  for _, case in ipairs(cases) do
    it("counts " .. case[2] .. " columns for '" .. case[1] .. "'", function()
      assert.equal(case[2], text.width(case[1]))
    end)
  end
end)

describe("text.cut", function()
  local cases = {
    { "abcdef", 4, "abc…", 4 }, { "abcdef", 1, "…", 1 }, { "Zoë and Jürgen", 4, "Zoë…", 4 },
    { "渡辺さん", 5, "渡辺…", 5 }, { "渡辺さん", 4, "渡…", 3 }, { "渡辺", 1, "…", 1 },
    { "e\204\129tude", 3, "e\204\129t…", 3 },
  }
  for _, case in ipairs(cases) do
    it(("cuts '%s' to %d columns"):format(case[1], case[2]), function()
      local value, width = text.cut(case[1], case[2])
      assert.equal(case[3], value)
      assert.equal(case[4], width)
      assert.equal(width, text.width(value))
    end)
  end
end)

describe("text.cut in ASCII", function()
  local cases = {
    { "abcdef", 5, "ab...", 5 }, { "abcdef", 3, "...", 3 }, { "abcdef", 1, ".", 1 },
    { "Zoë and Jürgen", 6, "Zoë...", 6 }, { "渡辺さん", 6, "渡...", 5 },
  }
  for _, case in ipairs(cases) do
    it(("cuts '%s' to %d columns"):format(case[1], case[2]), function()
      assert.same({ case[3], case[4] }, { text.cut(case[1], case[2], true) })
    end)
  end
end)

describe("text.number", function()
  local cases = {
    { 0, "0" }, { -0.0, "0" }, { 7, "7" }, { 7.0, "7" }, { -12, "-12" },
    { 123456789012345, "123456789012345" }, { 2 ^ 53 - 1, "9007199254740991" },
    { -(2 ^ 53 - 1), "-9007199254740991" }, { 2 ^ 53, "9007199254740992" },
    { 0.1, "0.1" }, { 0.5, "0.5" }, { 1 / 3, "0.3333333333333333" }, { -2.25, "-2.25" },
    { 1e300, "1e+300" }, { 12345678901234.5, "12345678901234.5" },
  }
  for _, case in ipairs(cases) do
    it("writes " .. case[2], function()
      assert.equal(case[2], text.number(case[1]))
    end)
  end

  it("keeps every digit of a 64-bit integer if Lua has them", function()
    local large = math.maxinteger -- luacheck: ignore 143
    assert.equal(large and "9223372036854775807" or "9.223372036854776e+18",
      text.number(large or 2 ^ 63))
  end)

  it("writes a text that reads back as the same number", function()
    for _, value in ipairs({ 0.1 + 0.2, 2 ^ -1074, 1.7976931348623157e308, 2 ^ 60, 1e15 + 0.5,
      1706944089.1234567, -1 / 7 }) do
      assert.equal(value, tonumber(text.number(value)))
    end
  end)

  it("returns nil for NaN and infinities", function()
    assert.is_nil(text.number(0 / 0))
    assert.is_nil(text.number(math.huge))
    assert.is_nil(text.number(-math.huge))
  end)
end)

describe("hex", function()
  it("writes two lower-case digits for each byte", function()
    assert.equal("00ff7f0a", text.hex "\0\255\127\n")
    assert.equal("", text.hex "")
  end)
end)
