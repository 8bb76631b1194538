--- Writes an HTTP/1.1 request as text (RFC 9112).
-- @module pcapi.nginx.http1_request
local M = {}

-- Each request carries a token of 2 KB: the test of all its bytes must be cheap.
local function has_control(header)
  return header:find "%c" and header:find "[%z\1-\8\10-\31\127]"
end

-- The values of headers by their names in lower case; nil and why they cannot be sent.
local function values_of(headers)
  local values = {}
  for i = 1, #headers do
    local header = headers[i]
    local colon = header:find(":", 1, true)
    local name = colon and header:sub(1, colon - 1) or ""
    if name == "" or name:find "%s" or has_control(header) then
      return nil, "a header holds a line break or a control character"
    end
    values[name:lower()] = header:sub(colon + 1)
  end
  return values
end

-- A server that expects more or less than the body would spoil the connection for the next
-- request.
local function framing_error(values, length)
  local given = values["content-length"]
  if values["transfer-encoding"] then
    return "the header Transfer-Encoding cannot be sent: pcapi sends the body as it is"
  elseif given and given:match "^[ \t]*(%d*)[ \t]*$" ~= length then
    return ("the header Content-Length must be the size of the body: %s bytes"):format(length)
  end
end

--- Writes a request.
-- @tparam table request `method`, `headers` (array of `"Name: value"`), `body`
-- @tparam table address of `pcapi.url`
-- @tparam string user_agent
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] string why a header cannot be sent
function M.text(request, address, user_agent)
  local headers, body = request.headers or {}, request.body or ""
  local length = ("%d"):format(#body)
  local values, err = values_of(headers)
  err = err or framing_error(values, length)
  if err then
    return nil, err
  end
  local lines = { ("%s %s%s HTTP/1.1"):format(request.method,
    address.path == "" and "/" or address.path, address.query) }
  local function add(name, value)
    if not values[name:lower()] then
      lines[#lines + 1] = name .. ": " .. value
    end
  end
  add("Host", (address.origin:gsub("^%a+://", "")))
  add("User-Agent", user_agent)
  add("Accept", "*/*")
  add("Accept-Encoding", "gzip, deflate")
  if request.body or request.method == "POST" then
    add("Content-Length", length)
  end
  for _, header in ipairs(headers) do
    lines[#lines + 1] = header
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. body
end

return M
