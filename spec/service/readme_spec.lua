--- Each Lua example and configuration file of the README and the guides works unchanged, in its own
-- process; only the addresses are those of the sandbox. documented_commands_spec runs the commands.
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local homes = require "spec.support.home"
local markdown = require "spec.support.markdown"
local sandbox = require "spec.support.sandbox"

local CLIENT = "00000000-0000-0000-0000-000000000000"

-- The examples need a sign-in.
local home

-- Redirects the addresses of an example to the sandbox.
local PRELUDE = [[
local pcapi = require "pcapi"
local function redirect(place, name, settings)
  local original = place[name]
  place[name] = function(...)
    local options = ...
    if select("#", ...) == 0 then -- its addresses come from the environment
      return original()
    end
    for key, value in pairs(settings) do
      options[key] = os.getenv(value)
    end
    return original(options)
  end
end
redirect(pcapi, "new", { base_url = "PCAPI_BASE_URL", ca_file = "PCAPI_CA_FILE" })
for _, name in ipairs { "refresh_token", "device_code" } do
  redirect(pcapi.auth, name, { login_url = "PCAPI_LOGIN_URL" })
end
]]

setup(function()
  home = homes.new()
  folder.write(home.path .. "/prelude.lua", PRELUDE)
  local result = home:shell("pcapi -q login --browser --tenant fabrikam.onmicrosoft.com "
    .. "--client-id " .. CLIENT)
  assert(result.status == 0, result.err)
end)

teardown(function()
  home:remove()
end)

local function run_lua(code)
  folder.write(home.path .. "/example.lua", code)
  local seed = curl.fetch { url = sandbox.url .. "/_sandbox/refresh_token?client_id=" .. CLIENT }
  return home:shell(sandbox.lua .. " -e 'dofile \"prelude.lua\"' example.lua", {
    PCAPI_CLIENT_SECRET = "some", PCAPI_REFRESH_TOKEN = seed.body, PCAPI_TOKEN = sandbox.token(),
  })
end

for _, path in ipairs(files.lines_of "ls README.md docs/*.md") do
  if path ~= "docs/nginx.md" then -- its own spec runs it in nginx
    describe(path, function()
      for number, code in ipairs(markdown.examples(path, "lua")) do
        it("has a Lua example " .. number .. " that runs and prints", function()
          local result = run_lua(code)
          assert.same({ 0, "" }, { result.status, result.err })
          assert.is_true(#result.out > 0)
        end)
      end

      for _, block in ipairs(markdown.examples(path, "ini")) do
        it("has a configuration file that can be read", function()
          folder.write(home.path .. "/config", block)
          local result = home:shell "pcapi --config config --profile contoso config show"
          assert.equal(0, result.status, result.err)
          local section, setting = block:match "(%[%l+ ?%l*%])%s*([%l_]+) ="
          local is_profile = section == "[default]" or section == "[contoso]"
          assert.truthy(result.out:find(is_profile and "contoso.onmicrosoft.com"
            or section .. " " .. setting, 1, true), result.out)
        end)
      end
    end)
  end
end
