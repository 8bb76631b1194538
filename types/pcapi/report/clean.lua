---@meta pcapi.report.clean
-- Made by `make types` from lua/pcapi/report/clean.lua; do not edit.

---Makes records from outside safe to pass on, as JSON or in a report.
---@class pcapi.report.clean
local pcapi_report_clean = {}

---Makes a string valid UTF-8: each byte that is not part of a character becomes U+FFFD. Invisible characters stay.
---@param value string 
---@return string # 
function pcapi_report_clean.text(value) end

---Checks a number of requests or of records.
---@param value any 
---@return number|nil # value if it is a number from 0 to 2^53, else nil
function pcapi_report_clean.count(value) end

---Makes clean copies of records.
---@param records table array, such as a list of a client
---@param description? table the documented fields: `columns` (array of names) and `kinds` (a string with one letter for each column: `s` string, `n` count, `b` boolean), as `list.resource.description` has them
---@return table # array of new tables; an element that is not a table becomes an empty one
function pcapi_report_clean.records(records, description) end

return pcapi_report_clean
