--- `pcapi completion`: prints a script that completes the command line in a shell.
-- @module pcapi.cli.commands.completion
local arguments = require "pcapi.cli.arguments"
local output = require "pcapi.cli.output"

return {
  summary = "Print a shell completion script",
  define = function(command)
    command:argument("shell"):description("Shell that will run the script")
      :choices { "bash", "zsh", "fish" }
  end,
  run = function(args)
    output.write(arguments.completion(args.shell))
  end,
}
