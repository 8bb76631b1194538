---@meta pcapi.history.coverage
-- Made by `make types` from lua/pcapi/history/coverage.lua; do not edit.

---Knows what the received requests cover: since when they are complete, where the gaps are, when to run again, and which applications are silent.
---@class pcapi.history.coverage
local pcapi_history_coverage = {}

---Adds an answer to what is covered.
---@param before table|nil `from` (since when requests are complete), `to` (until when) and `newest` (time of the newest request; nil: none); nil for the first answer
---@param answer table `state` (`"whole"` or `"cut"`), `at` (when the service responded), `oldest` and `newest` (times of its requests; nil: none)
---@return table # as `before`
---@return table|nil # the gap: `from` and `to`; nil if there is none
function pcapi_history_coverage.extend(before, answer) end

---When the next run should be, so that its answer overlaps a cut one by half.
---@param answer table as for `extend`
---@return number|nil # nil if the answer was whole: any time within 6 days will do
function pcapi_history_coverage.next_run(answer) end

---Compares the requests received with the totals of adoption.
---@param rows table array of `day` (its first second), `application`, `received` (requests stored), `total` and `with_mfa` (of adoption; nil: adoption has no such row)
---@return table # `share` (0 to 1; nil: unknown), `received`, `total`, and `rows`: each given row with `share` and `without_mfa` (requests without MFA by adoption), the lowest share first
function pcapi_history_coverage.compare(rows) end

---Finds the applications that went silent: refused calls may not be counted by the service, so silence can mean that a program is broken. A pause counts if it is longer than 3 days and than each pause of the application in the 28 days before.
---@param rows table array of adoption: `day` (its first second), `application`, `total`
---@param as_of number when the service gave the newest of them
---@return table # array of `application`, `last_day` (its first second) and `days` (without requests, without today), the longest silence first
function pcapi_history_coverage.silent(rows, as_of) end

return pcapi_history_coverage
