--- Lets the user sign in with a browser on this machine: authorization code with PKCE and a
-- loopback redirect (RFC 7636, RFC 8252 §7.3).
-- @module pcapi.auth.authorization_code
local core = require "pcapi.core"
local endpoints = require "pcapi.auth.endpoints"
local errors = require "pcapi.error"
local refusal = require "pcapi.auth.refusal"
local url = require "pcapi.url"

local M = {}

local SLICE = 0.05 -- seconds between looks at the listener; a user does not notice them
local BYTES = 32 -- random ones: 43 characters, the fewest that RFC 7636 §4.1 allows

local function random_text()
  return core.base64url(core.random_bytes(BYTES))
end

local function address_of(account, attempt, options)
  local query = endpoints.add_target(account.endpoint, {
    client_id = account.client_id, response_type = "code", response_mode = "query",
    redirect_uri = attempt.redirect_uri, state = attempt.state,
    code_challenge = core.base64url(core.sha256(attempt.verifier)),
    code_challenge_method = "S256",
    prompt = options.prompt, login_hint = options.login_hint, claims = options.claims,
  })
  local address = account.endpoint.authorize_url
  -- authorize_url of the options may have a query
  return address .. (address:find("?", 1, true) and "&" .. url.query(query):sub(2)
    or url.query(query))
end

-- The error of a redirect (RFC 6749 §4.1.2.1).
local function redirect_error(redirect)
  local read = { code = redirect.error,
                 message = refusal.shorten(redirect.error_description or redirect.error) }
  local kind, hint, number = refusal.classify(read)
  return refusal.in_browser(errors.new {
    kind = kind or "sign_in_required", hint = hint or "Sign in again",
    message = "sign-in: " .. read.message, oauth_error = redirect.error,
    code = number or redirect.error,
  })
end

-- Exchanges the code for tokens.
local function redeem(account, context, attempt, code)
  local tokens, err = account:request(context, endpoints.add_target(account.endpoint, {
    grant_type = "authorization_code", code = code, redirect_uri = attempt.redirect_uri,
    code_verifier = attempt.verifier,
  }))
  return tokens, err and refusal.in_browser(err)
end

local function wait(account, context, listener, on_wait)
  while context.transport:now() < context.deadline do
    -- without waiting in C, where no other coroutine could run
    local redirect, why = listener:wait(0)
    if redirect == nil then
      return errors.fail { kind = "network", message = "the redirect listener failed: " .. why }
    elseif redirect then
      if redirect.error then
        return nil, redirect_error(redirect)
      end
      return redirect.code
    end
    local _, stopped = context.transport:sleep(SLICE)
    if stopped then
      return nil, stopped
    end
    on_wait(context.deadline - context.transport:now())
  end
  return errors.fail {
    kind = "sign_in_required", message = "the sign-in timed out",
    hint = account:advice(),
  }
end

--- Makes the flow for an account. Needs `pcapi.redirect`, which uses libmicrohttpd.
-- @tparam table options `open` (function, called with the address to open in a
-- browser), `prompt` (such as "login"), `login_hint`, `claims` (JSON text of a claims
-- challenge), `on_wait` (function, called with the seconds left)
-- @treturn function `(account, context) → tokens | nil, pcapi.error`
function M.new(options)
  local on_wait = options.on_wait or function() end
  return function(account, context)
    local attempt = { state = random_text(), verifier = random_text() }
    local listener, why = require("pcapi.redirect").listen(attempt.state)
    if not listener then
      return errors.fail { kind = "config",
                           message = "the redirect listener cannot start: " .. why }
    end
    -- localhost: Entra accepts 127.0.0.1 only if it is added to the manifest
    attempt.redirect_uri = "http://localhost:" .. listener:port()
    options.open(address_of(account, attempt, options))
    local code, err = wait(account, context, listener, on_wait)
    listener:close()
    if not code then
      return nil, err
    end
    return redeem(account, context, attempt, code)
  end
end

return M
