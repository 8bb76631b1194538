--- Records which lines of lua/ run in this process and writes them when the Lua state closes: one
-- file per process, in the folder PCAPI_COVERAGE. LUA_INIT loads this module, so that commands that
-- specs start are counted too.
local directory = assert(os.getenv "PCAPI_COVERAGE")
local hits = {} -- by path
local hits_of = {} -- by source; false if the source is not counted

local function hits_in(source)
  local path = source:match "(lua/pcapi/[%w_/]+%.lua)$"
  if path then
    hits[path] = hits[path] or {}
  end
  hits_of[source] = hits[path] or false
  return hits_of[source]
end

local getinfo = debug.getinfo

local function note(_, line)
  local source = getinfo(2, "S").source
  local lines = hits_of[source]
  if lines == nil then
    lines = hits_in(source)
  end
  if lines then
    lines[line] = true
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
-- package.loaded keeps this table alive until the state closes
return setmetatable({}, { __gc = write })
