--- Produces the faults that the settings request: error responses, and broken transfers.
local connection = require "sandbox.connection"
local errors = require "sandbox.errors"
local gauge = require "sandbox.gauge"
local gzip = require "sandbox.gzip"

local M = {}

local MEGABYTE = 1024 * 1024
M.CLOSE = 444 -- nginx's own status: close the connection

-- Each of these faults hits the share of requests that `mishaps` sets.
local MISHAPS = { { status = 429, error = "C", retry_after = "1" }, { status = 503 },
                  { cut = "random" }, { stall = 1 } }
local NONE = {}

-- `times`, `on_page` and `chance` limit which requests fail.
local function is_due(call)
  local settings = call.settings
  if settings.on_page and settings.on_page ~= call.page then
    return false
  end
  local attempts = settings.times and ngx.shared.attempts:incr(call.request_id, 1, 0) or 0
  return attempts <= (settings.times or 0) and math.random() < (settings.chance or 1)
end

-- The faults of this call: its settings, and a random fault in addition.
local function faults_of(call)
  local settings = call.settings
  if not is_due(call) then
    return NONE
  end
  local mishap = settings.mishaps and MISHAPS[math.floor(math.random() / settings.mishaps) + 1]
  return mishap and setmetatable({}, { __index = function(_, name)
    return mishap[name] or settings[name]
  end }) or settings
end

-- The clock of the response.
local function date()
  return ngx.header.date or ngx.http_time(ngx.time())
end

--- Returns the Retry-After header for a value of the setting `retry_after`.
function M.retry_after(value)
  local wait = value and value:match("^date:(%d+)$")
  if wait then
    return ngx.http_time(ngx.parse_http_time(date()) + tonumber(wait))
  end
  return value == "garbage" and "soon" or value
end

-- nginx cannot send a custom reason phrase, and HTTP/2 has no reason phrase.
local function refuse_by_reason(call)
  local challenge = 'Bearer error="invalid_token"'
  if ngx.req.http_version() >= 2 then
    return errors.refuse(call, 401, { shape = "D", challenge = challenge })
  end
  local socket = assert(ngx.req.socket(true))
  socket:send(table.concat({
    "HTTP/1.1 401 Unauthorized - MFA required", "WWW-Authenticate: " .. challenge,
    "Date: " .. date(), "Request-Context: " .. call.request_context,
    "MS-RequestId: " .. call.request_id, "MS-CorrelationId: " .. call.correlation_id,
    "Transfer-Encoding: chunked", "Connection: close", "", "0", "", "" }, "\r\n"))
end

local function claims_challenge()
  local claims = '{"access_token":{"acrs":{"essential":true,"value":"c1"},'
    .. '"amr":{"essential":true,"values":["mfa"]}}}'
  return errors.challenge('error="insufficient_claims", claims="' .. ngx.encode_base64(claims)
    .. '"')
end

local INVALID = errors.challenge('error="invalid_token"')

--- Error responses to a user without MFA, by the value of `mfa`.
M.mfa = {
  ["900421"] = function(call)
    errors.refuse(call, 401, { code = "900421", challenge = INVALID,
                               text = "MFA is required for App+User access to this resource." })
  end,
  ["10001"] = function(call)
    errors.refuse(call, 401, { code = "10001", challenge = INVALID,
                               text = "Authentication failed. MFA required." })
  end,
  reason = refuse_by_reason,
  claims401 = function(call)
    errors.refuse(call, 401, { challenge = claims_challenge() })
  end,
  claims403 = function(call)
    errors.refuse(call, 403, { challenge = claims_challenge() })
  end,
  html = function(call)
    errors.refuse(call, 401, { shape = "F", text = "Unauthorized - MFA required" })
  end,
}

local function refuse_by_status(call)
  local how = call.faults
  ngx.header["Retry-After"] = M.retry_after(how.retry_after)
  errors.refuse(call, how.status, {
    shape = how.error, code = how.code, text = how.text,
    challenge = how.status == 401 and INVALID or nil })
end

local function redirect(call)
  ngx.status = 302
  ngx.header.location = call.faults.redirect
  ngx.header.content_length = 0
end

local function pad_headers(bytes)
  local line = 4000
  for number = 1, math.ceil(bytes / line) do
    ngx.header["X-Padding-" .. number] = ("p"):rep(math.min(line, bytes - (number - 1) * line))
  end
end

--- Applies the faults that come before a body.
-- @treturn boolean whether a response was sent
function M.play(call)
  local wrong = faults_of(call)
  call.faults = wrong
  if wrong.delay and wrong.delay > 0 then
    ngx.sleep(wrong.delay)
  end
  if not wrong.stall then
    gauge.leave()
  end
  if wrong.bigheaders then
    pad_headers(wrong.bigheaders)
  end
  if wrong.cut == "headers" then
    ngx.exit(M.CLOSE)
  end
  local respond = wrong.redirect and redirect or wrong.status and refuse_by_status
    or M.mfa[wrong.mfa]
  if respond then
    respond(call)
  end
  return respond ~= nil
end

