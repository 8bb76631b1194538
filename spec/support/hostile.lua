--- Lists responses that no correct server sends, each with the result that a transport must return.
-- The server of spec/support/raw.lua sends each one and closes the connection (FIN).
local gzip = require("spec.support.gzip").gzip

local OK = "HTTP/1.1 200 OK\r\n"
local DONE = "Content-Length: 4\r\n\r\ndone"
local TEXT = ("The quick brown fox. "):rep(50)

local function chunked(...)
  return OK .. "Transfer-Encoding: chunked\r\n\r\n" .. table.concat({ ... }, "\r\n")
end

local function coded(coding, body)
  return OK .. "Content-Encoding: " .. coding .. "\r\n\r\n" .. body
end

local all = {}

-- Adds a case. `verdict` is a status and a body, or the kind of an error. `more` has options for
-- fetch. If the transport of nginx returns another verdict, it also has `nginx` (that verdict) and
-- `differs` (the reason).
local function add(name, steps, verdict, more)
  local case = { name = name, steps = type(steps) == "string" and { steps } or steps,
                 options = {}, verdict = verdict }
  for key, value in pairs(more or {}) do
    if key == "differs" or key == "nginx" then
      case[key] = value
    else
      case.options[key] = value
    end
  end
  all[#all + 1] = case
end

local function ok(body)
  return "200 " .. (body or "done")
end

-- A line that begins with a space continues the line before it (RFC 9112 §5.2).
add("a folded line first", OK .. " x: y\r\n" .. DONE, "protocol")
add("a folded line first, by a tab", OK .. "\tx: y\r\n" .. DONE, "protocol")
add("a folded line in the middle", OK .. "A: b\r\n c\r\n" .. DONE, ok())
add("a folded line last", OK .. "Content-Length: 4\r\n \r\n\r\ndone", ok())
add("a folded line first, behind an interim response",
  "HTTP/1.1 100 Continue\r\nA: b\r\n\r\n" .. OK .. " x: y\r\n" .. DONE, "protocol")
add("a folded length", OK .. "Content-Length:\r\n 4\r\n\r\ndone", "protocol",
  { nginx = ok(), differs = "libcurl reads a length before it unfolds the line" })
add("a length that goes on", OK .. "Content-Length: 4\r\n 0\r\n\r\ndone", "protocol")
add("a folded coding", OK .. "Transfer-Encoding:\r\n chunked\r\n\r\n4\r\ndone\r\n0\r\n\r\n",
  "protocol")

-- Interim responses
add("interim responses", ("HTTP/1.1 102 Processing\r\n\r\n"):rep(20) .. OK .. DONE, ok())
add("a flood of interim responses",
  { { "HTTP/1.1 100 Continue\r\n\r\n", times = 100000 } }, "protocol")
add("a flood of interim responses with headers",
  { { "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", times = 100000 } }, "protocol")
add("an interim response and nothing else", "HTTP/1.1 100 Continue\r\n\r\n", "network")
add("an interim response with a length",
  "HTTP/1.1 100 Continue\r\nContent-Length: 4\r\n\r\n" .. OK .. DONE, ok())
add("a switch to another protocol", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n"
  .. "Connection: Upgrade\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "protocol")

-- Responses cut at every element
add("no bytes at all", {}, "network")
add("a cut status line", "HTTP/1.", "network")
add("a status line without its end", "HTTP/1.1 200 OK", "network")
add("a status line alone", OK, "network")
add("a cut header", OK .. "Content-Le", "network")
add("a cut header value", OK .. "Content-Length: 4", "network")
add("a cut end of the headers", OK .. "Content-Length: 4\r\n\r", "network")
add("a cut body", OK .. "Content-Length: 5\r\n\r\ndone", "network")
add("no body in spite of a length", OK .. "Content-Length: 5\r\n\r\n", "network")
add("a cut size of a chunk", chunked "4", "network")
add("a cut chunk", chunked("5", "done"), "network")
add("a chunk without its line end", chunked("4", "done"), "network")
add("no last chunk", chunked("4", "done", ""), "network")
add("a last chunk without its end", chunked("4", "done", "0"), "network")
add("a last chunk without the empty line", chunked("4", "done", "0", ""), "network")
add("a last chunk without the last LF", chunked("4", "done", "0", "\r"), ok(),
  { nginx = "network", differs = "libcurl does not need it; the body is complete" })
add("a cut trailer", chunked("4", "done", "0", "X-A: b"), "network")
add("a reset within the headers", { OK .. "Con", { wait = 50 }, { reset = true } }, "network")
add("a reset within the body",
  { OK .. "Content-Length: 5\r\n\r\ndone", { wait = 50 }, { reset = true } }, "network")
add("a reset in place of the end",
  { OK .. "\r\ndone", { wait = 50 }, { reset = true } }, "network")
add("silence before the status line", { { silent = true } }, "timeout", { timeout = 0.4 })
add("silence within the headers", { OK .. "A", { silent = true } }, "timeout", { timeout = 0.4 })
add("silence within the body", { OK .. "Content-Length: 5\r\n\r\ndone", { silent = true } },
  "timeout", { timeout = 0.4 })
add("a body byte by byte", { { OK .. DONE, piece = 1, every = 1 } }, ok())
add("a half-closed connection", { OK .. "\r\ndone", { half = true }, { silent = true } }, ok())

-- Trailers
add("trailers", chunked("4", "done", "0", "X-A: b", "Set-Cookie: c", "", ""), ok())
add("a trailer that is no header", chunked("4", "done", "0", "nonsense", "", ""), "protocol",
  { nginx = ok(), differs = "http1.lua reads trailers only to find their end" })
add("a trailer with a length", chunked("4", "done", "0", "Content-Length: 9", "", ""), ok())
add("trailers without end", { chunked("4", "done", "0", ""),
  { ("X-A: %s\r\n"):format(("b"):rep(1000)), times = 1000 } }, "protocol")

-- Lengths
for _, case in ipairs {
  { "that is too long", "5", "network" }, { "that is too short", "3", "200 don" },
  { "that is negative", "-4", "protocol" }, { "that is huge", "99999999999", "protocol" },
  { "above 64 bits", ("9"):rep(30), "protocol" }, { "that is no number", "four", "protocol" },
  { "with a sign", "+4", "protocol" }, { "in hexadecimal", "0x4", "protocol" },
  { "with a fraction", "4.0", "protocol" }, { "that is empty", "", "protocol" },
  { "with something behind it", "4 x", "protocol" }, { "twice the same", "4, 4", ok() },
  { "that differs in a list", "4, 5", "protocol" }, { "with leading zeros", "0004", ok() },
  { "with a comma alone", "4,", "protocol" },
} do
  add("a length " .. case[1], OK .. "Content-Length: " .. case[2] .. "\r\n\r\ndone", case[3])
end
add("two lengths", OK .. "Content-Length: 4\r\nContent-Length: 5\r\n\r\ndone", "protocol")
add("the same length twice", OK .. "Content-Length: 4\r\n" .. DONE, ok())
add("a length beside chunks", OK .. "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
  .. "4\r\ndone\r\n0\r\n\r\n", "protocol")
add("chunks beside a length", OK .. "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"
  .. "4\r\ndone\r\n0\r\n\r\n", "protocol")
add("a body above the ceiling without a length",
  { OK .. "\r\n", { ("x"):rep(1000), times = 1000 } }, "protocol", { max_body = 100000 })

-- Sizes of chunks
for _, case in ipairs {
  { "with an extension", "4;a=b" }, { "with spaces", "4 " },
  { "with a space and an extension", "4 ;a=b" }, { "with leading zeros", "00004" },
} do
  add("a size of a chunk " .. case[1], chunked(case[2], "done", "0", "", ""), ok())
end
for _, case in ipairs {
  { "that is negative", "-4" }, { "that is no number", "x" }, { "that is empty", "" },
  { "with a sign", "+4" }, { "that is huge", "fffffffffffffffe" },
  { "above 64 bits", ("f"):rep(40) }, { "that is too short", "3" },
  { "with a space before it", " 4" },
} do
  add("a size of a chunk " .. case[1], chunked(case[2], "done", "0", "", ""), "protocol")
end
add("a size of a chunk with a prefix", chunked("0x4", "done", "0", "", ""), "protocol")
add("a size of a chunk with nonsense behind it", chunked("4 x", "done", "0", "", ""), ok(),
  { nginx = "protocol", differs = "libcurl reads digits and skips what follows them" })
add("a size of a chunk above the ceiling", chunked("fffffff0", "done", "0", "", ""), "network",
  { nginx = "protocol", differs = "libcurl counts only the bytes that have arrived" })
add("a size of a chunk without end", { chunked "4;", { ("a"):rep(1000), times = 1000 } }, "network",
  { nginx = "protocol", differs = "libcurl skips an extension, however long" })
add("chunks whose lines end by LF", OK .. "Transfer-Encoding: chunked\r\n\r\n4\ndone\n0\n\n",
  ok(), { nginx = "protocol", differs = "libcurl accepts LF as the end of any line" })
add("something behind the last chunk", chunked("4", "done", "0", "", "") .. "HTTP/1.1 500 X\r\n",
  ok())

-- Codings
for _, case in ipairs { { "identity", "protocol" }, { "gzip", "protocol" },
                        { "gzip, chunked", "protocol" }, { "chunked, chunked", "protocol" },
                        { "chunked, gzip", "protocol" }, { "xchunked", "protocol" },
                        { "", "protocol" } } do
  add(("Transfer-Encoding %q"):format(case[1]), OK .. "Transfer-Encoding: " .. case[1]
    .. "\r\n\r\n4\r\ndone\r\n0\r\n\r\n", case[2])
end
add("Transfer-Encoding in upper case", OK .. "TRANSFER-ENCODING: CHUNKED\r\n\r\n"
  .. "4\r\ndone\r\n0\r\n\r\n", ok())
add("Transfer-Encoding twice", OK .. "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"
  .. "\r\n4\r\ndone\r\n0\r\n\r\n", "protocol")
add("gzip", coded("gzip", gzip(TEXT)), ok(TEXT))
add("gzip in upper case", coded("GZIP", gzip(TEXT)), ok(TEXT))
add("gzip that is cut", coded("gzip", gzip(TEXT):sub(1, -10)), "protocol")
add("gzip that is cut, with the length of the cut body",
  OK .. ("Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"):format(#gzip(TEXT) - 9)
  .. gzip(TEXT):sub(1, -10), "protocol")
add("plain text declared as gzip", coded("gzip", TEXT), "protocol")
add("gzip, and something behind it", coded("gzip", gzip(TEXT) .. "x"), "protocol")
add("gzip twice", coded("gzip, gzip", gzip(gzip(TEXT))), "protocol")
add("gzip twice, by two headers", OK .. "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n\r\n"
  .. gzip(gzip(TEXT)), "protocol")
add("gzip beside identity", coded("identity, gzip", gzip(TEXT)), ok(TEXT))
for _, coding in ipairs { "br", "br, br", "zstd", "compress", "x" } do
  add("the coding " .. coding, coded(coding, "\11\1\128done\3"), "protocol")
end
add("identity", coded("identity", "done"), ok())
add("a bomb", coded("gzip", gzip(("\0"):rep(2e6))), "protocol", { max_body = 100000 })

-- Headers
add("a header named like a version", OK .. "A: b\r\nHTTP/1x: c\r\n" .. DONE, ok())
add("a header that looks like a status line", OK .. "HTTP/1.1 500 X: c\r\n" .. DONE, "protocol")
add("a line without a colon", OK .. "nonsense\r\n" .. DONE, "protocol")
add("a line without a name", OK .. ": b\r\n" .. DONE, "protocol")
add("a space before the colon", OK .. "A : b\r\n" .. DONE, "protocol")
add("a space within a name", OK .. "A B: c\r\n" .. DONE, "protocol")
add("a control character in a name", OK .. "A\20B: c\r\n" .. DONE, "protocol")
add("DEL in a name", OK .. "A\127: c\r\n" .. DONE, "protocol")
add("a zero byte in a value", OK .. "A: \0b\r\n" .. DONE, "protocol")
add("a zero byte in a name", OK .. "A\0B: c\r\n" .. DONE, "protocol")
add("a zero byte in the status line", "HTTP/1.1 200 O\0K\r\n" .. DONE, "protocol")
add("CR in a value", OK .. "A: b\rc\r\n" .. DONE, "protocol")
add("CR in place of a line end", "HTTP/1.1 200 OK\rContent-Length: 4\r\rdone", "network")
add("CR twice in a line end", OK .. "A: b\r\r\n" .. DONE, "protocol")
add("lines that end by LF", "HTTP/1.1 200 OK\nContent-Length: 4\n\ndone", ok())
add("100,000 headers", { OK, { "A: b\r\n", times = 100000 }, DONE }, "protocol")
add("a header of a megabyte", { OK .. "A: ", { ("b"):rep(1000), times = 1000 }, "\r\n" .. DONE },
  "protocol")
add("a status line of a megabyte", { "HTTP/1.1 200 ", { ("b"):rep(1000), times = 1000 } },
  "protocol")
add("a trailer of 100 KB", { chunked("4", "done", "0", "X-A: "), { ("b"):rep(1000), times = 100 },
  "\r\n\r\n" }, "protocol")
add("bytes above ASCII in a value", OK .. "A: \255\128\r\n" .. DONE, ok())
add("a byte above ASCII in a name", OK .. "A\255: b\r\n" .. DONE, ok())

-- Status lines
for _, status in ipairs { "000", "099", "1000", "abc", "20", "2 0", "-20", "", "+200", "200x" } do
  add(("the status %q"):format(status), "HTTP/1.1 " .. status .. " X\r\n" .. DONE, "protocol")
end
add("the status 999", "HTTP/1.1 999 X\r\n" .. DONE, "999 done")
add("the status 600", "HTTP/1.1 600 X\r\n" .. DONE, "600 done")
add("two spaces before the status", "HTTP/1.1  200 OK\r\n" .. DONE, "protocol")
add("a tab before the status", "HTTP/1.1\t200 OK\r\n" .. DONE, "protocol")
add("no reason", "HTTP/1.1 200\r\n" .. DONE, ok())
add("HTTP/0.9", "done", "protocol")
add("HTTP/0.9 of one line", "<html>done</html>\r\n", "protocol")
add("HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\ndone", ok())
add("HTTP/1.2", "HTTP/1.2 200 OK\r\n" .. DONE, "protocol")
add("HTTP/2 in a status line", "HTTP/2 200\r\n" .. DONE, ok(),
  { nginx = "protocol", differs = "libcurl writes the heads of HTTP/2 in this format" })
add("HTTP/3 in a status line", "HTTP/3 200\r\n" .. DONE, "protocol")
add("a version of two digits", "HTTP/1.10 200 OK\r\n" .. DONE, "protocol")
add("a version without a number", "HTTP/ 200 OK\r\n" .. DONE, "protocol")
add("HTTP in lower case", "http/1.1 200 OK\r\n" .. DONE, "protocol")
add("ICY", "ICY 200 OK\r\n" .. DONE, "protocol")
add("the HTTP/2 preface without TLS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "protocol")
add("an HTTP/2 frame without TLS", "\0\0\6\4\0\0\0\0\0\0\3\0\0\0\128", "protocol")
add("a TLS alert without TLS", "\21\3\1\0\2\2\70", "protocol")
add("an empty line before the status line", "\r\n" .. OK .. DONE, "protocol")
add("SSH", "SSH-2.0-OpenSSH_9.2\r\n", "protocol")

-- Bodies that must be ignored
add("a body with 204", "HTTP/1.1 204 No Content\r\n" .. DONE, "204 ")
add("a body with 304", "HTTP/1.1 304 Not Modified\r\n" .. DONE, "304 ")
add("a body to HEAD", OK .. DONE, "200 ", { method = "HEAD" })
add("chunks to HEAD", chunked("4", "done", "0", "", ""), "200 ", { method = "HEAD" })
add("chunks with 204", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndone\r\n",
  "204 ")
add("gzip to HEAD", OK .. "Content-Encoding: gzip\r\nContent-Length: 30\r\n\r\n", "200 ",
  { method = "HEAD" })
add("a huge length to HEAD", OK .. "Content-Length: 99999999999\r\n\r\n", "200 ",
  { method = "HEAD" })

-- Features that libcurl might handle itself
add("a redirect", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n" .. DONE, "302 done")
add("a redirect to itself without end", "HTTP/1.1 301 Moved\r\nLocation: /\r\n" .. DONE,
  "301 done")
add("a request for a password", "HTTP/1.1 401 X\r\nWWW-Authenticate: Negotiate\r\n" .. DONE,
  "401 done")
add("a proxy's refusal without a proxy",
  "HTTP/1.1 407 X\r\nProxy-Authenticate: Basic\r\n" .. DONE, "407 done")
add("417", "HTTP/1.1 417 Expectation Failed\r\n" .. DONE, "417 done")
add("a range without a body", "HTTP/1.1 206 Partial\r\nContent-Range: bytes 5-8/9\r\n" .. DONE,
  "206 done")
add("a range that was not requested", "HTTP/1.1 416 X\r\nContent-Range: bytes */9\r\n" .. DONE,
  "416 done")
add("a byte order mark before text", OK .. "Content-Type: text/plain\r\n\r\n\239\187\191done",
  ok "\239\187\191done")
add("a byte order mark before JSON", OK .. "Content-Type: application/json\r\n\r\n"
  .. "\239\187\191{}", ok "{}")
add("two byte order marks before JSON", OK .. "Content-Type: text/plain\r\n\r\n"
  .. ("\239\187\191"):rep(2) .. "{}", ok(("\239\187\191"):rep(2) .. "{}"))
add("an endless Keep-Alive", OK .. "Connection: keep-alive\r\nKeep-Alive: timeout=1e99\r\n" .. DONE,
  ok())

return all
