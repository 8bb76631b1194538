-- How long a client waits when the service asks for a pause.
local fake = require "spec.support.fake_transport"
local fake_core = require "spec.support.fake_core"

local YEAR = "31536000"

local function asking(seconds, status, date)
  return { status = status or 429, headers = { ["retry-after"] = tostring(seconds), date = date } }
end

describe("a client whose service demands a pause", function()
  for name, text in pairs {
    ["of a year"] = YEAR, ["of a number without end"] = ("8"):rep(400),
    ["until the year 9999"] = "Fri, 31 Dec 9999 23:59:59 GMT",
    ["of a year in one of two headers"] = "1, " .. YEAR,
  } do
    it(name .. " returns a day, and gives up at once with a shorter timeout", function()
      local client, transport = fake.client { asking(text) }
      local response, err = client:request("GET", "/v1/a")
      assert.is_nil(response)
      assert.equal("throttled", err.kind)
      assert.equal(86400, err.retry_after)
      assert.matches("in 86400 s", err.hint, 1, true)
      assert.same({}, transport.slept)
    end)

    it(name .. " waits ten minutes with a longer timeout", function()
      local client, transport = fake.client { asking(text), asking(text, 503), {} }
      assert.is_table(client:request("GET", "/v1/a", { timeout = 3600 }))
      assert.same({ 600, 600 }, transport.slept)
    end)

    it(name .. " sends no other call for ten minutes", function()
      local client, transport = fake.client({ asking(text), {} }, { retry = { attempts = 1 } })
      client:request("GET", "/v1/a")
      local _, err = client:request("GET", "/v1/b", { timeout = 599 })
      assert.equal(600, err.retry_after)
      assert.is_table(client:request("GET", "/v1/c", { timeout = 601 }))
      assert.same({ 600 }, transport.slept)
    end)
  end

  it("of a number with a fraction waits that long", function()
    for text, seconds in pairs { ["2.0"] = 2, ["3.5"] = 3.5, [" 4 "] = 4, ["5, 6"] = 6 } do
      local client, transport = fake.client { asking(text), {} }
      assert.is_table(client:request("GET", "/v1/a"))
      assert.same({ seconds }, transport.slept)
    end
  end)

  it("of anything else waits as without Retry-After", function()
    for _, text in ipairs { "-5", "1e9", "inf", "nan", "soon", "" } do
      local client, transport = fake.client { asking(text), {} }
      assert.is_table(client:request("GET", "/v1/a"))
      assert.same({ 0.25 }, transport.slept)
    end
  end)

  it("until a date counts from the response's Date, or else from this machine's clock", function()
    local moment = "Sat, 03 Feb 2024 07:09:09 GMT" -- a minute after this machine's clock
    local client, transport = fake.client { asking(moment, 503, "Sat, 03 Feb 2024 07:08:49 GMT"),
                                            asking(moment, 503), {} }
    assert.is_table(client:request("GET", "/v1/a"))
    assert.same({ 20, 60 }, transport.slept)
  end)
end)

