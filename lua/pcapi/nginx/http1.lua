--- One exchange of HTTP/1.1 over a socket that is open: what is sent, and what comes
-- (RFC 9112). It knows no network and no clock: the socket has ngx_lua's `receiveany`, and
-- says when the time is over.
-- @module pcapi.nginx.http1
local coding = require "pcapi.http.coding"
local core = require "pcapi.core"
local reader = require "pcapi.nginx.reader"

local M = {}

local PIECE = 65536 -- bytes read at once
local LONGEST_LINE = 1024 -- bytes, of a chunk's size with its extensions
local LONGEST_SHOWN = 100 -- bytes of a header in a message
local LONGEST_NUMBER = 12 -- digits of a size; what needs more is above any ceiling

-- Without a body, whatever its headers say (RFC 9110 §6.4.1).
local function has_no_body(method, status)
  return method == "HEAD" or status == 204 or status == 304
end

-- A token of 2 KB is in each request: what looks at all of its bytes must be cheap.
local function has_control(line)
  return line:find "%c" and line:find "[%z\1-\8\10-\31\127]"
end

-- What header lines say, by their names in lower case; nil and why they cannot be sent.
local function values_of(lines)
  local values = {}
  for i = 1, #lines do
    local line = lines[i]
    local colon = line:find(":", 1, true)
    local name = colon and line:sub(1, colon - 1) or ""
    if name == "" or name:find "%s" or has_control(line) then
      return nil, "a header holds a line break or a control character"
    end
    values[name:lower()] = line:sub(colon + 1)
  end
  return values
end

-- Who waits for more than the body, or takes what is left of it for another request, would
-- spoil the connection for whoever has it next.
local function framing_mistake(values, length)
  local said = values["content-length"]
  if values["transfer-encoding"] then
    return "the header Transfer-Encoding cannot be sent: the body goes out as it is"
  elseif said and said:match "^[ \t]*(%d*)[ \t]*$" ~= length then
    return ("the header Content-Length is not that of the body: %s bytes"):format(length)
  end
end

