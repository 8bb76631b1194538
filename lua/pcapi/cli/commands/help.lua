--- `pcapi help`.
-- @module pcapi.cli.commands.help
local help = require "pcapi.cli.help"
local output = require "pcapi.cli.output"

return {
  summary = "Show the help of a command or a topic",
  about = "Show the help of a command, a subcommand or a topic; without a name, the list of "
    .. "commands and topics. The same texts are in the man pages, such as pcapi-login(1).",
  arguments = {
    { "words", value = "NAME", optional = true, many = true, complete = "help",
      about = "Words of a command, or a topic: " .. table.concat(help.TOPICS, ", ") },
  },
  common = { "--help" },
  examples = {
    { "The help of a subcommand", "pcapi help config show" },
    { "All variables that pcapi reads", "pcapi help environment" },
  },
  run = function(args)
    output.write(help.of(args.words))
  end,
}
