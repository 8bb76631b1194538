--- Signing in on another device: a person enters a short code in any browser
-- (RFC 8628).
-- @module pcapi.auth.device_code
local endpoint_ = require "pcapi.auth.endpoint"
local errors = require "pcapi.error"
local grant = require "pcapi.auth.grant"

local M = {}

local GRANT = "urn:ietf:params:oauth:grant-type:device_code"
local INTERVAL = 5 -- seconds between polls where the answer does not say (§3.2)
local SLOWER = 5 -- seconds more after each slow_down (§3.5)
local LIFE = 900 -- seconds that Entra gives a person
local SHORTEST = 1 -- second, whatever a server says

local function start(account, context)
  local form = endpoint_.target(account.endpoint, { client_id = account.client_id })
  local json, err = grant.send(context, account.endpoint.device_code_url, form)
  if not json then
    return nil, err
  elseif type(json.device_code) ~= "string" or type(json.user_code) ~= "string" then
    return nil, errors.new {
      kind = "protocol", message = "sign-in: the answer holds no device_code and user_code",
      hint = "Check device_code_url",
    }
  end
  return json
end

-- The words that the service wants shown, or our own where it gives none.
local function message_of(started, uri)
  if type(started.message) == "string" and started.message ~= "" then
    return started.message
  end
  return ("To sign in, open %s and enter the code %s"):format(tostring(uri), started.user_code)
end

local function show(started, prompt, life)
  local uri = started.verification_uri or started.verification_url -- the latter in version 1
  prompt(message_of(started, uri), {
    user_code = started.user_code, verification_uri = uri, expires_in = life,
  })
end

local function form_of(account, started)
  local form = { grant_type = GRANT, device_code = started.device_code }
  if account.endpoint.version == "v1" then
    form.resource = account.endpoint.resource
    form.code = started.device_code -- what version 1 calls it
  end
  return form
end

-- What a refusal of a poll means: seconds to the next one, or nil when it is over.
local function next_pause(err, pause)
  if err.oauth_error == "authorization_pending" then
    return pause
  elseif err.oauth_error == "slow_down" then
    return pause + SLOWER
  end
end

local function expired(account)
  return errors.new {
    kind = "sign_in_required", message = "the code was not entered in time",
    hint = account:advice "sign_in_required",
  }
end

-- Asks until the person is done. A failure of the network is asked again by
-- account:request itself, slower each time (§3.5).
local function poll(account, context, started, life, on_wait)
  local begun = context.transport:now()
  local finish = math.min(begun + life, context.deadline)
  local pause = math.max(tonumber(started.interval) or INTERVAL, SHORTEST)
  while context.transport:now() + pause < finish do
    context.transport:sleep(pause)
    local tokens, err = account:request(context, form_of(account, started))
    if tokens then
      return tokens
    end
    local following = next_pause(err, pause)
    if not following then
      return nil, err
    end
    pause = following
    on_wait(finish - context.transport:now())
  end
  return nil, expired(account)
end

--- Makes the flow for an account.
-- @tparam table options `prompt` (function, called with the text to show and a table
-- of `user_code`, `verification_uri` and `expires_in`), `on_wait` (function, called
-- after each poll with the seconds that are left)
-- @treturn function `(account, context) → tokens | nil, pcapi.error`
function M.new(options)
  local on_wait = options.on_wait or function() end
  return function(account, context)
    local started, err = start(account, context)
    if not started then
      return nil, err
    end
    local life = tonumber(started.expires_in) or LIFE
    show(started, options.prompt, life)
    return poll(account, context, started, life, on_wait)
  end
end

return M
