--- Records as the service sends them, made as they are documented: one spelling
-- of every described field, none of them empty, numbers and booleans that are
-- such. A field that is not described stays as it came. Pure.
-- @module pcapi.record
local core = require "pcapi.core"

local M = {}

local CONVERT = {
  -- drafts of the documentation show "" and texts for counts and booleans
  integer = function(value)
    return value:find("^%-?%d+$") and tonumber(value) or value
  end,
  boolean = function(value)
    local lower = value:lower()
    if lower == "true" or lower == "false" then
      return lower == "true"
    end
    return value
  end,
}

local KIND = { string = "s", time = "s", date = "s", integer = "n", boolean = "b" }

--- Prepares the description of a kind of record.
-- @tparam table fields array of `{name, type, aliases...}`; type is string, time,
-- date, integer or boolean
-- @treturn table for `settle`: `columns` (names in order), `kinds`, `names`,
-- `converters`, `aliases` (other spelling → name)
function M.describe(fields)
  local columns, kinds, exact, lower, converters, aliases = {}, {}, {}, {}, {}, {}
  for i, field in ipairs(fields) do
    local name = field[1]
    columns[i], kinds[i] = name, KIND[field[2]]
    converters[name] = CONVERT[field[2]]
    exact[name], lower[name:lower()] = name, name
    for k = 3, #field do
      exact[field[k]], lower[field[k]:lower()] = name, name
      aliases[field[k]] = name
    end
  end
  -- all tables of the documentation are in PascalCase, all bodies in camelCase;
  -- a field that is not described keeps the name it came with
  local names = setmetatable(exact, {
    __index = function(_, key)
      return type(key) == "string" and lower[key:lower()] or key
    end,
  })
  return { columns = columns, kinds = table.concat(kinds), names = names,
           converters = converters, aliases = aliases }
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
  elseif type(value) == "string" and convert then
    return convert(value)
  end
  return value
end

-- Another spelling fills a gap. Beside the field's own name it stays as it came,
-- like every field that is not described.
local function settle_record(record, description)
  local names, moved = description.names, nil
  for key, value in next, record do
    local name = names[key]
    local settled = settle_value(value, description.converters[name])
    if rawget(names, name) == name and name == key then
      record[key] = settled
    elseif rawget(names, name) == name and (record[name] == nil or record[name] == "") then
      moved = moved or {}
      moved[name], record[key] = settled, nil
    end
  end
  for name, value in next, moved or {} do
    record[name] = value
  end
end

--- Settles records in place.
-- @tparam table records array of objects as decoded
-- @tparam table description from `describe`
-- @treturn[1] table the same array
-- @treturn[2] nil
-- @treturn[2] string which record is none
function M.settle(records, description)
  local at = 0
  while true do
    at = core.unsettled(records, description.columns, description.kinds, at + 1)
    if not at then
      return records
    elseif type(records[at]) ~= "table" then
      return nil, ("record %d of the list is no object"):format(at)
    end
    settle_record(records[at], description)
  end
end

return M
