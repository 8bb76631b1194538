--- How a command ends: its exit statuses, and the words on standard error.
-- @module pcapi.cli.exit
local text = require "pcapi.text"

local M = {}

--- Exit statuses. They are frozen.
M.EXIT = { ok = 0, error = 1, usage = 2, partial = 3, sign_in = 4, throttled = 5,
           network = 6, interrupted = 130 }

local EXIT_OF_KIND = {
  mfa_required = M.EXIT.sign_in, sign_in_required = M.EXIT.sign_in,
  consent_required = M.EXIT.sign_in, invalid_client = M.EXIT.sign_in,
  unauthorized = M.EXIT.sign_in, forbidden = M.EXIT.sign_in,
  throttled = M.EXIT.throttled,
  stopped = M.EXIT.interrupted,
  timeout = M.EXIT.network, network = M.EXIT.network, tls = M.EXIT.network,
}

-- Any way out of a command but success is raised as one of these.
local Stop = {}

--- Ends the command.
-- @tparam number status
-- @tparam ?string message nil when all was said
function M.stop(status, message)
  error(setmetatable({ status = status, message = message }, Stop), 0)
end

--- Whether a raised value is such an end.
-- @treturn boolean
function M.is_stop(value)
  return getmetatable(value) == Stop
end

--- The exit status that an error means.
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

--- Says something on standard error. What came from outside cannot move a cursor, nor
-- return it to the start of the line that it stands in.
-- @tparam string said may have several lines
function M.say(said)
  io.stderr:write("pcapi: ", (text.visible(said, true):gsub("\r", "\\r")), "\n")
end

return M
