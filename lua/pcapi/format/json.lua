--- Records as one JSON array, a record a line.
--
-- The output is valid JSON (RFC 8259) whatever the records hold, and harmless on
-- a terminal: control, bidi, zero-width and other invisible characters are
-- escaped, but for joiners that belong to a name (`pcapi.text`); bytes that are
-- not UTF-8 become U+FFFD. Numbers read back as the same
-- number; NaN and infinities, which JSON lacks, are null.
--
-- A nested table is an array if its keys are 1 to n, else an object; an empty one
-- is `{}` unless options.empty_array is set. Object keys are sorted.
-- @module pcapi.format.json

local core = require("pcapi.core")
local text = require("pcapi.text")

local concat = table.concat
local find, format, gsub = string.find, string.format, string.gsub

local json = {}

local MAX_DEPTH = 100
local NONE = {}

local escape_unicode = text.replacer(function(code)
  if code < 0x10000 then
    return format("\\u%04x", code)
  end
  code = code - 0x10000
  return format("\\u%04x\\u%04x", 0xD800 + math.floor(code / 0x400), 0xDC00 + code % 0x400)
end, "\239\191\189")

local UNSLASHED = { ["\\/"] = "/" }

local function quote(value)
  local quoted = core.encode(value)
  if find(quoted, "\\", 1, true) then
    quoted = gsub(quoted, "\\.", UNSLASHED) -- in pairs, so that \\/ keeps its backslashes
  end
  return escape_unicode(quoted)
end

local function new_writer(options)
  local writer = {
    out = {}, size = 0, names = {}, open = {},
    null = core.null,
    empty = options and options.empty_array and "[]" or "{}",
    columns = options and options.columns or NONE, listed = {},
  }
  for _, field in ipairs(writer.columns) do
    writer.listed[field] = true
  end
  return writer
end

local function put(writer, piece)
  local size = writer.size + 1
  writer.size = size
  writer.out[size] = piece
end

local function put_name(writer, name)
  local quoted = writer.names[name]
  if not quoted then
    quoted = quote(name) .. ":"
    writer.names[name] = quoted
  end
  put(writer, quoted)
end

local function is_array(value)
  local count = 0
  for _ in next, value do
    count = count + 1
    if rawget(value, count) == nil then
      return false
    end
  end
  return count > 0
end

-- A key that is a number is written as a string, as JSON has no others; `keys`
-- leads from such a name back to its key.
local function collect_names(object, listed)
  local names, keys = {}, nil
  for key in next, object do
    local name = key
    if type(key) == "number" then
      name = text.number(key)
      keys = keys or {}
      keys[name or key] = key
    end
    if type(name) ~= "string" then
      return nil, "a key is a " .. type(key)
    elseif name ~= key and rawget(object, name) ~= nil then
      return nil, "the key " .. name .. " is there as a number and as a string"
    elseif name ~= key or not listed[name] then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names, keys
end

-- The functions called put_... from here on return a message if they fail, else nil.
local put_value

local function put_array(writer, array, depth)
  put(writer, "[")
  local i, item = 1, rawget(array, 1)
  while item ~= nil do
    if i > 1 then
      put(writer, ",")
    end
    local message = put_value(writer, item, depth + 1)
    if message then
      return message
    end
    i = i + 1
    item = rawget(array, i)
  end
  put(writer, "]")
end

local function put_members(writer, object, names, keys, depth)
  for i = 1, #names do
    local name = names[i]
    local value = rawget(object, keys and keys[name] or name)
    if value ~= nil then
      put_name(writer, name)
      local message = put_value(writer, value, depth + 1)
      if message then
        return message
      end
      put(writer, ",")
    end
  end
end

local function put_object(writer, object, depth, columns, listed)
  local names, keys = collect_names(object, listed)
  if not names then
    return keys
  end
  put(writer, "{")
  local start = writer.size
  local message = put_members(writer, object, columns, nil, depth)
    or put_members(writer, object, names, keys, depth)
  if message then
    return message
  elseif writer.size == start then
    put(writer, "}")
  else
    writer.out[writer.size] = "}" -- in place of the last comma
  end
end

local function put_table(writer, value, depth)
  if writer.open[value] then
    return "a table contains itself"
  elseif depth > MAX_DEPTH then
    return "nested deeper than " .. MAX_DEPTH .. " levels"
  elseif next(value) == nil then
    return put(writer, writer.empty)
  end
  writer.open[value] = true
  local message
  if is_array(value) then
    message = put_array(writer, value, depth)
  else
    message = put_object(writer, value, depth, NONE, NONE)
  end
  writer.open[value] = nil
  return message
end

function put_value(writer, value, depth)
  local kind = type(value)
  if kind == "string" then
    put(writer, quote(value))
  elseif kind == "number" then
    put(writer, text.number(value) or "null")
  elseif kind == "boolean" then
    put(writer, value and "true" or "false")
  elseif kind == "table" then
    return put_table(writer, value, depth)
  elseif value == writer.null then
    put(writer, "null")
  else
    return "a " .. kind .. " cannot be written"
  end
end

--- Writes one value as compact JSON.
-- @param value what a record's field may hold, null in arrays included
-- @treturn[1] string JSON on one line
-- @treturn[2] nil
-- @treturn[2] string why the value cannot be written
function json.compact(value)
  local writer = new_writer()
  local message = put_value(writer, value, 2)
  if message then
    return nil, message
  end
  return concat(writer.out)
end

--- Writes each record as compact JSON, with a separator between records.
-- @tparam table list the records
-- @tparam ?table options as for `encode`
-- @tparam string separator the text between two records
-- @treturn[1] string the objects, or "" for no records
-- @treturn[2] nil
-- @treturn[2] string the caller's mistake
function json.join(list, options, separator)
  local count, message = text.check(list, options)
  if not count then
    return nil, message
  end
  local writer = new_writer(options)
  for i = 1, count do
    local record = rawget(list, i)
    if i > 1 then
      put(writer, separator)
    end
    writer.open[record] = true
    message = put_object(writer, record, 1, writer.columns, writer.listed)
    writer.open[record] = nil
    if message then
      return nil, "record " .. i .. ": " .. message
    end
  end
  -- Records are never strings of their own on the way: Lua 5.1 hashes a few bytes
  -- of a long string, and likenesses among 100,000 of them cost minutes.
  return concat(writer.out)
end

--- Writes records as a JSON array: `[`, a record a line, `]`; for none `[]`.
-- @tparam table list the records: the array part, whatever else the table has
-- @tparam[opt] table options
-- @tparam[opt] {string,...} options.columns the fields that come first, in this
--   order; the others follow sorted
-- @tparam[opt=false] boolean options.empty_array writes an empty nested table as
--   `[]` instead of `{}`
-- @treturn string the whole output, with a line end
-- @raise for a table that contains itself or is nested deeper than 100 levels, and
--   for values that are not data, such as functions
function json.encode(list, options)
  local records, message = json.join(list, options, ",\n  ")
  if not records then
    error(message, 2)
  elseif records == "" then
    return "[]\n"
  end
  return "[\n  " .. records .. "\n]\n"
end

return json
