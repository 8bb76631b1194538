---@meta pcapi.history.trend
-- Made by `make types` from lua/pcapi/history/trend.lua; do not edit.

---Counts findings per day, for a chart.
---@class pcapi.history.trend
local pcapi_history_trend = {}

---When the first day begins.
---@param now number 
---@return number # 
function pcapi_history_trend.start(now) end

---Counts.
---@param episodes table array of `opened`, `closed` (nil: open) and `state`, as the store gives them from `start` on
---@param since number when the tenant was asked first
---@param now number 
---@return table # `from` (the first day, such as 2026-08-31), and arrays with one number for each day from then to today: `open` (open and healing at the end of the day), and how many became `opened`, `fixed`, and `gone` (quiet or lost)
function pcapi_history_trend.of(episodes, since, now) end

---Adds up the trends of tenants. All of them end on the same day.
---@param tenants table array of tables with `trend`, as of `of`, or nil
---@return table|nil # as of `of`; nil if there is none
function pcapi_history_trend.sum(tenants) end

return pcapi_history_trend
