--- What the command shows while it waits: a line on a terminal, and events with --verbose.
local curl = require "spec.support.curl"
local pty = require "spec.support.pty"
local sandbox = require "spec.support.sandbox"
local url = require "pcapi.url"

local function one(words, scenario)
  return ("env PCAPI_TOKEN=%s TERM=xterm LC_ALL=C.UTF-8 %s bin/pcapi %s"):format(
    sandbox.token { scenario = scenario }, sandbox.lua, words)
end

-- The command for three tenants without a profile.
local function many(words, scenario)
  local seed = curl.fetch { url = sandbox.url .. "/_sandbox/refresh_token?client_id=client" }.body
  return (([[printf 'a.example\nb.example\nc.example\n' | env -u PCAPI_TOKEN HOME=/nonexistent ]]
    .. [[PCAPI_REFRESH_TOKEN=%s PCAPI_CLIENT_ID=client PCAPI_LOGIN_URL='%s' TERM=xterm ]]
    .. [[%s bin/pcapi %s --tenants -]]):format(seed, sandbox.url .. "/login/scenario="
    .. url.escape(scenario), sandbox.lua, words))
end

-- The texts of the progress line, one after the other.
local function updates_of(screen)
  local all = {}
  for text in screen:gmatch "\r([^\r\n\27]+)\27%[K" do
    all[#all + 1] = text
  end
  return all
end

local function longest_of(texts)
  local longest = 0
  for _, text in ipairs(texts) do
    longest = math.max(longest, #text)
  end
  return longest
end

local function shows(screen, ...)
  for _, text in ipairs { ... } do
    assert.truthy(screen:find(text, 1, true), text .. " is not in: " .. screen)
  end
end

describe("the progress line", function()
  it("counts down while the service demands a pause", function()
    local screen = pty.run(one("non-mfa", "status=429; retry_after=2; times=1; records=1")).screen
    shows(screen, "\rpcapi: throttled, 2 s left\27[K", "\rpcapi: throttled, 1 s left\27[K",
      "\r\27[K", "pcapi: 1 user signed in without MFA")
  end)

  it("says which retry comes after which failure", function()
    local screen = pty.run(one("non-mfa", "status=503; retry_after=1; times=1; records=1")).screen
    shows(screen, "\rpcapi: retry 1 of 3 after status 503, 1 s left\27[K")
    screen = pty.run(one("non-mfa", "cut=headers; times=1; records=1")).screen
    shows(screen, "\rpcapi: retry 1 of 3 after a network error, 1 s left\27[K")
  end)

  it("counts the tenants, and those that wait", function()
    local screen = pty.run(many("non-mfa", "status=429; retry_after=2; times=1; records=1")).screen
    shows(screen, "\rpcapi: 0 of 3 tenants done\27[K", "s left\27[K",
      "\rpcapi: 0 of 3 tenants done, 3 waiting: throttled, 1 s left\27[K",
      "in 3 tenants.")
  end)

  it("is plain ASCII", function()
    local screen = pty.run(many("non-mfa", "status=429; retry_after=1; times=1; records=1")).screen
    for _, text in ipairs(updates_of(screen)) do
      assert.is_nil(text:find "[^\32-\126]")
    end
  end)

  for _, columns in ipairs { 12, 30 } do
    it("never wraps on a terminal of " .. columns .. " columns", function()
      local screen = pty.run(("stty cols %d; %s"):format(columns,
        many("non-mfa", "status=429; retry_after=1; times=1; records=1"))).screen
      local updates = updates_of(screen)
      assert.is_true(#updates > 1)
      assert.equal(columns - 1, longest_of(updates))
    end)
  end

  it("follows a terminal that becomes narrower", function()
    local updates = updates_of(pty.run(("stty cols 70; { sleep 1; stty cols 20 </dev/tty; } & %s")
      :format(one("non-mfa", "status=503; retry_after=3; times=1; records=1"))).screen)
    assert.is_true(#updates[2] > 30)
    assert.equal(19, #updates[#updates])
  end)

  it("is absent with --quiet, on a dumb terminal, and without a terminal", function()
    local scenario = "status=503; retry_after=1; times=1; records=1"
    assert.is_nil(pty.run(one("-q non-mfa", scenario)).screen:find("retry", 1, true))
    assert.is_nil(pty.run((one("non-mfa", scenario):gsub("TERM=xterm", "TERM=dumb"))).screen
      :find("retry", 1, true))
    assert.equal("pcapi: 1 user signed in without MFA in the last 7 days.\n",
      sandbox.shell(one("non-mfa", scenario)).err)
  end)

  it("leaves the lines of --trace whole", function()
    local screen = pty.run(one("--trace non-mfa", "status=503; retry_after=1; times=1")).screen
    shows(screen, "\r\27[K* 2 GET ")
  end)
end)

describe("--verbose", function()
  local THROTTLED = "status=429; retry_after=1; times=1; records=1"

  it("logs retries and pauses without a terminal", function()
    local result = sandbox.shell(one("-v non-mfa -o csv", THROTTLED))
    assert.equal("pcapi: throttled, waiting 1 s\n", result.err)
    result = sandbox.shell(one("--verbose non-mfa -o csv", "status=503; retry_after=1; times=2"))
    assert.equal("pcapi: retry 1 of 3 after status 503, waiting 1 s\n"
      .. "pcapi: retry 2 of 3 after status 503, waiting 1 s\n", result.err)
  end)

  it("names the tenant, and logs when it is done", function()
    local lines = {}
    local result = sandbox.shell(many("-v non-mfa -o csv", THROTTLED))
    assert.equal(0, result.status, result.err)
    for line in result.err:gmatch "[^\n]+" do
      lines[#lines + 1] = line
    end
    table.sort(lines)
    assert.same({
      "pcapi: a.example: done, 1 record", "pcapi: a.example: throttled, waiting 1 s",
      "pcapi: b.example: done, 1 record", "pcapi: b.example: throttled, waiting 1 s",
      "pcapi: c.example: done, 1 record", "pcapi: c.example: throttled, waiting 1 s",
    }, lines)
  end)

  it("logs above the progress line on a terminal", function()
    local screen = pty.run(one("-v non-mfa", THROTTLED)).screen
    shows(screen, "pcapi: throttled, waiting 1 s\n", "\rpcapi: throttled, 1 s left\27[K")
  end)

  it("logs the failure of a tenant, whose error follows at the end", function()
    local err = sandbox.shell(many("-v non-mfa -o csv", "status=403")).err
    shows(err, "pcapi: a.example: failed\n", "pcapi: a.example: forbidden: ")
  end)

  it("excludes --quiet", function()
    local result = sandbox.pcapi { "-q", "-v", "non-mfa" }
    assert.equal(2, result.status)
    shows(result.err, "--quiet and --verbose exclude each other")
  end)
end)
