--- Makes the functions `encode` and `open` of a format from the steps that produce its text.
-- @module pcapi.format.writer
local concat = table.concat

local M = {}

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
  local all = {}
  for name, value in pairs(options or {}) do
    all[name] = value
  end
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

-- `out` holds the pieces of text that are not yet written, `size` is their number.
local function new(steps, write, options)
  return setmetatable({ steps = steps, write = write, options = own(options), out = {}, size = 0,
                        count = 0 }, METATABLE)
end

local function begin(self)
  if not self.has_begun then
    self.has_begun = true
    if self.steps.begin then
      self.steps.begin(self)
    end
  end
end

-- Appends the text of records. Records are what rawget finds from 1 up to the first nil.
-- Returns a message if they cannot be written.
local function append(self, list)
  if type(list) ~= "table" then
    return "list must be a table, not a " .. type(list)
  end
  begin(self)
  local i, record = 1, rawget(list, 1)
  while record ~= nil do
    self.count = self.count + 1
    if type(record) ~= "table" then
      return "record " .. self.count .. " must be a table, not a " .. type(record)
    end
    local problem = self.steps.record(self, record)
    if problem then
      return "record " .. self.count .. ": " .. problem
    end
    i = i + 1
    record = rawget(list, i)
  end
end

local function finish(self)
  begin(self)
  return self.steps.finish and self.steps.finish(self)
end

local function flush(self)
  if self.size > 0 then
    local text = concat(self.out, "", 1, self.size)
    self.out, self.size = {}, 0
    local ok, err = self.write(text)
    if not ok and (ok == false or err ~= nil) then
      self.failure = err or "the text could not be written"
      return nil, self.failure
    end
  end
  return true
end

--- Writes records. After an error, a writer writes no more: `rows` and `close` return nil and
-- that error.
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
  self.failure = append(self, list)
  if self.failure then
    error(self.failure, 2)
  end
  return flush(self)
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
  self.failure = finish(self)
  if self.failure then
    error(self.failure, 2)
  end
  return flush(self)
end

--- Makes a format.
-- @section end

--- Makes a format of its steps. Each step but `check` takes the writer, whose pieces of text
-- it appends to `out` and counts in `size`; `options` are the caller's, with `columns` an array.
-- @tparam table steps
-- @tparam function steps.record appends one record; returns a message if it cannot be written
-- @tparam[opt] function steps.begin appends what precedes the first record
-- @tparam[opt] function steps.finish appends what follows the last record; returns a message if
-- records cannot be written
-- @tparam[opt] function steps.check returns a message if the options are wrong
-- @tparam[opt] boolean steps.needs_columns options.columns must name a field
-- @tparam[opt] boolean steps.needs_all nothing is written before `close`
-- @tparam[opt] boolean steps.for_people see `pcapi.format`
-- @treturn table a format, see `pcapi.format`
function M.format(steps)
  local format = { needs_all = steps.needs_all, for_people = steps.for_people }

  function format.encode(list, options)
    local problem = options_problem(steps, options)
    local writer = not problem and new(steps, nil, options)
    problem = problem or append(writer, list) or finish(writer)
    if problem then
      error(problem, 2)
    end
    return concat(writer.out, "", 1, writer.size)
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
