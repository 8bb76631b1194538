--- Normalises records: gives every documented field its documented name and type. Pure.
--
-- The core does this for the usual records while it reads them; this module does it for the others,
-- and for all if lua-cjson reads the text.
--
-- The service's documents disagree about names, and drafts show texts for numbers and booleans.
-- A normalised record has one name for each described field, real numbers and booleans, and no
-- empty texts. A field that is not described stays as it is.
-- @module pcapi.service.record
local core = require "pcapi.core"

local unpack = unpack or table.unpack -- luacheck: ignore 113 143

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
-- @treturn table for @{normalise} and the core: `columns` (names in order), `numbers` (any spelling
-- to a place in `columns`), `kinds` (a character for each column), `converters`, `ranks` (alias to
-- its place among the aliases of its field)
function M.describe(fields)
  local columns, kinds, exact, folded, converters, ranks = {}, {}, {}, {}, {}, {}
  for i, field in ipairs(fields) do
    local name = field[1]
    columns[i], kinds[i], converters[name] = name, KIND[field[2]], CONVERT[field[2]]
    exact[name], folded[lower(name)] = i, i
    for k = 3, #field do
      exact[field[k]], folded[lower(field[k])], ranks[field[k]] = i, i, k
    end
  end
  -- the documents show PascalCase in tables and camelCase in bodies
  local numbers = setmetatable(exact, {
    __index = function(_, key)
      return type(key) == "string" and folded[lower(key)] or nil
    end,
  })
  return { columns = columns, numbers = numbers, kinds = table.concat(kinds),
           converters = converters, ranks = ranks }
end

--- Describes the records of a resource to the core, see `src/lrecords.h`.
-- @tparam table resource declaration of the call, see `pcapi.service.resource`
-- @treturn table
function M.for_core(resource)
  local description = resource.description
  local roles = {}
  for i = 1, #description.columns do
    roles[i] = 0
  end
  local USES = { { resource.time }, resource.user or {}, resource.application or {},
                 { resource.mfa_compliant } }
  for use, names in ipairs(USES) do
    for _, name in ipairs(names) do
      local number = description.numbers[name]
      roles[number] = roles[number] + 2 ^ (use - 1)
    end
  end
  return { items = { items = true, Items = true, [resource.items or "value"] = true },
           numbers = description.numbers, columns = description.columns,
           kinds = description.kinds, roles = string.char(unpack(roles)) }
end

--- Whether an object holds any described field.
-- @tparam table object
-- @tparam table description from @{describe}
-- @treturn boolean
function M.is_known(object, description)
  for key in pairs(object) do
    if description.numbers[key] then
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

-- Whether one spelling of a field counts before another: aliases in their declared order, then the
-- others in alphabetical order.
local function precedes(one, other, ranks)
  local rank, other_rank = ranks[one] or math.huge, ranks[other] or math.huge
  return rank < other_rank or rank == other_rank and one < other
end

-- An alias only fills a gap: beside a field under its own name, it stays like an unknown field. Of
-- several aliases one counts, whatever order they come in.
local function normalise_record(record, description)
  local columns, numbers, converters = description.columns, description.numbers,
    description.converters
  local from
  for key, value in next, record do
    local number = numbers[key]
    local name = number and columns[number]
    if name == key then
      record[key] = normalise_value(value, converters[name])
    elseif name and normalise_value(record[name], converters[name]) == nil then
      from = from or {}
      if normalise_value(value, converters[name]) == nil then
        record[key] = nil
      elseif from[name] == nil or precedes(key, from[name], description.ranks) then
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

-- Removes the elements that are false.
local function close_gaps(records)
  local last = 0
  for i = 1, #records do
    local record = records[i]
    records[i] = nil
    if record then
      last = last + 1
      records[last] = record
    end
  end
end

local PIECE = 100 -- records; to normalise them takes about a quarter of a millisecond

--- Normalises records in place, and removes the elements that are not objects.
-- @tparam table records array as decoded
-- @tparam table description from @{describe}
-- @tparam[opt] table how `checkpoint`, a function that is called between pieces of long work: if it
-- returns a message, the work ends with it; `only`, an array with the indices of the records to
-- normalise; `keeps`, a function: of these records, those for which it returns false are removed
-- @treturn[1] table the same array
-- @treturn[1] number how many elements were removed because they are not objects
-- @treturn[2] nil
-- @treturn[2] string the message of `checkpoint`
function M.normalise(records, description, how)
  how = how or {}
  local only, keeps = how.only, how.keeps
  local unreadable, has_gaps = 0, false
  for i = 1, only and #only or #records do
    local at = only and only[i] or i
    local record = records[at]
    if not is_object(record) then
      unreadable, has_gaps, records[at] = unreadable + 1, true, false
    else
      normalise_record(record, description)
      if keeps and not keeps(record) then
        has_gaps, records[at] = true, false
      end
    end
    local stop = how.checkpoint and i % PIECE == 0 and how.checkpoint()
    if stop then
      return nil, stop
    end
  end
  if has_gaps then
    close_gaps(records)
  end
  return records, unreadable
end

return M
