--- Gets the tokens of a provider, checks them, and makes the Authorization header of each.
-- @module pcapi.auth.bearer
local claims = require "pcapi.auth.claims"
local errors = require "pcapi.error"
local input = require "pcapi.input"

local M = {}

--- Whether a token can be sent in a header (RFC 6750 §2.1).
-- @tparam ?string token
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] string what is wrong; it never shows the token
function M.is_token(token)
  if type(token) ~= "string" or token == "" then
    return nil, "is missing or empty"
  elseif token:find "^[Bb]earer%s" then
    return nil, 'begins with "Bearer"; omit this prefix'
  elseif not token:find("^[%w%-._~+/]+=*$") then
    return nil, "holds characters that no access token has, such as a space or a line break"
  end
  return true
end

--- Reads an access token that a user gave as a text, such as a variable.
-- @tparam string text
-- @tparam string source where it comes from, the subject of the message
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind unauthorized
function M.read(text, source)
  local ok, why
  local token, problem = input.word(text)
  if token then
    ok, why = M.is_token(token)
  end
  if not ok then
    return errors.fail { kind = "unauthorized", message = source .. " " .. (problem or why),
                         hint = "Give one access token as plain text on one line" }
  end
  return token
end

local function app_only()
  return errors.new {
    kind = "forbidden",
    message = "the token is an application's own (it has roles and no scp), and this call takes "
      .. "App+User tokens only",
    hint = "Sign in as a user, such as by pcapi login",
  }
end

-- The error where there is no token that can be sent; `why` says what is wrong with it.
local function no_token(err, why)
  if errors.is(err) then
    return err
  end
  return errors.new {
    kind = "unauthorized", cause = err,
    message = err and "the token function failed: " .. tostring(err) or "the token " .. why,
    hint = not err and "Give an App+User token for https://api.partnercenter.microsoft.com"
      or nil,
  }
end

--- Makes the function that gets a token and its header for a request. Both stay inside the
-- function: a dump of a client shows no token.
-- @tparam table provider see `pcapi.auth`
-- @treturn function takes the token that was refused (nil: none), the context for the provider, and
-- whether the call is for users only; returns the token and the header `Authorization: Bearer …`,
-- or nil, nil and a `pcapi.error`
function M.from(provider)
  local token, header, is_app_only -- a token has 2 KB, and is the same for an hour
  return function(refused, context, users_only)
    local given, err = provider:token(refused, context)
    if given == nil or given ~= token then
      local ok, why = M.is_token(given)
      if not ok then
        return nil, nil, no_token(err, why)
      end
      token, header = given, "Authorization: Bearer " .. given
      is_app_only = claims.read(given).subject == "app"
    end
    if users_only and is_app_only then
      return nil, nil, app_only()
    end
    return token, header
  end
end

return M
