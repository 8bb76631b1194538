local cjson = require("cjson")
local json = require("pcapi.format.json")
local jsonl = require("pcapi.format.jsonl")
local raised_by = require("spec.support.raised_by")

-- The JSON of a single value in a record.
local function value_of(value, options)
  return json.encode({ { v = value } }, options):match('^%[\n  {"v":(.*)}\n%]\n$')
end

local function decoded(value)
  return cjson.decode(json.encode({ { v = value } }))[1].v
end

local function nested(depth)
  local value = "end"
  for _ = 1, depth do
    value = { value }
  end
  return value
end

describe("the JSON array", function()
  it("has one record per line", function()
    assert.equal('[\n  {"a":1},\n  {"a":2}\n]\n', json.encode({ { a = 1 }, { a = 2 } }))
  end)

  it("is [] if there are no records", function()
    assert.equal("[]\n", json.encode({}))
  end)

  it("writes a record without fields as an object", function()
    assert.equal("[\n  {}\n]\n", json.encode({ {} }, { empty_array = true }))
  end)

  it("sorts the fields by name", function()
    assert.equal('[\n  {"a":1,"b":2,"c":3,"d":4}\n]\n',
      json.encode({ { d = 4, b = 2, c = 3, a = 1 } }))
  end)

  it("puts the fields of options.columns first, then the others, sorted", function()
    assert.equal('[\n  {"z":1,"m":2,"a":3,"b":4}\n]\n',
      json.encode({ { a = 3, b = 4, m = 2, z = 1 } }, { columns = { "z", "none", "m" } }))
  end)

  it("leaves out other fields with options.only_columns", function()
    local options = { columns = { "z", "none", "m" }, only_columns = true }
    assert.equal('[\n  {"z":1,"m":2}\n]\n',
      json.encode({ { a = 3, b = 4, m = 2, z = 1, [true] = 5 } }, options))
    assert.equal('{"z":{"a":1},"m":2}\n{}\n',
      jsonl.encode({ { a = 3, m = 2, z = { a = 1 } }, { a = {} } }, options))
  end)

  it("sorts nested objects whatever the columns", function()
    assert.equal('{"a":1,"z":{"a":1,"z":2}}',
      json.encode({ { a = 1, z = { z = 2, a = 1 } } }, { columns = { "a", "z" } }):match("{.*}"))
    assert.equal('{"a":1,"z":2}', value_of({ z = 2, a = 1 }, { columns = { "z" } }))
  end)

  it("takes records up to the first nil and nothing else of the list", function()
    local list = setmetatable({ { a = 1 }, nil, { a = 3 }, next = "link" }, {
      __index = function() return { a = 9 } end,
      __len = function() return 9 end,
      __pairs = function() error("pairs") end,
    })
    assert.equal('[\n  {"a":1}\n]\n', json.encode(list))
  end)

  it("ignores the metatables of records and of values", function()
    local meta = { __index = function() return "ghost" end, __len = function() return 9 end }
    local record = setmetatable({ v = setmetatable({ 1 }, meta) }, meta)
    assert.equal('[\n  {"v":[1]}\n]\n', json.encode({ record }, { columns = { "v", "w" } }))
  end)

  it("decodes to what was encoded", function()
    local list = {
      { upn = "zoë@contoso.example", mfaCompliant = false, totalRequestCount = 12 },
      { upn = "渡辺", operations = { "a", "b" }, extra = { x = { y = 0.25 } } },
    }
    assert.same(list, cjson.decode(json.encode(list)))
  end)

  it("gives the same bytes for the same records", function()
    local one, other = {}, {}
    for i = 1, 50 do
      one["k" .. i] = i
      other["k" .. 51 - i] = 51 - i
    end
    assert.equal(json.encode({ one }), json.encode({ other }))
  end)
end)

