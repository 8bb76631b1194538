--- Asks the user on the terminal. Questions go to standard error, so the output of a command stays
-- as it is.
-- @module pcapi.cli.prompt
local core = require "pcapi.core"
local exit = require "pcapi.cli.exit"
local input = require "pcapi.input"

local M = {}

local STDIN, STDERR = 0, 2
local SLICE = 0.25 -- seconds; after Ctrl-C the wait ends at once

--- Whether there is a user who can answer: standard input and standard error are a terminal, and
-- this is no job of a CI system, some of which give their jobs a terminal.
-- @treturn boolean
function M.can_ask()
  local ci = os.getenv "CI" or ""
  return (ci == "" or ci == "false") and core.columns(STDIN) ~= nil and core.columns(STDERR) ~= nil
end

-- One line without blanks around it; nil at the end of the input, which is Ctrl-D on a terminal.
local function read_line(question)
  io.stderr:write(question, " ")
  while not core.readable(STDIN, SLICE) do end -- luacheck: ignore 542
  local line = io.stdin:read "*l"
  if not line then
    io.stderr:write "\n"
  end
  return line
end

--- Asks until the answer is good.
-- @tparam string question
-- @tparam function check takes an answer; returns a value, or nil and what is wrong, a sentence
-- @return the value; nil if the user gave no answer (Ctrl-D, or an empty line)
function M.ask(question, check)
  while true do
    local line = read_line(question)
    if not line or not line:find "%S" then
      return nil
    end
    local value
    local word, why = input.word(line)
    if word then
      value, why = check(word)
    else
      why = "the answer " .. why
    end
    if value then
      return value
    end
    exit.say(why)
  end
end

--- Asks for consent.
-- @tparam string question
-- @treturn boolean only `y` and `yes` mean true
function M.confirm(question)
  local answer = (read_line(question .. " [y/N]") or ""):lower():match "^%s*(.-)%s*$"
  return answer == "y" or answer == "yes"
end

return M
