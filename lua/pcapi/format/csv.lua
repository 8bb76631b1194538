--- Writes records as CSV (RFC 4180) that is safe to open in a spreadsheet.
--
-- `pcapi.format` describes the options, missing values, formula protection and the escapes.
-- @module pcapi.format.csv
local json_value = require "pcapi.format.json_value"
local text = require "pcapi.text"
local writer = require "pcapi.format.writer"

local put = writer.put
local find, gsub, match, sub = string.find, string.gsub, string.match, string.sub

-- Spreadsheets in Chinese and Japanese read the full-width signs like those of ASCII.
local FULL_WIDTH_SIGN = { ["＝"] = true, ["＋"] = true, ["－"] = true, ["＠"] = true }

-- Spreadsheets drop blanks in front of a formula, those of Unicode too.
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

-- RFC 4180 §2 requires quotes around commas, quotes and line ends; semicolons, tabs and outer
-- spaces are quoted for readers that split at them or trim them.
local function quote(value)
  if find(value, '[",;\t\r\n]') or find(value, "^ ") or find(value, " $") then
    return '"' .. gsub(value, '"', '""') .. '"'
  end
  return value
end

local function encode_text(value)
  if find(value, "^%w[%w.@_-]*$") then -- nearly all cells
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
  local encoded, message = json_value.compact(value)
  if not encoded then
    return nil, message
  end
  return encoded == "null" and "" or quote(encoded)
end

-- Appends the cells of a row and its line end; returns a message if a cell cannot be written.
local function put_row(self, record)
  local columns = self.options.columns
  for i = 1, #columns do
    local cell, message = encode_cell(rawget(record, columns[i]))
    if not cell then
      return columns[i] .. ": " .. message
    elseif #columns == 1 and cell == "" then
      cell = '""' -- readers skip an empty line
    end
    put(self, cell)
    put(self, i < #columns and "," or "\r\n")
  end
end

return writer.format {
  kind = "csv",
  needs_columns = true,
  begin = function(self)
    local titles = {}
    for _, field in ipairs(self.options.columns) do
      titles[field] = field
    end
    put_row(self, titles)
  end,
  record = put_row,
}
