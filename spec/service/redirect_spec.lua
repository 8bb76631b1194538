--- The listener for the redirect of a browser, with curl as the browser.
local core = require "pcapi.core"
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local redirect = require "pcapi.redirect"

local LUA = os.getenv "LUA" or "lua5.4"
local STATE = "n0nce-of-the-sign-in"

local has_ipv6 = #files.lines_of "cat /proc/net/if_inet6 2>/dev/null" > 0

local listener

local function base()
  return "http://localhost:" .. listener:port()
end

-- Waits for a result, at most so many seconds.
local function wait(seconds)
  local deadline = core.now() + seconds
  local result
  repeat
    result = listener:wait(math.max(0, deadline - core.now()))
  until result or core.now() >= deadline
  return result
end

-- Runs a shell command while the listener serves. Returns the output of the command and the
-- result of the listener.
local function beside(command)
  local done = files.temporary()
  os.remove(done)
  local pipe = io.popen(("{ %s ; } 2>&1; : >%s"):format(command, done))
  local deadline = core.now() + 60
  local result = false
  local finished
  repeat
    result = listener:wait(0.02) or result
    finished = io.open(done)
  until finished or core.now() > deadline
  finished:close()
  os.remove(done)
  result = result or listener:wait(0.1) -- the command may end before the listener is read
  local said = pipe:read "*a"
  pipe:close()
  return said, result
end

-- Sends a request as a browser does. Returns {status, head, body, result}.
local function browse(query, more)
  local said, result = beside(("%s -si --max-time 30 --noproxy '*' %s '%s%s'")
    :format(curl.COMMAND, more or "", base(), query))
  local head, body = said:match "^(.-\r\n)\r\n(.*)$"
  return { status = tonumber((head or ""):match "^HTTP/1.1 (%d+)"), head = head, body = body,
           result = result }
end

before_each(function()
  listener = assert(redirect.listen(STATE))
end)

after_each(function()
  listener:close()
end)

