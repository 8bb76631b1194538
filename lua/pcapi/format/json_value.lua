--- Writes values as compact JSON (RFC 8259), which is harmless on a terminal.
--
-- Control, bidi, zero-width and other invisible characters are escaped, except joiners that
-- belong to a name (`pcapi.text`). Bytes that are not UTF-8 become U+FFFD. Numbers read back as
-- the same number; NaN and infinities, which JSON lacks, are null.
--
-- A nested table is an array if its keys are 1 to n, else an object. Object keys are sorted.
-- @module pcapi.format.json_value

local core = require("pcapi.core")
local text = require("pcapi.text")
local writer = require("pcapi.format.writer")

local put = writer.put

local concat = table.concat
local find, format, gsub = string.find, string.format, string.gsub

local M = {}

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

-- Makes a table with `out` (pieces of text), `size` (their number) and `bytes` ready for JSON.
local function prepare(target, options)
  target.names, target.parents, target.listed = {}, {}, {}
  target.null = core.null
  target.empty = options.empty_array and "[]" or "{}"
  target.columns = options.columns or NONE
  for _, field in ipairs(target.columns) do
    target.listed[field] = true
  end
  if options.only_columns then
    target.listed = nil
  end
  return target
end

local function put_name(target, name)
  local quoted = target.names[name]
  if not quoted then
    quoted = quote(name) .. ":"
    target.names[name] = quoted
  end
  put(target, quoted)
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

-- The names of the members that `listed` does not have; none if it is nil. JSON has only strings as
-- keys, so a number is written as a string; `keys` maps such a name to its key.
local function collect_names(object, listed)
  if not listed then
    return NONE
  end
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
      return nil, "the key " .. name .. " exists as a number and as a string"
    elseif name ~= key or not listed[name] then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names, keys
end

-- From here on the functions called put_... return a message if they fail.
local put_value

local function put_array(target, array, depth)
  put(target, "[")
  local i, item = 1, rawget(array, 1)
  while item ~= nil do
    if i > 1 then
      put(target, ",")
    end
    local message = put_value(target, item, depth + 1)
    if message then
      return message
    end
    i = i + 1
    item = rawget(array, i)
  end
  put(target, "]")
end

local function put_members(target, object, names, keys, depth)
  for i = 1, #names do
    local name = names[i]
    local value = rawget(object, keys and keys[name] or name)
    if value ~= nil then
      put_name(target, name)
      local message = put_value(target, value, depth + 1)
      if message then
        return message
      end
      put(target, ",")
    end
  end
end

local function put_object(target, object, depth, columns, listed)
  local names, keys = collect_names(object, listed)
  if not names then
    return keys
  end
  put(target, "{")
  local start = target.size
  local message = put_members(target, object, columns, nil, depth)
    or put_members(target, object, names, keys, depth)
  if message then
    return message
  elseif target.size == start then
    put(target, "}")
  else
    target.out[target.size] = "}" -- in place of the last comma
  end
end

local function put_table(target, value, depth)
  if target.parents[value] then
    return "a table contains itself"
  elseif depth > MAX_DEPTH then
    return "nested deeper than " .. MAX_DEPTH .. " levels"
  elseif next(value) == nil then
    return put(target, target.empty)
  end
  target.parents[value] = true
  local message
  if is_array(value) then
    message = put_array(target, value, depth)
  else
    message = put_object(target, value, depth, NONE, NONE)
  end
  target.parents[value] = nil
  return message
end

function put_value(target, value, depth)
  local kind = type(value)
  if kind == "string" then
    put(target, quote(value))
  elseif kind == "number" then
    put(target, text.number(value) or "null")
  elseif kind == "boolean" then
    put(target, value and "true" or "false")
  elseif kind == "table" then
    return put_table(target, value, depth)
  elseif value == target.null then
    put(target, "null")
  else
    return "a " .. kind .. " cannot be written"
  end
end

--- Writes one value as compact JSON.
-- @param value what a record's field may hold, null in arrays included
-- @tparam[opt] table options `empty_array`: an empty table is `[]`, not `{}`
-- @treturn[1] string JSON on one line
-- @treturn[2] nil
-- @treturn[2] string why the value cannot be written
function M.compact(value, options)
  local target = prepare({ out = {}, size = 0, bytes = 0 }, options or NONE)
  local message = put_value(target, value, 2)
  if message then
    return nil, message
  end
  return concat(target.out)
end

--- Prepares a writer of `pcapi.format.writer` for `put_record`.
-- @tparam table target the writer
function M.begin(target)
  prepare(target, target.options)
end

--- Appends a record to a writer: first the fields of options.columns, in their order, then the
-- others, sorted.
--
-- A record is never a string of its own: Lua 5.1 hashes only a few bytes of a long string, and
-- similar strings, 100,000 of them, would cost minutes.
-- @tparam table target the writer
-- @tparam table record
-- @treturn ?string why the record cannot be written
function M.put_record(target, record)
  target.parents[record] = true
  local message = put_object(target, record, 1, target.columns, target.listed)
  target.parents[record] = nil
  return message
end

return M
