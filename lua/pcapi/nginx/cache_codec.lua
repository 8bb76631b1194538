--- Writes a cached value and the time when it was loaded as text, and reads that text. Long lists
-- are written and read in pieces, so that the worker can serve other events between them.
-- @module pcapi.nginx.cache_codec
local core = require "pcapi.core"
local errors = require "pcapi.error"
local json = require "pcapi.json"
local list = require "pcapi.service.list"
local json_body = require "pcapi.http.json_body"
local resource = require "pcapi.service.resource"
local slots = require "pcapi.nginx.slots"

local M = {}

--- Writes a short value as JSON.
-- @param value
-- @treturn ?string nil if JSON cannot hold it
function M.encode(value)
  local ok, text = pcall(core.encode, value)
  return ok and text or nil
end

-- The time comes first, so that it is found without decoding; the records of a list come last, so
-- that they can be decoded in pieces.
local function encode(value, at)
  local facts = list.facts(value)
  local head = ('{"at":%.3f,'):format(at)
  if not facts then
    return head .. core.encode({ value = value }):sub(2)
  end
  return head .. core.encode({ facts = facts }):sub(2, -2) .. ',"items":'
    .. json.encode_array(value, slots.breathe) .. "}"
end

local function not_storable(why)
  return nil, nil, errors.new { kind = "config",
    message = "the value that load returned cannot be stored as JSON: " .. why,
    hint = "Return strings, numbers, booleans, or tables of them from load" }
end

--- Reads when the value in a text was loaded.
-- @tparam string text
-- @treturn ?number UTC epoch seconds; nil if the text was not written by @{write}
function M.loaded_at(text)
  return tonumber((text:match '^{"at":([%d.]+),'))
end

--- Reads a text.
-- @tparam string text
-- @treturn[1] table `at` (UTC epoch seconds) and `value`
-- @treturn[2] nil if the text was not written by @{write}
function M.read(text)
  local decoded = json_body.decode_text(text, slots.breathe)
  if type(decoded) ~= "table" or type(decoded.at) ~= "number" then
    return nil
  end
  local facts, value = decoded.facts, decoded.value
  if type(facts) == "table" then
    facts.resource, facts.clock = resource.find(facts.call), os.time
    value = facts.resource and type(decoded.items) == "table" and list.new(decoded.items, facts)
  end
  return value ~= nil and { at = decoded.at, value = value } or nil
end

--- Writes a value.
-- @param value a list of the client, or a value that JSON can hold
-- @tparam number at when it was loaded, UTC epoch seconds
-- @treturn[1] string
-- @treturn[1] table as @{read} returns for this text
-- @treturn[2] nil
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function M.write(value, at)
  local ok, text = pcall(encode, value, at)
  if not ok then
    return not_storable(text)
  end
  -- the worker that writes a value uses what the others will read; lists do not differ
  local entry = list.facts(value) and { at = at, value = value } or M.read(text)
  if not entry then
    return not_storable "null"
  end
  return text, entry
end

return M
