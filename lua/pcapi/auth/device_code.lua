--- Signing in on another device: a person enters a short code in any browser
-- (RFC 8628).
-- @module pcapi.auth.device_code
local defaults = require "pcapi.defaults"
local endpoints = require "pcapi.auth.endpoints"
local errors = require "pcapi.error"
local grant = require "pcapi.auth.grant"
local limits = require "pcapi.http.limits"

local M = {}

local GRANT = "urn:ietf:params:oauth:grant-type:device_code"
local INTERVAL = 5 -- seconds between polls where the answer does not say (§3.2)
local SLOWER = 5 -- seconds more after each slow_down (§3.5)
local LONGEST = 24 * 3600 -- seconds; who gives a person more gives none
local SHORTEST = 1 -- second, whatever a server says
local SLOWEST = 60 -- seconds between polls, however often they fail
local ONCE = { attempts = 1 } -- a poll that fails is not sent again before its time

local function has_text(value)
  return type(value) == "string" and value ~= ""
end

local function uri_of(started)
  local uri = started.verification_uri or started.verification_url -- the latter in version 1
  return has_text(uri) and uri or nil
end

-- Seconds that a person has to enter the code, named as a number or a text.
local function life_of(started)
  local life = tonumber(started.expires_in)
  return life and life > 0 and life <= LONGEST and life or defaults.login_timeout
end

local function start(account, context)
  local form = endpoints.add_target(account.endpoint, { client_id = account.client_id })
  local json, err = grant.send(context, account.endpoint.device_code_url, form)
  if not json then
    return nil, err
  elseif type(json.device_code) ~= "string" or type(json.user_code) ~= "string"
    or not has_text(json.message) and not uri_of(json) then
    return errors.fail {
      kind = "protocol",
      message = "sign-in: the answer lacks device_code, user_code or verification_uri",
      hint = "Check device_code_url",
    }
  end
  return json
end

-- The words that the service wants shown, or our own where it gives none.
local function message_of(started)
  if has_text(started.message) then
    return started.message
  end
  return ("To sign in, open %s and enter the code %s"):format(uri_of(started), started.user_code)
end

local function show(started, on_code, life)
  on_code(message_of(started), {
    user_code = started.user_code, verification_uri = uri_of(started), expires_in = life,
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

-- Kinds of a poll that the sign-in service did not answer. A network that wants a login
-- first answers in its place, with a page, a redirect or its own certificate; the service
-- was heard when the code was asked for, so it may be heard again.
local NO_ANSWER = { network = true, timeout = true, tls = true, protocol = true }

local function will_pass(err)
  local status = err.status or 0
  return NO_ANSWER[err.kind] or status >= 500 or status == 429 or status == 408
end

-- What a poll that brought no token means: seconds to the next one, or nil when it is
-- over. After a failure the next one has to come later than usual (§3.5).
local function next_pause(err, pause)
  if err.oauth_error == "authorization_pending" then
    return pause
  elseif err.oauth_error == "slow_down" then
    return pause + SLOWER
  elseif will_pass(err) then
    return math.max(math.min(pause * 2, SLOWEST), pause, limits.pause(err.retry_after))
  end
end

local function expired(account)
  return errors.new {
    kind = "sign_in_required", message = "the code was not entered in time",
    hint = account:advice(),
  }
end

-- Seconds between polls. One that is as long as the code lives would leave no poll at all.
local function interval_of(started, life)
  local asked = tonumber(started.interval)
  local pause = limits.pause(asked)
  return asked and asked < life and math.max(pause, SHORTEST) or INTERVAL
end

-- Asks until the person is done.
local function poll(account, context, started, life, on_wait)
  local finish = math.min(context.transport:now() + life, context.deadline)
  local pause = interval_of(started, life)
  local once, failure = setmetatable({ policy = ONCE }, { __index = context }), nil
  while context.transport:now() + pause < finish do
    context.transport:sleep(pause)
    local tokens, err = account:request(once, form_of(account, started))
    if tokens then
      return tokens
    end
    pause = next_pause(err, pause)
    if not pause then
      return nil, err
    end
    failure = will_pass(err) and err or nil
    on_wait(finish - context.transport:now())
  end
  return nil, failure or expired(account)
end

--- Makes the flow for an account.
-- @tparam table options `on_code` (function, called with the text to show and a table
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
    local life = life_of(started)
    show(started, options.on_code, life)
    return poll(account, context, started, life, on_wait)
  end
end

return M
