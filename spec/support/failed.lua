--- Failed responses of the service, and the errors that they mean.
local json_body = require "pcapi.http.json_body"
local limits = require "pcapi.http.limits"
local service_response = require "pcapi.service.response"

local M = {}

M.NOW = 1706944089 -- 2024-02-03T07:08:09Z
M.SENT = { request_id = "sent-r", correlation_id = "sent-c" }

--- A response.
-- @tparam number status
-- @tparam[opt] string body
-- @tparam[opt] table changes to its fields
function M.response(status, body, changes)
  local made = { status = status, reason = "", headers = {}, body = body or "" }
  for name, value in pairs(changes or {}) do
    made[name] = value
  end
  json_body.decode(made, limits.of_text {})
  return made
end

--- The error of such a response.
function M.error(...)
  return service_response.error(M.response(...), M.SENT, M.NOW)
end

--- Changes for a response with a challenge.
-- @tparam string text of WWW-Authenticate
function M.challenge(text)
  return { headers = { ["www-authenticate"] = text } }
end

return M
