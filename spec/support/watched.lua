--- Runs `pcapi watch` on the days of a story of the sandbox, with a history in an empty folder.
local cjson = require("cjson").new()
local folder = require "spec.support.folder"
local sandbox = require "spec.support.sandbox"

local M = {}

local Watched = {}
Watched.__index = Watched

--- Tells a story.
-- @tparam string text
-- @tparam ?table options `tenant` (GUID of the token's tenant) and `config` (text of `[history]`)
-- @treturn table `home`, `history` (path of the file), and the methods below
function M.tell(text, options)
  options = options or {}
  local self = setmetatable({ home = folder.new(), tid = options.tenant }, Watched)
  self.history = self.home .. "/state/pcapi/history/history.sqlite"
  self:retell(text)
  self:configure(options.config or "")
  return self
end

--- Replaces the story.
function Watched:retell(text)
  self.label = sandbox.story(text, "2026-11-01T00:00:00Z", self.label)
end

--- Writes the section `[history]` of the configuration file.
function Watched:configure(text)
  self.config = folder.write(self.home .. "/config", "[history]\n" .. text .. "\n")
end

--- Writes a file beside the configuration file.
-- @treturn string its path
function Watched:write(name, text)
  return folder.write(self.home .. "/" .. name, text)
end

--- The variables of the command.
-- @tparam ?table more
-- @treturn table
function Watched:environment(more)
  return sandbox.merged({
    HOME = self.home, XDG_STATE_HOME = self.home .. "/state", PCAPI_CONFIG = self.config,
    PCAPI_TOKEN = sandbox.token { scenario = "story=" .. self.label, tid = self.tid },
  }, more)
end

--- Sets the story's time.
-- @treturn table itself
function Watched:at(now)
  sandbox.set_clock(self.label, now)
  return self
end

--- Runs the command at a time.
-- @tparam ?string now in UTC; nil: the time stays
-- @tparam ?table arguments after `watch`
-- @tparam ?table environment more variables
-- @treturn table `status`, `out`, `err` (without the warning that the clocks differ)
function Watched:run(now, arguments, environment)
  if now then
    self:at(now)
  end
  local words = { "watch" }
  for _, word in ipairs(arguments or {}) do
    words[#words + 1] = word
  end
  local result = sandbox.pcapi(words, self:environment(environment))
  result.err = result.err:gsub("pcapi: this machine's clock is [^\n]*\n", "")
  return result
end

--- Runs the command at a time, and returns the rows of its output, each as a table.
-- @return rows, and the result
function Watched:rows(now, arguments, environment)
  local words = { "-o", "jsonl" }
  for _, word in ipairs(arguments or {}) do
    words[#words + 1] = word
  end
  local result, rows = self:run(now, words, environment), {}
  for line in result.out:gmatch "[^\n]+" do
    rows[#rows + 1] = cjson.decode(line)
  end
  return rows, result
end

--- Runs the command at a time, and returns the events of its output, such as
-- `"new kim@fabrikam.example"`, with `*` behind those that are repeated.
-- @return events, and the result
function Watched:events(now, arguments, environment)
  local rows, result = self:rows(now, arguments, environment)
  local events = {}
  for i, row in ipairs(rows) do
    events[i] = row.event .. " " .. (row.upn and row.upn:match "^[^@]+" or ("%d"):format(row.count))
      .. (row.repeated and "*" or "")
  end
  table.sort(events)
  return events, result
end

return M
