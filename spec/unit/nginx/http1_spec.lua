--- HTTP/1.1 over a socket that is scripted. gzip(1) compresses bodies.
local fake_socket = require "spec.support.fake_socket"
local folder = require "spec.support.folder"
local gzip = require("spec.support.gzip").gzip
local http1 = require "pcapi.nginx.http1"
local url = require "pcapi.url"

local LIMITS = { max_body = 1000, max_headers = 1000 }
local OK = "HTTP/1.1 200 OK\r\n"

local function lines(...)
  return table.concat({ ... }, "\r\n") .. "\r\n"
end

-- What comes of an answer. `how` is for the socket, and has `method` and the limits.
local function read(what, how)
  how = how or {}
  local socket = fake_socket.new(what, how)
  local response, kept, message = http1.response(socket, how.method or "GET", {
    max_body = how.max_body or LIMITS.max_body,
    max_headers = how.max_headers or LIMITS.max_headers,
  }, how.on_head)
  return response, kept, message, socket
end

local function body_of(what, how)
  local response, kind, message = read(what, how)
  assert(response, tostring(kind) .. ": " .. tostring(message))
  return response.body
end

local function refused(kind, words, what, how)
  local response, is_kind, message = read(what, how)
  assert.is_nil(response)
  assert.equal(kind, is_kind, message)
  assert.truthy(message:find(words, 1, true), message)
end

