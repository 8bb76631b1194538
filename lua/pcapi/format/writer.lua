--- Makes the functions `encode` and `open` of a format from the steps that produce its text.
-- @module pcapi.format.writer
local copy = require "pcapi.copy"
local core = require "pcapi.core"

local concat = table.concat

local M = {}

-- Bytes of a piece of text for the caller's function `write`: as many as the core writes at once.
local PIECE = core.rows_room

--- Appends a piece of text.
-- @tparam table writer
-- @tparam string piece
function M.put(writer, piece)
  local size = writer.size + 1
  writer.size, writer.bytes = size, writer.bytes + #piece
  writer.out[size] = piece
end

--- How many bytes may be appended before @{flush} should be called.
-- @tparam table writer
-- @treturn number
function M.room(writer)
  return PIECE - writer.bytes
end

--- Writes what has been appended.
-- @tparam table writer
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @return[2] the error of the function `write`, now or earlier
function M.flush(writer)
  if writer.failure then
    return nil, writer.failure
  elseif writer.size > 0 then
    local text = writer.size == 1 and writer.out[1] or concat(writer.out, "", 1, writer.size)
    writer.out, writer.size, writer.bytes = {}, 0, 0
    local ok, err = writer.write(text)
    if not ok and (ok == false or err ~= nil) then
      writer.failure = err or "the text could not be written"
      return nil, writer.failure
    end
  end
  return true
end

local function columns_problem(columns)
  if type(columns) ~= "table" then
    return "options.columns must be an array of field names"
  end
  local seen = {}
  for i, field in ipairs(columns) do
    if type(field) ~= "string" then
      return "options.columns[" .. i .. "] must be a string"
    elseif seen[field] then
      return "options.columns has '" .. field .. "' twice"
    end
    seen[field] = true
  end
end

local function options_problem(steps, options)
  if options ~= nil and type(options) ~= "table" then
    return "options must be a table, not a " .. type(options)
  end
  local columns = options and options.columns
  if columns ~= nil or steps.needs_columns then
    local problem = columns_problem(columns)
    if problem then
      return problem
    elseif steps.needs_columns and #columns == 0 then
      return "options.columns must name at least one field"
    end
  end
  return steps.check and steps.check(options)
end

-- A copy, so that what the caller changes later has no effect on an open writer.
local function own(options)
  local all = copy.with(options)
  all.columns = {}
  for i, field in ipairs(options and options.columns or {}) do
    all.columns[i] = field
  end
  return all
end

--- A writer of rows; `open` returns one.
-- @type Writer
local Writer = {}
local METATABLE = { __index = Writer, __name = "pcapi.format.writer" }

-- `out` holds the pieces of text that are not yet written, `size` is their number, `bytes` that of
-- their bytes.
local function new(steps, write, options)
  return setmetatable({ steps = steps, write = write, options = own(options), out = {}, size = 0,
                        bytes = 0, count = 0 }, METATABLE)
end

-- Makes the step `rows` of a format whose plain rows the core writes.
local function rows_by_core(self)
  local options = self.options
  local rows = core.rows(self.steps.kind, options.columns, options.only_columns)
  return rows and function(writer, list, first)
    local text, after, is_odd = rows(list, first, M.room(writer), writer.count)
    M.put(writer, text)
    return after, is_odd
  end
end

local function no_rows(_, _, first)
  return first, true
end

local function begin(self)
  if not self.put_rows then
    local steps = self.steps
    self.put_rows = steps.rows or rows_by_core(self) or no_rows
    if steps.begin then
      steps.begin(self)
    end
  end
end

-- Appends the text of one record. Returns a message if it cannot be written.
local function put_record(self, record)
  self.count = self.count + 1
  if type(record) ~= "table" then
    return "record " .. self.count .. " must be a table, not a " .. type(record)
  end
  local problem = self.steps.record(self, record)
  return problem and "record " .. self.count .. ": " .. problem
end

-- Writes the text of records, but for the end of it. Records are what rawget finds from 1 up to the
-- first nil. Returns a message if they cannot be written.
local function append(self, list)
  if type(list) ~= "table" then
    return "list must be a table, not a " .. type(list)
  end
  begin(self)
  local i = 1
  while rawget(list, i) ~= nil do
    local after, is_odd = self.put_rows(self, list, i)
    self.count = self.count + after - i
    i = after
    if is_odd then
      local problem = put_record(self, rawget(list, i))
      if problem then
        return problem
      end
      i = i + 1
    end
    local is_full = M.room(self) <= 0 or not is_odd and rawget(list, i) ~= nil
    if is_full and not M.flush(self) then
      return
    end
  end
end

local function finish(self)
  begin(self)
  return self.steps.finish and self.steps.finish(self)
end

--- Writes records. After an error, a writer writes no more: `rows` and `close` return nil and
-- that error. Records of the same list that come before it may have been written.
-- @tparam table list the array part holds the records
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @return[2] the error of the function `write`
-- @raise for records that cannot be written, and after `close`
function Writer:rows(list)
  if self.failure then
    return nil, self.failure
  elseif self.is_closed then
    error("the writer is closed", 2)
  end
  local problem = append(self, list)
  if problem then
    self.failure = problem
    error(problem, 2)
  end
  return M.flush(self)
end

--- Writes what must follow the last record. A second call does nothing.
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @return[2] the error of the function `write`
-- @raise for records that cannot be written, in a format that needs all of them
function Writer:close()
  if self.failure then
    return nil, self.failure
  elseif self.is_closed then
    return true
  end
  self.is_closed = true
  local problem = finish(self)
  if problem then
    self.failure = problem
    error(problem, 2)
  end
  return M.flush(self)
end

--- Makes a format.
-- @section end

--- Makes a format of its steps. Each step but `check` takes the writer, to which it appends
-- pieces of text by @{put}; `options` are the caller's, with `columns` an array, and `count` is the
-- number of records.
-- @tparam table steps
-- @tparam function steps.record appends one record; returns a message if it cannot be written
-- @tparam[opt] function steps.rows takes a list and an index. It appends the records from there
-- on, up to one that only `record` can write. Returns the index of the next record, and whether
-- that is such a one
-- @tparam[opt] string steps.kind in place of `rows`: the core writes rows of this kind
-- @tparam[opt] function steps.begin appends what precedes the first record
-- @tparam[opt] function steps.finish appends what follows the last record; returns a message if
-- records cannot be written
-- @tparam[opt] function steps.check returns a message if the options are wrong
-- @tparam[opt] boolean steps.needs_columns options.columns must name a field
-- @tparam[opt] boolean steps.needs_all nothing is written before `close`
-- @tparam[opt] boolean steps.for_people see `pcapi.format`
-- @treturn table a format, see `pcapi.format`
function M.format(steps)
  local format = { needs_all = steps.needs_all, for_people = steps.for_people, selects = true }

  function format.encode(list, options)
    local texts = {}
    local function collect(text)
      texts[#texts + 1] = text
      return true
    end
    local problem = options_problem(steps, options)
    local writer = not problem and new(steps, collect, options)
    problem = problem or append(writer, list) or finish(writer)
    if problem then
      error(problem, 2)
    end
    M.flush(writer)
    return concat(texts)
  end

  function format.open(write, options)
    local problem = type(write) ~= "function" and "write must be a function, not a " .. type(write)
      or options_problem(steps, options)
    if problem then
      error(problem, 2)
    end
    return new(steps, write, options)
  end

  return format
end

return M
