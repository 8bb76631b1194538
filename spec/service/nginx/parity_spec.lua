--- The transport of nginx returns what the transport over libcurl does.
local core = require "pcapi.core"
local fetching = require "spec.support.fetching"
local folder = require "spec.support.folder"
local gzip = require "spec.support.gzip"
local lines = require("spec.support.http1").lines
local nginx = require "spec.support.nginx"
local pcapi = require "pcapi"
local sandbox = require "spec.support.sandbox"

local OK = "HTTP/1.1 200 OK\r\n"
local TEXT = ("The quick brown fox. "):rep(50)

local server

setup(function() server = fetching.start() end)
teardown(nginx.stop_all)
after_each(folder.remove)

local VARYING = { "date", "ms-serverid" } -- headers whose values differ from response to response

-- Returns the part that must be equal: the whole response, or the kind of the error.
local function compared(status, reason, headers, body)
  if not status then
    return { kind = reason }
  end
  for _, name in ipairs(VARYING) do
    headers[name] = headers[name] and "some"
  end
  return { status = status, reason = reason, headers = headers, body = body }
end

local function from_curl(address, options)
  local response, err = pcapi.fetch(address, sandbox.merged({
    ca_file = sandbox.ca_file, http_version = "1.1", allow_http = true,
  }, options))
  if not response then
    return compared(nil, err.kind)
  end
  return compared(response.status, response.reason, response.headers, response.body)
end

-- Asserts that both return the same, and returns it.
local function same(address, options)
  local expected = from_curl(address, options)
  assert.same(expected, compared(fetching.fetch(server, address, options)))
  return expected
end