local function with_length(body, ...)
  return OK .. lines("Content-Length: " .. #body, ...) .. "\r\n" .. body
end

after_each(folder.remove)

describe("an answer's status line", function()
  it("gives status, reason and version", function()
    local response = read(lines("HTTP/1.0 404 Not  Found ", "Content-Length: 0", ""))
    assert.same({ status = 404, reason = "Not  Found", version = 1.0, body = "",
                  headers = { ["content-length"] = "0" } }, response)
  end)

  it("may have no reason", function()
    for _, line in ipairs { "HTTP/1.1 200", "HTTP/1.1 200 " } do
      assert.equal("", read(lines(line, "Content-Length: 0", "")).reason)
    end
  end)

  for _, line in ipairs { "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 099 OK", "HTTP/1.1 OK",
                          "HTTP/1.1  200 OK", "HTTP/1.12 200 OK", "HTTP/2 200 OK", "HTTP/2.0 200",
                          "http/1.1 200 OK", "HTTP/1.1 200OK" } do
    it("is none: " .. line, function()
      refused("protocol", "does not begin as HTTP/1.1 does", lines(line, "Content-Length: 0", ""))
    end)
  end

  it("shows at its first bytes that it is no HTTP, as of HTTP/0.9", function()
    refused("protocol", "does not begin as HTTP/1.1 does", "ok", { ends = "timeout" })
    refused("protocol", "does not begin as HTTP/1.1 does", "HTTQ", { ends = "timeout", piece = 1 })
    local _, _, _, socket = read(("x"):rep(1e6))
    assert.equal(1, socket.times)
  end)
end)

describe("an interim answer", function()
  local FINAL = with_length "done"

  it("is passed over, with its headers", function()
    local response = read(lines("HTTP/1.1 100 Continue", "", "HTTP/1.1 103 Early Hints",
      "Link: </style.css>", "") .. FINAL)
    assert.equal(200, response.status)
    assert.is_nil(response.headers.link)
    assert.equal("done", response.body)
  end)

  it("uses up the ceiling of headers", function()
    local interim = lines("HTTP/1.1 100 Continue", "")
    assert.equal("done", body_of(interim:rep(10) .. FINAL,
      { max_headers = 10 * #interim + #FINAL - 4 }))
    refused("protocol", "max_headers", interim:rep(10) .. FINAL,
      { max_headers = 10 * #interim + #FINAL - 5 })
    refused("protocol", "max_headers", interim:rep(1e5))
  end)

  it("that changes the protocol is refused", function()
    refused("protocol", "changes the protocol", lines("HTTP/1.1 101 Switching", "Upgrade: x", ""))
  end)
end)

describe("an answer's headers", function()
  local function headers_of(...)
    local response, kind, message = read(OK .. lines(...) .. "\r\n")
    assert(response, tostring(kind) .. ": " .. tostring(message))
    response.headers["content-length"] = nil
    return response.headers
  end

  it("have names in lower case and values without space around them", function()
    assert.same({ ["x-a"] = "1", ["x-b"] = "a:  b", ["x-c"] = "", ["x-d"] = "\195\188" },
      headers_of("X-A:1", "x-B:\t a:  b \t", "X-C:", "X-D: \195\188"))
  end)

  it("are a list where a name comes again", function()
    assert.same({ ["set-cookie"] = "a=1, b=2, c=3" },
      headers_of("Set-Cookie: a=1", "set-cookie: b=2", "SET-COOKIE: c=3"))
  end)

  it("go on in a line that begins with a space", function()
    assert.same({ ["x-a"] = "one two three", ["x-b"] = "4" },
      headers_of("X-A: one ", "  two", "\tthree", "X-B: 4"))
  end)

  it("end their lines by LF alone where a server does", function()
    local response = read "HTTP/1.1 200 OK\nX-A: 1\nContent-Length: 4\n\ndone"
    assert.same({ "1", "done" }, { response.headers["x-a"], response.body })
  end)

  it("may have a name that looks like a status line, which takes no other away", function()
    assert.same({ ["x-a"] = "1", ["http/1x"] = "2", ["x-b"] = "3" },
      headers_of("X-A: 1", "HTTP/1x: 2", "X-B: 3"))
    assert.same({ ["x-a"] = "1", ["http/"] = "", http = "/1.1" },
      headers_of("X-A: 1", "HTTP/:", "HTTP: /1.1"))
    refused("protocol", "has no name", OK .. lines("X-A: 1", "HTTP/1.1 200 OK", ""))
  end)

  for name, line in pairs {
    ["no colon"] = "nonsense", ["no name"] = ": x", ["a space in it"] = "X A: 1",
    ["a space before its colon"] = "Content-Length : 4",
  } do
    it("are refused with a name that has " .. name, function()
      refused("protocol", "has no name", OK .. lines(line, ""))
    end)
  end

  it("are refused when the first of them goes on", function()
    refused("protocol", "has no name", OK .. lines(" X-A: 1", ""))
  end)

  for name, byte in pairs { ["a line break"] = "\r", ["a zero byte"] = "\0" } do
    it("are refused with " .. name .. " in a value, which others would read otherwise", function()
      refused("protocol", "line break or a zero byte",
        OK .. lines("X-A: a" .. byte .. "Content-Length: 4", ""))
    end)
  end

  it("are refused above their ceiling, and no more of them is read", function()
    local head = OK .. lines("X-A: " .. ("x"):rep(500), "Content-Length: 0", "")
    assert.equal("", body_of(head, { max_headers = #head }))
    refused("protocol", "max_headers", head, { max_headers = #head - 1 })
    local _, _, message, socket = read(OK .. "X-A: " .. ("x"):rep(1e6))
    assert.truthy(message:find("max_headers", 1, true))
    assert.is_true(socket.taken <= LIMITS.max_headers + 1000)
  end)

  it("are told before the body has come", function()
    local told
    read(OK .. lines("Content-Length: 4", "") .. "do", { on_head = function() told = true end })
    assert.is_true(told)
  end)
end)

describe("an answer's body", function()
  it("is as long as its headers say", function()
    assert.equal("do", body_of(OK .. lines("Content-Length: 2", "") .. "done"))
    assert.equal("do", body_of(OK .. lines("Content-Length: 002", "") .. "done"))
    assert.equal("", body_of(OK .. lines("Content-Length: 0", "") .. "done"))
  end)

  it("has its length from headers that say the same more than once", function()
    assert.equal("do", body_of(OK .. lines("Content-Length: 2", "content-length: 2", "") .. "done"))
    assert.equal("do", body_of(OK .. lines("Content-Length: 2,02", "") .. "done"))
  end)

  for _, text in ipairs { "2\r\nContent-Length: 3", "2, 3", "2,", ",2", "", "-2", "+2", "2 2",
                          "0x2", "2.0", "2\r\nTransfer-Encoding: chunked" } do
    it(("is refused with the length %q"):format(text), function()
      refused("protocol", "contradict", OK .. lines("Content-Length: " .. text, "") .. "done")
    end)
  end

  it("is refused when it is transferred in a way that is not known", function()
    for _, coding in ipairs { "gzip, chunked", "chunked, chunked", "gzip", "", "identity",
                              "Identity", "identity, chunked", "chunked;q=1" } do
      for _, ends in ipairs { "closed", "timeout" } do -- at once: it does not wait for more
        refused("protocol", "its Transfer-Encoding is ",
          OK .. lines("Transfer-Encoding: " .. coding, "") .. "0\r\n\r\n", { ends = ends })
      end
    end
  end)

  it("goes up to the end of the connection when nothing else is said", function()
    assert.equal("done", body_of(OK .. "\r\ndone"))
    assert.equal("", body_of(OK .. "\r\n"))
    refused("network", "reset", OK .. "\r\ndone", { ends = "connection reset by peer" })
    refused("timeout", "in time", OK .. "\r\ndone", { ends = "timeout" })
  end)

  it("is none for HEAD, 204 and 304, whatever the headers say", function()
    for _, said in ipairs { "Content-Length: 5000", "Transfer-Encoding: chunked", "X: y",
                            "Content-Encoding: gzip" } do
      local head = lines(said, "")
      assert.equal("", body_of(OK .. head, { method = "HEAD", ends = "timeout" }))
      assert.equal("", body_of("HTTP/1.1 204 No Content\r\n" .. head, { ends = "timeout" }))
      assert.equal("", body_of("HTTP/1.1 304 Not Modified\r\n" .. head, { ends = "timeout" }))
    end
  end)

  it("is refused above its ceiling before it is read, if its length is told", function()
    assert.equal(1000, #body_of(with_length(("x"):rep(1000))))
    for _, length in ipairs { "1001", "99999999999", "9999999999999", ("9"):rep(400) } do
      local _, kind, message, socket = read { OK .. lines("Content-Length: " .. length, ""),
                                              ("x"):rep(1e5) }
      assert.equal("protocol", kind)
      assert.truthy(message:find("max_body", 1, true))
      assert.equal(1, socket.times)
    end
  end)

  it("is refused above its ceiling as soon as that is passed, if it is not", function()
    assert.equal(1000, #body_of(OK .. "\r\n" .. ("x"):rep(1000)))
    local _, kind, message, socket = read { OK .. "\r\n", ("x"):rep(1e6) }
    assert.equal("protocol", kind)
    assert.truthy(message:find("max_body", 1, true))
    assert.is_true(socket.taken < 3000)
  end)

  it("may hold any bytes, and come in any pieces", function()
    local body = {}
    for i = 0, 255 do
      body[#body + 1] = string.char(i)
    end
    body = table.concat(body):rep(3)
    for piece = 1, 7 do
      assert.equal(body, body_of(with_length(body), { piece = piece }))
    end
  end)

  it("takes no more than its size, and a little, when it comes a byte at a time", function()
    local size = 500000
    local socket = fake_socket.new(OK .. "\r\n" .. ("x"):rep(size), { piece = 1 })
    collectgarbage()
    local before, most = collectgarbage "count", 0
    local receive, times = socket.receiveany, 0
    function socket.receiveany(...)
      times = times + 1
      if times % 50000 == 0 then
        collectgarbage()
        most = math.max(most, collectgarbage "count" - before)
      end
      return receive(...)
    end
    assert(http1.response(socket, "GET", { max_body = 1e6, max_headers = 1000 }))
    assert.is_true(most * 1024 < 3 * size, most .. " KB")
  end)
end)

describe("a body in chunks", function()
  local CHUNKED = OK .. lines("Transfer-Encoding: Chunked", "")

  it("is put together", function()
    assert.equal("one, two, three and four", body_of(CHUNKED
      .. lines("5", "one, ", "00a", "two, three", "9", " and four", "0", "")))
  end)

  it("may have extensions and trailers, which say nothing", function()
    local response, kept = read(CHUNKED
      .. lines("4 ; a=b;c=\"d\"", "done", "0;last", "X-Trailer: 1", "Content-Length: 3", ""))
    assert.equal("done", response.body)
    assert.is_nil(response.headers["x-trailer"])
    assert.is_true(kept)
  end)

  it("comes in any pieces", function()
    local answer = CHUNKED .. lines("5", "one, ", "3", "two", "0", "X: 1", "")
    for piece = 1, 9 do
      assert.equal("one, two", body_of(answer, { piece = piece }))
    end
  end)

  for _, size in ipairs { "", "x", "-1", "0x4", "4,", " 4", "4 4", ";4" } do
    it(("is refused with the size %q"):format(size), function()
      refused("protocol", "a chunk has no size", CHUNKED .. lines(size, "done", "0", ""))
    end)
  end

  it("is refused when a chunk is longer or shorter than its size", function()
    refused("protocol", "longer than its size", CHUNKED .. lines("3", "done", "0", ""))
    refused("protocol", "longer than its size", CHUNKED .. lines("4", "donely", "0", ""))
    refused("protocol", "longer than its size", CHUNKED .. lines("5", "done", "0", ""))
  end)

  it("is refused when a size does not end", function()
    refused("protocol", "does not end", CHUNKED .. "4;" .. ("x"):rep(1e5), { ends = "timeout" })
  end)

  it("is refused above the ceiling before the chunk is read that passes it", function()
    local chunk = lines("1F4", ("x"):rep(500))
    assert.equal(1000, #body_of(CHUNKED .. chunk:rep(2) .. lines("0", "")))
    for _, size in ipairs { "1", "7fffffff", "ffffffff", "ffffffffffff", ("f"):rep(17) } do
      local _, kind, message, socket = read {
        CHUNKED, chunk:rep(2), size .. "\r\n", ("x"):rep(5e4),
      }
      assert.equal("protocol", kind)
      assert.truthy(message:find("max_body", 1, true), message)
      assert.is_true(socket.taken < 1500)
    end
  end)

  it("is refused when its trailers pass the ceiling of headers", function()
    refused("protocol", "max_headers", CHUNKED .. "0\r\n" .. lines("X: y"):rep(1e4))
  end)
end)

describe("an answer that is cut", function()
  local BODY = ("The quick brown fox. "):rep(3)
  local PACKED

  -- Cut anywhere, it is an error of the kind network; a wait that ends there one of timeout.
  local function is_never_short(answer, from)
    for piece = 1, 40, 39 do
      for last = from or 0, #answer - 1 do
        for ends, expected in pairs { closed = "network", timeout = "timeout",
                                      ["connection reset by peer"] = "network" } do
          local response, kind = read(answer:sub(1, last), { ends = ends, piece = piece })
          assert.is_nil(response)
          assert.equal(expected, kind, "after " .. last .. " bytes")
        end
      end
    end
    assert.equal(BODY, body_of(answer))
  end

  before_each(function()
    PACKED = gzip(BODY)
  end)

  it("is an error at any byte when its length is told", function()
    is_never_short(with_length(BODY, "X-A: 1", " 2"))
    is_never_short(with_length(PACKED, "Content-Encoding: gzip"))
  end)

  it("is an error at any byte when it is in chunks", function()
    is_never_short(OK .. lines("Transfer-Encoding: chunked", "") .. lines("10;a=b", BODY:sub(1, 16),
      ("%x"):format(#BODY - 16), BODY:sub(17), "0", "X-Trailer: 1", ""))
  end)

  it("is an error at any byte of an interim one, and of its own head", function()
    is_never_short(lines("HTTP/1.1 100 Continue", "X: y", "") .. with_length(BODY))
  end)

  it("is an error within its head, and within gzip, when nothing tells its length", function()
    local head = OK .. lines("Content-Encoding: gzip", "")
    for last = 0, #head + #PACKED - 1 do
      local response = read((head .. PACKED):sub(1, last))
      assert.is_true(response == nil or last == #head, "after " .. last .. " bytes")
    end
    assert.equal(BODY, body_of(head .. PACKED))
  end)
end)

describe("a compressed body", function()
  local function compressed(coding, body)
    return with_length(body, "Content-Encoding: " .. coding)
  end

  it("is inflated, and its headers stay as they came", function()
    local packed = gzip "text"
    for _, coding in ipairs { "gzip", "x-gzip", "GZip" } do
      local response = read(compressed(coding, packed))
      assert.equal("text", response.body)
      assert.equal(tostring(#packed), response.headers["content-length"])
    end
    local deflated = packed:sub(11, -9)
    assert.equal("text", body_of(compressed("deflate", deflated)))
    assert.equal("text", body_of(compressed("identity", "text")))
  end)

  it("is inflated from chunks", function()
    local packed = gzip "text"
    assert.equal("text", body_of(OK .. lines("Content-Encoding: gzip", "Transfer-Encoding: chunked",
      "", ("%x"):format(#packed), packed, "0", "")))
  end)

  it("lets others go on while it is inflated, until the time is over", function()
    for breaths, expected in pairs { [1000] = "response", [2] = "timeout" } do
      local socket = fake_socket.new(compressed("gzip", gzip(("x"):rep(1e6))))
      local taken = 0
      function socket:breathe() -- luacheck: ignore self
        taken = taken + 1
        return taken < breaths
      end
      local response, kind = http1.response(socket, "GET", { max_body = 1e6, max_headers = 1000 })
      assert.equal(expected, response and "response" or kind)
      assert.is_true(taken == breaths or taken > 5 and #response.body == 1e6)
    end
  end)

  it("may be none at all", function()
    assert.equal("", body_of(compressed("gzip", "")))
  end)

  it("is refused when it is nothing of the kind", function()
    refused("protocol", "makes no sense", compressed("gzip", "text"))
    refused("protocol", "makes no sense", compressed("gzip", gzip "text" .. "more"))
  end)

  it("that is none is read as it is where the status is an error", function()
    for _, status in ipairs { "401 No", "429 Slow", "503 Away" } do
      local response = read(lines("HTTP/1.1 " .. status, "Content-Encoding: gzip", "Retry-After: 3",
        "Content-Length: 4", "", "text"):sub(1, -3))
      assert.same({ "text", "3" }, { response.body, response.headers["retry-after"] })
    end
  end)

  it("is refused in a coding that was not asked for", function()
    refused("protocol", '"br"', compressed("br", "text"))
  end)

  it("is refused when it inflates above the ceiling", function()
    assert.equal(1000, #body_of(compressed("gzip", gzip(("x"):rep(1000)))))
    refused("protocol", "max_body", compressed("gzip", gzip(("x"):rep(1001))))
    refused("protocol", "max_body", compressed("gzip", gzip(("x"):rep(1e6))), { max_body = 5000 })
  end)
end)

describe("the byte order mark of a body", function()
  local MARK = "\239\187\191"

  it("goes where the body is JSON", function()
    for _, kind in ipairs { "application/json", "application/problem+json; charset=utf-8" } do
      assert.equal("{}", body_of(with_length(MARK .. "{}", "Content-Type: " .. kind)))
    end
  end)

  it("stays elsewhere", function()
    assert.equal(MARK .. "{}", body_of(with_length(MARK .. "{}", "Content-Type: text/plain")))
    assert.equal(MARK .. "{}", body_of(with_length(MARK .. "{}")))
  end)
end)

describe("the connection", function()
  local function is_kept(what, how)
    local response, kept = read(what, how)
    assert(response)
    return kept
  end

  it("can serve another request when the end of the answer was known", function()
    assert.is_true(is_kept(with_length "done"))
    assert.is_true(is_kept(with_length("done", "Connection: keep-alive")))
    assert.is_true(is_kept(OK .. lines("Content-Length: 4", ""), { method = "HEAD" }))
    assert.is_true(is_kept "HTTP/1.1 204 No Content\r\n\r\n")
  end)

  it("cannot when the server says so, or is older", function()
    assert.is_false(is_kept(with_length("done", "Connection: Close")))
    assert.is_false(is_kept(with_length("done", "Connection: x, close")))
    assert.is_false(is_kept "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\ndone")
  end)

  it("cannot when its end was that of the answer, or when more came than was asked for", function()
    assert.is_false(is_kept(OK .. "\r\ndone"))
    assert.is_false(is_kept(with_length "done" .. "HTTP/1.1 200 OK"))
    assert.is_false(is_kept("HTTP/1.1 204 No Content\r\n\r\nbody"))
  end)
end)

describe("a head alone", function()
  local ANSWER = "HTTP/1.1 200 Connection established\r\nX-A: 1\r\n\r\n"

  it("is given without waiting for more", function()
    local response = http1.head(fake_socket.new(ANSWER, { ends = "timeout" }), 1000)
    assert.equal(200, response.status)
  end)

  it("is refused when something follows it that nobody asked for", function()
    local response, kind = http1.head(fake_socket.new(ANSWER .. "x"), 1000)
    assert.is_nil(response)
    assert.equal("protocol", kind)
  end)

  it("may be a refusal, which has a body", function()
    assert.equal(403, http1.head(fake_socket.new("HTTP/1.1 403 No\r\n\r\n<html>"), 1000).status)
  end)

  it("has a ceiling", function()
    assert.truthy(http1.head(fake_socket.new(ANSWER), #ANSWER))
    local response, kind = http1.head(fake_socket.new(ANSWER), #ANSWER - 1)
    assert.same({ nil, "protocol" }, { response, kind })
  end)
end)

describe("a request", function()
  local function text_of(address, request)
    request = request or {}
    request.method = request.method or "GET"
    return http1.request(request, assert(url.parse(address)), "job/1 pcapi/2")
  end

  it("names the host, itself, and what it can read", function()
    assert.equal(lines("GET /v1/users?size=1 HTTP/1.1", "Host: a.example",
      "User-Agent: job/1 pcapi/2", "Accept: */*", "Accept-Encoding: gzip, deflate", ""),
      text_of "https://A.example/v1/users?size=1")
  end)

  it("names a port that is not the usual one", function()
    for address, host in pairs {
      ["https://a.example:8443/"] = "a.example:8443", ["https://a.example:443/"] = "a.example",
      ["http://127.0.0.1:80/"] = "127.0.0.1", ["https://[::1]:8443/"] = "[::1]:8443",
    } do
      assert.truthy(text_of(address):find("\r\nHost: " .. host .. "\r\n", 1, true))
    end
  end)

  it("asks for the root where the address has no path", function()
    assert.truthy(text_of "https://a.example":find "^GET / HTTP/1.1\r\n")
    assert.truthy(text_of "https://a.example?a=b":find "^GET /%?a=b HTTP/1.1\r\n")
  end)

  it("sends what it is given in place of its own", function()
    local text = text_of("https://a.example/", {
      headers = { "host: b.example", "USER-AGENT: me", "Accept: application/json",
                  "Accept-Encoding: identity", "X-Thing: \195\188\t1" },
    })
    assert.equal(lines("GET / HTTP/1.1", "host: b.example", "USER-AGENT: me",
      "Accept: application/json", "Accept-Encoding: identity", "X-Thing: \195\188\t1", ""), text)
  end)

  it("tells the length of its body", function()
    local text = text_of("https://a.example/", { method = "PUT", body = "a\0\r\n" })
    assert.truthy(text:find "\r\nContent%-Length: 4\r\n\r\na%z\r\n$")
  end)

  it("tells a length where a body is usual, and only there", function()
    assert.truthy(text_of("https://a.example/", { method = "POST" })
      :find("\r\nContent-Length: 0\r\n", 1, true))
    assert.is_nil(text_of("https://a.example/", { method = "DELETE" }):find "Content")
  end)

  for _, line in ipairs { "X-A: b\r\nEvil: 1", "X-A: b\nEvil: 1", "X-A: b\rc", "X-A: \0",
                          "X-A: \127", "nonsense", "X A: b", ": b", "X-A\r\n: b", " X-A: b" } do
    it(("is not made of the header %q"):format(line), function()
      local text, why = text_of("https://a.example/", { headers = { "X-Good: 1", line } })
      assert.is_nil(text)
      assert.equal("a header holds a line break or a control character", why)
    end)
  end

  it("is not made with another length than its own, or another way to tell it", function()
    for line, body in pairs { ["Content-Length: 3"] = "done", ["content-length: 1"] = "",
                              ["Transfer-Encoding: chunked"] = "0\r\n\r\n" } do
      local text, why = text_of("https://a.example/", {
        method = "POST", body = body, headers = { line },
      })
      assert.is_nil(text)
      assert.truthy(why:find(line:match "^[^:]+" == "Transfer-Encoding" and "Transfer-Encoding"
        or "Content-Length", 1, true))
    end
    assert.truthy(text_of("https://a.example/", {
      method = "POST", body = "done", headers = { "Content-Length: 4" },
    }))
  end)
end)

describe("credentials of an address", function()
  it("are those that were escaped, in Base64", function()
    for user, text in pairs {
      ["Aladdin:open%20sesame"] = "QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
      ["me:a+b%3A%2f%40"] = "bWU6YStiOi9A",
      ["me:"] = "bWU6", me = "bWU6", ["%FF%fe:%c3%bc"] = "//46w7w=", ["%fb%ef:1"] = "++86MQ==",
    } do
      assert.equal("Basic " .. text, http1.credentials(user))
    end
  end)
end)
