--- Decodes the JSON of a response body. A long text is decoded a piece at a time, so that other
-- tasks run between the pieces and the deadline holds: 10,000 records take 50 milliseconds.
-- @module pcapi.http.json_body
local core = require "pcapi.core"
local errors = require "pcapi.error"
local limits = require "pcapi.http.limits"

local M = {}

local TIMED_OUT = "timed out while reading the response"

local PIECE = 16 * 1024 -- bytes: about a quarter of a millisecond

--- Decodes a text, as `core.decode` does. For a text that is not JSON the message may differ.
-- @tparam string text
-- @tparam function checkpoint is called before each piece of a long text; if it returns a
-- message, decoding ends with that message
-- @tparam[opt=16384] number size bytes of a piece
-- @return the value; or nil, a message, and the offset in bytes
function M.decode_text(text, checkpoint, size)
  size = size or PIECE
  if #text < 2 * size then
    return core.decode(text)
  end
  local next_piece = core.pieces(text, size)
  local more, value, message, offset
  repeat
    local stop = checkpoint()
    if stop then
      return nil, stop
    end
    more, value, message, offset = next_piece()
  until not more
  return value, message, offset
end

--- Makes the function to call between the pieces of long work. It lets other tasks run, then
-- checks the deadline.
-- @tparam table transport
-- @tparam number deadline of the transport's clock
-- @treturn function returns a message after the deadline, else nil
function M.checkpoint(transport, deadline)
  return function()
    if transport.breathe then
      transport:breathe()
    end
    return transport:now() >= deadline and TIMED_OUT or nil
  end
end

--- Tests whether a message is the one of a @{checkpoint}.
-- @tparam ?string message
-- @treturn ?table `kind` and `hint` for @{unreadable}; nil for any other message
function M.timed_out(message)
  return message == TIMED_OUT and { kind = "timeout", hint = "Raise {timeout}" } or nil
end

-- Decodes within the ceilings, in pieces if the text is long. Returns what core.decode returns;
-- as the fourth value `kind` and `hint` of an error that is not the fault of the text.
local function decode_within(ceilings, body, transport)
  local values, excess, hint = limits.count(body, ceilings)
  if not values then
    return nil, excess, nil, { hint = hint }
  elseif not transport or values <= (transport.at_once or 0) then
    return core.decode(body)
  end
  local value, message, offset = M.decode_text(body, M.checkpoint(transport, ceilings.deadline),
    transport.piece)
  return value, message, offset, M.timed_out(message)
end

--- Decodes the body into `response.json`, if its content type or its first characters say that it
-- is JSON.
-- @tparam table response `headers`, `body`
-- @tparam ?boolean must the body must be JSON, whatever its content type
-- @tparam ?table transport its `breathe` is called between the pieces of a long body
-- @tparam ?table ceilings from `pcapi.http.limits`; with a transport they need a deadline
-- @treturn[1] boolean true
-- @treturn[2] nil the body should be JSON and is not, or it cannot be decoded
-- @treturn[2] string why not, with the offset in bytes
-- @treturn[2] ?table `kind` and `hint` for @{unreadable}, if the text is not at fault
function M.decode(response, must, transport, ceilings)
  local body = response.body
  local kind = response.headers["content-type"] or "no content type"
  must = must or body ~= "" and kind:find("[/+]json") ~= nil
  -- some proxies replace the content type
  if not must and not body:find("^\239?\187?\191?%s*[%[{]") then
    return true
  end
  ceilings = ceilings or limits.of_text {}
  local message, offset, why
  response.json, message, offset, why = decode_within(ceilings, body, transport)
  if why then
    return nil, message, why
  elseif response.json ~= nil or not must then
    return true
  end
  return nil, ("the response is not JSON (%s): %s%s"):format(kind,
    body == "" and "it is empty" or message or "it is null",
    offset and body ~= "" and " at byte " .. offset or "")
end

--- Makes the error for a response with a good status and an unreadable body.
-- @tparam table response `status`, `request_id`, `correlation_id`
-- @tparam string message
-- @tparam ?table why `kind` and `hint`, if the response is not at fault
-- @treturn pcapi.error of kind protocol, or of that kind
function M.unreadable(response, message, why)
  return errors.new {
    kind = why and why.kind or "protocol", status = response.status, message = message,
    hint = why and why.hint
      or "Check {base_url}, and whether a proxy responds in place of the service",
    request_id = response.request_id, correlation_id = response.correlation_id,
  }
end

return M
