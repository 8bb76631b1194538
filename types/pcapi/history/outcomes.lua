---@meta pcapi.history.outcomes
-- Made by `make types` from lua/pcapi/history/outcomes.lua; do not edit.

---Decides what became of a user: open, healing, fixed, quiet, lost, back.
---@class pcapi.history.outcomes
local pcapi_history_outcomes = {}

---Tests whether a finding is closed.
---@param finding table 
---@return boolean # 
function pcapi_history_outcomes.is_closed(finding) end

---The latest time at which the user can have signed in without MFA.
---@param finding table 
---@return number # UTC epoch seconds
function pcapi_history_outcomes.latest(finding) end

---From which time on requests can show how the user signed in.
---@param finding table 
---@return number # UTC epoch seconds
function pcapi_history_outcomes.evidence_from(finding) end

---Finds the applications through which the user came without MFA.
---@param finding table 
---@param evidence table `rows` (array, one of each application that the user used from `evidence_from` on: `application`; `without`, the time of the last request without MFA; `with`, of the last with MFA; `with_after`, of the first with MFA after `latest`; each nil if there is none), and `from` (since when requests are complete; nil: unknown)
---@return table|nil # array of rows with `without`
function pcapi_history_outcomes.applications(finding, evidence) end

---A user who is in the list.
---@param was table|nil the newest finding of this user; nil: there is none
---@param last_at number|nil the last sign-in without MFA; nil: it cannot be read
---@param run table `at` (when the service responded), `is_baseline` (the list is the tenant's first whole one, or nobody knows more than that the user may have been in an earlier one)
---@param evidence function takes the finding, and returns what `applications` takes
---@return table # the finding as it is now; `was` itself if nothing changed
---@return string[] # the events, in their order; often none
function pcapi_history_outcomes.present(was, last_at, run, evidence) end

---A user who is not in the list. A failed list decides nothing, so there is no function for it.
---@param was table an open or healing finding
---@param run table `at`, and `users` (`"whole"` or `"cut"`)
---@param evidence function as for `present`
---@return table # as of `present`
---@return string[] # 
function pcapi_history_outcomes.absent(was, run, evidence) end

---Joins two findings of one user: one made while only the upn was known, and one by objectId.
---@param old table of the upn, open or healing
---@param finding table of the objectId, open or healing
---@return table # the second one, which now reaches back as far as the first
function pcapi_history_outcomes.join(old, finding) end

return pcapi_history_outcomes
