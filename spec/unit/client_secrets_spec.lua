-- A client shows its token nowhere.
local fake = require "spec.support.fake_transport"
local holds = require "spec.support.holds"

local get, failing = fake.get, fake.failing

local TOKEN = fake.TOKEN

describe("the token is not shown in", function()
  local echo = '{"code":"1","description":"no: ' .. TOKEN .. '"}'

  for name, responses in pairs {
    ["a refusal"] = { failing(401) }, ["a redirect"] = { failing(302) },
    ["a failure of the network"] = { { kind = "tls", message = "sent Bearer " .. TOKEN } },
    ["a refusal that repeats it"] = { failing(403, { body = echo }) },
    ["a page that repeats it"] = { failing(400, { body = "<p>Bearer " .. TOKEN .. "</p>" }) },
    ["a refusal that repeats it anywhere else"] = { failing(400, { body =
      '{"error":{"code":"' .. TOKEN .. '","target":"' .. TOKEN .. '","innerError":{"x":["'
      .. TOKEN .. '"]}}}', headers = { ["www-authenticate"] = 'Bearer claims="' .. TOKEN .. '"' },
    }) },
    ["a reason that repeats it"] = { failing(400, { reason = "Bad " .. TOKEN }) },
    ["an unreadable response"] = { { body = "[1,", headers = {
      ["content-type"] = "application/json" } } },
  } do
    it(name, function()
      local response, err = get(responses)
      assert.is_nil(response)
      assert.is_false(holds(err, "SECRET"))
    end)
  end

  it("a response and a list", function()
    local response = get { { body = "[]" } }
    assert.is_false(holds(response, "SECRET"))
    local client = fake.client { { body = "[]" } }
    assert.is_false(holds(client.security:partner_requests(), "SECRET"))
  end)

  it("an error that repeats a token that is no JWT", function()
    local _, err = get({ failing(403, { body = '{"code":"1","data":["tok+SECRET/1="]}' }) },
      { token = "tok+SECRET/1=" })
    assert.is_false(holds(err, "SECRET"))
    assert.equal("[token]", err.data[1])
  end)

  it("an error that repeats it with the slashes escaped as in JSON", function()
    local body = '{"code":"7","description":"bad ab\\/cd\\/SECRET"}'
    local _, err = get({ failing(400, { body = body }) }, { token = "ab/cd/SECRET" })
    assert.is_false(holds(err, "SECRET"))
  end)

  it("an error that repeats it with characters escaped as in JSON, or percent-encoded", function()
    for _, said in ipairs { "ab\\u002bcd\\u002FSECRET\\u003d", "ab%2Bcd%2FSECRET%3D",
                            "ab%2bcd%2fSECRET%3d" } do
      local _, err = get({ failing(400, { body = '{"code":"7","description":"' .. said
        .. '","data":[["' .. said .. '"]]}' }) }, { token = "ab+cd/SECRET=" })
      assert.is_false(holds(err, "SECRET"))
    end
  end)

  it("the fields of a client", function()
    assert.is_false(holds(fake.client {}, "SECRET"))
  end)

  it("the text of a client and of its resources", function()
    local client = fake.client {}
    assert.is_nil(tostring(client):find("SECRET", 1, true))
    assert.is_nil(tostring(client.security):find("SECRET", 1, true))
  end)
end)
