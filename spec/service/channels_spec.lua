--- Channels against receivers that check what the real services check: libraries in JavaScript read
-- the cards, the signatures and the mails.
local digests = require "spec.support.digests"
local receiver = require "spec.support.receiver"
local words = require "pcapi.notify.words"

local CHANNELS = {}
for _, name in ipairs { "slack", "teams", "pagerduty", "webhook", "mail" } do
  CHANNELS[name] = require("pcapi.notify.channels." .. name)
end

local POSTING = { "slack", "teams", "pagerduty", "webhook" }

local receivers, context

setup(function()
  receivers, context = receiver.start(), receiver.context()
end)
teardown(function() receivers:stop() end)

local function setting(kind, name, text)
  for _, each in ipairs(CHANNELS[kind].settings) do
    if each.name == name then
      return assert(each.check(text))
    end
  end
end

local function settings_of(kind, mode)
  local settings = { url = kind ~= "mail" and receivers:url(kind, mode) or nil,
                     link = "https://mfa.fabrikam.example/?a=1&b=2" }
  if kind == "webhook" then
    settings.key = setting(kind, "key", receiver.KEY)
    settings.headers = setting(kind, "headers", "Authorization: Bearer tOkEn-0815")
  elseif kind == "pagerduty" then
    settings.routing_key = ("R0utIng1"):rep(4)
  elseif kind == "mail" then
    settings.to, settings.from = { "mfa@fabrikam.example", "kim@fabrikam.example" },
      "pcapi@fabrikam.example"
    settings.sendmail = receivers:sendmail()
  end
  return settings
end

-- Delivers all messages of some digests; raises an error if one fails or has a problem.
local function deliver_all(kind, all, settings)
  settings = settings or settings_of(kind)
  for _, digest in ipairs(all) do
    for _, message in ipairs(CHANNELS[kind].messages(digest, settings)) do
      assert(CHANNELS[kind].deliver(message, settings, context))
    end
  end
  local received, alerts = receivers:received()
  for _, each in ipairs(received) do
    assert.same({}, each.problems or {})
  end
  return received, alerts
end

local function deliver(kind, digest, settings)
  return deliver_all(kind, { digest }, settings)
end

-- Delivers a message that fails.
local function fail(kind, mode, timeout)
  local settings, own = settings_of(kind, mode), receiver.context(timeout)
  local message = CHANNELS[kind].messages(digests.one(), settings)[1]
  local ok, err = CHANNELS[kind].deliver(message, settings, own)
  assert.is_nil(ok)
  local shown = (tostring(err) .. err.message .. table.concat(own.trace, "\n")):lower()
  for _, secret in ipairs { "4711", "signature", "localhost", "0815", "r0uting1" } do
    assert.is_nil(shown:find(secret, 1, true), shown)
  end
  return err
end

local SAMPLES = {
  ["one new user"] = digests.one, ["each event"] = digests.events, ["a test"] = digests.test,
  ["300 tenants"] = function() return digests.many(300) end,
  ["10,000 users of 60 tenants"] = function() return digests.large(10000, 60) end,
  ["pcapi's own problems"] = function()
    return digests.operator("the sign-in of fabrikam ends", "*a* <tenant> failed three runs")
  end,
  ["what is open"] = function()
    return digests.digest("open", { digests.tenant("fabrikam", { open = 1 },
      { digests.row(1, { event = "open" }) }) })
  end,
}

