--- What goes wrong on request: refusals and faults of the sandbox.
local settings = require "sandbox.settings"
local token = require "sandbox.token"
local asking = require "spec.support.ask"
local curl = require "spec.support.curl"

local URL = os.getenv("PCAPI_SANDBOX_URL")
local HTTP_URL = os.getenv("PCAPI_SANDBOX_HTTP_URL")
local PRINCIPALS = "/v1/nonMfaCompliantPartnerPrincipals"
local shell = curl.shell
local it_answers = asking.needing_sandbox(it, pending)
local ask, at_once, decode = asking.ask, asking.at_once, asking.decode
local fetch, many, refusal = asking.fetch, asking.many, asking.refusal

describe("the sandbox's refusals", function()
  it_answers("come in six shapes", function()
    local function shape(letter)
      return ask("status=403; code=accessDenied; text=No%3B way; error=" .. letter)
    end
    local a = decode(shape("A"))
    assert.same({ "accessDenied", "No; way" }, { a.code, a.description })
    assert.is_string(a.source)
    assert.same({ "Field1" }, decode(ask("status=400; error=A")).data)
    local b = decode(shape("B")).error
    assert.same({ "accessDenied", "No; way" }, { b.code, b.message })
    assert.is_table(b.innerError.innerError)
    assert.same({ statusCode = 403, message = "No; way" }, decode(shape("C")))
    assert.equal("", shape("D").body)
    assert.equal("No; way", decode(shape("E")).error_description:match(": (.*)"))
    assert.matches("^<html>", shape("F").body)
    assert.equal("text/html", shape("F").headers["content-type"])
  end)

  it_answers("have believable defaults", function()
    assert.same({ 403, "2032" }, refusal(ask("status=403")))
    assert.equal(429, decode(ask("status=429")).statusCode)
    assert.matches("^<html>", ask("status=502").body)
    assert.same({ 500, "800003" }, refusal(ask("status=500")))
  end)

  it_answers("say when to come again, in each form", function()
    local function wait(value)
      return ask("status=503; retry_after=" .. value).headers["retry-after"]
    end
    assert.equal("57", wait("57"))
    assert.matches("^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$", wait("date:30"))
    assert.equal("soon", wait("garbage"))
  end)

  it_answers("end after the attempts asked for, for each request id", function()
    local function attempt(id)
      return fetch({ ask = "status=503; times=2", headers = { "MS-RequestId: " .. id } }).status
    end
    local first = shell("cat /proc/sys/kernel/random/uuid"):match("%S+")
    local second = shell("cat /proc/sys/kernel/random/uuid"):match("%S+")
    assert.same({ 503, 503, 200 }, { attempt(first), attempt(first), attempt(first) })
    assert.equal(503, attempt(second))
  end)

  it_answers("tell of missing MFA in every way it was told", function()
    assert.same({ 401, "900421" }, refusal(ask("mfa=900421")))
    assert.matches("MFA", decode(ask("mfa=900421")).description)
    assert.same({ 401, "10001" }, refusal(ask("mfa=10001")))
    assert.matches("^<html>", ask("mfa=html").body)
    for setting, status in pairs { claims401 = 401, claims403 = 403 } do
      local answer = ask("mfa=" .. setting)
      assert.equal(status, answer.status)
      assert.matches('error="insufficient_claims", claims="[%w+/=]+"',
                     answer.headers["www-authenticate"])
    end
  end)

  it_answers("tell of missing MFA in the status line of HTTP/1.1, as that of HTTP/2 has no room",
             function()
    for _, url in ipairs { URL, HTTP_URL } do
      local answer = fetch { ask = "mfa=reason", url = url .. PRINCIPALS,
                             args = { "--http1.1" } }
      assert.matches("^HTTP/1.1 401 Unauthorized %- MFA required\r\n", answer.head)
      assert.equal("chunked", answer.headers["transfer-encoding"])
      assert.same({ 0, "" }, { answer.exit, answer.body })
    end
    local answer = ask("mfa=reason")
    assert.same({ 401, "", "2" }, { answer.status, answer.body, answer.version })
  end)

  it_answers("can be a redirection", function()
    local answer = ask("redirect=https://other.example/a?b=c")
    assert.same({ 302, "https://other.example/a?b=c" },
                { answer.status, answer.headers.location })
  end)
end)


