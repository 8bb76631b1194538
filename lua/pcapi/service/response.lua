--- Reads responses of the service: their ids, whether the token has MFA, and the error of a failed
-- response. Failures come in seven shapes, A to G; docs/service.md lists them. Pure.
-- @module pcapi.service.response
local core = require "pcapi.core"
local errors = require "pcapi.error"
local mfa = require "pcapi.service.mfa"
local retry = require "pcapi.http.retry"
local url = require "pcapi.url"

local M = {}

local LONGEST_TEXT = 1000 -- bytes of a text of the service, which leaves room for the claims
local LONGEST_CLAIMS = 8192 -- bytes

-- A member of an object, whatever its case: shape A also comes in PascalCase.
local function member(object, name)
  if object[name] ~= nil then
    return object[name]
  end
  local length = #name
  for key, value in pairs(object) do
    if type(key) == "string" and #key == length and key:lower() == name:lower() then
      return value
    end
  end
end

-- A text that is not empty; a number becomes a text.
local function text_or_nil(value)
  if type(value) == "number" then
    return require("pcapi.text").number(value) -- few codes are numbers
  end
  return type(value) == "string" and value ~= "" and errors.shorten(value, LONGEST_TEXT) or nil
end

-- Claims for a new sign-in: the JSON text of an object, of one line.
local function claims_or_nil(value)
  local is_claims = type(value) == "string" and #value <= LONGEST_CLAIMS
    and value:find "^%s*{" and not value:find "%c"
  return is_claims and value or nil
end

local TRUTH = { ["true"] = true, ["false"] = false, True = true, False = false, [true] = true,
                [false] = false }

-- Reads "true" or "false" in any case, also of JSON.
local function boolean_or_nil(value)
  local truth = TRUTH[value]
  if truth == nil and value ~= nil then
    truth = TRUTH[tostring(value):lower()]
  end
  return truth
end

--- Reads what the service says about a request, whether it succeeded or not.
--
-- The Partner API spells the ids `request-id` and `client-request-id`. The service reports whether
-- the token is compliant with MFA if the request has the header `ValidateMfa: true`; sources
-- disagree whether in a header or in the body.
-- @tparam table response `headers`, `json`
-- @tparam table sent `request_id` and `correlation_id` of the request
-- @treturn string MS-RequestId, under which the service logged it; as sent where the response has
-- none
-- @treturn string MS-CorrelationId; likewise
-- @treturn ?boolean whether the service finds the token compliant with MFA; nil: the response does
-- not say
-- @treturn ?string the header Date
-- @treturn ?string the header MS-ContinuationToken
function M.facts(response, sent)
  local request_id, correlation_id, verdict, date, continuation, other_id, client_id =
    core.header(response, "ms-requestid", "ms-correlationid", "ismfacompliant", "date",
      "ms-continuationtoken", "request-id", "client-request-id")
  if verdict == nil and type(response.json) == "table" then
    verdict = member(response.json, "isMfaCompliant")
  end
  return request_id or other_id or sent.request_id,
    correlation_id or client_id or sent.correlation_id, boolean_or_nil(verdict), date,
    continuation
end

-- The shapes of failures. Each function takes a decoded object, and returns the fields of an error
-- if it recognises the object.
local SHAPES = {
  -- B: {"error":{"code":…,"message":…,"target":…,"innerError":{…}}}
  function(object)
    local inner = member(object, "error")
    if type(inner) == "table" then
      return { code = text_or_nil(member(inner, "code")), target = member(inner, "target"),
               message = text_or_nil(member(inner, "message")),
               inner = member(inner, "innererror") }
    end
  end,
  -- E: the token endpoint, RFC 6749 §5.2 and Entra's additions
  function(object)
    local code = member(object, "error")
    if type(code) == "string" then
      return { code = text_or_nil(code), message = text_or_nil(object.error_description),
               error_codes = object.error_codes, claims = claims_or_nil(object.claims) }
    end
  end,
  -- A: {"code":…,"description":…,"data":[…],"source":…}
  function(object)
    local code = text_or_nil(member(object, "code"))
    local description = text_or_nil(member(object, "description"))
    if code or description then
      return { code = code, message = description or text_or_nil(member(object, "message")),
               data = member(object, "data"), source = text_or_nil(member(object, "source")) }
    end
  end,
  -- C: {"statusCode":429,"message":…}, the gateway in front
  function(object)
    local message = text_or_nil(member(object, "message"))
    if member(object, "statusCode") ~= nil or message then
      return { message = message }
    end
  end,
}

