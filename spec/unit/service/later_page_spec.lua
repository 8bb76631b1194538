-- A page behind the first one that fails, and counts that are none.
local cjson = require "cjson"
local errors = require "pcapi.error"
local fake = require "spec.support.fake_transport"

local JSON = { ["content-type"] = "application/json" }

local function page(first, last, following)
  local items = {}
  for id = first, last do
    items[#items + 1] = { requestId = tostring(id) }
  end
  return { headers = JSON, body = cjson.encode { items = items,
    links = following and { next = { uri = "/v1/partnerRequests?p=" .. following } } or nil } }
end

local function fails(...)
  local client, transport = fake.client { ... }
  local records, err = client.security:partner_requests()
  assert.is_nil(records)
  assert.is_true(errors.is(err))
  return err, transport
end

describe("a later page that fails", function()
  it("says which one it is and how much was read before", function()
    local err = fails(page(1, 3, 2), page(4, 5, 3), { status = 403, body = '{"code":"900308"}' })
    assert.equal("forbidden", err.kind)
    assert.equal(3, err.page)
    assert.matches("^page 3 of the answer, after 5 records: ", err.message)
    assert.matches("Admin agent", err.hint, 1, true)
  end)

  for name, answer in pairs { ["is not there"] = { status = 404 },
                              ["is HTML"] = { body = "<html>", headers = JSON },
                              ["is no list"] = { body = "{}", headers = JSON } } do
    it("does not blame the address when it " .. name, function()
      local err = fails(page(1, 2, 2), answer)
      assert.matches("^page 2 of the answer, after 2 records: ", err.message)
      assert.is_nil(err.hint:find("base_url", 1, true))
      assert.matches("Ask again", err.hint, 1, true)
    end)
  end

  it("is told for a failure of the network, too", function()
    local err = fails(page(1, 2, 2), { kind = "tls", message = "not this host" })
    assert.equal("tls", err.kind)
    assert.equal("page 2 of the answer, after 2 records: not this host", err.message)
  end)

  it("leaves an error that somebody else keeps as it was", function()
    local kept = errors.new { kind = "sign_in_required", message = "nobody is signed in" }
    local given = false
    local client = fake.client({ page(1, 2, 2) }, { token = function()
      local token = not given and fake.TOKEN or nil
      given = true
      return token, kept
    end })
    local _, err = client.security:partner_requests()
    assert.equal("page 2 of the answer, after 2 records: nobody is signed in", err.message)
    assert.equal("nobody is signed in", kept.message)
  end)

  it("is no matter of the first page", function()
    local err = fails({ status = 404 }, { status = 404 })
    assert.is_nil(err.page)
    assert.matches("base_url", err.hint, 1, true)
  end)
end)

describe("the count of a list", function()
  for _, text in ipairs { "1e308", "1e999", "-3", "2.5", '"abc"', '"nan"', '"inf"', "true",
                          "[]" } do
    it("is that of its records where the service counts " .. text, function()
      local client = fake.client { { headers = JSON, body =
        '{"totalCount":' .. text .. ',"items":[{"requestId":"1"}]}' } }
      local records = assert(client.security:partner_requests())
      assert.equal(1, records.total_count)
      assert.is_false(records.truncated)
    end)
  end
end)
