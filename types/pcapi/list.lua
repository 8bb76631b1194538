---@meta pcapi.list
-- Made by `make types` from lua/pcapi/service/list.lua; do not edit.

---@class pcapi.list.criteria
---@field since string|number the earliest time: epoch seconds, or a text such as `24h`, `7d`, `yesterday` or `2024-02-03`. A duration ends when the service responded, by its clock. A record without a readable time stays in the list
---@field user string `upn` or `objectId`; `*` stands for any text; case does not count
---@field application string `applicationId` or `applicationName`; `*` stands for any text; case does not count
---@field mfa_compliant boolean true: with MFA; false: without. A record without this field is in neither list

---A list of records: a plain array.
---@class pcapi.list
---@field total_count number the number of records that the service reports, or else the number that it returned
---@field truncated boolean there may be more records: the service's cap was reached, or it reports more than it returned
---@field unreadable number how many elements were not records, such as null; the list does not have them
---@field request_id string `MS-RequestId` of the first page
---@field correlation_id string `MS-CorrelationId` of the call
---@field is_mfa_compliant boolean|nil whether the service finds the token compliant; nil: unknown
---@field date number|nil when the service responded, by its own clock, UTC epoch seconds; `since` counts from it. nil: unknown
---@field clock_offset number|nil seconds that the service's clock is ahead of this machine's
---@field without_time number|nil after a filter by `since`: how many records of the list have no readable time
---@field covered_since number|nil if `since` is earlier than the service covers: the time from which the list is complete, UTC epoch seconds
---@field columns string[] names of the documented fields, in their order
local pcapi_list = {}

---Makes a list of the records that meet all criteria. A wrong criterion raises.
---@param options? table see `criteria`
---@return pcapi.list # a new list of the same records
function pcapi_list:filter(options) end

---Returns the identity of a record, a text of one line. A record has the same identity in each list of its call, and different records have different ones. For a user it is made of `tenantId` and `objectId`, for adoption of `loginDate` and `applicationId`, for a request of `requestId`.
---@param record table 
---@return string|nil # 
function pcapi_list:identity_of(record) end

---The time of a record.
---@param record table 
---@return number|nil # UTC epoch seconds
function pcapi_list:time_of(record) end

---Whether the list has a field: a documented one, or one that any of its records has.
---@param field string 
---@return boolean # 
function pcapi_list:has_field(field) end

---Makes a list that is sorted by a field. Records that are equal in it keep their order; those without it come last.
---@param field string a name that `List:has_field` knows; any other raises
---@param descending? boolean the largest first
---@return pcapi.list # a new list of the same records
function pcapi_list:sort_by(field, descending) end

---Makes a list that is sorted by time, the newest record first. Records of a call without a time keep their order.
---@return pcapi.list # a new list of the same records
function pcapi_list:newest_first() end

---Groups the records by a field. The largest group comes first.
---@param field string|function a name that `List:has_field` knows (any other raises), or a function that returns the key of a record
---@return pcapi.list[] # groups; each also has `key` (nil: its records lack the field) and `newest` (the newest time, UTC epoch seconds; nil: unknown)
function pcapi_list:group_by(field) end

return pcapi_list
