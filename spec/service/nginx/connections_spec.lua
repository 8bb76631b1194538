--- Idle connections inside nginx, and connections that break.
local core = require "pcapi.core"
local curl = require "spec.support.curl"
local fetching = require "spec.support.fetching"
local literal = require "spec.support.literal"
local nginx = require "spec.support.nginx"
local sandbox = require "spec.support.sandbox"

local PID = sandbox.env "PCAPI_SANDBOX_PID"
local BARE = "env -u LD_PRELOAD " -- without the sanitizer that specs may run under

local server
before_each(function() server = fetching.start() end)
after_each(nginx.stop_all)

describe("an idle connection", function()
  it("is used again, so there are no more connections than requests at once", function()
    local label = core.uuid()
    local code = ([[
      local status = fetch(SANDBOX .. PATH, { headers = { Authorization = "Bearer " .. TOKEN,
        Accept = "application/json", ["X-Sandbox"] = "delay=0.05; label=%s" } })
      return status
    ]]):format(label)
    for _ = 1, 5 do
      for _, result in ipairs(server:run_all(20, code)) do
        assert.equal(200, result.values[1])
      end
    end
    local gauge = fetching.gauge(label)
    assert.equal(100, gauge.requests)
    assert.is_true(gauge.connections <= gauge.most_at_once, gauge.connections .. " connections")
  end)

  it("is shared by clients and fetch", function()
    assert.is_true(server:run [[
      local a = pcapi.fetch(SANDBOX .. "/_sandbox/echo").json.connection
      local client = pcapi.new { base_url = SANDBOX, token = TOKEN }
      return a == client:request("GET", "/_sandbox/echo").json.connection
    ]])
  end)

  it("is not used for a request that must not be sent twice", function()
    assert.equal(6, server:run [[
      local seen, count = {}, 0
      for _, method in ipairs { "GET", "POST", "PATCH", "POST", "PATCH", "POST" } do
        seen[pcapi.fetch(SANDBOX .. "/_sandbox/echo", { method = method }).json.connection] = true
      end
      for _ in pairs(seen) do count = count + 1 end
      return count
    ]])
  end)

  it("is not used after a response that more data followed", function()
    local address = fetching.raw(server, [[
      socket:send "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndoneHTTP/1.1 200 OK\r\n"
      socket:send "Content-Length: 4\r\n\r\nevil"
      socket:receive "*l"]])
    for _ = 1, 3 do
      assert.equal("done", (select(4, fetching.fetch(server, address))))
    end
  end)
end)

describe("an idle connection that the server has closed", function()
  -- Responds once, and closes the connection if it gets a second request.
  local function once()
    return fetching.raw(server, [[
      ngx.shared.pcapi:incr("requests", 1, 0)
      socket:send "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"
      if socket:receive "*l" then
        ngx.shared.pcapi:incr("refused", 1, 0)
      end]])
  end

  it("is replaced, for a request that may be sent twice", function()
    assert.same({ 200, 200, 3, 2 }, { server:run(([[
      local address = %q
      local first, second = fetch(address), (fetch(address))
      ngx.sleep(0.05)
      fetch(address, { method = "DELETE" })
      return first, second, ngx.shared.pcapi:get "requests", ngx.shared.pcapi:get "refused"
    ]]):format(once())) })
  end)

  it("is replaced even if all others are closed, too", function()
    assert.equal(8, (server:run(([[
      local address, threads = %q, {}
      for i = 1, 8 do
        threads[i] = ngx.thread.spawn(fetch, address)
      end
      local good = 0
      for i = 1, 8 do
        local _, status = ngx.thread.wait(threads[i])
        good = good + (status == 200 and 1 or 0)
      end
      assert(fetch(address) == 200)
      return ngx.shared.pcapi:get "refused"
    ]]):format(once()))))
  end)
end)

