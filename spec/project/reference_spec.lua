--- The reference (`make docs`) and the definitions for editors (types/) have every public function,
-- option and field.
local files = require "spec.support.files"
local pcapi = require "pcapi"

local slurp = files.slurp

-- The files of the public part, as config.ld lists them.
local function public_files()
  local paths = {}
  for path in slurp "config.ld":gmatch '"(lua/pcapi[^"]*)"' do
    for _, file in ipairs(files.lines_of(("find %s -name '*.lua' | sort"):format(path))) do
      paths[#paths + 1] = file
    end
  end
  return paths
end

-- The definitions of a file, by the name that its comment gives it; nil for an internal file.
local function definitions_of(source)
  local name = source:match "%-%- @c?l?a?s?s?modu?l?e? ([%w_.]+)"
  return name and slurp("types/" .. name:gsub("%.", "/") .. ".lua"), name
end

-- The fields of a class in a file of types/, as a set.
local function fields_of(definitions, class)
  local fields = {}
  local block = definitions:match("%-%-%-@class " .. class:gsub("%p", "%%%0") .. "\n(.-)\n\n")
  for name in (block or ""):gmatch "%-%-%-@field ([%w_]+)" do
    fields[name] = true
  end
  return fields
end

-- Iterates over the functions of a file that other files can call: the comment above one, "." or
-- ":", and its name. Metamethods are left out.
local function functions_of(source)
  local comment = ""
  local lines = source:gmatch "[^\n]*"
  return function()
    for line in lines do
      local separator, name = line:match "^function %u%w*([.:])([%w_]+)"
      if name and not name:find "^__" then
        return comment, separator, name
      elseif line ~= "" then
        comment = line:find "^%-%-" and comment .. "\n" .. line or ""
      end
    end
  end
end

describe("the reference", function()
  for _, path in ipairs(public_files()) do
    local source = slurp(path)
    local definitions, name = definitions_of(source)

    it("has a name for " .. path, function()
      assert.truthy(name)
    end)

    for comment, separator, method in functions_of(source) do
      it(("has %s%s%s, or the source marks it as local"):format(name, separator, method), function()
        assert.truthy(comment:find("\n-- @local", 1, true)
          or definitions:find(separator .. method .. "(", 1, true))
      end)
    end
  end

  for what, call in pairs {
    ["pcapi.new"] = pcapi.new,
    ["pcapi.fetch"] = function(options)
      pcapi.fetch("https://pcapi.example", options)
    end,
  } do
    it("has every option of " .. what, function()
      local _, message = pcall(call, { xxxxxxxxxxxxxxxxxxxx = true })
      local fields = fields_of(slurp "types/pcapi.lua", what .. ".options")
      for option in assert(message:match "there are: (.*)"):gmatch "[%w_]+" do
        assert.is_true(fields[option], option)
      end
    end)
  end

  for name, record in pairs {
    non_mfa_principals = "principal", application_mfa_adoption_status = "adoption",
    partner_requests = "request",
  } do
    it("has every field of the records of " .. name, function()
      local call = require("pcapi.service.resources.security")[name]
      local definitions = slurp "types/pcapi/service/resources/security.lua"
      local fields = fields_of(definitions, "pcapi.service.resources.security." .. record)
      for _, field in ipairs(call.description.columns) do
        assert.is_true(fields[field], field)
      end
    end)
  end
end)
