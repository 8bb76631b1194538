---@meta pcapi.report.summary
-- Made by `make types` from lua/pcapi/report/summary.lua; do not edit.

---Summarises a list in a few facts: for a status line, the head of a page, or a mail.
---@class pcapi.report.summary
local pcapi_report_summary = {}

---How many records a list has, and what limits it.
---@param list table a list of a client, or an array of records with the same fields
---@return table # `count` (records in the list), `truncated` (boolean: the service has more), `unreadable` (elements of the response that were not records), `total_count` (what the service counted; nil: unknown), `as_of` (when the service responded, UTC epoch seconds; nil: unknown) and `covered_since` (UTC epoch seconds; nil unless `since` was earlier than the service covers)
function pcapi_report_summary.of(list) end

---The period from which the records of a list are.
---@param list table a list of a client, or an array of records
---@param time_of? function returns the time of a record, UTC epoch seconds, or nil; by default the list's own method
---@return table # `oldest` and `newest` (UTC epoch seconds; nil if no record has a time), and `without_time` (records whose time is missing or cannot be read)
function pcapi_report_summary.period(list, time_of) end

return pcapi_report_summary
