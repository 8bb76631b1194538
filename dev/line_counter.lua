-- luacheck: globals coroutine os
--- Counts the lines of lua/ that run, in this process and its coroutines, and
-- writes them when the state closes: one file per process.
local M = {}

local function note(hits)
  return function(_, line)
    local source = debug.getinfo(2, "S").source
    local file = source:match "(lua/pcapi/[%w_/]+%.lua)$"
    if file then
      hits[file] = hits[file] or {}
      hits[file][line] = true
    end
  end
end

local function write(directory, hits)
  os.execute("mkdir -p '" .. directory .. "'")
  local name = os.tmpname()
  local file = assert(io.open(directory .. "/" .. name:match "[^/]+$", "w"))
  os.remove(name)
  for path, lines in pairs(hits) do
    for line in pairs(lines) do
      file:write(path, ":", line, "\n")
    end
  end
  file:close()
end

function M.start(directory)
  local hits = {}
  local hook = note(hits)
  debug.sethook(hook, "l")
  local create = coroutine.create
  local wrap = coroutine.wrap
  coroutine.create = function(f)
    local thread = create(f)
    debug.sethook(thread, hook, "l")
    return thread
  end
  coroutine.wrap = function(f)
    return wrap(function(...)
      debug.sethook(hook, "l")
      return f(...)
    end)
  end
  local exit = os.exit
  os.exit = function(...)
    debug.sethook()
    write(directory, hits)
    exit(...)
  end
end

return M
