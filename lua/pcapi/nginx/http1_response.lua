--- Reads an HTTP/1.1 response from a socket (RFC 9112). It knows neither network nor clock: the
-- socket has ngx_lua's `receiveany`, and reports a timeout.
-- @module pcapi.nginx.http1_response
local coding = require "pcapi.http.coding"
local reader = require "pcapi.nginx.reader"

local M = {}

local PIECE = 65536 -- bytes read at once
local MAX_CHUNK_LINE = 1024 -- bytes of a chunk's size and extensions
local MAX_SHOWN = 100 -- bytes of a header in a message
local MAX_DIGITS = 12 -- of a size; a longer one exceeds any max_body

-- RFC 9110 §6.4.1
local function has_no_body(method, status)
  return method == "HEAD" or status == 204 or status == 304
end

local function receive_error(err)
  if err == "timeout" then
    return nil, "timeout", "timed out while waiting for the response"
  elseif err == "closed" then
    return nil, "network", "the connection was closed before the response was complete"
  end
  return nil, "network", "the connection failed: " .. tostring(err)
end

local function invalid(why)
  return nil, "protocol", "the response is not valid: " .. why
end

local function too_large()
  return nil, "protocol", "the response is larger than max_body"
end

local NOT_HTTP = "it does not begin with an HTTP/1.1 status line"

local function parse_status(line)
  local version, status, reason = line:match "^HTTP/(1%.[01]) ([1-9]%d%d)%f[ %z](.*)$"
  if not version then
    return invalid(NOT_HTTP)
  end
  return { version = tonumber(version), status = tonumber(status), headers = {},
           reason = reason:match "^%s*(.-)%s*$" }
end

-- The text from a position on, without spaces and tabs around it.
local function trimmed(line, from)
  from = line:find("[^ \t]", from)
  if not from then
    return ""
  end
  if line:find("[ \t]", -1) then
    line = line:match "^.*[^ \t]"
  end
  return line:sub(from)
end

-- Adds a line to headers, and returns its name. A line that begins with a space continues
-- the header `last` (RFC 9112 §5.2); values of the same name become a list (RFC 9110 §5.3).
local function add_header(headers, line, last)
  local name, separator, at = last, " ", 1
  if not line:find "^[ \t]" then
    local colon = line:find(":", 1, true) or 1
    name, separator, at = line:sub(1, colon - 1):lower(), ", ", colon + 1
  end
  if not name or name == "" or name:find "[%c%s]" then
    return invalid "a header has no name"
  end
  local value = trimmed(line, at)
  headers[name] = headers[name] and headers[name] .. separator .. value or value
  return name
end

-- Calls a function with each line up to an empty one, and stops if it returns nil, kind and
-- message. Returns how many of the bytes are left for other lines.
local function each_line(input, max_bytes, take)
  while true do
    local line, size = input:line(max_bytes)
    if not line then
      if size == false then
        return nil, "protocol", "the headers of the response exceed the size limit"
      end
      return receive_error(size)
    end
    max_bytes = max_bytes - size
    if line == "" then
      return max_bytes
    elseif line:find("\r", 1, true) or line:find("\0", 1, true) then
      return invalid "a header holds a line break or a zero byte"
    end
    local ok, kind, message = take(line)
    if not ok then
      return nil, kind, message
    end
  end
end

-- Reads one head, interim or final. Also returns how many bytes are left for other heads.
local function read_head(input, max_bytes)
  local is_http, err = input:begins_with "HTTP/"
  if is_http == nil then
    return receive_error(err)
  elseif not is_http then
    return invalid(NOT_HTTP)
  end
  local response, last
  local left, kind, message = each_line(input, max_bytes, function(line)
    local why, what
    if response then
      last, why, what = add_header(response.headers, line, last)
      return last, why, what
    end
    response, why, what = parse_status(line)
    return response, why, what
  end)
  if not left then
    return nil, kind, message
  end
  return response, left
end

-- Reads the head of the response, and skips interim responses (1xx) before it.
local function final_head(input, max_bytes)
  while true do
    local response, left, message = read_head(input, max_bytes)
    if not response then
      return nil, left, message
    elseif response.status == 101 or response.status >= 200 then
      return response
    end
    max_bytes = left
  end
end

--- Reads the head of a response to CONNECT, which has a body only if it is a refusal.
-- @tparam table socket
-- @tparam number max_bytes
-- @treturn[1] table `status`, `reason`, `version`, `headers`
-- @treturn[2] nil
-- @treturn[2] string kind of error
-- @treturn[2] string message
function M.head(socket, max_bytes)
  local input = reader.new(socket)
  local response, kind, message = final_head(input, max_bytes)
  if response and response.status < 300 and input:left() > 0 then
    return invalid "unexpected data follows it"
  end
  return response, kind, message
end

local function read_bytes(input, count, parts)
  while count > 0 do
    local some, err = input:some(count)
    if not some then
      return receive_error(err)
    end
    parts:add(some)
    count = count - #some
  end
  return true
end

