--- Accounts over the fake transport, and what a token endpoint says to them.
local auth = require "pcapi.auth"
local cjson = require "cjson"
local core = require "pcapi.core"
local fake = require "spec.support.fake_transport"

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

--- A JWT with these claims and a signature that nobody made.
function M.jwt(claims)
  return ("%s.%s.%s"):format(core.base64url '{"alg":"none"}', core.base64url(cjson.encode(claims)),
    core.base64url "SECRETsignature")
end

--- An answer with JSON.
function M.json(object, changes)
  return M.merged({
    body = type(object) == "string" and object or cjson.encode(object),
    headers = { ["content-type"] = "application/json; charset=utf-8" },
  }, changes)
end

--- The answer with tokens; `changes` to its JSON, false takes a member away.
function M.tokens(changes, answer)
  local json = M.merged({
    token_type = "Bearer", scope = M.RESOURCE .. "/user_impersonation", expires_in = 3600,
    access_token = "SECRETaccess", refresh_token = "SECRETnew",
  }, changes)
  for name, value in pairs(changes or {}) do
    json[name] = value or nil
  end
  return M.json(json, answer)
end

--- A refusal as Entra gives it.
-- @tparam string name of the error
-- @tparam ?number code AADSTS number; without it as any other server says it
-- @tparam ?table changes to its JSON
-- @tparam ?table answer changes to the answer
function M.refusal(name, code, changes, answer)
  return M.json(M.merged({
    error = name, error_codes = code and { code } or nil,
    error_description = code and ("AADSTS%d: It is refused.\r\nTrace ID: t-1\r\nCorrelation ID: "
      .. "c-1\r\nTimestamp: 2024-02-03 07:08:09Z"):format(code) or nil,
  }, changes), M.merged({ status = 400 }, answer))
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

--- An account with a refresh token.
-- @tparam ?table options more for `pcapi.auth.refresh_token`; false takes one away
-- @tparam ?table answers
-- @treturn pcapi.auth.account
-- @treturn table context
-- @treturn table the fake transport
function M.account(options, answers)
  local all = M.merged({ tenant = "fabrikam.example", client_id = "me",
                         refresh_token = "SECRETseed" }, options)
  for name, value in pairs(all) do
    all[name] = value or nil
  end
  local transport = fake.new(answers)
  return auth.refresh_token(all), M.context(transport), transport
end

return M
