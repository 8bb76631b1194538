--- Every example of the README runs as it stands there; only the address of the
-- service is the sandbox's.
local files = require "spec.support.files"
local pcapi = require "pcapi"
local sandbox = require "spec.support.sandbox"

local function examples(language)
  local found = {}
  for code in files.slurp("README.md"):gmatch("\n```" .. language .. "\n(.-\n)```") do
    found[#found + 1] = code
  end
  return found
end

-- The library as an example sees it.
local function redirected()
  return setmetatable({
    new = function(options)
      options.base_url, options.ca_file = sandbox.url, sandbox.ca_file
      return pcapi.new(options)
    end,
  }, { __index = pcapi })
end

local function environment(output)
  return setmetatable({
    require = function(name)
      return name == "pcapi" and redirected() or require(name)
    end,
    print = function(...)
      output[#output + 1] = select("#", ...)
    end,
    os = setmetatable({
      exit = function()
        error("the example gave up", 0)
      end,
    }, { __index = os }),
  }, { __index = _G })
end

local function compile(code, env)
  if setfenv then
    return setfenv(assert(loadstring(code)), env)
  end
  return assert(load(code, "example", "t", env))
end

describe("the README", function()
  for number, code in ipairs(examples "lua") do
    it("has a Lua example " .. number .. " that runs and prints", function()
      local output = {}
      compile(code, environment(output))()
      assert.is_true(#output > 0)
    end)
  end

  for _, block in ipairs(examples "sh") do
    for line in block:gmatch "[^\n]+" do
      local command = line:gsub("%s+#.*$", ""):gsub("^sudo ", "")
      if command:find "^pcapi " then
        it("has the command line " .. command, function()
          local result = sandbox.shell((command:gsub("^pcapi", sandbox.lua .. " bin/pcapi")
            :gsub(">%s*%S+$", "")))
          assert.equal(0, result.status, result.err)
        end)
      elseif command:find "^make" then
        it("names the target of " .. command, function()
          assert.equal(0, sandbox.shell(command:gsub("^make", "make -n")).status)
        end)
      else
        it("has no command line that nobody runs: " .. command, function()
          error "teach this spec how to run it"
        end)
      end
    end
  end
end)
