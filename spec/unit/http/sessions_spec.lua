local fake_core = require "spec.support.fake_core"
local raised_by = require "spec.support.raised_by"

local core, restore, sessions

local REQUEST = { method = "GET", url = "https://a.example/", timeout = 10, max_body = 1e6 }

local function connection(changes)
  local options = { allow_http = false, user_agent = "x" }
  for name, value in pairs(changes or {}) do
    options[name] = value
  end
  return sessions.connection(options)
end

-- Sends a request and waits for its end. Returns its session; then the response, or nil and err.
local function send(made, to, timing, request)
  local session = assert(made:start(to, request or REQUEST))
  made.pool:wait(60)
  made.pool:next()
  return session, made:response(session, { url = REQUEST.url, timing = timing, max_body = 1e6 })
end

describe("pcapi.http.sessions", function()
  local made, usual

  before_each(function()
    core, restore = fake_core.install()
    sessions = require "pcapi.http.sessions"
    made, usual = sessions.new { idle = 2 }, connection()
  end)

  after_each(function() restore() end)

  it("open one pool at the first request, and nothing before", function()
    assert.same({}, core.pools)
    send(made, usual)
    send(made, usual)
    assert.equal(1, #core.pools)
    assert.same({ idle = 2, silence = 20 }, core.pools[1].limits)
  end)

  it("return the response with its body, and false until it has come", function()
    core.respond = function() return { status = 404, body = "no", headers = { a = "b" } } end
    local session = made:start(usual, REQUEST)
    assert.is_false(made:response(session, REQUEST))
    made.pool:wait(1)
    local response = made:response(session, REQUEST)
    assert.equal(404, response.status)
    assert.equal("no", response.body)
    assert.equal("b", response.headers.a)
    assert.is_nil(response.timing)
  end)

  it("return an error with the kind that the core names, and a hint", function()
    core.respond = function() return { kind = "tls", message = "expired" } end
    local _, response, err = send(made, usual)
    assert.is_nil(response)
    assert.equal("tls", err.kind)
    assert.equal("expired", err.message)
    assert.matches("ca_file", err.hint)
  end)

  it("compare connection options, whenever the garbage collector runs", function()
    for i = 1, 20000 do
      assert.truthy(connection({ user_agent = tostring(i % 50) }).key)
    end
    assert.equal(usual.key, connection().key)
  end)

  it("do not show a proxy's password in a dump of a connection", function()
    local made_with = connection { proxy = "http://kim:secret@127.0.0.1:1" }
    for name, value in pairs(made_with) do
      assert.is_nil(tostring(name):find "secret" or tostring(value):find "secret")
      assert.same({}, value)
    end
  end)

  it("give a hint for each reason to refuse a certificate", function()
    for cause, word in pairs { ca = "ca_file", host = "address", expired = "clock",
                               not_yet_valid = "clock" } do
      core.respond = function() return { kind = "tls", message = "no", cause = cause } end
      local _, _, err = send(made, usual)
      assert.truthy(err.hint:find(word, 1, true), err.hint)
    end
  end)

  it("return the certificate that was refused, and name its CA, and the host", function()
    local certificate = { subject = "s", issuer = "Corp CA", hosts = "b.example", not_before = 1,
                          not_after = 2, is_ca = false, is_of_proxy = false }
    core.respond = function()
      return { kind = "tls", message = "no", cause = "ca", certificate = certificate }
    end
    local _, _, err = send(made, usual)
    assert.equal(certificate, err.certificate)
    assert.matches("certificate of a.example .* not trusted here: Corp CA", err.message)
    core.respond = function() return { kind = "network", certificate = certificate } end
    _, _, err = send(made, usual)
    assert.is_nil(err.certificate)
  end)

  it("name a path of CAs that is missing", function()
    for _, refused in ipairs { { kind = "tls", message = "no", cause = "ca" },
                               { kind = "config", message = "no", cause = "ca_file" } } do
      core.respond = function() return refused end
      local _, _, err = send(made, connection { ca_path = "/none" })
      assert.same({ "the CA certificates cannot be read: /none: No such file or directory",
                    "Correct ca_path" }, { err.message, err.hint })
    end
    core.respond = function() return { kind = "network", message = "no" } end
    local _, _, err = send(made, connection { ca_path = "/none" })
    assert.is_nil(err.hint:find("/none", 1, true))
  end)

  it("allow libcurl to repeat a request only if its method is idempotent", function()
    for method, expected in pairs { GET = true, HEAD = true, POST = false, PATCH = false } do
      send(made, usual, nil, { method = method, url = "https://a.example/", timeout = 1 })
      assert.equal(expected, core.sent[#core.sent].may_repeat or false)
    end
  end)

  it("decompress a body, and return an error if they cannot", function()
    local folder = require "spec.support.folder"
    local gzip = require("spec.support.gzip").gzip
    local headers = { ["content-encoding"] = "gzip", ["content-type"] = "application/json" }
    core.respond = function() return { headers = headers, body = gzip '{"fromName":1}' } end
    local _, response = send(made, usual)
    assert.equal('{"fromName":1}', response.body)
    core.respond = function() return { headers = headers, body = gzip("text"):sub(1, -5) } end
    local _, none, err = send(made, usual)
    folder.remove()
    assert.is_nil(none)
    assert.equal("protocol", err.kind)
  end)

  it("return the timing of a response or an error if the request wants it", function()
    core.timing = { total = 0.1 }
    local _, response = send(made, usual, true)
    assert.equal(core.timing, response.timing)
    core.respond = function() return { kind = "network" } end
    local _, _, err = send(made, usual, true)
    assert.equal(core.timing, err.timing)
    _, _, err = send(made, usual)
    assert.is_nil(err.timing)
  end)

  describe("use an idle session again", function()
    it("once its request has ended", function()
      local first = send(made, usual)
      assert.equal(first, (send(made, connection())))
      local busy = made:start(usual, REQUEST)
      assert.equal(first, busy)
      assert.not_equal(first, made:start(usual, REQUEST))
    end)

    it("after a failure, and after a request was cancelled", function()
      core.respond = function() return { kind = "network" } end
      local first = send(made, usual)
      local second = made:start(usual, REQUEST)
      assert.equal(first, second)
      made:cancel(second)
      assert.is_true(second.cancelled)
      assert.equal(second, made:start(usual, REQUEST))
    end)

    it("after a request that could not start", function()
      core.respond = function() return { fails = "config" } end
      local session, err = made:start(usual, REQUEST)
      assert.is_nil(session)
      assert.equal("config", err.kind)
      assert.is_nil((made:start(usual, REQUEST)))
      assert.equal(1, #core.sessions)
    end)

    it("only for equal connection options", function()
      local seen = { [send(made, usual)] = "usual" }
      made = sessions.new { idle = 100 }
      for name, value in pairs { ca_file = "f", ca_path = "f", proxy = "f", no_proxy = "f",
                                 user_agent = "f", http_1_1 = true, allow_http = true } do
        local session = send(made, connection { [name] = value })
        assert.is_nil(seen[session])
        assert.equal(value, session.options[name])
        seen[session] = name
      end
    end)

    it("never for options that are equal only when joined", function()
      for _, pair in ipairs {
        { { ca_file = "nil" }, {} }, { { proxy = "" }, {} }, { { ca_path = "false" }, {} },
        { { ca_file = "a\nb" }, { ca_file = "a", ca_path = "b" } },
        { { proxy = "a\nb" }, { proxy = "a", no_proxy = "b" } },
        { { proxy = "a", no_proxy = "b\nnil" }, { proxy = "a\nb" } },
      } do
        assert.not_equal(connection(pair[1]).key, connection(pair[2]).key)
      end
    end)
  end)

  it("close the idle sessions above their limit", function()
    local all = {}
    for i = 1, 5 do
      all[i] = made:start(usual, REQUEST)
    end
    made.pool:wait(60)
    for i = 1, 5 do
      made:response(all[i], REQUEST)
    end
    local closed = 0
    for i = 1, 5 do
      closed = closed + (all[i].closed and 1 or 0)
    end
    assert.equal(3, closed)
  end)

  it("do not reuse a session whose start raised an error", function()
    local odd = connection { ca_file = "a\0" }
    assert.matches("zero byte", raised_by(made.start, made, odd, REQUEST))
    core.respond = function() error "not enough memory" end
    assert.matches("memory", raised_by(made.start, made, usual, REQUEST))
    core.respond = function() return {} end
    send(made, usual)
    assert.is_nil(next(made.busy))
    assert.equal(2, #core.sessions)
  end)

  it("cancel a request once", function()
    local session = made:start(usual, REQUEST)
    made:cancel(session)
    assert.equal(session, made:start(usual, REQUEST))
    made:cancel(session)
    made:cancel(session)
    assert.equal(session, made:start(usual, REQUEST))
    assert.not_equal(session, made:start(usual, REQUEST))
  end)

  it("return an error if no file descriptor is left", function()
    core.no_pool = "no descriptor"
    for _, call in ipairs { "open", "start" } do
      local got, err = made[call](made, usual, REQUEST)
      assert.is_nil(got)
      assert.equal("config", err.kind)
      assert.equal("no descriptor", err.message)
    end
  end)

  describe("that are closed", function()
    it("have closed all that they opened", function()
      send(made, usual)
      made:start(usual, REQUEST)
      made:start(usual, REQUEST)
      made:close()
      assert.is_true(core.pools[1].closed)
      for _, session in ipairs(core.sessions) do
        assert.is_true(session.closed)
      end
      assert.equal(0, core.running)
    end)

    it("return an error of kind stopped for a request in flight", function()
      local session = made:start(usual, REQUEST)
      made:close()
      local response, err = made:response(session, REQUEST)
      assert.is_nil(response)
      assert.equal("stopped", err.kind)
      made:cancel(session)
    end)

    it("may be closed again, and used again", function()
      made:close()
      send(made, usual)
      made:close()
      made:close()
      local session, response = send(made, usual)
      assert.equal(200, response.status)
      assert.is_falsy(session.closed)
      assert.equal(2, #core.pools)
    end)
  end)
end)
