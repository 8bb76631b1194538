--- A list of records: a plain array, whose metatable adds facts about the answer
-- and helpers. `pairs`, `ipairs`, `#` and a JSON encoder see the records alone.
-- @classmod pcapi.list
-- @field total_count what the service counts, where it says so
-- @field truncated true when the service's cap was met: there may be more
-- @field unreadable how many elements of the answer were no records, such as null; they are
-- left out
-- @field request_id MS-RequestId of the (first) page
-- @field correlation_id MS-CorrelationId of the call
-- @field is_mfa_compliant whether the service finds the token compliant; nil: unknown
-- @field date when the service answered, UTC epoch seconds by its own clock, from which `since`
-- counts; nil where the answer does not say
-- @field clock_offset seconds that the service's clock was ahead of this machine's
-- @field without_time how many records have no time that can be read; `since` leaves them in the
-- list, and counts them
-- @field covered_since where `since` asked for more than the service covers: the time from which
-- on it does, UTC epoch seconds
-- @field columns names of the described fields, in their order
local core = require "pcapi.core"
local check = require "pcapi.check"

local M = {}

local DAY = 24 * 60 * 60
local SLACK = 600 -- seconds by which a period may seem longer than what the service covers

-- Loaded late: who asks for all there is needs none of it.
local function time()
  return require "pcapi.time"
end

local List = {}

--- Makes a list.
-- @tparam table records
-- @tparam table facts readable as fields of the list; `resource` describes the records
-- @treturn pcapi.list
function M.new(records, facts)
  facts.columns = facts.resource.description.columns
  return setmetatable(records, { __index = setmetatable(facts, { __index = List }) })
end

local WRITTEN = { "total_count", "truncated", "request_id", "correlation_id",
                  "is_mfa_compliant", "unreadable", "date", "clock_offset", "without_time",
                  "covered_since" }

--- What a list knows beside its records, to be written down; @{new} takes it again, with
-- `resource` and `clock`.
-- @param value anything
-- @treturn[1] table with `call`, the name of the call in the service's address
-- @treturn[2] nil it is no list
function M.facts(value)
  local facts = (getmetatable(value) or {}).__index
  if type(facts) ~= "table" or (getmetatable(facts) or {}).__index == nil or not value.resource then
    return nil
  end
  local written = { call = value.resource.path }
  for _, name in ipairs(WRITTEN) do
    written[name] = value[name]
  end
  return written
end

-- The same facts over other records, and some more.
local function derive(self, records, more)
  local facts = getmetatable(self)
  return setmetatable(records, more and { __index = setmetatable(more, facts) } or facts)
end

-- "*" stands for any text; case does not count, as it does not in a upn.
local function matcher(pattern)
  local magic = core.lower(pattern):gsub("[%^%$%(%)%%%.%[%]%+%-%?]", "%%%0"):gsub("%*", ".*")
  return function(value)
    return type(value) == "string" and core.lower(value):find("^" .. magic .. "$") ~= nil
  end
end

local function any_matches(fields, pattern)
  local matches = matcher(pattern)
  return function(record)
    for _, field in ipairs(fields) do
      if matches(record[field]) then
        return true
      end
    end
    return false
  end
end

--- Criteria that `filter` and the calls themselves take.
-- @table criteria
-- @field since the earliest time: epoch seconds, `"24h"`, `"7d"`, `"yesterday"`, a date…;
-- counted from when the service answered, by its clock. Records without a readable time stay
-- @field user upn or objectId; `*` stands for any text
-- @field application applicationId or applicationName; `*` stands for any text
-- @field mfa_compliant boolean, for records that say it
M.criteria = { since = "string|number", user = "string", application = "string",
               mfa_compliant = "boolean" }

