--- The commands of `pcapi`, one module each.
--
-- A module returns a table, from which the parser, the help, the man pages and the completion are
-- made:
--
-- - `summary`: one line, as in `pcapi --help`;
-- - `about`: one paragraph that says what the command does; or an array of paragraphs;
-- - `options`: array of options, see `pcapi.cli.options`;
-- - `arguments`: array of arguments without a flag. They are tables like options; the array part
--   holds the name in the arguments of `run`. `optional` may be missing, `many` may be repeated;
-- - `common`: the names of the options of all commands that its help shows, if not the usual ones;
-- - `view`: what a list shows, see `pcapi.cli.records`, or a function of the arguments that
--   returns it. The help shows the fields of its call;
-- - `fields`: array of fields that the output has, each `{ name, meaning }`; with a view, those
--   that are not fields of its call;
-- - `examples`: array of `{ what it does, command line }`. A spec runs every command line;
-- - `subcommands`: array of tables like this one, with `name`;
-- - `run`: function of the arguments.
-- @module pcapi.cli.commands
local M = {}

--- The commands in the order of the help: arrays of names with a `title`.
M.groups = {
  { title = "Every day", "watch", "explain", "report", "history", "notify", "metrics" },
  { title = "Lists", "non-mfa", "adoption", "requests" },
  { title = "Account", "login", "logout", "status", "token", "profiles" },
  { title = "Set-up and help", "doctor", "config", "completion", "help", "version" },
}

--- All names.
M.names = {}

for _, group in ipairs(M.groups) do
  for _, name in ipairs(group) do
    M.names[#M.names + 1] = name
  end
end

--- Loads a command.
-- @tparam string name
-- @treturn table
function M.load(name)
  return require("pcapi.cli.commands." .. name:gsub("-", "_"))
end

--- The names of all commands, or of the subcommands of one.
-- @tparam ?table command
-- @treturn {string,...}
function M.names_of(command)
  if not command then
    return M.names
  end
  local names = {}
  for i, subcommand in ipairs(command.subcommands or {}) do
    names[i] = subcommand.name
  end
  return names
end

--- Finds a command or a subcommand.
-- @tparam {string,...} words of its name
-- @tparam ?table parent the command that the words follow
-- @treturn ?table nil if there is none
function M.find(words, parent)
  local command = parent
  for _, word in ipairs(words) do
    local found
    for i, name in ipairs(M.names_of(command)) do
      if name == word then
        found = command and command.subcommands[i] or M.load(name)
      end
    end
    if not found then
      return nil
    end
    command = found
  end
  return command
end

local function with_subcommands(found, path, command)
  found[#found + 1] = { path = path, command = command }
  for _, subcommand in ipairs(command.subcommands or {}) do
    with_subcommands(found, path .. " " .. subcommand.name, subcommand)
  end
  return found
end

--- Loads all commands.
-- @treturn table array of `path` (such as `"config show"`) and `command`
function M.all()
  local found = {}
  for _, name in ipairs(M.names) do
    with_subcommands(found, name, M.load(name))
  end
  return found
end

return M