describe("a client whose service has demanded a pause", function()
  it("makes its next call wait, and no other client's", function()
    local client, transport = fake.client({ asking(57), {}, {} }, { retry = { attempts = 1 } })
    local other = fake.client({}, { transport = transport })
    assert.is_nil((client:request("GET", "/v1/a")))
    assert.is_table(other:request("GET", "/v1/b"))
    assert.same({}, transport.slept)
    assert.is_table(client:request("GET", "/v1/c"))
    assert.same({ 57 }, transport.slept)
  end)

  it("makes the next call wait for the rest of the pause only", function()
    local client, transport = fake.client({ asking(57), {} }, { retry = { attempts = 1 } })
    client:request("GET", "/v1/a")
    transport.time = transport.time + 50
    client:request("GET", "/v1/b")
    assert.same({ 7 }, transport.slept)
    assert.equal(173, transport.sent[2].timeout)
  end)

  it("returns an error if the pause is longer than the timeout, and sends nothing", function()
    local client, transport = fake.client({ asking(57) }, { retry = { attempts = 1 } })
    client:request("GET", "/v1/a")
    local response, err = client:request("GET", "/v1/b", { timeout = 57 })
    assert.is_nil(response)
    assert.equal("throttled", err.kind)
    assert.equal(57, err.retry_after)
    assert.matches("pause that is not over", err.message)
    assert.matches("in 57 s", err.hint)
    assert.equal(1, #transport.sent)
    assert.same({}, transport.slept)
  end)

  it("does not wait again after the pause, nor after other failures", function()
    local client, transport = fake.client({ asking(3), {}, {}, { status = 503 }, {}, {} })
    for _ = 1, 2 do
      assert.is_table(client:request("GET", "/v1/a"))
    end
    assert.same({ 3 }, transport.slept)
    for _ = 1, 2 do
      assert.is_table(client:request("GET", "/v1/a"))
    end
    assert.same({ 3, 0.25 }, transport.slept)
  end)

  describe("in a task", function()
    local core, restore, concurrent, transport

    before_each(function()
      core, restore = fake_core.install()
      concurrent = require "pcapi.concurrent"
      transport = require("pcapi.http.curl").new()
    end)

    after_each(function() restore() end)

    local function client_of()
      return (fake.client({}, { transport = transport }))
    end

    local function throttle_first()
      core.respond = function(_, number)
        return number == 1 and { status = 429, headers = { ["retry-after"] = "5" } } or {}
      end
    end

    local function when(client, pause)
      return function()
        transport:sleep(pause)
        return client:request("GET", "/v1/x") and core.time
      end
    end

    it("makes the other tasks of this client wait, and no other client's", function()
      throttle_first()
      local client, other = client_of(), client_of()
      local results = concurrent { when(client, 0), when(client, 1), when(client, 2),
                                   when(other, 1) }
      assert.equal(0, results.failed)
      for i = 1, 3 do
        assert.near(1005.2, results[i].value, 0.02)
      end
      assert.near(1001.1, results[4].value, 0.02)
    end)

    it("can be stopped while it waits", function()
      throttle_first()
      local client = client_of()
      local results = concurrent { when(client, 0), when(client, 1), function(loop)
        transport:sleep(2)
        loop:stop()
      end }
      for i = 1, 2 do
        assert.is_nil(results[i].value)
      end
      assert.near(1002, core.time, 0.01)
      assert.equal(1, #core.sent)
    end)
  end)
end)

describe("on_pause", function()
  local seen

  local function note(pause)
    seen[#seen + 1] = pause
  end

  before_each(function()
    seen = {}
  end)

  it("is called before each retry, with the reason, the time and the attempt", function()
    local client = fake.client({ asking(7, 503), { kind = "network" }, asking(57), {} },
      { on_pause = note })
    assert.is_table(client:request("GET", "/v1/a"))
    assert.same({
      { kind = "server", status = 503, seconds = 7, attempt = 2, attempts = 4 },
      { kind = "network", seconds = 0.5, attempt = 3, attempts = 4 },
      { kind = "throttled", status = 429, seconds = 57, attempt = 4, attempts = 4 },
    }, seen)
  end)

  it("is called before a call that waits because another one was throttled", function()
    local client = fake.client({ asking(57), {} }, { retry = { attempts = 1 }, on_pause = note })
    client:request("GET", "/v1/a")
    assert.same({}, seen)
    assert.is_table(client:request("GET", "/v1/b"))
    assert.same({ { kind = "throttled", seconds = 57 } }, seen)
  end)

  it("has the attempts of the option retry", function()
    local client = fake.client({ asking(1, 500), {} },
      { retry = { attempts = 9 }, on_pause = note })
    assert.is_table(client:request("GET", "/v1/a"))
    assert.same({ 2, 9 }, { seen[1].attempt, seen[1].attempts })
  end)

  it("is not called after a failure that is final", function()
    local client = fake.client({ asking(1, 403) }, { on_pause = note })
    assert.is_nil((client:request("GET", "/v1/a")))
    assert.same({}, seen)
  end)

  it("is in the context of the token's provider", function()
    local provider = { token = function(_, _, context)
      seen[1] = context.on_pause
      return "token"
    end }
    local client = fake.client({ {} }, { token = false, auth = provider, on_pause = note })
    assert.is_table(client:request("GET", "/v1/a"))
    assert.equal(note, seen[1])
  end)

  it("may raise, and the call raises its error", function()
    local client, transport = fake.client({ asking(1, 503), {} }, { on_pause = function()
      error("mine", 0)
    end })
    assert.has_error(function()
      client:request("GET", "/v1/a")
    end, "mine")
    assert.same({}, transport.slept)
  end)
end)
