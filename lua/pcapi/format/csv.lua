--- Records as CSV (RFC 4180), safe to open in a spreadsheet.
--
-- A text that a spreadsheet would take for a formula gets a `'` in front (OWASP,
-- CSV injection), also behind blanks; numbers do not. Within a text TAB, LF and CR stay as
-- they are, quoted; other control and invisible characters and bytes that are not UTF-8 are
-- written `\x1b`, `\u{202e}`, `\xff`, so that nothing is lost unseen. Joiners that belong to a
-- name stay (`pcapi.text`). No byte order mark.
-- @module pcapi.format.csv

local json = require("pcapi.format.json")
local text = require("pcapi.text")

local find, gsub, match, sub = string.find, string.gsub, string.match, string.sub
local concat = table.concat

local csv = {}

-- Spreadsheets in Chinese and Japanese read the full-width signs as their ASCII twins.
local FULL_WIDTH_SIGN = { ["＝"] = true, ["＋"] = true, ["－"] = true, ["＠"] = true }

-- Spreadsheets drop blanks in front of what looks like a formula; Unicode has more of them.
local BLANKS = { "^[ \t\r\n]+()", "^\194\160()", "^\225\154\128()", "^\226\128[\128-\138\175]()",
                 "^\226\129\159()", "^\227\128\128()" }

local function skip_blanks(value)
  local at, i = 1, 1
  while BLANKS[i] do
    local after = match(value, BLANKS[i], at)
    at, i = after or at, after and 1 or i + 1
  end
  return at
end

local function defuse(value)
  local at = find(value, "^[ \194\225-\227]") and skip_blanks(value) or 1
  if find(value, "^[=+@-]", at) or find(value, "^[\t\r\n]")
    or FULL_WIDTH_SIGN[sub(value, at, at + 2)] then
    return "'" .. value
  end
  return value
end

-- RFC 4180 §2 asks for quotes around commas, quotes and line ends; semicolons, tabs
-- and outer spaces are quoted for readers that split on or trim them.
local function quote(value)
  if find(value, '[",;\t\r\n]') or find(value, "^ ") or find(value, " $") then
    return '"' .. gsub(value, '"', '""') .. '"'
  end
  return value
end

local function encode_text(value)
  if find(value, "^%w[%w.@_-]*$") then -- what nearly all cells are
    return value
  end
  return quote(defuse(text.visible(value, true)))
end

local function encode_cell(value)
  local kind = type(value)
  if kind == "string" then
    return encode_text(value)
  elseif kind == "number" then
    return text.number(value) or ""
  elseif kind == "boolean" then
    return value and "true" or "false"
  elseif kind == "nil" then
    return ""
  end
  local encoded, message = json.compact(value)
  if not encoded then
    return nil, message
  end
  return encoded == "null" and "" or quote(encoded)
end

-- Adds the cells of a row and its line end; a message if one cannot be written.
local function put_row(out, size, record, columns)
  for i = 1, #columns do
    local cell, message = encode_cell(rawget(record, columns[i]))
    if not cell then
      return nil, columns[i] .. ": " .. message
    end
    out[size + 1] = cell
    out[size + 2] = ","
    size = size + 2
  end
  if #columns == 1 and out[size - 1] == "" then
    out[size - 1] = '""' -- an empty line would read as no record at all
  end
  out[size] = "\r\n" -- in place of the last comma
  return size
end

--- Writes records as CSV with a header row; for none, the header alone.
--
-- Missing values, NaN and infinities are empty, booleans `true` and `false`,
-- nested tables compact JSON.
-- @tparam table list the records: the array part, whatever else the table has
-- @tparam table options
-- @tparam {string,...} options.columns the fields to write, in this order
-- @treturn string the whole output, each row ended by CR LF
-- @raise without columns, and for nested tables that JSON cannot hold
function csv.encode(list, options)
  local count, message = text.check(list, options, true)
  if not count then
    error(message, 2)
  end
  local columns, out, titles = options.columns, {}, {}
  for _, field in ipairs(columns) do
    titles[field] = field
  end
  local size = put_row(out, 0, titles, columns)
  for i = 1, count do
    size, message = put_row(out, size, rawget(list, i), columns)
    if not size then
      error("record " .. i .. ": " .. message, 2)
    end
  end
  return concat(out)
end

return csv
