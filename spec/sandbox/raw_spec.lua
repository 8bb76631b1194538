--- Tests the sandbox's server for raw bytes with libcurl.
local core = require "pcapi.core"
local raw = require "spec.support.raw"
local sandbox = require "spec.support.sandbox"

local HI = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

local function fetch(url, options)
  return sandbox.library.fetch(url, sandbox.merged({
    ca_file = sandbox.ca_file, allow_http = url:find "^http:" and true or nil, timeout = 5,
  }, options))
end

describe("the server for raw bytes", function()
  local server
  setup(function() server = raw.start { relay = sandbox.url } end)
  teardown(raw.stop_all)

  it("counts connections and requests", function()
    server:play { { { HI }, again = true } }
    assert.equal("hi", assert(fetch(server.http .. "/a")).body)
    assert(fetch(server.http .. "/b", { method = "PUT", body = "xyz" }))
    assert(fetch(server.https .. "/c"))
    local agent = "pcapi/" .. sandbox.library._VERSION
    assert.same({ connections = 2, relayed = 0, requests = {
      { connection = 1, length = 0, line = "GET /a HTTP/1.1", agent = agent },
      { connection = 1, length = 3, line = "PUT /b HTTP/1.1", agent = agent },
      { connection = 2, length = 0, line = "GET /c HTTP/1.1", agent = agent },
    } }, server:seen())
  end)

  it("sends each connection and each request its own response", function()
    local function response(text)
      return { (HI:gsub("hi$", text)) }
    end
    server:play { { response "11", response "12" }, { response "21" }, { response "31" } }
    local bodies = {}
    for i = 1, 5 do
      bodies[i] = assert(fetch(server.http .. "/")).body
    end
    assert.same({ "11", "12", "21", "31", "31" }, bodies)
  end)

  for _, name in ipairs { "http", "https" } do
    it("closes, resets and stays silent over " .. name, function()
      local url = server[name] .. "/"
      server:play { { { "HTTP/1.1 200 OK\r\n\r\nhi" } } }
      assert.equal("hi", assert(fetch(url)).body)
      server:play { { { "HTTP/1.1 200 OK\r\n\r\nhi", { half = true }, { silent = true } } } }
      assert.equal("hi", assert(fetch(url)).body)
      server:play { { { "HTTP/1.1 200 OK\r\n\r\nhi", { wait = 100 }, { reset = true } } } }
      local response, err = fetch(url)
      assert.is_nil(response)
      assert.equal("network", err.kind)
      assert.truthy(tostring(err):find("reset", 1, true))
      server:play { { { { silent = true } } } }
      assert.equal("timeout", select(2, fetch(url, { timeout = 0.2 })).kind)
    end)
  end

  it("sends slowly", function()
    server:play { { { { HI, piece = 1, every = 5 } } } }
    local started = core.now()
    assert.equal("hi", assert(fetch(server.http .. "/")).body)
    assert.is_true(core.now() - started >= #HI * 0.005)
  end)

  it("relays until connections are muted, and relays new ones", function()
    server:play { { {} } }
    local url = server.relay .. "/_sandbox/health"
    assert.equal("ok", assert(fetch(url)).body)
    server:mute()
    local fresh = sandbox.transport()
    assert.equal("timeout", select(2, fetch(url, { timeout = 0.3 })).kind)
    local response = assert(fresh:send {
      method = "GET", url = url, timeout = 5, connect_timeout = 5, max_body = 100,
      max_headers = 10000,
    })
    assert.equal("ok", response.body)
    fresh:close()
    assert.equal(2, server:seen().relayed)
  end)
end)
