--- The option `json` of a client: which of the two ways reads its responses.
local core = require "pcapi.core"
local fake = require "spec.support.fake_transport"
local pcapi = require "pcapi"

local HAS_INTEGERS = rawget(math, "type") ~= nil
local BIG = "9007199254740993" -- lua-cjson reads it as a double, which ends in 2

local function digits(body, json)
  local client = fake.client(
    { { body = body, headers = { ["content-type"] = "application/json" } } },
    { json = json })
  local response = assert(client:request("GET", "/v1/x"))
  return ("%.0f"):format(response.json.n), response.json.n
end

describe("the option json", function()
  it("chooses lua-cjson", function()
    assert.equal("9007199254740992", (digits('{"n":' .. BIG .. "}", "cjson")))
  end)

  it("is the core's reader by default, unless PCAPI_JSON says cjson", function()
    local _, n = digits('{"n":' .. BIG .. "}")
    local is_exact = HAS_INTEGERS and core.json == "reader"
    assert.equal(is_exact and BIG or "9007199254740992", is_exact and ("%d"):format(n)
      or ("%.0f"):format(n))
  end)

  for _, json in ipairs { "reader", "cjson" } do
    it("gives the same list and the same facts: " .. json, function()
      local client = fake.client({ { body = '{"totalCount":9,"items":[null,{"UPN":"a",'
        .. '"objectId":"","tenantId":"t","requestDateTime":"2024-02-03T07:00:00Z",'
        .. '"mfaCompliant":"True"},'
        .. '{"upn":"b","requestDateTime":"2024-01-01"},{"upn":"c","x":{"y":null}}]}' } },
        { json = json })
      local list = assert(client.security:partner_requests { since = "24h" })
      assert.same({ { upn = "a", tenantId = "t", requestDateTime = "2024-02-03T07:00:00Z",
                      mfaCompliant = true }, { upn = "c", x = {} } }, list)
      assert.same({ 9, true, 1, 1 },
        { list.total_count, list.truncated, list.unreadable, list.without_time })
    end)
  end

  it("is an error with any other value", function()
    for _, make in ipairs { function() pcapi.new { token = "a.b.c", json = "simdjson" } end,
                            function() pcapi.fetch("https://x.example/", { json = "" }) end } do
      local ok, message = pcall(make)
      assert.is_false(ok)
      assert.matches('option "json" must be "reader" or "cjson"', message, 1, true)
    end
  end)
end)

describe("a body that is not JSON", function()
  local TEXT = '["' .. ("y"):rep(1200000) .. '",x]'

  local function message_of(judged)
    local client, transport = fake.client { { body = TEXT } }
    transport.breathe, transport.judged = function() end, judged
    local _, err = client.security:partner_requests()
    return err.message
  end

  it("is judged by lua-cjson", function()
    assert.matches("Expected value but found invalid token at byte " .. #TEXT - 1,
      message_of(nil), 1, true)
  end)

  it("but not if it is longer than the transport allows: that would stop the worker", function()
    local by_reader = core.json == "reader"
    assert.matches((by_reader and "Found an unexpected character" or "Expected value but found "
      .. "invalid token") .. " at byte " .. #TEXT - 1, message_of(1024 * 1024), 1, true)
    assert.matches("Expected value", message_of(#TEXT), 1, true)
  end)
end)
