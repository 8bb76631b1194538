--- Tests the sandbox's error responses and faults.
local settings = require "sandbox.settings"
local token = require "sandbox.token"
local api = require "spec.support.api"
local curl = require "spec.support.curl"

local URL = os.getenv("PCAPI_SANDBOX_URL")
local HTTP_URL = os.getenv("PCAPI_SANDBOX_HTTP_URL")
local PRINCIPALS = "/v1/nonMfaCompliantPartnerPrincipals"
local shell = curl.shell
local sandbox_it = api.needing_sandbox(it, pending)
local fetch_with, at_once, decode = api.fetch_with, api.at_once, api.decode
local fetch, many, refusal = api.fetch, api.many, api.refusal

describe("the sandbox's error responses", function()
  sandbox_it("have six formats", function()
    local function shape(letter)
      return fetch_with("status=403; code=accessDenied; text=No%3B way; error=" .. letter)
    end
    local a = decode(shape("A"))
    assert.same({ "accessDenied", "No; way" }, { a.code, a.description })
    assert.is_string(a.source)
    assert.same({ "Field1" }, decode(fetch_with("status=400; error=A")).data)
    local b = decode(shape("B")).error
    assert.same({ "accessDenied", "No; way" }, { b.code, b.message })
    assert.is_table(b.innerError.innerError)
    assert.same({ statusCode = 403, message = "No; way" }, decode(shape("C")))
    assert.equal("", shape("D").body)
    assert.equal("No; way", decode(shape("E")).error_description:match(": (.*)"))
    assert.matches("^<html>", shape("F").body)
    assert.equal("text/html", shape("F").headers["content-type"])
  end)

  sandbox_it("have realistic defaults", function()
    assert.same({ 403, "2032" }, refusal(fetch_with("status=403")))
    assert.equal(429, decode(fetch_with("status=429")).statusCode)
    assert.matches("^<html>", fetch_with("status=502").body)
    assert.same({ 500, "800003" }, refusal(fetch_with("status=500")))
  end)

  sandbox_it("have a Retry-After header in each format", function()
    local function wait(value)
      return fetch_with("status=503; retry_after=" .. value).headers["retry-after"]
    end
    assert.equal("57", wait("57"))
    assert.matches("^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$", wait("date:30"))
    assert.equal("soon", wait("garbage"))
  end)

  sandbox_it("end after `times` requests with one request id", function()
    local function attempt(id)
      local headers = { "MS-RequestId: " .. id }
      return fetch({ settings = "status=503; times=2", headers = headers }).status
    end
    local first = shell("cat /proc/sys/kernel/random/uuid"):match("%S+")
    local second = shell("cat /proc/sys/kernel/random/uuid"):match("%S+")
    assert.same({ 503, 503, 200 }, { attempt(first), attempt(first), attempt(first) })
    assert.equal(503, attempt(second))
  end)

  sandbox_it("report missing MFA in every format that the service has used", function()
    assert.same({ 401, "900421" }, refusal(fetch_with("mfa=900421")))
    assert.matches("MFA", decode(fetch_with("mfa=900421")).description)
    assert.same({ 401, "10001" }, refusal(fetch_with("mfa=10001")))
    assert.matches("^<html>", fetch_with("mfa=html").body)
    for setting, status in pairs { claims401 = 401, claims403 = 403 } do
      local response = fetch_with("mfa=" .. setting)
      assert.equal(status, response.status)
      assert.matches('error="insufficient_claims", claims="[%w+/=]+"',
                     response.headers["www-authenticate"])
    end
  end)

  sandbox_it("report missing MFA in the reason phrase of HTTP/1.1 only",
             function()
    for _, url in ipairs { URL, HTTP_URL } do
      local response = fetch { settings = "mfa=reason", url = url .. PRINCIPALS,
                             args = { "--http1.1" } }
      assert.matches("^HTTP/1.1 401 Unauthorized %- MFA required\r\n", response.head)
      assert.equal("chunked", response.headers["transfer-encoding"])
      assert.same({ 0, "" }, { response.exit, response.body })
    end
    local response = fetch_with("mfa=reason")
    assert.same({ 401, "", "2" }, { response.status, response.body, response.version })
  end)

  sandbox_it("can be a redirect", function()
    local response = fetch_with("redirect=https://other.example/a?b=c")
    assert.same({ 302, "https://other.example/a?b=c" },
                { response.status, response.headers.location })
  end)
end)


