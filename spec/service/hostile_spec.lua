--- Malformed responses: both transports treat them in the same way.
local folder = require "spec.support.folder"
local hostile = require "spec.support.hostile"
local literal = require "spec.support.literal"
local nginx = require "spec.support.nginx"
local pcapi = require "pcapi"
local raw = require "spec.support.raw"
local sandbox = require "spec.support.sandbox"
local workers = require "spec.support.workers"

-- Returns "200 body"; or the kind of an error, and the error.
local VERDICT = [[
  function verdict(fetch, address, options)
    options.allow_http = true
    options.timeout = options.timeout or 5
    local response, err = fetch(address, options)
    if response then
      return response.status .. " " .. response.body
    end
    return err.kind, tostring(err)
  end
]]
assert((loadstring or load)(VERDICT))() -- luacheck: ignore
local verdict = rawget(_G, "verdict")

describe("both transports treat", function()
  local server, worker
  setup(function()
    server = raw.start()
    worker = workers.start { init = VERDICT }
  end)
  teardown(function()
    raw.stop_all()
    nginx.stop_all()
    folder.remove()
  end)

  for _, case in ipairs(hostile) do
    it(case.name .. " in the same way", function()
      server:play { { case.steps } }
      local address = server.http .. "/"
      local curls, why = verdict(pcapi.fetch, address, sandbox.merged(case.options))
      local nginxs, as_well = worker:run(("return verdict(pcapi.fetch, %q, %s)"):format(address,
        literal(case.options)))
      assert.same({ case.verdict, case.nginx or case.verdict }, { curls, nginxs },
        tostring(why) .. "\n" .. tostring(as_well))
    end)
  end
end)

-- Each response is valid; the specs look at the next request.
describe("on a reused connection", function()
  local OK = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
  local server, worker
  setup(function()
    server = raw.start()
    worker = workers.start { init = VERDICT }
  end)
  teardown(function()
    raw.stop_all()
    nginx.stop_all()
  end)

  -- Returns the verdicts of both transports on several requests in turn.
  local function verdicts(script, requests)
    local said = { curl = {}, nginx = {} }
    local seen = {}
    for name in pairs(said) do
      server:play(script)
      for i, options in ipairs(requests) do
        local address = server.http .. "/" .. i
        if name == "curl" then
          said.curl[i] = verdict(pcapi.fetch, address, sandbox.merged(options))
        else
          said.nginx[i] = worker:run(("return verdict(pcapi.fetch, %q, %s)"):format(address,
            literal(options)))
        end
      end
      seen[name] = server:seen()
    end
    return said, seen
  end

  it("a response without a request is dropped", function()
    local forged = { OK .. "one." .. OK .. "evil", { wait = 50 } }
    local said = verdicts({ { forged, { OK .. "two." } }, { { OK .. "two." } } }, { {}, {} })
    assert.same({ curl = { "200 one.", "200 two." }, nginx = { "200 one.", "200 two." } }, said)
  end)

  it("a response without a request is dropped, also if it comes a little later", function()
    local forged = { OK .. "one.", { wait = 50 }, OK .. "evil", { silent = true } }
    local function send(fetch_second)
      server:play { { forged }, { { OK .. "two." } } }
      return fetch_second(server.http .. "/")
    end
    assert.equal("200 two.", send(function(address)
      assert.equal("200 one.", (verdict(pcapi.fetch, address, {})))
      os.execute "sleep 0.2"
      return (verdict(pcapi.fetch, address, {}))
    end))
    assert.equal("200 two.", send(function(address)
      return (worker:run(([[local first = verdict(pcapi.fetch, %q, {})
        ngx.sleep(0.2)
        return first == "200 one." and verdict(pcapi.fetch, %q, {})]]):format(address, address)))
    end))
  end)

  it("the rest of a body that is longer than its length is dropped", function()
    local longer = { OK .. "one.HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", { wait = 50 } }
    local said = verdicts({ { longer, { OK .. "two." } }, { { OK .. "two." } } }, { {}, {} })
    assert.same({ curl = { "200 one.", "200 two." }, nginx = { "200 one.", "200 two." } }, said)
  end)

  it("a body behind a 204 is dropped", function()
    local longer = { "HTTP/1.1 204 No Content\r\n\r\n" .. OK .. "evil", { wait = 50 } }
    local said = verdicts({ { longer, { OK .. "two." } }, { { OK .. "two." } } }, { {}, {} })
    assert.same({ curl = { "204 ", "200 two." }, nginx = { "204 ", "200 two." } }, said)
  end)

  it("a folded first line is refused, and the next response is read", function()
    local busy = { "HTTP/1.1 503 X\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n" }
    local folded = { "HTTP/1.1 200 OK\r\n x: " .. ("y"):rep(3000) .. "\r\n" .. OK:match "Con.*"
      .. "evil" }
    local said = verdicts({ { busy, folded }, { { OK .. "two." } } }, { {}, {}, {} })
    local expected = { "503 ", "protocol", "200 two." }
    assert.same({ curl = expected, nginx = expected }, said)
  end)

  local dying = { { { OK .. "one." }, { { close = true } } }, { { OK .. "two." } } }

  it("a GET is sent again if the server closes the connection", function()
    local said = verdicts(dying, { {}, {} })
    assert.same({ curl = { "200 one.", "200 two." }, nginx = { "200 one.", "200 two." } }, said)
  end)

  for name, ending in pairs { closes = { close = true }, resets = { reset = true } } do
    it("a POST is sent once, though the server " .. name, function()
      local post = { method = "POST", body = "a=b" }
      local said, seen = verdicts({ { { OK .. "one." }, { ending } }, { { ending } },
                                    { { OK .. "evil" } } }, { {}, post })
      local expected = { "200 one.", "network" }
      assert.same({ curl = expected, nginx = expected }, said)
      for transport, counts in pairs(seen) do
        assert.equal(2, #counts.requests, transport)
      end
    end)
  end
end)