local HTML = "<!DOCTYPE html>\n<html><head><title>Sign in to the network</title></head>\n"
  .. "<body><form action=\"/login\"><input name=\"user\"></form></body></html>\n"

--- Bodies that replace the successful one, by the value of `body`.
M.spoilt = {
  truncated = function(text)
    return text:sub(1, math.floor(#text / 2))
  end,
  garbage = function()
    return ("\137PNG\r\n\26\n\0\255\254\192{\"[:"):rep(40)
  end,
  empty = function()
    return ""
  end,
  html = function()
    return HTML, "text/html"
  end,
  text = function()
    return "The service is being updated.\n", "text/plain"
  end,
  deep = function()
    return ("["):rep(5000) .. ("]"):rep(5000)
  end,
}

-- Sends the body in pieces until the client closes the connection.
local function stream(first, piece, bytes)
  ngx.print(first)
  local sent = #first
  while sent < bytes do
    local block = sent + #piece > bytes and piece:sub(1, bytes - sent) or piece
    if not ngx.print(block) or not ngx.flush(true) then
      return
    end
    sent = sent + #block
  end
end

local function send_huge(text, wrong)
  local bytes = wrong.bytes or 300 * MEGABYTE
  if wrong.body == "huge-length" then
    ngx.header.content_length = bytes
  end
  if wrong.body == "bomb" then
    ngx.req.set_header("Accept-Encoding", "gzip") -- makes nginx compress in any case
    return stream('{"totalCount":1,"items":[', (" "):rep(MEGABYTE), bytes)
  end
  ngx.req.clear_header("Accept-Encoding")
  local record = text:match("{[^{}]*}") or "{}"
  stream('{"totalCount":1,"items":[', (record .. ","):rep(300), bytes)
end

local function trickle(text)
  ngx.header.content_length = #text
  local size = math.max(1, math.ceil(#text / 50))
  for at = 1, #text, size do
    if not ngx.print(text:sub(at, at + size - 1)) or not ngx.flush(true) then
      return
    end
    ngx.sleep(0.02)
  end
end

local function send_first(text, bytes)
  ngx.req.clear_header("Accept-Encoding") -- compression would drop the Content-Length
  ngx.header.content_length = #text
  ngx.print(text:sub(1, bytes))
  ngx.flush(true)
end

local function cut_at_half(text)
  send_first(text, math.floor(#text / 2))
  ngx.exit(M.CLOSE)
end

local function stall(text, wrong)
  ngx.header.content_length = #text
  local half = math.floor(#text / 2)
  if ngx.print(text:sub(1, half)) and ngx.flush(true) then
    ngx.sleep(wrong.stall)
    gauge.leave()
    ngx.print(text:sub(half + 1))
  end
end

-- The head of the response in HTTP/1.1. Over HTTP/2 only its length is used.
local function head_of(call, text)
  return table.concat({
    "HTTP/1.1 200 OK", "Date: " .. date(),
    "Content-Type: " .. ngx.header.content_type, "Content-Length: " .. #text,
    "MS-RequestId: " .. call.request_id, "MS-CorrelationId: " .. call.correlation_id, "", ""
  }, "\r\n")
end

-- Closes the connection after any byte but the last. HTTP/2 cannot send part of a head.
local function cut_at_random(text, wrong, call)
  local head = head_of(call, text)
  local bytes = math.random(0, #head + #text - 1)
  if ngx.req.http_version() < 2 then
    assert(ngx.req.socket(true)):send((head .. text):sub(1, bytes))
  elseif bytes > #head then
    send_first(text, bytes - #head)
  end
  if wrong.cut == "connection" then
    connection.cut()
  end
  ngx.exit(M.CLOSE)
end

-- Compresses JSON only, as nginx does.
local function send_whole(text, wrong, call)
  local accepted = tostring(call.headers["accept-encoding"])
  local packed = accepted:find("gzip", 1, true) and not accepted:find("gzip;q=0", 1, true)
    and call.settings.encoding ~= "none" and not wrong.body and not wrong.type and gzip.of(text)
  if packed then
    ngx.header.content_encoding = "gzip"
  else
    ngx.header.content_length = #text
  end
  ngx.print(packed or text)
end

-- Chooses the function that sends the body.
local function sender_for(wrong)
  return wrong.body and not M.spoilt[wrong.body] and send_huge
    or wrong.cut == "body" and cut_at_half
    or wrong.cut and cut_at_random
    or wrong.stall and stall
    or wrong.trickle and trickle
    or send_whole
end

--- Sends a successful response, with the faults of the call.
function M.send(call, text)
  local wrong = call.faults
  local content_type = call.settings.bom == "utf16" and "application/json; charset=utf-16"
    or errors.JSON
  if M.spoilt[wrong.body] then
    local spoilt_type
    text, spoilt_type = M.spoilt[wrong.body](text)
    content_type = spoilt_type or content_type
  end
  ngx.header.content_type = wrong.type or content_type
  if call.settings.encoding == "none" then
    ngx.req.clear_header("Accept-Encoding")
  end
  sender_for(wrong)(text, wrong, call)
end

return M
