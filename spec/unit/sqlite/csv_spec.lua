--- Rows of pcapi.sqlite as CSV, in the form that COPY of PostgreSQL reads.
local database = require "spec.support.database"
local raised_by = require "spec.support.raised_by"
local sqlite = require "pcapi.sqlite"

local db

before_each(function()
  db = database.new()
end)

after_each(database.remove)

local function texts_of(sql, parameters)
  local texts = {}
  assert(db:read(function(tx)
    for text in tx:csv(sql, parameters) do
      texts[#texts + 1] = text
    end
    return true
  end))
  return texts
end

local function line_of(value)
  return texts_of("SELECT :value, 1", { value = value })[1]
end

describe("a cell of csv()", function()
  it("is empty for NULL, and has quotes for an empty text", function()
    assert.equal(",1\n", line_of(nil))
    assert.equal('"",1\n', line_of "")
  end)

  it("is a number or a text as it is", function()
    assert.equal("-7,1\n", line_of(-7))
    assert.equal("1.5,1\n", line_of(1.5))
    assert.equal("0,1\n", line_of(false))
    assert.equal("9007199254740991,1\n", line_of(2 ^ 53 - 1))
    for _, text in ipairs { "kim@fabrikam.example", "Get /v{version}/a", "é€😀", " a;b ", "\\.",
                            "=1+1", "\\x00" } do
      assert.equal(text .. ",1\n", line_of(text))
    end
  end)

  it("has quotes around a text with commas and quotes", function()
    assert.equal('"a,b",1\n', line_of "a,b")
    assert.equal('"""",1\n', line_of '"')
    assert.equal('"Billing, ""Sync""",1\n', line_of 'Billing, "Sync"')
  end)

  it("has U+FFFD for each control character", function()
    for byte = 0, 127 do
      local expected = "\239\191\189"
      if byte >= 32 and byte < 127 then
        expected = string.char(byte):gsub('"', '""')
      end
      assert.equal(('"%s,",1\n'):format(expected), line_of(string.char(byte) .. ","))
    end
  end)

  it("has the bytes of a blob in hexadecimal", function()
    assert.equal("\\x00ff0a22,1\n", line_of(sqlite.blob "\0\255\n\""))
    assert.equal("\\x,1\n", line_of(sqlite.blob ""))
  end)

  it("may be as long as a text of SQLite", function()
    local text = ("x"):rep(3e6)
    assert.is_true(line_of(text) == text .. ",1\n")
    assert.is_true(line_of(text .. "\n") == '"' .. text .. '\239\191\189",1\n')
  end)
end)

describe("csv()", function()
  local SERIES = "WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s "
    .. "WHERE i < :count) SELECT i, 'a row' FROM s"

  it("returns no text if there is no row", function()
    assert.same({}, texts_of("SELECT 1 WHERE :no", { no = 0 }))
  end)

  it("returns whole lines, in texts of 64 KiB and a line at most", function()
    for _, count in ipairs { 1, 2, 5000, 100000 } do
      local texts, lines = texts_of(SERIES, { count = count }), {}
      for i = 1, count do
        lines[i] = ("%d,a row\n"):format(i)
      end
      assert.is_true(table.concat(texts) == table.concat(lines))
      for i, text in ipairs(texts) do
        assert.equal("\n", text:sub(-1))
        assert.is_true(#text < 65536 + 20 and (i == #texts or #text >= 65536))
      end
    end
  end)

  it("ends with the function of its transaction", function()
    local iterator
    assert(db:read(function(tx)
      iterator = tx:csv(SERIES, { count = 100000 })
      iterator()
      return true
    end))
    assert.matches("transaction", raised_by(iterator))
    assert(db:read(function()
      assert.matches("these rows are over", raised_by(iterator))
      return true
    end))
  end)

  it("raises what a statement cannot do", function()
    local message = raised_by(db.read, db, function(tx)
      for _ in tx:csv "SELECT 1 UNION ALL SELECT abs(-9223372036854775807 - 1)" do
        error "it has returned a text"
      end
    end)
    assert.matches("integer overflow", message)
  end)
end)
