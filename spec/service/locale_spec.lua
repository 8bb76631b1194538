--- A host program may set a locale at any time, with a decimal comma and other letter cases. (nginx
-- sets none.)
local folder = require "spec.support.folder"

local LUA = os.getenv "LUA" or "lua5.4"

-- A decimal comma; a letter I with another lower case; a decimal point of two bytes.
local LOCALES = { "de_DE", "tr_TR", "ps_AF" }

describe("in another locale", function()
  local path

  setup(function()
    path = folder.new()
    for _, name in ipairs(LOCALES) do
      os.execute(("localedef -i %s -f UTF-8 %s/%s.UTF-8 2>/dev/null"):format(name, path, name))
    end
  end)

  teardown(folder.remove)

  local function run(locale, moment)
    local pipe = assert(io.popen(("LOCPATH=%s %s spec/support/in_locale.lua %s '%s' 2>&1; echo $?")
      :format(path, LUA, locale, moment)))
    local said = pipe:read "*a"
    pipe:close()
    return said
  end

  for _, name in ipairs(LOCALES) do
    for _, moment in ipairs { "before", "after", "taken back", "with another cjson" } do
      -- with such a decimal point a new instance of cjson ends the process
      if name ~= "ps_AF" or moment == "after" then
        it(("the library returns the same values: %s, set %s"):format(name, moment), function()
          local expected = run("C", moment)
          assert.matches("encode\t[0.5,1.25]", expected, 1, true)
          assert.matches("\n0\n$", expected)
          assert.equal(expected, run(name .. ".UTF-8", moment))
        end)
      end
    end
  end

  it("the library loads where cjson alone would end the process", function()
    local pipe = assert(io.popen(("LOCPATH=%s %s -e '%s' 2>&1"):format(path, LUA,
      [[assert(os.setlocale "ps_AF.UTF-8")
        local value = assert(require("pcapi.core").decode "[0.5]")
        print(value[1] * 2 == 1)]])))
    assert.equal("true\n", pipe:read "*a")
    pipe:close()
  end)
end)
