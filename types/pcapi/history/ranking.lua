---@meta pcapi.history.ranking
-- Made by `make types` from lua/pcapi/history/ranking.lua; do not edit.

---Which application to fix first: the one by which most users come without MFA.
---@class pcapi.history.ranking
local pcapi_history_ranking = {}

---Makes an empty ranking.
---@return table # with the methods below
function pcapi_history_ranking.new() end

---Adds a user.
---@param classes table of `pcapi.history.classes`, with `name` of applications
function pcapi_history_ranking:add(classes) end

---Adds what adoption counts.
---@param rows table as the store gives them by `received`
---@param name_of function takes the id of an application
function pcapi_history_ranking:adoption(rows, name_of) end

---The entries with users or with requests without MFA, what to fix first at the top.
---@param share number|nil of the requests that are known, 0 to 1; nil: unknown
---@return table # array
---@return number # how many entries there was no room for
---@return boolean # whether they are sorted by requests
function pcapi_history_ranking:sorted(share) end

return pcapi_history_ranking
