-- The shapes in which failures come, and what an error takes from each.
local failed = require "spec.support.failed"

local challenge, error_of = failed.challenge, failed.error
local BOM = "\239\187\191"

describe("an error reads shape", function()
  it("A: code, description, data and source", function()
    local err = error_of(400, [[{"code":"3000","description":"The property is invalid.",
      "data":["Field1",{"x":1}],"source":"PartnerFD"}]])
    assert.equal("bad_request", err.kind)
    assert.equal(400, err.status)
    assert.equal("3000", err.code)
    assert.equal("The property is invalid.", err.message)
    assert.equal("PartnerFD", err.source)
    assert.same({ "Field1", { x = 1 } }, err.data)
  end)

  it("A in PascalCase, with a code that is a number", function()
    local err = error_of(400, '{"Code":800002,"Description":"Invalid input.","Source":"S"}')
    assert.equal("800002", err.code)
    assert.equal("Invalid input.", err.message)
    assert.equal("S", err.source)
  end)

  it("A with a code alone or a description alone", function()
    assert.equal("2000", error_of(400, '{"code":"2000"}').code)
    assert.equal("Why", error_of(400, '{"description":"Why"}').message)
  end)

  it("B: an error object with target and inner errors", function()
    local err = error_of(400, [[{"error":{"code":"invalidRequest","message":"Bad size",
      "target":"size","innerError":{"code":"deeper"}}}]])
    assert.equal("invalidRequest", err.code)
    assert.equal("Bad size", err.message)
    assert.equal("size", err.target)
    assert.same({ code = "deeper" }, err.inner)
  end)

  it("B in either spelling of innererror, and in PascalCase", function()
    assert.same({ code = "x" }, error_of(400, '{"error":{"innererror":{"code":"x"}}}').inner)
    local err = error_of(400, '{"Error":{"Code":"c","Message":"m"}}')
    assert.equal("c", err.code)
    assert.equal("m", err.message)
  end)

  it("C: a status code and a message", function()
    local err = error_of(429, '{"statusCode":429,"message":"Try again in 57 seconds."}')
    assert.equal("throttled", err.kind)
    assert.equal("Try again in 57 seconds.", err.message)
    assert.is_nil(err.code)
  end)

  it("C with a message alone, or a status code alone", function()
    assert.equal("Why", error_of(401, '{"message":"Why"}').message)
    assert.equal("the service responded with status 401",
      error_of(401, '{"statusCode":401}').message)
  end)

  it("D: no body, only a status line", function()
    assert.equal("Service Unavailable",
      error_of(503, "", { reason = "Service Unavailable" }).message)
    assert.equal("the service responded with status 503", error_of(503, "").message)
  end)

  it("E: the token endpoint", function()
    local err = error_of(400, [[{"error":"invalid_grant","error_description":"AADSTS50076: x",
      "error_codes":[50076],"claims":"{\"access_token\":{}}","timestamp":"2024-02-03"}]])
    assert.equal("bad_request", err.kind)
    assert.equal("invalid_grant", err.code)
    assert.equal('AADSTS50076: x; required claims: {"access_token":{}}', err.message)
    assert.same({ 50076 }, err.error_codes)
    assert.equal('{"access_token":{}}', err.claims)
  end)

  it("F: the title of a page", function()
    local err = error_of(502, [[<html><head><title lang="en">
      Bad   Gateway </title></head><body>much</body></html>]])
    assert.equal("server", err.kind)
    assert.equal("Bad Gateway", err.message)
  end)

  it("F: the words of a page without a title, and of plain text", function()
    assert.equal("No such host", error_of(502, "<h1>No</h1>\r\n<p>such host</p>").message)
    assert.equal("upstream timed out", error_of(504, " upstream timed out\n").message)
  end)

  it("F, and cuts it at a whole character", function()
    assert.equal(("x"):rep(200) .. "…", error_of(502, ("x"):rep(3000)).message)
    assert.equal(("x"):rep(199) .. "…", error_of(502, ("x"):rep(199) .. "üüü").message)
  end)

  it("F in a script without ASCII", function()
    local message = error_of(502, ("<title>" .. ("障"):rep(100) .. "</title>")).message
    assert.equal(("障"):rep(66) .. "…", message)
  end)

  it("A after a byte order mark", function()
    assert.equal("3000", error_of(400, BOM .. '{"code":"3000"}').code)
  end)

  it("none in JSON without a known member", function()
    for _, body in ipairs { "{}", "[]", '{"odd":1}', '[{"code":"1"}]', '{"error":null}' } do
      local err = error_of(500, body)
      assert.equal("the service responded with status 500", err.message)
      assert.is_nil(err.code)
    end
  end)

  it("none in members of unexpected types", function()
    for _, body in ipairs {
      '{"code":{},"description":[]}', '{"error":{"code":[],"message":{}}}', '{"error":5}',
      '{"message":true}', '{"error":[]}', '{"error":{"innerError":"x","target":[1]}}', "5",
      "true", '"text"', "null",
    } do
      local err = error_of(500, body)
      assert.is_string(err.message)
      assert.equal("server", err.kind)
    end
  end)

  it("F in JSON that is cut off", function()
    local err = error_of(500, '{"code":"30', challenge "x")
    assert.equal('{"code":"30', err.message)
  end)
end)
