--- Requests over any transport: these specs also run inside nginx.
local core = require "pcapi.core"
local kind_of = require "spec.support.kind_of"
local sandbox = require "spec.support.sandbox"

local pcapi = sandbox.library

local fetch, authorized = sandbox.fetch, sandbox.authorized

describe("a request", function()
  it("returns status, headers in lower case, body and decoded JSON", function()
    local response = assert(fetch "/_sandbox/echo")
    assert.equal(200, response.status)
    assert.truthy(response.headers["content-type"]:find "json")
    assert.equal("GET", response.json.method)
    assert.truthy(response.body:find "GET")
  end)

  it("sends method, headers and body unchanged", function()
    local response = assert(fetch("/_sandbox/echo", {
      method = "PUT", body = "a=1\0b", headers = { ["X-Thing"] = "value" },
    }))
    assert.equal("PUT", response.json.method)
    assert.equal("a=1\0b", response.json.body)
    assert.equal("value", response.json.headers["x-thing"])
  end)

  it("uses HTTP/1.1 if the options say so", function()
    local response = assert(fetch("/_sandbox/echo", { http_version = "1.1" }))
    assert.equal(1.1, response.version)
    assert.equal("1.1", response.json.http_version)
  end)

  it("reuses its connection for the next request", function()
    local first = assert(fetch "/_sandbox/echo").json.connection
    assert.equal(first, assert(fetch "/_sandbox/echo").json.connection)
  end)

  it("sends a user agent and offers compression", function()
    local headers = assert(fetch("/_sandbox/echo", { user_agent = "my-job/2" })).json.headers
    assert.equal("my-job/2 pcapi/" .. pcapi._VERSION, headers["user-agent"])
    assert.truthy(headers["accept-encoding"]:find "gzip")
  end)

  it("sends the caller's user agent and coding in place of its own", function()
    local headers = assert(fetch("/_sandbox/echo", {
      headers = { ["user-agent"] = "mine", ["ACCEPT-ENCODING"] = "identity" },
    })).json.headers
    assert.same({ "mine", "identity" }, { headers["user-agent"], headers["accept-encoding"] })
  end)

  it("joins a header that comes more than once", function()
    assert.equal("first, second", assert(fetch "/_sandbox/echo").headers["x-twice"])
  end)

  it("decompresses a response", function()
    local response = assert(authorized "records=2000")
    assert.equal("gzip", response.headers["content-encoding"])
    assert.equal(2000, #response.json.items)
  end)

  it("returns a response of any status, and follows no redirect", function()
    assert.equal(401, assert(fetch "/v1/customers").status)
    local response = assert(authorized("redirect=" .. sandbox.url .. "/_sandbox/echo"))
    assert.equal(302, response.status)
  end)

  it("removes the byte order mark of JSON, and keeps other bodies unchanged", function()
    assert.equal("{", assert(authorized "bom=1").body:sub(1, 1))
    assert.equal("ok", (assert(fetch "/_sandbox/health").body:gsub("%s", "")))
  end)

  it("gets the headers of a large response by HEAD", function()
    local response = assert(fetch("/_sandbox/echo", { method = "HEAD", max_body = 10 }))
    assert.equal(200, response.status)
    assert.equal("", response.body)
  end)

  it("refuses a GET with a body, which libcurl would send as a POST", function()
    assert.has_error(function()
      fetch("/_sandbox/echo", { body = "x" })
    end)
  end)
end)

describe("a request with retry", function()
  local ids = 0

  -- Faults of the sandbox are counted by MS-RequestId. Returns what fetch returns, and the seconds.
  local function fetch_again(settings, options)
    ids = ids + 1
    local all = sandbox.merged({ retry = { base = 0.01 }, timeout = 10 }, options)
    all.headers = {
      Authorization = "Bearer " .. sandbox.token(), ["X-Sandbox"] = settings,
      ["MS-RequestId"] = ("00000000-0000-4000-8000-%012d"):format(ids),
    }
    local started = core.now()
    local response, err = fetch("/v1/customers", all)
    return response, err, core.now() - started
  end

  it("is repeated after a failure, until the response is good", function()
    local response = assert(fetch_again "status=500; times=2")
    assert.same({ 200, 3 }, { response.status, response.attempts })
    assert.equal(3, #response.json.items)
  end)

  it("is repeated after its connection was cut", function()
    local response = assert(fetch_again "cut=body; times=1")
    assert.same({ 200, 2 }, { response.status, response.attempts })
  end)

  it("waits as long as the service demands", function()
    local response, _, seconds = fetch_again "busy"
    assert.equal(2, response.attempts)
    assert.is_true(seconds >= 1, seconds)
  end)

  it("returns the last response if all attempts fail", function()
    local response = assert(fetch_again("status=503; text=enough", { retry = {
      attempts = 2, base = 0.01 } }))
    assert.same({ 503, 2 }, { response.status, response.attempts })
    assert.truthy(response.body:find("enough", 1, true))
  end)

  it("ends within its timeout", function()
    local response, _, seconds = fetch_again("throttled-for-good", { timeout = 2 })
    assert.same({ 429, 1 }, { response.status, response.attempts })
    assert.is_true(seconds < 2)
    local _, err
    _, err, seconds = fetch_again("delay=5", { timeout = 0.5 })
    assert.equal("timeout", err.kind)
    assert.is_true(seconds < 2)
  end)

  it("repeats a POST only after a 429, or if resend allows it", function()
    local post = { method = "POST", body = "{}" }
    local function outcome(settings)
      local response = assert(fetch_again(settings, post))
      return { response.status, response.attempts }
    end
    assert.same({ 503, 1 }, outcome "status=503; times=1")
    assert.same({ 201, 2 }, outcome "status=429; times=1")
    post.retry = { base = 0.01, resend = true }
    assert.same({ 201, 2 }, outcome "status=503; times=1")
  end)
end)

describe("a request that fails", function()
  it("returns a network error if no server listens", function()
    assert.equal("network", (kind_of(pcapi.fetch(sandbox.env "PCAPI_SANDBOX_CLOSED_URL"))))
  end)

  for name, case in pairs {
    ["an unknown CA signed"] = { "UNTRUSTED_URL", sandbox.ca_setting },
    ["another host has"] = { "OTHER_HOST_URL", "address" },
    ["has expired"] = { "EXPIRED_URL", os.date "!%Y-%m-%d" },
  } do
    it("refuses a certificate that " .. name .. ", and names the cause", function()
      local kind, err
      for _ = 1, 30 do -- ngx_lua may lose the reason, see pcapi.nginx.cosocket
        kind, err = kind_of(pcapi.fetch(
          sandbox.env("PCAPI_SANDBOX_" .. case[1]) .. "/_sandbox/echo", sandbox.fetch_options()))
        if not err.message:find("its certificate was refused", 1, true) then
          break
        end
      end
      assert.equal("tls", kind, tostring(err))
      assert.truthy(tostring(err):find(case[2], 1, true), tostring(err))
    end)
  end

  it("refuses TLS below 1.2", function()
    assert.equal("tls", (kind_of(pcapi.fetch(
      sandbox.env "PCAPI_SANDBOX_TLS11_URL" .. "/_sandbox/echo", sandbox.fetch_options()))))
  end)

  it("ends at its deadline", function()
    local started = core.now()
    local kind, err = kind_of(authorized("delay=5", { timeout = 0.3 }))
    assert.equal("timeout", kind)
    assert.equal("Raise timeout (now 0.3 s), or try again later", err.hint)
    assert.is_true(core.now() - started < 2)
  end)

  it("ends at its deadline while bytes trickle in", function()
    assert.equal("timeout", (kind_of(authorized("trickle=1", { timeout = 0.5 }))))
  end)

  it("returns a network error if the connection breaks", function()
    assert.equal("network", (kind_of(authorized("cut=headers"))))
    assert.equal("network", (kind_of(authorized("cut=body"))))
  end)

  it("refuses a body above max_body, with or without Content-Length", function()
    for _, body in ipairs { "huge", "huge-length", "bomb" } do
      local kind, err = kind_of(authorized("body=" .. body, { max_body = 1e6 }))
      assert.equal("protocol", kind)
      assert.equal("protocol: the response is larger than 976.6 KiB. Raise max_body if you expect "
        .. "so much", tostring(err))
    end
  end)

  it("refuses headers above their limit", function()
    local kind, err = kind_of(authorized("bigheaders=100000"))
    assert.equal("protocol", kind, tostring(err))
    assert.matches("headers of the response are larger than 64 KiB", err.message, 1, true)
  end)

  it("returns the offset of invalid JSON", function()
    local kind, err = kind_of(authorized("body=truncated"))
    assert.equal("protocol", kind)
    assert.truthy(tostring(err):find "not JSON .* at byte %d+")
  end)

  it("goes to loopback by http only if that is allowed", function()
    assert.has_error(function()
      pcapi.fetch(sandbox.http_url)
    end)
    assert.equal(200, assert(pcapi.fetch(sandbox.http_url .. "/_sandbox/echo",
      { allow_http = true })).status)
  end)

  it("raises an error for an http address of another host", function()
    assert.has_error(function()
      pcapi.fetch("http://example.com/", { allow_http = true })
    end)
  end)
end)
