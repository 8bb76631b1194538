---@meta pcapi.history.exceptions
-- Made by `make types` from lua/pcapi/history/exceptions.lua; do not edit.

---Users who may sign in without MFA for some time: a text file, one line each.
---@class pcapi.history.exceptions
local pcapi_history_exceptions = {}

---Parses a file of exceptions.
---@param text string any bytes
---@param now number UTC epoch seconds
---@return pcapi.history.exceptions|nil # an array of `line`, `who`, `tenant`, `ends` and `why`
---@return number|nil # line
---@return string|nil # what is wrong with that line, and what to write
function pcapi_history_exceptions.parse(text, now) end

---Finds the exception that holds for a user.
---@param subject table `tenant` (its id) and `names` (of the tenant), `id` (the key of the user) and `upn`, `applications` (ids, all through which the user came without MFA; nil: unknown)
---@param bindings table upn to key of the user who had it first; gets new ones
---@param now number UTC epoch seconds
---@return table|nil # `who`, `tenant`, `ends` and `why`, as they are stored with a finding
---@return string|nil # a warning: the upn of an exception belongs to another user now
function pcapi_history_exceptions:find(subject, bindings, now) end

---Tests whether a line names an application, so that `Exceptions:find` needs those of the user.
---@return boolean # 
function pcapi_history_exceptions:needs_applications() end

---The bindings that are still needed: those of upns in the file. A line that is removed and written again means the user who has the upn then.
---@param bindings table 
---@return table # 
function pcapi_history_exceptions:still_bound(bindings) end

---What the user has to hear of: lines that ended, or end within 14 days.
---@param now number UTC epoch seconds
---@return string[] # one text a line
function pcapi_history_exceptions:warnings(now) end

return pcapi_history_exceptions
