--- The JSON of a response body. A long text is decoded a piece at a time, so that other tasks
-- run between the pieces and the deadline holds: 10,000 records take a twentieth of a second.
-- @module pcapi.http.json_body
local core = require "pcapi.core"
local errors = require "pcapi.error"
local limits = require "pcapi.http.limits"

local M = {}

local LATE = "the time was over while the answer was read"

local PIECE = 16 * 1024 -- bytes: about a quarter of a millisecond

--- Decodes a text, as `core.decode` does; the message for a text that is not JSON may be
-- another.
-- @tparam string text
-- @tparam function breathe is called before each piece of a long text; what it returns,
-- if anything, ends the work as its message
-- @tparam[opt=16384] number size bytes of a piece
-- @return the value; or nil, a message, and the offset in bytes
function M.decode_text(text, breathe, size)
  size = size or PIECE
  if #text < 2 * size then
    return core.decode(text)
  end
  local next_piece = core.pieces(text, size)
  local more, value, message, offset
  repeat
    local stop = breathe()
    if stop then
      return nil, stop
    end
    more, value, message, offset = next_piece()
  until not more
  return value, message, offset
end

--- Makes the function that is called between pieces of long work: it lets others go on, and
-- looks at the clock.
-- @tparam table transport
-- @tparam number deadline of its clock
-- @treturn function returns a message when the time is over
function M.between(transport, deadline)
  return function()
    if transport.breathe then
      transport:breathe()
    end
    return transport:now() >= deadline and LATE or nil
  end
end

--- Tells the message of @{between} from others.
-- @tparam ?string message
-- @treturn ?string message
-- @treturn ?table for @{unreadable}, where the time is over
function M.late(message)
  return message, message == LATE and { kind = "timeout", hint = "Raise timeout" } or nil
end

-- Within its ceilings, and a piece at a time where it takes long. Returns as core.decode
-- does; after the offset, fields of an error where the text is not to blame.
local function decode(body, transport, ceilings)
  local values, excess, hint = limits.count(body, ceilings)
  if not values then
    return nil, excess, nil, { hint = hint }
  elseif not transport or values <= (transport.at_once or 0) then
    return core.decode(body)
  end
  local value, message, offset = M.decode_text(body, M.between(transport, ceilings.deadline),
    transport.piece)
  return value, message, offset, select(2, M.late(message))
end

--- Decodes the body into `response.json`, where its type or its looks say JSON.
-- @tparam table response `headers`, `body`
-- @tparam ?boolean must the body has to be JSON whatever its type says
-- @tparam ?table transport within a long body its `breathe` is called now and then
-- @tparam ?table ceilings from `pcapi.http.limits`; they need a deadline where there is a transport
-- @treturn[1] boolean true
-- @treturn[2] nil it says that it is JSON, or must be, and is not; or it cannot be decoded
-- @treturn[2] string why not, with the offset in bytes
-- @treturn[2] ?table for @{unreadable}, where that is not the text's fault
function M.decode(response, must, transport, ceilings)
  local body = response.body
  local kind = response.headers["content-type"] or "no content type"
  must = must or body ~= "" and kind:find("[/+]json") ~= nil
  -- another type may still hold JSON, as some proxies lose it
  if not must and not body:find("^\239?\187?\191?%s*[%[{]") then
    return true
  end
  local message, offset, why
  response.json, message, offset, why = decode(body, transport, ceilings or limits.of_text {})
  if why then
    return nil, message, why
  elseif response.json ~= nil or not must then
    return true
  end
  return nil, ("the answer is not JSON (%s): %s%s"):format(kind,
    body == "" and "it is empty" or message or "it is null",
    offset and body ~= "" and " at byte " .. offset or "")
end

--- The error for a response that came with a good status and makes no sense.
-- @tparam table response `status`, `request_id`, `correlation_id`
-- @tparam string message
-- @tparam ?table why `kind` and `hint`, where the response is not to blame
-- @treturn pcapi.error of kind protocol, or of that kind
function M.unreadable(response, message, why)
  return errors.new {
    kind = why and why.kind or "protocol", status = response.status, message = message,
    hint = why and why.hint or "Check base_url and whether a proxy answers in place of the service",
    request_id = response.request_id, correlation_id = response.correlation_id,
  }
end

return M
