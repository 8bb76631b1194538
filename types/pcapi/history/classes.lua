---@meta pcapi.history.classes
-- Made by `make types` from lua/pcapi/history/classes.lua; do not edit.

---How a user comes without MFA: by the portal, a program, a tool, a vendor's panel.
---@class pcapi.history.classes
local pcapi_history_classes = {}

---The classes of a user: one of the account itself, if its name says what it is, and one of each application that was used without MFA in the week before the last such sign-in, the newest first; or of the portal.
---@param person table `upn` (may be nil) and `finding` (see `pcapi.history.outcomes`)
---@param uses table of `pcapi.history.usage`; `address_count` may stand for `addresses`
---@param facts table `covered` (boolean: the requests reach back to the last sign-in without MFA), `own` (set of the user's own applications, by id in lower case; nil: unknown), `client_id` (the application by which pcapi itself calls the service)
---@return table # array of `class`, `certainty` (`"sure"`, `"good"`, `"inference"`, `"unknown"`) and `application` (its id; nil: none). Classes: `guest`, `system`, `portal`, `program`, `own_program`, `tool`, `vendor`, `application`, `suspicious`, `pcapi`, `unknown`
function pcapi_history_classes.of(person, uses, facts) end

return pcapi_history_classes
