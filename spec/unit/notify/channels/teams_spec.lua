local channel_context = require "spec.support.channel_context"
local digests = require "spec.support.digests"
local json = require "pcapi.json"
local teams = require "pcapi.notify.channels.teams"

local SETTINGS = { url = "https://flow.example/secret" }

local function card_of(digest, settings)
  local messages = teams.messages(digest, settings or SETTINGS)
  assert.equal(1, #messages)
  assert.equal(digest.id, messages[1].id)
  local body = json.decode(messages[1].body)
  assert.same({ "message", "application/vnd.microsoft.card.adaptive" },
    { body.type, body.attachments[1].contentType })
  return body.attachments[1].content, messages[1].body
end

local function facts_of(card)
  local facts = {}
  for _, element in ipairs(card.body) do
    for _, fact in ipairs(element.facts or {}) do
      facts[#facts + 1] = fact
    end
  end
  return facts
end

-- All texts of a card, one in a line.
local function texts_of(card)
  local texts = {}
  for _, element in ipairs(card.body) do
    texts[#texts + 1] = element.text
    for _, fact in ipairs(element.facts or {}) do
      texts[#texts + 1] = fact.title
      texts[#texts + 1] = fact.value
    end
  end
  return table.concat(texts, "\n")
end

describe("a card for Teams", function()
  it("begins with the title, which Teams shows as a preview", function()
    local card = card_of(digests.one())
    assert.same({ "AdaptiveCard", "1.2", "Full" }, { card.type, card.version, card.msteams.width })
    assert.same({ type = "TextBlock", size = "Medium", weight = "Bolder", wrap = true,
                  text = "fabrikam: 1 new user without MFA" }, card.body[1])
  end)

  it("has a fact for each user, the rest, and the link", function()
    local card = card_of(digests.one(), { link = "https://mfa.fabrikam.example/" })
    assert.same({ { title = "kim@fabrikam.example", value = "new, last without MFA 2026-11-28 "
      .. "05:41 UTC, Billing Sync. Next step: Renew the token of Billing Sync by a sign-in with "
      .. "MFA" } }, facts_of(card))
    assert.equal("5 open, 3 excepted.", card.body[3].text)
    assert.same({ { type = "Action.OpenUrl", title = "Open the report",
                    url = "https://mfa.fabrikam.example/" } }, card.actions)
    assert.is_nil(card_of(digests.one()).actions)
  end)

  it("shows 20 users and counts the others", function()
    local card = card_of(digests.large(10000, 1))
    assert.equal(20, #facts_of(card))
    assert.truthy(texts_of(card):find("And 9980 more.", 1, true))
  end)

  it("is one for 300 tenants", function()
    assert.truthy(texts_of(card_of(digests.many(300))):find("And 280 more tenants.", 1, true))
  end)

  it("has 20,000 bytes at most, also with the longest names", function()
    for _, digest in ipairs { digests.large(10000, 60), digests.many(300) } do
      local _, body = card_of(digest)
      assert.is_true(#body <= 20000)
    end
    local rows, notes = {}, {}
    for i = 1, 20 do
      local name = ("漢*_"):rep(200) .. i
      rows[i] = digests.row(i, { upn = name, application = name, nextStep = name })
      notes[i] = name
    end
    for _, digest in ipairs {
      digests.digest("changes", { digests.tenant("x", { new = 20 }, rows) }),
      digests.digest("operator", {}, { notes = notes }),
    } do
      local card, body = card_of(digest)
      assert.is_true(#body <= 20000 and #body > 12000)
      assert.is_true(#facts_of(card) < 20)
    end
  end)

  it("is the same bytes each time", function()
    local _, body = card_of(digests.events())
    assert.equal(body, select(2, card_of(digests.events())))
  end)

  it("has no markup of a name", function()
    local card = card_of(digests.hostile "[x](https://evil.example) {{DATE(2017-02-14T06:08:39Z)}}")
    local escaped = "\\[x\\]\\(https:\\/\\/evil.example\\) "
      .. "\\{\\{DATE\\(2017-02-14T06:08:39Z\\)\\}\\}"
    assert.equal(escaped, facts_of(card)[1].title)
  end)
end)

describe("Teams", function()
  local function deliver(response)
    local _, ok, err = channel_context.deliver(teams, digests.one(), SETTINGS, response)
    return ok, err
  end

  it("has taken a message with 200 or 202, which proves nothing", function()
    assert.is_true(deliver { status = 202, body = "" })
    assert.is_true(deliver { status = 200, body = "1" })
    assert.truthy(teams.proof:find("run history", 1, true))
  end)

  it("may say in the body of a 200 that it could not deliver", function()
    local ok, err = deliver { status = 200, body = "Webhook message delivery failed with error: "
      .. "Microsoft Teams endpoint returned HTTP error 429 with ContextId MS-CV=x" }
    assert.is_nil(ok)
    assert.equal("throttled", err.kind)
    assert.truthy(err.message:find("HTTP error 429", 1, true))
    assert.equal("server", select(2, deliver { status = 200, body = "delivery failed" }).kind)
  end)

  it("fails as any receiver does", function()
    assert.equal("throttled", select(2, deliver { status = 429 }).kind)
    assert.is_true(select(2, deliver { status = 400 }).is_final)
  end)
end)
