--- RFC 8259, production by production and boundary by boundary. The reader is called alone:
-- lua-cjson does not read what it refuses.
local core = require "pcapi.core"

local HAS_INTEGERS = rawget(math, "type") ~= nil

-- Texts that tell null from nothing, and integers from floats.
local function written(value)
  if value == nil then
    return "nil"
  elseif value == core.null then
    return "null"
  elseif type(value) == "string" then
    return ("%q"):format(value)
  elseif type(value) ~= "table" then
    return tostring(value)
  end
  local parts = {}
  for key, item in pairs(value) do
    parts[#parts + 1] = (type(key) == "number" and "" or key .. "=") .. written(item)
  end
  table.sort(parts)
  return "{" .. table.concat(parts, ",") .. "}"
end

local function read_in_steps(text)
  local step = core.reader(text, {})
  local more, value, message
  repeat
    more, value, message = step(1)
  until not more
  return value, message
end

local function accepts(cases)
  for text, expected in pairs(cases) do
    it(("%q"):format(text), function()
      local value, message = core.read(text, {})
      assert.is_nil(message)
      assert.equal(written(expected), written(value))
      value, message = read_in_steps(text)
      assert.is_nil(message)
      assert.equal(written(expected), written(value))
    end)
  end
end

local function refuses(cases)
  for text, offset in pairs(cases) do
    it(("%q at byte %d"):format(text, offset), function()
      local value, message, at, word = core.read(text, {})
      assert.is_nil(value)
      assert.is_string(message)
      assert.equal(offset, at)
      assert.is_nil(word)
      assert.is_string((select(2, read_in_steps(text))))
    end)
  end
end

describe("the reader accepts", function()
  describe("white space (§2) around each token:", function()
    accepts { [" 5"] = 5, ["5 "] = 5, ["\t5\n"] = 5, ["\r\n[\t]\r\n"] = {},
              ["[ 1 , 2 ]"] = { 1, 2 },
              ['{ "a" : 1 , "b" : 2 }'] = { a = 1, b = 2 }, ["{ }"] = {}, ["[\n\n1\n]"] = { 1 } }
  end)

  describe("each value (§3) as the whole text:", function()
    accepts { ["true"] = true, ["false"] = false, ['"x"'] = "x", ["0"] = 0, ["[]"] = {},
              ["{}"] = {} }
    it("null, which is nil", function()
      assert.same({ n = 1 }, { n = select("#", (core.read("null", {}))) })
      assert.is_nil((core.read("null", {})))
      assert.is_nil((select(2, core.read("null", {}))))
    end)
  end)

  describe("objects (§4):", function()
    accepts { ['{"a":1}'] = { a = 1 }, ['{"":0}'] = { [""] = 0 },
              ['{"a":{"b":{}}}'] = { a = { b = {} } },
              ['{"a":1,"a":2}'] = { a = 2 }, ['{"a":1,"a":null}'] = {},
              ['{"a":null,"a":1}'] = { a = 1 },
              ['{"a":null}'] = {}, ['{"1":2}'] = { ["1"] = 2 }, ['{"\\u0061":1,"a":2}'] = { a = 2 },
              ['{"a":[],"b":{},"c":""}'] = { a = {}, b = {}, c = "" } }
  end)

  describe("arrays (§5):", function()
    accepts { ["[1]"] = { 1 }, ["[[]]"] = { {} }, ["[null]"] = { core.null },
              ["[null,null]"] = { core.null, core.null },
              ['[1,"a",true,[],{}]'] = { 1, "a", true, {}, {} },
              ["[[[[1]]]]"] = { { { { 1 } } } } }
  end)

  describe("numbers (§6):", function()
    accepts { ["[0]"] = { 0 }, ["[9]"] = { 9 }, ["[-1]"] = { -1 }, ["[10]"] = { 10 },
              ["[0.5]"] = { 0.5 },
              ["[-0.5]"] = { -0.5 }, ["[1e1]"] = { 10 }, ["[1E1]"] = { 10 }, ["[1e+1]"] = { 10 },
              ["[1e-1]"] = { 0.1 }, ["[1.5e2]"] = { 150 }, ["[1e00]"] = { 1 }, ["[0e0]"] = { 0 },
              ["[0.0]"] = { 0 }, ["[1.0]"] = { 1 }, ["[123456789]"] = { 123456789 },
              ["[0.000001]"] = { 1e-6 }, ["[1e-400]"] = { 0 }, ["[1e308]"] = { 1e308 },
              ["[9007199254740991]"] = { 9007199254740991 }, ["[1e23]"] = { 1e23 },
              ["[123456789012345678901234567890]"] = { 123456789012345678901234567890 },
              ["[2.2250738585072014e-308]"] = { 2.2250738585072014e-308 } }

    it("-0, which is zero", function()
      assert.equal(0, core.read("[-0]", {})[1])
      assert.equal(0, core.read("[-0.0]", {})[1])
    end)

    it("all integers of 64 bits, exactly where Lua has integers", function()
      for _, digits in ipairs { "9223372036854775807", "-9223372036854775808",
                                "9007199254740993" } do
        local value = core.read("[" .. digits .. "]", {})[1]
        assert.equal(HAS_INTEGERS and digits or nil, HAS_INTEGERS and ("%d"):format(value) or nil)
        assert.equal(tonumber(digits .. ".0"), value + 0.0)
      end
      assert.equal(2 ^ 63, core.read("[9223372036854775808]", {})[1])
    end)
  end)

  describe("strings (§7):", function()
    accepts { ['""'] = "", ['"\\""'] = '"', ['"\\\\"'] = "\\", ['"\\/"'] = "/", ['"/"'] = "/",
              ['"\\b\\f\\n\\r\\t"'] = "\b\f\n\r\t", ['"\\u0041"'] = "A", ['"\\u00e9"'] = "\195\169",
              ['"\\u00E9"'] = "\195\169", ['"\\u20ac"'] = "\226\130\172", ['"\\u0000"'] = "\0",
              ['"\\uD834\\uDD1E"'] = "\240\157\132\158", ['"\127"'] = "\127", ['" "'] = " ",
              ['"\195\169"'] = "\195\169", ['"\226\130\172"'] = "\226\130\172", ["\"'\""] = "'",
              ['"\\uFFFF"'] = "\239\191\191", ['"\\uDBFF\\uDFFF"'] = "\244\143\191\191",
              ['"' .. ("x"):rep(1000) .. '"'] = ("x"):rep(1000) }

    for length = 0, 40 do
      it(("of %d bytes before an escape, a character and the end"):format(length), function()
        local text = ("x"):rep(length)
        assert.equal(text .. "\n\195\169" .. text,
          (core.read('"' .. text .. "\\n\195\169" .. text .. '"', {})))
      end)
    end
  end)

  describe("what is no character as U+FFFD (§8.2):", function()
    local ODD = "\239\191\189"
    accepts { ['"\\uD800"'] = ODD, ['"\\uDFFF"'] = ODD, ['"\\uD800\\uD800"'] = ODD .. ODD,
              ['"\\uD800\\u0041"'] = ODD .. "A", ['"\255"'] = ODD, ['"\195"'] = ODD,
              ['"\237\160\128"'] = ODD:rep(3), ['"\192\175"'] = ODD .. ODD,
              ['"\240\144\128"'] = ODD, ['{"\255":1}'] = { [ODD] = 1 } }
  end)

  describe("a byte order mark (§8.1):", function()
    accepts { ["\239\187\191[1]"] = { 1 }, ["\239\187\191 5"] = 5 }
  end)

  it("100 levels (§9)", function()
    assert.is_table((core.read(("["):rep(100) .. ("]"):rep(100), {})))
    assert.is_table((core.read(('{"a":'):rep(100) .. "1" .. ("}"):rep(100), {})))
  end)
end)

describe("the reader refuses", function()
  describe("texts without a value, or with two:", function()
    refuses { [""] = 1, [" "] = 2, ["\239\187\191"] = 4, ["1 2"] = 3, ["[] []"] = 4, ["[1]x"] = 4,
              ["{}{}"] = 3, [","] = 1, ["]"] = 1, ["}"] = 1, [":"] = 1 }
  end)

  describe("other white space (§2):", function()
    refuses { ["\v1"] = 1, ["\f1"] = 1, ["[\194\1601]"] = 2, ["[1\0]"] = 3, ["1\0"] = 2,
              ["\226\128\1751"] = 1, ["1 \239\187\191"] = 3 }
  end)

  describe("other words (§3):", function()
    refuses { ["True"] = 1, ["NULL"] = 1, ["nul"] = 1, ["[tru]"] = 2, ["[nulll]"] = 6,
              ["undefined"] = 1,
              ["[truefalse]"] = 6, ["NaN"] = 1, ["Infinity"] = 1, ["[-Infinity]"] = 3,
              ["[nan]"] = 2 }
  end)

  describe("objects (§4):", function()
    refuses { ["{"] = 2, ['{"a"'] = 5, ['{"a":'] = 6, ['{"a":1'] = 7, ['{"a":1,'] = 8,
              ['{"a":1,}'] = 8,
              ['{,"a":1}'] = 2, ["{1:2}"] = 2, ["{a:1}"] = 2, ["{'a':1}"] = 2, ['{"a" 1}'] = 6,
              ['{"a"}'] = 5, ['{"a":}'] = 6, ['{"a"::1}'] = 6, ['{"a":1 "b":2}'] = 8,
              ['{"a":1]'] = 7,
              ['{"a":1,,"b":2}'] = 8, ["{null:1}"] = 2, ['{"a":1:2}'] = 7, ["{[]:1}"] = 2 }
  end)

  describe("arrays (§5):", function()
    refuses { ["["] = 2, ["[1"] = 3, ["[1,"] = 4, ["[1,]"] = 4, ["[,1]"] = 2, ["[,]"] = 2,
              ["[1,,2]"] = 4,
              ["[1 2]"] = 4, ["[1}"] = 3, ["[1:2]"] = 3, ['["a":1]'] = 5, ["[[]"] = 4, ["[]]"] = 3,
              ["[1;2]"] = 3, ["(1)"] = 1 }
  end)

  describe("numbers (§6):", function()
    refuses { ["01"] = 2, ["-01"] = 3, ["00"] = 2, ["+1"] = 1, [".5"] = 1, ["-.5"] = 2, ["1."] = 3,
              ["[1.]"] = 4, ["1.e1"] = 3, ["1e"] = 3, ["1e+"] = 4, ["[1e]"] = 4, ["1e1.5"] = 4,
              ["-"] = 2,
              ["[-]"] = 3, ["- 1"] = 2, ["--1"] = 2, ["0x10"] = 2, ["1_000"] = 2,
              ["[1,000.5,]"] = 5,
              ["1d"] = 2, ["1e1e1"] = 4, ["1.5.5"] = 4, ["\239\188\145"] = 1 }

    it("that are too large for a double, with a word", function()
      for text, offset in pairs { ["[1e309]"] = 2, ["-1e999"] = 1, ['{"a":1e9999999999}'] = 6,
                                  ["[1" .. ("0"):rep(400) .. "]"] = 2 } do
        local value, _, at, word = core.read(text, {})
        assert.same({ nil, offset, "infinite" }, { value, at, word })
      end
    end)
  end)

  describe("strings (§7):", function()
    refuses { ['"'] = 2, ['"a'] = 3, ['"\\'] = 2, ['"\\"'] = 4, ['"\\x"'] = 2, ['"\\u"'] = 2,
              ['"\\u12"'] = 2, ['"\\u123g"'] = 2, ['"\\uD800\\u12"'] = 8, ['"\\U0041"'] = 2,
              ['"\n"'] = 2,
              ['"a\tb"'] = 3, ['"\0"'] = 2, ['"\31"'] = 2, ['"\\a"'] = 2, ['"\\0"'] = 2,
              ["'a'"] = 1,
              ['"\\\n"'] = 2, ['"a" "b"'] = 5, ['"\\\195\169"'] = 2, ['"a\\'] = 3 }

    for length = 0, 40 do
      it(("of %d bytes without an end, or before a control character"):format(length), function()
        local text = '"' .. ("x"):rep(length)
        assert.equal(#text + 1, (select(3, core.read(text, {}))))
        assert.equal(#text + 1, (select(3, core.read(text .. '\1"', {}))))
      end)
    end
  end)

  describe("comments and encodings other than UTF-8 (§8.1):", function()
    refuses { ["/* */ 1"] = 1, ["// \n1"] = 1, ["[1] # x"] = 5, ["\255\254[\0]\0"] = 1,
              ["[\0]\0"] = 2, ["\0[\0]"] = 1 }
  end)

  it("101 levels (§9) at their bracket, with a word", function()
    for _, text in ipairs { ("["):rep(101), ("["):rep(1e6), ('{"a":'):rep(101) } do
      local value, _, at, word = core.read(text, {})
      assert.is_nil(value)
      assert.equal(text:sub(1, 1) == "[" and 101 or 501, at)
      assert.equal("deep", word)
    end
  end)

  it("more values and records than allowed, with a word", function()
    local list = { items = { items = true }, numbers = {}, columns = {}, kinds = "", roles = "" }
    assert.is_table((core.read("[1,2]", { values = 3 })))
    assert.equal("values", (select(4, core.read("[1,2]", { values = 2 }))))
    assert.equal("values", (select(4, core.read("1", { values = -5 }))))
    assert.is_table((core.read("[{},{}]", { records = 2, list = list })))
    assert.equal("records", (select(4, core.read("[{},{}]", { records = 1, list = list }))))
    assert.is_table((core.read('{"x":[1,2,3]}', { records = 1, list = list })))
  end)
end)

-- lua-cjson accepts more than RFC 8259. As it judges what the reader refuses, so does decode().
describe("decode accepts by lua-cjson, though the reader refuses it,", function()
  for text, expected in pairs {
    ["[1.]"] = { 1 }, ["[1.e1]"] = { 10 }, ['"a\nb"'] = "a\nb", ['["\t"]'] = { "\t" },
    ['"\1"'] = "\1",
  } do
    it(("%q"):format(text), function()
      assert.is_string((select(2, core.read(text, {}))))
      assert.equal(written(expected), written(core.decode(text)))
    end)
  end
end)
