local json = require "pcapi.json"
local pcapi = require "pcapi"

describe("pcapi.json", function()
  it("is a field of pcapi, and has the same null", function()
    assert.equal(json, pcapi.json)
    assert.equal(pcapi.null, json.null)
  end)

  it("reads what it wrote", function()
    local value = { name = "kïm", tags = { "a", json.null, 2 }, is_new = true, ratio = 0.5 }
    assert.same(value, json.decode(json.encode(value)))
  end)

  it("leaves out null in an object, and keeps it in an array", function()
    assert.same({ list = { json.null, 1 } }, json.decode '{"gone":null,"list":[null,1]}')
  end)

  it("returns nil, a message and a position for a text that is not JSON", function()
    local value, message, offset = json.decode '{"a":}'
    assert.is_nil(value)
    assert.is_string(message)
    assert.equal(6, offset)
  end)

  for name, value in pairs { ["a function"] = print, ["NaN"] = 0 / 0, ["infinity"] = math.huge,
                             ["a table with a function"] = { a = print } } do
    it("raises at the caller's line for " .. name, function()
      local ok, message = pcall(function() json.encode(value) end)
      assert.is_false(ok)
      assert.matches("^[^:]*json_spec.lua:%d+: Cannot serialise", message)
    end)
  end

  it("is not changed by the settings of the shared lua-cjson", function()
    local cjson = require "cjson"
    cjson.encode_number_precision(3)
    assert.equal("0.123456789", json.encode(0.123456789))
    cjson.encode_number_precision(14)
  end)
end)

describe("an array that is encoded in pieces", function()
  it("reads as it was, and lets other work run before each piece", function()
    for _, count in ipairs { 1, 49, 50, 51, 1500 } do
      local array, pieces = {}, 0
      for i = 1, count do
        array[i] = { id = i, name = "x" .. i }
      end
      local text = json.encode_array(array, function()
        pieces = pieces + 1
      end)
      assert.same(array, json.decode(text))
      assert.equal(math.ceil(count / 50), pieces)
    end
  end)

  it("needs no function", function()
    assert.equal('[1,"a"]', json.encode_array { 1, "a" })
  end)

  it("is an array when it is empty", function()
    assert.equal("[]", json.encode_array({}, error))
  end)
end)
