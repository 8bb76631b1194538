--- `pcapi watch --notify` and `pcapi notify` with receivers that check messages as the real
-- services do.
local folder = require "spec.support.folder"
local receiver = require "spec.support.receiver"
local sandbox = require "spec.support.sandbox"
local watched = require "spec.support.watched"

local STORY = [[
  2026-11-10T09:00:00Z kim@fabrikam.example signs-in
  2026-11-12T09:00:00Z lee@fabrikam.example signs-in]]
local FIRST, SECOND = "2026-11-11T06:00:00Z", "2026-11-13T06:00:00Z"

local CONFIG = [[
[notify slack]
type = slack
url_file = slack-url
[notify teams]
type = teams
url_file = teams-url
[notify hook]
type = webhook
url_file = hook-url
key_file = hook-key
]]

local receivers

setup(function()
  receivers = receiver.start()
end)

teardown(function()
  receivers:stop()
  folder.remove()
end)

-- A history with the channels above; modes of receivers by type.
local function tell(modes)
  local tale = watched.tell(STORY)
  tale.config = tale:write("config", CONFIG)
  for name, kind in pairs { slack = "slack", teams = "teams", hook = "webhook" } do
    tale:write(name .. "-url", receivers:url(kind, modes and modes[name]) .. "\n")
  end
  tale:write("hook-key", receiver.KEY .. "\n")
  receivers:received()
  return tale
end

local function taken()
  local counts = {}
  for _, message in ipairs((receivers:received())) do
    counts[message.kind] = (counts[message.kind] or 0) + 1
    assert.same({}, message.problems or {})
  end
  return counts
end

describe("channels over HTTPS", function()
  it("get each change once, from pcapi watch --notify", function()
    local tale = tell()
    for _, now in ipairs { FIRST, SECOND, SECOND } do
      local result = tale:run(now, { "--notify" })
      assert.same({ 0, "", "" }, { result.status, result.out, result.err })
    end
    assert.same({ slack = 2, teams = 2, webhook = 2 }, taken())
  end)

  it("get what one of them refused later, and no secret is shown", function()
    local tale = tell { slack = "503", hook = "429" }
    local result = tale:run(FIRST, { "--notify", "--trace" })
    assert.equal(1, result.status)
    assert.truthy(result.err:find("channel slack: server: ", 1, true), result.err)
    assert.truthy(result.err:find("channel hook: throttled: ", 1, true), result.err)
    assert.is_nil(result.err:find("sEcReT", 1, true))
    taken()
    tale:write("slack-url", receivers:url "slack")
    tale:write("hook-url", receivers:url "webhook")
    result = tale:run(SECOND, { "--notify" })
    assert.equal(0, result.status, result.err)
    local counts = taken()
    assert.equal(2, counts.slack)
    assert.equal(1, counts.teams)
  end)

  it("stop when their receiver is gone, which another one tells, until a test arrives", function()
    local tale = tell { slack = "410" }
    tale:run(FIRST, { "--notify" })
    local counts = taken()
    assert.equal(1, counts.slack)
    assert.equal(2, counts.teams) -- the number of users, and that slack is gone
    tale:run(SECOND, { "--notify" })
    assert.is_nil(taken().slack)
    tale:write("slack-url", receivers:url "slack")
    local result = sandbox.pcapi({ "notify", "test", "slack" }, tale:environment())
    assert.equal(0, result.status, result.err)
    result = sandbox.pcapi({ "notify", "send" }, tale:environment())
    assert.same({ 0, "pcapi: sent 2 notices\n" }, { result.status, result.err })
    assert.equal(3, taken().slack)
  end)
end)
