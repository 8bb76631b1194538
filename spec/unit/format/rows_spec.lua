--- The rows that the core writes are those that Lua code writes.
local core = require "pcapi.core"
local format_texts = require "spec.support.format_texts"
local random_records = require "spec.support.random_records"

-- The first lines that differ.
local function difference(one, other)
  local next_line = other:gmatch "[^\n]*"
  for line in one:gmatch "[^\n]*" do
    local their_line = next_line()
    if line ~= their_line then
      return ("%q, but: %q"):format(line, tostring(their_line))
    end
  end
end

local function check_same(list, options, hint, names)
  for _, name in ipairs(names or format_texts.formats) do
    local by_core = format_texts.encode(name, list, options)
    local by_lua = format_texts.by_lua(name, list, options)
    assert.is_true(by_core == by_lua,
      by_core == by_lua or ("%s %s: %s"):format(name, hint, difference(by_core, by_lua)))
  end
end

local function char(code)
  if code < 0x80 then
    return string.char(code)
  elseif code < 0x800 then
    return string.char(0xC0 + math.floor(code / 64), 0x80 + code % 64)
  elseif code < 0x10000 then
    return string.char(0xE0 + math.floor(code / 4096), 0x80 + math.floor(code / 64) % 64,
      0x80 + code % 64)
  end
  return string.char(0xF0 + math.floor(code / 262144), 0x80 + math.floor(code / 4096) % 64,
    0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
end

describe("rows by the core are those by Lua", function()
  for seed = 1, 40 do
    it("for random records, seed " .. seed, function()
      math.randomseed(seed)
      for _ = 1, 5 do
        check_same(random_records.list(40), random_records.options(), "seed " .. seed)
      end
    end)
  end

  it("for each character at the beginning, in the middle and at the end", function()
    local list = {}
    local function add(code)
      list[#list + 1] = { a = char(code) .. "=1", b = "wide" .. char(code) }
    end
    for code = 0, 0x3300 do
      add(code)
    end
    for _, around in ipairs {
      0x4DBF, 0x9FFF, 0xA4CF, 0xAC00, 0xD7A3, 0xD800, 0xDFFF, 0xFE00, 0xFF00, 0xFF60, 0xFFA0,
      0xFFF9, 0xFFFF, 0x16FE0, 0x1BCA0, 0x1D173, 0x1E944, 0x1F300, 0x1F600, 0x20000, 0x2FFFF,
      0xE0000, 0xE0FFF, 0xF0000, 0x10FFFF, 0x110000,
    } do
      for code = around - 40, around + 40 do
        add(code)
      end
    end
    check_same(list, { columns = { "a", "b" } }, "", { "csv", "jsonl" })
    check_same(list, { columns = { "a", "b" }, width = 10 }, "", { "table" })
  end)

  it("for each pair of bytes", function()
    local list = {}
    for first = 0, 255 do
      for second = first % 7, 255, 7 do
        list[#list + 1] = { v = string.char(first, second) }
      end
    end
    check_same(list, { columns = { "v" } }, "")
  end)

  it("for numbers", function()
    local list = {}
    for exponent = -30, 70 do
      for _, factor in ipairs { 1, -1, 3, 7, 0.1, 1 / 3, 1.0000000000000002 } do
        list[#list + 1] = { n = factor * 2 ^ exponent }
        list[#list + 1] = { n = factor * 10 ^ exponent }
      end
    end
    local rare = { math.maxinteger or 1, math.mininteger or 1, 0, -0.0, 0 / 0, 1 / 0, -1 / 0 }
    for _, n in ipairs(rare) do
      list[#list + 1] = { n = n }
    end
    check_same(list, { columns = { "n" } }, "")
  end)

  it("for fields that come and go", function()
    local list = {}
    for i = 1, 300 do
      list[i] = { upn = "u" }
      for j = 1, 6 do
        if i % j == 0 then
          list[i]["field" .. (i * j) % 7] = j
        end
      end
    end
    check_same(list, { columns = { "upn", "field3" } }, "")
  end)

  it("up to a value that cannot be written, with the same message", function()
    for _, value in ipairs { print, io.stdout, coroutine.create(function() end) } do
      local list = { { upn = "a" }, { upn = "b" }, { upn = value } }
      for _, name in ipairs(format_texts.formats) do
        local message = format_texts.encode(name, list, { columns = { "upn" } })
        assert.matches("record 3: ", message)
        assert.equal(format_texts.by_lua(name, list, { columns = { "upn" } }), message)
      end
    end
    check_same({ { upn = "a" }, 5 }, { columns = { "upn" } }, "")
    check_same({ { upn = "a" }, { [true] = 1 } }, { columns = { "upn" } }, "")
  end)
end)

describe("the core", function()
  -- How many of the records it writes.
  local function count(list, ...)
    return select(2, core.rows(...)(list, 1, 65536, 0)) - 1
  end

  local NAMES = { "Zoë", "Łukasz", "Jürgen", "Ελένη", "Иван", "渡辺", "かな", "한국", "ＡＢ", "a,b",
                  'say "hi"', "=1", "a;b ", "it's" }

  it("writes names of most scripts, and cells in quotes", function()
    local list = {}
    for i, name in ipairs(NAMES) do
      list[i] = { upn = "x" .. name, n = 1, ok = true }
    end
    for _, kind in ipairs { "csv", "json", "jsonl" } do
      assert.equal(#list, count(list, kind, { "upn", "ok" }))
    end
    local columns = { { field = "upn", cells = {}, cells_width = 0 } }
    assert.equal(#list + 1, (core.cells(columns, list, 1, 0)))
  end)

  it("writes records with fields that are no columns", function()
    assert.equal(2, count({ { a = 1, b = 2 }, { c = 1, b = 2 } }, "jsonl", { "a" }))
  end)

  it("leaves to Lua an invisible character, a nested table and a blank in front", function()
    for _, value in ipairs { "a\226\128\174", "\255", {}, print } do
      for _, kind in ipairs { "csv", "json", "jsonl" } do
        assert.equal(1, count({ {}, { upn = value } }, kind, { "upn" }))
      end
    end
    assert.equal(0, count({ { upn = " x" } }, "csv", { "upn" }))
  end)

  it("writes whole rows within the limit", function()
    local list = { { v = "abc" }, { v = "def" } }
    local rows = core.rows("csv", { "v" })
    assert.same({ "abc\r\n", 2, false }, { rows(list, 1, 12, 0) })
    assert.same({ "", 1, false }, { rows(list, 1, 3, 0) })
    assert.same({ "def\r\n", 3, false }, { rows(list, 2, 65536, 1) })
    assert.same({ "", 1, true }, { rows({ { v = ("x"):rep(65536) } }, 1, 65536, 0) })
  end)

  it("has no rows for columns that are very many or not plain", function()
    local many = {}
    for i = 1, 65 do
      many[i] = "c" .. i
    end
    assert.is_nil(core.rows("csv", many))
    assert.is_nil(core.rows("csv", { "a\255" }))
    assert.is_nil(core.rows("json", { ("x"):rep(9000) }))
  end)

  it("raises for wrong arguments", function()
    assert.error_matches(function() core.rows("xml", {}) end, "invalid option 'xml'")
    assert.error_matches(function() core.rows("csv", { 1 }) end, "array of strings")
    assert.error_matches(function() core.rows("csv", { "v" })(nil, 1, 1, 0) end, "table expected")
    assert.error_matches(function() core.cells({ 1 }, {}, 1, 0) end, "table expected")
  end)
end)
