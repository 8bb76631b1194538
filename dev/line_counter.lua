--- Counts the lines of lua/ that run in this process, and writes them when its
-- Lua state closes: one file per process, in the folder PCAPI_COVERAGE. To be
-- started by LUA_INIT, so that commands which specs run are counted too.
local directory = assert(os.getenv "PCAPI_COVERAGE")
local hits = {}

local function note(_, line)
  local file = debug.getinfo(2, "S").source:match "(lua/pcapi/[%w_/]+%.lua)$"
  if file then
    hits[file] = hits[file] or {}
    hits[file][line] = true
  end
end

local function write()
  debug.sethook()
  local name = os.tmpname()
  os.remove(name)
  local file = assert(io.open(directory .. "/" .. name:match "[^/]+$", "w"))
  for path, lines in pairs(hits) do
    for line in pairs(lines) do
      file:write(path, ":", line, "\n")
    end
  end
  file:close()
end

debug.sethook(note, "l")
-- kept alive by the registry of loaded modules until the state closes
return setmetatable({}, { __gc = write })
