--- Makes records from outside safe to pass on, as JSON or in a report.
--
--     local clean = require "pcapi.report.clean"
--     local users = clean.records(list, list.resource.description)
--
-- Every string is then valid UTF-8, every described field has its documented type or is
-- missing, and every value can be written as JSON. No record is lost.
-- @module pcapi.report.clean
local core = require "pcapi.core"
local text = require "pcapi.text"

local M = {}

local LARGEST = 2 ^ 53 -- of a count: above it a double skips integers, and sums would be wrong
local DEEPEST = 20 -- levels of tables in a field that is not described

--- Makes a string valid UTF-8: each byte that is not part of a character becomes U+FFFD.
-- Invisible characters stay.
-- @function text
-- @tparam string value
-- @treturn string
M.text = text.replacer(function() end, "\239\191\189")

local function is_finite(value)
  return type(value) == "number" and value > -math.huge and value < math.huge
end

--- Checks a number of requests or of records.
-- @param value
-- @treturn ?number value if it is a number from 0 to 2^53, else nil
function M.count(value)
  return is_finite(value) and value >= 0 and value <= LARGEST and value or nil
end

local function to_text(value)
  local kind = type(value)
  if kind == "string" then
    return M.text(value)
  elseif kind == "boolean" then
    return tostring(value)
  end
  return is_finite(value) and text.number(value) or nil
end

local function to_boolean(value)
  if type(value) == "boolean" then
    return value
  end
end

-- How to read a described field, by the letter of its type.
local READERS = { s = to_text, n = M.count, b = to_boolean }

local plain

local function plain_table(value, depth)
  local copy = {}
  for key, item in pairs(value) do
    item = plain(item, depth + 1)
    if type(key) == "number" then -- the other elements of an array keep their positions
      copy[key] = item == nil and core.null or item
    else
      copy[M.text(tostring(key))] = item
    end
  end
  return copy
end

-- Reads a field that is not described: unchanged if JSON can hold it.
function plain(value, depth)
  local kind = type(value)
  if kind == "string" then
    return M.text(value)
  elseif kind == "number" then
    return is_finite(value) and value or nil
  elseif kind == "table" and depth < DEEPEST then
    return plain_table(value, depth)
  elseif kind == "boolean" then
    return value
  end
end

local function readers_of(description)
  local readers = {}
  for i, name in ipairs(description.columns) do
    readers[name] = READERS[description.kinds:sub(i, i)]
  end
  return readers
end

local function clean_record(record, readers)
  local clean = {}
  for name, value in pairs(type(record) == "table" and record or {}) do
    local read = readers[name]
    if read then
      clean[name] = read(value)
    else
      clean[M.text(tostring(name))] = plain(value, 0)
    end
  end
  return clean
end

--- Makes clean copies of records.
-- @tparam table records array, such as a list of a client
-- @tparam[opt] table description the documented fields: `columns` (array of names) and `kinds` (a
-- string with one letter for each column: `s` string, `n` count, `b` boolean), as
-- `list.resource.description` has them
-- @treturn table array of new tables; an element that is not a table becomes an empty one
function M.records(records, description)
  local readers = description and readers_of(description) or {}
  local clean = {}
  for i = 1, #records do
    clean[i] = clean_record(records[i], readers)
  end
  return clean
end

return M
