local core = require "pcapi.core"

local BOM = "\239\187\191"
local number_type = rawget(math, "type") -- Lua 5.3 and later
local to_integer = rawget(math, "tointeger")
local unpack = table.unpack or rawget(_G, "unpack")
local HAS_INTEGERS = number_type ~= nil

local function decode(text)
  local value, message = core.decode(text)
  assert.is_nil(message)
  return value
end

-- An integral JSON number is an integer in a Lua that has integers.
local function assert_integer(expected, value)
  assert.equal(expected, value)
  if HAS_INTEGERS then
    assert.equal("integer", number_type(value))
  end
end

local function assert_float(expected, value)
  assert.equal(expected, value)
  if HAS_INTEGERS then
    assert.equal("float", number_type(value))
  end
end

describe("pcapi.core.decode", function()
  -- Raises an error when a function calls another one, as Ctrl-C does by a debug hook.
  local function interrupted(decoder)
    local hook = { debug.gethook() }
    debug.sethook(function()
      local caller = debug.getinfo(3, "f")
      if caller and caller.func == decoder then
        debug.sethook()
        error("interrupted!", 0)
      end
    end, "c")
    local ok, message = pcall(decoder, "[1]")
    debug.sethook(unpack(hook))
    return not ok and message
  end

  it("raises an error that is not about the text again", function()
    assert.equal("interrupted!", interrupted(core.judge))
  end)

  describe("numbers", function()
    for text, expected in pairs {
      ["0"] = 0, ["7"] = 7, ["-7"] = -7, ["900421"] = 900421, ["2147483648"] = 2147483648,
      ["9007199254740991"] = 9007199254740991, ["-9007199254740991"] = -9007199254740991,
      ["1e3"] = 1000, ["1E+3"] = 1000, ["10e-1"] = 1, ["5.0"] = 5, ["-0"] = 0, ["-0.0"] = 0,
    } do
      it("such as " .. text .. " become integers in any place", function()
        assert_integer(expected, decode(text))
        assert_integer(expected, decode("[" .. text .. "]")[1])
        assert_integer(expected, decode("[0," .. text .. "]")[2])
        assert_integer(expected, decode('{"a":' .. text .. "}").a)
        assert_integer(expected, decode(" [ \n\t" .. text .. " ] ")[1])
        assert_integer(expected, decode('{ "a" : ' .. text .. "\r\n}").a)
        assert_integer(expected, decode('{"a"\t:' .. text .. "}").a)
      end)
    end

    for text, expected in pairs { ["0.5"] = 0.5, ["-1.25"] = -1.25, ["1e-3"] = 0.001 } do
      it("such as " .. text .. " become floats", function()
        assert_float(expected, decode('{"a":' .. text .. "}").a)
        assert_float(expected, decode("[" .. text .. "]")[1])
      end)
    end

    -- lua-cjson reads all numbers as doubles.
    it("of 64 bits keep all their digits where Lua has integers", function()
      assert_integer(2 ^ 53 - 1, decode("[9007199254740991]")[1])
      if HAS_INTEGERS and core.json == "reader" then
        for _, digits in ipairs { "9007199254740993", "-4611686018427387904",
                                  "9223372036854775807", "-9223372036854775808" } do
          assert.equal(digits, ("%d"):format(decode("[" .. digits .. "]")[1]))
        end
      else
        assert_float(2 ^ 53, decode("[9007199254740993]")[1])
      end
    end)

    it("too large for a double are refused, as Lua would make infinity of them", function()
      for text, offset in pairs { ['{"a":1e999}'] = 6, ["[1,-1e999]"] = 4, ["1e400"] = 1,
                                  ['{"c":{"d":123e400}}'] = 11 } do
        local value, message, at = core.decode(text)
        assert.is_nil(value)
        assert.equal("Found a number that is too large", message)
        assert.equal(core.json == "reader" and offset or nil, at)
      end
      assert_float(1.7976931348623157e308, decode "[1.7976931348623157e308]"[1])
    end)

    it("above 64 bits become floats", function()
      assert_float(2 ^ 63, decode("[9223372036854775808]")[1])
      assert_float(-2 ^ 63, decode("[-9223372036854775809]")[1])
      assert_float(1e300, decode('{"a":1e300}').a)
    end)

    it("differ from strings that look like numbers", function()
      assert.same({ a = "5", b = "-1", c = "1e3", d = "null" },
        decode '{"a":"5","b":"-1","c":"1e3","d":"null"}')
    end)

    it("differ from names that look like numbers", function()
      local value = decode '{"1":2,"null":3,"-1":null}'
      assert.equal(2, value["1"])
      assert.is_nil(value[1])
      assert.equal(3, value["null"])
      assert.is_nil(value["-1"])
    end)
  end)

  describe("null", function()
    it("in an object becomes a missing member", function()
      local value = decode '{"a":null,"b":1,"c":null}'
      assert.same({ b = 1 }, value)
      assert.is_nil(next(decode '{"a":null}'))
    end)

    it("in an array holds its place", function()
      local value = decode "[null,1,null]"
      assert.equal(3, #value)
      assert.equal(core.null, value[1])
      assert.equal(core.null, value[3])
    end)

    it("is removed from objects in arrays, and stays in arrays in objects", function()
      local value = decode '{"a":[null,{"b":null,"c":[null]}]}'
      assert.equal(core.null, value.a[1])
      assert.is_nil(value.a[2].b)
      assert.equal(core.null, value.a[2].c[1])
    end)

    it("alone becomes nil without a message", function()
      assert.equal(1, select("#", core.decode "null"))
      assert.is_nil((core.decode "null"))
    end)
  end)

  it("decodes strings, booleans and containers", function()
    assert.equal("x", decode '"x"')
    assert.is_true(decode "true")
    assert.is_false(decode "false")
    assert.same({}, decode "{}")
    assert.same({ {}, {} }, decode "[[],{}]")
    assert.same({ a = true, b = false, c = "" }, decode '{"a":true,"b":false,"c":""}')
  end)

  it("decodes escapes into UTF-8", function()
    assert.equal('"\\/\b\f\n\r\t\195\188\240\159\152\128',
      decode [["\"\\\/\b\f\n\r\t\u00fc\ud83d\ude00"]])
    assert.equal("\0", decode [["\u0000"]])
  end)

  -- U+FFFD replaces what is not a character (Unicode 3.9).
  describe("replaces an unpaired surrogate by U+FFFD", function()
    local ODD = "\239\191\189"
    for text, expected in pairs {
      [ [["\ud83d"]] ] = ODD, [ [["\udc00"]] ] = ODD, [ [["a\uD83Db"]] ] = "a" .. ODD .. "b",
      [ [["\ud83d\u0041"]] ] = ODD .. "A", [ [["\ud83d\ud83d\ude00"]] ] = ODD .. "\240\159\152\128",
      [ [["\ude00\ud83d"]] ] = ODD .. ODD, [ [["\ud83d\n"]] ] = ODD .. "\n",
      [ [["\ud83d\\ude00"]] ] = ODD .. "\\ude00", [ [["\\ud83d\ud83d"]] ] = "\\ud83d" .. ODD,
      [ [["\\\ud83d"]] ] = "\\" .. ODD, [ [["\"\udfff\""]] ] = '"' .. ODD .. '"',
      [ [["\ud83d\ude00\ude00"]] ] = "\240\159\152\128" .. ODD,
    } do
      it("in " .. text, function()
        assert.equal(expected, decode(text))
        assert.same({ expected, { n = 5 } }, decode("[" .. text .. ',{"n":5,"gone":null}]'))
        assert.same({ [expected] = 1 }, decode("{" .. text .. ":1}"))
      end)
    end

    it("and reports another error in the text with its place", function()
      local value, message, offset = core.decode [=[["\ud800",x]]=]
      assert.is_nil(value)
      assert.is_string(message)
      assert.equal(11, offset)
    end)
  end)

  describe("replaces invalid UTF-8 by U+FFFD", function()
    local ODD = "\239\191\189"
    for text, expected in pairs {
      ["a\255b"] = "a" .. ODD .. "b", ["\195"] = ODD, ["\195\188\188"] = "\195\188" .. ODD,
      ["\192\128"] = ODD .. ODD, ["\226\130"] = ODD, ["\226\130x"] = ODD .. "x",
      ["\237\160\128"] = ODD .. ODD .. ODD, ["\244\144\128\128"] = ODD:rep(4),
      ["\240\159\152"] = ODD, ["\240\159\152\128"] = "\240\159\152\128",
    } do
      it(("in %q"):format(text), function()
        assert.equal(expected, decode('"' .. text .. '"'))
        assert.same({ [expected] = { expected } }, decode(('{"%s":["%s"]}'):format(text, text)))
        assert.equal(expected .. "\n", decode('"' .. text .. '\\n"'))
      end)
    end
  end)

  it("uses the last of two members with the same name", function()
    assert_integer(2, decode('{"a":1,"a":2,"b":3}').a)
    assert_integer(3, decode('{"a":1,"a":2,"b":3}').b)
    assert.is_nil(decode('{"a":1,"a":null}').a)
    assert_integer(4, decode('{"a":null,"a":4}').a)
  end)

  it("ignores a byte order mark", function()
    assert.same({ a = 1 }, decode(BOM .. '{"a":1}'))
    assert_integer(5, decode(BOM .. "5"))
    assert_integer(5, decode(BOM .. "[5]")[1])
    assert.is_nil((core.decode(BOM .. "null")))
  end)

  -- The core counts scalars in the bytes, in blocks of 64, and walks over the tables until it has
  -- met that many.
  describe("finds every number and null", function()
    it("at any distance from the beginning of the text", function()
      for distance = 0, 200 do
        local text = '["' .. ("x"):rep(distance) .. '",7,{"a":null,"b":8}]'
        local value = decode(text)
        assert_integer(7, value[2])
        assert.is_nil(value[3].a)
        assert_integer(8, value[3].b)
      end
    end)

    it("after any amount of white space", function()
      for length = 0, 130 do
        local space = (" \n\t\r"):rep(length):sub(1, length)
        local value = decode("{" .. space .. '"a"' .. space .. ":" .. space .. "7" .. space .. ","
          .. space .. '"b"' .. space .. ":" .. space .. "null" .. space .. "}")
        assert_integer(7, value.a)
        assert.is_nil(value.b)
      end
    end)

    it("in a block of nothing but scalars", function()
      for _, count in ipairs { 31, 32, 33, 63, 64, 65, 127, 128, 300, 1000 } do
        local value = decode("[" .. ("1,"):rep(count) .. "2]")
        for i = 1, count do
          assert_integer(1, value[i])
        end
        assert_integer(2, value[count + 1])
      end
    end)

    it("in the last object of a long list", function()
      local text = "[" .. ('{"upn":"kim@fabrikam.example"},'):rep(1000)
        .. '{"n":1,"gone":null,"list":[null,2]}]'
      local last = decode(text)[1001]
      assert_integer(1, last.n)
      assert.is_nil(last.gone)
      assert.equal(core.null, last.list[1])
      assert_integer(2, last.list[2])
    end)

    for _, text in ipairs { "a,1", ",1,2,3", ": 5", '\\":5', '\\",1', "[1", "[null", " null",
                            "07:08:09", ":-1", "\\\\", "\\\\\\\"", "2024-02-03T07:08:09.12",
                            "\195\188 1", ",", ":", "[" } do
      it("next to the string " .. text, function()
        local value = decode('{"s":"' .. text .. '","n":7,"gone":null,"l":["' .. text
          .. '",8,null,{"' .. text .. '":9,"z' .. text .. '":null}]}')
        assert_integer(7, value.n)
        assert.is_nil(value.gone)
        assert_integer(8, value.l[2])
        assert.equal(core.null, value.l[3])
        local count = 0
        for _, n in pairs(value.l[4]) do
          assert_integer(9, n)
          count = count + 1
        end
        assert.equal(1, count)
      end)
    end

    it("at the deepest nesting", function()
      local text = ("["):rep(99) .. '{"n":7,"gone":null}' .. ("]"):rep(99)
      local value = decode(text)
      for _ = 1, 99 do
        value = value[1]
      end
      assert_integer(7, value.n)
      assert.is_nil(value.gone)
    end)
  end)

  describe("nesting", function()
    it("may be 100 levels deep", function()
      assert.is_table(decode(("["):rep(100) .. ("]"):rep(100)))
      assert.is_table(decode(('{"a":'):rep(100) .. "1" .. ("}"):rep(100)))
    end)

    it("of 101 levels is refused with its place", function()
      local value, message, offset = core.decode(("["):rep(101) .. ("]"):rep(101))
      assert.is_nil(value)
      assert.matches("nested", message, 1, true)
      assert.equal(101, offset)
      assert.is_nil((core.decode(('[{"a":'):rep(51) .. "1" .. ("}]"):rep(51))))
    end)

    it("is counted from zero for every text", function()
      for _ = 1, 3 do
        core.decode(("["):rep(101))
        assert.is_table(decode(("["):rep(100) .. ("]"):rep(100)))
      end
    end)
  end)

  describe("invalid JSON", function()
    for _, case in ipairs {
      { "", 1 }, { "[1,]", 4 }, { "[1,2", 5 }, { '{"a" 1}', 6 }, { '{"a":}', 6 }, { "{a:1}", 2 },
      { '{"a":1,}', 8 }, { "[1] x", 5 }, { "[1 2]", 4 }, { "[01]", 2 }, { "[0x10]", 2 },
      { "[+1]", 2 }, { "[-]", 2 }, { "[- 5]", 2 }, { "[NaN]", 2 }, { "[nan]", 2 },
      { "[Infinity]", 2 }, { "[inf]", 2 }, { "[-inf]", 2 }, { "[nul]", 2 }, { "[True]", 2 },
      { "['a']", 2 }, { "<html>", 1 }, { "\255\254[", 1 }, { "[1]]", 4 }, { "[1e5.5]", 5 },
      { "/* x */ [1]", 1 }, { "[1}", 3 }, { "  \n [x", 6 },
    } do
      it(("%q is reported at byte %d, or that much later after a byte order mark"):format(
        case[1], case[2]), function()
        for _, bom in ipairs { "", BOM } do
          local value, message, offset = core.decode(bom .. case[1])
          assert.is_nil(value)
          assert.is_nil(message:find("character", 1, true))
          assert.equal(case[2] + #bom, offset)
        end
      end)
    end

    for _, text in ipairs { '["\\x"]', '["\\ud8zz"]', '["\\ud800\\x"]', '["\\u12"]',
                            '["a', '["a\0b"]' } do
      it(("%q is reported with its place"):format(text), function()
        local value, message, offset = core.decode(text)
        assert.is_nil(value)
        assert.is_string(message)
        assert.is_true(offset >= 2 and offset <= #text + 1)
      end)
    end

    it("with a zero byte in any place is refused", function()
      for _, text in ipairs { "[1]\0", "[1]\0 x", "[1\0]", "\0[1]", "5\0", '{"a":1}\0{"b":2}' } do
        local value, message = core.decode(text)
        assert.is_nil(value)
        assert.is_string(message)
      end
    end)

    it("with text after a zero byte is reported at the zero byte", function()
      assert.equal(4, (select(3, core.decode "[1]\0 x")))
      assert.equal(7, (select(3, core.decode(BOM .. "[1]\0 x"))))
    end)

    it("is not part of the message, as it may contain a token", function()
      local _, message = core.decode "SECRET[1"
      assert.is_nil(message:find("SECRET", 1, true))
    end)
  end)

  it("does not depend on the host's settings of lua-cjson", function()
    local cjson = require "cjson"
    cjson.decode_max_depth(2)
    local deep = core.decode "[[[1]]]"
    cjson.decode_max_depth(1000)
    assert.same({ { { 1 } } }, deep)
  end)

  it("raises an error for a value that is not a string", function()
    for _, value in ipairs { {}, true, print } do
      assert.has_error(function() core.decode(value) end)
    end
    assert.has_error(function() core.decode() end)
  end)
end)

-- The reference is lua-cjson with a simple recursion for what decode adds.
describe("pcapi.core.decode agrees with a simple reference", function()
  local cjson = require("cjson").new()

  local function reference(value)
    if type(value) == "number" and HAS_INTEGERS then
      return math.abs(value) < 2 ^ 53 and to_integer(value) or value
    elseif type(value) ~= "table" then
      return value
    end
    local normalised = {}
    for key, item in pairs(value) do
      if type(key) == "number" or item ~= cjson.null then
        normalised[key] = reference(item)
      end
    end
    return normalised
  end

  local function same(expected, value)
    if type(expected) ~= "table" or type(value) ~= "table" then
      return expected == value
        and (not HAS_INTEGERS or number_type(expected) == number_type(value))
    end
    for key, item in pairs(expected) do
      if not same(item, value[key]) then
        return false
      end
    end
    for key in pairs(value) do
      if expected[key] == nil then
        return false
      end
    end
    return true
  end

  -- Numerical Recipes' generator: the same numbers on every Lua, unlike math.random.
  local state
  local function random(n)
    state = (state * 1664525 + 1013904223) % 4294967296
    return math.floor(state / 65536) % n + 1
  end

  local function pick(list)
    return list[random(#list)]
  end

  local SPACES = { " ", "\n", "\t", "\r", "\r\n  ", ("  "):rep(20), ("\n"):rep(63) }
  local NUMBERS = { "0", "-0", "1", "-1", "42", "1.5", "-2.5e-3", "1e3", "1E+2", "0.0", "100.0",
                    "123456789012345678901234567890", "1e300", "-12" }
  local STRINGS = { "", "a", "a,1", ": 5", ":5", '\\":5', '\\",1', "[1", "null", " null", ",null",
                    "07:08:09", "\\\\", "\\\\\\\"", "2024-02-03T07:08:09.123", "-", "n", "1",
                    "\\u00fc", "\195\188", "}{][", ("x"):rep(61), ("y,1 "):rep(17), "\\n1" }
  local spacing -- one place in that many gets white space

  local function space()
    return random(spacing) == 1 and pick(SPACES) or ""
  end

  local function text_of(depth)
    local choice = random(depth > 0 and 10 or 6)
    if choice <= 2 then
      return pick(NUMBERS)
    elseif choice <= 4 then
      return "null"
    elseif choice == 5 then
      return pick { "true", "false" }
    elseif choice == 6 then
      return '"' .. pick(STRINGS) .. '"'
    end
    local items = {}
    for i = 1, random(7) - 1 do
      local name = '"' .. pick(STRINGS) .. (random(3) == 1 and "" or i) .. '"'
      items[i] = space() .. (choice <= 8 and name .. space() .. ":" .. space() or "")
        .. text_of(depth - 1) .. space()
    end
    local inner = #items > 0 and table.concat(items, ",") or space()
    return (choice <= 8 and "{%s}" or "[%s]"):gsub("%%s", function() return inner end)
  end

  for _, case in ipairs { { 1, 1000000 }, { 2, 4 }, { 3, 1 }, { 4, 30 } } do
    it(("for 2000 random texts (seed %d)"):format(case[1]), function()
      state, spacing = case[1], case[2]
      for _ = 1, 2000 do
        local text = space() .. text_of(5) .. space()
        local expected = reference(cjson.decode(text))
        if expected == cjson.null then
          expected = nil
        end
        local value, message = core.decode(text)
        assert(message == nil and same(expected, value), text)
      end
    end)
  end

  it("whose comparison notices a float, a null and a missing item", function()
    assert.is_false(same({ a = 1 }, { a = 1, b = cjson.null }))
    assert.is_false(same({ 1, cjson.null }, { 1 }))
    assert.is_false(HAS_INTEGERS and same({ 1 }, { 2 ^ 0 }))
  end)
end)
