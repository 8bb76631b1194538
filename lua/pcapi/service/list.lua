--- A list of records: a plain array. Its metatable adds facts about the response, and methods.
-- `pairs`, `ipairs`, `#` and a JSON encoder see the records alone.
-- @classmod pcapi.list
local check = require "pcapi.check"
local core = require "pcapi.core"
local criteria = require "pcapi.service.criteria"
local headers = require "pcapi.http.headers"

local M = {}

-- Loaded late: a list whose times nobody needs does not need it.
local function time()
  return require "pcapi.time"
end

local List = {}

-- Reads when the service responded, which few programs need. A difference between the clocks that
-- is within the duration of the call counts as 0.
local function read_date(facts)
  local now = facts.received
  local date = headers.date(facts.sent, now)
  facts.sent, facts.date = nil, date
  facts.clock_offset = date
    and (date > now and date - now or math.min(0, date - facts.began))
end

-- The metatable of the facts of all lists.
local FACTS = {
  __index = function(facts, name)
    if name == "columns" then
      return facts.resource.description.columns
    elseif (name == "date" or name == "clock_offset") and rawget(facts, "sent") then
      read_date(facts)
      return rawget(facts, name)
    end
    return List[name]
  end,
}

--- The facts of a list about its response.
-- @table fields
-- @tfield number total_count the number of records that the service reports, or else the
-- number that it returned
-- @tfield boolean truncated there may be more records: the service's cap was reached, or it reports
-- more than it returned
-- @tfield number unreadable how many elements were not records, such as null; the list does not
-- have them
-- @tfield string request_id `MS-RequestId` of the first page
-- @tfield string correlation_id `MS-CorrelationId` of the call
-- @tfield ?boolean is_mfa_compliant whether the service finds the token compliant; nil: unknown
-- @tfield ?number date when the service responded, by its own clock, UTC epoch seconds; `since`
-- counts from it. nil: unknown
-- @tfield ?number clock_offset seconds that the service's clock is ahead of this machine's
-- @tfield ?number without_time after a filter by `since`: how many records of the list have no
-- readable time
-- @tfield ?number covered_since if `since` is earlier than the service covers: the time from which
-- the list is complete, UTC epoch seconds
-- @tfield {string,...} columns names of the documented fields, in their order

--- Makes a list.
-- @local
-- @tparam table records becomes the list
-- @tparam table facts become fields of the list; they need `resource`, the declaration of the
-- call, and `clock`. In place of `date` and `clock_offset` there may be `sent`, the header Date,
-- `received` and `began`, when the response came and the call began by our clock
-- @treturn pcapi.list
function M.new(records, facts)
  facts.__index = setmetatable(facts, FACTS)
  return setmetatable(records, facts)
end

local STORED = { "total_count", "truncated", "request_id", "correlation_id", "is_mfa_compliant",
                 "unreadable", "date", "clock_offset", "without_time", "covered_since" }

--- The facts of a list, for storing it. @{new} takes them again, with `resource` and `clock`.
-- @local
-- @param value
-- @treturn[1] table plain values; `call` is the name of the call, such as
-- `security.non_mfa_principals`
-- @treturn[2] nil the value is no list
function M.facts(value)
  local facts = (getmetatable(value) or {}).__index
  if type(facts) ~= "table" or (getmetatable(facts) or {}).__index == nil or not value.resource then
    return nil
  end
  local stored = { call = value.resource.name }
  for _, name in ipairs(STORED) do
    stored[name] = value[name]
  end
  return stored
end

--- Makes a list of other records with the same facts, and some more.
-- @local
-- @tparam pcapi.list self
-- @tparam table records becomes the list
-- @tparam ?table more facts that differ; becomes part of the list
-- @treturn pcapi.list
function M.derive(self, records, more)
  local facts = getmetatable(self)
  return setmetatable(records, more and { __index = setmetatable(more, facts) } or facts)
end