describe("both transports return the same response", function()
  for name, text in pairs {
    ["with a length"] = OK .. lines("Content-Length: 4", "", "done"),
    ["with chunks and extensions"] = OK .. lines("Transfer-Encoding: chunked", "", "2;a=b", "do",
      "2", "ne", "0", ""),
    ["without a length"] = OK .. "\r\n" .. TEXT,
    ["without headers and body"] = OK .. "\r\n",
    ["without a reason"] = lines("HTTP/1.1 200", "Content-Length: 4", "", "done"),
    ["with another reason"] = lines("HTTP/1.1 418 I'm a teapot ", "Content-Length: 4", "", "done"),
    ["of HTTP/1.0"] = "HTTP/1.0 200 OK\r\n\r\ndone",
    ["with double, empty and padded headers"] = OK .. lines("Set-Cookie: a=1", "set-cookie: b=2",
      "X-A:", "X-B: \t b  c \t", "Content-Length: 4", "", "done"),
    ["whose lines end with LF"] = "HTTP/1.1 200 OK\nContent-Length: 4\nX-A: 1\n\ndone",
    ["after interim responses"] = lines("HTTP/1.1 100 Continue", "", "HTTP/1.1 103 Early Hints",
      "Link: x", "") .. OK .. lines("Content-Length: 4", "", "done"),
    ["with status 204"] = "HTTP/1.1 204 No Content\r\n\r\n",
    ["with status 304"] = lines("HTTP/1.1 304 Not Modified", "Content-Length: 4", ""),
    ["with the same length twice"] = OK .. lines("Content-Length: 4", "Content-Length: 4", "",
      "done"),
    ["of JSON with a byte order mark"] = OK .. lines("Content-Type: application/json", "")
      .. "\239\187\191{}",
    ["of text with a byte order mark"] = OK .. lines("Content-Type: text/plain", "")
      .. "\239\187\191{}",
    ["with header names like a status line"] = OK .. lines("X-A: 1", "HTTP/1x: 2", "HTTP/: 3",
      "X-B: 4", "Content-Length: 4", "", "done"),
    ["with an error and a body that is not gzip"] = lines("HTTP/1.1 429 Slow",
      "Content-Encoding: gzip", "Retry-After: 3", "Content-Length: 4", "", "done"),
    ["with an error and unknown codings"] = lines("HTTP/1.1 503 Away",
      "Content-Encoding: br", "Content-Encoding: gzip", "Content-Length: 4", "", "done"),
    ["with trailers"] = OK .. lines("Transfer-Encoding: chunked", "", "4", "done", "0", "X-A: 1",
      "Content-Length: 9", ""),
    ["of a redirect"] = lines("HTTP/1.1 302 Found", "Location: http://127.0.0.1:1/", "",""),
  } do
    it(name, function()
      assert.is_nil(same(fetching.sending(server, text)).kind)
    end)
  end

  for coding, compress in pairs { gzip = gzip.gzip, ["x-gzip"] = gzip.gzip,
                                  deflate = gzip.deflate } do
    it("compressed as " .. coding, function()
      local packed = compress(TEXT)
      assert.equal(TEXT, same(fetching.sending(server, OK .. lines("Content-Encoding: " .. coding,
        "Content-Length: " .. #packed, "") .. packed)).body)
    end)
  end

  it("to HEAD", function()
    local response = same(fetching.sending(server, OK .. lines("Content-Length: 4", "")),
      { method = "HEAD" })
    assert.equal("4", response.headers["content-length"])
    assert.equal("", response.body)
  end)

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
    it("or error, for the sandbox with " .. settings, function()
      same(sandbox.url .. fetching.PATH, sandbox.merged({ headers = {
        Authorization = "Bearer " .. fetching.TOKEN, Accept = "application/json",
        ["X-Sandbox"] = settings, ["MS-RequestId"] = core.uuid(),
        ["MS-CorrelationId"] = core.uuid(),
      } }, options))
    end)
  end
end)

describe("both transports return the same kind of error", function()
  for name, case in pairs {
    ["after HTTP/0.9"] = { "done", "protocol" },
    ["after nothing"] = { "", "network" },
    ["after part of a status line"] = { "HTTP/1.", "network" },
    ["after part of the headers"] = { OK .. "Content-Le", "network" },
    ["after part of a body"] = { OK .. lines("Content-Length: 5", "") .. "done", "network" },
    ["after part of a chunk"] = { OK .. lines("Transfer-Encoding: chunked", "", "5") .. "done",
                                  "network" },
    ["without a last chunk"] = { OK .. lines("Transfer-Encoding: chunked", "", "4", "done"),
                                 "network" },
    ["for a header without a colon"] = { OK .. lines("nonsense", "", "done"), "protocol" },
    ["for a zero byte in a header"] = { OK .. lines("X-A: \0", "", "done"), "protocol" },
    ["for a body that is not gzip"] = { OK .. lines("Content-Encoding: gzip", "", "done"),
                                        "protocol" },
    ["for two codings"] = { OK .. lines("Content-Encoding: gzip, gzip", "Content-Length: 4", "",
                                        "done"), "protocol" },
    ["for codings in two headers"] = { OK .. lines("Content-Encoding: gzip",
                                                   "Content-Encoding: deflate", "Content-Length: 4",
                                                   "", "done"), "protocol" },
    ["for the coding br"] = { OK .. lines("Content-Encoding: br", "", "done"), "protocol" },
    ["for Transfer-Encoding: identity"] = { OK .. lines("Transfer-Encoding: identity",
                                                        "Content-Length: 4", "", "done"),
                                            "protocol" },
    ["for Transfer-Encoding: identity without a length"] = { OK
      .. lines("Transfer-Encoding: identity", "", "done"), "protocol" },
    ["for a body above max_body"] = { OK .. lines("Content-Length: 4000000", "") .. "x",
                                      "protocol" },
  } do
    it(name, function()
      assert.equal(case[2], same(fetching.sending(server, case[1]), { max_body = 1e6 }).kind)
    end)
  end

  for name, kind in pairs { UNTRUSTED = "tls", OTHER_HOST = "tls", EXPIRED = "tls", TLS11 = "tls",
                            CLOSED = "network" } do
    it("for the sandbox's server " .. name, function()
      local url = sandbox.env("PCAPI_SANDBOX_" .. name .. "_URL") .. "/_sandbox/echo"
      local _, err = pcapi.fetch(url, sandbox.fetch_options())
      assert.same({ kind, kind }, { err.kind, (select(2, fetching.fetch(server, url))) })
    end)
  end

  it("for a server without TLS", function()
    local url = sandbox.http_url:gsub("^http", "https")
    local _, err = pcapi.fetch(url, sandbox.fetch_options())
    assert.same({ "tls", "tls" }, { err.kind, (select(2, fetching.fetch(server, url))) })
  end)
end)
