--- One exchange of HTTP/1.1 over a socket that is open: what is sent, and what comes
-- (RFC 9112). It knows no network and no clock: the socket has the methods of ngx_lua's
-- `send`, `receive`, `receiveany` and `receiveuntil`, and says when the time is over.
-- @module pcapi.transport.http1
local core = require "pcapi.core"

local M = {}

local PIECE = 65536 -- bytes read at once
local LONGEST_LINE = 1024 -- bytes, of a chunk's size with its extensions

-- Without a body, whatever its headers say (RFC 9110 §6.4.1).
local function has_no_body(method, status)
  return method == "HEAD" or status == 204 or status == 304
end

-- The names of header lines, in lower case; nil for a line that cannot be sent.
local function names_of(lines)
  local names = {}
  for _, line in ipairs(lines) do
    local name = line:match "^([^:%c%s]+):"
    if not name or line:find "[%z\1-\8\10-\31\127]" then
      return nil
    end
    names[name:lower()] = true
  end
  return names
end

--- What is sent for a request.
-- @tparam table request `method`, `headers` (lines), `body`
-- @tparam table address of `pcapi.url`
-- @tparam string user_agent
-- @treturn[1] string
-- @treturn[2] nil a header line is none
function M.request(request, address, user_agent)
  local lines = request.headers or {}
  local names = names_of(lines)
  if not names then
    return nil
  end
  local head = { ("%s %s%s HTTP/1.1"):format(request.method,
    address.path == "" and "/" or address.path, address.query) }
  local function add(name, value)
    if not names[name:lower()] then
      head[#head + 1] = name .. ": " .. value
    end
  end
  add("Host", (address.origin:gsub("^%a+://", "")))
  add("User-Agent", user_agent)
  add("Accept", "*/*")
  add("Accept-Encoding", "gzip, deflate")
  if request.body or request.method == "POST" then
    add("Content-Length", ("%d"):format(#(request.body or "")))
  end
  for _, line in ipairs(lines) do
    head[#head + 1] = line
  end
  return table.concat(head, "\r\n") .. "\r\n\r\n" .. (request.body or "")
end

-- Why reading failed, as kind and message.
local function broken(err)
  if err == "timeout" then
    return nil, "timeout", "the answer did not come in time"
  elseif err == "closed" then
    return nil, "network", "the connection was closed before the answer was complete"
  end
  return nil, "network", "the connection broke: " .. tostring(err)
end

local function senseless(what)
  return nil, "protocol", "the answer makes no sense: " .. what
end

local function too_large()
  return nil, "protocol", "the answer is larger than max_body"
end

-- All up to a mark that takes at most so many bytes; nil, false when it takes more.
local function read_until(socket, mark, most)
  local read, parts, size = socket:receiveuntil(mark), {}, 0
  while true do
    local part, err = read(math.min(most + 1, PIECE))
    if not part then
      return not err and table.concat(parts) or nil, err
    end
    parts[#parts + 1] = part
    size = size + #part
    if size > most then
      return nil, false
    end
  end
end

local function parse_status(line)
  local version, status, reason = line:match "^HTTP/(1%.[01]) (%d%d%d) ?(.*)$"
  if not version then
    return senseless "it does not begin as HTTP/1.1 does"
  end
  return { version = tonumber(version), status = tonumber(status), reason = reason, headers = {} }
end

local function add_header(headers, name, value)
  name = name:lower()
  headers[name] = headers[name] and headers[name] .. ", " .. value or value
end

-- A line that begins with a space goes on where the one before it ended (RFC 9112 §5.2).
local function parse_head(head)
  head = head:gsub("\r\n[ \t]+", " ")
  local first, rest = head:match "^([^\r\n]*)\r?\n?(.*)$"
  local response, kind, message = parse_status(first)
  if not response then
    return nil, kind, message
  end
  for line in rest:gmatch "[^\r\n]+" do
    local name, value = line:match "^([^:%s]+):[ \t]*(.-)[ \t]*$"
    if not name then
      return senseless "a line of its headers has no name"
    end
    add_header(response.headers, name, value)
  end
  return response
end

--- Reads the head of an answer; those of interim ones (1xx) are passed over.
-- @tparam table socket
-- @tparam number most bytes
-- @treturn[1] table `status`, `reason`, `version`, `headers`
-- @treturn[2] nil
-- @treturn[2] string kind of error
-- @treturn[2] string message
function M.head(socket, most)
  while true do
    local head, err = read_until(socket, "\r\n\r\n", most)
    if not head then
      if err == false then
        return nil, "protocol", "the headers of the answer are larger than max_headers"
      end
      return broken(err)
    end
    most = most - #head
    local response, kind, message = parse_head(head)
    if not response or response.status == 101 or response.status >= 200 then
      return response, kind, message
    end
  end
end

-- So many bytes, as parts.
local function read_bytes(socket, count, parts)
  while count > 0 do
    local part, err = socket:receive(math.min(count, PIECE))
    if not part then
      return broken(err)
    end
    parts[#parts + 1] = part
    count = count - #part
  end
  return true
end

local function read_chunk_size(socket)
  local line, err = read_until(socket, "\r\n", LONGEST_LINE)
  if not line then
    if err == false then
      return senseless "the size of a chunk does not end"
    end
    return broken(err)
  end
  local digits = line:match "^(%x+)[ \t]*$" or line:match "^(%x+)[ \t]*;"
  if not digits or #digits > 8 then
    return senseless "a chunk has no size"
  end
  return tonumber(digits, 16)
end

-- What follows the last chunk (RFC 9112 §7.1.2).
local function read_trailers(socket, most)
  repeat
    local line, err = read_until(socket, "\r\n", most)
    if not line then
      if err == false then
        return nil, "protocol", "the headers of the answer are larger than max_headers"
      end
      return broken(err)
    end
    most = most - #line
  until line == ""
  return true
end

local function read_chunk(socket, size, parts)
  local ending = {}
  local ok, kind, message = read_bytes(socket, size, parts)
  if ok then
    ok, kind, message = read_bytes(socket, 2, ending)
  end
  if ok and table.concat(ending) ~= "\r\n" then
    return senseless "a chunk is longer than its size"
  end
  return ok, kind, message
end

local function read_chunks(socket, limits, parts)
  local total = 0
  while true do
    local size, kind, message = read_chunk_size(socket)
    if not size then
      return nil, kind, message
    elseif size == 0 then
      return read_trailers(socket, limits.max_headers)
    end
    total = total + size
    if total > limits.max_body then
      return too_large()
    end
    local ok
    ok, kind, message = read_chunk(socket, size, parts)
    if not ok then
      return nil, kind, message
    end
  end
end

local function read_to_end(socket, limits, parts)
  local total = 0
  while true do
    local part, err = socket:receiveany(PIECE)
    if not part then
      if err == "closed" then
        return true
      end
      return broken(err)
    end
    parts[#parts + 1] = part
    total = total + #part
    if total > limits.max_body then
      return too_large()
    end
  end
end

-- How the end of the body is known (RFC 9112 §6.3): "chunked", a number of bytes, "close";
-- nil when the headers contradict each other.
local function framing(headers)
  local coding, length = headers["transfer-encoding"], headers["content-length"]
  if coding then
    return coding:lower() == "chunked" and not length and "chunked" or nil
  elseif not length then
    return "close"
  end
  local first = length:match "^(%d+)"
  for other in length:gmatch "[^,]+" do
    if other:match "^%s*(%d+)%s*$" ~= first then
      return nil
    end
  end
  return first and #first <= 15 and tonumber(first) or nil
end

local function read_body(socket, response, limits)
  local how, parts = framing(response.headers), {}
  local ok, kind, message
  if not how then
    return senseless "its headers contradict each other about its length"
  elseif how == "chunked" then
    ok, kind, message = read_chunks(socket, limits, parts)
  elseif how == "close" then
    ok, kind, message = read_to_end(socket, limits, parts)
  elseif how > limits.max_body then
    return too_large()
  else
    ok, kind, message = read_bytes(socket, how, parts)
  end
  return ok and table.concat(parts), kind, message, how ~= "close"
end

local COMPRESSED = { gzip = true, ["x-gzip"] = true, deflate = true }

-- libcurl decompresses by itself, so nobody above expects a body that is compressed.
local function decompress(response, max_body)
  local coding = (response.headers["content-encoding"] or "identity"):lower()
  if coding == "identity" or response.body == "" then
    return true
  elseif not COMPRESSED[coding] then
    return nil, "protocol", ("the answer is encoded as %q, which was not asked for")
      :format(coding)
  end
  local body, why, what = core.inflate(response.body, max_body)
  if not body then
    if what == "too_large" then
      return too_large()
    end
    return senseless(why)
  end
  response.body = body
  return true
end

-- A JSON text begins with no byte order mark (RFC 8259 §8.1), the service's do.
local function drop_mark(response)
  local kind = response.headers["content-type"]
  if kind and kind:find "[/+]json" and response.body:sub(1, 3) == "\239\187\191" then
    response.body = response.body:sub(4)
  end
end

local function may_be_kept(response)
  local said = (response.headers.connection or ""):lower()
  return response.version >= 1.1 and not said:find("close", 1, true)
end

--- Reads the answer.
-- @tparam table socket
-- @tparam string method of the request
-- @tparam table limits `max_body`, `max_headers` (bytes)
-- @tparam ?function on_head is called when the head has come
-- @treturn[1] table `status`, `reason`, `version`, `headers` (names in lower case), `body`
-- @treturn[1] boolean whether the connection can serve another request
-- @treturn[2] nil
-- @treturn[2] string kind of error
-- @treturn[2] string message
function M.response(socket, method, limits, on_head)
  local response, kind, message = M.head(socket, limits.max_headers)
  if not response then
    return nil, kind, message
  end
  if on_head then
    on_head()
  end
  if response.status == 101 then
    return senseless "it changes the protocol, which nobody asked for"
  end
  local kept = true
  response.body = ""
  if not has_no_body(method, response.status) then
    response.body, kind, message, kept = read_body(socket, response, limits)
  end
  local ok = response.body
  if ok then
    ok, kind, message = decompress(response, limits.max_body)
  end
  if not ok then
    return nil, kind, message
  end
  drop_mark(response)
  return response, kept and may_be_kept(response)
end

return M
