-- The transport outside of tasks, where it blocks; `spec.unit.concurrent` has the rest.
local fake_core = require "spec.support.fake_core"
local raised_by = require "spec.support.raised_by"
local version = require "pcapi.version"

local core, restore, curl

local function request(changes)
  local made = { method = "GET", url = "https://a.example/", headers = {}, timeout = 60,
                 connect_timeout = 15 }
  for name, value in pairs(changes or {}) do
    made[name] = value
  end
  return made
end

describe("pcapi.http.curl", function()
  before_each(function()
    core, restore = fake_core.install()
    curl = require "pcapi.http.curl"
  end)

  after_each(function() restore() end)

  it("opens no pool to sleep or to read the clock", function()
    local transport = curl.new()
    assert.equal(1000, transport:now())
    assert.is_true(transport:sleep(3))
    assert.equal(1003, transport:now())
    transport:close()
    assert.same({}, core.pools)
  end)

  it("connects with its options", function()
    curl.new({ ca_file = "f", proxy = "p", no_proxy = "n", http_version = "1.1",
               user_agent = "mine/1" }):send(request())
    assert.same({ ca_file = "f", proxy = "p", no_proxy = "n", http_1_1 = true,
                  allow_http = false, user_agent = "mine/1 pcapi/" .. version },
      core.sessions[1].options)
    curl.new({ ca_path = "d", allow_http = true }):send(request())
    assert.same({ ca_path = "d", http_1_1 = false, allow_http = true,
                  user_agent = "pcapi/" .. version }, core.sessions[2].options)
  end)

  it("waits for the response in slices, and passes the seconds to on_wait", function()
    core.respond = function() return { takes = 1.1 } end
    local waited = {}
    local transport = curl.new { on_wait = function(seconds) waited[#waited + 1] = seconds end }
    assert.equal(200, transport:send(request()).status)
    assert.same({ 0.25, 0.5, 0.75, 1 }, waited)
    assert.equal(1001.1, core.time)
  end)

  it("calls the on_wait of the request in place of its own", function()
    core.respond = function() return { takes = 0.3 } end
    local called
    curl.new({ on_wait = function() error "not this" end })
      :send(request { on_wait = function() called = true end })
    assert.is_true(called)
  end)

  it("sleeps in slices, and never too short", function()
    local waited = {}
    local transport = curl.new { on_wait = function(seconds) waited[#waited + 1] = seconds end }
    transport:sleep(0.6)
    assert.equal(3, #waited)
    assert.is_true(core.time >= 1000.6)
    transport:sleep(0)
    transport:sleep(-1)
    assert.equal(3, #waited)
  end)

  it("reuses its connection for the next request", function()
    local transport = curl.new()
    for _ = 1, 3 do
      transport:send(request())
    end
    assert.equal(1, #core.sessions)
    assert.is_nil(core.pools[1].limits.watched) -- a loop's way costs more for one
  end)

  it("returns each its own response if on_wait sends a request", function()
    core.respond = function(sent) return { takes = 1, body = sent.url } end
    local transport, inner = curl.new(), nil
    local outer = transport:send(request { url = "outer", on_wait = function()
      inner = inner or transport:send(request { url = "inner" })
    end })
    assert.equal("outer", outer.body)
    assert.equal("inner", inner.body)
    assert.equal(2, #core.sessions)
  end)

  describe("closed by on_wait", function()
    before_each(function()
      core.respond = function() return { takes = 10 } end
    end)

    it("returns an error, and sends the next request", function()
      local transport = curl.new()
      local response, err = transport:send(request { on_wait = function() transport:close() end })
      assert.is_nil(response)
      assert.equal("stopped", err.kind)
      assert.equal(0, core.running)
      assert.equal(200, transport:send(request()).status)
    end)

    it("and used again there, returns each its own result", function()
      local transport, inner = curl.new(), nil
      local response, err = transport:send(request { on_wait = function()
        transport:close()
        inner = transport:send(request())
      end })
      assert.is_nil(response)
      assert.equal("stopped", err.kind)
      assert.equal(200, inner.status)
    end)
  end)

  it("works after on_wait has raised an error, and close cancels that request", function()
    core.respond = function(_, number) return { takes = number == 1 and 10 or 1 } end
    local transport = curl.new()
    assert.matches("enough", raised_by(transport.send, transport, request {
      on_wait = function() error "enough" end }))
    assert.equal(200, transport:send(request()).status)
    assert.equal(1, core.running)
    transport:close()
    assert.equal(0, core.running)
  end)

  it("returns kind, message, hint and timing of a failure", function()
    core.timing = { total = 1 }
    for kind, hint in pairs { network = "proxy", tls = "ca_file", config = "address" } do
      core.respond = function() return { kind = kind, message = "said" } end
      local response, err = curl.new():send(request { timing = true })
      assert.is_nil(response)
      assert.equal(kind, err.kind)
      assert.equal("said", err.message)
      assert.matches(hint, err.hint)
      assert.equal(core.timing, err.timing)
    end
  end)
end)