-- Turns criteria into tests of a record; its time is looked at elsewhere.
local function tests_of(criteria, resource)
  local tests = {}
  for name, fields in pairs { user = resource.user, application = resource.application } do
    if criteria[name] then
      tests[#tests + 1] = any_matches(fields, criteria[name])
    end
  end
  if criteria.mfa_compliant ~= nil then
    tests[#tests + 1] = function(record)
      return record.mfaCompliant == criteria.mfa_compliant
    end
  end
  return tests
end

local function passes(record, tests)
  for i = 1, #tests do
    if not tests[i](record) then
      return false
    end
  end
  return true
end

-- Keeps what passes the tests and is not before `since`, and counts what has no time. That
-- stays: to hide a user would be the worse mistake. A day counts as long as it lasts.
local function keep(self, tests, since)
  local slack = self.resource.time_type == "date" and DAY or 0
  local kept, timeless = {}, 0
  for _, record in ipairs(self) do
    local at = since and self:time_of(record)
    if (not at or at + slack > since or at == since) and passes(record, tests) then
      kept[#kept + 1] = record
      timeless = timeless + (since and not at and 1 or 0)
    end
  end
  return kept, timeless
end

local function narrow(self, tests, since, now)
  local counts = since or self.without_time -- which is of other records now
  local records, timeless = keep(self, tests, counts and (since or -math.huge))
  local covered = since and self.resource.days and now - self.resource.days * DAY
  return derive(self, records, {
    without_time = counts and timeless or nil,
    covered_since = covered and since < covered - SLACK and covered or nil,
  })
end

--- Checks criteria before anything is asked of the service.
-- @tparam table criteria
-- @tparam table resource description of the call
-- @tparam number now UTC epoch seconds
-- @treturn[1] function that makes a list of the matching records of a list; there a duration
-- counts from when the service answered, if that is known
-- @treturn[2] nil
-- @treturn[2] string what is wrong with which of them
function M.compile(criteria, resource, now)
  for name in pairs { user = true, application = true } do
    if criteria[name] and not resource[name] then
      return nil, ("these records name no %s"):format(name)
    elseif criteria[name] == "" then
      return nil, ("%s is empty; leave it out, or give * for any"):format(name)
    end
  end
  if criteria.mfa_compliant ~= nil and not resource.tells_compliance then
    return nil, "these records do not tell mfa_compliant"
  end
  local first, message
  if criteria.since then
    first, message = time().since(criteria.since, now)
    if not first then
      return nil, "since: " .. message
    end
  end
  local tests = tests_of(criteria, resource)
  return function(self)
    local answered = self.date or now
    local since = first and (time().since(criteria.since, answered) or first)
    return narrow(self, tests, since, answered)
  end
end

--- The records that meet all criteria.
-- @tparam[opt] table criteria as @{criteria}
-- @treturn pcapi.list a new list over the same records
function List:filter(criteria)
  criteria = check.options(criteria, M.criteria, "filter")
  local matching, message = M.compile(criteria, self.resource, self.clock())
  if not matching then
    error("filter: " .. message, 2)
  end
  return matching(self)
end

--- When a record happened.
-- @tparam table record
-- @treturn ?number UTC epoch seconds; nil when the record does not say, or writes a time that
-- stands for none, such as `0001-01-01T00:00:00`
function List:time_of(record)
  return (time().parse_logged(record[self.resource.time]))
end

-- Times sort by the clock, since their fractions have different lengths.
local function sort_key(self, field)
  if field == self.resource.time then
    return function(record)
      return self:time_of(record)
    end
  end
  return function(record)
    local value = record[field]
    return type(value) == "boolean" and (value and 1 or 0) or value
  end
end

local RANK = { number = 1, string = 2 }

-- Orders rows of {key, at}: without a key last in either direction, equal keys
-- by their place.
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

--- Whether the service documents a field or a record has it.
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

--- Sorts by a field; records that are equal in it keep their order.
-- @tparam string field
-- @tparam[opt] boolean descending
-- @treturn pcapi.list a new list over the same records
function List:sort_by(field, descending)
  if type(field) ~= "string" then
    error("sort_by takes the name of a field, not a " .. type(field), 2)
  elseif not self:has_field(field) then
    error(no_field("sort_by", self, field), 2)
  end
  local key_of = sort_key(self, field)
  local rows, sorted = {}, {}
  for i, record in ipairs(self) do
    rows[i] = { key = key_of(record), at = i, record = record }
  end
  table.sort(rows, row_order(descending))
  for i, row in ipairs(rows) do
    sorted[i] = row.record
  end
  return derive(self, sorted)
end

--- Sorts by time, the newest first.
-- @treturn pcapi.list a new list over the same records
function List:newest_first()
  return self:sort_by(self.resource.time, true)
end

-- Adds a record to its group, and keeps the group's newest time.
local function add_to_group(group, record, at)
  group.records[#group.records + 1] = record
  if at and at > (group.newest or -math.huge) then
    group.newest = at
  end
end

--- Groups the records by a field, the largest group first.
-- @usage for _, group in ipairs(requests:group_by "applicationId") do
--   print(group.key, #group, group.newest)
-- end
-- @tparam string|function field name of a field, or a function of a record
-- @treturn table array of lists; each also has `key` (nil for records without the
-- field) and `newest` (UTC epoch seconds)
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
