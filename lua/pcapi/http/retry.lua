--- Whether and when to try again: one pure function, no clock, no network.
-- @module pcapi.http.retry
local limits = require "pcapi.http.limits"

local M = {}

--- How often and how long. `base` doubles with every attempt up to `cap`.
-- @field attempts tries in all, the first one included
-- @field base seconds before the second try
-- @field cap seconds at most, unless the service asks for more: then as `limits.pause` has it
-- @field[opt] resend boolean: to send it twice does no harm, whatever its method
M.policy = { attempts = 4, base = 0.5, cap = 30 }

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

return M
