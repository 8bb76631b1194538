---@meta pcapi.report.audit_section
-- Made by `make types` from lua/pcapi/report/audit_section.lua; do not edit.

---The section for an auditor in the report: runs, gaps, findings, and the requests that prove them.
---@class pcapi.report.audit_section
local pcapi_report_audit_section = {}

---Writes the section.
---@param out table array of pieces, which grows
---@param id string within the page
---@param tenant table see `pcapi.history.overview`
---@param facts table of all: `from`, `to`, `at` and `version`
function pcapi_report_audit_section.add(out, id, tenant, facts) end

return pcapi_report_audit_section