describe("the redirect", function()
  it("returns the code", function()
    local seen = browse("/?code=0.AX%2Bb-c_d&state=" .. STATE .. "&session_state=x")
    assert.equal(200, seen.status)
    assert.same({ code = "0.AX+b-c_d" }, seen.result)
  end)

  it("returns the first part of a description that is too long", function()
    local seen = browse("/?error=access_denied&error_description=" .. ("x"):rep(2049) .. "&state="
      .. STATE)
    assert.equal(200, seen.status)
    assert.equal(("x"):rep(2048), seen.result.error_description)
  end)

  it("returns an error and its description, unescaped", function()
    local seen = browse("/?error=access_denied&error_description=AADSTS65004%3a+User+declined"
      .. "%0d%0aTrace+ID%3A+1&state=" .. STATE)
    assert.equal(200, seen.status)
    assert.same({ error = "access_denied",
      error_description = "AADSTS65004: User declined\r\nTrace ID: 1" }, seen.result)
  end)

  it("may name the loopback address as host, or localhost in capitals", function()
    for _, host in ipairs { "127.0.0.1", "LOCALHOST", "localhost", "[::1]" } do
      local seen = browse("/?code=x&state=" .. STATE,
        ("-H 'Host: %s:%d'"):format(host, listener:port()))
      assert.equal(200, seen.status)
      assert.same({ code = "x" }, seen.result)
    end
  end)

  it("may have a path", function()
    listener:close()
    listener = assert(redirect.listen(STATE, "/signed-in"))
    assert.equal(404, browse("/?code=x&state=" .. STATE).status)
    assert.equal(404, browse("/signed-in/?code=x&state=" .. STATE).status)
    assert.same({ code = "x" }, browse("/signed-in?code=x&state=" .. STATE).result)
  end)

  it("counts once: a later one changes nothing", function()
    assert.same({ code = "first" }, browse("/?code=first&state=" .. STATE).result)
    local seen = browse("/?code=second&error=e&state=" .. STATE)
    assert.equal(200, seen.status)
    assert.same({ code = "first" }, seen.result)
    assert.same({ code = "first" }, listener:wait(0))
  end)

  it("shows its page before the result is returned and the port is closed", function()
    for _ = 1, 50 do
      local pipe = io.popen(("%s -s --noproxy '*' -w '%%{http_code}' '%s/?code=x&state=%s'; "
        .. "echo $?"):format(curl.COMMAND, base(), STATE))
      assert.same({ code = "x" }, wait(10))
      listener:close()
      assert.matches("close this page.*</html>\n2000\n$", pipe:read "*a")
      pipe:close()
      listener = assert(redirect.listen(STATE))
    end
  end)

  it("counts also if the browser does not wait for its page", function()
    local _, result = beside(([[bash -c 'exec 3<>/dev/tcp/127.0.0.1/%d
      printf "GET /?code=x&state=%s HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" >&3; exec 3>&-']])
      :format(listener:port(), STATE, listener:port()))
    assert.same({ code = "x" }, result or wait(10))
  end)
end)

describe("a page", function()
  local PAGES = { "/?code=CODE&state=STATE", "/?state=" .. STATE, "/PATH?code=CODE",
                  "/?error=ERROR&error_description=DESCRIPTION&state=" .. STATE,
                  "/?code=CODE&state=" .. STATE }

  it("is neither cached nor passed on as referrer, and runs no script", function()
    for _, query in ipairs(PAGES) do
      local head = browse(query).head:lower()
      for _, line in ipairs { "content-security-policy: default-src 'none'",
                              "cache-control: no-store", "referrer-policy: no-referrer",
                              "x-content-type-options: nosniff",
                              "content-type: text/html; charset=utf-8" } do
        assert.truthy(head:find("\r\n" .. line .. "\r\n", 1, true), query .. ": " .. line)
      end
    end
  end)

  it("echoes nothing of the request", function()
    for _, query in ipairs(PAGES) do
      local seen = browse(query, "-A AGENT -H 'Cookie: COOKIE' -H 'Referer: http://REFERER/'")
      for _, word in ipairs { "CODE", "ERROR", "DESCRIPTION", "STATE", "PATH", "AGENT", "COOKIE",
                              "REFERER", STATE } do
        assert.is_nil((seen.head .. seen.body):find(word, 1, true), query)
      end
    end
  end)
end)

describe("a request that is not the redirect does not end the wait:", function()
  local function is_refused(status, query, more, text)
    local seen = browse(query, more)
    assert.equal(status, seen.status)
    assert.is_false(seen.result)
    if text then
      assert.truthy(seen.body:find(text, 1, true))
    end
    return seen
  end

  after_each(function()
    assert.same({ code = "right" }, browse("/?code=right&state=" .. STATE).result)
  end)

  for name, state in pairs {
    ["another state"] = "&state=n0nce-of-the-sign-iN", ["no state"] = "",
    ["an empty state"] = "&state=",
    ["a part of the state"] = "&state=" .. STATE:sub(1, -2),
    ["more than the state"] = "&state=" .. STATE .. "x",
    ["the state and a zero byte"] = "&state=" .. STATE .. "%00",
    ["state without a value"] = "&state",
  } do
    it("with " .. name, function()
      is_refused(400, "/?code=x" .. state, nil, "This is not the sign-in that pcapi waits for.")
    end)
  end

  it("without code and error", function()
    for _, query in ipairs { "/?state=", "/?code=&state=", "/?code&error=&state=",
                             "/?error_description=x&state=", "/?code=a%00b&state=" } do
      is_refused(400, query .. STATE, nil, "neither code nor error")
    end
  end)

  it("with a code or error that is too long", function()
    for name, max in pairs { code = 8192, error = 256 } do
      is_refused(400, ("/?%s=%s&error=&state=%s"):format(name, ("x"):rep(max + 1), STATE))
    end
    is_refused(414, "/?state=" .. STATE .. "&code=" .. ("x"):rep(40000))
  end)

  it("for another path, such as that of an icon", function()
    for _, path in ipairs { "/favicon.ico", "//", "/x/.." } do
      is_refused(404, path .. "?code=x&state=" .. STATE, "--path-as-is")
    end
  end)

  it("by another method", function()
    for _, more in ipairs { "-X POST", "-d a=b", "-X PUT -T /dev/null", "-X OPTIONS", "-I" } do
      local seen = is_refused(405, "/?code=x&state=" .. STATE, more)
      assert.truthy(seen.head:find("\r\nAllow: GET\r\n", 1, true))
    end
  end)

  it("for another host whose name was bound to this address", function()
    local port = listener:port()
    for _, host in ipairs { "evil.example", "evil.example:" .. port, "localhost",
                            "localhost:" .. port + 1, "localhost.evil.example:" .. port,
                            "127.0.0.1:" .. port .. "0", "[::2]:" .. port, "::1:" .. port } do
      is_refused(400, "/?code=x&state=" .. STATE, ("-H 'Host: %s'"):format(host))
    end
    is_refused(400, "/?code=x&state=" .. STATE, "-H 'Host:'")
  end)

  it("that is not HTTP", function()
    local said, result = beside(([[bash -c 'exec 3<>/dev/tcp/127.0.0.1/%d
      printf "\0\1\2\r\n\r\n" >&3; timeout 1 cat <&3']]):format(listener:port()))
    assert.is_false(result)
    assert.is_nil(said:find("200 OK", 1, true))
  end)

  -- Runs a command of bash while so many connections from a host are open; each has sent the
  -- text of `send` and nothing more.
  local function crowded(number, host, send, command)
    return beside(([[bash -c 'trap "" PIPE; for i in $(seq 20 %d); do
        eval "exec $i<>/dev/tcp/%s/%d" && printf "%s" >&$i; done 2>/dev/null; %s']])
      :format(19 + number, host, listener:port(), send, command))
  end

  local BROWSE = curl.COMMAND .. [[ -s --max-time 8 --noproxy "*" -w "%{http_code}" -o /dev/null ]]

  for _, host in ipairs(has_ipv6 and { "127.0.0.1", "::1" } or { "127.0.0.1" }) do
    for name, send in pairs { ["send nothing"] = "",
                              ["begin a request"] = "GET / HTTP/1.1\\r\\nX:" } do
      it("sent beside hundreds of connections of " .. host .. " that " .. name, function()
        local said, result = crowded(300, host, send, BROWSE .. ('"http://%s/?code=x&state=no"')
          :format(("127.0.0.1:%d"):format(listener:port())))
        assert.equal("400", said)
        assert.is_false(result)
      end)
    end
  end
end)

describe("a connection", function()
  -- Seconds until the listener closes it, after a text and then a byte now and then.
  local function lives(words, drip)
    local said = beside(([[bash -c 'exec 3<>/dev/tcp/127.0.0.1/%d; printf "%s" >&3
      start=$(date +%%s.%%N)
      while :; do
        read -t 0.5 -u 3 -n 1 x; status=$?
        [ $status -gt 128 ] || break
        %s printf a >&3 || break
      done 2>/dev/null
      echo "$(date +%%s.%%N) $start"']]):format(listener:port(), words, drip and "" or ":;"))
    local now, start = said:match "([%d.]+) ([%d.]+)"
    return tonumber(now) - tonumber(start)
  end

  it("that sends nothing is closed after some seconds", function()
    local seconds = lives("", false)
    assert.is_true(seconds > 5 and seconds < 20, seconds)
  end)

  it("whose request never ends is closed, too", function()
    local seconds = lives("GET / HTTP/1.1\\r\\nX: ", true)
    assert.is_true(seconds > 5 and seconds < 20, seconds)
  end)
end)

describe("a code of the greatest length", function()
  it("is accepted, also if every byte is escaped", function()
    local seen = browse("/?state=" .. STATE .. "&code=" .. ("x"):rep(8192))
    assert.same({ code = ("x"):rep(8192) }, seen.result)
    listener:close()
    listener = assert(redirect.listen(STATE))
    seen = browse("/?state=" .. STATE .. "&code=" .. ("%2b"):rep(8192))
    assert.same({ code = ("+"):rep(8192) }, seen.result)
  end)
end)

describe("a listener", function()
  it("can be reached from this machine only", function()
    local lines = files.lines_of(("grep -i ':%04X ' /proc/net/tcp /proc/net/tcp6")
      :format(listener:port()))
    local places = {}
    for i, line in ipairs(lines) do
      places[i] = line:match "%d+: (%x+):"
    end
    table.sort(places)
    assert.same(has_ipv6 and { ("0"):rep(24) .. "01000000", "0100007F" } or { "0100007F" }, places)
  end)

  it("listens at both addresses of localhost", function()
    for _, host in ipairs(has_ipv6 and { "127.0.0.1", "[::1]" } or { "127.0.0.1" }) do
      listener:close()
      listener = assert(redirect.listen(STATE))
      local said, result = beside(("%s -s --noproxy '*' 'http://%s:%d/?code=x&state=%s'")
        :format(curl.COMMAND, host, listener:port(), STATE))
      assert.truthy(said:find("close this page", 1, true), said)
      assert.same({ code = "x" }, result)
    end
  end)

  it("has a port that no other listener has", function()
    local other = assert(redirect.listen(STATE))
    assert.not_equal(listener:port(), other:port())
    assert.equal(listener:port(), math.floor(listener:port()))
    other:close()
  end)

  it("waits as long as its argument says", function()
    local start = core.now()
    assert.is_false(listener:wait(0))
    assert.is_false(listener:wait(0.3))
    local took = core.now() - start
    assert.is_true(took >= 0.29 and took < 5, took)
  end)

  it("stops waiting at a signal, so that Ctrl-C reaches Lua", function()
    local lines = files.lines_of(([[sh -c 'echo $$; exec %s -e "$1"' sh '
      local listener = require("pcapi.redirect").listen "s"
      print "waits"
      io.stdout:flush()
      listener:wait(60)' 2>&1 | {
        read pid; read waits; sleep 0.3; kill -INT $pid; echo $waits; timeout 10 cat; }]])
      :format(LUA))
    assert.equal("waits", lines[1])
    assert.truthy(lines[2]:find("interrupted!", 1, true))
  end)

  it("is closed once, by close, the end of its scope or the collector", function()
    assert.equal(("pcapi.redirect (port %d)"):format(listener:port()), tostring(listener))
    listener:close()
    listener:close()
    assert.equal("pcapi.redirect (closed)", tostring(listener))
    assert.has_error(function() listener:port() end)
    assert.has_error(function() listener:wait(0) end)
    getmetatable(listener).__close(listener)
  end)

  it("frees its port when it is closed or collected", function()
    local function connects(port) -- curl's status 7: no listener; 28: no response
      local status = files.lines_of(("%s -s --max-time 1 --noproxy '*' http://127.0.0.1:%d/; "
        .. "echo $?"):format(curl.COMMAND, port))[1]
      return ({ ["7"] = false, ["28"] = true })[status]
    end
    local port = listener:port()
    assert.is_true(connects(port))
    listener:close()
    assert.is_false(connects(port))
    local forgotten = assert(redirect.listen(STATE))
    port = forgotten:port()
    forgotten = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.is_false(connects(port))
  end)

  it("is not inherited by the browser's process", function()
    local function descriptors()
      return #files.lines_of "ls /proc/self/fd"
    end
    local with = descriptors()
    listener:close()
    assert.equal(with, descriptors())
  end)

  it("says why it cannot listen", function()
    local script = folder.write(folder.new() .. "/script.lua", [[
      local listen = require("pcapi.redirect").listen
      local held, file = {}
      repeat
        file = io.open "/dev/null"
        held[#held + 1] = file
      until not file
      print(listen "s")]])
    assert.same({ "nil\tcannot listen on a port of 127.0.0.1: Too many open files" },
      files.lines_of(("ulimit -n 20; %s %s"):format(LUA, script)))
    folder.remove()
  end)

  it("rejects an invalid state or path, and does not show it", function()
    for _, arguments in ipairs { {}, { "" }, { "SECRET\0" }, { ("SECRET"):rep(50) }, { {} },
                                 { "s", "" }, { "s", "SECRET" }, { "s", "/SECRET\0" },
                                 { "s", "/" .. ("SECRET"):rep(50) } } do
      local ok, message = pcall(redirect.listen, arguments[1], arguments[2])
      assert.is_false(ok)
      assert.is_nil(message:find("SECRET", 1, true))
    end
    assert.has_error(function() listener:wait(-1) end)
    assert.has_error(function() listener:wait() end)
    assert.has_error(function() listener:wait(0 / 0) end)
  end)
end)
