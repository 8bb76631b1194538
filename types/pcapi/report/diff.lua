---@meta pcapi.report.diff
-- Made by `make types` from lua/pcapi/report/diff.lua; do not edit.

---Compares the records of a list with the identities that were known before.
---@class pcapi.report.diff
local pcapi_report_diff = {}

---Compares.
---@param records table array, such as a list of a client
---@param known table set of identities: a table with identities as keys and anything but false as values
---@param id_of function returns the identity of a record, a string; or nil if it has none
---@return table # `new` and `known`, arrays of records in their order; `gone`, the sorted array of known identities that no record has; `ids`, the array of the identities that records have, each once and in their order; and `unidentified`, the array of records without an identity
function pcapi_report_diff.of(records, known, id_of) end

return pcapi_report_diff
