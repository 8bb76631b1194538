local channel_context = require "spec.support.channel_context"
local digests = require "spec.support.digests"
local json = require "pcapi.json"
local pagerduty = require "pcapi.notify.channels.pagerduty"

local KEY = ("k3Y"):rep(10) .. "zz"
local SETTINGS = { routing_key = KEY }

local function events_of(digest, settings)
  local events, ids = {}, {}
  for i, message in ipairs(pagerduty.messages(digest, settings or SETTINGS)) do
    events[i] = json.decode(message.body)
    assert.is_nil(ids[message.id])
    assert.is_nil(message.id:find(".", 1, true))
    ids[message.id] = true
  end
  return events
end

-- Actions and keys, in their order.
local function actions_of(digest)
  local actions = {}
  for i, event in ipairs(events_of(digest)) do
    actions[i] = event.event_action .. " " .. event.dedup_key:gsub("^0+", "")
  end
  return actions
end

describe("the events for PagerDuty", function()
  it("are an alert for each user who comes without MFA, and an end for a repaired one", function()
    assert.same({ "trigger 1", "trigger 2", "trigger 3", "trigger 4", "resolve 6" },
      actions_of(digests.events()))
  end)

  it("say who, how and what to do", function()
    local event = events_of(digests.one(), { routing_key = KEY, severity = "critical",
                                             link = "https://mfa.fabrikam.example/" })[1]
    assert.same({ KEY, "trigger", "pcapi", "https://mfa.fabrikam.example/" },
      { event.routing_key, event.event_action, event.client, event.client_url })
    local payload = event.payload
    assert.same({ "fabrikam: kim@fabrikam.example without MFA via Billing Sync", "fabrikam",
                  "critical", "Billing Sync", "non-mfa", "2026-11-28T06:00:02Z" },
      { payload.summary, payload.source, payload.severity, payload.component, payload.class,
        payload.timestamp })
    assert.equal("Renew the token of Billing Sync by a sign-in with MFA",
      payload.custom_details.next_step)
  end)

  it("have the same key in another digest of the same episode", function()
    local fixed = digests.digest("changes", { digests.tenant("fabrikam", { fixed = 1 },
      { digests.row(1, { event = "fixed" }) }) }, { id = ("f"):rep(64) })
    assert.same({ "trigger 1" }, actions_of(digests.one()))
    assert.same({ "resolve 1" }, actions_of(fixed))
  end)

  it("are none for a baseline, for reminders, and for a user who was not seen", function()
    assert.same({}, events_of(digests.many(300)))
    assert.same({}, events_of(digests.digest("open", { digests.tenant("fabrikam", { open = 1 },
      { digests.row(1, { event = "open" }) }) }, { thread = ("a"):rep(64) })))
    for _, event in ipairs { "open", "healing", "quiet", "lost" } do
      assert.same({}, events_of(digests.digest("changes", { digests.tenant("fabrikam",
        { [event] = 1 }, { digests.row(1, { event = event }) }) })))
    end
  end)

  it("are 20 alerts at most, and one for the rest", function()
    local events = events_of(digests.large(10000, 60))
    assert.equal(21, #events)
    assert.equal("60 tenants: 9960 new users without MFA; 9940 users without an alert of its own",
      events[21].payload.summary)
    assert.equal(digests.one().id, events[21].dedup_key)
    local rows = {}
    for i = 1, 20 do
      rows[i] = digests.row(i)
    end
    assert.equal(20, #events_of(digests.digest("changes",
      { digests.tenant("fabrikam", { new = 20 }, rows) })))
  end)

  it("are one for what is open at first, and for pcapi's own problems", function()
    local open = events_of(digests.digest("open", { digests.tenant("fabrikam", { open = 1 },
      { digests.row(1, { event = "open" }) }) }))
    assert.equal(1, #open)
    assert.same({ "info", "fabrikam: 1 open user without MFA" },
      { open[1].payload.severity, open[1].payload.summary })
    local problem = events_of(digests.operator "the sign-in of fabrikam ends")[1].payload
    assert.same({ "error", "pcapi: the sign-in of fabrikam ends" },
      { problem.severity, problem.summary })
  end)

  it("are an alert that ends at once for a test", function()
    assert.same({ "trigger d16e57", "resolve d16e57" }, actions_of(digests.test()))
  end)

  it("keep the limits of PagerDuty with hostile names", function()
    for _, name in ipairs(digests.HOSTILE) do
      for _, event in ipairs(events_of(digests.hostile(name))) do
        if event.event_action == "trigger" then
          assert.is_true(#event.payload.summary <= 1024)
          assert.is_nil(event.payload.summary:find "%c")
        end
        assert.is_true(#event.dedup_key <= 255)
      end
    end
  end)
end)

describe("the settings of PagerDuty", function()
  it("are an integration key, a severity and an address", function()
    local function check(name, text)
      return channel_context.check_of(pagerduty, name)(text)
    end
    assert.equal(KEY, check("routing_key", KEY))
    for _, text in ipairs { "", "TOP", KEY .. "x", (KEY:gsub("z", "-")) } do
      local value, why = check("routing_key", text)
      assert.is_nil(value)
      assert.is_nil(why:find("TOP", 1, true) or why:find(KEY:sub(1, 8), 1, true))
    end
    assert.equal("info", check("severity", "info"))
    assert.is_nil(check("severity", "high"))
    assert.is_nil(check("url", "http://events.pagerduty.com/"))
  end)
end)

describe("PagerDuty", function()
  local function deliver(response)
    local _, ok, err = channel_context.deliver(pagerduty, digests.one(), SETTINGS, response)
    return ok, err
  end

  it("has queued an event with 202 only", function()
    local sent, ok = channel_context.deliver(pagerduty, digests.one(), SETTINGS, { status = 202 })
    assert.is_true(ok)
    assert.equal("https://events.pagerduty.com/v2/enqueue", sent.url)
    assert.equal("protocol", select(2, deliver { status = 200, body = "ok" }).kind)
  end)

  it("refuses a wrong event for good, and waits minutes if there are too many", function()
    local _, err = deliver { status = 400, body = '{"status":"invalid event"}' }
    assert.is_true(err.is_final)
    assert.truthy(err.message:find("invalid event", 1, true))
    assert.equal(120, select(2, deliver { status = 429 }).retry_after)
    assert.equal("server", select(2, deliver { status = 500 }).kind)
  end)

  it("shows no key, also if PagerDuty repeats it", function()
    local _, err = deliver { status = 400, body = "unknown key " .. KEY:upper() }
    assert.is_nil(tostring(err):upper():find(KEY:upper(), 1, true))
  end)
end)
