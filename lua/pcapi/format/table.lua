--- Writes records as aligned columns of text, for people at a terminal.
--
-- `pcapi.format` describes the options, missing values and the escapes.
-- @module pcapi.format.table
local color = require "pcapi.format.color"
local core = require "pcapi.core"
local json_value = require "pcapi.format.json_value"
local text = require "pcapi.text"
local writer = require "pcapi.format.writer"

local concat, rep = table.concat, string.rep

local GAP = "  "
local MISSING = "-"
local LEAST_WIDTH = 4

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

local function new_column(field, options)
  local title = text.visible(options.titles and options.titles[field] or field)
  local state_of = options.color and options.state and options.state[field]
  return { field = field, title = title, cells = {}, cells_width = 0,
           shown = options.shown and options.shown[field],
           state_of = state_of, states = state_of and {},
           has_numbers = false, has_text = false }
end

local function value_of(column, record)
  local value = rawget(record, column.field)
  return value ~= nil and column.shown and column.shown(value) or value
end

local function add_state(column, value, record, row)
  if column.state_of then
    column.states[row] = column.state_of(value, record)
  end
end

-- Adds the cell of a record; returns a message if its value cannot be written.
local function add_cell(column, record, row)
  local value = value_of(column, record)
  local cell, message = cell_text(value)
  if not cell then
    return column.field .. ": " .. message
  end
  local is_number = type(value) == "number"
  column.has_numbers = column.has_numbers or is_number
  column.has_text = column.has_text or not is_number and cell ~= MISSING
  column.cells[row] = cell
  add_state(column, value, record, row)
  local width = text.width(cell)
  if width > column.cells_width then
    column.cells_width = width
  end
end

-- Adds the cells of records from an index on, see the step `rows`.
local function add_rows(self, list, first)
  local after, is_odd = core.cells(self.columns, list, first, self.count)
  for _, column in ipairs(self.columns) do
    for i = first, column.state_of and after - 1 or 0 do
      local record = rawget(list, i)
      add_state(column, value_of(column, record), record, self.count + 1 + i - first)
    end
  end
  return after, is_odd
end

-- A column is numeric if it has numbers and otherwise only gaps. Its numbers are never cut:
-- with fewer digits, one would be another number.
local function measure(columns)
  for _, column in ipairs(columns) do
    column.is_numeric = column.has_numbers and not column.has_text
    column.natural = math.max(column.cells_width, text.width(column.title))
    column.width = column.natural
    column.least = column.is_numeric and column.cells_width or LEAST_WIDTH
    column.title_least = math.max(column.cells_width, LEAST_WIDTH) -- before cells are cut
  end
end

-- By how much the lines are wider than the room.
local function excess_of(columns, room)
  local excess = #GAP * (#columns - 1) - room
  for _, column in ipairs(columns) do
    excess = excess + column.width
  end
  return excess
end

-- Cuts the widest column again and again, but none below the width in its field `least`.
local function cut_widest(columns, room, least)
  local excess = excess_of(columns, room)
  while excess > 0 do
    local widest
    for _, column in ipairs(columns) do
      if column.width > column[least] and (not widest or column.width > widest.width) then
        widest = column
      end
    end
    if not widest then
      return
    end
    widest.width = widest.width - 1
    excess = excess - 1
  end
end

-- Does one step of options.narrow. Returns the index of a column that is to be left out. With
-- `ascii` the ellipsis takes two columns more, so the cell has as much text.
local function narrow(columns, step, room, ascii)
  local field, least = step[1], step[2] + (ascii and step[2] > 0 and 2 or 0)
  for i, column in ipairs(columns) do
    if column.field == field and least == 0 then
      return #columns > 1 and i or nil
    elseif column.field == field then
      local wanted = column.width - math.max(excess_of(columns, room), 0)
      column.width = math.min(column.width, math.max(wanted, least, column.least))
    end
  end
end

-- Does the steps until the lines fit. When a column is left out, the others get their width back
-- and the steps begin again. Returns whether that is so.
local function do_steps(columns, options, room)
  for _, step in ipairs(options.narrow or {}) do
    local left_out = excess_of(columns, room) > 0
      and narrow(columns, step, room, options.ascii)
    if left_out then
      table.remove(columns, left_out)
      for _, column in ipairs(columns) do
        column.width = column.natural
      end
      return true
    end
  end
  return false
end

local function fit(columns, room, options)
  while do_steps(columns, options, room) do end -- luacheck: ignore 542
  for _, column in ipairs(columns) do
    -- No column can be wider than the line; this bounds the loops of cut_widest.
    column.width = math.min(column.width, math.max(column.least, room))
  end
  cut_widest(columns, room, "title_least")
  cut_widest(columns, room, "least")
end

local function pad(cell, column, is_last, state, ascii)
  local width = text.width(cell)
  if width > column.width then
    cell, width = text.cut(cell, column.width, ascii)
  end
  cell = state and color.paint(cell, state) or cell
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

local function put_header(self, columns)
  local parts, options = {}, self.options
  for c, column in ipairs(columns) do
    parts[c] = pad(column.title, column, c == #columns, nil, options.ascii)
  end
  local header = join(parts)
  writer.put(self, (options.color and color.bold(header) or header) .. "\n")
end

local function put_row(self, columns, row)
  local parts = {}
  for c, column in ipairs(columns) do
    local state = column.states and column.states[row]
    parts[c] = pad(column.cells[row], column, c == #columns, state, self.options.ascii)
  end
  writer.put(self, join(parts) .. "\n")
end

local function put_rows(self, columns)
  local row, lines = 1, core.liner()
  while row <= self.count do
    local piece, after, is_odd = lines(columns, row, self.count, writer.room(self),
      self.options.ascii)
    writer.put(self, piece)
    if is_odd then
      put_row(self, columns, after)
      after = after + 1
    end
    row = after
    if (not is_odd or writer.room(self) <= 0) and not writer.flush(self) then
      return
    end
  end
end

-- A message if an option does not map fields to values of a type.
local function map_problem(options, name, wanted, of)
  local map = options[name]
  if map ~= nil and type(map) ~= "table" then
    return ("options.%s must map fields to %s"):format(name, of)
  end
  for _, field in ipairs(options.columns) do
    if map and map[field] ~= nil and type(map[field]) ~= wanted then
      return ("options.%s.%s must be a %s"):format(name, field, wanted)
    end
  end
end

local function narrow_problem(steps)
  if steps ~= nil and type(steps) ~= "table" then
    return "options.narrow must be an array of steps"
  end
  for i, step in ipairs(steps or {}) do
    if type(step) ~= "table" or type(step[1]) ~= "string" or type(step[2]) ~= "number" then
      return ("options.narrow[%d] must be a field and a number of columns"):format(i)
    end
  end
end

local function check_options(options)
  local width = options.width
  if width ~= nil and not (type(width) == "number" and width >= 1) then
    return "options.width must be a number of terminal columns"
  end
  return map_problem(options, "titles", "string", "titles") or narrow_problem(options.narrow)
    or map_problem(options, "shown", "function", "functions")
    or map_problem(options, "state", "function", "functions")
end

return writer.format {
  needs_columns = true,
  needs_all = true,
  for_people = true,
  check = check_options,
  begin = function(self)
    self.columns = {}
    for i, field in ipairs(self.options.columns) do
      self.columns[i] = new_column(field, self.options)
    end
  end,
  rows = add_rows,
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
      fit(self.columns, math.floor(self.options.width), self.options)
    end
    put_header(self, self.columns)
    put_rows(self, self.columns)
  end,
}
