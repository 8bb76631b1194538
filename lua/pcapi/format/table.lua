--- Records as columns of text, for people at a terminal.
--
-- No value can move the cursor, recolour the screen or look like a row of its own:
-- control and invisible characters are written out, as `\n`, `\x1b`, `\u{202e}`,
-- and bytes that are not UTF-8 as `\xff`. Joiners that belong to a name stay
-- (`pcapi.text`).
-- @module pcapi.format.table

local json = require("pcapi.format.json")
local text = require("pcapi.text")

local concat, rep = table.concat, string.rep

local columns_format = {}

local GAP = "  "
local MISSING = "-"
local LEAST_WIDTH = 4
local BOLD, PLAIN = "\27[1m", "\27[0m"

-- The text of a cell; nil and a message for what no record should hold.
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
  local encoded, message = json.compact(value)
  return encoded == "null" and MISSING or encoded, message
end

-- A column is numeric if it has numbers and otherwise only gaps. Its numbers are
-- never cut: one with fewer digits would pass for another number.
local function read_column(list, count, field, title)
  local cells, width, has_numbers, has_text = {}, 0, false, false
  for i = 1, count do
    local value = rawget(rawget(list, i), field)
    local cell, message = cell_text(value)
    if not cell then
      return nil, "record " .. i .. ": " .. field .. ": " .. message
    end
    local is_number = type(value) == "number"
    has_numbers = has_numbers or is_number
    has_text = has_text or not is_number and cell ~= MISSING
    cells[i] = cell
    local cell_width = text.width(cell)
    if cell_width > width then
      width = cell_width
    end
  end
  local is_numeric = has_numbers and not has_text
  return {
    title = title, cells = cells, is_numeric = is_numeric,
    width = math.max(width, text.width(title)),
    least = is_numeric and width or LEAST_WIDTH,
  }
end

local function read_columns(list, count, options)
  local columns = {}
  for i, field in ipairs(options.columns) do
    local title = text.visible(options.titles and options.titles[field] or field)
    local column, message = read_column(list, count, field, title)
    if not column then
      return nil, message
    end
    columns[i] = column
  end
  return columns
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

--- Writes records as aligned columns under a header line; nothing for none.
--
-- Numbers are aligned to the right where a column has nothing else. Missing values
-- and blank strings are `-`, booleans `yes` and `no`, nested tables compact JSON.
-- @tparam table list the records: the array part, whatever else the table has
-- @tparam table options
-- @tparam {string,...} options.columns the fields to show, in this order
-- @tparam[opt] {[string]=string} options.titles the header's text for a field,
--   where it is not the field's name
-- @tparam[opt] number options.width terminal columns; the widest column is cut with
--   an ellipsis until lines fit, but texts not below 4 columns and numbers never.
--   Without it nothing is cut.
-- @tparam[opt=false] boolean options.color makes the header bold
-- @treturn string the whole output, each line with its end
-- @raise without columns, and for nested tables that JSON cannot hold
function columns_format.encode(list, options)
  local count, message = text.check(list, options, true)
  message = message or check_options(options)
  if message then
    error(message, 2)
  elseif count == 0 then
    return ""
  end
  local columns
  columns, message = read_columns(list, count, options)
  if not columns then
    error(message, 2)
  end
  if options.width then
    shrink(columns, math.floor(options.width))
  end
  return render(columns, count, options.color)
end

return columns_format
