--- Checks tables of named options. A mistyped name raises an error that suggests the right one.
-- @module pcapi.check
local M = {}

-- Counts the single-character edits between two words (Levenshtein).
local function distance(a, b)
  local row = {}
  for j = 0, #b do
    row[j] = j
  end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
      diagonal, row[j] = row[j], best
    end
  end
  return row[#b]
end

local LONGEST = 64 -- bytes of a name that can be a mistyped one

--- Suggests the name that was meant by a mistyped one.
-- @tparam string name the mistyped name
-- @tparam table names its keys are the valid names
-- @treturn string `; did you mean "…"?`, or an empty text if no name is similar
function M.near(name, names)
  name = tostring(name)
  local near, nearest = nil, 2 + math.floor(#name / 4)
  for candidate in pairs(#name <= LONGEST and names or {}) do
    local d = distance(name:lower():gsub("_", ""), candidate:lower():gsub("_", ""))
    if d < nearest or d == nearest and near and candidate < near then
      near, nearest = candidate, d
    end
  end
  return near and ('; did you mean "%s"?'):format(near) or ""
end

--- Suggests a name for a mistyped one.
-- @tparam string name the mistyped name
-- @tparam table names its keys are the valid names
-- @treturn string `; did you mean "…"?`, or a sorted list of all names if none is similar
function M.suggest(name, names)
  local near = M.near(name, names)
  if near ~= "" then
    return near
  end
  local known = {}
  for candidate in pairs(names) do
    known[#known + 1] = candidate
  end
  table.sort(known)
  return "; there are: " .. table.concat(known, ", ")
end

local function is_one_of(value, types)
  for wanted in types:gmatch("[^|]+") do
    local positive = wanted == "seconds" or wanted == "bytes" or wanted == "count"
    local line = wanted == "line" and type(value) == "string" and value:find("^%C+$")
    if type(value) == wanted or line or positive and type(value) == "number" and value > 0 then
      return true
    end
  end
  return false
end

--- Raises an error at the caller's line if an option is unknown or has a wrong type.
-- @tparam ?table options of the caller
-- @tparam table schema option name to types, such as "string|function". The words seconds, bytes
-- and count mean a positive number, line means a text without control characters
-- @tparam string what name of the function, for the message
-- @tparam[opt=2] number level as for `error`, counted from the caller of this function
-- @treturn table options, or an empty table for nil
function M.options(options, schema, what, level)
  level = (level or 2) + 1
  if options == nil then
    return {}
  elseif type(options) ~= "table" then
    error(("%s takes a table of options, not a %s"):format(what, type(options)), level)
  end
  for name, value in pairs(options) do
    local types = schema[name]
    if not types then
      error(("%s has no option %q%s"):format(what, tostring(name), M.suggest(name, schema)), level)
    elseif type(value) ~= types and not is_one_of(value, types) then
      error(("%s: option %q must be %s, not %s"):format(
        what, name, types:gsub("|", " or "):gsub("seconds", "a positive number of seconds")
          :gsub("bytes", "a positive number of bytes"):gsub("count", "a positive number")
          :gsub("line", "one line of text"),
        type(value) == "number" and tostring(value) or type(value)), level)
    end
  end
  return options
end

--- Raises an error at the caller's line if a table has keys that an array does not have: their
-- values would be ignored without notice. Indexes below 1 are allowed, as `arg` has them.
-- @tparam table array
-- @tparam string what its name, for the message
-- @tparam[opt=2] number level as for `error`, counted from the caller of this function
function M.array(array, what, level)
  for key in pairs(array) do
    if type(key) ~= "number" or key > #array then
      error(("%s must be an array, without the key %q"):format(what, tostring(key)),
        (level or 2) + 1)
    end
  end
end

return M
