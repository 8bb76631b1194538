--- What an answer of the service says: its JSON, its ids, and for a failure one
-- error object out of the six shapes in which failures come. Pure.
-- @module pcapi.service.response
local core = require "pcapi.core"
local errors = require "pcapi.error"
local mfa = require "pcapi.service.mfa"
local retry = require "pcapi.http.retry"
local url = require "pcapi.url"

local M = {}

-- 900421 since 2026; 10001 as the service's own libraries reported it in 2020.
local MFA_CODE = { ["900421"] = true, ["10001"] = true }
-- Names for it, in lower case: Microsoft Graph's, and those of other sign-in services.
local MFA_NAME = { unauthorized_missingmfa = true, mfa_required = true, mfarequired = true }

local LONGEST_TEXT = 1000 -- bytes of what the service says, which leaves room for the claims
local LONGEST_CLAIMS = 8192 -- bytes

local KIND_OF_STATUS = {
  [401] = "unauthorized", [403] = "forbidden", [404] = "not_found", [408] = "timeout",
  [429] = "throttled",
}

-- Kinds that may pass with time: only for these is waiting the next step.
local PASSES = { throttled = true, server = true, timeout = true }

local HINT_OF_KIND = {
  mfa_required = "Sign in again and pass MFA; a refreshed token stays without it",
  unauthorized = "Get a new App+User token for https://api.partnercenter.microsoft.com",
  forbidden = "The signed-in user needs a role such as Admin agent; an app cannot have it",
  not_found = "Check base_url and prefix",
  throttled = "Wait and ask less often",
  server = "Try again later; tell Microsoft the request id if it stays",
}

-- The same number means different things under different statuses, hence the key.
local HINT_OF_CODE = {
  ["401 900420"] = "The token is for another service: ask for one whose audience is "
    .. "https://api.partnercenter.microsoft.com",
  ["401 800001"] = "No token reached the service: check that the token is not empty",
  ["403 900329"] = "This call takes App+User tokens only: sign in as a user",
  ["403 900308"] = "The signed-in user needs a role such as Admin agent",
  ["403 900309"] = "Conditional Access blocks this sign-in: see the tenant's policies",
}

-- A text that is not empty; a number is written as one.
local function text_or_nil(value)
  if type(value) == "number" then
    return require("pcapi.text").number(value) -- few codes are numbers
  end
  return type(value) == "string" and value ~= "" and errors.shorten(value, LONGEST_TEXT) or nil
end

-- JSON text of an object, as a new sign-in takes it; what else is called claims is none.
local function claims_or_nil(value)
  local is_claims = type(value) == "string" and #value <= LONGEST_CLAIMS
    and value:find "^%s*{" and not value:find "%c"
  return is_claims and value or nil
end

-- A member of an object, whatever its case: shape A is also met in PascalCase.
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

-- Each reader takes a decoded object and returns what it recognises, or nil.
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

