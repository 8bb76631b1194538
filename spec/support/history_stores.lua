--- Stores of the history for specs that hold for each: in memory, and in SQLite. Each function may
-- be called outside a transaction, and then runs in one of its own.
local folder = require "spec.support.folder"
local memory = require "spec.support.history_store"
local private_folder = require "spec.support.private_folder"

local unpack = table.unpack or unpack -- luacheck: ignore

local M = {}

local opened = {}

-- An iterator over the values of another one, all of which are read now.
local function collected(iterator)
  local values, i = {}, 0
  for value in iterator do
    values[#values + 1] = value
  end
  return function()
    i = i + 1
    return values[i]
  end
end

-- Each call in a transaction, unless it is in one.
local function wrap(store)
  local wrapped = { store = store, is_in = false }
  return setmetatable(wrapped, { __index = function(_, name)
    return function(_, ...)
      local args = { n = select("#", ...), ... }
      if wrapped.is_in then
        return store[name](store, ...)
      elseif name == "transaction" or name == "read" then
        return store[name](store, function(...)
          wrapped.is_in = true
          local results = { pcall(args[1], ...) }
          wrapped.is_in = false
          if not results[1] then
            error(results[2], 0)
          end
          return results[2], results[3]
        end)
      end
      local result
      assert(store:transaction(function()
        result = store[name](store, unpack(args, 1, args.n))
        result = type(result) == "function" and collected(result) or result
        return true
      end))
      return result
    end
  end })
end

--- Makes a store in SQLite, in a new folder.
function M.sqlite()
  private_folder.new()
  local store = assert(require("pcapi.history.store").open(private_folder.path "history.sqlite"))
  opened[#opened + 1] = store
  return wrap(store)
end

--- Makes a store in memory.
function M.memory()
  return memory.new()
end

--- Closes all stores in SQLite, and removes their folders.
function M.remove()
  for i = #opened, 1, -1 do
    opened[i]:close()
    opened[i] = nil
  end
  folder.remove()
end

--- The kinds of stores that this Lua can make: name to function.
function M.kinds()
  return { memory = M.memory, sqlite = M.sqlite }
end

return M
