local cjson = require "cjson"
local core = require "pcapi.core"
local piecewise = require "pcapi.piecewise"

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
  local value, message, offset = piecewise.decode(text, function()
    pieces = pieces + 1
  end)
  return pieces, value, message, offset
end

describe("a long text that is decoded a piece at a time", function()
  for name, template in pairs {
    ["a collection"] = '{"totalCount":4500,"items":[%s],"attributes":{"objectType":"Collection"}}',
    ["a bare array"] = "[%s]",
    ["white space"] = '\r\n{ "items" :\t[ %s ] , "links" : { } }\n',
    ["a byte order mark"] = '\239\187\191{"Items":[%s]}',
    ["a bare array behind a byte order mark"] = "\239\187\191 [%s]",
  } do
    it("gives what it gives as a whole, being " .. name, function()
      local text = template:gsub("%%s", function() return MANY end)
      local pieces, value = decode(text)
      assert.is_true(pieces >= 5)
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
    it("gives what it gives as a whole, having " .. name, function()
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
    it("is refused with the words and the place of the whole, having " .. name, function()
      local text = template:gsub("%%s", function() return MANY end)
      local _, value, message, offset = decode(text)
      local _, whole_message, whole_offset = core.decode(text)
      assert.is_nil(value)
      assert.same({ whole_message, whole_offset }, { message, offset })
    end)
  end

  it("is never taken for whole where it was cut", function()
    local text = '{"items":[' .. records(1600) .. '],"totalCount":1600}'
    for length = #text - 1, 1, -997 do
      local _, value = decode(text:sub(1, length))
      assert.is_nil(value)
    end
  end)

  it("lets others go on before each piece", function()
    local longest = 0
    local next_piece = core.pieces("[" .. MANY .. "]", 16384)
    for piece in next_piece do
      longest = math.max(longest, #piece)
    end
    assert.is_true(longest < 16384 + 200, longest)
  end)
end)

describe("a name of members", function()
  local NAMES = { sourceIpAddress = "ipAddress" }
  local function list(count)
    return '{"items":[' .. ('{"sourceIpAddress":"192.0.2.7","a":{"sourceIpAddress":1}},')
      :rep(count - 1) .. '{"sourceIpAddress":"192.0.2.7","ipAddress":"192.0.2.8"}]}'
  end

  for name, count in pairs { ["a short text"] = 3, ["a long text"] = 4000 } do
    it("is respelt in records alone, where they lack the right one, in " .. name, function()
      local items = piecewise.decode(list(count), function() end, NAMES).items
      assert.equal(count, #items)
      assert.same({ ipAddress = "192.0.2.7", a = { sourceIpAddress = 1 } }, items[1])
      assert.same({ sourceIpAddress = "192.0.2.7", ipAddress = "192.0.2.8" }, items[count])
    end)
  end

  it("that does not occur costs no copy", function()
    local text = list(2)
    assert.equal(text, core.respell(text, { upn = "x" }))
  end)
end)

describe("a short text", function()
  it("is decoded at once", function()
    local pieces, value = decode '{"items":[{"a":1}]}'
    assert.equal(0, pieces)
    assert.same({ items = { { a = 1 } } }, value)
  end)
end)

describe("an array that is encoded a piece at a time", function()
  local encode = cjson.new().encode

  it("reads as it was", function()
    for _, count in ipairs { 1, 49, 50, 51, 1500 } do
      local array = core.decode("[" .. records(count) .. "]")
      local pieces = 0
      local text = piecewise.encode(array, encode, function()
        pieces = pieces + 1
      end)
      assert.same(array, core.decode(text))
      assert.equal(math.ceil(count / 50), pieces)
    end
  end)

  it("is an array when it is empty", function()
    assert.equal("[]", piecewise.encode({}, encode, error))
  end)
end)
