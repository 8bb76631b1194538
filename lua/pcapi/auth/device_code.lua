--- Lets the user sign in on another device, by a short code entered in any browser (RFC 8628).
-- @module pcapi.auth.device_code
local defaults = require "pcapi.defaults"
local endpoints = require "pcapi.auth.endpoints"
local errors = require "pcapi.error"
local grant = require "pcapi.auth.grant"
local limits = require "pcapi.http.limits"

local M = {}

local GRANT = "urn:ietf:params:oauth:grant-type:device_code"
local INTERVAL = 5 -- seconds between polls, if the response has no interval (§3.2)
local SLOWER = 5 -- seconds more after each slow_down (§3.5)
local LONGEST = 24 * 3600 -- seconds; a longer expires_in is ignored
local SHORTEST = 1 -- second between polls, whatever the response says
local SLOWEST = 60 -- seconds between polls, however often they fail
local ONCE = { attempts = 1 } -- the next poll is the retry

local function has_text(value)
  return type(value) == "string" and value ~= ""
end

local function uri_of(started)
  local uri = started.verification_uri or started.verification_url -- the name in version 1
  return has_text(uri) and uri or nil
end

-- Seconds that the user has to enter the code; the response has a number or a string.
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
      message = "sign-in: the response lacks device_code, user_code or verification_uri",
      hint = "Check device_code_url",
    }
  end
  return json
end

-- The message of the response, or our own.
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
    form.code = started.device_code -- the name in version 1
  end
  return form
end

-- Kinds of error of a poll that did not reach the sign-in service. A captive portal responds
-- instead, with a page, a redirect or its own certificate. The service issued the code, so it
-- may be reached again.
local NOT_REACHED = { network = true, timeout = true, tls = true, protocol = true }

local function is_transient(err)
  local status = err.status or 0
  return NOT_REACHED[err.kind] or status >= 500 or status == 429 or status == 408
end

-- Seconds to the next poll after one without a token; nil if the sign-in has ended. After a
-- failure the pause must grow (§3.5).
local function next_pause(err, pause)
  if err.oauth_error == "authorization_pending" then
    return pause
  elseif err.oauth_error == "slow_down" then
    return pause + SLOWER
  elseif is_transient(err) then
    return math.max(math.min(pause * 2, SLOWEST), pause, limits.pause(err.retry_after))
  end
end

local function expired(account)
  return errors.new {
    kind = "sign_in_required", message = "the code was not entered in time",
    hint = account:advice(),
  }
end

-- Seconds between polls. An interval as long as the life of the code would leave no poll.
local function interval_of(started, life)
  local asked = tonumber(started.interval)
  local pause = limits.pause(asked)
  return asked and asked < life and math.max(pause, SHORTEST) or INTERVAL
end

-- Polls until the user has signed in.
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
    failure = is_transient(err) and err or nil
    on_wait(finish - context.transport:now())
  end
  return nil, failure or expired(account)
end

--- Makes the flow for an account.
-- @tparam table options `on_code` (function, called with the text to show and a table
-- of `user_code`, `verification_uri` and `expires_in`), `on_wait` (function, called
-- after each poll with the seconds left)
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
