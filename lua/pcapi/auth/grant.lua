--- Sends requests to the token endpoint: a grant goes in, tokens come out.
-- @module pcapi.auth.grant
local core = require "pcapi.core"
local errors = require "pcapi.error"
local headers = require "pcapi.http.headers"
local json_body = require "pcapi.http.json_body"
local limits = require "pcapi.http.limits"
local refusal = require "pcapi.auth.refusal"
local responses = require "pcapi.service.response"
local retry = require "pcapi.http.retry"
local url = require "pcapi.url"

local M = {}

local ATTEMPT = 30 -- seconds; a token endpoint responds at once or not at all
local MAX_BODY = 1024 * 1024 -- bytes
local DRIFT = 30 -- seconds; clocks that differ by more get a new assertion
local LIFE = 3600 -- seconds, if a response has no expires_in (RFC 6749 §5.1 allows that)
local LONGEST = 10 * 365 * 24 * 3600 -- seconds; a longer expires_in is ignored

-- A lost response is no reason to stop: the next call would send the stored refresh token
-- anyway, and Microsoft keeps former ones valid.
local RESEND = { resend = true }

local SHORTEST = 8 -- bytes of a secret that is hidden; a shorter one may be part of any word
local LONGEST_TOKEN = 65536 -- bytes
local CHECK_ADDRESS = "Check {login_url} and token_url, and whether a proxy responded instead"

-- The secrets of a form, which a server may echo.
local SECRETS = { "client_secret", "client_assertion", "refresh_token", "code", "code_verifier",
                 "device_code" }

-- Adds to an error of the transport what it means here; left: seconds that the call had.
local function explain(err, left)
  if err.kind == "timeout" and not err.hint then
    err.hint = left < ATTEMPT and errors.hint "Raise {timeout}, or try again later"
      or "Try again later; if it happens again, check the network and the proxy settings"
  end
  limits.explain(err, { max_body = MAX_BODY })
  err.message = "the sign-in service: " .. err.message
  if err.kind == "protocol" then
    err.hint = errors.hint(CHECK_ADDRESS)
  end
  return err
end

