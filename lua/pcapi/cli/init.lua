--- Runs the command `pcapi`: data on standard output, messages on standard error, and an exit
-- status that scripts can rely on.
-- @module pcapi.cli
local arguments = require "pcapi.cli.arguments"
local commands = require "pcapi.cli.commands"
local core = require "pcapi.core"
local errors = require "pcapi.error"
local exit = require "pcapi.cli.exit"
local output = require "pcapi.cli.output"
local terminal = require "pcapi.cli.terminal"
local setting_words = require "pcapi.cli.setting_words"

local M = {}

-- The caller may have closed the standard streams of the command.
local function guard_streams()
  local ok, why = core.guard_descriptors()
  if not ok then
    exit.stop(exit.EXIT.error, "cannot open " .. why)
  end
end

local function command(argv)
  local args = arguments.parse(argv)
  if args.text then
    return output.write(args.text)
  end
  commands.load(args.command).run(args)
end

-- Lua reports it as a string.
local function is_lack_of_memory(failure)
  return type(failure) == "string" and failure:find("not enough memory", 1, true) ~= nil
end

local function status_of(failure)
  if exit.is_stop(failure) then
    if failure.message then
      exit.say(failure.message)
    end
    return failure.status
  elseif errors.is_interruption(failure) then
    if terminal.width(terminal.STDERR) then
      io.stderr:write("\n") -- below ^C and the progress line
    end
    exit.say(output.has_begun() and "interrupted while writing; the output may be incomplete"
      or "interrupted; nothing was written")
    return exit.EXIT.interrupted
  elseif is_lack_of_memory(failure) then
    exit.say("not enough memory for the response; free some memory and try again")
    return exit.EXIT.error
  end
  exit.say(exit.bug(failure))
  return exit.EXIT.error
end

--- Runs the command.
-- @tparam table argv array of arguments, as Lua's `arg`
-- @treturn number exit status
function M.main(argv)
  local ok, failure = xpcall(function()
    errors.settings = setting_words
    guard_streams()
    command(argv)
  end, function(failure)
    if type(failure) ~= "string" or errors.is_interruption(failure)
      or is_lack_of_memory(failure) then
      return failure
    end
    return debug.traceback(failure, 2)
  end)
  return ok and exit.EXIT.ok or status_of(failure)
end

return M
