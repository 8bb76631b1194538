-- The error of a list whose later page fails.
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
  it("is named with its number and the records before it", function()
    local err = fails(page(1, 3, 2), page(4, 5, 3), { status = 403, body = '{"code":"900308"}' })
    assert.equal("forbidden", err.kind)
    assert.equal(3, err.page)
    assert.matches("^page 3 of the list, after 5 records: ", err.message)
    assert.matches("Admin agent", err.hint, 1, true)
  end)

  for name, response in pairs { ["is missing"] = { status = 404 },
                                ["is HTML"] = { body = "<html>", headers = JSON },
                                ["is not a list"] = { body = "{}", headers = JSON } } do
    it("that " .. name .. " gets no hint to check base_url", function()
      local err = fails(page(1, 2, 2), response)
      assert.matches("^page 2 of the list, after 2 records: ", err.message)
      assert.is_nil(err.hint:find("base_url", 1, true))
      assert.matches("Make the call again", err.hint, 1, true)
    end)
  end

  it("is named in an error of the network, too", function()
    local err = fails(page(1, 2, 2), { kind = "tls", message = "not this host" })
    assert.equal("tls", err.kind)
    assert.equal("page 2 of the list, after 2 records: not this host", err.message)
  end)

  it("does not change an error that the token function keeps", function()
    local theirs = errors.new { kind = "sign_in_required", message = "nobody is signed in" }
    local is_given = false
    local client = fake.client({ page(1, 2, 2) }, { token = function()
      local token = not is_given and fake.TOKEN or nil
      is_given = true
      return token, theirs
    end })
    local _, err = client.security:partner_requests()
    assert.equal("page 2 of the list, after 2 records: nobody is signed in", err.message)
    assert.equal("nobody is signed in", theirs.message)
  end)

  it("is never the first page", function()
    local err = fails({ status = 404 }, { status = 404 })
    assert.is_nil(err.page)
    assert.matches("base_url", err.hint, 1, true)
  end)
end)
