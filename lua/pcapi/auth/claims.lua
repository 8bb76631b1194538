--- Reads the claims of an access token, as advice only: the signature is not checked,
-- Microsoft asks clients to treat tokens as opaque, and the service alone decides. So a token
-- that cannot be read is "unknown", never an error.
-- @module pcapi.auth.claims
local calendar = require "pcapi.time.calendar"
local core = require "pcapi.core"

local M = {}

local LONGEST = 65536 -- bytes; a token with many group claims has about 10 KB

local function text(value)
  return type(value) == "string" and value ~= "" and value or nil
end

-- Seconds, also from a string; nil if they are not a valid time.
local function seconds(value)
  local number = tonumber(value)
  return calendar.is_epoch(number) and number or nil
end

local function payload_of(token)
  if type(token) ~= "string" or #token > LONGEST then
    return nil
  end
  local payload = token:match "^[%w_%-]+%.([%w_%-]+)%.[%w_%-]*$"
  local json = payload and core.unbase64(payload)
  local claims = json and core.decode(json)
  return type(claims) == "table" and claims[1] == nil and claims or nil
end

-- Some servers send a list of one as a string.
local function strings(list)
  list = type(list) == "string" and { list } or list
  if type(list) ~= "table" then
    return nil
  end
  local all = {}
  for _, item in ipairs(list) do
    all[#all + 1] = text(item)
  end
  return all
end

local function words(value)
  local all = {}
  for word in (text(value) or ""):gmatch "%S+" do
    all[#all + 1] = word
  end
  return all
end

-- Only tokens of users have scp; roles without scp mean an application's own token. idtyp is
-- optional, so its absence says nothing.
local function subject_of(claims)
  if text(claims.scp) then
    return "user"
  elseif claims.idtyp == "app" or type(claims.roles) == "table" then
    return "app"
  end
  return "unknown"
end

-- Any method that ends in mfa counts, such as ngcmfa in Microsoft's samples. Tokens of version
-- 1.0 always have amr, those of 2.0 never do.
local function mfa_of(claims, subject)
  local methods = strings(claims.amr)
  for _, method in ipairs(methods or {}) do
    if method:lower():find "mfa$" then
      return "yes"
    end
  end
  if subject == "app" or not methods and (claims.amr ~= nil or claims.ver ~= "1.0") then
    return "unknown"
  end
  return "no"
end

--- Reads the claims of an access token.
-- @tparam ?string token
-- @treturn table `readable` (boolean), `subject` ("user", "app" or "unknown"), `mfa`
-- ("yes", "no" or "unknown"), and where the token has them: `audience`, `tenant_id`,
-- `object_id`, `user` (upn), `application_id`, `expires_at`, `not_before` and
-- `issued_at` (UTC epoch seconds), `scopes` and `amr` (arrays)
function M.read(token)
  local claims = payload_of(token)
  if not claims then
    return { readable = false, subject = "unknown", mfa = "unknown" }
  end
  local subject = subject_of(claims)
  return {
    readable = true, subject = subject, mfa = mfa_of(claims, subject),
    audience = text(claims.aud), tenant_id = text(claims.tid), object_id = text(claims.oid),
    user = text(claims.upn) or text(claims.unique_name) or text(claims.preferred_username),
    application_id = text(claims.appid) or text(claims.azp),
    expires_at = seconds(claims.exp), not_before = seconds(claims.nbf),
    issued_at = seconds(claims.iat),
    scopes = words(claims.scp), amr = strings(claims.amr),
  }
end

return M
