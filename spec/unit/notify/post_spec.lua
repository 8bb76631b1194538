local channel_context = require "spec.support.channel_context"
local post = require "pcapi.notify.post"

local URL = "https://hooks.example/services/T0001/B0002/sEcReT0003?sig=MySigna%74ure"

local function send(response, secrets)
  local context = channel_context.new(response)
  local sent, err = post.send({ url = URL, body = "{}", secrets = secrets,
                                headers = { ["Content-Type"] = "application/json" } }, context)
  return sent, err, context
end

-- Everything that a failure shows.
local function shown(response, secrets)
  local _, err, context = send(response, secrets)
  return tostring(err) .. "\n" .. err.message .. (err.hint or "") .. "\n"
    .. table.concat(context.trace, "\n"), err
end

describe("a message", function()
  it("is posted within 20 seconds and 64 KB", function()
    local response, _, context = send { status = 204 }
    local request = context.transport.sent[1]
    assert.equal(204, response.status)
    assert.equal("POST", request.method)
    assert.equal(URL, request.url)
    assert.equal("{}", request.body)
    assert.equal("application/json", request.header["content-type"])
    assert.equal(20, request.timeout)
    assert.equal(64 * 1024, request.max_body)
  end)

  it("is refused by a redirect, which is not followed", function()
    for _, status in ipairs { 301, 302, 307, 308 } do
      local text, err = shown { status = status, headers = { location = "https://evil.example" } }
      assert.equal("protocol", err.kind)
      assert.truthy(err.hint:find("redirects", 1, true))
      assert.is_nil(text:find("evil", 1, true))
    end
  end)

  it("fails with a kind, and says whether another try helps", function()
    for status, expected in pairs {
      [400] = { "bad_request", true }, [401] = { "unauthorized" }, [403] = { "forbidden" },
      [404] = { "not_found" }, [410] = { "not_found", nil, true }, [413] = { "bad_request", true },
      [422] = { "bad_request", true }, [429] = { "throttled" }, [500] = { "server" },
      [503] = { "server" },
    } do
      local _, err = send { status = status }
      assert.same({ status, expected[1], expected[2], expected[3] },
        { err.status, err.kind, err.is_final, err.stops_channel })
    end
  end)

  it("waits as long as the receiver says", function()
    local _, err = send { status = 429, headers = { ["retry-after"] = "37" } }
    assert.equal(37, err.retry_after)
    _, err = send { status = 503, headers = { ["retry-after"] = "Sat, 28 Nov 2026 06:01:04 GMT",
                                              date = "Sat, 28 Nov 2026 06:00:04 GMT" } }
    assert.equal(60, err.retry_after)
    _, err = send { status = 429 }
    assert.is_nil(err.retry_after)
  end)

  it("fails without a response", function()
    local _, err = send { kind = "timeout", message = "timed out" }
    assert.equal("timeout", err.kind)
    assert.is_nil(err.is_final)
    _, err = send { kind = "protocol", message = "the response is larger than max_body" }
    assert.is_true(err.is_final)
  end)
end)

describe("the address of a channel", function()
  it("is https, or http on loopback", function()
    for _, address in ipairs { URL, "http://127.0.0.1:8080/x", "http://localhost/x",
                               "http://[::1]:80/" } do
      assert.equal(address, post.address(address))
    end
    for _, address in ipairs { "http://hooks.example/sEcReT0003", "hooks.example/sEcReT0003",
                               "ftp://hooks.example/sEcReT0003", "https://u:sEcReT0003@host/",
                               "https://host/#sEcReT0003", "https:///sEcReT0003", "",
                               "https://host/\nsEcReT0003" } do
      local value, why = post.address(address)
      assert.is_nil(value)
      assert.is_nil(why:find("sEcReT", 1, true), why)
    end
  end)

  it("is in no error and no trace, whatever fails", function()
    for _, response in ipairs {
      { status = 404, body = "Cannot POST /services/T0001/B0002/sEcReT0003" },
      { status = 404, body = "no route for SECRET0003" },
      { status = 400, body = '{"error":"bad signature MySignature"}' },
      { status = 400, body = "%73EcReT0003" },
      { status = 500, body = "<html>" .. URL .. "</html>" },
      { status = 302, headers = { location = URL } },
      { kind = "network", message = "cannot connect to " .. URL },
      { kind = "network", message = "cannot resolve hooks.example" },
      { kind = "network", message = "cannot resolve Hooks.Example" },
      { kind = "tls", message = "the certificate is not valid for hooks.example" },
    } do
      local text = shown(response)
      for _, part in ipairs { "secret0003", "mysignature", "hooks.example", "b0002" } do
        assert.is_nil(text:lower():find(part, 1, true), text)
      end
    end
  end)

  it("is hidden as other secrets are that a receiver repeats", function()
    local text = shown({ status = 401, body = "unknown token TOP-SECRET-1" },
      { "Bearer TOP-SECRET-1" })
    assert.is_nil(text:find("TOP", 1, true))
    assert.truthy(text:find("unauthorized: the receiver refused the message: [hidden]", 1, true))
  end)

  it("leaves the words of the receiver that repeat nothing", function()
    assert.truthy(shown({ status = 400, body = "invalid_payload" }):find(
      "the receiver refused the message: invalid_payload (HTTP 400)", 1, true))
    local text = shown { status = 400, body = ("long "):rep(1000) .. "\27[2J" }
    assert.is_true(#text < 1000)
    assert.is_nil(text:find "%c%[")
  end)
end)

describe("a trace", function()
  it("has the size of the message and the status, and nothing else", function()
    local _, _, context = send { status = 200, body = "ok" }
    assert.same({ "* POST to an address that is not shown, a body of 2 bytes",
                  "< HTTP 200, a body of 2 bytes" }, context.trace)
    _, _, context = send { kind = "timeout", message = "timed out: " .. URL }
    assert.equal("! timeout", context.trace[2])
  end)
end)

describe("the link of a channel", function()
  local check = require("pcapi.notify.channel_settings").link.check

  it("is any address, also with a fragment", function()
    for _, address in ipairs { "https://mfa.example/", "http://mfa.example/x?a=1&b=2#tenant" } do
      assert.equal(address, check(address))
    end
  end)

  it("is no markup", function()
    for _, text in ipairs { "javascript:alert(1)", "mfa.example", "https://mfa.example/|x>",
                            "https://mfa.example/<b>", "https://mfa.example/#\"x", "https://x/ y",
                            "https://mfa.example/#\226\128\174", "" } do
      assert.is_nil(check(text))
    end
  end)
end)
