local channel_context = require "spec.support.channel_context"
local digests = require "spec.support.digests"
local json = require "pcapi.json"
local slack = require "pcapi.notify.channels.slack"

local SETTINGS = { url = "https://hooks.example/secret" }

local function message_of(digest, settings)
  local messages = slack.messages(digest, settings or SETTINGS)
  assert.equal(1, #messages)
  assert.equal(digest.id, messages[1].id)
  return json.decode(messages[1].body), messages[1].body
end

local function texts_of(message)
  local texts = {}
  for i, block in ipairs(message.blocks) do
    texts[i] = (block.text or block.elements[1]).text
  end
  return table.concat(texts, "\n")
end

describe("a message for Slack", function()
  it("has a title, the users with their next steps, the rest, and the link", function()
    local message = message_of(digests.one(), { link = "https://mfa.fabrikam.example/?a&b" })
    assert.equal("fabrikam: 1 new user without MFA", message.text)
    assert.equal([[
fabrikam: 1 new user without MFA
• kim@fabrikam.example
   new, last without MFA 2026-11-28 05:41 UTC, Billing Sync
   Next step: Renew the token of Billing Sync by a sign-in with MFA
5 open, 3 excepted.
<https://mfa.fabrikam.example/?a&amp;b|Open the report>
pcapi 0.2.0, 2026-11-28 06:00 UTC]], texts_of(message))
    local types = {}
    for i, block in ipairs(message.blocks) do
      types[i] = block.type .. " " .. (block.text or block.elements[1]).type
    end
    assert.same({ "header plain_text", "section plain_text", "context plain_text",
                  "section mrkdwn", "context plain_text" }, types)
  end)

  it("shows 20 users, and counts the others", function()
    local texts = texts_of(message_of(digests.large(10000, 1)))
    assert.equal(20, select(2, texts:gsub("•", "")))
    assert.truthy(texts:find("and 9980 more", 1, true))
    assert.truthy(texts_of(message_of(digests.many(300))):find("and 280 more tenants", 1, true))
  end)

  it("fits, also with the longest names", function()
    local rows, notes = {}, {}
    for i = 1, 20 do
      local name = ("<&漢"):rep(200) .. i
      rows[i] = digests.row(i, { upn = name, application = name, nextStep = name })
      notes[i] = name
    end
    for _, digest in ipairs { digests.large(10000, 60), digests.many(300),
        digests.digest("changes", { digests.tenant(("<&漢"):rep(200), { new = 20 }, rows) }),
        digests.digest("operator", {}, { notes = notes }) } do
      local message, sum = message_of(digest), 0
      assert.is_true(#message.blocks <= 50 and #message.text <= 3000)
      for _, block in ipairs(message.blocks) do
        local text = (block.text or block.elements[1]).text
        local size = select(2, text:gsub("[^\128-\191]", ""))
        sum = sum + size
        assert.is_true(size <= (block.type == "header" and 150 or 3000))
        assert.is_nil(text:gsub("&amp;", ""):gsub("&lt;", ""):gsub("&gt;", ""):find "[&<>]")
      end
      assert.is_true(sum <= 12000)
    end
  end)

  it("is the same bytes each time", function()
    local _, body = message_of(digests.events())
    assert.equal(body, select(2, message_of(digests.events())))
  end)

  it("neither mentions nor links anything of a name", function()
    local _, body = message_of(digests.hostile "<!channel> <https://evil.example|x>")
    assert.is_nil(body:find("<", 1, true))
  end)
end)

describe("Slack", function()
  local function deliver(response)
    local _, ok, err = channel_context.deliver(slack, digests.one(), SETTINGS, response)
    return ok, err
  end

  it("has delivered with 200 and ok", function()
    assert.is_true(deliver { status = 200, body = "ok" })
    assert.is_true(deliver { status = 200, body = "ok\n" })
  end)

  it("has not with another body", function()
    for _, body in ipairs { "", "invalid_payload", "okay", "<html>ok</html>" } do
      local ok, err = deliver { status = 200, body = body }
      assert.is_nil(ok)
      assert.same({ "protocol", 200 }, { err.kind, err.status })
      assert.is_nil(err.stops_channel)
    end
  end)

  it("stops when nobody can post to the channel any more", function()
    for body, status in pairs { channel_is_archived = 410, no_service = 404, invalid_token = 403,
                                channel_not_found = 404, no_team = 404, [""] = 410 } do
      local _, err = deliver { status = status, body = body }
      assert.is_true(err.stops_channel)
    end
    assert.is_true(select(2, deliver { status = 200, body = "channel_is_archived" }).stops_channel)
  end)

  it("goes on after other failures, with its own word for it", function()
    local _, err = deliver { status = 403, body = "action_prohibited" }
    assert.is_nil(err.stops_channel)
    assert.truthy(err.message:find("action_prohibited", 1, true))
    _, err = deliver { status = 400, body = "invalid_payload" }
    assert.is_true(err.is_final)
    assert.equal("invalid_payload", err.word)
    _, err = deliver { status = 429, headers = { ["retry-after"] = "30" } }
    assert.same({ "throttled", 30 }, { err.kind, err.retry_after })
  end)
end)
