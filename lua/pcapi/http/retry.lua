--- Whether and when to try again: one pure function, no clock, no network.
-- @module pcapi.http.retry
local headers = require "pcapi.http.headers"
local limits = require "pcapi.http.limits"

local M = {}

local LONGEST_WAIT = 24 * 3600 -- seconds; a longer one is given as this

--- How often and how long. `base` doubles with every attempt up to `cap`.
-- @field attempts tries in all, the first one included
-- @field base seconds before the second try
-- @field cap seconds at most, unless the service asks for more: then as `limits.pause` has it
-- @field[opt] resend boolean: to send it twice does no harm, whatever its method
M.policy = require("pcapi.defaults").retry

-- Statuses after which the same request may succeed. 501, 505 and the like will
-- not change; 401 is the client's matter, as it needs another token.
local TRANSIENT_STATUS = { [408] = true, [429] = true, [500] = true, [502] = true, [503] = true,
                           [504] = true }
local TRANSIENT_KIND = { network = true, timeout = true }

--- Methods that may be sent twice (RFC 9110 §9.2.2), as a set.
M.IDEMPOTENT = { GET = true, HEAD = true, PUT = true, DELETE = true, OPTIONS = true }

local function is_transient(failure, method, resend)
  if failure.kind == "mfa_required" then
    return false -- the token stays what it is; asking again counts against the quota
  elseif failure.status then
    -- 429 says that nothing was done, so even a POST may come again
    return TRANSIENT_STATUS[failure.status]
      and (resend or M.IDEMPOTENT[method] or failure.status == 429)
  end
  return TRANSIENT_KIND[failure.kind] and (resend or M.IDEMPOTENT[method])
end

--- Decides what follows a failed attempt.
-- @tparam pcapi.error failure its `kind`, `status` and `retry_after` count
-- @tparam string method of the request
-- @tparam number attempt how many were made, from 1
-- @tparam number left seconds until the deadline of the call
-- @tparam ?table policy as @{policy}; missing fields are taken from there
-- @tparam function random gives a number in [0, 1)
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
  -- half fixed, half random: clients that failed together do not return together
  local delay = math.max(limits.pause(failure.retry_after), backoff * (0.5 + 0.5 * random()))
  -- a sleep that crosses the deadline only delays the bad news
  return delay < left and delay or nil
end

-- Seconds as a text, where some servers write a fraction. The fraction is not left to
-- tonumber, which reads it by the locale.
local function seconds_of(text)
  local whole, point, fraction = text:match "^%s*(%d+)(%.?)(%d*)%s*$"
  if whole and (point ~= "" or fraction == "") then
    local seconds = math.min(tonumber(whole), LONGEST_WAIT)
    fraction = fraction:sub(1, 3)
    return fraction:find "[1-9]" and seconds + tonumber(fraction) / 10 ^ #fraction or seconds
  end
end

-- The longest of several headers that were joined: who waits so long keeps to all of them.
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

--- Reads Retry-After, which is seconds or a date (RFC 9110 §10.2.3). A date is
-- held against the response's own Date: the clocks may differ.
-- @tparam table of headers of the response, names in lower case
-- @tparam number now UTC epoch seconds, for a response without Date
-- @treturn ?number seconds, 0 to 86400 (a longer wait is given as a day); nil when there is
-- none that can be read
function M.retry_after(of, now)
  local value = of["retry-after"]
  if not value then
    return nil
  end
  local seconds = longest_of(value)
  if not seconds then
    local at = require("pcapi.time").parse_http(value:match "^%s*(.-)%s*$", now)
    seconds = at and math.max(0, at - (headers.date(of, now) or now))
  end
  return seconds and math.min(seconds, LONGEST_WAIT)
end

--- The next step of who is asked to wait.
-- @tparam number seconds
-- @treturn string
function M.hint(seconds)
  return ("Try again in %d s, and ask less often"):format(math.ceil(seconds))
end

return M
