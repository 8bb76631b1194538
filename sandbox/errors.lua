--- Writes error responses, in the formats that the service has used.
--
-- A: the service. B: the Partner API. C: the gateway. D: a status line without a body.
-- E: the token endpoint. F: a proxy.
local json = require "sandbox.json"
local bodies = require "sandbox.bodies"

local M = {}

M.JSON = "application/json; charset=utf-8"

-- error codes by status: of the service, and of the Partner API
local CODES = { [400] = "3000", [401] = "400", [403] = "2032", [404] = "1000", [405] = "2000",
                [409] = "2055", [412] = "2055", [500] = "800003", [501] = "0" }
local NAMES = { [400] = "invalidRequest", [401] = "unauthenticated", [403] = "accessDenied",
                [404] = "itemNotFound", [412] = "preconditionFailed",
                [503] = "serviceNotAvailable" }
local TEXTS = {
  [400] = "The request is not valid.", [401] = "Access denied.", [403] = "Access denied.",
  [404] = "The resource was not found.", [405] = "The method is not allowed.",
  [406] = "The requested format is not supported.", [408] = "The request timed out.",
  [429] = "Rate limit is exceeded. Try again later.", [500] = "An unexpected error occurred.",
  [501] = "Not implemented.", [502] = "Bad Gateway", [503] = "Service is temporarily unavailable.",
  [504] = "Gateway Timeout",
}

local function object(...)
  return json.object({ ... }, {})
end

local SHAPES = {
  A = function(status, code, text)
    local fields = { "code", code or CODES[status] or "800003", "description", text }
    if status == 400 then -- only this response lists the invalid properties
      fields[5], fields[6] = "data", json.raw('["Field1"]')
    end
    fields[#fields + 1], fields[#fields + 2] = "source", "PartnerFD"
    return json.object(fields, {})
  end,
  B = function(status, code, text, call)
    local inner = object("code", "tokenNotAccepted", "request-id", call.request_id)
    return object("error", json.raw(object(
      "code", code or NAMES[status] or "generalException", "message", text, "target", "partner",
      "innerError", json.raw(object("code", "authorizationPolicy", "innerError",
                                    json.raw(inner))))))
  end,
  C = function(status, _, text)
    return object("statusCode", status, "message", text)
  end,
  D = function()
    return ""
  end,
  E = function(_, code, text, call)
    return object(
      "error", code or "invalid_grant", "error_description", "AADSTS50076: " .. text,
      "error_codes", json.raw("[50076]"), "timestamp", os.date("!%Y-%m-%d %H:%M:%SZ"),
      "trace_id", call.request_id, "correlation_id", call.correlation_id,
      "error_uri", "https://login.microsoftonline.com/error?code=50076",
      "claims", '{"access_token":{"capolids":{"essential":true}}}')
  end,
  F = function(status, _, text)
    return ("<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n<center><h1>%d %s</h1>"
      .. "</center>\r\n<hr><center>proxy.fabrikam.example</center>\r\n</body>\r\n</html>\r\n")
      :format(status, text, status, text)
  end,
}

local function shape_for(status)
  return status == 429 and "C" or (status == 502 or status == 504) and "F" or "A"
end

--- Sends an error response.
-- @tparam table call
-- @tparam number status
-- @tparam ?table how `code`, `text`, `shape`, `challenge` for WWW-Authenticate
function M.refuse(call, status, how)
  how = how or {}
  local shape = how.shape or shape_for(status)
  local body = SHAPES[shape](status, how.code, how.text or TEXTS[status] or "Unknown", call)
  ngx.status = status
  ngx.header["WWW-Authenticate"] = how.challenge
  if shape == "F" then
    ngx.header.content_type = "text/html"
  elseif body ~= "" then
    ngx.header.content_type = M.JSON
    body = bodies.encode(body, { bom = call.settings.bom == "0" and "0" or nil })
  end
  ngx.header.content_length = #body
  ngx.print(body)
end

--- Returns the WWW-Authenticate challenge of the service.
-- @tparam ?string rest further parameters
function M.challenge(rest)
  return 'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/'
    .. 'authorize"' .. (rest and ", " .. rest or "")
end

return M
