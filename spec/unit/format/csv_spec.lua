local csv = require("pcapi.format.csv")
local raised_by = require("spec.support.raised_by")

-- A strict RFC 4180 reader: every row ends in CR LF, quotes only around whole
-- cells, nothing after the closing one.
local function read_cell(input, at)
  if input:sub(at, at) ~= '"' then
    local cell, after = input:match('^([^",\r\n]*)()', at)
    return cell, after
  end
  local cell, from = {}, at + 1
  while true do
    local quote = assert(input:find('"', from, true), "quote left open")
    cell[#cell + 1] = input:sub(from, quote - 1)
    if input:sub(quote + 1, quote + 1) ~= '"' then
      return table.concat(cell, '"'), quote + 1
    end
    from = quote + 2
  end
end

local function read_csv(input)
  local rows, row, at = {}, {}, 1
  while at <= #input do
    local cell
    cell, at = read_cell(input, at)
    row[#row + 1] = cell
    if input:sub(at, at) == "," then
      at = at + 1
    else
      assert(input:sub(at, at + 1) == "\r\n", "row not ended at byte " .. at)
      rows[#rows + 1], row, at = row, {}, at + 2
    end
  end
  return rows
end

-- The bytes of the only cell of the only row.
local function raw_cell(value)
  return csv.encode({ { v = value } }, { columns = { "v" } }):match("^v\r\n(.*)\r\n$")
end

local function read_back(value)
  return read_csv(csv.encode({ { v = value } }, { columns = { "v" } }))[2][1]
end

describe("the CSV output", function()
  it("has a header row and one row per record, each ended by CR LF", function()
    assert.equal("upn,count\r\nada,1\r\nbob,2\r\n", csv.encode({
      { upn = "ada", count = 1 }, { upn = "bob", count = 2 },
    }, { columns = { "upn", "count" } }))
  end)

  it("has only the header if there are no records", function()
    assert.equal("upn,count\r\n", csv.encode({}, { columns = { "upn", "count" } }))
  end)

  it("has the columns of options.columns, in that order, and no others", function()
    assert.equal("c,a\r\n3,1\r\n", csv.encode({ { a = 1, b = 2, c = 3 } },
      { columns = { "c", "a" } }))
  end)

  it("quotes field names and protects them from formulas, like values", function()
    assert.equal("'=a,\"b,c\"\r\n,\r\n", csv.encode({ {} }, { columns = { "=a", "b,c" } }))
  end)

  it("leaves missing values empty", function()
    local null = require("cjson").null
    assert.equal("a,b,c,d\r\n,,,x\r\n", csv.encode({ { b = null, c = 0 / 0, d = "x" } },
      { columns = { "a", "b", "c", "d" } }))
  end)

  it("quotes an empty cell that is alone in its row", function()
    assert.equal('v\r\n""\r\n', csv.encode({ {} }, { columns = { "v" } }))
    assert.same({ { "v" }, { "" } }, read_csv(csv.encode({ {} }, { columns = { "v" } })))
  end)

  it("can be read back cell by cell", function()
    local columns = { "a", "b" }
    local list = {
      { a = 'say "hi"', b = "x,y" }, { a = "two\r\nlines", b = "" },
      { a = '"', b = '""' }, { a = "zoë;渡辺", b = " padded " }, { a = ",", b = "tab\there" },
    }
    local rows = read_csv(csv.encode(list, { columns = columns }))
    assert.equal(#list + 1, #rows)
    for i, record in ipairs(list) do
      assert.same({ record.a, record.b }, rows[i + 1])
    end
  end)

  it("takes records up to the first nil, and ignores metatables", function()
    local meta = { __index = function() return { v = "ghost" } end }
    local list = setmetatable({ setmetatable({}, meta), nil, { v = 3 }, key = "x" }, meta)
    assert.equal("v,w\r\n,\r\n", csv.encode(list, { columns = { "v", "w" } }))
  end)

  it("begins with no byte order mark", function()
    assert.equal("v", csv.encode({}, { columns = { "v" } }):sub(1, 1))
  end)
end)

describe("a CSV cell", function()
  local cases = {
    { "plain", "plain" }, { "zoë", "zoë" }, { "a b", "a b" }, { "a'b", "a'b" },
    { "a,b", '"a,b"' }, { 'a"b', '"a""b"' }, { '"', '""""' }, { "a\nb", '"a\nb"' },
    { "a\rb", '"a\rb"' }, { "a\tb", '"a\tb"' }, { "a;b", '"a;b"' }, { " a", '" a"' },
    { "a ", '"a "' }, { true, "true" }, { false, "false" }, { 12, "12" }, { 12.0, "12" },
    { -5, "-5" }, { 0.1, "0.1" }, { 2 ^ 53, "9007199254740992" }, { { 1, 2 }, '"[1,2]"' },
    { { a = "x" }, '"{""a"":""x""}"' }, { {}, "{}" },
  }
  for _, case in ipairs(cases) do
    it(("is written %q"):format(case[2]), function()
      assert.equal(case[2], raw_cell(case[1]))
    end)
  end

  local formulas = { "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1",
    "－1", "＠x", "=", '=HYPERLINK("http://x","y")', "-", " =1", "   +1", "\194\160=1", "　@x", " ＝1",
    "\226\128\137-1", " \t=1", "\194\160 \227\128\128=1" }
  for _, formula in ipairs(formulas) do
    it(("is not a formula for %q"):format(formula), function()
      assert.equal("'" .. formula, read_back(formula))
    end)
  end

  it("is not changed if the sign is not at the beginning", function()
    for _, value in ipairs({ "a=1", "a+b", "a-b", "ada@contoso.example", "a＝1",
      "'=1", "می\226\128\140خواهم@fabrikam.example", "👩\226\128\141💻=1" }) do
      assert.equal(value, raw_cell(value))
    end
  end)

  it("shows control characters, invisible characters and bytes that are not UTF-8", function()
    assert.equal("a\\x00b", raw_cell("a\0b"))
    assert.equal("\\x1b[31m", raw_cell("\27[31m"))
    assert.equal("\\x7f\\u{9b}\\u{202e}\\xff", raw_cell("\127\194\155\226\128\174\255"))
  end)

  it("keeps a name with joiners, but no misleading characters next to it", function()
    local name = "علی\226\128\140رضا@fabrikam.example"
    assert.equal(name, raw_cell(name))
    assert.equal(name .. "\\u{202e}", raw_cell(name .. "\226\128\174"))
    assert.equal('"' .. name .. ',"', raw_cell(name .. ","))
  end)

  it("has no invisible character before a formula", function()
    for _, before in ipairs({ "\0", "\27", "\239\187\191", "\226\128\139",
      "\226\128\140", "\226\128\141", "\255" }) do
      assert.equal("\\", raw_cell(before .. "=1+1"):sub(1, 1))
    end
  end)

  it("can hold every byte", function()
    for code = 0, 127 do
      local char = string.char(code)
      local kept = code >= 32 and code < 127 or char:find("[\t\r\n]")
      local expected = kept and char or ("\\x%02x"):format(code)
      assert.equal("<" .. expected .. ">", read_back("<" .. char .. ">"))
    end
  end)
end)

describe("csv.encode raises", function()
  it("for wrong arguments, at the caller's line", function()
    local calls = {
      { "list must be a table", nil, { columns = { "v" } } },
      { "record 1 must be a table", { 1 }, { columns = { "v" } } },
      { "columns must be an array", {}, nil },
      { "columns must be an array", {}, {} },
      { "must name at least one", {}, { columns = {} } },
      { "columns%[1%] must be a string", {}, { columns = { 1 } } },
      { "options must be a table", {}, "x" },
    }
    for _, call in ipairs(calls) do
      local message = raised_by(function()
        local _ = csv.encode(call[2], call[3])
      end)
      assert.matches("csv_spec.lua:%d+: .*" .. call[1], message)
    end
  end)

  it("for values that are not data, with the record and the field", function()
    local value = {}
    value.x = value
    local options = { columns = { "v" } }
    assert.matches("record 2: v: a table contains itself",
      raised_by(csv.encode, { {}, { v = value } }, options))
    assert.matches("record 1: v: a function", raised_by(csv.encode, { { v = print } }, options))
  end)
end)
