--- Decides when to report that a tenant fails: when it begins to fail, when the kind of the error
-- changes, and every 7 days. Pure; times are UTC epoch seconds.
-- @module pcapi.history.failures
local M = {}

local PERIOD = 7 * 24 * 60 * 60
local EARLY = 2 * 60 * 60 -- a daily job may start earlier, by minutes or by summer time

--- Adds the result of a run.
-- @tparam ?table before `kind` (of the error), `since`, `reported` (times); nil: the tenant
-- responded last time
-- @tparam ?string kind of the error of this run; nil: the tenant responded
-- @tparam number at time of this run
-- @treturn ?table as `before`
-- @treturn boolean whether to report it: a failure, or that the tenant responds again
function M.update(before, kind, at)
  if not kind then
    return nil, before ~= nil
  end
  local since = before and before.since or at
  if before and before.kind == kind and at - before.reported < PERIOD - EARLY then
    return before, false
  end
  return { kind = kind, since = since, reported = at }, true
end

--- Finds the tenants of the history that were not asked now, the one asked longest ago first. Their
-- findings stay as they are.
-- @tparam table tenants array of `id` and `asked` (when it was last asked)
-- @tparam number began when the present round of runs began
-- @treturn table array of the same tables
function M.not_asked(tenants, began)
  local found = {}
  for _, tenant in ipairs(tenants) do
    if tenant.asked < began then
      found[#found + 1] = tenant
    end
  end
  table.sort(found, function(a, b)
    return a.asked < b.asked or a.asked == b.asked and a.id < b.id
  end)
  return found
end

return M