-- G: problem details (RFC 9457 §3.1): what kind of problem it is, and what happened this time.
-- Other shapes may have them as well.
local function add_problem(read, object)
  local title, detail = text_or_nil(member(object, "title")), text_or_nil(member(object, "detail"))
  if read.message == nil and (title or detail) then
    local is_repeated = title and detail and detail:sub(1, #title) == title
    read.message = detail and title and not is_repeated and title .. ": " .. detail
      or detail or title
    read.problem = text_or_nil(member(object, "type"))
    read.data = read.data or member(object, "errors")
  end
  return read
end

-- F: a page of some proxy. Its title says more than its markup.
local function read_text(body)
  body = body:sub(1, 4096) -- a pattern below may look at each byte from each other one
  local title = body:match("<[Tt][Ii][Tt][Ll][Ee][^>]*>%s*(.-)%s*</")
  local text = title or body:sub(1, 2000):gsub("<[^>]*>", " ")
  text = text:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
  return { message = text ~= "" and errors.shorten(text, 200) or nil }
end

local function read_body(response)
  local object = response.json
  if type(object) ~= "table" then
    return read_text(response.body or "")
  end
  local read
  for _, shape in ipairs(SHAPES) do
    read = read or shape(object)
  end
  return add_problem(read or {}, object)
end

-- The claims that a challenge asks for: JSON in Base64 (RFC 6750 has no such
-- parameter; it is Entra's). What is not Base64 is handed on as it came.
local function challenged_claims(challenge)
  local encoded = challenge:match 'claims="([^"]*)"'
  return encoded and claims_or_nil(core.unbase64(encoded) or encoded)
end

-- The evidence for a refusal by lack of MFA, strongest first. A token that has
-- expired shows the same error="invalid_token" and is no evidence.
local function lacks_mfa(response, read, challenge)
  if MFA_CODE[read.code] then
    return true -- under any status: which one 10001 comes with is not known
  elseif response.status ~= 401 and response.status ~= 403 then
    return false
  end
  local described = challenge:match 'error_description="([^"]*)"' -- RFC 6750 §3
  return mfa.is_asked_for(response.reason or "") or mfa.is_asked_for(read.message or "")
    or mfa.is_asked_for(described or "") or challenge:find('error="?insufficient_claims') ~= nil
    or read.claims ~= nil or MFA_NAME[(read.code or ""):lower()] == true
end

--- The ids under which the service logged a call. The Partner API dialect spells
-- them request-id and client-request-id.
-- @tparam table headers of the answer, names in lower case
-- @tparam table sent `request_id` and `correlation_id` as they were sent
-- @treturn string MS-RequestId
-- @treturn string MS-CorrelationId
function M.ids(headers, sent)
  return headers["ms-requestid"] or headers["request-id"] or sent.request_id,
    headers["ms-correlationid"] or headers["client-request-id"] or sent.correlation_id
end

--- Whether the service finds the token compliant, where it was asked to say so
-- (`ValidateMfa: true`). Sources place the answer in a header or in the body.
-- @tparam table response `headers`, `json`
-- @treturn ?boolean nil when the answer does not say
function M.is_mfa_compliant(response)
  local said = response.headers.ismfacompliant
  if said == nil and type(response.json) == "table" then
    said = member(response.json, "isMfaCompliant")
  end
  if said ~= nil then
    said = tostring(said):lower()
  end
  if said == "true" or said == "false" then
    return said == "true"
  end
end

local MARKUP = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;",
                 ["'"] = "&#39;" }

-- The ways in which a server may write what it was sent: as it is, with \/ for a slash
-- as many writers of JSON do, as in HTML, and percent-encoded as in a form.
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

--- Takes a secret out of an answer: a server may echo what it was sent.
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

--- The error that a failed answer means.
-- @tparam table response `status`, `reason`, `headers`, `body`, `json`
-- @tparam table ids `request_id`, `correlation_id` as they were sent
-- @tparam number now UTC epoch seconds
-- @treturn pcapi.error
function M.error(response, ids, now)
  local status = response.status
  local read = read_body(response)
  local challenge = response.headers["www-authenticate"] or ""
  local kind = lacks_mfa(response, read, challenge) and "mfa_required"
    or KIND_OF_STATUS[status] or status >= 500 and "server"
    or status >= 400 and "bad_request" or "protocol"
  read.kind = kind
  read.status = status
  read.message = read.message or response.reason ~= "" and response.reason
    or "the service answered with status " .. status
  if status >= 300 and status < 400 then
    read.message = "the service redirects, which is not followed with a token"
    read.hint = "Check base_url"
  end
  local hint = kind ~= "mfa_required" and HINT_OF_CODE[status .. " " .. (read.code or "")]
  read.hint = read.hint or hint or HINT_OF_KIND[kind]
  read.claims = read.claims or challenged_claims(challenge)
  read.retry_after = retry.retry_after(response.headers, now)
  if PASSES[kind] and read.retry_after and read.retry_after > 0 then
    read.hint = retry.hint(read.retry_after)
  end
  if read.claims then
    read.message = read.message .. "; these claims are asked for: " .. read.claims
  end
  read.request_id, read.correlation_id = M.ids(response.headers, ids)
  read.is_mfa_compliant = M.is_mfa_compliant(response)
  return errors.new(read)
end

return M