describe("a JSON string", function()
  local cases = {
    { "a/b", '"a/b"' }, { "a\\/b", '"a\\\\/b"' }, { "\\\\/", '"\\\\\\\\/"' },
    { "\\", '"\\\\"' }, { "/\\", '"/\\\\"' }, { '"/', '"\\"/"' }, { "\n\t\r", '"\\n\\t\\r"' },
    { "\0", '"\\u0000"' }, { "\27[2J", '"\\u001b[2J"' }, { "\127", '"\\u007f"' },
    { "\194\155", '"\\u009b"' }, { "\226\128\174", '"\\u202e"' }, { "\226\129\169", '"\\u2069"' },
    { "\216\156", '"\\u061c"' }, { "\226\128\142", '"\\u200e"' },
    { "\226\128\168\226\128\169", '"\\u2028\\u2029"' }, { "\226\128\139", '"\\u200b"' },
    { "\243\160\129\129", '"\\udb40\\udc41"' }, { "zoë 渡辺 👍", '"zoë 渡辺 👍"' },
    { "علی\226\128\140رضا", '"علی\226\128\140رضا"' }, { "a\226\128\140b", '"a\\u200cb"' },
    { "👩\226\128\141💻", '"👩\226\128\141💻"' },
  }
  for _, case in ipairs(cases) do
    it(("is %s"):format(case[2]), function()
      assert.equal(case[2], value_of(case[1]))
      assert.equal(case[1], decoded(case[1]))
    end)
  end

  it("holds U+FFFD for each byte that is not UTF-8", function()
    assert.equal("\239\191\189", decoded("\255"))
    assert.equal("a\239\191\189\239\191\189b", decoded("a\192\175b"))
    assert.equal("é\239\191\189", decoded("é\169"))
    assert.equal(("\239\191\189"):rep(3), decoded("\237\160\128"))
  end)

  it("can hold every byte", function()
    for code = 0, 127 do
      assert.equal("<" .. string.char(code) .. ">", decoded("<" .. string.char(code) .. ">"))
    end
    for code = 128, 255 do
      assert.equal("<\239\191\189>", decoded("<" .. string.char(code) .. ">"))
    end
  end)

  it("escapes the names of fields the same way", function()
    assert.equal('[\n  {"\\u001b/\\"":1}\n]\n', json.encode({ { ["\27/\""] = 1 } }))
  end)
end)

describe("a JSON value", function()
  it("is exact for whole numbers up to 2^53", function()
    assert.equal("9007199254740992", value_of(2 ^ 53))
    assert.equal("9007199254740991", value_of(2 ^ 53 - 1))
    assert.equal("-9007199254740991", value_of(1 - 2 ^ 53))
    assert.equal("12", value_of(12.0))
  end)

  it("reads back as the same fraction", function()
    for _, value in ipairs({ 0.1, 1 / 3, 1706944089.1234567, 5e-324, 1e300 }) do
      assert.equal(value, decoded(value))
    end
    assert.equal("0.1", value_of(0.1))
  end)

  it("is null for numbers that JSON lacks, and for null", function()
    assert.equal("null", value_of(0 / 0))
    assert.equal("null", value_of(math.huge))
    assert.equal("null", value_of(-math.huge))
    assert.equal("null", value_of(cjson.null))
  end)

  it("is true or false for booleans", function()
    assert.equal("true", value_of(true))
    assert.equal("false", value_of(false))
  end)

  it("is an array if the keys are 1 to n", function()
    assert.equal('[1,"b",[true],null]', value_of({ 1, "b", { true }, cjson.null }))
  end)

  it("is an object for gaps and mixed keys, so that nothing is lost", function()
    assert.equal('{"1":"a","3":"c"}', value_of({ [1] = "a", [3] = "c" }))
    assert.equal('{"1":"a","x":"b"}', value_of({ "a", x = "b" }))
    assert.equal('{"1.5":"a"}', value_of({ [1.5] = "a" }))
  end)

  it("is {} for an empty table unless options.empty_array is set", function()
    assert.equal("{}", value_of({}))
    assert.equal("[]", value_of({}, { empty_array = true }))
    assert.equal("[{}]", value_of({ {} }))
  end)

  it("may contain the same table twice, if it is not inside itself", function()
    local shared = { 1 }
    assert.equal("[[1],[1]]", value_of({ shared, shared }))
  end)

  it("keeps a number key if options.columns has it as a string", function()
    assert.equal('[\n  {"1":"a"}\n]\n', json.encode({ { "a" } }, { columns = { "1" } }))
  end)
end)

