---@meta pcapi.history.usage
-- Made by `make types` from lua/pcapi/history/usage.lua; do not edit.

---What a user does: applications, their addresses, and the operations of each.
---@class pcapi.history.usage
local pcapi_history_usage = {}

---Adds up the requests of one user.
---@param next_request function returns the next request (`at`, `application`, `mfa`, `ip`, `operation`), or nil
---@return table # array of applications, the one used last first. Each has `application`, `first` and `last`, `count`, `without_count` and `with_count`, `without` and `with` (times of the last request without and with MFA; nil: none), `hours` (different hours of the day of requests without MFA), `is_weekend` (they came on a Saturday and on a Sunday, UTC), and `addresses`: an array of `ip` (`""`: unknown) with the same counts and times, and `operations`: an array of `operation`
function pcapi_history_usage.of(next_request) end

return pcapi_history_usage
