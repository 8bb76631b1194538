--- Writers: each format writes the same text whether the records come at once or by and by.
local formats = require "pcapi.format"
local raised_by = require "spec.support.raised_by"

local RECORDS = {
  { upn = "ada@contoso.example", count = 1 }, { upn = "=bob", count = 200 }, { count = 3 },
  { upn = "zoë", nested = { 1, 2 } }, {},
}

local OPTIONS = { columns = { "upn", "count" }, titles = { upn = "USER" } }

-- A writer and the array of the texts that it writes.
local function open(name, options)
  local texts = {}
  return formats.get(name).open(function(text)
    texts[#texts + 1] = text
    return true
  end, options or OPTIONS), texts
end

-- The records from first to last.
local function slice(first, last)
  local list = {}
  for i = first, last do
    list[#list + 1] = RECORDS[i]
  end
  return list
end

for _, name in ipairs { "table", "json", "jsonl", "csv" } do
  local encode = formats.get(name).encode

  describe("a writer of " .. name, function()
    it("writes what encode returns, however the records are split", function()
      local expected = encode(RECORDS, OPTIONS)
      for first = 0, #RECORDS do
        for second = first, #RECORDS do
          local writer, texts = open(name)
          assert.is_true(writer:rows(slice(1, first)))
          assert.is_true(writer:rows(slice(first + 1, second)))
          assert.is_true(writer:rows(slice(second + 1, #RECORDS)))
          assert.is_true(writer:close())
          assert.equal(expected, table.concat(texts))
        end
      end
    end)

    it("writes what encode returns for no records", function()
      local writer, texts = open(name)
      writer:close()
      assert.equal(encode({}, OPTIONS), table.concat(texts))
      writer, texts = open(name)
      writer:rows {}
      writer:close()
      assert.equal(encode({}, OPTIONS), table.concat(texts))
    end)

    it("writes rows as they come, unless the format needs all of them", function()
      local writer, texts = open(name)
      writer:rows(slice(1, 1))
      assert.equal(formats.get(name).needs_all and 0 or 1, #texts)
      writer:rows(slice(2, 3))
      assert.equal(formats.get(name).needs_all and 0 or 2, #texts)
    end)

    it("writes pieces of at most 64 KiB, each of whole rows", function()
      local list, name_of_row = {}, ("x"):rep(100)
      for i = 1, 3000 do
        list[i] = { upn = name_of_row, count = i, nested = i % 7 == 0 and { i } or nil }
      end
      local options = { columns = { "upn", "count", "nested" } }
      local writer, texts = open(name, options)
      writer:rows(list)
      assert.is_true(#texts > 1 or formats.get(name).needs_all)
      writer:close()
      assert.equal(encode(list, options), table.concat(texts))
      assert.is_true(#texts >= 5)
      for i, text in ipairs(texts) do
        assert.is_true(#text <= 65536 + 200)
        assert.equal(name == "json" and i < #texts and "}" or "\n", text:sub(-1))
      end
    end)

    it("writes a row that is longer than a piece whole", function()
      local list = { { upn = "a" }, { upn = ("x"):rep(200000) }, { upn = "b" } }
      local writer, texts = open(name)
      writer:rows(list)
      writer:close()
      assert.equal(encode(list, OPTIONS), table.concat(texts))
    end)

    it("ends with the first error of the write function", function()
      local calls, list = 0, {}
      for i = 1, 5000 do
        list[i] = { upn = ("x"):rep(50), count = i }
      end
      local writer = formats.get(name).open(function()
        calls = calls + 1
        return calls < 3 or nil, "disk full"
      end, OPTIONS)
      local ok = writer:rows(list)
      assert.equal(formats.get(name).needs_all, ok)
      assert.same({ nil, "disk full" }, { writer:close() })
      assert.equal(3, calls)
    end)

    it("keeps the columns that it was opened with", function()
      local options = { columns = { "upn", "count" } }
      local expected = encode(RECORDS, options)
      local writer, texts = open(name, options)
      options.columns[1], options.columns[2] = "count", nil
      writer:rows(RECORDS)
      writer:close()
      assert.equal(expected, table.concat(texts))
    end)

    it("returns the error of the write function, and writes no more", function()
      local calls = 0
      local writer = formats.get(name).open(function()
        calls = calls + 1
        return nil, "disk full"
      end, OPTIONS)
      local ok, err = writer:rows(RECORDS)
      if not formats.get(name).needs_all then
        assert.same({ nil, "disk full" }, { ok, err })
        assert.same({ nil, "disk full" }, { writer:rows(RECORDS) })
      end
      assert.same({ nil, "disk full" }, { writer:close() })
      assert.same({ nil, "disk full" }, { writer:close() })
      assert.equal(1, calls)
    end)

    it("raises for a record that cannot be written, with its number, and writes no more", function()
      local writer, texts = open(name)
      writer:rows(slice(1, 2))
      local before = #texts
      local message = raised_by(function()
        local _ = writer:rows { {}, { upn = print } }
      end)
      assert.matches("writer_spec.lua:%d+: record 4: .*function", message)
      assert.is_nil((writer:rows(RECORDS)))
      assert.is_nil((writer:close()))
      assert.equal(before, #texts)
    end)

    it("closes once, and takes no rows afterwards", function()
      local writer, texts = open(name)
      writer:rows(RECORDS)
      writer:close()
      local text = table.concat(texts)
      assert.is_true(writer:close())
      assert.equal(text, table.concat(texts))
      assert.matches("writer_spec.lua:%d+: the writer is closed", raised_by(function()
        local _ = writer:rows(RECORDS)
      end))
    end)

    it("takes a write function that returns nothing", function()
      local texts = {}
      local writer = formats.get(name).open(function(text)
        texts[#texts + 1] = text
      end, OPTIONS)
      assert.is_true(writer:rows(RECORDS))
      assert.is_true(writer:close())
      assert.equal(encode(RECORDS, OPTIONS), table.concat(texts))
    end)

    it("raises for wrong arguments, at the caller's line", function()
      local opener = formats.get(name).open
      for _, case in ipairs {
        { "write must be a function, not a nil", nil, OPTIONS },
        { "options must be a table", print, "x" },
        { "columns%[1%] must be a string", print, { columns = { 1 } } },
      } do
        assert.matches("writer_spec.lua:%d+: .*" .. case[1], raised_by(function()
          local _ = opener(case[2], case[3])
        end))
      end
      local writer = open(name)
      assert.matches("writer_spec.lua:%d+: list must be a table", raised_by(function()
        local _ = writer:rows "x"
      end))
    end)
  end)
end
