--- How `pcapi.nginx.http1_response` reads bodies. gzip(1) compresses them.
local fake_socket = require "spec.support.fake_socket"
local folder = require "spec.support.folder"
local gzip = require("spec.support.gzip").gzip
local http1 = require "spec.support.http1"
local http1_response = require "pcapi.nginx.http1_response"

local OK, lines, read, with_length = http1.OK, http1.lines, http1.read, http1.with_length
local body_of, refuses = http1.body_of, http1.refuses

after_each(folder.remove)

describe("the body of a response", function()
  it("is as long as its headers say", function()
    assert.equal("do", body_of(OK .. lines("Content-Length: 2", "") .. "done"))
    assert.equal("do", body_of(OK .. lines("Content-Length: 002", "") .. "done"))
    assert.equal("", body_of(OK .. lines("Content-Length: 0", "") .. "done"))
  end)

  it("may have the same length more than once in its headers", function()
    assert.equal("do", body_of(OK .. lines("Content-Length: 2", "content-length: 2", "") .. "done"))
    assert.equal("do", body_of(OK .. lines("Content-Length: 2,02", "") .. "done"))
  end)

  for _, text in ipairs { "2\r\nContent-Length: 3", "2, 3", "2,", ",2", "", "-2", "+2", "2 2",
                          "0x2", "2.0", "2\r\nTransfer-Encoding: chunked" } do
    it(("is refused with the length %q"):format(text), function()
      refuses("protocol", "contradict", OK .. lines("Content-Length: " .. text, "") .. "done")
    end)
  end

  it("is refused with an unknown Transfer-Encoding", function()
    for _, coding in ipairs { "gzip, chunked", "chunked, chunked", "gzip", "", "identity",
                              "Identity", "identity, chunked", "chunked;q=1" } do
      for _, ends in ipairs { "closed", "timeout" } do -- at once: it does not wait for more
        refuses("protocol", "it has the Transfer-Encoding ",
          OK .. lines("Transfer-Encoding: " .. coding, "") .. "0\r\n\r\n", { ends = ends })
      end
    end
  end)

  it("without a length ends when the connection is closed", function()
    assert.equal("done", body_of(OK .. "\r\ndone"))
    assert.equal("", body_of(OK .. "\r\n"))
    refuses("network", "reset", OK .. "\r\ndone", { ends = "connection reset by peer" })
    refuses("timeout", "timed out", OK .. "\r\ndone", { ends = "timeout" })
  end)

  it("is empty for HEAD, 204 and 304, whatever the headers say", function()
    for _, header in ipairs { "Content-Length: 5000", "Transfer-Encoding: chunked", "X: y",
                              "Content-Encoding: gzip" } do
      local head = lines(header, "")
      assert.equal("", body_of(OK .. head, { method = "HEAD", ends = "timeout" }))
      assert.equal("", body_of("HTTP/1.1 204 No Content\r\n" .. head, { ends = "timeout" }))
      assert.equal("", body_of("HTTP/1.1 304 Not Modified\r\n" .. head, { ends = "timeout" }))
    end
  end)

  it("is refused before it is read if its length is above max_body", function()
    assert.equal(1000, #body_of(with_length(("x"):rep(1000))))
    for _, length in ipairs { "1001", "99999999999", "9999999999999", ("9"):rep(400) } do
      local _, kind, message, _, socket = read { OK .. lines("Content-Length: " .. length, ""),
                                                 ("x"):rep(1e5) }
      assert.equal("protocol", kind)
      assert.matches("max_body", message, 1, true)
      assert.equal(1, socket.reads)
    end
  end)

  it("without a length is refused as soon as it is above max_body", function()
    assert.equal(1000, #body_of(OK .. "\r\n" .. ("x"):rep(1000)))
    local _, kind, message, _, socket = read { OK .. "\r\n", ("x"):rep(1e6) }
    assert.equal("protocol", kind)
    assert.matches("max_body", message, 1, true)
    assert.is_true(socket.bytes < 3000)
  end)

  it("may have any bytes, and arrive in any pieces", function()
    local body = {}
    for i = 0, 255 do
      body[#body + 1] = string.char(i)
    end
    body = table.concat(body):rep(3)
    for piece = 1, 7 do
      assert.equal(body, body_of(with_length(body), { piece = piece }))
    end
  end)

  it("takes little more memory than its size if it arrives byte by byte", function()
    local size = 500000
    local socket = fake_socket.new(OK .. "\r\n" .. ("x"):rep(size), { piece = 1 })
    collectgarbage()
    local before, most = collectgarbage "count", 0
    local receive, reads = socket.receiveany, 0
    function socket.receiveany(...)
      reads = reads + 1
      if reads % 50000 == 0 then
        collectgarbage()
        most = math.max(most, collectgarbage "count" - before)
      end
      return receive(...)
    end
    assert(http1_response.read(socket, "GET", { max_body = 1e6, max_headers = 1000 }))
    assert.is_true(most * 1024 < 3 * size, most .. " KB")
  end)

  it("loses its byte order mark if it is JSON", function()
    for _, kind in ipairs { "application/json", "application/problem+json; charset=utf-8" } do
      assert.equal("{}", body_of(with_length("\239\187\191{}", "Content-Type: " .. kind)))
    end
  end)

  it("keeps its byte order mark if it is not JSON", function()
    local text = "\239\187\191{}"
    assert.equal(text, body_of(with_length(text, "Content-Type: text/plain")))
    assert.equal(text, body_of(with_length(text)))
  end)
end)

describe("a body in chunks", function()
  local CHUNKED = OK .. lines("Transfer-Encoding: Chunked", "")

  it("is put together", function()
    assert.equal("one, two, three and four", body_of(CHUNKED
      .. lines("5", "one, ", "00a", "two, three", "9", " and four", "0", "")))
  end)

  it("may have extensions and trailers, which are ignored", function()
    local response, _, _, is_reusable = read(CHUNKED
      .. lines("4 ; a=b;c=\"d\"", "done", "0;last", "X-Trailer: 1", "Content-Length: 3", ""))
    assert.equal("done", response.body)
    assert.is_nil(response.headers["x-trailer"])
    assert.is_true(is_reusable)
  end)

  it("may arrive in any pieces", function()
    local text = CHUNKED .. lines("5", "one, ", "3", "two", "0", "X: 1", "")
    for piece = 1, 9 do
      assert.equal("one, two", body_of(text, { piece = piece }))
    end
  end)

  for _, size in ipairs { "", "x", "-1", "0x4", "4,", " 4", "4 4", ";4" } do
    it(("is refused with the size %q"):format(size), function()
      refuses("protocol", "a chunk has no size", CHUNKED .. lines(size, "done", "0", ""))
    end)
  end

  it("is refused if a chunk is longer or shorter than its size", function()
    refuses("protocol", "longer than its size", CHUNKED .. lines("3", "done", "0", ""))
    refuses("protocol", "longer than its size", CHUNKED .. lines("4", "donely", "0", ""))
    refuses("protocol", "longer than its size", CHUNKED .. lines("5", "done", "0", ""))
  end)

  it("is refused if the line with a size does not end", function()
    refuses("protocol", "is too long", CHUNKED .. "4;" .. ("x"):rep(1e5), { ends = "timeout" })
  end)

  it("is refused before the chunk is read that exceeds max_body", function()
    local chunk = lines("1F4", ("x"):rep(500))
    assert.equal(1000, #body_of(CHUNKED .. chunk:rep(2) .. lines("0", "")))
    for _, size in ipairs { "1", "7fffffff", "ffffffff", "ffffffffffff", ("f"):rep(17) } do
      local _, kind, message, _, socket = read {
        CHUNKED, chunk:rep(2), size .. "\r\n", ("x"):rep(5e4),
      }
      assert.equal("protocol", kind)
      assert.matches("max_body", message, 1, true)
      assert.is_true(socket.bytes < 1500)
    end
  end)

  it("is refused if its trailers exceed max_headers", function()
    refuses("protocol", "response exceed the size", CHUNKED .. "0\r\n" .. lines("X: y"):rep(1e4))
  end)
end)

describe("a response that is cut off", function()
  local BODY = ("The quick brown fox. "):rep(3)
  local packed

  -- Cut at any byte, by a closed connection or a timeout.
  local function always_fails(text)
    for piece = 1, 40, 39 do
      for last = 0, #text - 1 do
        for ends, expected in pairs { closed = "network", timeout = "timeout",
                                      ["connection reset by peer"] = "network" } do
          local response, kind = read(text:sub(1, last), { ends = ends, piece = piece })
          assert.is_nil(response)
          assert.equal(expected, kind, "after " .. last .. " bytes")
        end
      end
    end
    assert.equal(BODY, body_of(text))
  end

  before_each(function()
    packed = gzip(BODY)
  end)

  it("at any byte is an error if its length is known", function()
    always_fails(with_length(BODY, "X-A: 1", " 2"))
    always_fails(with_length(packed, "Content-Encoding: gzip"))
  end)

  it("at any byte is an error if it is in chunks", function()
    always_fails(OK .. lines("Transfer-Encoding: chunked", "") .. lines("10;a=b", BODY:sub(1, 16),
      ("%x"):format(#BODY - 16), BODY:sub(17), "0", "X-Trailer: 1", ""))
  end)

  it("at any byte of an interim response or its own head is an error", function()
    always_fails(lines("HTTP/1.1 100 Continue", "X: y", "") .. with_length(BODY))
  end)

  it("within its head or within gzip is an error if its length is unknown", function()
    local head = OK .. lines("Content-Encoding: gzip", "")
    for last = 0, #head + #packed - 1 do
      local response = read((head .. packed):sub(1, last))
      assert.is_true(response == nil or last == #head, "after " .. last .. " bytes")
    end
    assert.equal(BODY, body_of(head .. packed))
  end)
end)

describe("a compressed body", function()
  local function compressed(coding, body)
    return with_length(body, "Content-Encoding: " .. coding)
  end

  it("is decompressed, and its headers stay the same", function()
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

  it("may be in chunks", function()
    local packed = gzip "text"
    assert.equal("text", body_of(OK .. lines("Content-Encoding: gzip", "Transfer-Encoding: chunked",
      "", ("%x"):format(#packed), packed, "0", "")))
  end)

  it("lets others run while it is decompressed, until the deadline", function()
    for breaths, expected in pairs { [1000] = "response", [2] = "timeout" } do
      local socket = fake_socket.new(compressed("gzip", gzip(("x"):rep(1e6))))
      local taken = 0
      function socket:breathe() -- luacheck: ignore self
        taken = taken + 1
        return taken < breaths
      end
      local response, kind = http1_response.read(socket, "GET",
        { max_body = 1e6, max_headers = 1000 })
      assert.equal(expected, response and "response" or kind)
      assert.is_true(taken == breaths or taken > 5 and #response.body == 1e6)
    end
  end)

  it("may be empty", function()
    assert.equal("", body_of(compressed("gzip", "")))
  end)

  it("is refused if it is not compressed, or if data follows it", function()
    refuses("protocol", "is not valid", compressed("gzip", "text"))
    refuses("protocol", "is not valid", compressed("gzip", gzip "text" .. "more"))
  end)

  it("that is not compressed is returned if the status is an error", function()
    for _, status in ipairs { "401 No", "429 Slow", "503 Away" } do
      local response = read(lines("HTTP/1.1 " .. status, "Content-Encoding: gzip", "Retry-After: 3",
        "Content-Length: 4", "", "text"):sub(1, -3))
      assert.same({ "text", "3" }, { response.body, response.headers["retry-after"] })
    end
  end)

  it("is refused in another coding", function()
    refuses("protocol", '"br"', compressed("br", "text"))
  end)

  it("is refused if it is larger than max_body after decompression", function()
    assert.equal(1000, #body_of(compressed("gzip", gzip(("x"):rep(1000)))))
    refuses("protocol", "max_body", compressed("gzip", gzip(("x"):rep(1001))))
    refuses("protocol", "max_body", compressed("gzip", gzip(("x"):rep(1e6))), { max_body = 5000 })
  end)
end)