-- G: problem details (RFC 9457 §3.1). An object of another shape may have them as well.
local function add_problem(fields, object)
  local title, detail = text_or_nil(member(object, "title")), text_or_nil(member(object, "detail"))
  if fields.message == nil and (title or detail) then
    local is_repeated = title and detail and detail:sub(1, #title) == title
    fields.message = detail and title and not is_repeated and title .. ": " .. detail
      or detail or title
    fields.problem = text_or_nil(member(object, "type"))
    fields.data = fields.data or member(object, "errors")
  end
  return fields
end

-- F: a page, as of a proxy. Its title says more than its markup.
local function read_text(body)
  body = body:sub(1, 4096) -- the patterns below take quadratic time
  local title = body:match("<[Tt][Ii][Tt][Ll][Ee][^>]*>%s*(.-)%s*</")
  local text = title or body:sub(1, 2000):gsub("<[^>]*>", " ")
  text = text:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
  return { message = text ~= "" and errors.shorten(text, 200) or nil }
end

-- The fields of an error that a body has. D is no body at all.
local function read_body(response)
  local object = response.json
  if type(object) ~= "table" then
    return read_text(response.body or "")
  end
  local fields
  for _, shape in ipairs(SHAPES) do
    fields = fields or shape(object)
  end
  return add_problem(fields or {}, object)
end

local MARKUP = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;",
                 ["'"] = "&#39;" }

-- The ways in which a server may repeat a text: as it is, with \/ for a slash as in JSON, as in
-- HTML, and percent-encoded as in a form.
local function spellings(secret)
  local encoded = url.escape(secret)
  return { secret, (secret:gsub("/", "\\/")), (secret:gsub("[&<>\"']", MARKUP)), encoded,
           (encoded:gsub("%%20", "+")), (encoded:gsub("%%%x%x", string.lower)) }
end

local function without(value, patterns)
  if type(value) == "string" then
    for _, pattern in ipairs(patterns) do
      value = value:gsub(pattern, "[token]")
    end
  elseif type(value) == "table" then
    local clean = {}
    for key, item in pairs(value) do
      clean[without(key, patterns)] = without(item, patterns)
    end
    return clean
  end
  return value
end

--- Removes a secret from a response: a server may repeat what it was sent.
-- @tparam table response `reason`, `headers`, `body`, `json`; changed in place
-- @tparam string secret
function M.hide(response, secret)
  local patterns = {}
  for i, spelling in ipairs(spellings(secret)) do
    patterns[i] = spelling:gsub("%p", "%%%0")
  end
  for _, name in ipairs { "reason", "headers", "body", "json" } do
    response[name] = without(response[name], patterns)
  end
end

-- 900421 since 2026; 10001 as the service's own libraries reported it in 2020.
local MFA_CODE = { ["900421"] = true, ["10001"] = true }
-- Codes that are names, in lower case: Microsoft Graph's, and those of other sign-in services.
local MFA_NAME = { unauthorized_missingmfa = true, mfa_required = true, mfarequired = true }

-- The claims of a challenge: JSON in Base64, a parameter of Entra's. Claims that are not in Base64
-- are taken as they are.
local function challenged_claims(challenge)
  local encoded = challenge:match 'claims="([^"]*)"'
  return encoded and claims_or_nil(core.unbase64(encoded) or encoded)