describe("the sandbox's mishaps", function()
  it_answers("are a slow first byte and slow pieces", function()
    assert.is_true(ask("delay=0.3").seconds >= 0.3)
    local slow = ask("trickle=1")
    assert.is_true(slow.seconds >= 0.8)
    assert.equal(fetch({}).body, slow.body)
  end)

  it_answers("are connections that break before or within the answer", function()
    for _, version in ipairs { "--http1.1", "--http2" } do
      local none = fetch { ask = "cut=headers", args = { version } }
      assert.is_true(none.exit ~= 0 and none.status == 0)
      local half = fetch { ask = "cut=body", args = { version, "--compressed" } }
      assert.is_true(half.exit ~= 0 and half.status == 200)
      assert.is_true(half.size > 0 and half.size < tonumber(half.headers["content-length"]))
    end
  end)

  it_answers("are bodies that are no answer", function()
    local whole = fetch({}).body
    assert.equal(whole:sub(1, math.floor(#whole / 2)), ask("body=truncated").body)
    assert.matches("^\137PNG", ask("body=garbage").body)
    assert.equal("", ask("body=empty").body)
    assert.matches("<title>Sign in", ask("body=html").body)
    assert.equal("text/html", ask("body=html").headers["content-type"])
    assert.equal("text/plain", ask("body=text").headers["content-type"])
    assert.equal(10000, #ask("body=deep").body)
  end)

  it_answers("are bodies too large, with and without a word of warning", function()
    for _, version in ipairs { "--http1.1", "--http2" } do
      local huge = fetch { ask = "body=huge; bytes=5000000", args = { version } }
      assert.same({ 5000000, nil, 0 }, { huge.size, huge.headers["content-length"], huge.exit })
    end
    local announced = fetch { ask = "body=huge-length", args = { "--max-filesize", "1000000" } }
    assert.same({ 63, "314572800" }, { announced.exit, announced.headers["content-length"] })
  end)

  it_answers("are 300 MB when no number is given", function()
    assert.equal(314572800, fetch({ ask = "body=huge", discard = true }).size)
  end)

  it_answers("are small bodies that inflate", function()
    local bomb = fetch { ask = "body=bomb; bytes=20000000" }
    assert.equal("gzip", bomb.headers["content-encoding"])
    assert.is_true(bomb.size < 200000)
    local inflated = fetch { ask = "body=bomb; bytes=20000000", args = { "--compressed" } }
    assert.equal(20000000, #inflated.body)
  end)

  it_answers("are connections that break after any number of bytes", function()
    local whole = #fetch({}).body
    for _, version in ipairs { "--http1.1", "--http2" } do
      local first, others
      for _ = 1, 50 do -- a reset takes along what was not read yet
        local cut = fetch { ask = "cut=random", args = { version } }
        assert.is_true(cut.exit ~= 0 and cut.size < whole)
        first = first or cut.size
        others = cut.size ~= first
        if others then
          break
        end
      end
      assert.is_true(others)
      local cut = fetch { ask = "cut=connection", args = { version } }
      assert.is_true(cut.exit ~= 0 and cut.size < whole)
    end
  end)

  it_answers("end one stream of HTTP/2, or its connection with all of them", function()
    local function outcomes(cut)
      return at_once { "delay=0.4", "delay=0.2; cut=" .. cut }
    end
    assert.same({ ["200"] = 1, cut = 1 }, outcomes "body")
    assert.same({ cut = 2 }, outcomes "connection")
  end)

  it_answers("are answers that stop in the middle for a while", function()
    local whole = fetch({}).body
    for _, version in ipairs { "--http1.1", "--http2" } do
      local stalled = fetch { ask = "stall=0.3", args = { version, "--compressed" } }
      assert.is_true(stalled.seconds >= 0.3)
      assert.same({ 200, whole }, { stalled.status, stalled.body })
      local left = fetch { ask = "stall=5", args = { version, "--max-time", "0.5" } }
      assert.same({ 28, math.floor(#whole / 2) }, { left.exit, left.size })
    end
  end)

  it_answers("befall a share of the requests", function()
    local seen = at_once(many("chance=0.5; status=500", 60))
    assert.equal(60, seen["500"] + seen["200"])
    assert.is_true(seen["500"] > 10 and seen["500"] < 50)
  end)

  it_answers("are of four kinds when the service has a bad day", function()
    local seen = at_once(many("mishaps=0.2", 100))
    for _, outcome in ipairs { "429", "503", "cut", "stalled", "200" } do
      assert.is_true((seen[outcome] or 0) > 0, outcome)
      seen[outcome] = nil
    end
    assert.same({}, seen)
  end)

  it_answers("are headers too large and of another type", function()
    for _, version in ipairs { "--http1.1", "--http2" } do
      local answer = fetch { ask = "bigheaders=50000", args = { version } }
      assert.is_true(answer.status == 200 and #answer.head > 50000)
    end
    assert.equal("application/xml; x=y",
                 ask("type=application/xml%3B x=y").headers["content-type"])
  end)

  it_answers("have names, as tenants would have them", function()
    for name in pairs(settings.presets) do
      local wanted = name == "slow" and "slow; delay=0.1" or name
      if name ~= "huge" and name ~= "bomb" then
        assert.is_not_equal(400, fetch({ token = token.mint { scenario = wanted } }).status)
      end
    end
    assert.equal(429, fetch({ token = token.mint { scenario = "throttled" } }).status)
  end)
end)
