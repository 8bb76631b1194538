--- Feeds the same bytes to both transports: to http1 over a fake socket in random pieces, to
-- libcurl over a real one. The results must be equal, or differ for a known reason.
local fake_socket = require "spec.support.fake_socket"
local http1_response = require "pcapi.nginx.http1_response"
local random = require "spec.fuzz.random"
local raw = require "spec.support.raw"
local transport = require "pcapi.http.curl"

local BATCH = 100 -- cases per script
local LIMITS = { max_body = 2000, max_headers = 4000 }

local OK = "HTTP/1.1 200 OK\r\n"

local STATUS = { OK, OK, OK, "HTTP/1.0 200 OK\r\n", "HTTP/1.1 200\r\n", "HTTP/1.1 204 No\r\n",
  "HTTP/1.1 304 No\r\n", "HTTP/1.1 404 Not Found\r\n", "HTTP/1.1 099 X\r\n", "HTTP/1.1 1000 X\r\n",
  "HTTP/2 200\r\n", "HTTP/1.1 200 OK\n", "HTTP/1.1 503 Busy: a \r\n", "ICY 200 OK\r\n",
  "HTTP/1.1 100 Continue\r\n\r\n" .. OK, "HTTP/1.1 103 X\r\nA: b\r\n\r\n" .. OK, "" }

local HEADERS = { "A: b\r\n", "A: b\r\n c\r\n", " c\r\n", "A:\r\n", "a: \t x \t \r\n", "A : b\r\n",
  "nonsense\r\n", ": b\r\n", "HTTP/1x: a\r\n", "Connection: close\r\n", "A: b\n", "A: \0\r\n",
  "Content-Type: application/json\r\n", "Trailer: A\r\n", "Location: /\r\n", "A\255: \128\r\n",
  "Retry-After: 1\r\n", "Set-Cookie: a=b\r\n", "WWW-Authenticate: Basic\r\n", "Keep-Alive: x\r\n",
  "Upgrade: h2c\r\n", "Content-Range: bytes 0-3/4\r\n", "A: " .. ("b"):rep(1000) .. "\r\n" }

local BODIES = { "", "done", ("0123456789"):rep(20), ("x"):rep(3000), "HTTP/1.1 200 OK\r\n\r\n" }

local function chunks(body)
  local parts = {}
  local at = 1
  while at <= #body do
    local size = math.random(#body - at + 1)
    parts[#parts + 1] = ("%x%s\r\n%s\r\n"):format(size, random.one { "", "", ";a=b", " " },
      body:sub(at, at + size - 1))
    at = at + size
  end
  return table.concat(parts) .. "0\r\n" .. random.one { "", "", "A: b\r\n", "nonsense\r\n" }
    .. "\r\n"
end

local function framed(body)
  local length = "Content-Length: " .. random.one { #body, #body, #body, #body + 1, #body - 1, "x",
    "", "-1", ("9"):rep(25), #body .. ", " .. #body, "00" .. #body, "+" .. #body } .. "\r\n"
  local how = math.random(8)
  if how <= 3 then
    return length, body
  elseif how <= 5 then
    return random.one { "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: Chunked\r\n",
      "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: identity\r\n" }, chunks(body)
  elseif how == 6 then
    return length .. "Transfer-Encoding: chunked\r\n", chunks(body)
  elseif how == 7 then
    return length .. length, body
  end
  return "", body
end

local function case()
  local framing, body = framed(random.one(BODIES))
  local parts = { random.one(STATUS) }
  for _ = 1, math.random(0, 4) do
    parts[#parts + 1] = random.one(HEADERS)
  end
  table.insert(parts, math.random(2, #parts + 1), framing)
  parts[#parts + 1] = "\r\n" .. body
  local bytes = table.concat(parts)
  return { bytes = random.rarely(2) and random.mutate(bytes) or bytes,
           method = random.rarely(10) and "HEAD" or "GET" }
end

-- Writes a result as text, to compare it.
local function as_text(response, kind)
  if not response then
    return kind
  end
  local lines = { ("%d %s"):format(response.status, response.reason) }
  for name, value in pairs(response.headers) do
    lines[#lines + 1] = ("%s: %s"):format(name, value)
  end
  table.sort(lines)
  return table.concat(lines, "\n") .. "\n\n" .. response.body
end

local function by_http1(one)
  local socket = fake_socket.new(one.bytes, { piece = math.random(random.one { 1, 7, 5000 }) })
  local ok, response, kind = pcall(http1_response.read, socket, one.method, LIMITS)
  if not ok then
    return "http1 raises " .. tostring(response)
  end
  return as_text(response, kind)
end

local function by_curl(curl, address, one)
  local response, err = curl:send {
    method = one.method, url = address, headers = {}, timeout = 5, connect_timeout = 5,
    max_body = LIMITS.max_body, max_headers = LIMITS.max_headers,
  }
  curl:close() -- a new connection for each case
  return as_text(response, err and err.kind)
end

local function has_chunks(bytes)
  return bytes:lower():find "transfer%-encoding"
end

-- Tests whether a difference has a known reason.
local function is_known(one, curls, http1s)
  local bytes = one.bytes
  if curls == "protocol" and (one.method == "HEAD" or http1s:find "^[23]04 ") then
    return true -- http1 ignores the length of a response without body
  elseif curls == "protocol" and http1s == "network" then
    return true -- http1 reads the length only after the last header, which never comes
  elseif bytes:find "\n%z" and curls == "network" then
    return true -- libcurl takes a zero byte at the start of a line for the end
  elseif has_chunks(bytes) then
    -- libcurl is lax about sizes and line ends of chunks, and strict about trailers; it says
    -- "network" for some invalid ones; and it counts only the bytes that have come
    return http1s == "protocol" or curls == "protocol" or curls == "network"
      or bytes:find "\r$" ~= nil -- libcurl does not need the last LF
  elseif bytes:find "^HTTP/[23]" or bytes:find "\nHTTP/[23]" then
    return true -- libcurl writes the head of an HTTP/2 response in this form
  elseif bytes:find "[Cc]ontent%-[Ll]ength:[^\n]*\n[ \t]" then
    return true -- libcurl reads a length before it unfolds the header
  elseif curls == "protocol" and bytes:find "^HTTP/1%.[01] 1%d%d"
    and bytes:lower():find "\ncontent%-length:" then
    return true -- libcurl reads the length of an interim response, too
  elseif curls == "network" and (bytes:lower() == ("http/1.1"):sub(1, #bytes)
    or bytes:lower() == "http/1.0") then
    return true -- libcurl waits for the rest of a line whose name is not in upper case
  elseif curls:gsub("^(%d+ )[\v\f]+", "%1") == http1s then
    return true -- http1 drops these bytes before the reason
  end
end

random.begin "http1"
local server = raw.start()
local curl = transport.new { allow_http = true, http_version = "1.1" }
local address = server.http .. "/"
while random.goes_on() do
  local cases, script = {}, {}
  for i = 1, BATCH do
    cases[i] = case()
    script[i] = { { cases[i].bytes } }
  end
  server:play(script)
  for _, one in ipairs(cases) do
    local curls, http1s = by_curl(curl, address, one), by_http1(one)
    if curls ~= http1s and not is_known(one, curls, http1s) then
      random.find(("%s\nlibcurl: %s\nhttp1: %s"):format(one.method, curls, http1s),
        one.bytes)
    end
    random.count_case()
  end
end
raw.stop_all()
random.finish()
