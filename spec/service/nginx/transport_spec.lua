--- The transport of nginx against real servers, and beside that over libcurl.
local core = require "pcapi.core"
local curl = require "spec.support.curl"
local folder = require "spec.support.folder"
local nginx = require "spec.support.nginx"
local pcapi = require "pcapi"
local sandbox = require "spec.support.sandbox"
local workers = require "spec.support.workers"

local TOKEN = sandbox.token()
local PATH = "/v1/nonMfaCompliantPartnerPrincipals"
local PID = sandbox.env "PCAPI_SANDBOX_PID"
local BARE = "env -u LD_PRELOAD " -- a sanitizer that the specs run under

-- `fetch` tells what came: status, reason, headers, body; or nil, kind, the error as a text.
local INIT = [[
  function fetch(address, options)
    options = options or {}
    options.allow_http = true
    local response, err = pcapi.fetch(address, options)
    if not response then
      return nil, err.kind, tostring(err)
    end
    return response.status, response.reason, response.headers, response.body
  end
  function count_of(label)
    return pcapi.fetch(SANDBOX .. "/_sandbox/gauge?label=" .. label).json
  end
]]

-- Answers that no proper server gives: code says them, to the address's `say`.
local RAW = [[
  location /raw/ {
    client_max_body_size 0;
    content_by_lua_block {
      local code = require("pcapi.core").unbase64(ngx.var.uri:match "[^/]*$")
      assert(loadstring("local socket = ...; " .. code))(assert(ngx.req.socket(true)))
    }
  }
]]

local function start(options)
  options = sandbox.merged(options)
  options.init = ("SANDBOX, TOKEN, PATH = %q, %q, %q; "):format(sandbox.url, TOKEN, PATH)
    .. INIT .. (options.init or "")
  options.server = RAW .. (options.server or "")
  return workers.start(options)
end

local function raw(server, code)
  return server.url .. "/raw/" .. core.base64url(code)
end