for kind in pairs(CHANNELS) do
  describe(kind, function()
    for name, make in pairs(SAMPLES) do
      it("takes a digest of " .. name, function()
        local received = deliver(kind, make())
        if kind ~= "pagerduty" then
          assert.equal(1, #received)
        end
      end)
    end
  end)
end

describe("a hostile name", function()
  -- The texts of the first row and of the tenant must be shown, byte for byte.
  local function expected(name)
    local digest = digests.hostile(name)
    local row = words.row(digest.tenants[1].rows[1])
    return { words.title(digest), row.who, row.facts, row.step }
  end

  local function assert_shown(texts, name, change)
    local shown = table.concat(texts, "\n")
    for _, text in ipairs(expected(name)) do
      -- Markdown drops blanks around a text
      text = (change and change(text) or text):match "^%s*(.-)%s*$"
      assert.truthy(shown:find(text, 1, true), shown .. "\nlacks\n" .. text)
    end
  end

  -- As a browser shows blanks and line breaks.
  local function one_line(text)
    return (text:gsub("%s+", " "))
  end

  local all = {}
  for i, name in ipairs(digests.HOSTILE) do
    all[i] = digests.hostile(name)
  end

  for _, kind in ipairs { "slack", "teams" } do
    it("is shown in " .. kind .. " as it is, and is no markup", function()
      local received = deliver_all(kind, all)
      for i, name in ipairs(digests.HOSTILE) do
        assert_shown(received[i].texts, name)
      end
    end)
  end

  it("is shown in a mail as it is, adds no header and no recipient, and is no HTML", function()
    local harmless = deliver("mail", digests.hostile "kim")[1]
    local received = deliver_all("mail", all)
    for i, name in ipairs(digests.HOSTILE) do
      local mail = received[i]
      assert_shown({ mail.subject, (mail.text:gsub("\r", "")) }, name)
      assert_shown({ mail.subject, one_line(mail.html.text) }, name, one_line)
      assert.same(harmless.html.tags, mail.html.tags)
      assert.same({ "mfa@fabrikam.example", "kim@fabrikam.example" }, mail.envelope)
      assert.equal(0, mail.attachments)
      assert.same(harmless.names, mail.names)
    end
  end)

  it("is data in a webhook, and in the alerts of PagerDuty", function()
    for i, each in ipairs(deliver_all("webhook", all)) do
      assert.same({ 1, 3, #all[i].id }, { #each.event.data.tenants,
        #each.event.data.tenants[1].items, #each.headers["webhook-id"] })
    end
    assert.equal(2 * #all, #deliver_all("pagerduty", all))
  end)
end)

describe("a failing receiver", function()
  after_each(function() receivers:received() end)

  for _, kind in ipairs(POSTING) do
    it("of " .. kind .. " has the error of its status, without its address", function()
      for status, expected in pairs { [400] = "bad_request", [401] = "unauthorized",
          [403] = "forbidden", [404] = "not_found", [410] = "not_found", [413] = "bad_request",
          [500] = "server", [503] = "server" } do
        local err = fail(kind, tostring(status))
        assert.same({ expected, status }, { err.kind, err.status })
        assert.equal(status == 410 or nil, err.stops_channel)
      end
    end)

    it("of " .. kind .. " may ask to wait", function()
      local err = fail(kind, "429")
      assert.same({ "throttled", 7 }, { err.kind, err.retry_after })
      assert.is_nil(err.is_final)
    end)

    it("of " .. kind .. " may hang, drip, break off, redirect, or send too much", function()
      assert.equal("timeout", fail(kind, "hang", 0.5).kind)
      assert.equal("timeout", fail(kind, "drip", 0.5).kind)
      assert.equal("network", fail(kind, "cut").kind)
      assert.equal(307, fail(kind, "redirect").status)
      assert.is_true(fail(kind, "large").is_final)
      assert.equal(5, #(receivers:received())) -- the redirect was not followed
    end)

    it("of " .. kind .. " may repeat secrets", function()
      assert.truthy(fail(kind, "echo").message:find("[hidden]", 1, true))
    end)

    it("of " .. kind .. " may have a certificate of a stranger, or be down", function()
      for url, expected in pairs { PCAPI_SANDBOX_UNTRUSTED_URL = "tls",
          PCAPI_SANDBOX_EXPIRED_URL = "tls", PCAPI_SANDBOX_OTHER_HOST_URL = "tls",
          PCAPI_SANDBOX_CLOSED_URL = "network" } do
        local settings = settings_of(kind)
        settings.url = os.getenv(url) .. "/sEcReT-pAtH-4711"
        local message = CHANNELS[kind].messages(digests.one(), settings)[1]
        local ok, err = CHANNELS[kind].deliver(message, settings, context)
        assert.is_nil(ok)
        assert.equal(expected, err.kind)
        assert.is_nil((tostring(err)):find("4711", 1, true))
        assert.is_nil((tostring(err)):find("localhost", 1, true))
      end
    end)
  end

  it("of Slack may say no in a 200, or that the channel is archived", function()
    local err = fail("slack", "word")
    assert.same({ "protocol", 200 }, { err.kind, err.status })
    assert.is_true(fail("slack", "archived").stops_channel)
  end)

  it("of Teams may lie in a 200; a 202 that lies cannot be seen", function()
    assert.truthy(fail("teams", "lie").message:find("HTTP error 413", 1, true))
    local settings, message = settings_of("teams"), { id = "x", body = '{"no":"card"}' }
    assert.is_true(CHANNELS.teams.deliver(message, settings, context))
    assert.is_true(#receivers:received()[2].problems > 0) -- the run history has them
    assert.truthy(CHANNELS.teams.proof)
  end)

  it("of PagerDuty and of a webhook may refuse what it checks", function()
    local settings = settings_of "pagerduty"
    settings.routing_key = "short"
    local message = CHANNELS.pagerduty.messages(digests.one(), settings)[1]
    local _, err = CHANNELS.pagerduty.deliver(message, settings, context)
    assert.is_true(err.is_final)
    assert.truthy(err.message:find("invalid event", 1, true))
    settings = settings_of "webhook"
    settings.key = { ("x"):rep(32) }
    message = CHANNELS.webhook.messages(digests.one())[1]
    _, err = CHANNELS.webhook.deliver(message, settings, context)
    assert.equal("unauthorized", err.kind)
  end)
end)

describe("a webhook", function()
  it("sends its own headers, and can be verified while the key is changed", function()
    local settings = settings_of "webhook"
    local received = deliver("webhook", digests.one(), settings)
    assert.equal("Bearer tOkEn-0815", received[1].headers.authorization)
    -- Standard Webhooks: the receiver has the old key still
    settings.key = { ("n"):rep(32), settings.key[1] }
    local message = CHANNELS.webhook.messages(digests.one())[1]
    CHANNELS.webhook.deliver(message, settings, context)
    assert.same({ "X-Hub-Signature-256" }, receivers:received()[1].problems)
  end)

  it("has the same id at each try, by which a receiver knows it", function()
    local digest = digests.one()
    digest.id = ("ab"):rep(32)
    assert.is_false(deliver("webhook", digest)[1].isRepeated)
    assert.is_true(deliver("webhook", digest)[1].isRepeated)
  end)
end)

describe("an alert of PagerDuty", function()
  it("is opened for a user, and resolved when the user is repaired, not when unseen", function()
    local function row(event, number)
      return digests.digest("changes", { digests.tenant("fabrikam", { [event] = 1 },
        { digests.row(number, { event = event }) }) })
    end
    local key = settings_of("pagerduty").routing_key .. " "
    local _, alerts = deliver("pagerduty", row("new", 777))
    assert.equal("open", alerts[key .. ("%064x"):format(777)])
    _, alerts = deliver("pagerduty", row("quiet", 777))
    assert.equal("open", alerts[key .. ("%064x"):format(777)])
    _, alerts = deliver("pagerduty", row("fixed", 777))
    assert.equal("resolved", alerts[key .. ("%064x"):format(777)])
  end)

  it("is left behind by no test", function()
    local digest = digests.test()
    digest.id = ("cd"):rep(32)
    local _, alerts = deliver("pagerduty", digest)
    assert.equal("resolved", alerts[settings_of("pagerduty").routing_key .. " " .. digest.id])
  end)
end)

describe("a mail by Debian's msmtp", function()
  it("arrives whole, with text and HTML, and in short lines", function()
    local mail = deliver("mail", digests.one())[1]
    assert.same({ "fabrikam: 1 new user without MFA", "2026-11-28T06:00:04.000Z" },
      { mail.subject, mail.date })
    assert.same({ { "pcapi@fabrikam.example" },
                  { "mfa@fabrikam.example", "kim@fabrikam.example" } }, { mail.from, mail.to })
    assert.equal("<" .. digests.one().id .. "@fabrikam.example>", mail.messageId)
    assert.equal("auto-generated", mail.headers["auto-submitted"])
    assert.equal(digests.one().id, mail.headers["x-pcapi-dedup"])
    assert.equal("multipart/alternative", mail.headers["content-type"].value)
    assert.equal(words.text(digests.one(), 100, settings_of("mail").link), mail.text)
    assert.is_true(mail.longestLine <= 100)
  end)

  it("answers the first one of its thread", function()
    local digest = digests.one()
    digest.thread = ("ef"):rep(32)
    local mail = deliver("mail", digest)[1]
    assert.equal("<" .. digest.thread .. "@fabrikam.example>", mail.inReplyTo)
  end)

  it("fails if the recipient is unknown, or nobody listens", function()
    local settings = settings_of "mail"
    settings.to = { "nobody@fabrikam.example" }
    local message = CHANNELS.mail.messages(digests.one(), settings)[1]
    local ok, err = CHANNELS.mail.deliver(message, settings, context)
    assert.is_nil(ok)
    assert.truthy(err.message:find("no such user", 1, true), err.message)
    settings.sendmail = receivers:sendmail(os.getenv("PCAPI_SANDBOX_CLOSED_URL"):match "%d+$")
    ok, err = CHANNELS.mail.deliver(message, settings, context)
    assert.is_nil(ok)
    assert.equal("server", err.kind)
  end)

  it("fails if there is no sendmail", function()
    local settings = settings_of "mail"
    settings.sendmail = "/nonexistent/sendmail"
    local message = CHANNELS.mail.messages(digests.one(), settings)[1]
    local _, err = CHANNELS.mail.deliver(message, settings, context)
    assert.equal("config", err.kind)
  end)
end)
