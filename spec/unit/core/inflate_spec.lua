--- Decompression of bodies, which gzip(1) has compressed.
local core = require "pcapi.core"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local pack = require "spec.support.gzip"

local gzip, deflate = pack.gzip, pack.deflate

-- RFC 1950 §8.2
local function adler32(text)
  local a, b = 1, 0
  for i = 1, #text do
    a = (a + text:byte(i)) % 65521
    b = (b + a) % 65521
  end
  return string.char(math.floor(b / 256), b % 256, math.floor(a / 256), a % 256)
end

local function zlib(text)
  return "\120\156" .. deflate(text) .. adler32(text)
end

local TEXTS = { "text", "", "\0\r\n\26\255", ("x"):rep(100000), files.slurp "README.md" }

after_each(folder.remove)

-- Like inflate, but in steps. Returns the number of steps and the results.
local function in_steps(text, max)
  local step, steps, results = core.inflater(text, max), 0
  repeat
    results, steps = { step() }, steps + 1
  until results[1] ~= false
  assert.has_error(step, "the body was decompressed already")
  return steps, results
end

describe("an inflater", function()
  it("returns in steps what inflate returns at once", function()
    for _, text in ipairs(TEXTS) do
      for _, compress in ipairs { gzip, zlib, deflate } do
        local packed = compress(text)
        for _, body in ipairs { packed, packed:sub(1, -2), packed .. "x", text } do
          local _, results = in_steps(body, 1e6)
          assert.same({ core.inflate(body, 1e6) }, results)
        end
      end
    end
  end)

  it("takes more steps for a longer text, and stops at the limit", function()
    local packed = gzip(("x"):rep(2000000))
    local steps, results = in_steps(packed, 2000000)
    assert.equal(2000000, #results[1])
    assert.is_true(steps >= 10 and steps <= 20, steps .. " steps")
    assert.same({ nil, "the decompressed body is too large", "too_large" },
      select(2, in_steps(packed, 1999999)))
    assert.equal(1, (in_steps(gzip "text", 4)))
  end)

  it("takes steps even if there is no output for a long time", function()
    local blocks, empty = ("\0\0\0\255\255"):rep(300000), "\1\0\0\255\255"
    for name, packed in pairs {
      ["members of gzip"] = gzip "":rep(60000),
      ["blocks of deflate"] = blocks .. empty,
      ["blocks of gzip"] = "\31\139\8\0\0\0\0\0\0\3" .. blocks .. empty .. ("\0"):rep(8),
    } do
      local steps, results = in_steps(packed, 100)
      assert.same({ "" }, results, name)
      assert.is_true(steps >= 7, name .. ": " .. steps)
    end
  end)

  it("may be abandoned after any step", function()
    local packed = gzip(("x"):rep(2000000))
    for steps = 0, 5 do
      local step = core.inflater(packed, 2000000)
      for _ = 1, steps do
        assert.is_false(step())
      end
    end
    collectgarbage()
  end)

  it("raises an error for a body that is not a string, and for a limit of 0", function()
    assert.has_error(function() core.inflater(nil, 1) end)
    assert.has_error(function() core.inflater("", 0) end)
  end)
end)

describe("inflate", function()
  for name, compress in pairs { gzip = gzip, zlib = zlib, ["raw deflate"] = deflate } do
    it("decompresses " .. name, function()
      for _, text in ipairs(TEXTS) do
        assert.is_true(core.inflate(compress(text), math.max(#text, 1)) == text)
      end
    end)

    it("stops at the limit in " .. name, function()
      assert.same({ nil, "the decompressed body is too large", "too_large" },
        { core.inflate(compress(("x"):rep(100000)), 99999) })
    end)
  end

  it("joins the members of a gzip file", function()
    assert.equal("one two", core.inflate(gzip "one " .. gzip "" .. gzip "two", 7))
  end)

  it("accepts an empty body, as the response to HEAD has one", function()
    assert.equal("", core.inflate("", 1))
  end)

  it("accepts a limit that is no integer, or infinite", function()
    assert.equal("text", core.inflate(gzip "text", 4.9))
    assert.equal("text", core.inflate(gzip "text", math.huge))
    assert.equal("too_large", (select(3, core.inflate(gzip "text", 3.9))))
  end)

  local function refuses(body, expected, expected_kind)
    local whole, message, kind = core.inflate(body, 100)
    assert.same({ nil, expected, expected_kind or "damaged" }, { whole, message, kind })
  end

  it("reports that a body is not compressed", function()
    for _, body in ipairs { '{"items":[]}', "<!DOCTYPE html>", "a", "\239\187\191{}" } do
      refuses(body, "the body is neither gzip nor deflate", "uncompressed")
    end
  end)

  it("reports that a body is cut off", function()
    for _, body in ipairs { gzip "text", zlib "text" } do
      refuses(body:sub(1, -2), "the compressed body is cut off")
      refuses(body:sub(1, 5), "the compressed body is cut off")
    end
  end)

  it("reports data after the end", function()
    for _, body in ipairs { gzip "text", zlib "text" } do
      refuses(body .. "\0", "the compressed body is followed by other data")
      refuses(body .. "more", "the compressed body is followed by other data")
    end
  end)

  it("returns the readable part of a damaged body", function()
    local text = files.slurp "README.md"
    for name, compress in pairs { gzip = gzip, zlib = zlib } do
      local packed = compress(text)
      for _, broken in ipairs { packed:sub(1, -3), packed .. "\0",
                                packed:sub(1, -5) .. "\1\2\3\4" } do
        assert.equal(text, (select(4, core.inflate(broken, #text))), name)
      end
      local part = select(4, core.inflate(packed:sub(1, math.floor(#packed / 2)), #text))
      assert.is_true(#part > #text / 4 and #part < #text)
      assert.equal(text:sub(1, #part), part)
    end
    assert.equal("", (select(4, core.inflate(gzip("text"):sub(1, 5), 100))))
  end)

  it("returns no part of a body that is not compressed, or too large", function()
    assert.equal(3, select("#", core.inflate("plain", 100)))
    assert.equal(3, select("#", core.inflate(gzip(("x"):rep(1000)), 100)))
  end)

  it("verifies the checksum", function()
    for _, body in ipairs { gzip "text", zlib "text" } do
      local last = body:byte(-1)
      refuses(body:sub(1, -2) .. string.char((last + 1) % 256),
        "the compressed body is damaged")
    end
  end)

  it("raises an error for a body that is not a string, and for a bad limit", function()
    assert.has_error(function() core.inflate(nil, 1) end)
    assert.has_error(function() core.inflate "" end)
    for _, max in ipairs { 0, -1, 0 / 0, "many" } do
      assert.has_error(function() core.inflate("", max) end)
    end
  end)
end)