-- The list of the records that meet criteria.
local function narrow(self, matching)
  local filter = criteria.filter(matching, self.resource, self.date, self.without_time ~= nil)
  local selected = {}
  for _, record in ipairs(self) do
    if filter.keeps(record) then
      selected[#selected + 1] = record
    end
  end
  return M.derive(self, selected, {
    without_time = filter.without_time, covered_since = filter.covered_since,
  })
end

--- The criteria of @{List:filter} and of the calls. A record has to meet all that are given.
-- @table criteria
-- @tfield string|number since the earliest time: epoch seconds, or a text such as `24h`, `7d`,
-- `yesterday` or `2024-02-03`. A duration ends when the service responded, by its clock. A record
-- without a readable time stays in the list
-- @tfield string user `upn` or `objectId`; `*` stands for any text; case does not count
-- @tfield string application `applicationId` or `applicationName`; `*` stands for any text; case
-- does not count
-- @tfield boolean mfa_compliant true: with MFA; false: without. A record without this field is
-- in neither list

--- Makes a list of the records that meet all criteria. A wrong criterion raises.
-- @usage local recent = requests:filter { since = "24h", user = "*@fabrikam.example" }
-- @tparam[opt] table options see @{criteria}
-- @treturn pcapi.list a new list of the same records
function List:filter(options)
  options = check.options(options, criteria.types, "filter")
  local matching, message = criteria.compile(options, self.resource, self.clock())
  if not matching then
    error("filter: " .. message, 2)
  end
  return narrow(self, matching)
end

local GUID = ("x"):rep(8) .. "-xxxx-xxxx-xxxx-" .. ("x"):rep(12)
GUID = "^" .. GUID:gsub("%-", "%%-"):gsub("x", "%%x") .. "$"

-- One part of an identity. GUIDs compare without case (RFC 9562 §4); a day may come as a time.
-- Characters that separate parts or would break a line are escaped.
local function identity_part(value, is_day)
  if type(value) == "number" then
    value = require("pcapi.text").number(value) -- few identifiers are numbers
  end
  if type(value) ~= "string" or value == "" then
    return nil
  elseif is_day then
    value = value:match "^%d%d%d%d%-%d%d%-%d%d" or value
  elseif value:find(GUID) then
    return value:lower()
  end
  return (value:gsub("[%z\1-\31\127%%/]", function(char)
    return ("%%%02X"):format(char:byte())
  end))
end

--- Returns the identity of a record, a text of one line. A record has the same identity in each
-- list of its call, and different records have different ones. For a user it is made of `tenantId`
-- and `objectId`, for adoption of `loginDate` and `applicationId`, for a request of `requestId`.
-- @usage seen[users:identity_of(user)] = true
-- @tparam table record
-- @treturn[1] string
-- @treturn[2] nil the record lacks one of these fields, or the call declares no identity
function List:identity_of(record)
  local resource, parts = self.resource, {}
  for i, field in ipairs(resource.identity or {}) do
    local is_day = resource.time_type == "date" and field == resource.time
    parts[i] = identity_part(record[field], is_day)
    if not parts[i] then
      return nil
    end
  end
  return parts[1] and table.concat(parts, "/")
end

--- The time of a record.
-- @tparam table record
-- @treturn[1] number UTC epoch seconds
-- @treturn[2] nil it has no readable time, or one that means "no date", such as
-- `0001-01-01T00:00:00`
function List:time_of(record)
  local value = record[self.resource.time]
  return type(value) == "string" and core.record_time(value) or (time().parse_logged(value))
end

local RANK = { number = 1, string = 2 }

-- Orders rows of {key, at}: rows without a key come last in either direction, equal keys keep
-- their order.
local function row_order(descending)
  return function(a, b)
    local rank_a, rank_b = RANK[type(a.key)] or 3, RANK[type(b.key)] or 3
    if rank_a ~= rank_b then
      return rank_a < rank_b
    elseif rank_a == 3 or a.key == b.key then
      return a.at < b.at
    elseif descending then
      return a.key > b.key
    end
    return a.key < b.key
  end
end

--- Whether the list has a field: a documented one, or one that any of its records has.
-- @tparam string field
-- @treturn boolean
function List:has_field(field)
  for _, name in ipairs(self.columns) do
    if name == field then
      return true
    end
  end
  for _, record in ipairs(self) do
    if record[field] ~= nil then
      return true
    end
  end
  return false
end

local function no_field(what, self, field)
  return ("%s: there is no field %q; there are: %s"):format(what, field,
    table.concat(self.columns, ", "))
end

--- Makes a list that is sorted by a field. Records that are equal in it keep their order; those
-- without it come last.
-- @tparam string field a name that @{List:has_field} knows; any other raises
-- @tparam[opt] boolean descending the largest first
-- @treturn pcapi.list a new list of the same records
function List:sort_by(field, descending)
  if type(field) ~= "string" then
    error("sort_by takes the name of a field, not a " .. type(field), 2)
  elseif not self:has_field(field) then
    error(no_field("sort_by", self, field), 2)
  end
  if field == self.resource.time then
    return M.derive(self, core.sort_by_time(self, field, descending, time().parse_logged))
  end
  local rows, sorted = {}, {}
  for i, record in ipairs(self) do
    local key = record[field]
    rows[i] = { key = type(key) == "boolean" and (key and 1 or 0) or key, at = i,
                record = record }
  end
  table.sort(rows, row_order(descending))
  for i, row in ipairs(rows) do
    sorted[i] = row.record
  end
  return M.derive(self, sorted)
end

--- Makes a list that is sorted by time, the newest record first. Records of a call without a time
-- keep their order.
-- @treturn pcapi.list a new list of the same records
function List:newest_first()
  if not self.resource.time then
    return self:filter()
  end
  return self:sort_by(self.resource.time, true)
end

-- Adds a record to its group, and updates the group's newest time.
local function add_to_group(group, record, at)
  group.records[#group.records + 1] = record
  if at and at > (group.newest or -math.huge) then
    group.newest = at
  end
end

--- Groups the records by a field. The largest group comes first.
-- @usage for _, group in ipairs(requests:group_by "applicationId") do
--   print(group.key, #group, group.newest)
-- end
-- @tparam string|function field a name that @{List:has_field} knows (any other raises), or a
-- function that returns the key of a record
-- @treturn {pcapi.list,...} groups; each also has `key` (nil: its records lack the field) and
-- `newest` (the newest time, UTC epoch seconds; nil: unknown)
function List:group_by(field)
  if type(field) ~= "string" and type(field) ~= "function" then
    error("group_by takes the name of a field or a function, not a " .. type(field), 2)
  elseif type(field) == "string" and not self:has_field(field) then
    error(no_field("group_by", self, field), 2)
  end
  local key_of = type(field) == "function" and field or function(record)
    return record[field]
  end
  local groups, by_key, without = {}, {}, {}
  for _, record in ipairs(self) do
    local key = key_of(record)
    local group = by_key[key == nil and without or key]
    if not group then
      group = { key = key, at = #groups + 1, records = {} }
      by_key[key == nil and without or key] = group
      groups[group.at] = group
    end
    add_to_group(group, record, self:time_of(record))
  end
  table.sort(groups, function(a, b)
    if #a.records ~= #b.records then
      return #a.records > #b.records
    end
    return a.at < b.at
  end)
  local facts = getmetatable(self).__index
  for i, group in ipairs(groups) do
    groups[i] = setmetatable(group.records, {
      __index = setmetatable({ key = group.key, newest = group.newest }, { __index = facts }),
    })
  end
  return groups
end

return M