local function read_chunk_size(input)
  local line, err = input:line(MAX_CHUNK_LINE)
  if not line then
    if err == false then
      return invalid "the line with the size of a chunk is too long"
    end
    return receive_error(err)
  end
  local digits = line:match "^0*(%x+)[ \t]*$" or line:match "^0*(%x+)[ \t]*;"
  if not digits then
    return invalid "a chunk has no size"
  elseif #digits > MAX_DIGITS then
    return too_large()
  end
  return tonumber(digits, 16)
end

local function read_chunk(input, size, parts)
  local ok, kind, message = read_bytes(input, size, parts)
  if not ok then
    return nil, kind, message
  end
  local has_ended, err = input:begins_with "\r\n"
  if has_ended then
    return input:some(2)
  elseif has_ended == false then
    return invalid "a chunk is longer than its size"
  end
  return receive_error(err)
end

local function skip_trailer()
  return true
end

local function read_chunks(input, limits, parts)
  while true do
    local size, kind, message = read_chunk_size(input)
    if not size then
      return nil, kind, message
    elseif size == 0 then
      return each_line(input, limits.max_headers, skip_trailer)
    elseif parts.size + size > limits.max_body then
      return too_large()
    end
    local ok
    ok, kind, message = read_chunk(input, size, parts)
    if not ok then
      return nil, kind, message
    end
  end
end

local function read_to_end(input, limits, parts)
  while true do
    local some, err = input:some(PIECE)
    if not some then
      if err == "closed" then
        return true
      end
      return receive_error(err)
    end
    parts:add(some)
    if parts.size > limits.max_body then
      return too_large()
    end
  end
end

-- The value of Content-Length, which may be a list of equal numbers; nil if it is not valid.
local function length_of(text)
  local length
  for one in (text .. ","):gmatch "([^,]*)," do
    local digits = one:match "^%s*0*(%d+)%s*$"
    if not digits or length and digits ~= length then
      return nil
    end
    length = digits
  end
  return #length <= MAX_DIGITS and tonumber(length) or math.huge
end

-- Returns the end of the body (RFC 9112 §6.3): "chunked", a number of bytes, or "close";
-- nil if the headers contradict each other.
local function framing_of(headers)
  local transfer, length = headers["transfer-encoding"], headers["content-length"]
  if transfer then
    return transfer:lower() == "chunked" and not length and "chunked" or nil
  end
  return length and length_of(length) or not length and "close" or nil
end

-- Returns the body, or nil, kind and message.
local function read_body(input, headers, limits)
  local framing, parts = framing_of(headers), reader.parts()
  local transfer = headers["transfer-encoding"]
  local ok, kind, message
  if not framing and transfer and not headers["content-length"] then
    return invalid(("it has the Transfer-Encoding %q; only chunked is supported")
      :format(transfer:sub(1, MAX_SHOWN)))
  elseif not framing then
    return invalid "its headers contradict each other about the length of the body"
  elseif framing == "chunked" then
    ok, kind, message = read_chunks(input, limits, parts)
  elseif framing == "close" then
    ok, kind, message = read_to_end(input, limits, parts)
  elseif framing > limits.max_body then
    return too_large()
  else
    ok, kind, message = read_bytes(input, framing, parts)
  end
  return ok and parts:text(), kind, message
end

-- Whether the server may keep the connection open after the response.
local function stays_open(response, has_body)
  local connection = (response.headers.connection or ""):lower()
  return response.version >= 1.1 and not connection:find("close", 1, true)
    and not (has_body and framing_of(response.headers) == "close")
end

-- Reads and decodes the body into the response.
local function add_body(response, input, limits, socket)
  local ok, kind, message
  response.body, kind, message = read_body(input, response.headers, limits)
  if not response.body then
    return nil, kind, message
  end
  ok, kind, message = coding.decode(response, limits.max_body, socket.breathe and function()
    return socket:breathe()
  end)
  if not ok then
    return nil, kind, message
  end
  coding.drop_mark(response)
  return true
end

--- Reads a response.
-- @tparam table socket its method `breathe`, if any, is called while a long body is
-- decompressed, and returns whether there is time left
-- @tparam string method of the request
-- @tparam table limits `max_body`, `max_headers` (bytes)
-- @tparam ?function on_head called when the head has been received
-- @treturn[1] table `status`, `reason`, `version`, `headers` (names in lower case), `body`
-- @treturn[1] nil
-- @treturn[1] nil
-- @treturn[1] boolean whether the connection can serve another request
-- @treturn[2] nil
-- @treturn[2] string kind of error
-- @treturn[2] string message
function M.read(socket, method, limits, on_head)
  local input = reader.new(socket)
  local response, kind, message = final_head(input, limits.max_headers)
  if not response then
    return nil, kind, message
  end
  if on_head then
    on_head()
  end
  if response.status == 101 then
    return invalid "it switches to another protocol"
  end
  response.body = ""
  local has_body, ok = not has_no_body(method, response.status), true
  if has_body then
    ok, kind, message = add_body(response, input, limits, socket)
  end
  if not ok then
    return nil, kind, message
  end
  return response, nil, nil, input:left() == 0 and stays_open(response, has_body)
end

return M
