--- Connections that fall silent: a firewall or a proxy drops their packets without notice, while
-- new connections work.
local core = require "pcapi.core"
local pcapi = require "pcapi"
local raw = require "spec.support.raw"
local sandbox = require "spec.support.sandbox"
local sessions = require "pcapi.http.sessions"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

describe("a connection that falls silent", function()
  local server, silence

  before_each(function()
    server = raw.start { relay = sandbox.url }
    silence = require("pcapi.http.limits").SILENCE
  end)

  after_each(function()
    require("pcapi.http.limits").SILENCE = silence
    raw.stop_all()
  end)

  local function client(options)
    options.token, options.base_url, options.ca_file = "a.b.c", server.relay, sandbox.ca_file
    options.retry = { attempts = 1 }
    return pcapi.new(options)
  end

  local function send(from)
    return from:request("GET", "/_sandbox/echo")
  end

  for _, version in ipairs { "2", "1.1" } do
    describe("over HTTP/" .. version, function()
      it("lets one call time out, and none after it", function()
        local one = client { timeout = 0.5, http_version = version }
        assert(send(one))
        server:mute()
        local response, err = send(one)
        assert.is_nil(response)
        assert.equal("timeout", err.kind)
        for _ = 1, 5 do
          assert(send(one))
        end
        one:close()
      end)

      it("lets no call fail whose timeout is longer than the silence", function()
        require("pcapi.http.limits").SILENCE = 0.5
        local one = client { timeout = 10, http_version = version }
        assert(send(one))
        server:mute()
        local started = core.now()
        assert(send(one))
        local took = core.now() - started
        assert.is_true(took >= 0.5 and took < 3, "took " .. took)
        started = core.now()
        for _ = 1, 5 do
          assert(send(one))
        end
        assert.is_true(core.now() - started < 2)
        one:close()
      end)

      it("lets no task fail whose timeout is longer than the silence", function()
        require("pcapi.http.limits").SILENCE = 0.5
        local one = client { timeout = 10, http_version = version }
        local loop = assert(pcapi.concurrent.new { limit = 10 })
        local function tasks(count)
          local all = {}
          for i = 1, count do
            all[i] = function() return send(one) end
          end
          return all
        end
        assert.equal(0, loop:run(tasks(20)).failed)
        server:mute()
        assert.equal(0, loop:run(tasks(60)).failed)
        loop:close()
        one:close()
      end)

      it("lets the tasks that use it fail, and none after them", function()
        local one = client { timeout = 0.5, http_version = version }
        local all, loop = {}, assert(pcapi.concurrent.new { limit = 10 })
        for i = 1, 60 do
          all[i] = function() return send(one) end
        end
        assert.equal(0, loop:run(all).failed)
        server:mute()
        local failed = loop:run(all).failed
        assert.is_true(failed >= 1 and failed <= 10, failed .. " failed")
        loop:close()
        one:close()
      end)
    end)
  end

  it("costs a single timeout, also with nineteen idle ones like it", function()
    local all, script, loop = {}, {}, assert(pcapi.concurrent.new { limit = 20 })
    for i = 1, 20 do
      script[i] = { { { wait = 300 }, OK }, { { silent = true } } }
      all[i] = function()
        return pcapi.fetch(server.https .. "/", { ca_file = sandbox.ca_file, timeout = 2 })
      end
    end
    script[21] = { { OK }, again = true }
    server:play(script)
    for _, task in ipairs(loop:run(all)) do
      assert.is_nil(task.err)
    end
    assert.equal(20, server:seen().connections)
    local failed = 0
    for i = 1, 20 do
      failed = failed + loop:run({ all[i] }).failed
    end
    assert.equal(1, failed)
    loop:close()
  end)

  it("keeps a request that may not be repeated", function()
    require("pcapi.http.limits").SILENCE = 0.3
    server:play { { { { wait = 1000 }, OK } } }
    local response = assert(pcapi.fetch(server.http .. "/", { allow_http = true, method = "POST",
      body = "a=b", timeout = 10 }))
    assert.equal("ok", response.body)
    assert.equal(1, #server:seen().requests)
  end)

  it("keeps a request until the deadline if it is new", function()
    local made = sessions.new { idle = 1, silence = 0.3 }
    server:play { { { { wait = 1500 }, OK } } }
    local session = assert(made:start(sessions.connection { allow_http = true }, {
      method = "GET", url = server.http .. "/", timeout = 5, connect_timeout = 5,
      max_body = 1e6, max_headers = 1e5 }))
    local response
    repeat
      made.pool:wait(1)
      made.pool:next()
      response = made:response(session, { max_body = 1e6 })
    until response ~= false
    assert.equal(200, response.status)
    assert.equal(1, #server:seen().requests)
    made:close()
  end)

  it("keeps a request while it responds to other requests", function()
    require("pcapi.http.limits").SILENCE = 0.4
    local one = client { timeout = 10 }
    local function slow()
      return one:request("GET", "/_sandbox/echo", { headers = { ["X-Sandbox"] = "delay=1.5" } })
    end
    local function busy()
      local response
      for _ = 1, 15 do
        response = assert(send(one))
        core.sleep(0.001)
        one.transport:sleep(0.1)
      end
      return response
    end
    local loop = assert(pcapi.concurrent.new { limit = 10 })
    loop:run { function() return send(one) end }
    local results = loop:run { slow, busy }
    assert.equal(0, results.failed)
    assert.equal(1, server:seen().relayed)
    loop:close()
    one:close()
  end)
end)
