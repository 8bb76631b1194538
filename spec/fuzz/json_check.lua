--- Checks the properties that hold for every JSON text. spec/fuzz/json.c calls it.
local core = require "pcapi.core"
local json_body = require "pcapi.http.json_body"

local PIECE = 8 -- bytes, so that short texts are split, too
local EXACT = 2 ^ 53 - 1

local plain = require("cjson").new()
plain.decode_max_depth(100)
plain.decode_invalid_numbers(false)

local same

local function is_finite(number)
  return number > -math.huge and number < math.huge
end

local function same_number(ours, theirs)
  local is_integral = theirs == math.floor(theirs) and math.abs(theirs) <= EXACT
  return ours == theirs and (math.type(ours) == "integer") == is_integral
end

local function same_table(ours, theirs)
  for key, value in pairs(theirs) do
    -- null is omitted in an object, but is an element of an array
    if value == plain.null and type(key) == "string" then
      value = nil
    end
    if not same(ours[key], value) then
      return false
    end
  end
  for key in pairs(ours) do
    if theirs[key] == nil then
      return false
    end
  end
  return true
end

function same(ours, theirs)
  if type(theirs) == "number" and not is_finite(theirs) then
    return ours == plain.null or ours == nil -- 1e999 has no value as a number
  end
  if type(ours) ~= type(theirs) then
    return false
  elseif type(ours) == "table" then
    return same_table(ours, theirs)
  elseif type(ours) == "number" then
    return same_number(ours, theirs)
  end
  return ours == theirs
end

local function equal(one, other)
  if type(one) ~= "table" or type(other) ~= "table" then
    return one == other and math.type(one) == math.type(other)
  end
  for key, value in pairs(one) do
    if not equal(value, other[key]) then
      return false
    end
  end
  for key in pairs(other) do
    if one[key] == nil then
      return false
    end
  end
  return true
end

local function check_error(text, message, offset)
  assert(type(message) == "string" and message ~= "", "an error has a message")
  assert(offset == nil or offset >= 1 and offset <= #text + 1, "an offset is within the text")
end

local function against_cjson(text, value, message)
  local ok, theirs = pcall(plain.decode, (text:gsub("^\239\187\191", "")))
  if not ok or text:find("\0", 1, true) then
    return -- cjson refuses the text, or reads a part only: no comparison
  end
  assert(message == nil, "we refuse a text that cjson accepts")
  if theirs == plain.null then
    theirs = nil
  end
  assert(same(value, theirs), "cjson decodes the text to other tables")
end

local function in_pieces(text, value, message)
  local again, why = json_body.decode_text(text, function() end, PIECE)
  assert((why == nil) == (message == nil), "pieces are accepted if and only if the whole text is")
  assert(equal(again, value), "pieces decode to other tables than the whole text")
end

return function(text)
  local value, message, offset = core.decode(text)
  if message then
    check_error(text, message, offset)
  end
  against_cjson(text, value, message)
  in_pieces(text, value, message)
end
