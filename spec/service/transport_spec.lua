--- Requests over libcurl; request_spec has those over any transport.
local core = require "pcapi.core"
local pcapi = require "pcapi"
local kind_of = require "spec.support.kind_of"
local sandbox = require "spec.support.sandbox"

local fetch, authorized = sandbox.fetch, sandbox.authorized

-- Waits for the response of a session of the core.
local function response_of(session)
  local response
  repeat
    response = session:result(1)
  until response ~= false
  return assert(response)
end

describe("a request over libcurl", function()
  it("negotiates HTTP/2", function()
    assert.equal(2, assert(fetch "/_sandbox/echo").version)
  end)

  it("reuses the connection of its session for the next request", function()
    local pool = core.pool {}
    local session = pool:http { ca_file = sandbox.ca_file }
    local function send()
      assert(session:start({ method = "GET", url = sandbox.url .. "/_sandbox/echo", timeout = 5,
                             connect_timeout = 5, max_body = 1e6, max_headers = 1e5 }, true))
      return core.decode(response_of(session).body).connection
    end
    local first = send()
    assert.truthy(first)
    assert.equal(first, send())
    session:close()
    pool:close()
  end)

  it("has nothing of a request that was refused before it was sent", function()
    local pool = core.pool {}
    local session = pool:http { ca_file = sandbox.ca_file }
    local request = { method = "GET", url = sandbox.url .. "/_sandbox/echo", timeout = 5,
                      connect_timeout = 5, max_body = 1e6, max_headers = 1e5 }
    for _, second in ipairs { "X-Two: a\nb", "X-Two: a\0b", false } do
      request.headers = { "Authorization: Bearer LEFT", second }
      pcall(session.start, session, request)
      request.headers = nil
      assert(session:start(request))
      assert.is_nil(response_of(session).body:find("LEFT", 1, true))
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

  it("is closed if on_wait raises an error", function()
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

  it("shares one connection with other calls of fetch, with and without on_wait", function()
    local connections = {}
    for i = 1, 4 do
      connections[assert(fetch("/_sandbox/echo", {
        on_wait = i % 2 == 0 and function() end or nil,
      })).json.connection] = true
    end
    local first = next(connections)
    assert.is_nil(next(connections, first))
  end)

  it("leaves no session open after a failure", function()
    sandbox.leaves_nothing(function()
      for _, settings in ipairs { "cut=headers", "cut=body", "body=garbage" } do
        pcapi.new { token = "x", base_url = sandbox.url, ca_file = sandbox.ca_file,
                    retry = { attempts = 1 }, headers = { ["X-Sandbox"] = settings } }
          :request("GET", "/v1/customers")
      end
    end)
  end)
end)

describe("a request over libcurl that fails", function()
  it("names an unknown host", function()
    local kind, err = kind_of(pcapi.fetch "https://nowhere.invalid/")
    assert.equal("network", kind)
    assert.truthy(tostring(err):find("nowhere.invalid", 1, true))
  end)

  it("does not trust another CA unless the options name it", function()
    assert.equal("tls", (kind_of(pcapi.fetch(sandbox.url .. "/_sandbox/echo"))))
  end)

  it("trusts the CAs of a hashed directory", function()
    assert.equal(200, assert(pcapi.fetch(sandbox.url .. "/_sandbox/echo",
      { ca_path = sandbox.ca_path })).status)
  end)

  it("names a CA file that cannot be read", function()
    local kind, err = kind_of(pcapi.fetch(sandbox.url, { ca_file = "/nowhere/ca.pem" }))
    assert.equal("config", kind)
    assert.truthy(tostring(err):find("/nowhere/ca.pem", 1, true))
  end)
end)

describe("a proxy", function()
  local closed = sandbox.env("PCAPI_SANDBOX_CLOSED_URL"):gsub("^https", "http")

  it("is used if the options name it", function()
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