describe("an idle connection that a firewall has forgotten", function()
  -- Responds until `cut` is set in the dictionary. From then on, the connections that are open
  -- send nothing more.
  local function forgotten()
    return fetching.raw(server, [[
      local known = ngx.shared.pcapi
      local number = known:incr("connections", 1, 0)
      repeat
        known:incr("requests", 1, 0)
        if number <= (known:get "cut" or 0) then
          ngx.sleep(20)
        end
        socket:send "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"
        local line
        repeat line = socket:receive "*l" until not line or line == ""
      until not line]])
  end

  -- Makes ten requests after eight idle connections were cut off. Returns the result of the first
  -- one, and how many had to wait.
  local function after_cut(options, silence)
    local results = server:run(([[
      require("pcapi.http.limits").SILENCE = %s
      local address, threads, results = %q, {}, {}
      for i = 1, 8 do
        threads[i] = ngx.thread.spawn(fetch, address)
      end
      for i = 1, 8 do
        assert(select(2, ngx.thread.wait(threads[i])) == 200)
      end
      ngx.shared.pcapi:set("cut", ngx.shared.pcapi:get "connections")
      for i = 1, 10 do
        local now = require("pcapi.core").now
        local began = now()
        local status, kind = fetch(address, %s)
        results[i] = { status or kind, now() - began }
      end
      return results
    ]]):format(silence, forgotten(), literal(options)))
    local late = 0
    for i, result in ipairs(results) do
      late = late + (result[2] > 0.3 and 1 or 0)
      assert.is_true(i == 1 or result[1] == 200, result[1])
    end
    return results[1][1], late
  end

  it("costs one wait in all, and a request that may be sent twice succeeds", function()
    for _, method in ipairs { "GET", "DELETE" } do
      assert.same({ 200, 1 }, { after_cut({ method = method, timeout = 10 }, 0.5) })
    end
  end)

  it("costs one call if it is silent until the deadline", function()
    assert.same({ "timeout", 1 }, { after_cut({ timeout = 0.5 }, 20) })
  end)

  it("costs nothing for requests that must not be sent twice", function()
    assert.same({ 200, 0 }, { after_cut({ method = "POST", timeout = 10 }, 0.5) })
  end)

  it("is discarded once: a new connection may be silent until the deadline", function()
    local label = core.uuid()
    local seconds = fetching.seconds_of(function()
      assert.equal(200, (server:run(([[
        require("pcapi.http.limits").SILENCE = 0.4
        fetch(SANDBOX .. "/_sandbox/echo")
        return (fetch(SANDBOX .. PATH, { timeout = 10, headers = {
          Authorization = "Bearer " .. TOKEN, ["X-Sandbox"] = "delay=1.2; label=%s" } }))
      ]]):format(label))))
    end)
    assert.is_true(seconds > 1.6 and seconds < 5, ("%.2f s"):format(seconds))
    assert.equal(2, fetching.gauge(label).requests)
  end)

  it("is not discarded if the response has begun", function()
    assert.same({ 200, 2 }, { server:run(([[
      require("pcapi.http.limits").SILENCE = 0.4
      local address = %q
      fetch(address)
      local status = fetch(address, { timeout = 10 })
      return status, ngx.shared.pcapi:get "requests"
    ]]):format(fetching.raw(server, [[
      for _ = 1, 2 do
        ngx.shared.pcapi:incr("requests", 1, 0)
        socket:send "HTTP/1.1 200 OK\r\nContent-Le"
        ngx.sleep(0.8)
        socket:send "ngth: 4\r\n\r\ndone"
        socket:receive "*l"
      end]]))) })
  end)
end)

describe("a connection that breaks", function()
  local function await_sandbox()
    assert(nginx.wait_for(function()
      return #curl.shell(BARE .. "pgrep -P " .. PID):gsub("%d", "") == 2
    end))
  end

  -- Runs code while the processes of the sandbox are killed, restarted, and killed again.
  local function while_sandbox_dies(code)
    local pending = server:begin_runs(200, code)
    os.execute("sleep 0.1; " .. BARE .. "pkill -KILL -P " .. PID .. "; sleep 0.3; kill -HUP " .. PID
      .. "; sleep 0.3; " .. BARE .. "pkill -KILL -P " .. PID)
    local results = pending.finish()
    await_sandbox()
    return results
  end

  it("at any byte gives the right result, or an error", function()
    local right = 0
    for _, settings in ipairs { "rough", "chance=0.02; cut=random",
                               "chance=0.02; cut=connection" } do
      for _, result in ipairs(server:run_all(100, ([[
        local client = pcapi.new { base_url = SANDBOX, token = TOKEN, timeout = 10,
          retry = { base = 0.01, cap = 0.05 }, headers = { ["X-Sandbox"] = "records=12; %s" } }
        local users, err = client.security:non_mfa_principals()
        return users and #users or nil, err and err.kind
      ]]):format(settings))) do
        assert.is_true(result.values[1] == 12 or result.values[2] == "network"
          or result.values[2] == "throttled" or result.values[2] == "server")
        right = right + (result.values[1] and 1 or 0)
      end
    end
    assert.is_true(right >= 295, "right: " .. right)
  end)

  it("under load fails no request that may be sent twice", function()
    for _, result in ipairs(while_sandbox_dies [[
      local client = pcapi.new { base_url = SANDBOX, token = TOKEN, timeout = 20,
        retry = { attempts = 6, base = 0.05 },
        headers = { ["X-Sandbox"] = "records=12; delay=0.05" } }
      for _ = 1, 5 do
        local users, err = client.security:non_mfa_principals()
        if not users or #users ~= 12 then
          return tostring(err)
        end
      end
      return "right"
    ]]) do
      assert.equal("right", result.values[1])
    end
  end)

  it("under load causes no other request to be sent twice", function()
    local failed = 0
    for _, result in ipairs(while_sandbox_dies [[
      local labels = {}
      for i = 1, 3 do
        labels[i] = require("pcapi.core").uuid()
        local client = pcapi.new { base_url = SANDBOX, token = TOKEN, timeout = 20,
          headers = { ["X-Sandbox"] = "delay=0.1; label=" .. labels[i] } }
        local response, err = client:request("POST", "/v1/customers", { body = { a = 1 } })
        if not response and err.kind ~= "network" then
          return tostring(err)
        end
        labels[i] = (response and "+" or "-") .. labels[i]
      end
      return labels
    ]]) do
      for _, label in ipairs(result.values[1]) do
        failed = failed + (label:sub(1, 1) == "-" and 1 or 0)
        local count = fetching.gauge(label:sub(2)).requests
        assert.is_true(count == 1 or count == 0 and label:sub(1, 1) == "-", label .. " " .. count)
      end
    end
    assert.is_true(failed > 0, "nothing was cut")
  end)
end)
