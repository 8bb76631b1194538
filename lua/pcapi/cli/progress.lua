--- Shows that a command waits, and for what: by one line on a terminal, which changes, and with
-- `--verbose` by a line for each retry and pause, which stays. Both go to standard error.
-- @module pcapi.cli.progress
local core = require "pcapi.core"
local terminal = require "pcapi.cli.terminal"
local visible = require("pcapi.text").visible

local M = {}

local WIPE = "\r\27[K"
local SHORTEST = 0.05 -- seconds between two changes of the line

local is_shown = false -- whether the line is on the terminal; a process has only one

--- Wipes the line from the terminal.
function M.wipe()
  if is_shown then
    is_shown = false
    io.stderr:write(WIPE)
  end
end

--- Writes a text to standard error, on a line of its own.
-- @tparam string text
function M.log(text)
  M.wipe()
  io.stderr:write(text, "\n")
end

local Line = {}
Line.__index = Line

--- Makes a progress line. It shows nothing yet.
-- @tparam table args `quiet` and `verbose`
-- @tparam string pattern for string.format
-- @tparam[opt=false] boolean is_for_many whether several calls wait at once
-- @treturn table
function M.new(args, pattern, is_for_many)
  local has_terminal = terminal.width(terminal.STDERR) and os.getenv "TERM" ~= "dumb"
  return setmetatable({
    has_line = has_terminal and not args.quiet, is_verbose = args.verbose,
    pattern = pattern, is_for_many = is_for_many,
    pauses = {}, -- by the name of the tenant
    text = nil, drawn_at = -math.huge, -- seconds of the core's clock
  }, Line)
end

-- The pause that ends last, and the number of pauses that have not ended.
local function running_pause(self, now)
  local last, count = nil, 0
  for name, pause in pairs(self.pauses) do
    if pause.ends_at <= now then
      self.pauses[name] = nil
    else
      count = count + 1
      last = last and last.ends_at > pause.ends_at and last or pause
    end
  end
  return last, count
end

local function text_at(self, now)
  local pause, count = running_pause(self, now)
  if not pause then
    return self.text
  end
  local reason = ("%s, %.0f s left"):format(pause.reason, math.ceil(pause.ends_at - now))
  return self.is_for_many and ("%s, %d waiting: %s"):format(self.text, count, reason) or reason
end

-- The width is read each time, as the user may resize the window. A line that fills it would wrap
-- on some terminals.
local function draw(self)
  local now = core.now()
  local is_due = self.has_line and now >= self.drawn_at + SHORTEST
  local text, width = is_due and text_at(self, now), terminal.width(terminal.STDERR)
  if text and width then
    is_shown, self.drawn_at = true, now
    io.stderr:write("\r", ("pcapi: " .. text):sub(1, math.max(width - 1, 1)), "\27[K")
  end
end

--- Shows the line with other numbers.
-- @tparam number ... for the pattern
function Line:update(...)
  self.text = self.pattern:format(...)
  draw(self)
end

--- Shows the line again, as pauses may have changed.
function Line:refresh()
  draw(self)
end

local function cause_of(pause)
  return pause.status and ("status %d"):format(pause.status)
    or pause.kind == "timeout" and "a timeout" or "a network error"
end

local function reason_of(pause)
  if pause.kind == "throttled" then
    return "throttled"
  end
  return ("retry %d of %d after %s"):format(pause.attempt - 1, pause.attempts - 1, cause_of(pause))
end

--- Logs an event, if the user wants to know.
-- @tparam ?string name of the tenant, if there are several
-- @tparam string event
function Line:event(name, event)
  if self.is_verbose then
    M.log("pcapi: " .. (name and visible(name) .. ": " or "") .. event)
  end
end

--- Makes a function for the option `on_pause` of `pcapi.new`.
-- @tparam[opt] string name of the tenant, if there are several
-- @treturn function
function Line:on_pause(name)
  return function(pause)
    local reason = reason_of(pause)
    self.pauses[name or 1] = { reason = reason, ends_at = core.now() + pause.seconds }
    self:event(name, ("%s, waiting %.0f s"):format(reason, math.ceil(pause.seconds)))
    draw(self)
  end
end

--- Makes a function that shows the line, for options such as `on_wait`.
-- @treturn ?function takes the numbers of the pattern; nil if there is no line
function Line:on_wait()
  return self.has_line and function(...)
    self:update(...)
  end or nil
end

--- Makes a line that shows numbers only.
-- @tparam table args
-- @tparam string pattern for string.format
-- @treturn ?function shows the line; takes the numbers of the pattern; nil if there is no line
-- @treturn function wipes the line
function M.start(args, pattern)
  return M.new(args, pattern):on_wait(), M.wipe
end

return M
