--- A cached value as text: what it is, and when it was loaded. Long lists are written and
-- read a piece at a time, where the worker can go on meanwhile.
-- @module pcapi.nginx.cache_codec
local core = require "pcapi.core"
local errors = require "pcapi.error"
local list = require "pcapi.service.list"
local json_body = require "pcapi.http.json_body"
local security = require "pcapi.service.resources.security"
local slots = require "pcapi.nginx.slots"

local M = {}

--- Writes something that is short, if it can be.
-- @param value
-- @treturn ?string
function M.encode(value)
  local ok, text = pcall(core.encode, value)
  return ok and text or nil
end

-- When it was loaded comes first, where it is found without decoding; a list's records come
-- last, where they can be read a few at a time.
local function encode(value, at)
  local facts = list.facts(value)
  local head = ('{"at":%.3f,'):format(at)
  if not facts then
    return head .. core.encode({ value = value }):sub(2)
  end
  return head .. core.encode({ facts = facts }):sub(2, -2) .. ',"items":'
    .. json_body.encode_array(value, slots.breathe) .. "}"
end

local function cannot_be_kept(why)
  return nil, nil, errors.new { kind = "config",
    message = "what load gives cannot be kept as JSON: " .. why,
    hint = "Let load give texts, numbers, booleans and tables of them" }
end

--- When the value of a text was loaded.
-- @tparam string text
-- @treturn ?number UTC epoch seconds; nil when it is no such text
function M.at(text)
  return tonumber((text:match '^{"at":([%d.]+),'))
end

local function declaration_of(call)
  for _, declaration in pairs(security) do
    if declaration.path == call then
      return declaration
    end
  end
end

--- Reads a text.
-- @tparam string text
-- @treturn[1] table `at` and `value`
-- @treturn[2] nil it is no such text
function M.read(text)
  local read = json_body.decode_text(text, slots.breathe)
  if type(read) ~= "table" or type(read.at) ~= "number" then
    return nil
  end
  local facts, value = read.facts, read.value
  if type(facts) == "table" then
    facts.resource, facts.clock = declaration_of(facts.call), os.time
    value = facts.resource and type(read.items) == "table" and list.new(read.items, facts)
  end
  return value ~= nil and { at = read.at, value = value } or nil
end

--- Writes a value.
-- @param value a list of the client's, or what JSON can hold
-- @tparam number at UTC epoch seconds
-- @treturn[1] string
-- @treturn[1] table what reading it gives
-- @treturn[2] nil
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function M.write(value, at)
  local ok, text = pcall(encode, value, at)
  if not ok then
    return cannot_be_kept(text)
  end
  -- but for a list, which is the same, the writer has what the others will have
  local kept = list.facts(value) and { at = at, value = value } or M.read(text)
  if not kept then
    return cannot_be_kept "null"
  end
  return text, kept
end

return M
