---@meta pcapi.report.tenant_section
-- Made by `make types` from lua/pcapi/report/tenant_section.lua; do not edit.

---The sections of one tenant in the report: what is known, the trend, what to fix first, users and exceptions.
---@class pcapi.report.tenant_section
local pcapi_report_tenant_section = {}

---Writes a trend: the picture, and the numbers of the days on which something changed.
---@param out table array of pieces, which grows
---@param id string within the page
---@param trend table see `pcapi.history.trend`
---@param of string whom, markup
function pcapi_report_tenant_section.trend(out, id, trend, of) end

---Writes the most important numbers.
---@param out table array of pieces, which grows
---@param counts table see `pcapi.history.overview`
---@param trend table|nil 
function pcapi_report_tenant_section.facts(out, counts, trend) end

---Writes the section of a tenant.
---@param out table array of pieces, which grows
---@param id string within the page
---@param tenant table see `pcapi.history.overview`
---@param options table `is_anonymous`, `has_trend`, and `room` (`bytes` for users; it shrinks)
function pcapi_report_tenant_section.add(out, id, tenant, options) end

return pcapi_report_tenant_section
