--- Writes records as aligned columns of text, for people at a terminal.
--
-- `pcapi.format` describes the options, missing values and the escapes.
-- @module pcapi.format.table
local json_value = require "pcapi.format.json_value"
local text = require "pcapi.text"
local writer = require "pcapi.format.writer"

local concat, rep = table.concat, string.rep

local GAP = "  "
local MISSING = "-"
local LEAST_WIDTH = 4
local BOLD, PLAIN = "\27[1m", "\27[0m"

-- The text of a cell; nil and a message if the value is not data.
local function cell_text(value)
  local kind = type(value)
  if kind == "string" then
    return value:find("[^ ]") and text.visible(value) or MISSING
  elseif kind == "number" then
    return text.number(value) or MISSING
  elseif kind == "boolean" then
    return value and "yes" or "no"
  elseif kind == "nil" then
    return MISSING
  end
  local encoded, message = json_value.compact(value)
  return encoded == "null" and MISSING or encoded, message
end

local function new_column(field, titles)
  local title = text.visible(titles and titles[field] or field)
  return { field = field, title = title, cells = {}, cells_width = 0,
           has_numbers = false, has_text = false }
end

-- Adds the cell of a record; returns a message if its value cannot be written.
local function add_cell(column, record, row)
  local value = rawget(record, column.field)
  local cell, message = cell_text(value)
  if not cell then
    return column.field .. ": " .. message
  end
  local is_number = type(value) == "number"
  column.has_numbers = column.has_numbers or is_number
  column.has_text = column.has_text or not is_number and cell ~= MISSING
  column.cells[row] = cell
  local width = text.width(cell)
  if width > column.cells_width then
    column.cells_width = width
  end
end

-- A column is numeric if it has numbers and otherwise only gaps. Its numbers are never cut:
-- with fewer digits, one would be another number.
local function measure(columns)
  for _, column in ipairs(columns) do
    column.is_numeric = column.has_numbers and not column.has_text
    column.width = math.max(column.cells_width, text.width(column.title))
    column.least = column.is_numeric and column.cells_width or LEAST_WIDTH
  end
end

local function widest_of(columns)
  local widest
  for _, column in ipairs(columns) do
    if column.width > column.least and (not widest or column.width > widest.width) then
      widest = column
    end
  end
  return widest
end

local function shrink(columns, room)
  local total = #GAP * (#columns - 1)
  for _, column in ipairs(columns) do
    -- No column can be wider than the line; this bounds the loop below.
    column.width = math.min(column.width, math.max(column.least, room))
    total = total + column.width
  end
  local widest = widest_of(columns)
  while total > room and widest do
    widest.width = widest.width - 1
    total = total - 1
    widest = widest_of(columns)
  end
end

local function pad(cell, column, is_last)
  local width = text.width(cell)
  if width > column.width then
    cell, width = text.cut(cell, column.width)
  end
  if width == column.width then
    return cell
  end
  local spaces = rep(" ", column.width - width)
  if column.is_numeric then
    return spaces .. cell
  end
  return is_last and cell or cell .. spaces
end

local function join(parts)
  local line = concat(parts, GAP)
  return line:sub(-1) == " " and line:match("^.*[^ ]") or line
end

local function render(columns, count, color)
  local parts, lines = {}, {}
  for c, column in ipairs(columns) do
    parts[c] = pad(column.title, column, c == #columns)
  end
  local header = join(parts)
  lines[1] = color and BOLD .. header .. PLAIN or header
  for row = 1, count do
    for c, column in ipairs(columns) do
      parts[c] = pad(column.cells[row], column, c == #columns)
    end
    lines[row + 1] = join(parts)
  end
  lines[count + 2] = ""
  return concat(lines, "\n")
end

local function check_options(options)
  local width, titles = options.width, options.titles
  if width ~= nil and not (type(width) == "number" and width >= 1) then
    return "options.width must be a number of terminal columns"
  elseif titles ~= nil and type(titles) ~= "table" then
    return "options.titles must map fields to titles"
  end
  for _, field in ipairs(options.columns) do
    if titles and titles[field] ~= nil and type(titles[field]) ~= "string" then
      return "options.titles." .. field .. " must be a string"
    end
  end
end

return writer.format {
  needs_columns = true,
  needs_all = true,
  for_people = true,
  check = check_options,
  begin = function(self)
    self.columns = {}
    for i, field in ipairs(self.options.columns) do
      self.columns[i] = new_column(field, self.options.titles)
    end
  end,
  record = function(self, record)
    for _, column in ipairs(self.columns) do
      local message = add_cell(column, record, self.count)
      if message then
        return message
      end
    end
  end,
  finish = function(self)
    if self.count == 0 then
      return
    end
    measure(self.columns)
    if self.options.width then
      shrink(self.columns, math.floor(self.options.width))
    end
    self.out[1], self.size = render(self.columns, self.count, self.options.color), 1
  end,
}
