local input = require "pcapi.input"

local BOM = "\239\187\191"
local UTF_16 = { "\255\254S\0E\0C\0", "\254\255\0S\0E\0C", "S\0E\0C\0R\0E\0T\0", "SEC\0RET" }

describe("pcapi.input", function()
  for name, text in pairs {
    ["nothing around it"] = "me SECRET",
    ["a line end of Unix"] = "me SECRET\n",
    ["a line end of Windows"] = "me SECRET\r\n",
    ["the half of one"] = "me SECRET\r",
    ["several"] = "me SECRET\r\n\n\r\n",
    ["a byte order mark"] = BOM .. "me SECRET",
    ["both"] = BOM .. "me SECRET\r\n",
  } do
    it("reads a word and a line with " .. name, function()
      assert.equal("me SECRET", input.word(text))
      assert.equal("me SECRET", input.line(text))
    end)
  end

  for name, text in pairs {
    ["blanks"] = "  me\t ", ["a blank, a mark and a line end"] = " " .. BOM .. "me \r\n",
    ["invisible blanks"] = "\226\128\139\194\160me\194\160\226\128\139\n",
    ["a line separator"] = "me\226\128\168", ["a direction mark"] = "\226\128\142me",
    ["a word joiner"] = "\226\129\160me", ["a blank of Japanese"] = "me\227\128\128",
    ["a thin blank and a soft hyphen"] = "\226\128\137me\194\173",
    ["marks at both ends"] = BOM .. BOM .. "me" .. BOM,
  } do
    it("reads a word with " .. name .. " around it", function()
      assert.equal("me", input.word(text))
    end)
  end

  it("keeps the blanks around a line, as it may be a passphrase", function()
    assert.equal(" a  b ", input.line(BOM .. " a  b \r\n"))
  end)

  it("keeps letters of every alphabet", function()
    assert.equal("pass\195\188\226\130\172", input.word "pass\195\188\226\130\172\n")
    assert.equal("\195\160", input.word "\195\160") -- ends with the byte of a blank
  end)

  it("reads an empty text as an empty text", function()
    for _, text in ipairs { "", "\n", BOM, BOM .. "\r\n" } do
      assert.equal("", input.word(text))
      assert.equal("", input.line(text))
    end
  end)

  for _, read in ipairs { "word", "line", "lines" } do
    it("refuses UTF-16 as a " .. read, function()
      for _, text in ipairs(UTF_16) do
        local value, why = input[read](text)
        assert.is_nil(value)
        assert.matches("^is UTF%-16 text or binary; save it as plain text", why)
      end
    end)
  end

  for _, read in ipairs { "word", "line" } do
    it("refuses a line break or mark inside a " .. read .. ", and does not show it", function()
      for _, within in ipairs { "\n", "\r\n", "\27", "\127", BOM } do
        local value, why = input[read]("SEC" .. within .. "RET")
        assert.is_nil(value)
        assert.matches("^holds an? ", why)
        assert.is_nil(why:find("SEC", 1, true))
      end
    end)
  end

  it("refuses an invisible character inside a word, and does not show it", function()
    for _, within in ipairs { "\194\160", "\226\128\139", "\226\128\168", "\226\128\142" } do
      local value, why = input.word("SEC" .. within .. "RET")
      assert.is_nil(value)
      assert.matches("^holds an ", why)
      assert.is_nil(why:find("SEC", 1, true))
      assert.equal("SEC" .. within .. "RET", input.line("SEC" .. within .. "RET"))
    end
  end)

  it("reads PEM with line ends and marks of several systems", function()
    assert.equal("-----BEGIN A\nx\n-----BEGIN B\ny\n",
      input.lines(BOM .. "-----BEGIN A\r\nx\r\n" .. BOM .. "-----BEGIN B\ry\r"))
  end)
end)
