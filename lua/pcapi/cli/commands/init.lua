--- The commands of `pcapi`, one module each.
--
-- A module returns a table: `summary` (the line in `pcapi --help`), `define` (a function that adds
-- the command's options to its argparse command), `run` (a function of the arguments), and
-- optionally `notes` (a paragraph below the help) and `subcommands` (an array of tables with
-- `name`, `summary` and `define`).
-- @module pcapi.cli.commands
local M = {}

--- Names in the order of the help.
M.names = { "non-mfa", "adoption", "requests", "login", "logout", "status", "token", "profiles",
            "doctor", "config", "completion" }

--- Loads a command.
-- @tparam string name
-- @treturn table
function M.load(name)
  return require("pcapi.cli.commands." .. name:gsub("-", "_"))
end

return M
