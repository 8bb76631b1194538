local fake_socket = require "spec.support.fake_socket"
local http1 = require "spec.support.http1"
local http1_response = require "pcapi.nginx.http1_response"

local OK, lines, read, with_length = http1.OK, http1.lines, http1.read, http1.with_length
local body_of, refuses = http1.body_of, http1.refuses

local NO_STATUS_LINE = "does not begin with an HTTP/1.1 status line"

describe("the status line of a response", function()
  it("has status, reason and version", function()
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
    it("is not valid: " .. line, function()
      refuses("protocol", NO_STATUS_LINE, lines(line, "Content-Length: 0", ""))
    end)
  end

  it("is refused at the first bytes that are not HTTP, such as HTTP/0.9", function()
    refuses("protocol", NO_STATUS_LINE, "ok", { ends = "timeout" })
    refuses("protocol", NO_STATUS_LINE, "HTTQ", { ends = "timeout", piece = 1 })
    local _, _, _, _, socket = read(("x"):rep(1e6))
    assert.equal(1, socket.reads)
  end)
end)

describe("an interim response", function()
  local FINAL = with_length "done"

  it("is skipped, with its headers", function()
    local response = read(lines("HTTP/1.1 100 Continue", "", "HTTP/1.1 103 Early Hints",
      "Link: </style.css>", "") .. FINAL)
    assert.equal(200, response.status)
    assert.is_nil(response.headers.link)
    assert.equal("done", response.body)
  end)

  it("counts against max_headers", function()
    local interim = lines("HTTP/1.1 100 Continue", "")
    assert.equal("done", body_of(interim:rep(10) .. FINAL,
      { max_headers = 10 * #interim + #FINAL - 4 }))
    refuses("protocol", "headers of the response exceed", interim:rep(10) .. FINAL,
      { max_headers = 10 * #interim + #FINAL - 5 })
    refuses("protocol", "headers of the response exceed", interim:rep(1e5))
  end)

  it("that switches protocols is refused", function()
    refuses("protocol", "switches to another protocol",
      lines("HTTP/1.1 101 Switching", "Upgrade: x", ""))
  end)
end)

describe("the headers of a response", function()
  local function headers_of(...)
    local response, kind, message = read(OK .. lines(...) .. "\r\n")
    assert(response, tostring(kind) .. ": " .. tostring(message))
    response.headers["content-length"] = nil
    return response.headers
  end

  it("have names in lower case, and values without space around them", function()
    assert.same({ ["x-a"] = "1", ["x-b"] = "a:  b", ["x-c"] = "", ["x-d"] = "\195\188" },
      headers_of("X-A:1", "x-B:\t a:  b \t", "X-C:", "X-D: \195\188"))
  end)

  it("of the same name become a list", function()
    assert.same({ ["set-cookie"] = "a=1, b=2, c=3" },
      headers_of("Set-Cookie: a=1", "set-cookie: b=2", "SET-COOKIE: c=3"))
  end)

  it("continue in a line that begins with a space", function()
    assert.same({ ["x-a"] = "one two three", ["x-b"] = "4" },
      headers_of("X-A: one ", "  two", "\tthree", "X-B: 4"))
  end)

  it("may end their lines with LF alone", function()
    local response = read "HTTP/1.1 200 OK\nX-A: 1\nContent-Length: 4\n\ndone"
    assert.same({ "1", "done" }, { response.headers["x-a"], response.body })
  end)

  it("may have a name that looks like a status line", function()
    assert.same({ ["x-a"] = "1", ["http/1x"] = "2", ["x-b"] = "3" },
      headers_of("X-A: 1", "HTTP/1x: 2", "X-B: 3"))
    assert.same({ ["x-a"] = "1", ["http/"] = "", http = "/1.1" },
      headers_of("X-A: 1", "HTTP/:", "HTTP: /1.1"))
    refuses("protocol", "has no name", OK .. lines("X-A: 1", "HTTP/1.1 200 OK", ""))
  end)

  for name, line in pairs {
    ["no colon"] = "nonsense", ["no name"] = ": x", ["a space in the name"] = "X A: 1",
    ["a space before the colon"] = "Content-Length : 4",
  } do
    it("are refused if one has " .. name, function()
      refuses("protocol", "has no name", OK .. lines(line, ""))
    end)
  end

  it("are refused if the first one begins with a space", function()
    refuses("protocol", "has no name", OK .. lines(" X-A: 1", ""))
  end)

  for name, byte in pairs { ["a line break"] = "\r", ["a zero byte"] = "\0" } do
    it("are refused if a value has " .. name .. ", which others may read differently", function()
      refuses("protocol", "line break or a zero byte",
        OK .. lines("X-A: a" .. byte .. "Content-Length: 4", ""))
    end)
  end

  it("are refused above max_headers, and no more of them is read", function()
    local head = OK .. lines("X-A: " .. ("x"):rep(500), "Content-Length: 0", "")
    assert.equal("", body_of(head, { max_headers = #head }))
    refuses("protocol", "headers of the response exceed", head, { max_headers = #head - 1 })
    local _, _, message, _, socket = read(OK .. "X-A: " .. ("x"):rep(1e6))
    assert.matches("headers of the response exceed", message, 1, true)
    assert.is_true(socket.bytes <= http1.MAX_HEADERS + 1000)
  end)

  it("are reported before the body has been received", function()
    local has_head
    read(OK .. lines("Content-Length: 4", "") .. "do", { on_head = function() has_head = true end })
    assert.is_true(has_head)
  end)
end)

describe("the connection after a response", function()
  local function is_reusable(text, how)
    local response, _, _, reusable = read(text, how)
    assert(response)
    return reusable
  end

  it("is reusable if the length of the response was known", function()
    assert.is_true(is_reusable(with_length "done"))
    assert.is_true(is_reusable(with_length("done", "Connection: keep-alive")))
    assert.is_true(is_reusable(OK .. lines("Content-Length: 4", ""), { method = "HEAD" }))
    assert.is_true(is_reusable "HTTP/1.1 204 No Content\r\n\r\n")
  end)

  it("is not reusable if the server says so, or speaks HTTP/1.0", function()
    assert.is_false(is_reusable(with_length("done", "Connection: Close")))
    assert.is_false(is_reusable(with_length("done", "Connection: x, close")))
    assert.is_false(is_reusable "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\ndone")
  end)

  it("is not reusable if its end was the end of the response", function()
    assert.is_false(is_reusable(OK .. "\r\ndone"))
  end)

  it("is not reusable if more data follows", function()
    assert.is_false(is_reusable(with_length "done" .. "HTTP/1.1 200 OK"))
    assert.is_false(is_reusable("HTTP/1.1 204 No Content\r\n\r\nbody"))
  end)
end)

describe("the head of a response to CONNECT", function()
  local HEAD = "HTTP/1.1 200 Connection established\r\nX-A: 1\r\n\r\n"

  it("is returned without waiting for more data", function()
    local response = http1_response.head(fake_socket.new(HEAD, { ends = "timeout" }), 1000)
    assert.equal(200, response.status)
  end)

  it("is refused if data follows", function()
    local response, kind = http1_response.head(fake_socket.new(HEAD .. "x"), 1000)
    assert.same({ nil, "protocol" }, { response, kind })
  end)

  it("may be a refusal with a body", function()
    local socket = fake_socket.new "HTTP/1.1 403 No\r\n\r\n<html>"
    assert.equal(403, http1_response.head(socket, 1000).status)
  end)

  it("is refused above its limit", function()
    assert.truthy(http1_response.head(fake_socket.new(HEAD), #HEAD))
    local response, kind = http1_response.head(fake_socket.new(HEAD), #HEAD - 1)
    assert.same({ nil, "protocol" }, { response, kind })
  end)
end)
