---@meta pcapi.report.metrics
-- Made by `make types` from lua/pcapi/report/metrics.lua; do not edit.

---Writes facts as metrics, in the text format of Prometheus (version 0.0.4).
---@class pcapi.report.metrics
local pcapi_report_metrics = {}

---Makes an empty set of metrics. The metrics of the report are always declared: `pcapi_non_mfa_users`, `pcapi_non_mfa_new_users`, `pcapi_non_mfa_requests`, `pcapi_adoption_requests` and `pcapi_adoption_ratio`.
---@param more? table array of further metrics, each `{ name, type, help, label… }`; the type is `"gauge"` or `"counter"`, and the labels are names, in the order in which they are written
---@return table # with the methods below
function pcapi_report_metrics.new(more) end

---Sets a metric. The same metric with the same labels replaces the value from before.
---@param name string of a declared metric
---@param value number|nil nil: no sample is written
---@param labels? table values by name; those that are missing are left out
function pcapi_report_metrics:set(name, value, labels) end

---Sets the metrics of a report. Facts that are missing have no sample.
---@param facts table `users` (`count`, and `new_count` if there is something to compare with), `requests` (`count`), and `adoption` as `pcapi.report.adoption.of` returns it
---@param tenant? string its name, as a label of each sample
function pcapi_report_metrics:set_report(facts, tenant) end

---Writes all metrics.
---@return string # UTF-8, with a line end
function pcapi_report_metrics:text() end

return pcapi_report_metrics
