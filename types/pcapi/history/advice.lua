---@meta pcapi.history.advice
-- Made by `make types` from lua/pcapi/history/advice.lua; do not edit.

---The next step for a user without MFA, by the class of how the user comes.
---@class pcapi.history.advice
local pcapi_history_advice = {}

---Classes that only the user can tell, such as `third_party`, are in no list of `pcapi.history.classes`.
---@param class string 
---@param names table `user` and `application`, as they are shown
---@return table # `step` (short), `text`, and `source` (an address without https://; nil: none)
function pcapi_history_advice.of(class, names) end

---The next step for a user, whatever became of the finding.
---@param finding table see `pcapi.history.outcomes`
---@param class string the first of `pcapi.history.classes`
---@param names table as for `of`
---@return string # one line
function pcapi_history_advice.step(finding, class, names) end

return pcapi_history_advice
