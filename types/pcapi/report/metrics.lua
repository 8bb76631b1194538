---@meta pcapi.report.metrics
-- Made by `make types` from lua/pcapi/report/metrics.lua; do not edit.

---Writes facts as metrics, in the text format of Prometheus (version 0.0.4).
---@class pcapi.report.metrics
local pcapi_report_metrics = {}

---Makes an empty set of metrics. Those of `Metrics:set_tenant` and `Metrics:set_run` are always declared.
---@param more? table array of further metrics, each `{ name, type, help, label… }`; the type is `"gauge"` or `"counter"`, and the labels are names, in the order in which they are written
---@return table # with the methods below
function pcapi_report_metrics.new(more) end

---Sets a metric. The same metric with the same labels replaces the value from before.
---@param name string of a declared metric
---@param value number|nil nil: no sample is written
---@param labels? table values by name; those that are missing are left out
function pcapi_report_metrics:set(name, value, labels) end

---Sets the metrics of a tenant. Facts that are missing have no sample. All times are UTC epoch seconds.
---@param facts table `name` (the label of each sample) and `id` (used if there is no name, and to tell tenants of one name apart); `lists`: of `users`, `requests` and `adoption` each `at` (when it was received last), `is_up` (whether the last request for it succeeded), `is_cut`; `users`: `count`, `new_count`, `healing_count`, `excepted_count`, `oldest_open` (a time); `requests`: `count` and `coverage` (0 to 1); `adoption` as `pcapi.report.adoption.of` returns it; `silent` (array of ids of applications); `sign_in_until` (a time)
function pcapi_report_metrics:set_tenant(facts) end

---Sets the metrics of runs.
---@param facts table `last_success` (UTC epoch seconds), `duration` (seconds), and `waiting` (numbers of notices, by the name of the channel)
function pcapi_report_metrics:set_run(facts) end

---Writes all metrics.
---@return string # UTF-8, with a line end
function pcapi_report_metrics:text() end

return pcapi_report_metrics
