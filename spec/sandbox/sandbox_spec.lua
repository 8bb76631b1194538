--- Tests the sandbox's own pages, its tokens, its start and its README.
local cjson = require "cjson"
local settings = require "sandbox.settings"
local token = require "sandbox.token"
local api = require "spec.support.api"
local curl = require "spec.support.curl"
local files = require "spec.support.files"

local URL = os.getenv("PCAPI_SANDBOX_URL")
local REQUESTS = "/v1/partnerRequests"
local BOM = "\239\187\191"
local ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
local shell = curl.shell
local sandbox_it = api.needing_sandbox(it, pending)
local at_once, fetch, many = api.at_once, api.fetch, api.many

describe("the sandbox's own pages", function()
  sandbox_it("report its health and mint tokens", function()
    assert.equal("ok", fetch({ path = "/_sandbox/health", token = false }).body)
    local minted = fetch { path = "/_sandbox/token?amr=pwd&scenario=paged", token = false }
    assert.same({ "pwd" }, token.read(minted.body).amr)
    assert.equal("paged", token.read(minted.body).scenario)
  end)

  sandbox_it("list the requests of a correlation id, in order", function()
    local id = shell("cat /proc/sys/kernel/random/uuid"):match("%S+")
    local headers = { "MS-CorrelationId: " .. id:upper(), "X-Locale: nb-NO" }
    fetch { headers = headers, path = REQUESTS .. "?a=b" }
    fetch { headers = headers, token = false, args = { "--http1.1" } }
    local response = fetch { path = "/_sandbox/log?correlation_id=" .. id, token = false }
    local log = cjson.decode(response.body)
    assert.equal(2, #log)
    assert.same({ "GET", REQUESTS .. "?a=b", "2" },
                { log[1].method, log[1].uri, log[1].http_version })
    assert.equal("nb-NO", log[1].headers["x-locale"])
    assert.equal("1.1", log[2].http_version)
    assert.is_true(log[2].at >= log[1].at)
    assert.equal("[]", fetch({ path = "/_sandbox/log?correlation_id=" .. ID:reverse() }).body)
  end)

  sandbox_it("count the requests with a label, over all connections and workers", function()
    local label = shell("cat /proc/sys/kernel/random/uuid"):match("%S+")
    local function gauge()
      local path = "/_sandbox/gauge?label=" .. label
      return cjson.decode(fetch({ path = path, token = false }).body)
    end
    assert.same({ requests = 0, most_at_once = 0, connections = 0, times = {} }, gauge())
    local before = os.time()
    assert.same({ ["200"] = 5 }, at_once(many("delay=0.3; label=" .. label, 5)))
    assert.same({ ["200"] = 2 }, at_once(many("label=other; label=" .. label, 2)))
    local seen = gauge()
    assert.same({ 7, 5, 2, 7 },
                { seen.requests, seen.most_at_once, seen.connections, #seen.times })
    assert.is_true(seen.times[1] >= before and seen.times[7] <= os.time() + 1)
    assert.equal(400, fetch({ path = "/_sandbox/gauge", token = false }).status)
  end)

  sandbox_it("no longer count a request that the client cancelled", function()
    local label = shell("cat /proc/sys/kernel/random/uuid"):match("%S+")
    local text = "delay=0.4; label=" .. label
    assert.equal(28, fetch({ settings = text, args = { "--max-time", "0.1" } }).exit)
    shell("sleep 0.5")
    assert.equal(200, fetch({ settings = text }).status)
    local response = fetch { path = "/_sandbox/gauge?label=" .. label, token = false }
    assert.equal(1, cjson.decode(response.body).most_at_once)
  end)

  sandbox_it("echo any request", function()
    local response = fetch { path = "/_sandbox/echo?x=1", token = false,
                           args = { "-X", "PUT", "-d", "some text", "-H", "A: b" } }
    local echo = cjson.decode(response.body)
    assert.same({ "PUT", "/_sandbox/echo?x=1", "some text", "b", "2" },
                { echo.method, echo.uri, echo.body, echo.headers.a, echo.http_version })
  end)
end)

describe("a token of the sandbox", function()
  local function from_shell(arguments)
    return token.read(shell("lua5.4 sandbox/token.lua " .. arguments):match("%S+"))
  end

  sandbox_it("is made in the shell with the requested claims", function()
    local claims = from_shell("scenario=throttled amr=pwd,rsa exp=+60 scp=false")
    assert.equal("throttled", claims.scenario)
    assert.same({ "pwd", "rsa" }, claims.amr)
    assert.is_nil(claims.scp)
    assert.is_true(math.abs(claims.exp - os.time() - 60) < 5)
  end)

  sandbox_it("is unique", function()
    assert.not_equal(token.mint(), token.mint())
  end)

  sandbox_it("has the claims that it was minted with, at any length", function()
    for length = 0, 5 do
      local upn = ("x"):rep(length) .. "\195\184"
      assert.equal(upn, token.read(token.mint { upn = upn }).upn)
    end
    assert.is_nil(token.read("a.b.c"))
    assert.is_nil(token.read(""))
  end)
end)

describe("sandbox/run", function()
  -- Runs a script in a shell and returns its output.
  local function run(script)
    return shell("{ unset PCAPI_TOKEN PCAPI_BASE_URL; " .. script .. "; } 2>&1")
  end
  local FIND = [[dir=$(dirname "$PCAPI_SANDBOX_CA"); pid=$(cat "$dir/nginx.pid"); echo $dir $pid;]]
  local function is_gone(output)
    local dir, pid = output:match("(/%S+) (%d+)")
    return shell(("test -e %s || kill -0 %s 2>/dev/null || echo gone"):format(dir, pid))
      == "gone\n"
  end

  sandbox_it("returns the status of the command and removes its files", function()
    local output = run("sandbox/run sh -c '" .. FIND .. " exit 7'; echo status $?")
    assert.matches("status 7\n", output)
    assert.is_true(is_gone(output))
  end)

  sandbox_it("passes stdin and arguments on unchanged", function()
    local output = run([[echo typed | sandbox/run sh -c 'cat; echo "$1"' sh 'a  b']])
    assert.equal("typed\na  b\n", output)
  end)

  sandbox_it("stops its command and itself on TERM, INT and HUP", function()
    for signal, status in pairs { TERM = 143, INT = 130, HUP = 129 } do
      local file = files.temporary()
      run(([[env --default-signal=INT sandbox/run sh -c '%s exec sleep 60' >%s & run=$!
             until [ -s %s ]; do sleep 0.05; done; kill -%s $run; wait $run; echo $? >>%s]])
        :format(FIND, file, file, signal, file))
      local output = files.slurp(file)
      os.remove(file)
      assert.matches("\n" .. status .. "\n$", output)
      assert.is_true(is_gone(output))
    end
  end)

  sandbox_it("returns the command's status after a signal", function()
    local file = files.temporary()
    local output = run(([[sandbox/run sh -c 'trap "exit 5" TERM; echo >%s
        while :; do sleep 0.1; done' & run=$!
      until [ -s %s ]; do sleep 0.05; done; kill $run; wait $run; echo $?]])
      :format(file, file))
    os.remove(file)
    assert.equal("5\n", output)
  end)

  sandbox_it("prints the variables to export and keeps running without a command", function()
    local file = files.temporary()
    local output = run(([[sandbox/run >%s & run=$!
      until grep -q no_proxy %s; do sleep 0.05; done; . %s; rm %s
      curl -s --cacert "$PCAPI_CA_FILE" -H "Authorization: Bearer $PCAPI_TOKEN" \
        "$PCAPI_BASE_URL/v1/partnerRequests" | head -c 20; kill $run; wait $run; echo " $?"]])
      :format(file, file, file, file))
    assert.equal(BOM .. '{"totalCount":60, 143\n', output)
  end)

  sandbox_it("restarts on a signal without losing requests or changing records", function()
    local output = run([[sandbox/run sh -c '
        get() { curl -s --cacert "$PCAPI_CA_FILE" -H "Authorization: Bearer $PCAPI_TOKEN" \
          -H "X-Sandbox: $1" "$PCAPI_BASE_URL/v1/partnerRequests" | md5sum; }
        workers() { pgrep -P $PCAPI_SANDBOX_PID | tr "\n" " "; }
        before=$(workers); get; get "delay=2" & sleep 1; kill -HUP $PCAPI_SANDBOX_PID; wait
        get; sleep 0.2; test "$before" = "$(workers)" || echo other workers']])
    local first, during, after, rest = output:match("^(%x+)  %-\n(%x+)  %-\n(%x+)  %-\n(.*)")
    assert.same({ first, first, "other workers\n" }, { during, after, rest })
  end)

  sandbox_it("starts new workers when its workers are killed", function()
    local output = run([[sandbox/run sh -c '
        get() { curl -s --cacert "$PCAPI_CA_FILE" -H "Authorization: Bearer $PCAPI_TOKEN" \
          -H "X-Sandbox: $1" -o /dev/null -w "%{http_code} " "$PCAPI_BASE_URL/v1/customers"
          echo $?; }
        get "delay=5" & sleep 0.5; pkill -KILL -P $PCAPI_SANDBOX_PID; wait; get']])
    assert.matches("^000 [1-9]%d*\n200 0\n$", output)
  end)

  sandbox_it("adds its hosts to no_proxy", function()
    local output = run([[no_proxy=a.example sandbox/run sh -c 'echo "$no_proxy"']])
    assert.equal("a.example,localhost,127.0.0.1\n", output)
  end)

  sandbox_it("runs beside another sandbox, from any directory", function()
    local output = run([[here=$PWD; cd /; "$here/sandbox/run" sh -c 'echo "$PCAPI_SANDBOX_URL"']])
    assert.matches("^https://localhost:%d+\n$", output)
    assert.not_equal(URL .. "\n", output)
  end)

  sandbox_it("lists the missing packages", function()
    local output = run([[tools=$(mktemp -d)
      ln -s "$(command -v bash)" "$(command -v dirname)" $tools
      (PATH=$tools; bash sandbox/run true); echo $?; rm -r $tools]])
    assert.equal("sandbox/run: needs the Debian packages nginx libnginx-mod-http-lua lua-cjson "
      .. "openssl curl (make demo installs them)\n70\n", output)
  end)
end)

describe("the sandbox's README", function()
  sandbox_it("names every setting and every preset", function()
    local readme = files.slurp("sandbox/README.md")
    for name in pairs(settings.known) do
      assert.matches("`" .. name .. "=", readme, 1, true)
    end
    for name, text in pairs(settings.presets) do
      assert.matches("| `" .. name .. "` | `" .. text .. "` |", readme, 1, true)
    end
  end)
end)
