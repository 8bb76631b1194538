local errors = require "pcapi.error"
local schema = require "pcapi.settings.schema"
local setting_words = require "pcapi.cli.setting_words"

describe("pcapi.cli.setting_words", function()
  it("names a flag, with the variable if there is one", function()
    assert.equal("--timeout", setting_words.timeout)
    assert.equal("--ca-file (PCAPI_CA_FILE)", setting_words.ca_file)
  end)

  it("names a variable and the configuration file if there is no flag", function()
    assert.equal("PCAPI_MAX_BODY (or max_body in the configuration file)", setting_words.max_body)
    assert.equal("https_proxy (or proxy in the configuration file)", setting_words.proxy)
    assert.equal("scope in the configuration file", setting_words.scope)
  end)

  it("names the section of a setting that no profile has", function()
    assert.equal("[history] path (or PCAPI_HISTORY)", setting_words.history)
  end)

  it("has no words for an option that the command lacks", function()
    assert.is_nil(setting_words.max_values)
  end)

  it("names only flags that the command has, and all of them", function()
    local help = require("pcapi.cli.help").of { "options" }
    for _, setting in ipairs(schema.settings) do
      local flag = "--" .. setting.name:gsub("_", "-")
      local has_flag = help:find(flag:gsub("%-", "%%-") .. "%f[^%w-]") ~= nil
      assert.equal(has_flag, setting_words[setting.name]:sub(1, #flag) == flag, setting.name)
    end
  end)

  it("is used in the hints of errors while the command runs", function()
    local before = errors.settings
    errors.settings = setting_words
    local hint = errors.new({ kind = "timeout", message = "x", hint = "Raise {timeout}" }).hint
    errors.settings = before
    assert.equal("Raise --timeout", hint)
    assert.equal("Raise timeout", errors.hint "Raise {timeout}")
  end)
end)
