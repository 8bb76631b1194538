--- Sends requests to the sandbox's sign-in endpoints by curl.
local cjson = require "cjson"
local curl = require "spec.support.curl"
local token = require "sandbox.token"

local M = {}

local API = "https://api.partnercenter.microsoft.com"
local URL = os.getenv("PCAPI_SANDBOX_URL")
local SCOPE = API .. "/.default offline_access"
local CLIENT = "2f6c1a7e-41d3-4f0e-9b0a-6d5f3f0c9e21"
local REDIRECT = "http://localhost:8400/"
local VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
local CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

function M.new_tenant()
  return curl.shell("cat /proc/sys/kernel/random/uuid"):match("%S+")
end

--- Makes a part of the path: settings and a new tenant.
function M.account(settings)
  return (settings or "-") .. "/" .. M.new_tenant()
end

function M.post(path, fields, how)
  how = how or {}
  local args = how.args or {}
  for name, value in pairs(fields) do
    args[#args + 1] = "--data-urlencode"
    args[#args + 1] = name .. "=" .. value
  end
  return curl.fetch { url = URL .. "/login/" .. path, args = args, headers = how.headers }
end

function M.merged(first, second)
  local all = {}
  for _, part in ipairs { first, second or {} } do
    for name, value in pairs(part) do
      all[name] = value or nil
    end
  end
  return all
end

function M.refresh_token(client_id)
  return curl.fetch({ url = URL .. "/_sandbox/refresh_token?client_id="
    .. (client_id or CLIENT) }).body
end

--- Sends a refresh request: to version 1 if the fields have `resource`, else to version 2. A field
-- that is false is omitted.
function M.refresh(where, fields, how)
  local version = fields and fields.resource and "/oauth2" or "/oauth2/v2.0"
  local all = M.merged({ grant_type = "refresh_token", client_id = CLIENT,
                       refresh_token = M.refresh_token(), scope = SCOPE }, fields)
  return M.post(where .. (how and how.version or version) .. "/token", all, how)
end

function M.refusal(response)
  local body = cjson.decode(response.body)
  return { response.status, body.error, body.error_codes and body.error_codes[1] }
end

function M.claims_of(response)
  return token.read(cjson.decode(response.body).access_token)
end

function M.call_api(access_token)
  return curl.fetch { url = URL .. "/v1/partnerRequests",
                      headers = { "Authorization: Bearer " .. access_token } }
end

function M.query_of(location)
  local query = {}
  for name, value in location:gmatch("[?&]([%w_]+)=([^&]*)") do
    query[name] = value:gsub("%+", " "):gsub("%%(%x%x)", function(digits)
      return string.char(tonumber(digits, 16))
    end)
  end
  return query
end

function M.encode(text)
  return (text:gsub("[^%w._~-]", function(char)
    return ("%%%02X"):format(char:byte())
  end))
end

function M.authorize(where, fields, version)
  local all = M.merged({ client_id = CLIENT, response_type = "code", redirect_uri = REDIRECT,
                       scope = SCOPE, state = "a state", code_challenge = CHALLENGE,
                       code_challenge_method = "S256" }, fields)
  local query = {}
  for name, value in pairs(all) do
    query[#query + 1] = name .. "=" .. M.encode(value)
  end
  return curl.fetch { url = URL .. "/login/" .. where .. (version or "/oauth2/v2.0")
    .. "/authorize?" .. table.concat(query, "&") }
end

function M.code_from(where, fields)
  return M.query_of(M.authorize(where, fields).headers.location).code
end

function M.redeem(where, fields)
  return M.post(where .. "/oauth2/v2.0/token", M.merged({
    grant_type = "authorization_code", client_id = CLIENT, redirect_uri = REDIRECT,
    code_verifier = VERIFIER }, fields))
end

return M
