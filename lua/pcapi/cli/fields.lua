--- The fields of a list, as its documentation describes them. The doc comments of a resource are
-- the only description of its fields: the function reference and the help use the same text.
-- @module pcapi.cli.fields
local M = {}

-- The path of a module's file. package.searchpath does not exist in Lua 5.1.
local function source_of(module)
  local name = module:gsub("%.", "/")
  for template in package.path:gmatch "[^;]+" do
    local file = io.open((template:gsub("%?", name)), "rb")
    if file then
      local text = file:read "*a"
      file:close()
      return text
    end
  end
  return ""
end

-- A doc comment without its markup.
local function plain(text)
  return (text:gsub("`", ""):gsub("@{(.-)}", "%1"))
end

local TYPES = { boolean = "true or false", number = "a number" }

local function meaning_of(kind, text)
  local named = TYPES[kind]
  return named and named .. (text ~= "" and ": " .. text or "") or text
end

--- Reads the meanings of the fields of a call.
-- @tparam string source of the module that declares the call
-- @tparam string call
-- @treturn table name of a field to its meaning
function M.read(source, call)
  local before = source:match("^(.-)\nM%." .. call .. " = {") or ""
  local comment = before:match "^.*\n}\n(.*)$" or before -- since the end of the previous call
  local meanings, current = {}, nil
  for line in (comment .. "\n"):gmatch "(.-)\n" do
    local kind, name, text = line:match "^%-%- @tfield (%S+) (%S+) ?(.*)$"
    local more = line:match "^%-%- ([^@].*)$"
    if name then
      current, meanings[name] = name, meaning_of(kind, plain(text))
    elseif current and more then
      meanings[current] = meanings[current] .. " " .. plain(more)
    else
      current = nil
    end
  end
  return meanings
end

--- The fields of a call.
-- @tparam table view `resource` and `call`
-- @treturn table array of `{ name, meaning }`, in the order of the columns
function M.of(view)
  local module = "pcapi.service.resources." .. view.resource
  local columns = require(module)[view.call].description.columns
  local meanings = M.read(source_of(module), view.call)
  local fields = {}
  for i, name in ipairs(columns) do
    fields[i] = { name, meanings[name] or "" }
  end
  return fields
end

return M
