--- Summarises a list in a few facts: for a status line, the head of a page, or a mail.
--
--     local summary = require "pcapi.report.summary"
--     local users = assert(client.security:non_mfa_principals())
--     local facts, period = summary.of(users), summary.period(users)
--     print(facts.count, facts.truncated, period.newest)
-- @module pcapi.report.summary
local M = {}

--- How many records a list has, and what limits it.
-- @tparam table list a list of a client, or an array of records with the same fields
-- @treturn table `count` (records in the list), `truncated` (boolean: the service has more),
-- `unreadable` (elements of the response that were not records), `total_count` (what the service
-- counted; nil: unknown), `as_of` (when the service responded, UTC epoch seconds; nil: unknown)
-- and `covered_since` (UTC epoch seconds; nil unless `since` was earlier than the service covers)
function M.of(list)
  return {
    count = #list, truncated = list.truncated or false, unreadable = list.unreadable or 0,
    total_count = list.total_count, as_of = list.date, covered_since = list.covered_since,
  }
end

--- The period from which the records of a list are.
-- @tparam table list a list of a client, or an array of records
-- @tparam[opt] function time_of returns the time of a record, UTC epoch seconds, or nil; by default
-- the list's own method
-- @treturn table `oldest` and `newest` (UTC epoch seconds; nil if no record has a time), and
-- `without_time` (records whose time is missing or cannot be read)
function M.period(list, time_of)
  time_of = time_of or function(record)
    return list:time_of(record)
  end
  local oldest, newest, without_time = math.huge, -math.huge, 0
  for _, record in ipairs(list) do
    local at = time_of(record)
    if at then
      oldest, newest = math.min(oldest, at), math.max(newest, at)
    else
      without_time = without_time + 1
    end
  end
  if newest < oldest then
    return { without_time = without_time }
  end
  return { oldest = oldest, newest = newest, without_time = without_time }
end

return M