end

-- Whether a refusal is for lack of MFA; the strongest evidence comes first. error="invalid_token"
-- is no evidence: an expired token has it, too.
local function lacks_mfa(response, fields, challenge)
  if MFA_CODE[fields.code] then
    return true -- under any status: the one of 10001 is not documented
  elseif response.status ~= 401 and response.status ~= 403 then
    return false
  end
  local described = challenge:match 'error_description="([^"]*)"' -- RFC 6750 §3
  return mfa.is_asked_for(response.reason or "") or mfa.is_asked_for(fields.message or "")
    or mfa.is_asked_for(described or "") or challenge:find('error="?insufficient_claims') ~= nil
    or fields.claims ~= nil or MFA_NAME[(fields.code or ""):lower()] == true
end

local KIND_OF_STATUS = {
  [401] = "unauthorized", [403] = "forbidden", [404] = "not_found", [408] = "timeout",
  [429] = "throttled",
}

local function kind_of(response, fields, challenge)
  local status = response.status
  return lacks_mfa(response, fields, challenge) and "mfa_required" or KIND_OF_STATUS[status]
    or status >= 500 and "server" or status >= 400 and "bad_request" or "protocol"
end

local HINT_OF_KIND = {
  mfa_required = "Sign in again and pass MFA; a refreshed token stays without it",
  unauthorized = "Get a new App+User token for https://api.partnercenter.microsoft.com",
  forbidden = "The signed-in user needs a role such as Admin agent; an app cannot have it",
  not_found = "Check base_url and prefix",
  throttled = "Wait, and send fewer requests",
  server = "Try again later; if the error persists, give Microsoft the request id",
}

-- The same code means different things under different statuses.
local HINT_OF_CODE = {
  ["401 900420"] = "The token is for another service: request one whose audience is "
    .. "https://api.partnercenter.microsoft.com",
  ["401 800001"] = "No token reached the service: check that the token is not empty",
  ["403 900329"] = "This call takes App+User tokens only: sign in as a user",
  ["403 900308"] = "The signed-in user needs a role such as Admin agent",
  ["403 900309"] = "Conditional Access blocks this sign-in: see the tenant's policies",
}

-- Kinds of errors that waiting may cure.
local PASSES = { throttled = true, server = true, timeout = true }

local function hint_for(fields)
  local kind, status = fields.kind, fields.status
  if PASSES[kind] and fields.retry_after and fields.retry_after > 0 then
    return retry.hint(fields.retry_after)
  elseif status < 400 then
    return "Check base_url"
  end
  return kind ~= "mfa_required" and HINT_OF_CODE[status .. " " .. (fields.code or "")]
    or HINT_OF_KIND[kind]
end

local function message_for(fields, response)
  local message = fields.message or response.reason ~= "" and response.reason
    or "the service responded with status " .. response.status
  if response.status < 400 then
    message = "the service redirects, and pcapi follows no redirect with a token"
  end
  return fields.claims and message .. "; required claims: " .. fields.claims or message
end

--- The error that a failed response means.
-- @tparam table response `status` (300 or more), `reason`, `headers`, `body`, `json`
-- @tparam table sent `request_id`, `correlation_id` of the request
-- @tparam number now UTC epoch seconds
-- @treturn pcapi.error
function M.error(response, sent, now)
  local fields = read_body(response)
  local challenge = core.header(response, "www-authenticate") or ""
  fields.status = response.status
  fields.kind = kind_of(response, fields, challenge)
  fields.claims = fields.claims or challenged_claims(challenge)
  fields.retry_after = retry.retry_after(response.headers, now)
  fields.message = message_for(fields, response)
  fields.hint = hint_for(fields)
  fields.request_id, fields.correlation_id, fields.is_mfa_compliant = M.facts(response, sent)
  return errors.new(fields)
end

return M