describe("the sandbox's faults", function()
  sandbox_it("include a slow first byte and slow pieces", function()
    assert.is_true(fetch_with("delay=0.3").seconds >= 0.3)
    local slow = fetch_with("trickle=1")
    assert.is_true(slow.seconds >= 0.8)
    assert.equal(fetch({}).body, slow.body)
  end)

  sandbox_it("include connections that close before or within the response", function()
    for _, version in ipairs { "--http1.1", "--http2" } do
      local none = fetch { settings = "cut=headers", args = { version } }
      assert.is_true(none.exit ~= 0 and none.status == 0)
      local half = fetch { settings = "cut=body", args = { version, "--compressed" } }
      assert.is_true(half.exit ~= 0 and half.status == 200)
      assert.is_true(half.size > 0 and half.size < tonumber(half.headers["content-length"]))
    end
  end)

  sandbox_it("include bodies that are not JSON", function()
    local whole = fetch({}).body
    assert.equal(whole:sub(1, math.floor(#whole / 2)), fetch_with("body=truncated").body)
    assert.matches("^\137PNG", fetch_with("body=garbage").body)
    assert.equal("", fetch_with("body=empty").body)
    assert.matches("<title>Sign in", fetch_with("body=html").body)
    assert.equal("text/html", fetch_with("body=html").headers["content-type"])
    assert.equal("text/plain", fetch_with("body=text").headers["content-type"])
    assert.equal(10000, #fetch_with("body=deep").body)
  end)

  sandbox_it("include bodies that are too large, with and without Content-Length", function()
    for _, version in ipairs { "--http1.1", "--http2" } do
      local huge = fetch { settings = "body=huge; bytes=5000000", args = { version } }
      assert.same({ 5000000, nil, 0 }, { huge.size, huge.headers["content-length"], huge.exit })
    end
    local announced = fetch { settings = "body=huge-length",
                              args = { "--max-filesize", "1000000" } }
    assert.same({ 63, "314572800" }, { announced.exit, announced.headers["content-length"] })
  end)

  sandbox_it("include bodies of 300 MB by default", function()
    assert.equal(314572800, fetch({ settings = "body=huge", discard = true }).size)
  end)

  sandbox_it("include small bodies that inflate to large ones", function()
    local bomb = fetch { settings = "body=bomb; bytes=20000000" }
    assert.equal("gzip", bomb.headers["content-encoding"])
    assert.is_true(bomb.size < 200000)
    local inflated = fetch { settings = "body=bomb; bytes=20000000", args = { "--compressed" } }
    assert.equal(20000000, #inflated.body)
  end)

  sandbox_it("include connections that close after any number of bytes", function()
    local whole = #fetch({}).body
    for _, version in ipairs { "--http1.1", "--http2" } do
      local first, others
      for _ = 1, 50 do -- a reset discards unread bytes
        local cut = fetch { settings = "cut=random", args = { version } }
        assert.is_true(cut.exit ~= 0 and cut.size < whole)
        first = first or cut.size
        others = cut.size ~= first
        if others then
          break
        end
      end
      assert.is_true(others)
      local cut = fetch { settings = "cut=connection", args = { version } }
      assert.is_true(cut.exit ~= 0 and cut.size < whole)
    end
  end)

  sandbox_it("end one HTTP/2 stream, or the connection with all streams", function()
    local function outcomes(cut)
      return at_once { "delay=0.4", "delay=0.2; cut=" .. cut }
    end
    assert.same({ ["200"] = 1, cut = 1 }, outcomes "body")
    assert.same({ cut = 2 }, outcomes "connection")
  end)

  sandbox_it("include responses that pause in the middle", function()
    local whole = fetch({}).body
    for _, version in ipairs { "--http1.1", "--http2" } do
      local stalled = fetch { settings = "stall=0.3", args = { version, "--compressed" } }
      assert.is_true(stalled.seconds >= 0.3)
      assert.same({ 200, whole }, { stalled.status, stalled.body })
      local left = fetch { settings = "stall=5", args = { version, "--max-time", "0.5" } }
      assert.same({ 28, math.floor(#whole / 2) }, { left.exit, left.size })
    end
  end)

  sandbox_it("hit a share of the requests", function()
    local seen = at_once(many("chance=0.5; status=500", 60))
    assert.equal(60, seen["500"] + seen["200"])
    assert.is_true(seen["500"] > 10 and seen["500"] < 50)
  end)

  sandbox_it("are of four kinds with `mishaps`", function()
    local seen = at_once(many("mishaps=0.2", 100))
    for _, outcome in ipairs { "429", "503", "cut", "stalled", "200" } do
      assert.is_true((seen[outcome] or 0) > 0, outcome)
      seen[outcome] = nil
    end
    assert.same({}, seen)
  end)

  sandbox_it("include large headers and another Content-Type", function()
    for _, version in ipairs { "--http1.1", "--http2" } do
      local response = fetch { settings = "bigheaders=50000", args = { version } }
      assert.is_true(response.status == 200 and #response.head > 50000)
    end
    assert.equal("application/xml; x=y",
                 fetch_with("type=application/xml%3B x=y").headers["content-type"])
  end)

  sandbox_it("have presets", function()
    for name in pairs(settings.presets) do
      local wanted = name == "slow" and "slow; delay=0.1" or name
      if name ~= "huge" and name ~= "bomb" then
        assert.is_not_equal(400, fetch({ token = token.mint { scenario = wanted } }).status)
      end
    end
    assert.equal(429, fetch({ token = token.mint { scenario = "throttled" } }).status)
  end)
end)
