--- Records as the service sends them, made as they are documented: one spelling
-- of every described field, none of them empty, numbers and booleans that are
-- such. A field that is not described stays as it came. Pure.
-- @module pcapi.service.record
local core = require "pcapi.core"

local M = {}

local lower = core.lower -- names are ASCII, whatever letters the locale of the process has
local EXACT = 2 ^ 53 -- a double holds every integer below

--- Reads a count: drafts of the documentation show "" and texts for numbers.
-- @param value
-- @treturn ?number an integer that a double holds exactly; nil for anything else
function M.integer(value)
  if type(value) == "string" then
    value = value:find "^%-?%d+$" and tonumber(value)
  end
  if type(value) == "number" and value > -EXACT and value < EXACT and value % 1 == 0 then
    return value
  end
end

-- Who counts adds and divides: what is no count is not there. A boolean is only compared.
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
-- @tparam table fields array of `{name, type, aliases...}`; type is string, time,
-- date, integer or boolean
-- @treturn table for `settle`: `columns` (names in order), `kinds`, `names`,
-- `converters`, `spellings` (another spelling, its name, in turn)
function M.describe(fields)
  local columns, kinds, exact, folded, converters, spellings = {}, {}, {}, {}, {}, {}
  for i, field in ipairs(fields) do
    local name = field[1]
    columns[i], kinds[i] = name, KIND[field[2]]
    converters[name] = CONVERT[field[2]]
    exact[name], folded[lower(name)] = name, name
    for k = 3, #field do
      exact[field[k]], folded[lower(field[k])] = name, name
      spellings[#spellings + 1] = field[k]
      spellings[#spellings + 1] = name
    end
  end
  -- all tables of the documentation are in PascalCase, all bodies in camelCase;
  -- a field that is not described keeps the name it came with
  local names = setmetatable(exact, {
    __index = function(_, key)
      return type(key) == "string" and folded[lower(key)] or key
    end,
  })
  return { columns = columns, kinds = table.concat(kinds), names = names,
           converters = converters, spellings = spellings }
end

--- Whether an object holds any described field.
-- @tparam table object
-- @tparam table description from `describe`
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

-- What a described field's value ought to be; nil for an empty one.
local function settle_value(value, convert)
  if value == "" then
    return nil
  elseif convert then
    return convert(value)
  end
  return value
end

-- Another spelling fills a gap. Beside the field's own name it stays as it came, like every
-- field that is not described; so do the others of several, whichever comes first.
local function settle_record(record, description)
  local names, converters, from = description.names, description.converters, nil
  for key, value in next, record do
    local name = names[key]
    local is_described = rawget(names, name) == name
    local settled = value
    if is_described then
      settled = settle_value(value, converters[name])
    end
    if is_described and name == key then
      record[key] = settled
    elseif is_described and settle_value(record[name], converters[name]) == nil then
      from = from or {}
      if settled == nil then
        record[key] = nil
      elseif from[name] == nil or key < from[name] then
        from[name] = key
      end
    end
  end
  for name, key in next, from or {} do
    record[name], record[key] = settle_value(record[key], converters[name]), nil
  end
end

-- Decoded, an empty array is as an empty object.
local function is_object(value)
  return type(value) == "table" and value[1] == nil
end

-- Takes out what is no object. Returns how much that was.
local function drop_unreadable(records)
  local kept, count = 0, #records
  for i = 1, count do
    local record = records[i]
    records[i] = nil
    if is_object(record) then
      kept = kept + 1
      records[kept] = record
    end
  end
  return count - kept
end

local PIECE = 100 -- records that take about a quarter of a millisecond

--- Settles records in place. What is no object is taken out.
-- @tparam table records array as decoded
-- @tparam table description from `describe`
-- @tparam[opt] function breathe is called now and then where there is much to do; what it
-- returns, if anything, ends the work as its message
-- @treturn[1] table the same array
-- @treturn[1] number how many elements were no objects
-- @treturn[2] nil
-- @treturn[2] string message
function M.settle(records, description, breathe)
  local at, settled, has_odd = 0, 0, false
  while true do
    at = core.unsettled(records, description.columns, description.kinds, at + 1,
      description.spellings)
    if not at then
      return records, has_odd and drop_unreadable(records) or 0
    elseif is_object(records[at]) then
      settle_record(records[at], description)
    else
      has_odd = true
    end
    settled = settled + 1
    local stop = breathe and settled % PIECE == 0 and breathe()
    if stop then
      return nil, stop
    end
  end
end

return M
