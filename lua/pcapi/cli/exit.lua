--- Ends the command: exit statuses, and messages on standard error.
-- @module pcapi.cli.exit
local terminal = require "pcapi.cli.terminal"
local text = require "pcapi.text"

local M = {}

--- Exit statuses. They are frozen.
M.EXIT = { ok = 0, error = 1, usage = 2, partial = 3, sign_in = 4, throttled = 5,
           network = 6, found = 10, interrupted = 130 }

local EXIT_OF_KIND = {
  mfa_required = M.EXIT.sign_in, sign_in_required = M.EXIT.sign_in,
  consent_required = M.EXIT.sign_in, invalid_client = M.EXIT.sign_in,
  unauthorized = M.EXIT.sign_in, forbidden = M.EXIT.sign_in,
  throttled = M.EXIT.throttled,
  stopped = M.EXIT.interrupted,
  timeout = M.EXIT.network, network = M.EXIT.network, tls = M.EXIT.network,
}

-- A command that does not succeed raises one of these.
local Stop = {}

--- Ends the command.
-- @tparam number status
-- @tparam ?string message nil if everything was reported before
function M.stop(status, message)
  error(setmetatable({ status = status, message = message }, Stop), 0)
end

--- Whether a raised value comes from `stop`.
-- @param value
-- @treturn boolean
function M.is_stop(value)
  return getmetatable(value) == Stop
end

--- The exit status for an error.
-- @tparam pcapi.error err
-- @treturn number
function M.status_of(err)
  return EXIT_OF_KIND[err.kind] or M.EXIT.error
end

--- Ends the command with an error object.
-- @tparam pcapi.error err
function M.fail(err)
  M.stop(M.status_of(err), tostring(err))
end

--- The message for an unexpected failure.
-- @param failure
-- @treturn string
function M.bug(failure)
  return "this is a bug in pcapi; please report it: " .. tostring(failure)
end

--- Writes a message to standard error. No part of it can move the cursor of a terminal, not even
-- to the start of the line.
-- @tparam string message may have several lines
function M.say(message)
  message = text.visible(message, true):gsub("\r", "\\r")
  io.stderr:write("pcapi: ", terminal.plain(message), "\n")
end

return M
