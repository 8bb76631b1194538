--- Writes LuaCATS definitions to types/ from the doc comments of the public modules. It is a filter
-- of LDoc, run by `make types`. Editors use the definitions to complete `client.security:`.
local M = {}

local KNOWN = { any = true, boolean = true, ["function"] = true, integer = true, ["nil"] = true,
                number = true, string = true, table = true, thread = true, userdata = true }

local classes = {} -- names that types may use

-- The last part of a name: LDoc qualifies the tables of classes.
local function last(name)
  return name:match "[%w_]+$"
end

local function fail(item, message)
  io.stderr:write(("%s:%d: %s: %s\n"):format(item.owner.file, item.lineno, item.name,
    message))
  os.exit(1)
end

-- Converts a type of LDoc ("?string|table") to LuaCATS.
local function type_of(item, name)
  if not name then
    return "any"
  end
  local parts = {}
  for part in name:gsub("^%?", ""):gmatch "[^|]+" do
    local plain = part:match "^{([%w_.]+),%.%.%.}$" or part:gsub("%[%]$", "")
    local full = classes[item.owner.name .. "." .. plain] and item.owner.name .. "." .. plain
      or plain
    if not KNOWN[full] and not classes[full] then
      fail(item, "unknown type " .. part)
    end
    parts[#parts + 1] = full .. (plain ~= part and "[]" or "")
  end
  return table.concat(parts, "|") .. (name:find "^%?" and "|nil" or "")
end

local function one_line(text)
  return (text or ""):gsub("%s+", " "):gsub("@{([^}|]*)[^}]*}", "`%1`"):match "^%s*(.-)%s*$"
end

local function comment(write, text)
  text = one_line(text)
  if text ~= "" then
    write("---", text, "\n")
  end
end

-- Writes the fields of a class; `prefix` is the prefix of their names in LDoc.
local function write_fields(write, item, names, prefix)
  local modifiers = item.modifiers[item.parameter] or {}
  for _, name in ipairs(names) do
    local how = modifiers[name] or {}
    write("---@field ", name:sub(#prefix + 1), how.opt and "? " or " ", type_of(item, how.type),
      " ", one_line(item.params.map[name]), "\n")
  end
end

local function write_class(write, item, class, names, prefix)
  write("---@class ", class, "\n")
  write_fields(write, item, names, prefix)
  write "\n"
end

local function write_options(write, item, class)
  local types = {}
  for name, subs in pairs(item.subparams or {}) do
    types[name] = class .. "." .. name
    write_class(write, item, types[name], subs, name .. ".")
  end
  return types
end

-- A list "of @{principal}" is an array of such records as well.
local function records_of(item, returned)
  local record = returned.type == "pcapi.list" and (returned.text or ""):match "^of @{([%w_]+)}"
  return record and ("|%s.%s[]"):format(item.owner.name, record) or ""
end

-- Merges the alternative returns of a function by position: LuaCATS has no alternatives.
local function returns_of(item)
  local places = {}
  for number, group in ipairs(item.retgroups or {}) do
    for i, returned in ipairs(group) do
      local place = places[i] or { seen = {}, types = {}, groups = 0 }
      places[i] = place
      local name = type_of(item, returned.type) .. records_of(item, returned)
      place.groups = place.groups + 1
      if not place.seen[name] then
        place.seen[name] = true
        place.types[#place.types + 1] = name
      end
      place.text = place.text or one_line(returned.text)
    end
    for i, place in ipairs(places) do
      place.optional = place.optional or not group[i] or number > 1 and place.groups < number
    end
  end
  return places
end

local function write_function(write, item, name)
  local class = item.owner.name .. "." .. last(item.name)
  local options = write_options(write, item, class)
  comment(write, item.summary .. " " .. (item.description or ""))
  for i, param in ipairs(item.params) do
    local how = item.modifiers.param and item.modifiers.param[i] or {}
    how = item.modifiers.param and item.modifiers.param[param] or how
    if param ~= "self" then
      write("---@param ", param:gsub("^%.%.%.$", "..."), how.opt and "? " or " ",
        options[param] or type_of(item, how.type), " ", one_line(item.params.map[param]), "\n")
    end
  end
  for _, place in ipairs(returns_of(item)) do
    local types = table.concat(place.types, "|")
    write("---@return ", types, place.optional and not types:find "nil" and "|nil" or "", " # ",
      place.text, "\n")
  end
  local names = {}
  for _, param in ipairs(item.params) do
    names[#names + 1] = param ~= "self" and param or nil
  end
  write("function ", name, "(", table.concat(names, ", "), ") end\n\n")
end

-- The local name of a module's class: `Client:request` becomes a method of the class pcapi.client.
local function local_name(module)
  return (module.name:gsub("[^%w]", "_"))
end

-- The module's functions are also those of another one.
local BASE = { ["pcapi.nginx"] = ": pcapi" }

-- Writes a module that can be called, as `pcapi.concurrent` is.
local function write_call(write, item)
  local params, returns = {}, {}
  for i, name in ipairs(item.params) do
    local how = item.modifiers.param[name]
    params[i] = ("%s%s: %s"):format(name, how.opt and "?" or "", type_of(item, how.type))
  end
  for i, place in ipairs(returns_of(item)) do
    returns[i] = table.concat(place.types, "|") .. (place.optional and "|nil" or "")
  end
  write("---@overload fun(", table.concat(params, ", "), "): ", table.concat(returns, ", "), "\n")
end

local function write_head(write, module, own)
  comment(write, module.summary)
  write("---@class ", module.name, BASE[module.name] or "", "\n")
  for _, item in ipairs(module.items) do
    if last(item.name) == "fields" then
      write_fields(write, item, item.params, "")
    elseif item.name == module.name then
      write_call(write, item)
    end
  end
  write("local ", own, " = {}\n\n")
end

local function write_module(write, module)
  local own = local_name(module)
  write("---@meta ", module.name, "\n-- Made by `make types` from ",
    module.file:match "lua/pcapi.*", "; do not edit.\n\n")
  for _, item in ipairs(module.items) do
    if item.type == "table" and last(item.name) ~= "fields" then
      write_class(write, item, module.name .. "." .. last(item.name), item.params, "")
    end
  end
  write_head(write, module, own)
  for _, item in ipairs(module.items) do
    if item.type == "function" and item.name ~= module.name then
      write_function(write, item, own .. (item.name:match ":[%w_]+$" or "." .. item.name))
    end
  end
  write("return ", own, "\n")
end

--- Writes one file per module, below the folder in the environment variable TYPES.
-- @tparam table modules as LDoc passes them to a filter
function M.write(modules)
  for _, module in ipairs(modules) do
    classes[module.name] = true
    for _, item in ipairs(module.items) do
      item.owner = module
      if item.type == "table" then
        classes[module.name .. "." .. last(item.name)] = true
      end
    end
  end
  for _, module in ipairs(modules) do
    local path = os.getenv "TYPES" .. "/" .. module.name:gsub("%.", "/") .. ".lua"
    os.execute(("mkdir -p '%s'"):format(path:match "^(.*)/"))
    local file = assert(io.open(path, "w"))
    write_module(function(...)
      file:write(...)
    end, module)
    file:close()
  end
end

return M
