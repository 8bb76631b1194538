--- `pcapi version`.
-- @module pcapi.cli.commands.version
local output = require "pcapi.cli.output"

local TEXT = "pcapi " .. require "pcapi.version" .. "\n"

return {
  summary = "Show the version",
  about = "Show the version of pcapi.",
  common = { "--help" },
  examples = {
    { "The version", "pcapi version" },
    { "The same, for scripts that are used to the option", "pcapi --version" },
  },
  text = TEXT,
  run = function()
    output.write(TEXT)
  end,
}
