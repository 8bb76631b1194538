--- Reads the JSON of a response body. A long text is read in steps, so that other tasks run
-- between them and the deadline holds: 10,000 records take 15 milliseconds.
--
-- The core's reader makes the tables. lua-cjson reads what the reader refuses: it accepts a few
-- texts more, and says what is wrong with the others. With `json = "cjson"` it reads all texts.
-- @module pcapi.http.json_body
local core = require "pcapi.core"
local errors = require "pcapi.error"
local limits = require "pcapi.http.limits"

local M = {}

local TIMED_OUT = "timed out while reading the response"

local STEP = 16 * 1024 -- bytes: about a tenth of a millisecond

local NO_CEILINGS = { values = math.huge, records = math.huge }

-- Reads a text in steps. Returns what core.read returns; or nil, a message, nil and "stopped".
local function read_in_steps(text, options, checkpoint, size)
  local step = core.reader(text, options)
  local more, value, facts, offset, word
  repeat
    local stop = checkpoint()
    if stop then
      return nil, stop, nil, "stopped"
    end
    more, value, facts, offset, word = step(size)
  until not more
  return value, facts, offset, word
end

local function text_of(body)
  return type(body) == "string" and body or body:text()
end

-- The number of elements of the longest array that may be a list of records.
local function longest_list(value)
  local most = type(value) == "table" and #value or 0
  for _, member in pairs(most == 0 and type(value) == "table" and value or {}) do
    most = math.max(most, type(member) == "table" and #member or 0)
  end
  return most
end

-- Reads a text by lua-cjson, which cannot be interrupted. Returns as `read` does.
local function read_by_cjson(text, ceilings)
  local value, values, offset = core.judge(text)
  if type(values) == "string" then
    return nil, values, offset
  end
  local is_long = longest_list(value) > ceilings.records
  if is_long or values > ceilings.values then
    value = nil -- luacheck: ignore 311
    collectgarbage() -- it may be large
    local message, hint = limits.excess(ceilings, is_long)
    return nil, message, nil, { hint = hint }
  end
  return value, { values = values, is_array = text:find "^\239?\187?\191?%s*%[" ~= nil }
end

-- Reads a text within the ceilings; a long one in steps, if there is a checkpoint or a transport to
-- make one of. Returns the value, and facts if it knows some; or nil, a message, an offset, and
-- `kind` and `hint` of an error that is not the fault of the text.
local function read(body, reading, checkpoint, step)
  if reading.json == "cjson" or core.json == "cjson" then
    return read_by_cjson(text_of(body), reading)
  end
  local transport, size = reading.transport, #body
  step = step or transport and (transport.step or STEP) or math.huge
  local value, facts, offset, word
  if size >= 2 * step then
    checkpoint = checkpoint or M.checkpoint(transport, reading.deadline)
    value, facts, offset, word = read_in_steps(body, reading, checkpoint, step)
  else
    value, facts, offset, word = core.read(body, reading)
  end
  if type(facts) ~= "string" then
    return value, facts
  elseif word == "values" or word == "records" then
    local message, hint = limits.excess(reading, word == "records")
    return nil, message, nil, { hint = hint }
  elseif word == "stopped" then
    return nil, facts, nil, M.timed_out(facts)
  elseif word or size > (transport and transport.judged or math.huge) then
    return nil, facts, offset
  end
  return read_by_cjson(text_of(body), reading)
end

--- Decodes a text, as `core.decode` does. For a text that is not JSON the message may differ.
-- @tparam string text
-- @tparam function checkpoint is called before each step of a long text; if it returns a
-- message, decoding ends with that message
-- @tparam[opt=16384] number size bytes of a step
-- @return the value; or nil, a message, and the offset in bytes
function M.decode_text(text, checkpoint, size)
  local value, message, offset = read(text, NO_CEILINGS, checkpoint, size or STEP)
  if type(message) == "string" then
    return nil, message, offset
  end
  return value
end

--- Makes the function to call between the steps of long work. It lets other tasks run, then
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

-- Whether the content type of a body says that it is JSON.
local function says_json(response, body)
  local kind = #body > 0 and core.header(response, "content-type")
  return kind and kind:find("[/+]json") ~= nil
end

--- Reads the body into `response.json`, if its content type or its first characters say that it
-- is JSON. `response.read` gets what is known about it, if it is read as a list.
-- @tparam table response `headers`, `body`; or in place of the body a `buffer` of the core
-- @tparam table reading see `pcapi.http.limits`
-- @treturn[1] boolean true
-- @treturn[2] nil the body should be JSON and is not, or it cannot be read
-- @treturn[2] string why not, with the offset in bytes
-- @treturn[2] ?table `kind` and `hint` for @{unreadable}, if the text is not at fault
function M.decode(response, reading)
  local body = response.body or response.buffer
  local must = reading.must or says_json(response, body)
  -- some proxies replace the content type
  if not must and not body:find("^\239?\187?\191?%s*[%[{]") then
    return true
  end
  local value, facts, offset, why = read(body, reading)
  local is_read = type(facts) ~= "string"
  response.json, response.read = value, is_read and facts or nil
  if why then
    return nil, facts, why
  elseif value ~= nil or not must then
    return true
  end
  return nil, ("the response is not JSON (%s): %s%s"):format(
    core.header(response, "content-type") or "no content type",
    #body == 0 and "it is empty" or is_read and "it is null" or facts,
    offset and #body > 0 and " at byte " .. offset or "")
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
