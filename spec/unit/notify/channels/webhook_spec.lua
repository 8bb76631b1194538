local channel_context = require "spec.support.channel_context"
local core = require "pcapi.core"
local digests = require "spec.support.digests"
local json = require "pcapi.json"
local webhook = require "pcapi.notify.channels.webhook"

local KEY = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
local NEW_KEY = "whsec_" .. core.base64(("n"):rep(64))

local function check(name, text)
  return channel_context.check_of(webhook, name)(text)
end

local function settings(given)
  local values = { url = "https://receiver.example/secret", key = check("key", KEY) }
  for name, value in pairs(given or {}) do
    values[name] = value
  end
  return values
end

local function body_of(digest)
  local messages = webhook.messages(digest)
  assert.equal(1, #messages)
  return json.decode(messages[1].body), messages[1]
end

describe("a webhook's message", function()
  it("has a type, the time of the digest, and the rows of each tenant", function()
    local body, message = body_of(digests.events())
    assert.equal("pcapi.users.changed", body.type)
    assert.equal("2026-11-28T06:00:04Z", body.timestamp)
    assert.equal(1, body.data.schema)
    assert.equal(message.id, body.data.id)
    assert.equal(1, body.data.counts.new)
    local tenant = body.data.tenants[1]
    assert.same({ "fabrikam", 0.419, "cut", 0 },
      { tenant.name, tenant.coverage, tenant.requests, tenant.more })
    assert.equal(9, #tenant.items)
    assert.equal("user1@fabrikam.example", tenant.items[1].upn)
    assert.same({ "an exception ends on 2026-12-01" }, tenant.warnings)
  end)

  it("has other types for what is open, for a test and for pcapi's own problems", function()
    assert.equal("pcapi.users.open", body_of(digests.digest("open", {})).type)
    assert.equal("pcapi.test", body_of(digests.test()).type)
    local body = body_of(digests.operator("one", "two"))
    assert.equal("pcapi.operator", body.type)
    assert.same({ "one", "two" }, body.data.notes)
  end)

  it("has arrays also where they are empty", function()
    local text = webhook.messages(digests.test())[1].body
    assert.truthy(text:find('"tenants":[]', 1, true))
    assert.truthy(text:find('"notes":[]', 1, true))
  end)

  it("is the same bytes each time, and no more than 20 KB", function()
    for _, make in ipairs { digests.events, function() return digests.many(300) end,
                            function() return digests.large(10000, 60) end } do
      local text = webhook.messages(make())[1].body
      assert.equal(text, webhook.messages(make())[1].body)
      assert.is_true(#text <= 20 * 1024)
    end
  end)

  it("counts the rows and the tenants for which there is no room", function()
    local body = body_of(digests.large(10000, 4))
    local shown = 0
    for _, tenant in ipairs(body.data.tenants) do
      shown = shown + #tenant.items + tenant.more
    end
    assert.equal(10000, shown)
    body = body_of(digests.many(300))
    assert.equal(300, #body.data.tenants + body.data.moreTenants)
    assert.is_true(#body.data.tenants > 40)
    assert.equal(4, body.data.tenants[1].items[1].count)
  end)

  it("has hostile names as they are, as valid UTF-8", function()
    for _, name in ipairs(digests.HOSTILE) do
      local body = body_of(digests.hostile(name))
      local upn = body.data.tenants[1].items[1].upn
      if not name:find "[\255\240]" then
        assert.equal(name, upn)
      end
    end
  end)
end)

describe("a webhook's signature", function()
  it("is that of Standard Webhooks and that of GitHub", function()
    local message = { id = "msg_5f0b3c1e00004000", body = '{"type":"pcapi.users.changed",'
      .. '"timestamp":"2026-11-28T06:00:04Z","data":{"tenant":"fabrikam","new":1,"fixed":0}}' }
    local context = channel_context.new { status = 200 }
    assert.is_true(webhook.deliver(message, settings(), context))
    local header = context.transport.sent[1].header
    assert.equal("msg_5f0b3c1e00004000", header["webhook-id"])
    assert.equal("1795845604", header["webhook-timestamp"])
    assert.equal("v1,2090weK9v+r++Uor6s/vshO5BtScv1YwJNiciFE6/v8=", header["webhook-signature"])
    assert.equal("sha256=75d8d8c8fbb9b937045b9af000410ef1f6b93841d7032b5384112dbcb6608b7f",
      header["x-hub-signature-256"])
  end)

  it("is two while the key is changed, and none without a key", function()
    local keys = check("key", NEW_KEY .. " " .. KEY)
    local header = channel_context.deliver(webhook, digests.one(), settings { key = keys },
      { status = 200 }).header
    assert.truthy(header["webhook-signature"]:find "^v1,[%w+/]+= v1,[%w+/]+=$")
    header = channel_context.deliver(webhook, digests.one(),
      { url = "https://receiver.example/" }, { status = 200 }).header
    assert.is_nil(header["webhook-signature"])
    assert.is_nil(header["x-hub-signature-256"])
    assert.equal(digests.one().id, header["webhook-id"])
  end)

  it("needs a key of 24 to 64 bytes", function()
    assert.same({ "0123456789abcdef0123456789abcdef" }, check("key", KEY))
    assert.equal(2, #check("key", NEW_KEY .. "\n" .. KEY))
    for _, text in ipairs { "", "secret", "whsec_", "whsec_c2VjcmV0", "whsec_%%%%",
                            KEY:sub(7), "whsec_" .. core.base64(("x"):rep(65)),
                            KEY .. " " .. KEY .. " " .. KEY } do
      local keys, why = check("key", text)
      assert.is_nil(keys)
      assert.is_nil(why:find("c2Vj", 1, true))
    end
  end)
end)

describe("a webhook's own headers", function()
  it("are sent", function()
    local headers = check("headers", "Authorization: Bearer TOP-SECRET\r\nX-Tenant : fabrikam\n\n")
    assert.same({ Authorization = "Bearer TOP-SECRET", ["X-Tenant"] = "fabrikam" }, headers)
    local header = channel_context.deliver(webhook, digests.one(), settings { headers = headers },
      { status = 200 }).header
    assert.equal("Bearer TOP-SECRET", header.authorization)
    assert.equal("fabrikam", header["x-tenant"])
  end)

  it("replace none of the signature, and are checked", function()
    for _, text in ipairs { "webhook-id: TOP", "Webhook-Signature: TOP", "Content-Type: TOP",
                            "x-hub-signature-256: TOP", "Host: TOP", "TOP", "a b: TOP", "x:" } do
      local headers, why = check("headers", text)
      assert.is_nil(headers)
      assert.is_nil(why:find("TOP", 1, true), why)
    end
  end)

  it("are not in the error of a receiver that repeats them", function()
    local _, ok, err = channel_context.deliver(webhook, digests.one(), settings {
      headers = { Authorization = "Bearer TOP-SECRET" } },
      { status = 403, body = "bad token: top-secret" })
    assert.is_nil(ok)
    assert.is_nil(tostring(err):lower():find("top", 1, true))
  end)
end)

describe("a webhook", function()
  it("has delivered with any 2xx", function()
    for _, status in ipairs { 200, 201, 202, 204 } do
      local _, ok = channel_context.deliver(webhook, digests.one(), settings(),
        { status = status, body = "{broken", headers = { ["content-type"] = "application/json" } })
      assert.is_true(ok)
    end
  end)

  it("stops with 410", function()
    local _, _, err = channel_context.deliver(webhook, digests.one(), settings(), { status = 410 })
    assert.is_true(err.stops_channel)
  end)
end)