--- Sends a form to an address of the sign-in service, once.
-- @tparam table context `transport`, `clock`, `deadline` (of the transport's clock)
-- @tparam string address
-- @tparam table form name to value
-- @treturn[1] table the decoded JSON of a response with status 2xx
-- @treturn[2] nil
-- @treturn[2] pcapi.error with `code` (AADSTS number, or the name of the error),
-- `oauth_error` (its name), `claims`, and `clock_drift` (seconds that the service's clock is ahead)
function M.send(context, address, form)
  local ids = { correlation_id = core.uuid() }
  local left = math.max(context.deadline - context.transport:now(), 0.001)
  local response, err = context.transport:send(limits.apply({
    method = "POST", url = address, body = url.query(form):sub(2),
    headers = { "Accept: application/json", "Content-Type: application/x-www-form-urlencoded",
                "client-request-id: " .. ids.correlation_id },
  }, math.min(left, ATTEMPT), { max_body = MAX_BODY }))
  if not response then
    return nil, explain(err, left)
  end
  return M.read(response, form, ids, context.clock())
end

-- Only in an error response: a good one may repeat the refresh token.
local function hide_secrets(response, form)
  for _, name in ipairs(SECRETS) do
    if form[name] and #form[name] >= SHORTEST then
      responses.hide(response, form[name])
    end
  end
end

local function text_or_nil(value)
  return type(value) == "string" and value ~= "" and value or nil
end

local function shorten(json)
  if type(json) == "table" and type(json.error_description) == "string" then
    json.error_description = refusal.shorten(json.error_description)
  end
end

local function refused(response, ids, now)
  shorten(response.json)
  local read = responses.error(response, ids, now)
  local json = type(response.json) == "table" and response.json or {}
  local name = read.code
  local kind, hint, number = refusal.classify(read)
  local is_transient = response.status >= 500 or response.status == 429 or response.status == 408
  if type(json.error) == "string" then
    read.oauth_error, read.code = name, number or name
    if kind and response.status ~= 429 or not is_transient then
      read.kind, read.hint = kind or "bad_request", hint
    end
  elseif not is_transient then
    read.kind = "protocol"
    read.hint = CHECK_ADDRESS
  end
  read.message = "sign-in: " .. read.message
  local sent = headers.date(response.headers.date, now)
  read.clock_drift = sent and sent - now or nil
  read.request_id = text_or_nil(json.trace_id) or response.headers["x-ms-request-id"]
  read.correlation_id = text_or_nil(json.correlation_id) or read.correlation_id
  return errors.fail(read)
end

--- Reads a response of the sign-in service.
-- @tparam table response of the transport
-- @tparam table form that was sent
-- @tparam table ids `correlation_id`
-- @tparam number now UTC epoch seconds
-- @return as @{send}
function M.read(response, form, ids, now)
  local failed = response.status >= 300
  local reading = limits.of_text {}
  reading.must = not failed
  json_body.decode(response, reading)
  if failed or type(response.json) ~= "table" then
    hide_secrets(response, form)
  end
  if failed then
    return refused(response, ids, now)
  elseif type(response.json) ~= "table" then
    local _, message = json_body.decode(response, reading)
    return errors.fail {
      kind = "protocol", status = response.status,
      message = "sign-in: " .. (message or "the response is not a JSON object"),
      hint = CHECK_ADDRESS,
    }
  end
  return response.json
end

-- Version 1 sends numbers as strings. Only the relative time is read: an absolute one would
-- be wrong by the difference of the clocks.
local function tokens_of(json, now)
  local access_token, refresh_token = text_or_nil(json.access_token),
    text_or_nil(json.refresh_token)
  if not access_token or #access_token + #(refresh_token or "") > LONGEST_TOKEN then
    return errors.fail {
      kind = "protocol", hint = "Check token_url", message = "sign-in: the response holds "
        .. (access_token and "tokens that are too long" or "no access_token"),
    }
  end
  local life = tonumber(json.expires_in)
  return {
    access_token = access_token, refresh_token = refresh_token,
    obtained_at = now,
    expires_at = now + (life and life > 0 and life <= LONGEST and life or LIFE),
  }
end

-- An assertion is refused if the clocks differ (AADSTS700024). The response has the service's
-- time, so a second attempt can succeed.
local function drift_of(err, uses_clock)
  local drift = err.clock_drift
  if uses_clock and err.kind == "invalid_client" and drift and math.abs(drift) > DRIFT then
    return drift
  end
end

--- Requests tokens, and retries up to the deadline, also after a lost response.
-- @tparam table context `transport`, `clock`, `random`, `deadline`, and optionally
-- `policy`, see `pcapi.http.retry`, and `on_pause`, see `pcapi.new`
-- @tparam table client `endpoint`, `client_id`, `authenticate` and `uses_clock` from
-- `pcapi.auth.credential`
-- @tparam table form `grant_type` and its parameters; changed in place
-- @treturn[1] table `access_token`, `refresh_token` (nil if the response has none),
-- `obtained_at` and `expires_at` (UTC epoch seconds of this machine's clock)
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function M.request(context, client, form)
  local token_url = client.endpoint.token_url
  form.client_id = client.client_id
  local drift, corrected, attempt = 0, false, 0
  while true do
    attempt = attempt + 1
    local ok, err = client.authenticate(form, token_url, context.clock() + drift)
    if not ok then
      return nil, err
    end
    local json
    json, err = M.send(context, token_url, form)
    if json then
      return tokens_of(json, context.clock())
    end
    local found = not corrected and drift_of(err, client.uses_clock)
    if found then
      drift, corrected = found, true
    else
      local policy = context.policy or RESEND
      local delay = retry.decide(err, "POST", attempt,
        context.deadline - context.transport:now(), policy, context.random)
      if not delay then
        return nil, err
      elseif context.on_pause then
        context.on_pause(retry.pause_of(err, attempt, delay, policy))
      end
      context.transport:sleep(delay)
    end
  end
end

return M
