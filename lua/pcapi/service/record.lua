--- Normalises records: gives every documented field its documented name and type. Pure.
--
-- The service's documents disagree about names, and drafts show texts for numbers and booleans.
-- A normalised record has one name for each described field, real numbers and booleans, and no
-- empty texts. A field that is not described stays as it is.
-- @module pcapi.service.record
local core = require "pcapi.core"

local M = {}

local lower = core.lower -- field names are ASCII; string.lower depends on the locale
local EXACT = 2 ^ 53 -- a double holds every integer below

--- Reads a count.
-- @param value
-- @treturn ?number an integer that a double holds exactly, also from a text such as `"9"`; nil
-- for anything else
function M.integer(value)
  if type(value) == "string" then
    value = value:find "^%-?%d+$" and tonumber(value)
  end
  if type(value) == "number" and value > -EXACT and value < EXACT and value % 1 == 0 then
    return value
  end
end

-- A count that is not an integer becomes nil, as callers add and divide counts. A boolean is only
-- compared, so another value may stay.
local CONVERT = {
  integer = M.integer,
  boolean = function(value)
    local folded = type(value) == "string" and lower(value)
    if folded == "true" or folded == "false" then
      return folded == "true"
    end
    return value
  end,
}

local KIND = { string = "s", time = "s", date = "s", integer = "n", boolean = "b" }

--- Prepares the description of a kind of record.
-- @tparam table fields array of `{name, type, aliases...}`; the type is `"string"`, `"time"`,
-- `"date"`, `"integer"` or `"boolean"`
-- @treturn table for @{normalise}: `columns` (names in order), `kinds`, `names`, `converters`,
-- `aliases` (alias, name, alias, name…)
function M.describe(fields)
  local columns, kinds, exact, folded, converters, aliases = {}, {}, {}, {}, {}, {}
  for i, field in ipairs(fields) do
    local name = field[1]
    columns[i], kinds[i] = name, KIND[field[2]]
    converters[name] = CONVERT[field[2]]
    exact[name], folded[lower(name)] = name, name
    for k = 3, #field do
      exact[field[k]], folded[lower(field[k])] = name, name
      aliases[#aliases + 1] = field[k]
      aliases[#aliases + 1] = name
    end
  end
  -- the documents show PascalCase in tables and camelCase in bodies
  local names = setmetatable(exact, {
    __index = function(_, key)
      return type(key) == "string" and folded[lower(key)] or key
    end,
  })
  return { columns = columns, kinds = table.concat(kinds), names = names,
           converters = converters, aliases = aliases }
end

--- Whether an object holds any described field.
-- @tparam table object
-- @tparam table description from @{describe}
-- @treturn boolean
function M.is_known(object, description)
  for key in pairs(object) do
    local name = description.names[key]
    if rawget(description.names, name) == name then
      return true
    end
  end
  return false
end

-- The normalised value of a described field; nil for an empty text.
local function normalise_value(value, convert)
  if value == "" then
    return nil
  elseif convert then
    return convert(value)
  end
  return value
end

-- An alias only fills a gap: beside a field under its own name, it stays like an unknown field.
-- Of several aliases the first in alphabetical order counts, whatever order they come in.
local function normalise_record(record, description)
  local names, converters, from = description.names, description.converters, nil
  for key, value in next, record do
    local name = names[key]
    local is_described = rawget(names, name) == name
    local normalised = value
    if is_described then
      normalised = normalise_value(value, converters[name])
    end
    if is_described and name == key then
      record[key] = normalised
    elseif is_described and normalise_value(record[name], converters[name]) == nil then
      from = from or {}
      if normalised == nil then
        record[key] = nil
      elseif from[name] == nil or key < from[name] then
        from[name] = key
      end
    end
  end
  for name, key in next, from or {} do
    record[name], record[key] = normalise_value(record[key], converters[name]), nil
  end
end

-- Once decoded, an empty array is the same as an empty object.
local function is_object(value)
  return type(value) == "table" and value[1] == nil
end

-- Removes the elements that are not objects. Returns their number.
local function drop_unreadable(records)
  local last, count = 0, #records
  for i = 1, count do
    local record = records[i]
    records[i] = nil
    if is_object(record) then
      last = last + 1
      records[last] = record
    end
  end
  return count - last
end

local PIECE = 100 -- records; to normalise them takes about a quarter of a millisecond

--- Normalises records in place, and removes the elements that are not objects.
-- @tparam table records array as decoded
-- @tparam table description from @{describe}
-- @tparam[opt] function checkpoint is called between pieces of long work; if it returns a message,
-- the work ends with it
-- @treturn[1] table the same array
-- @treturn[1] number how many elements were removed
-- @treturn[2] nil
-- @treturn[2] string the message of `checkpoint`
function M.normalise(records, description, checkpoint)
  local at, count, has_other = 0, 0, false
  while true do
    -- the core renames the plain cases, and finds the next record that needs more
    at = core.find_unnormalised(records, description.columns, description.kinds, at + 1,
      description.aliases)
    if not at then
      return records, has_other and drop_unreadable(records) or 0
    elseif is_object(records[at]) then
      normalise_record(records[at], description)
    else
      has_other = true
    end
    count = count + 1
    local stop = checkpoint and count % PIECE == 0 and checkpoint()
    if stop then
      return nil, stop
    end
  end
end

return M
