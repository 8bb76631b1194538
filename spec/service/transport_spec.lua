local core = require "pcapi.core"
local pcapi = require "pcapi"
local sandbox = require "spec.support.sandbox"

local function fetch(path, options)
  return pcapi.fetch(sandbox.url .. path, sandbox.fetch_options(options))
end

local function authorized(settings, options)
  options = options or {}
  options.headers = {
    Accept = "application/json", Authorization = "Bearer " .. sandbox.token(),
    ["X-Sandbox"] = settings,
  }
  return fetch("/v1/nonMfaCompliantPartnerPrincipals", options)
end

describe("an exchange", function()
  it("gives status, headers in lower case, body and decoded JSON", function()
    local response = assert(fetch "/_sandbox/echo")
    assert.equal(200, response.status)
    assert.truthy(response.headers["content-type"]:find "json")
    assert.equal("GET", response.json.method)
    assert.truthy(response.body:find "GET")
  end)

  it("sends method, headers and body as they were given", function()
    local response = assert(fetch("/_sandbox/echo", {
      method = "PUT", body = "a=1\0b", headers = { ["X-Thing"] = "value" },
    }))
    assert.equal("PUT", response.json.method)
    assert.equal("a=1\0b", response.json.body)
    assert.equal("value", response.json.headers["x-thing"])
  end)

  it("negotiates HTTP/2 and keeps to HTTP/1.1 when asked", function()
    assert.equal(2, assert(fetch "/_sandbox/echo").version)
    assert.equal(1.1, assert(fetch("/_sandbox/echo", { http_version = "1.1" })).version)
  end)

  it("names itself and offers compression", function()
    local headers = assert(fetch("/_sandbox/echo", { user_agent = "my-job/2" })).json.headers
    assert.equal("my-job/2 pcapi/" .. pcapi._VERSION, headers["user-agent"])
    assert.truthy(headers["accept-encoding"]:find "gzip")
  end)

  it("joins a header that comes more than once", function()
    assert.equal("first, second", assert(fetch "/_sandbox/echo").headers["x-twice"])
  end)

  it("inflates a compressed answer", function()
    local response = assert(authorized "records=2000")
    assert.equal("gzip", response.headers["content-encoding"])
    assert.equal(2000, #response.json.items)
  end)

  it("returns any status as an answer and follows no redirect", function()
    assert.equal(401, assert(fetch "/v1/customers").status)
    local response = assert(authorized("redirect=" .. sandbox.url .. "/_sandbox/echo"))
    assert.equal(302, response.status)
  end)

  it("drops the byte order mark of JSON and keeps other bodies byte for byte", function()
    assert.equal("{", assert(authorized "bom=1").body:sub(1, 1))
    assert.equal("ok", (assert(fetch "/_sandbox/health").body:gsub("%s", "")))
  end)

  it("keeps the connection for the next one", function()
    local pool = core.pool {}
    local session = pool:http { ca_file = sandbox.ca_file }
    local function ask()
      assert(session:start { method = "GET", url = sandbox.url .. "/_sandbox/echo", timeout = 5,
                             connect_timeout = 5, max_body = 1e6, max_headers = 1e5 })
      local response
      repeat
        pool:wait(1)
        pool:next()
        response = session:result()
      until response ~= false
      assert.truthy(response)
      return core.decode(session:body()).connection
    end
    local first = ask()
    assert.truthy(first)
    assert.equal(first, ask())
    session:close()
    pool:close()
  end)

  it("takes nothing over from a request that was refused before it was sent", function()
    local pool = core.pool {}
    local session = pool:http { ca_file = sandbox.ca_file }
    local request = { method = "GET", url = sandbox.url .. "/_sandbox/echo", timeout = 5,
                      connect_timeout = 5, max_body = 1e6, max_headers = 1e5 }
    for _, second in ipairs { "X-Two: a\nb", "X-Two: a\0b", false } do
      request.headers = { "Authorization: Bearer LEFT", second }
      pcall(session.start, session, request)
      request.headers = nil
      assert(session:start(request))
      local response
      repeat
        pool:wait(1)
        pool:next()
        response = session:result()
      until response ~= false
      assert.is_nil(session:body():find("LEFT", 1, true))
    end
    session:close()
    pool:close()
  end)

  it("calls on_wait while it waits", function()
    local seen = {}
    assert(authorized("delay=0.7", {
      on_wait = function(seconds)
        seen[#seen + 1] = seconds
      end,
    }))
    assert.is_true(#seen >= 2)
    assert.is_true(seen[2] > seen[1])
  end)

  it("closes what was in flight when on_wait raises", function()
    sandbox.leaves_nothing(function()
      local client = sandbox.client("delay=5", { on_wait = function()
        error "enough"
      end })
      assert.has_error(function()
        client.security:non_mfa_principals()
      end)
      local before = core.live()
      client:close()
      assert.equal(before - 2, core.live()) -- its session and its pool
    end)
  end)

  it("keeps one connection for fetch, with and without on_wait", function()
    local connections = {}
    for i = 1, 4 do
      connections[assert(fetch("/_sandbox/echo", {
        on_wait = i % 2 == 0 and function() end or nil,
      })).json.connection] = true
    end
    local first = next(connections)
    assert.is_nil(next(connections, first))
  end)

  it("asks by HEAD for the headers of what is too large to fetch", function()
    local response = assert(fetch("/_sandbox/echo", { method = "HEAD", max_body = 10 }))
    assert.equal(200, response.status)
    assert.equal("", response.body)
  end)

  it("refuses a body with GET, which would go out as a POST", function()
    assert.has_error(function()
      fetch("/_sandbox/echo", { body = "x" })
    end)
  end)

  it("leaves no session open after any failure", function()
    sandbox.leaves_nothing(function()
      for _, settings in ipairs { "cut=headers", "cut=body", "body=garbage" } do
        pcapi.new { token = "x", base_url = sandbox.url, ca_file = sandbox.ca_file,
                    retry = { attempts = 1 }, headers = { ["X-Sandbox"] = settings } }
          :request("GET", "/v1/customers")
      end
    end)
  end)
end)

describe("an exchange that fails", function()
  local function kind_of(...)
    local response, err = ...
    assert.is_nil(response)
    assert.is_true(pcapi.is_error(err))
    return err.kind, err
  end

  it("says that nobody listens", function()
    assert.equal("network", (kind_of(pcapi.fetch(sandbox.env "PCAPI_SANDBOX_CLOSED_URL"))))
  end)

  it("says that a name is unknown", function()
    local kind, err = kind_of(pcapi.fetch "https://nowhere.invalid/")
    assert.equal("network", kind)
    assert.truthy(tostring(err):find("nowhere.invalid", 1, true))
  end)

  for name, variable in pairs {
    ["an unknown CA signed"] = "UNTRUSTED_URL", ["another host has"] = "OTHER_HOST_URL",
    ["has expired"] = "EXPIRED_URL",
  } do
    it("refuses a certificate that " .. name, function()
      local kind, err = kind_of(pcapi.fetch(
        sandbox.env("PCAPI_SANDBOX_" .. variable) .. "/_sandbox/echo", sandbox.fetch_options()))
      assert.equal("tls", kind)
      assert.truthy(err.hint:find "ca_file")
    end)
  end

  it("refuses TLS below 1.2", function()
    assert.equal("tls", (kind_of(pcapi.fetch(
      sandbox.env "PCAPI_SANDBOX_TLS11_URL" .. "/_sandbox/echo", sandbox.fetch_options()))))
  end)

  it("does not trust the sandbox's CA unless told", function()
    assert.equal("tls", (kind_of(pcapi.fetch(sandbox.url .. "/_sandbox/echo"))))
  end)

  it("trusts a hashed directory", function()
    assert.equal(200, assert(pcapi.fetch(sandbox.url .. "/_sandbox/echo",
      { ca_path = sandbox.ca_path })).status)
  end)

  it("names a CA file that cannot be read", function()
    local kind, err = kind_of(pcapi.fetch(sandbox.url, { ca_file = "/nowhere/ca.pem" }))
    assert.equal("config", kind)
    assert.truthy(tostring(err):find("/nowhere/ca.pem", 1, true))
  end)

  it("ends at its deadline", function()
    local started = core.now()
    assert.equal("timeout", (kind_of(authorized("delay=5", { timeout = 0.3 }))))
    assert.is_true(core.now() - started < 2)
  end)

  it("ends at its deadline while bytes trickle in", function()
    assert.equal("timeout", (kind_of(authorized("trickle=1", { timeout = 0.5 }))))
  end)

  it("says that the connection broke", function()
    assert.equal("network", (kind_of(authorized("cut=headers"))))
    assert.equal("network", (kind_of(authorized("cut=body"))))
  end)

  it("refuses a body above the ceiling, with and without its length told", function()
    for _, body in ipairs { "huge", "huge-length", "bomb" } do
      local kind, err = kind_of(authorized("body=" .. body, { max_body = 1e6 }))
      assert.equal("protocol", kind)
      assert.truthy(tostring(err):find("max_body", 1, true))
    end
  end)

  it("refuses headers above the ceiling", function()
    local kind, err = kind_of(authorized("bigheaders=100000"))
    assert.equal("protocol", kind, tostring(err))
  end)

  it("names the offset of what is not JSON", function()
    local kind, err = kind_of(authorized("body=truncated"))
    assert.equal("protocol", kind)
    assert.truthy(tostring(err):find "not JSON .* at byte %d+")
  end)

  it("reaches loopback over plain HTTP only where that is allowed", function()
    assert.has_error(function()
      pcapi.fetch(sandbox.http_url)
    end)
    assert.equal(200, assert(pcapi.fetch(sandbox.http_url .. "/_sandbox/echo",
      { allow_http = true })).status)
  end)

  it("raises for an address that would go out in the clear", function()
    assert.has_error(function()
      pcapi.fetch("http://example.com/", { allow_http = true })
    end)
  end)
end)

describe("a proxy", function()
  local closed = sandbox.env("PCAPI_SANDBOX_CLOSED_URL"):gsub("^https", "http")

  it("is used where it is given", function()
    local response, err = fetch("/_sandbox/echo", { proxy = closed, no_proxy = "" })
    assert.is_nil(response)
    assert.equal("network", err.kind)
  end)

  it("is not used for hosts in no_proxy", function()
    assert.equal(200, assert(fetch("/_sandbox/echo",
      { proxy = closed, no_proxy = "localhost" })).status)
  end)

  it("is taken from the environment", function()
    local result = sandbox.pcapi({ "--timeout", "2", "non-mfa" },
      { https_proxy = closed, no_proxy = "", NO_PROXY = "" })
    assert.equal(6, result.status)
    result = sandbox.pcapi({ "non-mfa" }, { https_proxy = closed, no_proxy = "localhost" })
    assert.equal(0, result.status, result.err)
  end)
end)
