--- Makes HTTP/1.1 responses as text, and reads them with `pcapi.nginx.http1_response`.
local assert = require "luassert"
local fake_socket = require "spec.support.fake_socket"
local http1_response = require "pcapi.nginx.http1_response"

local M = {}

--- The status line of most responses.
M.OK = "HTTP/1.1 200 OK\r\n"

M.MAX_HEADERS = 1000 -- bytes

--- Joins lines and ends each with CRLF.
function M.lines(...)
  return table.concat({ ... }, "\r\n") .. "\r\n"
end

--- Makes a response with Content-Length.
-- @tparam string body
-- @tparam string ... more headers
function M.with_length(body, ...)
  return M.OK .. M.lines("Content-Length: " .. #body, ...) .. "\r\n" .. body
end

--- Reads a response.
-- @tparam string|table text as for `spec.support.fake_socket`
-- @tparam ?table how for the socket; also `method`, `on_head`, and `max_body` and `max_headers`
--   (1,000 bytes each)
-- @return as `http1_response.read`, four values; and the socket
function M.read(text, how)
  how = how or {}
  local socket = fake_socket.new(text, how)
  local response, kind, message, is_reusable = http1_response.read(socket, how.method or "GET", {
    max_body = how.max_body or 1000, max_headers = how.max_headers or M.MAX_HEADERS,
  }, how.on_head)
  return response, kind, message, is_reusable, socket
end

--- Reads a valid response and returns its body.
function M.body_of(text, how)
  local response, kind, message = M.read(text, how)
  assert(response, tostring(kind) .. ": " .. tostring(message))
  return response.body
end

--- Asserts that a response is refused with an error of this kind, whose message contains `words`.
function M.refuses(kind, words, text, how)
  local response, is_kind, message = M.read(text, how)
  assert.is_nil(response)
  assert.equal(kind, is_kind, message)
  assert.matches(words, message, 1, true)
end

return M
