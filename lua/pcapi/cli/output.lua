--- Writes to standard output.
-- @module pcapi.cli.output
local exit = require "pcapi.cli.exit"
local terminal = require "pcapi.cli.terminal"

local M = {}

local writing = false

--- Whether something has been written.
-- @treturn boolean
function M.has_begun()
  return writing
end

--- Writes a text. If that fails, the command ends.
-- @tparam string text
-- @treturn boolean true
function M.write(text)
  writing = true
  local ok, message = io.stdout:write(text)
  if ok then
    ok, message = io.stdout:flush()
  end
  if not ok then
    exit.stop(exit.EXIT.error, "cannot write to standard output: " .. tostring(message))
  end
  return true
end

--- Writes what `--json` promises in every command: an object with a list.
-- @tparam string name of the list
-- @tparam table rows array of the elements
-- @tparam {string,...} columns the fields of an element that come first
-- @tparam[opt] table facts about the whole, name to value, which follow the list
function M.json(name, rows, columns, facts)
  local json = require "pcapi.format.json"
  local list = json.encode(rows, { columns = columns, empty_array = true }):gsub("\n$", "")
  local more = facts and "," .. json.compact(facts):sub(2, -2) or ""
  M.write(('{"%s":%s%s}\n'):format(name, list, more))
end

--- Writes a table for people.
-- @tparam table args
-- @tparam table rows array
-- @tparam table view `columns`, `titles`, `narrow` and `state`, see `pcapi.format`
function M.table(args, rows, view)
  local options = terminal.table_options(args)
  options.columns, options.titles = view.columns, view.titles
  options.narrow, options.state = view.narrow, view.state
  M.write(require("pcapi.format.table").encode(rows, options))
end

return M
