local format = require("pcapi.format.table")
local text = require("pcapi.text")
local raised_by = require("spec.support.raised_by")

local function lines_of(output)
  local lines = {}
  for line in output:gmatch("([^\n]*)\n") do
    lines[#lines + 1] = line
  end
  return lines
end

local function encode(list, columns, options)
  options = options or {}
  options.columns = columns
  return lines_of(format.encode(list, options))
end

-- The only cell of the only row.
local function cell_of(value)
  return encode({ { v = value } }, { "v" })[2]
end

describe("the table", function()
  it("aligns columns two spaces apart under a header", function()
    assert.equal("upn      loginDate\nada      2024-02-03\nbarbara  -\n",
      format.encode({ { upn = "ada", loginDate = "2024-02-03" }, { upn = "barbara" } },
        { columns = { "upn", "loginDate" } }))
  end)

  it("is empty if there are no records", function()
    assert.equal("", format.encode({}, { columns = { "upn" } }))
  end)

  it("shows the columns of options.columns, in that order, and no others", function()
    assert.same({ "c  a", "z  x" }, encode({ { a = "x", b = "y", c = "z" } }, { "c", "a" }))
  end)

  it("has the title of a column, or the field's name, as its header", function()
    assert.same({ "UPN  tenantId", "a    t" }, encode({ { upn = "a", tenantId = "t" } },
      { "upn", "tenantId" }, { titles = { upn = "UPN" } }))
  end)

  it("aligns numbers and their header to the right", function()
    assert.same({ "count  x", "    1  a", "  200  b", "    -  c" }, encode({
      { count = 1, x = "a" }, { count = 200, x = "b" }, { x = "c" },
    }, { "count", "x" }))
  end)

  it("aligns a column of numbers and texts to the left", function()
    assert.same({ "count  x", "1      a", "n/a    b" }, encode({
      { count = 1, x = "a" }, { count = "n/a", x = "b" },
    }, { "count", "x" }))
  end)

  it("has no spaces at the end of a line", function()
    local lines = encode({ { a = "x", b = "longer" }, { a = "y", b = "z   " }, { a = "w" } },
      { "a", "b" })
    assert.same({ "a  b", "x  longer", "y  z", "w  -" }, lines)
  end)

  it("aligns by display width, not by bytes", function()
    assert.same({ "n     x", "渡辺  1", "Zoë   2", "e\204\129     3", "👍    4" }, encode({
      { n = "渡辺", x = "1" }, { n = "Zoë", x = "2" }, { n = "e\204\129", x = "3" },
      { n = "👍", x = "4" },
    }, { "n", "x" }))
  end)

  it("aligns names with combining marks and joiners, which have no width", function()
    local persian, hindi = "علی\226\128\140رضا", "क्\226\128\141ष"
    assert.same({
      "n       x", persian .. "  1", hindi .. "      2", "שָׁלוֹם    3", "ada     4",
    }, encode({
      { n = persian, x = "1" }, { n = hindi, x = "2" }, { n = "שָׁלוֹם", x = "3" },
      { n = "ada", x = "4" },
    }, { "n", "x" }))
  end)

  it("takes records up to the first nil, and ignores metatables", function()
    local meta = { __index = function() return { v = "ghost" } end }
    local list = setmetatable({ setmetatable({}, meta), nil, { v = "x" }, key = "x" }, meta)
    assert.same({ "v", "-" }, encode(list, { "v" }))
  end)

  it("makes the header bold with options.color, and nothing else", function()
    assert.equal("\27[1mv\27[0m\nx\n",
      format.encode({ { v = "x" } }, { columns = { "v" }, color = true }))
    assert.equal("v\nx\n", format.encode({ { v = "x" } }, { columns = { "v" }, color = false }))
  end)
end)

describe("a table cell", function()
  local cases = {
    { "text", "text" }, { "", "-" }, { "   ", "-" }, { nil, "-" }, { require("cjson").null, "-" },
    { 0 / 0, "-" }, { true, "yes" }, { false, "no" }, { 12.0, "12" }, { 0.5, "0.5" },
    { { 1, "a\27" }, '[1,"a\\u001b"]' }, { { b = 1, a = {} }, '{"a":{},"b":1}' },
    { "a\nb", "a\\nb" }, { "a\r\tb", "a\\r\\tb" }, { "\27[2J\7", "\\x1b[2J\\x07" },
    { "\194\155" .. "31m", "\\u{9b}31m" }, { "\226\128\174txt", "\\u{202e}txt" },
    { "a\226\128\168b", "a\\u{2028}b" }, { "\255", "\\xff" }, { "a\\b", "a\\b" },
  }
  for _, case in ipairs(cases) do
    it("shows " .. case[2], function()
      assert.equal(case[2], cell_of(case[1]))
    end)
  end

  it("never ends the line, moves the cursor or hides text, whatever its bytes", function()
    local bytes = {}
    for code = 0, 255 do
      bytes[#bytes + 1] = string.char(code)
    end
    local output = format.encode({ { v = table.concat(bytes) }, { v = "x" } },
      { columns = { "v" }, titles = { v = "a\27\nb" } })
    assert.equal(3, #lines_of(output))
    assert.is_nil(output:gsub("\n", ""):find("[^\32-\126]"))
  end)
end)

describe("the table's width", function()
  local record = { id = ("x"):rep(36), upn = "somebody@contoso.example", count = 1234567 }
  local columns = { "id", "upn", "count" }

  it("is not limited without options.width", function()
    assert.equal(36 + 2 + 24 + 2 + 7, #encode({ record }, columns)[2])
  end)

  it("takes from the widest column first", function()
    assert.equal(("x"):rep(29) .. "…  somebody@contoso.example  1234567",
      encode({ record }, columns, { width = 65 })[2])
  end)

  it("keeps every line within options.width while it can", function()
    for width = 19, 80 do
      for _, line in ipairs(encode({ record, {}, record }, columns, { width = width })) do
        assert.is_true(text.width(line) <= width, line)
      end
    end
  end)

  it("changes nothing if the lines fit", function()
    assert.same(encode({ record }, columns), encode({ record }, columns, { width = 71 }))
    assert.not_same(encode({ record }, columns), encode({ record }, columns, { width = 70 }))
  end)

  it("never cuts a number, only its header", function()
    local lines = encode({ { mfaCompliantRequestCount = 1234567 } },
      { "mfaCompliantRequestCount" }, { width = 5 })
    assert.same({ "mfaCom…", "1234567" }, lines)
  end)

  it("leaves 4 columns to texts on a terminal that is too narrow", function()
    assert.same({ "id    upn     count", "xxx…  som…  1234567" },
      encode({ record }, columns, { width = 1 }))
  end)

  it("cuts wide characters whole", function()
    assert.same({ "n      x", "渡辺…  1" }, encode({ { n = "渡辺渡辺", x = "1" } },
      { "n", "x" }, { width = 8 }))
    assert.same({ "n     x", "渡…   1" }, encode({ { n = "渡辺渡辺", x = "1" } },
      { "n", "x" }, { width = 7 }))
  end)

  it("copes with a value of a megabyte", function()
    local lines = encode({ { v = ("x"):rep(2 ^ 20), w = "y" } }, { "v", "w" }, { width = 20 })
    assert.equal(("x"):rep(16) .. "…  y", lines[2])
  end)
end)

describe("options.narrow", function()
  local ID, USER, TIME = ("0f0b3c1e-"):rep(4), ("u"):rep(30), "2024-02-03 07:08:09"
  local columns = { "upn", "time", "id" }
  local narrow = { { "id", 9 }, { "id", 0 }, { "time", 11 } }

  local function row_of(width, record, more)
    local options = { width = width, narrow = narrow }
    for name, value in pairs(more or {}) do
      options[name] = value
    end
    local lines = encode({ record or { upn = USER, time = TIME, id = ID } }, columns, options)
    for _, line in ipairs(lines) do
      assert.is_true(text.width(line) <= width, line)
    end
    return lines[2], lines[1]
  end

  it("cuts the column of its first step before any other", function()
    assert.equal(USER .. "  " .. TIME .. "  " .. ID:sub(1, 24) .. "…", row_of(78))
    assert.equal(USER .. "  " .. TIME .. "  " .. ID:sub(1, 8) .. "…", row_of(62))
  end)

  it("leaves a column out at a step of 0, and the others have its room", function()
    local row, header = row_of(61)
    assert.equal(USER .. "  " .. TIME, row)
    assert.equal("upn" .. (" "):rep(29) .. "time", header)
  end)

  it("goes on with the next step, and then with the widest column", function()
    assert.equal(USER .. "  2024-02-03 07:0…", row_of(48))
    assert.equal(USER .. "  2024-02-03…", row_of(43))
    assert.equal(("u"):rep(26) .. "…  2024-02-03…", row_of(40))
    assert.equal(("u"):rep(8) .. "…  2024-02-…", row_of(20))
  end)

  it("undoes earlier steps when a column is left out", function()
    local steps = { { "upn", 10 }, { "id", 0 } }
    assert.equal(("u"):rep(9) .. "…  " .. TIME .. "  " .. ID, row_of(69, nil, { narrow = steps }))
    assert.equal(USER .. "  " .. TIME, row_of(66, nil, { narrow = steps }))
  end)

  it("keeps an address of 60 characters whole while its column fits", function()
    local upn = ("k"):rep(45) .. "@contoso.example"
    assert.equal(upn .. "  2024-02-03 07:0…", row_of(79, { upn = upn, time = TIME, id = ID }))
  end)

  it("changes nothing if the lines fit", function()
    assert.equal(USER .. "  " .. TIME .. "  " .. ID, row_of(30 + 2 + 19 + 2 + 36))
  end)

  it("ignores fields that are no columns, and never leaves out the last column", function()
    assert.same({ "v", "xxx…" }, encode({ { v = ("x"):rep(9) } }, { "v" },
      { width = 4, narrow = { { "id", 0 }, { "v", 0 } } }))
  end)

  it("never cuts a number, but may leave its column out", function()
    local record = { { n = 1234567, v = ("x"):rep(20) } }
    assert.equal("1234567  xxxx…", encode(record, { "n", "v" },
      { width = 14, narrow = { { "n", 3 } } })[2])
    assert.equal(("x"):rep(13) .. "…", encode(record, { "n", "v" },
      { width = 14, narrow = { { "n", 0 } } })[2])
  end)
end)

describe("a title that is wider than its cells", function()
  it("is cut before any cell", function()
    local title = { time = "LAST WITHOUT MFA (UTC)" }
    local record = { upn = ("u"):rep(40), time = "2024-02-03 07:08:09" }
    assert.same({ "upn" .. (" "):rep(39) .. "LAST WITHOUT MFA (…",
                  ("u"):rep(40) .. "  2024-02-03 07:08:09" },
      encode({ record }, { "upn", "time" }, { width = 61, titles = title }))
  end)
end)

describe("options.ascii", function()
  it("marks cuts by three dots", function()
    assert.same({ "a        b", "xxxx...  y" },
      encode({ { a = ("x"):rep(20), b = "y" } }, { "a", "b" }, { width = 10, ascii = true }))
  end)

  it("leaves as much text in a column of options.narrow", function()
    local function row_of(width, ascii)
      return encode({ { a = "2024-02-03 07:08:09", b = ("x"):rep(15) } }, { "a", "b" },
        { width = width, narrow = { { "a", 11 } }, ascii = ascii })[2]
    end
    assert.equal("2024-02-03…  " .. ("x"):rep(15), row_of(28, false))
    assert.equal("2024-02-03...  " .. ("x"):rep(15), row_of(30, true))
    assert.equal("2024-02-03...  " .. ("x"):rep(10) .. "...", row_of(28, true))
  end)

  it("leaves the text of cells alone", function()
    assert.equal("Zoë", encode({ { v = "Zoë" } }, { "v" }, { ascii = true })[2])
  end)
end)

describe("options.shown", function()
  local shown = {
    v = function(value)
      return value ~= "as it is" and ("<%s>"):format(tostring(value)) or nil
    end,
  }

  it("replaces a value", function()
    local list = { { v = "a", w = "a" }, { v = 5 }, { v = false }, { v = "a\27" }, { v = {} }, {} }
    local cells = {}
    for i, line in ipairs(encode(list, { "v", "w" }, { shown = shown })) do
      cells[i] = line:match "^[^ :]+"
    end
    assert.same({ "v", "<a>", "<5>", "<false>", "<a\\x1b>", "<table", "-" }, cells)
  end)

  it("leaves a value for which the function returns nothing", function()
    assert.equal("as it is", encode({ { v = "as it is" } }, { "v" }, { shown = shown })[2])
  end)

  it("gives options.state what is shown", function()
    local state = { v = function(value) return value == "<a>" and "bad" or nil end }
    assert.equal("\27[31m<a>\27[0m",
      encode({ { v = "a" } }, { "v" }, { shown = shown, state = state, color = true })[2])
  end)
end)

describe("options.state", function()
  local RED, YELLOW, GREEN, PLAIN = "\27[31m", "\27[33m", "\27[32m", "\27[0m"
  local state = {
    v = function(value, record)
      return value == record.wrong and "bad" or value
    end,
  }

  local function rows(record, options)
    options.state = state
    local lines = encode({ record }, { "v", "w" }, options)
    return lines[2]
  end

  it("colours a cell by its state, but not its padding", function()
    local options = { color = true, titles = { v = "LONG TITLE" } }
    assert.equal(RED .. "no" .. PLAIN .. (" "):rep(8) .. "  x",
      rows({ v = "no", w = "x", wrong = "no" }, options))
    assert.equal(YELLOW .. "warning" .. PLAIN .. (" "):rep(5) .. "x",
      rows({ v = "warning", w = "x" }, options))
    assert.equal(GREEN .. "good" .. PLAIN .. (" "):rep(8) .. "x",
      rows({ v = "good", w = "x" }, options))
  end)

  it("does nothing for other values, and without options.color", function()
    assert.equal("other  x", rows({ v = "other", w = "x" }, { color = true }))
    assert.equal("no  x", rows({ v = "no", w = "x", wrong = "no" }, {}))
  end)

  it("colours a number, a cell that is cut, and the last column", function()
    assert.equal("  " .. RED .. "7" .. PLAIN .. "  x", rows({ v = 7, w = "x", wrong = 7 },
      { color = true, titles = { v = "NUM" } }))
    assert.equal(RED .. "noo…" .. PLAIN .. "  x", rows({ v = "nooooo", w = "x", wrong = "nooooo" },
      { color = true, width = 7 }))
    assert.equal("x  " .. RED .. "no" .. PLAIN, encode({ { v = "no", w = "x", wrong = "no" } },
      { "w", "v" }, { color = true, state = state })[2])
  end)
end)

describe("a long table", function()
  it("has a line for every record and one more", function()
    local list = {}
    for i = 1, 20000 do
      list[i] = { upn = "user" .. i .. "@contoso.example", count = i }
    end
    assert.equal(20001, #encode(list, { "upn", "count" }, { width = 20 }))
  end)
end)

describe("table.encode raises", function()
  it("for wrong arguments, at the caller's line", function()
    local calls = {
      { "list must be a table", nil, { columns = { "v" } } },
      { "record 1 must be a table", { 1 }, { columns = { "v" } } },
      { "columns must be an array", {}, nil },
      { "must name at least one", {}, { columns = {} } },
      { "width must be a number", {}, { columns = { "v" }, width = "80" } },
      { "width must be a number", {}, { columns = { "v" }, width = 0 } },
      { "titles must map", {}, { columns = { "v" }, titles = "V" } },
      { "titles.v must be a string", {}, { columns = { "v" }, titles = { v = 1 } } },
      { "narrow must be an array", {}, { columns = { "v" }, narrow = 1 } },
      { "narrow%[1%] must be a field and a number of columns", {},
        { columns = { "v" }, narrow = { { "v" } } } },
      { "narrow%[2%] must be a field and a number of columns", {},
        { columns = { "v" }, narrow = { { "v", 1 }, "v" } } },
      { "shown must map", {}, { columns = { "v" }, shown = true } },
      { "shown.v must be a function", {}, { columns = { "v" }, shown = { v = "x" } } },
      { "state must map", {}, { columns = { "v" }, state = true } },
      { "state.v must be a function", {}, { columns = { "v" }, state = { v = "bad" } } },
    }
    for _, call in ipairs(calls) do
      local message = raised_by(function()
        local _ = format.encode(call[2], call[3])
      end)
      assert.matches("table_spec.lua:%d+: .*" .. call[1], message)
    end
  end)

  it("for values that are not data, with the record and the field", function()
    local value = {}
    value.x = value
    local options = { columns = { "v" } }
    assert.matches("record 2: v: a table contains itself",
      raised_by(format.encode, { {}, { v = value } }, options))
    assert.matches("record 1: v: a function",
      raised_by(format.encode, { { v = print } }, options))
  end)
end)
