--- Signing in in a browser on this machine: authorization code with PKCE, which comes
-- back to a loopback address (RFC 7636, RFC 8252 §7.3).
-- @module pcapi.auth.authorization_code
local core = require "pcapi.core"
local endpoints = require "pcapi.auth.endpoints"
local errors = require "pcapi.error"
local refusal = require "pcapi.auth.refusal"
local url = require "pcapi.url"

local M = {}

local SLICE = 0.05 -- seconds between looks; in a browser nobody notices it
local BYTES = 32 -- of randomness: 43 characters, the least that RFC 7636 §4.1 allows

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
  -- one that is overridden may have a query of its own
  return address .. (address:find("?", 1, true) and "&" .. url.query(query):sub(2)
    or url.query(query))
end

-- The error that came back to the redirect (RFC 6749 §4.1.2.1).
local function refused(answer)
  local read = { code = answer.error,
                 message = refusal.shorten(answer.error_description or answer.error) }
  local kind, hint, number = refusal.classify(read)
  return errors.new {
    kind = kind or "sign_in_required", hint = hint or "Sign in again",
    message = "sign-in: " .. read.message, oauth_error = answer.error,
    code = number or answer.error,
  }
end

local function wait(account, context, listener, on_wait)
  while context.transport:now() < context.deadline do
    -- the listener is never waited for in C, where no coroutine could go on
    local answer, why = listener:wait(0)
    if answer == nil then
      return errors.fail { kind = "network", message = "cannot hear the browser: " .. why }
    elseif answer then
      if answer.error then
        return nil, refused(answer)
      end
      return answer.code
    end
    local _, stopped = context.transport:sleep(SLICE)
    if stopped then
      return nil, stopped
    end
    on_wait(context.deadline - context.transport:now())
  end
  return errors.fail {
    kind = "sign_in_required", message = "nobody signed in in time",
    hint = account:advice(),
  }
end

--- Makes the flow for an account. Needs `pcapi.redirect`, over libmicrohttpd.
-- @tparam table options `open` (function, called with the address to open in a
-- browser), `prompt` (such as "login"), `login_hint`, `claims` (JSON text of a claims
-- challenge), `on_wait` (function, called with the seconds that are left)
-- @treturn function `(account, context) → tokens | nil, pcapi.error`
function M.new(options)
  local on_wait = options.on_wait or function() end
  return function(account, context)
    local attempt = { state = random_text(), verifier = random_text() }
    local listener, why = require("pcapi.redirect").listen(attempt.state)
    if not listener then
      return errors.fail { kind = "config", message = "cannot wait for the browser: " .. why }
    end
    -- localhost, not 127.0.0.1: Entra takes the address only through the manifest
    attempt.redirect_uri = "http://localhost:" .. listener:port()
    options.open(address_of(account, attempt, options))
    local code, err = wait(account, context, listener, on_wait)
    listener:close()
    if not code then
      return nil, err
    end
    return account:request(context, endpoints.add_target(account.endpoint, {
      grant_type = "authorization_code", code = code, redirect_uri = attempt.redirect_uri,
      code_verifier = attempt.verifier,
    }))
  end
end

return M
