--- Makes records what the rest of the page takes them for, whatever the service has sent: each
-- described field is of its type or missing, counts can be added, and all of it can be JSON.
local cjson = require "cjson"
local utf8 = require "page.utf8"

local MOST = 2 ^ 53 -- of a count: no day has more, and sums stay numbers
local DEEPEST = 20 -- tables within each other in a field that is not described

local function is_number(value)
  return type(value) == "number" and value == value and value > -math.huge and value < math.huge
end

local AS = {
  s = function(value)
    local kind = type(value)
    if kind == "string" then
      return utf8(value)
    elseif is_number(value) or kind == "boolean" then
      return kind == "number" and ("%.14g"):format(value) or tostring(value)
    end
  end,
  n = function(value)
    return is_number(value) and value >= 0 and value <= MOST and value or nil
  end,
  b = function(value)
    if type(value) == "boolean" then
      return value
    end
  end,
}

-- A field that nobody here reads: as it is, where JSON has it.
local function plain(value, depth)
  local kind = type(value)
  if kind == "string" then
    return utf8(value)
  elseif kind == "number" then
    return is_number(value) and value or nil
  elseif kind ~= "table" then
    return kind == "boolean" and value or nil
  elseif depth == DEEPEST then
    return nil
  end
  local copy = {}
  for key, item in pairs(value) do
    item = plain(item, depth + 1)
    if type(key) == "number" then -- an array keeps its places
      copy[key] = item == nil and cjson.null or item
    else
      copy[utf8(key)] = item
    end
  end
  return copy
end

-- By name, how a described field is to be read.
local function readers_of(description)
  local readers = {}
  for i, name in ipairs(description.columns) do
    readers[name] = AS[description.kinds:sub(i, i)]
  end
  return readers
end

--- Cleans the records of a list in place.
-- @tparam pcapi.list list
-- @treturn pcapi.list the same
return function(list)
  local readers = readers_of(list.resource.description)
  for i = 1, #list do
    local clean = {}
    for name, value in pairs(type(list[i]) == "table" and list[i] or {}) do
      local read = readers[name]
      if read then
        clean[name] = read(value)
      else
        clean[utf8(tostring(name))] = plain(value, 0)
      end
    end
    list[i] = clean
  end
  return list
end
