--- Decides whether and when to repeat a failed request. Pure: no clock, no network.
-- @module pcapi.http.retry
local headers = require "pcapi.http.headers"
local limits = require "pcapi.http.limits"

local M = {}

local LONGEST_WAIT = 24 * 3600 -- seconds; the most that retry_after returns

--- The default policy.
-- @field attempts number of attempts, with the first one
-- @field base seconds before the second attempt; doubles with each further attempt
-- @field cap the most seconds before an attempt, unless the service asks for more (see
-- `limits.pause`)
-- @field[opt] resend boolean: the server may get the request twice, whatever its method
M.policy = require("pcapi.defaults").retry

-- After these statuses the same request may succeed. 501, 505 and the like are final. After a 401
-- the client needs another token.
local TRANSIENT_STATUS = { [408] = true, [429] = true, [500] = true, [502] = true, [503] = true,
                           [504] = true }
local TRANSIENT_KIND = { network = true, timeout = true }

--- The methods that may be sent twice (RFC 9110 §9.2.2), as a set.
M.IDEMPOTENT = { GET = true, HEAD = true, PUT = true, DELETE = true, OPTIONS = true }

local function is_transient(failure, method, resend)
  if failure.kind == "mfa_required" then
    return false -- the next attempt would have the same token, and would count against the quota
  elseif failure.status then
    -- after a 429 even a POST may be repeated: it was not carried out
    return TRANSIENT_STATUS[failure.status]
      and (resend or M.IDEMPOTENT[method] or failure.status == 429)
  end
  return TRANSIENT_KIND[failure.kind] and (resend or M.IDEMPOTENT[method])
end

--- Decides what follows a failed attempt.
-- @tparam table failure an error, or a table with `kind`, `status` and `retry_after`
-- @tparam string method of the request
-- @tparam number attempt number of attempts so far
-- @tparam number left seconds until the deadline of the call
-- @tparam ?table policy overrides fields of @{policy}
-- @tparam function random returns a number in [0, 1)
-- @treturn[1] number seconds to wait before the next attempt
-- @treturn[2] nil the failure is final
function M.decide(failure, method, attempt, left, policy, random)
  policy = policy or M.policy
  if attempt >= (policy.attempts or M.policy.attempts)
    or not is_transient(failure, method, policy.resend) then
    return nil
  end
  local backoff = math.min(policy.cap or M.policy.cap, (policy.base or M.policy.base)
    * 2 ^ (attempt - 1))
  -- half fixed, half random: clients that failed together do not all return together
  local delay = math.max(limits.pause(failure.retry_after), backoff * (0.5 + 0.5 * random()))
  -- to sleep beyond the deadline would only delay the error
  return delay < left and delay or nil
end

--- Describes the pause before another attempt, for the option `on_pause`.
-- @tparam table failure an error
-- @tparam number attempt number of attempts so far
-- @tparam number seconds from @{decide}
-- @tparam ?table policy as for @{decide}
-- @treturn table `kind`, `status`, `seconds`, `attempt` (the next one) and `attempts` (in all)
function M.pause_of(failure, attempt, seconds, policy)
  return { kind = failure.kind, status = failure.status, seconds = seconds, attempt = attempt + 1,
           attempts = policy and policy.attempts or M.policy.attempts }
end

-- Reads seconds; some servers write a fraction. tonumber would read the fraction by the locale.
local function seconds_of(text)
  local integer, point, fraction = text:match "^%s*(%d+)(%.?)(%d*)%s*$"
  if integer and (point ~= "" or fraction == "") then
    local seconds = math.min(tonumber(integer), LONGEST_WAIT)
    fraction = fraction:sub(1, 3)
    return fraction:find "[1-9]" and seconds + tonumber(fraction) / 10 ^ #fraction or seconds
  end
end

-- The longest wait of several headers that were joined by commas: it satisfies all of them.
local function longest_of(value)
  local longest
  for item in (value .. ","):gmatch "(.-)," do
    local seconds = seconds_of(item)
    if not seconds then
      return nil
    end
    longest = math.max(longest or 0, seconds)
  end
  return longest
end

--- Reads Retry-After, which is seconds or a date (RFC 9110 §10.2.3). A date is compared with the
-- response's own Date, as the clocks may differ.
-- @tparam table of headers of the response, names in lower case
-- @tparam number now UTC epoch seconds, for a response without Date
-- @treturn ?number seconds, 0 to 86400 (a day stands for any longer wait); nil without a readable
-- header
function M.retry_after(of, now)
  local value = of["retry-after"]
  if not value then
    return nil
  end
  local seconds = longest_of(value)
  if not seconds then
    local at = require("pcapi.time").parse_http(value:match "^%s*(.-)%s*$", now)
    seconds = at and math.max(0, at - (headers.date(of.date, now) or now))
  end
  return seconds and math.min(seconds, LONGEST_WAIT)
end

--- Returns the hint for an error after which the service asks to wait.
-- @tparam number seconds
-- @treturn string
function M.hint(seconds)
  return ("Try again in %d s, and send fewer requests"):format(math.ceil(seconds))
end

return M
