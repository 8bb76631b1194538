-- How long a client lets a server make it wait.
local fake = require "spec.support.fake_transport"

local YEAR = "31536000"

local function asking(text, status, date)
  return { status = status or 429, headers = { ["retry-after"] = text, date = date } }
end

describe("a client that a server asks for a pause", function()
  for name, text in pairs {
    ["of a year"] = YEAR, ["of a number without end"] = ("8"):rep(400),
    ["until the end of all times"] = "Fri, 31 Dec 9999 23:59:59 GMT",
    ["of a year in one of two headers"] = "1, " .. YEAR,
  } do
    it(name .. " tells a day, and gives up at once where its time is shorter", function()
      local client, transport = fake.client { asking(text) }
      local response, err = client:request("GET", "/v1/a")
      assert.is_nil(response)
      assert.equal("throttled", err.kind)
      assert.equal(86400, err.retry_after)
      assert.matches("in 86400 s", err.hint, 1, true)
      assert.same({}, transport.slept)
    end)

    it(name .. " waits ten minutes where its time is longer", function()
      local client, transport = fake.client { asking(text), asking(text, 503), {} }
      assert.is_table(client:request("GET", "/v1/a", { timeout = 3600 }))
      assert.same({ 600, 600 }, transport.slept)
    end)

    it(name .. " asks again in ten minutes, whoever of its calls comes first", function()
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

  it("of no number waits as without one", function()
    for _, text in ipairs { "-5", "1e9", "inf", "nan", "soon", "" } do
      local client, transport = fake.client { asking(text), {} }
      assert.is_table(client:request("GET", "/v1/a"))
      assert.same({ 0.25 }, transport.slept)
    end
  end)

  it("counts a date from the answer's own, or from this machine's clock", function()
    local until_ = "Sat, 03 Feb 2024 07:09:09 GMT" -- a minute after this machine's clock
    local client, transport = fake.client { asking(until_, 503, "Sat, 03 Feb 2024 07:08:49 GMT"),
                                            asking(until_, 503), {} }
    assert.is_table(client:request("GET", "/v1/a"))
    assert.same({ 20, 60 }, transport.slept)
  end)
end)

it("a failed answer whose type says JSON and is none keeps its status", function()
  for status, kind in pairs { [502] = "server", [404] = "not_found", [403] = "forbidden" } do
    local client = fake.client({ { status = status, body = "<title>A gateway</title>",
      headers = { ["content-type"] = "application/json" } } }, { retry = { attempts = 1 } })
    local _, err = client:request("GET", "/v1/a")
    assert.equal(kind, err.kind)
    assert.equal(status, err.status)
    assert.equal("A gateway", err.message)
  end
end)
