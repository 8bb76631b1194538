--- Content-Encoding: what becomes of a body. gzip(1) compresses.
local coding = require "pcapi.http.coding"
local folder = require "spec.support.folder"
local gzip = require("spec.support.gzip").gzip

local TEXT = ('{"code":"900308","description":"no role"}'):rep(20)

local function decode(header, body, status, max_body)
  local response = { status = status or 200, body = body,
                     headers = { ["content-encoding"] = header } }
  local ok, kind, message = coding.decode(response, max_body or 10000)
  return ok and response.body, kind, message
end

local function refused(words, ...)
  local body, kind, message = decode(...)
  assert.is_nil(body)
  assert.equal("protocol", kind)
  assert.truthy(message:find(words, 1, true), message)
end

-- Bodies that are not what "gzip" says, and what can be read of them.
local function untrue()
  local packed = gzip(TEXT)
  return {
    ["a plain text"] = { TEXT, TEXT },
    ["one byte"] = { "x", "x" },
    ["another coding"] = { "\40\181\47\253zstd", "\40\181\47\253zstd" },
    ["a body without its last bytes"] = { packed:sub(1, -5), TEXT },
    ["a body with a wrong checksum"] = { packed:sub(1, -9) .. ("\0"):rep(8), TEXT },
    ["a body and something behind"] = { packed .. "<html>", TEXT },
    ["a mark and nothing else"] = { "\31\139", "" },
  }
end

after_each(folder.remove)

describe("a body's coding", function()
  it("is removed, in any spelling and beside empty members of the list", function()
    for _, header in ipairs { "gzip", "X-GZIP", " gzip ", "identity, gzip", "gzip,", ", gzip" } do
      assert.equal(TEXT, decode(header, gzip(TEXT)))
      assert.equal(TEXT, decode(header, gzip(TEXT), 503))
    end
  end)

  it("may be missing", function()
    for _, header in ipairs { "", "identity", "Identity, identity", "," } do
      assert.equal("plain", decode(header, "plain"))
    end
    assert.equal("plain", decode(nil, "plain"))
  end)

  it("is ignored for an empty body", function()
    for _, header in ipairs { "gzip", "br", "gzip, gzip" } do
      assert.equal("", decode(header, ""))
    end
  end)

  it("is refused if it is a second one, or was not requested", function()
    local packed = gzip(TEXT)
    for _, header in ipairs { "gzip, gzip", "br, gzip", "gzip, deflate", "br", "zstd", "compress",
                              "gzip;q=1", ("gzip, "):rep(1000) } do
      refused("which was not requested", header, packed, 200)
      refused("which was not requested", header, packed, 302)
      assert.equal(packed, decode(header, packed, 400))
      assert.equal(packed, decode(header, packed, 599))
    end
  end)

  it("is shortened in a message", function()
    local _, _, message = decode(("x"):rep(60000), "body")
    assert.is_true(#message < 200)
  end)
end)

describe("a long body", function()
  local function decode_with(breathe, body)
    local response = { status = 500, body = body, headers = { ["content-encoding"] = "gzip" } }
    local ok, kind, message = coding.decode(response, 1e7, breathe)
    return ok and response.body, kind, message
  end

  it("is decompressed completely, with breaths in between", function()
    local text = TEXT:rep(2500)
    local breaths = 0
    local body = decode_with(function()
      breaths = breaths + 1
      return true
    end, gzip(text))
    assert.is_true(body == text)
    assert.is_true(breaths > #text / 200000 and breaths < #text / 60000, breaths .. " breaths")
  end)

  it("is refused after the deadline, whatever the status", function()
    local breaths = 0
    local body, kind, message = decode_with(function()
      breaths = breaths + 1
      return breaths < 3
    end, gzip(TEXT:rep(2500)))
    assert.same({ false, "timeout", 3 }, { body or false, kind, breaths })
    assert.matches("timed out while decompressing", message, 1, true)
  end)
end)

describe("a body that does not match its coding", function()
  it("is an error if the status is good", function()
    for _, body in pairs(untrue()) do
      refused("is not valid", "gzip", body[1], 200)
      refused("is not valid", "gzip", body[1], 399)
    end
  end)

  it("is replaced by its readable part from status 400 on", function()
    for name, body in pairs(untrue()) do
      for _, status in ipairs { 400, 401, 429, 503 } do
        assert.equal(body[2], decode("gzip", body[1], status), name)
      end
    end
  end)

  it("stays as it came if it may or may not be deflate", function()
    assert.equal(TEXT, decode("deflate", TEXT, 429))
    refused("is not valid", "deflate", TEXT, 200)
  end)

  it("is refused above max_body, whatever the status", function()
    local packed = gzip(("x"):rep(10001))
    assert.equal(10000, #decode("gzip", gzip(("x"):rep(10000))))
    refused("max_body", "gzip", packed, 200)
    refused("max_body", "gzip", packed, 500)
    refused("max_body", "gzip", packed:sub(1, -2), 500)
  end)
end)