describe("json.encode raises", function()
  it("for a table that contains itself", function()
    local record = {}
    record.v = { record }
    assert.matches("record 2: a table contains itself", raised_by(json.encode, { {}, record }))
    local value = {}
    value.x = value
    assert.matches("contains itself", raised_by(json.encode, { { v = value } }))
  end)

  it("below 100 levels and not at 100", function()
    assert.is_string(json.encode({ { v = nested(99) } }))
    assert.matches("deeper than 100", raised_by(json.encode, { { v = nested(100) } }))
  end)

  it("for values that are not data", function()
    assert.matches("a function cannot", raised_by(json.encode, { { v = print } }))
    assert.matches("a thread cannot",
      raised_by(json.encode, { { v = coroutine.create(function() end) } }))
    assert.matches("a userdata cannot", raised_by(json.encode, { { v = io.stdout } }))
  end)

  it("for keys that an object cannot have", function()
    assert.matches("a key is a boolean", raised_by(json.encode, { { [true] = 1 } }))
    assert.matches("a key is a number", raised_by(json.encode, { { [math.huge] = 1 } }))
    assert.matches("as a number and as a string",
      raised_by(json.encode, { { [1] = "a", ["1"] = "b" } }))
  end)

  it("for wrong arguments, at the caller's line", function()
    local calls = {
      { "list must be a table", nil }, { "list must be a table", "x" },
      { "record 2 must be a table", { {}, "x" } },
      { "options must be a table", {}, "x" },
      { "columns must be an array", {}, { columns = "upn" } },
      { "columns%[2%] must be a string", {}, { columns = { "upn", 2 } } },
      { "columns has 'upn' twice", {}, { columns = { "upn", "upn" } } },
    }
    for _, call in ipairs(calls) do
      for _, encode in ipairs({ json.encode, jsonl.encode }) do
        local message = raised_by(function()
          local _ = encode(call[2], call[3])
        end)
        assert.matches("json_spec.lua:%d+: .*" .. call[1], message)
      end
    end
  end)
end)

describe("JSON Lines", function()
  it("have one object per line", function()
    assert.equal('{"a":1}\n{"a":2}\n', jsonl.encode({ { a = 1 }, { a = 2 } }))
  end)

  it("are empty if there are no records", function()
    assert.equal("", jsonl.encode({}))
  end)

  it("take the order of fields and empty tables from the options", function()
    assert.equal('{"z":[],"a":1}\n',
      jsonl.encode({ { a = 1, z = {} } }, { columns = { "z" }, empty_array = true }))
  end)

  it("never have a line end within a value", function()
    local list = { { v = "a\nb\r\226\128\168c" }, { v = "d" } }
    local lines = {}
    for line in jsonl.encode(list):gmatch("([^\n]*)\n") do
      lines[#lines + 1] = cjson.decode(line)
    end
    assert.same(list, lines)
  end)

  it("raise what the JSON array raises", function()
    assert.matches("record 1: a function cannot", raised_by(jsonl.encode, { { v = print } }))
  end)
end)

describe("the private JSON codec", function()
  it("neither sees nor changes the settings of the shared one", function()
    local before = cjson.encode_number_precision()
    cjson.encode_number_precision(3)
    local output = json.encode({ { v = 1234567 } })
    local after = cjson.encode_number_precision()
    cjson.encode_number_precision(before)
    assert.equal('[\n  {"v":1234567}\n]\n', output)
    assert.equal(3, after)
  end)
end)

describe("json.compact", function()
  it("writes a value on one line", function()
    assert.equal('{"a":[1,2]}', json.compact({ a = { 1, 2 } }))
  end)

  it("returns nil and a message if it cannot", function()
    local value, message = json.compact(print)
    assert.is_nil(value)
    assert.matches("function", message)
  end)
end)