-- A value as Lua has it: texts, numbers, booleans, and tables of them.
local function literal(value)
  if type(value) == "string" then
    return (("%q"):format(value):gsub("\\\n", "\\n"):gsub("\r", "\\r"):gsub("%z", "\\0"))
  elseif type(value) ~= "table" then
    return tostring(value)
  end
  local parts = {}
  for name, item in pairs(value) do
    parts[#parts + 1] = ("[%s] = %s"):format(literal(name), literal(item))
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

-- The address of a server that says a text, and hangs up.
local function saying(server, text)
  return raw(server, "socket:send(" .. literal(text) .. ")")
end

local function lines(...)
  return table.concat({ ... }, "\r\n") .. "\r\n"
end

local function fetch(server, address, options)
  return server:run(("return fetch(%q, %s)"):format(address, literal(options or {})))
end

local function seconds_of(act)
  local started = core.now()
  act()
  return core.now() - started
end

local function count_of(label)
  return assert(pcapi.fetch(sandbox.url .. "/_sandbox/gauge?label=" .. label,
                            sandbox.fetch_options())).json
end

local function gzip(text)
  return curl.shell(("gzip -nc '%s'"):format(folder.write(folder.new() .. "/text", text)))
end

after_each(folder.remove)

describe("both transports say of an answer", function()
  local server
  setup(function() server = start() end)
  teardown(nginx.stop_all)

  local OK = "HTTP/1.1 200 OK\r\n"
  local TEXT = ("The quick brown fox. "):rep(50)

  local OURS = { "date", "ms-serverid" } -- whose values differ from answer to answer

  -- What both are to say alike: that it is a response, and which; or an error of which kind.
  local function told(status, reason, headers, body)
    if not status then
      return { kind = reason }
    end
    for _, name in ipairs(OURS) do
      headers[name] = headers[name] and "some"
    end
    return { status = status, reason = reason, headers = headers, body = body }
  end

  local function from_curl(address, options)
    local response, err = pcapi.fetch(address, sandbox.merged({
      ca_file = sandbox.ca_file, http_version = "1.1", allow_http = true,
    }, options))
    if not response then
      return told(nil, err.kind)
    end
    return told(response.status, response.reason, response.headers, response.body)
  end

  local function alike(address, options)
    local expected = from_curl(address, options)
    assert.same(expected, told(fetch(server, address, options)))
    return expected
  end

  for name, answer in pairs {
    ["a length"] = OK .. lines("Content-Length: 4", "", "done"),
    ["chunks, with extensions"] = OK .. lines("Transfer-Encoding: chunked", "", "2;a=b", "do", "2",
      "ne", "0", ""),
    ["no length"] = OK .. "\r\n" .. TEXT,
    ["no headers and no body"] = OK .. "\r\n",
    ["no reason"] = lines("HTTP/1.1 200", "Content-Length: 4", "", "done"),
    ["another reason"] = lines("HTTP/1.1 418 I'm a teapot ", "Content-Length: 4", "", "done"),
    ["an older version"] = "HTTP/1.0 200 OK\r\n\r\ndone",
    ["headers twice, empty and padded"] = OK .. lines("Set-Cookie: a=1", "set-cookie: b=2", "X-A:",
      "X-B: \t b  c \t", "Content-Length: 4", "", "done"),
    ["lines that end by LF"] = "HTTP/1.1 200 OK\nContent-Length: 4\nX-A: 1\n\ndone",
    ["interim answers"] = lines("HTTP/1.1 100 Continue", "", "HTTP/1.1 103 Early Hints", "Link: x",
      "") .. OK .. lines("Content-Length: 4", "", "done"),
    ["no content"] = "HTTP/1.1 204 No Content\r\n\r\n",
    ["nothing new"] = lines("HTTP/1.1 304 Not Modified", "Content-Length: 4", ""),
    ["the same length twice"] = OK .. lines("Content-Length: 4", "Content-Length: 4", "", "done"),
    ["JSON with a byte order mark"] = OK .. lines("Content-Type: application/json", "")
      .. "\239\187\191{}",
    ["a byte order mark elsewhere"] = OK .. lines("Content-Type: text/plain", "")
      .. "\239\187\191{}",
    ["a name like a status line"] = OK .. lines("X-A: 1", "HTTP/1x: 2", "HTTP/: 3", "X-B: 4",
      "Content-Length: 4", "", "done"),
    ["a plain body under gzip's name, and an error"] = lines("HTTP/1.1 429 Slow",
      "Content-Encoding: gzip", "Retry-After: 3", "Content-Length: 4", "", "done"),
    ["codings that were not asked for, and an error"] = lines("HTTP/1.1 503 Away",
      "Content-Encoding: br", "Content-Encoding: gzip", "Content-Length: 4", "", "done"),
    ["trailers"] = OK .. lines("Transfer-Encoding: chunked", "", "4", "done", "0", "X-A: 1",
      "Content-Length: 9", ""),
    ["a redirect"] = lines("HTTP/1.1 302 Found", "Location: http://127.0.0.1:1/", "",""),
  } do
    it("with " .. name .. " the same", function()
      assert.is_nil(alike(saying(server, answer)).kind)
    end)
  end

  for coding, from in pairs { gzip = 1, ["x-gzip"] = 1, deflate = 11 } do
    it("in " .. coding .. " the same", function()
      local packed = gzip(TEXT):sub(from, from > 1 and -9 or -1)
      assert.equal(TEXT, alike(saying(server, OK .. lines("Content-Encoding: " .. coding,
        "Content-Length: " .. #packed, "") .. packed)).body)
    end)
  end

  it("to HEAD the same", function()
    local answer = alike(saying(server, OK .. lines("Content-Length: 4", "")), { method = "HEAD" })
    assert.equal("4", answer.headers["content-length"])
    assert.equal("", answer.body)
  end)

  for name, answer in pairs {
    ["HTTP/0.9"] = { "done", "protocol" },
    ["nothing"] = { "", "network" },
    ["part of a status line"] = { "HTTP/1.", "network" },
    ["part of the headers"] = { OK .. "Content-Le", "network" },
    ["part of a body"] = { OK .. lines("Content-Length: 5", "") .. "done", "network" },
    ["part of a chunk"] = { OK .. lines("Transfer-Encoding: chunked", "", "5") .. "done",
                            "network" },
    ["no last chunk"] = { OK .. lines("Transfer-Encoding: chunked", "", "4", "done"), "network" },
    ["a line without a colon"] = { OK .. lines("nonsense", "", "done"), "protocol" },
    ["a zero byte in a header"] = { OK .. lines("X-A: \0", "", "done"), "protocol" },
    ["nothing of gzip under its name"] = { OK .. lines("Content-Encoding: gzip", "", "done"),
                                           "protocol" },
    ["stacked codings"] = { OK .. lines("Content-Encoding: gzip, gzip", "Content-Length: 4", "",
                                        "done"), "protocol" },
    ["codings in two headers"] = { OK .. lines("Content-Encoding: gzip",
                                               "Content-Encoding: deflate", "Content-Length: 4", "",
                                               "done"), "protocol" },
    ["the coding br"] = { OK .. lines("Content-Encoding: br", "", "done"), "protocol" },
    ["the transfer coding identity"] = { OK .. lines("Transfer-Encoding: identity",
                                                     "Content-Length: 4", "", "done"), "protocol" },
    ["a transfer coding that is not known"] = { OK .. lines("Transfer-Encoding: identity", "",
                                                            "done"), "protocol" },
    ["a body above the ceiling"] = { OK .. lines("Content-Length: 4000000", "") .. "x",
                                     "protocol" },
  } do
    it("with " .. name .. " that it fails alike", function()
      assert.equal(answer[2], alike(saying(server, answer[1]), { max_body = 1e6 }).kind)
    end)
  end

  for settings, options in pairs {
    ["records=300"] = {}, ["records=3; encoding=none"] = {}, ["records=3; bom=0; pretty=1"] = {},
    ["hostile=1"] = {}, ["status=500; error=C; retry_after=1"] = {}, ["mfa=reason"] = {},
    ["redirect=https://localhost:1/"] = {}, ["body=html"] = {}, ["body=empty"] = {},
    ["body=text"] = {}, ["trickle=1"] = {}, ["stall=0.3"] = {}, ["cut=headers"] = {},
    ["cut=body"] = {}, ["body=garbage"] = {}, ["body=truncated"] = {}, ["body=deep"] = {},
    ["bom=utf16"] = {},
    ["body=huge"] = { max_body = 100000 }, ["body=huge-length"] = { max_body = 100000 },
    ["body=bomb"] = { max_body = 100000 }, ["bigheaders=100000"] = {},
    ["delay=3"] = { timeout = 0.3 }, ["stall=3"] = { timeout = 0.3 },
    ["trickle=1; records=500"] = { timeout = 0.3 },
  } do
    it("of the sandbox with " .. settings .. " the same", function()
      alike(sandbox.url .. PATH, sandbox.merged({ headers = {
        Authorization = "Bearer " .. TOKEN, Accept = "application/json",
        ["X-Sandbox"] = settings, ["MS-RequestId"] = core.uuid(),
        ["MS-CorrelationId"] = core.uuid(),
      } }, options))
    end)
  end
end)

describe("both transports refuse", function()
  local server
  setup(function() server = start() end)
  teardown(nginx.stop_all)

  for name, kind in pairs { UNTRUSTED = "tls", OTHER_HOST = "tls", EXPIRED = "tls", TLS11 = "tls",
                            CLOSED = "network" } do
    it("the server " .. name .. " alike", function()
      local url = sandbox.env("PCAPI_SANDBOX_" .. name .. "_URL") .. "/_sandbox/echo"
      local _, err = pcapi.fetch(url, sandbox.fetch_options())
      assert.same({ kind, kind }, { err.kind, (select(2, fetch(server, url))) })
    end)
  end

  it("a server without TLS alike", function()
    local url = sandbox.http_url:gsub("^http", "https")
    local _, err = pcapi.fetch(url, sandbox.fetch_options())
    assert.same({ "tls", "tls" }, { err.kind, (select(2, fetch(server, url))) })
  end)
end)

describe("within nginx", function()
  local server
  setup(function() server = start() end)
  teardown(nginx.stop_all)

  it("a timeout may be as long as anybody likes", function()
    for _, timeout in ipairs { "2e6", "1e7", "1e12", "math.huge" } do
      local code = "return (fetch(SANDBOX .. '/_sandbox/health', { timeout = %s }))"
      assert.equal(200, (server:run(code:format(timeout))))
    end
  end)

  it("no pause is endless or less than none, whatever its number", function()
    assert.same({ true, true, true }, { server:run [[
      local transport = require("pcapi.nginx.transport").new()
      local slept
      local sleep = ngx.sleep
      ngx.sleep = function(seconds) slept = seconds end
      local all = {}
      for i, seconds in ipairs { math.huge, 0/0, -1 } do
        transport:sleep(seconds)
        all[i] = slept > 0 and slept <= 2000000
      end
      ngx.sleep = sleep
      return unpack(all)
    ]] })
  end)

  it("an address that is none is an error, by whoever it is asked", function()
    local kinds = server:run [[
      local transport, kinds = require("pcapi.nginx.transport").new(), {}
      for i, address in ipairs { "", "/a b", "https://", "https://a b/", "https://a/#b",
                                 "https://a:99999/", "https://u:p@a/", "https://a/\r\n" } do
        local response, err = transport:send { method = "GET", url = address, timeout = 1,
          connect_timeout = 1, max_body = 1000, max_headers = 1000 }
        kinds[i] = response == nil and err.kind
      end
      return kinds
    ]]
    assert.same({ "config", "config", "config", "config", "config", "config", "config", "config" },
      kinds)
  end)
end)

describe("within nginx a deadline holds", function()
  local server
  setup(function() server = start { http = "resolver 127.0.0.1:1;" } end) -- nobody is there
  teardown(nginx.stop_all)

  -- What comes a byte at a time, 25 a second, for five seconds.
  local function dripping(before)
    return raw(server, literal(before):gsub("^", "socket:send(") .. [[)
      for _ = 1, 125 do
        ngx.sleep(0.04)
        if not socket:send "1" then break end
      end]])
  end

  local function ends_in_time(address, options)
    local status, kind
    local seconds = seconds_of(function()
      status, kind = server:run(("return fetch(%q, %s)"):format(address,
        type(options) == "string" and options or literal(options)))
    end)
    assert.is_nil(status)
    assert.equal("timeout", kind)
    assert.is_true(seconds > 0.45 and seconds < 1.5, ("%.2f s"):format(seconds))
  end

  for name, before in pairs {
    ["a status line"] = "HTTP/1.1 200 ", ["a header"] = "HTTP/1.1 200 OK\r\nX-A: ",
    ["a body with its length"] = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
    ["a body without"] = "HTTP/1.1 200 OK\r\n\r\n",
    ["a chunk"] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n",
    ["a chunk's size"] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
    ["a trailer"] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: ",
  } do
    it("while " .. name .. " drips", function()
      ends_in_time(dripping(before), { timeout = 0.5 })
    end)
  end

  it("while interim answers come without end", function()
    ends_in_time(raw(server, [[for _ = 1, 125 do
      ngx.sleep(0.04)
      if not socket:send "HTTP/1.1 102 Processing\r\n\r\n" then break end
    end]]), { timeout = 0.5 })
  end)

  it("while the server reads slowly what is sent", function()
    ends_in_time(raw(server, [[
      for _ = 1, 50 do
        ngx.sleep(0.1)
        if not socket:receive(1000000) then break end
      end]]), '{ timeout = 0.5, method = "POST", body = ("x"):rep(4e7) }')
  end)

  it("while a name is looked up, whatever resolver_timeout says", function()
    ends_in_time("https://slow.example/", { timeout = 0.5 })
    ends_in_time("https://slow.example/", { timeout = 5, connect_timeout = 0.5 })
  end)

  it("while a server takes connections and does no TLS", function()
    local silent = nginx.start()
    os.execute("kill -s STOP -- -" .. silent.pid)
    ends_in_time((silent.url:gsub("^http", "https")), { timeout = 5, connect_timeout = 0.5 })
    os.execute("kill -s CONT -- -" .. silent.pid)
    silent:stop()
  end)

  it("over all attempts of a call", function()
    local seconds = seconds_of(function()
      assert.equal("timeout", (server:run(([[
        local client = pcapi.new { base_url = SANDBOX, token = TOKEN, timeout = 0.7,
          retry = { base = 0.05 }, headers = { ["X-Sandbox"] = "delay=3" } }
        local _, err = client.security:non_mfa_principals()
        return err.kind
      ]]))))
    end)
    assert.is_true(seconds > 0.6 and seconds < 1.5, ("%.2f s"):format(seconds))
  end)

  it("and other requests go on meanwhile", function()
    local dripped = server:begin_runs(5, ("return fetch(%q, { timeout = 1 })"):format(
      dripping "HTTP/1.1 200 OK\r\n\r\n"))
    local seconds = seconds_of(function()
      assert.equal(200, (fetch(server, sandbox.url .. "/_sandbox/health")))
    end)
    assert.is_true(seconds < 0.4, ("%.2f s"):format(seconds))
    dripped.finish()
  end)
end)

describe("connections within nginx", function()
  local server
  before_each(function() server = start() end)
  after_each(nginx.stop_all)

  local function many(count, code)
    return server:run_all(count, code)
  end

  it("are kept, and are no more than what was in flight at once", function()
    local label = core.uuid()
    local code = ([[
      local status = fetch(SANDBOX .. PATH, { headers = { Authorization = "Bearer " .. TOKEN,
        Accept = "application/json", ["X-Sandbox"] = "delay=0.05; label=%s" } })
      return status
    ]]):format(label)
    for _ = 1, 5 do
      for _, result in ipairs(many(20, code)) do
        assert.equal(200, result.values[1])
      end
    end
    local seen = count_of(label)
    assert.equal(100, seen.requests)
    assert.is_true(seen.connections <= seen.most_at_once, seen.connections .. " connections")
  end)

  it("are shared by clients, and not over hosts, proxies or who asks the proxy", function()
    assert.is_true(server:run [[
      local a = pcapi.fetch(SANDBOX .. "/_sandbox/echo").json.connection
      local client = pcapi.new { base_url = SANDBOX, token = TOKEN }
      return a == client:request("GET", "/_sandbox/echo").json.connection
    ]])
  end)

  it("are new for each request that may not be sent twice", function()
    assert.equal(6, server:run [[
      local seen, count = {}, 0
      for _, method in ipairs { "GET", "POST", "PATCH", "POST", "PATCH", "POST" } do
        seen[pcapi.fetch(SANDBOX .. "/_sandbox/echo", { method = method }).json.connection] = true
      end
      for _ in pairs(seen) do count = count + 1 end
      return count
    ]])
  end)

  -- A server that answers once, and hangs up when it is asked again on the same connection.
  local function once()
    return raw(server, [[
      ngx.shared.pcapi:incr("asked", 1, 0)
      socket:send "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"
      if socket:receive "*l" then
        ngx.shared.pcapi:incr("again", 1, 0)
      end]])
  end

  it("that are found closed are replaced, for what may be sent twice", function()
    assert.same({ 200, 200, 3, 2 }, { server:run(([[
      local address = %q
      local first, second = fetch(address), (fetch(address))
      ngx.sleep(0.05)
      fetch(address, { method = "DELETE" })
      return first, second, ngx.shared.pcapi:get "asked", ngx.shared.pcapi:get "again"
    ]]):format(once())) })
  end)

  it("that are found closed are replaced until one is there", function()
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
      return ngx.shared.pcapi:get "again"
    ]]):format(once()))))
  end)

  it("are not used again when more came than was asked for", function()
    local address = raw(server, [[
      socket:send "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndoneHTTP/1.1 200 OK\r\n"
      socket:send "Content-Length: 4\r\n\r\nevil"
      socket:receive "*l"]])
    for _ = 1, 3 do
      assert.equal("done", (select(4, fetch(server, address))))
    end
  end)

  -- A server whose connections are good until `cut` is set: from then on those that there are
  -- hear nothing and say nothing, as behind a firewall that has forgotten them.
  local function forgotten()
    return raw(server, [[
      local known = ngx.shared.pcapi
      local number = known:incr("connections", 1, 0)
      repeat
        known:incr("asked", 1, 0)
        if number <= (known:get "cut" or 0) then
          ngx.sleep(20)
        end
        socket:send "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"
        local line
        repeat line = socket:receive "*l" until not line or line == ""
      until not line]])
  end

  -- Seconds that each of some requests takes, after eight connections were forgotten, and what
  -- came of them.
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

  it("that are silent cost one wait in all, and what may be sent twice comes right", function()
    for _, method in ipairs { "GET", "DELETE" } do
      assert.same({ 200, 1 }, { after_cut({ method = method, timeout = 10 }, 0.5) })
    end
  end)

  it("that are silent until the deadline cost one call", function()
    assert.same({ "timeout", 1 }, { after_cut({ timeout = 0.5 }, 20) })
  end)

  it("that are silent are nothing to what may not be sent twice", function()
    assert.same({ 200, 0 }, { after_cut({ method = "POST", timeout = 10 }, 0.5) })
  end)

  it("may be silent until the deadline when they are new", function()
    local label = core.uuid()
    local seconds = seconds_of(function()
      assert.equal(200, (server:run(([[
        require("pcapi.http.limits").SILENCE = 0.4
        fetch(SANDBOX .. "/_sandbox/echo")
        return (fetch(SANDBOX .. PATH, { timeout = 10, headers = {
          Authorization = "Bearer " .. TOKEN, ["X-Sandbox"] = "delay=1.2; label=%s" } }))
      ]]):format(label))))
    end)
    assert.is_true(seconds > 1.6 and seconds < 2.5, ("%.2f s"):format(seconds))
    assert.equal(2, count_of(label).requests)
  end)

  it("are not silent when they have begun to answer", function()
    assert.same({ 200, 2 }, { server:run(([[
      require("pcapi.http.limits").SILENCE = 0.4
      local address = %q
      fetch(address)
      local status = fetch(address, { timeout = 10 })
      return status, ngx.shared.pcapi:get "asked"
    ]]):format(raw(server, [[
      for _ = 1, 2 do
        ngx.shared.pcapi:incr("asked", 1, 0)
        socket:send "HTTP/1.1 200 OK\r\nContent-Le"
        ngx.sleep(0.8)
        socket:send "ngth: 4\r\n\r\ndone"
        socket:receive "*l"
      end]]))) })
  end)

  local function await_sandbox()
    assert(nginx.wait_for(function()
      return #curl.shell(BARE .. "pgrep -P " .. PID):gsub("%d", "") == 2
    end))
  end

  -- Calls under way while the sandbox is killed, and while it restarts.
  local function in_bad_weather(code)
    local pending = server:begin_runs(200, code)
    os.execute("sleep 0.1; " .. BARE .. "pkill -KILL -P " .. PID .. "; sleep 0.3; kill -HUP " .. PID
      .. "; sleep 0.3; " .. BARE .. "pkill -KILL -P " .. PID)
    local results = pending.finish()
    await_sandbox()
    return results
  end

  it("may break in any place: all comes right, or is said to be wrong", function()
    local right = 0
    for _, settings in ipairs { "rough", "chance=0.02; cut=random",
                               "chance=0.02; cut=connection" } do
      for _, result in ipairs(many(100, ([[
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

  it("may die under load: what may be sent twice all comes right", function()
    for _, result in ipairs(in_bad_weather [[
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

  it("may die under load: nothing else is sent twice", function()
    local failed = 0
    for _, result in ipairs(in_bad_weather [[
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
        local count = count_of(label:sub(2)).requests
        assert.is_true(count == 1 or count == 0 and label:sub(1, 1) == "-", label .. " " .. count)
      end
    end
    assert.is_true(failed > 0, "nothing was cut")
  end)
end)
