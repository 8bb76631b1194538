--- Accounts over the fake transport, the responses of a token endpoint, and stored sign-ins.
local auth = require "pcapi.auth"
local cjson = require "cjson"
local core = require "pcapi.core"
local fake = require "spec.support.fake_transport"
local new_store = require("spec.support.store").new

local M = {}

M.RESOURCE = "https://api.partnercenter.microsoft.com"
M.SCOPE = M.RESOURCE .. "/user_impersonation offline_access"

function M.merged(...)
  local all = {}
  for i = 1, select("#", ...) do
    for name, value in pairs((select(i, ...)) or {}) do
      all[name] = value
    end
  end
  return all
end

--- A JWT with these claims and an invalid signature.
function M.jwt(claims)
  return ("%s.%s.%s"):format(core.base64url '{"alg":"none"}', core.base64url(cjson.encode(claims)),
    core.base64url "SECRETsignature")
end

--- A response with JSON.
function M.json(object, changes)
  return M.merged({
    body = type(object) == "string" and object or cjson.encode(object),
    headers = { ["content-type"] = "application/json; charset=utf-8" },
  }, changes)
end

--- A response with tokens; `changes` to its JSON, false removes a member.
function M.tokens(changes, response)
  local json = M.merged({
    token_type = "Bearer", scope = M.RESOURCE .. "/user_impersonation", expires_in = 3600,
    access_token = "SECRETaccess", refresh_token = "SECRETnew",
  }, changes)
  for name, value in pairs(changes or {}) do
    json[name] = value or nil
  end
  return M.json(json, response)
end

--- An error response of Entra.
-- @tparam string name of the error
-- @tparam ?number code AADSTS number; without it the response of any other server
-- @tparam ?table changes to its JSON
-- @tparam ?table response changes to the response
function M.refusal(name, code, changes, response)
  return M.json(M.merged({
    error = name, error_codes = code and { code } or nil,
    error_description = code and ("AADSTS%d: It is refused.\r\nTrace ID: t-1\r\nCorrelation ID: "
      .. "c-1\r\nTimestamp: 2024-02-03 07:08:09Z"):format(code) or nil,
  }, changes), M.merged({ status = 400 }, response))
end

--- A context whose wall clock is its field `time`.
function M.context(transport, changes)
  local context = M.merged({
    transport = transport, time = fake.NOW, deadline = transport:now() + 180,
    random = function() return 0 end,
  }, changes)
  context.clock = function() return context.time end
  return context
end

-- Without the fields that are false.
local function without_false(fields)
  for name, value in pairs(fields) do
    fields[name] = value or nil
  end
  return fields
end

--- An account with a refresh token of the caller.
-- @tparam ?table options more for `pcapi.auth.refresh_token`; false removes one
-- @tparam ?table responses
-- @treturn pcapi.auth.account
-- @treturn table context
-- @treturn table the fake transport
function M.account(options, responses)
  local transport = fake.new(responses)
  local account = auth.refresh_token(without_false(M.merged({
    tenant = "fabrikam.example", client_id = "me", refresh_token = "SECRETgiven",
  }, options)))
  return account, M.context(transport), transport
end

--- The text that a store holds of an account whose access token was renewed 100 s ago.
-- @tparam ?table changes to its JSON; false removes a field
-- @treturn string
function M.record(changes)
  return cjson.encode(without_false(M.merged({
    version = 1, client_id = "me", refresh_token = "SECRETstored", access_token = "SECRETcached",
    tenant = "fabrikam.example", origin = "https://login.microsoftonline.com",
    resource = M.RESOURCE, scope = M.SCOPE,
    obtained_at = fake.NOW - 100, expires_at = fake.NOW + 3500,
  }, changes)))
end

--- The same with an access token that has expired.
function M.expired()
  return M.record { obtained_at = fake.NOW - 3700, expires_at = fake.NOW - 100 }
end

--- An account without a refresh token of the caller, named `spec` in its store.
-- @tparam ?string text that the store holds
-- @tparam ?table responses
-- @tparam ?table options as for @{account}
-- @treturn pcapi.auth.account
-- @treturn table context
-- @treturn table the fake transport
-- @treturn table the store, see `spec.support.store`
function M.account_with(text, responses, options)
  local store = new_store { spec = text }
  local account, context, transport = M.account(M.merged({
    account = "spec", store = store, refresh_token = false,
  }, options), responses)
  return account, context, transport, store
end

--- The JSON that a store holds of the account `spec`.
-- @tparam table store
-- @treturn table
function M.stored(store)
  return core.decode(store.texts.spec)
end

return M
