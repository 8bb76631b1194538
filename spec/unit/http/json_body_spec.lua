local core = require "pcapi.core"
local errors = require "pcapi.error"
local json_body = require "pcapi.http.json_body"

local IN_STEPS = core.json == "reader" -- lua-cjson cannot be interrupted

local BOM = "\239\187\191"

local function records(count)
  local all = {}
  for i = 1, count do
    all[i] = ('{"objectId":"%036d","upn":"kim%d@fabrikam.example","n":[%d,{"a":"}\\",{ ["}]}')
      :format(i, i, i)
  end
  return table.concat(all, ",")
end

local MANY = records(4500) -- 400 KB

local function decode(text)
  local pieces = 0
  local value, message, offset = json_body.decode_text(text, function()
    pieces = pieces + 1
  end)
  return pieces, value, message, offset
end

describe("a long text that is decoded in pieces", function()
  for name, template in pairs {
    ["a collection"] = '{"totalCount":4500,"items":[%s],"attributes":{"objectType":"Collection"}}',
    ["a bare array"] = "[%s]",
    ["white space"] = '\r\n{ "items" :\t[ %s ] , "links" : { } }\n',
    ["a byte order mark"] = '\239\187\191{"Items":[%s]}',
    ["a bare array behind a byte order mark"] = "\239\187\191 [%s]",
  } do
    it("gives the same value as in one piece: " .. name, function()
      local text = template:gsub("%%s", function() return MANY end)
      local pieces, value = decode(text)
      assert.is_true(pieces >= 5 or not IN_STEPS)
      assert.same(core.decode(text), value)
    end)
  end

  for name, template in pairs {
    ["a list that comes twice"] = '{"items":[%s],"items":[{"a":1}]}',
    ["two spellings of the list"] = '{"Items":[%s],"items":[{"a":1}]}',
    ["no list"] = '{"a":[%s]}',
    ["items as a value"] = '{"a":"items","b":[%s]}',
    ["a list within a member"] = '{"error":{"items":[%s]}}',
    ["items that are no list"] = '{"items":{"a":[%s]}}',
  } do
    it("gives the same value as in one piece, with " .. name, function()
      local text = template:gsub("%%s", function() return MANY end)
      local _, value = decode(text)
      assert.same(core.decode(text), value)
    end)
  end

  for name, template in pairs {
    ["an end that is missing"] = '{"items":[%s]',
    ["a wrong bracket"] = '{"items":[%s}}',
    ["a comma too many at the end"] = '{"items":[%s,]}',
    ["a comma too many"] = '{"items":[{"a":1},,%s]}',
    ["a comma that is missing"] = '{"items":[%s{"a":1}]}',
    ["a zero byte"] = '{"items":[%s]}\0',
    ["a second value"] = '{"items":[%s]} {}',
    ["an open string"] = '{"items":[%s,{"a":"]}',
    ["a word"] = '{"items":[%s,{"a":nonsense}]}',
  } do
    it("is refused with an offset in the text, with " .. name, function()
      local text = template:gsub("%%s", function() return MANY end)
      local _, value, message, offset = decode(text)
      assert.is_nil(value)
      assert.is_string(message)
      assert.is_true(offset >= 1 and offset <= #text + 1)
      if name == "a word" then
        assert.equal(text:find("nonsense", 1, true), offset)
      end
    end)
  end

  it("is refused if its end is missing", function()
    local text = '{"items":[' .. records(1600) .. '],"totalCount":1600}'
    for length = #text - 1, 1, -997 do
      local _, value = decode(text:sub(1, length))
      assert.is_nil(value)
    end
  end)

  for name, template in pairs {
    ["a bare array"] = "[%s]",
    ["a list of another name"] = '{"a":[%s]}',
    ["the only member of an object of an object"] = '{"error":{"data":{"a":[%s]}}}',
    ["an array of arrays"] = "[[[%s]]]",
    ["an object of records"] = '{%s}',
  } do
    it("is cut into pieces wherever possible: " .. name, function()
      local inside = name ~= "an object of records" and MANY
        or MANY:gsub('{"objectId":"0*(%d+)"', '"%1":%0')
      local text = template:gsub("%%s", function() return inside end)
      local pieces, value = decode(text)
      assert.is_true(pieces >= 20 or not IN_STEPS, pieces)
      assert.same(core.decode(text), value)
    end)
  end

  it("is given up with the message that the checkpoint returns", function()
    if not IN_STEPS then
      return
    end
    local count = 0
    local value, message, offset = json_body.decode_text("[" .. MANY .. "]", function()
      count = count + 1
      return count == 3 and "that is enough" or nil
    end)
    assert.same({ 3, nil, "that is enough", nil }, { count, value, message, offset })
  end)
end)

-- Every text as a whole and in pieces of any size: the same value, or both refused.
describe("pieces of any size", function()
  local function in_pieces(text, size)
    return json_body.decode_text(text, function() end, size)
  end

  -- Texts of a value tell null from nothing, and integers from floats.
  local function written(value)
    if value == core.null then
      return "null"
    elseif type(value) ~= "table" then
      return tostring(value) .. type(value)
    end
    local parts = {}
    for key, item in pairs(value) do
      parts[#parts + 1] = tostring(key) .. type(key) .. "=" .. written(item)
    end
    table.sort(parts)
    return "{" .. table.concat(parts, ";") .. "}"
  end

  local function assert_alike(text, size)
    local whole, whole_message = core.decode(text)
    local value, message, offset = in_pieces(text, size)
    local case = ("%d: %s (%s)"):format(size, text, tostring(message or whole_message))
    assert(whole_message == nil == (message == nil), case)
    assert(written(whole) == written(value), case)
    assert(not message or offset and offset >= 1 and offset <= #text + 1, case)
  end

  local function assert_alike_in_all_sizes(text)
    for size = 1, #text + 2 do
      assert_alike(text, size)
    end
  end

  for _, text in ipairs {
    '{"items":[{"a":1},{"b":null}],"items":[{"c":3}]}', '{"\\u0069tems":[1,2,3],"items":[4]}',
    '{"items":[4,5],"\\u0069tems":[1,2,3]}', '{"items":[4],"\\u0069tems":null}',
    '{"a":[1,2],"b":{"c":[]},"a":null,"d":{"a":{}}}', '{"a":null,"a":[1,[2,[3]]]}',
    '{"a":{"b":1},"a":{"c":2}}', "[null,[null],{},[],null]", '[[],[[]],{"a":[[]]}]',
    ' [ 1 , { "a" : [ ] } , [ 2 ] ] ', '\239\187\191[[1],[2]]', '{"a" : {"b" :\t[1,\n2]} , "c":3}',
    '{"":{"":[""]}}', '["]","[","}",{"{":"\\"}"}]', '["\\ud800",["\\udc00"],{"\\ud83d":1}]',
    "[1e300,[-1e300],2]", '{"a":1e300,"b":[1.5,2]}', "5", '"text"', "null", "true", " 7 ",
  } do
    it("give the same value as one piece: " .. text, function()
      assert_alike_in_all_sizes(text)
    end)
  end

  for _, text in ipairs {
    "", " ", "[", "]", "{", "}", "[1", "[1,", "[,]", "[,1]", "[1,]", "[1,,2]", "[1,2],", "[1],[2]",
    "[1][2]", "[1]]", "[[1],]", "[[1],,[2]]", "[,[1]]", "[[1][2]]", "[[1]2]", "[1[2]]", "[1}",
    "{1}", '{"a"}', '{"a":}', '{"a":1,}', '{,"a":1}', '{"a":[1],}', '{"a":[1]"b":2}', '{"a"[1]}',
    '{"a":1[2]}', '{"a":[1}', '{"a":{]}', '{"a":[1]:2}', '{:[1]}', '{"a":"b":[1]}', "[[1]\0]",
    "[1\0,[2]]", '["a\0"]', '{"a":{}{"b":1}}', "[nul,[1]]", "[[1],nul]", '["a', '["a\\"]',
    '{"a\0":[1]}', '{"a":\0[1]}', '{[1]:2}', "[[1]x]", "[x[1]]", "[+1,[2]]", "[[01]]",
    '["\\u12",[1]]',
    "<html>[1]</html>", "[1] <", '{"a":1 [2]}', '{"a":tr[1]}', "[-[1]]", '[""[1]]', '[1 2,[3]]',
  } do
    it(("are refused like one piece: %q"):format(text), function()
      assert.is_string((select(2, core.decode(text))))
      assert_alike_in_all_sizes(text)
    end)
  end

  it("have the same limit of nesting as one piece", function()
    for _, size in ipairs { 1, 3, 50, 1000 } do
      for depth = 98, 102 do
        assert_alike(("["):rep(depth) .. ("]"):rep(depth), size)
        assert_alike(('{"a":'):rep(depth) .. "[1]" .. ("}"):rep(depth), size)
      end
    end
  end)

  -- Numerical Recipes' generator: the same numbers on every Lua, unlike math.random.
  local state
  local function random(n)
    state = (state * 1664525 + 1013904223) % 4294967296
    return math.floor(state / 65536) % n + 1
  end

  local function pick(list)
    return list[random(#list)]
  end

  local SCALARS = { "1", "-2.5", "null", "true", '"x"', '"a,b"', '"]}"', '"\\u00e9"', '""', "1e300",
                    '"\\"\\"', '"\\udead"', "null" }
  local NAMES = { '"a"', '"b"', '"\\u0061"', '"items"', '"\\u0069tems"', '""' }

  local function space()
    return random(4) == 1 and pick { " ", "\n", "\t \r" } or ""
  end

  local function text_of(depth)
    local kind = random(depth > 0 and 6 or 2)
    if kind <= 2 then
      return space() .. pick(SCALARS) .. space()
    end
    local items = {}
    for i = 1, random(6) - 1 do
      items[i] = (kind <= 4 and space() .. pick(NAMES) .. space() .. ":" or "")
        .. text_of(depth - 1)
    end
    local inner = #items > 0 and table.concat(items, ",") or space()
    return space() .. (kind <= 4 and "{" .. inner .. "}" or "[" .. inner .. "]") .. space()
  end

  it("give the same value as one piece for random texts", function()
    state = 11
    for _ = 1, 700 do
      local text = text_of(5)
      for size = 1, 12 do
        assert_alike(text, size)
      end
      assert_alike(text, random(200))
    end
  end)

  it("agree with one piece on texts with a missing or changed byte", function()
    state = 12
    for _ = 1, 700 do
      local text = text_of(4)
      local at = random(#text)
      text = text:sub(1, at - 1) .. pick { "", ",", "[", "}", '"', ":", "\0", "1", "\\" }
        .. text:sub(at + 1)
      for size = 1, 8 do
        assert_alike(text, size)
      end
    end
  end)
end)

describe("a short text", function()
  it("is decoded in one piece", function()
    local pieces, value = decode '{"items":[{"a":1}]}'
    assert.equal(0, pieces)
    assert.same({ items = { { a = 1 } } }, value)
  end)
end)

describe("pcapi.http.json_body", function()
  describe("decode", function()
    local function decode_body(kind, body, must)
      local made = { headers = { ["content-type"] = kind }, body = body }
      local ok, message = json_body.decode(made, { must = must, values = 1e6, records = 1e6 })
      return ok, made.json, message
    end

    for _, kind in ipairs { "application/json", "application/json; charset=utf-8", "text/json",
                            "application/problem+json" } do
      it("decodes JSON of type " .. kind, function()
        local ok, json = decode_body(kind, '"text"')
        assert.is_true(ok)
        assert.equal("text", json)
      end)

      it("refuses a body of type " .. kind .. " that is not JSON", function()
        local ok, _, message = decode_body(kind, "[1,]")
        assert.is_nil(ok)
        assert.matches("the response is not JSON (" .. kind .. "): ", message, 1, true)
        assert.matches(" at byte 4", message, 1, true)
      end)
    end

    it("decodes a body that looks like JSON, whatever its type", function()
      for _, body in ipairs { "[1]", " \r\n[1]", BOM .. "[1]", BOM .. " [1]" } do
        local ok, json = decode_body("text/plain", body)
        assert.is_true(ok)
        assert.same({ 1 }, json)
      end
      local _, json = decode_body(nil, '{"a":1}')
      assert.same({ a = 1 }, json)
    end)

    it("ignores other bodies", function()
      for _, body in ipairs { "", "text", "5", "<html>", "{ not JSON" } do
        local ok, json = decode_body("text/html", body)
        assert.is_true(ok)
        assert.is_nil(json)
      end
    end)

    it("accepts an empty body of any type", function()
      local ok, json = decode_body("application/json", "")
      assert.is_true(ok)
      assert.is_nil(json)
    end)

    it("decodes false as false", function()
      local ok, json = decode_body("application/json", "false")
      assert.is_true(ok)
      assert.is_false(json)
    end)

    describe("of a body that must be JSON", function()
      for body, why in pairs {
        [""] = "the response is not JSON (no content type): it is empty",
        ["null"] = "the response is not JSON (no content type): it is null",
        ["<html>"] = "the response is not JSON (no content type): Expected value",
        ["{ not"] = " at byte 3",
      } do
        it(("says of %q: %s"):format(body, why), function()
          local ok, _, message = decode_body(nil, body, true)
          assert.is_nil(ok)
          assert.matches(why, message, 1, true)
        end)
      end

      it("ignores the content type", function()
        local ok, json = decode_body("text/html", BOM .. "[1]", true)
        assert.is_true(ok)
        assert.same({ 1 }, json)
      end)
    end)
  end)

  describe("a checkpoint", function()
    local transport = { now = function() return 10 end }

    it("lets other tasks run", function()
      local breaths = 0
      json_body.checkpoint({ now = transport.now, breathe = function()
        breaths = breaths + 1
      end }, 11)()
      assert.equal(1, breaths)
    end)

    it("returns nothing before the deadline", function()
      assert.is_nil(json_body.checkpoint(transport, 11)())
    end)

    it("returns a message at the deadline, which means a timeout", function()
      local message = json_body.checkpoint(transport, 10)()
      assert.equal("timed out while reading the response", message)
      assert.same({ kind = "timeout", hint = "Raise {timeout}" }, json_body.timed_out(message))
      assert.is_nil(json_body.timed_out "another message")
      assert.is_nil(json_body.timed_out(nil))
    end)
  end)

  it("makes an error of the given kind if the response is not at fault", function()
    local err = json_body.unreadable({ status = 200 }, "late", { kind = "timeout", hint = "wait" })
    assert.same({ "timeout", "late", "wait" }, { err.kind, err.message, err.hint })
    err = json_body.unreadable({ status = 200 }, "large", { hint = "raise" })
    assert.same({ "protocol", "raise" }, { err.kind, err.hint })
  end)

  it("makes a protocol error for a good status with an unreadable body", function()
    local err = json_body.unreadable({ status = 200, request_id = "r", correlation_id = "c" },
      "odd")
    assert.is_true(errors.is(err))
    assert.equal("protocol", err.kind)
    assert.equal(200, err.status)
    assert.equal("odd", err.message)
    assert.equal("r", err.request_id)
    assert.equal("c", err.correlation_id)
  end)
end)