--- What is sent for a request.
-- @tparam table request `method`, `headers` (lines), `body`
-- @tparam table address of `pcapi.url`
-- @tparam string user_agent
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] string why a header cannot be sent
function M.request(request, address, user_agent)
  local lines, body = request.headers or {}, request.body or ""
  local length = ("%d"):format(#body)
  local values, mistake = values_of(lines)
  mistake = mistake or framing_mistake(values, length)
  if mistake then
    return nil, mistake
  end
  local head = { ("%s %s%s HTTP/1.1"):format(request.method,
    address.path == "" and "/" or address.path, address.query) }
  local function add(name, value)
    if not values[name:lower()] then
      head[#head + 1] = name .. ": " .. value
    end
  end
  add("Host", (address.origin:gsub("^%a+://", "")))
  add("User-Agent", user_agent)
  add("Accept", "*/*")
  add("Accept-Encoding", "gzip, deflate")
  if request.body or request.method == "POST" then
    add("Content-Length", length)
  end
  for _, line in ipairs(lines) do
    head[#head + 1] = line
  end
  return table.concat(head, "\r\n") .. "\r\n\r\n" .. body
end

--- Name and password as a header has them (RFC 7617 §2).
-- @tparam string user as it stands in an address, where what is special is escaped
-- @treturn string
function M.credentials(user)
  local plain = user:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end)
  local text = core.base64url(plain:find(":", 1, true) and plain or plain .. ":")
  return "Basic " .. text:gsub("-", "+"):gsub("_", "/") .. ("="):rep(-#text % 4)
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

local function headers_too_large()
  return nil, "protocol", "the headers of the answer are larger than max_headers"
end

local NO_HTTP = "it does not begin as HTTP/1.1 does"

local function parse_status(line)
  local version, status, reason = line:match "^HTTP/(1%.[01]) ([1-9]%d%d)%f[ %z](.*)$"
  if not version then
    return senseless(NO_HTTP)
  end
  return { version = tonumber(version), status = tonumber(status), headers = {},
           reason = reason:match "^%s*(.-)%s*$" }
end

-- What stands from there on, without spaces and tabs around it.
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

-- Adds a line to headers; `last` is the name in the one before it, which goes on when this
-- one begins with a space (RFC 9112 §5.2). A name that comes again is a list (RFC 9110 §5.3).
-- Returns the name.
local function add_header(headers, line, last)
  local name, between, at = last, " ", 1
  if not line:find "^[ \t]" then
    local colon = line:find(":", 1, true) or 1
    name, between, at = line:sub(1, colon - 1):lower(), ", ", colon + 1
  end
  if not name or name == "" or name:find "[%c%s]" then
    return senseless "a line of its headers has no name"
  end
  local value = trimmed(line, at)
  headers[name] = headers[name] and headers[name] .. between .. value or value
  return name
end

-- Gives each line before an empty one to a function; what that returns but true ends it.
-- Returns how many bytes are left of those there may be.
local function each_line(input, most, take)
  while true do
    local line, size = input:line(most)
    if not line then
      if size == false then
        return headers_too_large()
      end
      return broken(size)
    end
    most = most - size
    if line == "" then
      return most
    elseif line:find("\r", 1, true) or line:find("\0", 1, true) then
      return senseless "a line of its headers holds a line break or a zero byte"
    end
    local ok, kind, message = take(line)
    if not ok then
      return nil, kind, message
    end
  end
end

-- One head, interim or not, and how many bytes are left for others.
local function read_head(input, most)
  local is_http, err = input:begins_with "HTTP/"
  if is_http == nil then
    return broken(err)
  elseif not is_http then
    return senseless(NO_HTTP)
  end
  local response, last
  local rest, kind, message = each_line(input, most, function(line)
    local why, what
    if response then
      last, why, what = add_header(response.headers, line, last)
      return last, why, what
    end
    response, why, what = parse_status(line)
    return response, why, what
  end)
  if not rest then
    return nil, kind, message
  end
  return response, rest
end

-- The head of an answer. Interim ones before it (1xx) are passed over, and count.
local function final_head(input, most)
  while true do
    local response, rest, message = read_head(input, most)
    if not response then
      return nil, rest, message
    elseif response.status == 101 or response.status >= 200 then
      return response
    end
    most = rest
  end
end

--- Reads the head of an answer to CONNECT, which nothing follows but where it is a refusal.
-- @tparam table socket
-- @tparam number most bytes
-- @treturn[1] table `status`, `reason`, `version`, `headers`
-- @treturn[2] nil
-- @treturn[2] string kind of error
-- @treturn[2] string message
function M.head(socket, most)
  local input = reader.new(socket)
  local response, kind, message = final_head(input, most)
  if response and response.status < 300 and input:left() > 0 then
    return senseless "something follows it that was not asked for"
  end
  return response, kind, message
end

-- Adds so many bytes.
local function read_bytes(input, count, parts)
  while count > 0 do
    local some, err = input:some(count)
    if not some then
      return broken(err)
    end
    parts:add(some)
    count = count - #some
  end
  return true
end

local function read_chunk_size(input)
  local line, err = input:line(LONGEST_LINE)
  if not line then
    if err == false then
      return senseless "the size of a chunk does not end"
    end
    return broken(err)
  end
  local digits = line:match "^0*(%x+)[ \t]*$" or line:match "^0*(%x+)[ \t]*;"
  if not digits then
    return senseless "a chunk has no size"
  elseif #digits > LONGEST_NUMBER then
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
    return senseless "a chunk is longer than its size"
  end
  return broken(err)
end

local function pass_over()
  return true
end

local function read_chunks(input, limits, parts)
  while true do
    local size, kind, message = read_chunk_size(input)
    if not size then
      return nil, kind, message
    elseif size == 0 then -- what follows the last one says nothing of the body
      return each_line(input, limits.max_headers, pass_over)
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
      return broken(err)
    end
    parts:add(some)
    if parts.size > limits.max_body then
      return too_large()
    end
  end
end

-- The length that the headers tell, which may stand there more than once; nil when it is none.
local function length_of(text)
  local length
  for one in (text .. ","):gmatch "([^,]*)," do
    local digits = one:match "^%s*0*(%d+)%s*$"
    if not digits or length and digits ~= length then
      return nil
    end
    length = digits
  end
  return #length <= LONGEST_NUMBER and tonumber(length) or math.huge
end

-- How the end of the body is known (RFC 9112 §6.3): "chunked", a number of bytes, "close";
-- nil when the headers contradict each other.
local function framing(headers)
  local transfer, length = headers["transfer-encoding"], headers["content-length"]
  if transfer then
    return transfer:lower() == "chunked" and not length and "chunked" or nil
  end
  return length and length_of(length) or not length and "close" or nil
end

local function read_body(input, response, limits)
  local how, parts = framing(response.headers), reader.parts()
  local transfer = response.headers["transfer-encoding"]
  local ok, kind, message
  if not how and transfer and not response.headers["content-length"] then
    return senseless(("its Transfer-Encoding is %q; only chunked is known")
      :format(transfer:sub(1, LONGEST_SHOWN)))
  elseif not how then
    return senseless "its headers contradict each other about its length"
  elseif how == "chunked" then
    ok, kind, message = read_chunks(input, limits, parts)
  elseif how == "close" then
    ok, kind, message = read_to_end(input, limits, parts)
  elseif how > limits.max_body then
    return too_large()
  else
    ok, kind, message = read_bytes(input, how, parts)
  end
  return ok and parts:text(), kind, message, how ~= "close"
end

local function may_be_kept(response)
  local said = (response.headers.connection or ""):lower()
  return response.version >= 1.1 and not said:find("close", 1, true)
end

--- Reads the answer.
-- @tparam table socket its method `breathe`, where it has one, is called while a long body is
-- decompressed, and says whether there is time left
-- @tparam string method of the request
-- @tparam table limits `max_body`, `max_headers` (bytes)
-- @tparam ?function on_head is called when the head has come
-- @treturn[1] table `status`, `reason`, `version`, `headers` (names in lower case), `body`
-- @treturn[1] boolean whether the connection can serve another request
-- @treturn[2] nil
-- @treturn[2] string kind of error
-- @treturn[2] string message
function M.response(socket, method, limits, on_head)
  local input = reader.new(socket)
  local response, kind, message = final_head(input, limits.max_headers)
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
    response.body, kind, message, kept = read_body(input, response, limits)
  end
  local ok = response.body
  if ok then
    ok, kind, message = coding.decode(response, limits.max_body, socket.breathe and function()
      return socket:breathe()
    end)
  end
  if not ok then
    return nil, kind, message
  end
  coding.drop_mark(response)
  return response, kept and input:left() == 0 and may_be_kept(response)
end

return M
