--- What the formats share: checked arguments, numbers as digits, and strings that
-- cannot move a terminal's cursor.
--
-- Every value of a record came from outside and is not trusted.
-- @module pcapi.format.text

local byte, find, gsub, sub = string.byte, string.find, string.gsub, string.sub
local floor = math.floor

local text = {}

-- Ranges are first and last code point in turn, ascending.

-- Neither a glyph nor a mark: C1, bidi controls, zero-width and other ignorable
-- characters, line and paragraph separators, tags.
local HIDDEN = {
  0x80, 0x9F, 0xAD, 0xAD, 0x34F, 0x34F, 0x61C, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5,
  0x180E, 0x180E, 0x200B, 0x200F, 0x2028, 0x202E, 0x2060, 0x206F, 0x3164, 0x3164,
  0xFEFF, 0xFEFF, 0xFFA0, 0xFFA0, 0xFFF9, 0xFFFB, 0x1BCA0, 0x1BCA3, 0x1D173, 0x1D17A,
  0xE0000, 0xE0FFF,
}

local NO_COLUMNS = {
  0x300, 0x36F, 0x483, 0x489, 0x591, 0x5BD, 0x5BF, 0x5BF, 0x5C1, 0x5C2, 0x5C4, 0x5C5,
  0x5C7, 0x5C7, 0x610, 0x61A, 0x64B, 0x65F, 0x670, 0x670, 0x6D6, 0x6DC, 0x6DF, 0x6E4,
  0x6E7, 0x6E8, 0x6EA, 0x6ED, 0x711, 0x711, 0x730, 0x74A, 0x900, 0x902, 0x93A, 0x93A,
  0x93C, 0x93C, 0x941, 0x948, 0x94D, 0x94D, 0x951, 0x957, 0x962, 0x963, 0xE31, 0xE31,
  0xE34, 0xE3A, 0xE47, 0xE4E, 0xEB1, 0xEB1, 0xEB4, 0xEBC, 0xEC8, 0xECE, 0x1161, 0x11FF,
  0x1AB0, 0x1AFF, 0x1DC0, 0x1DFF, 0x20D0, 0x20FF, 0x302A, 0x302D, 0x3099, 0x309A,
  0xFE00, 0xFE0F, 0xFE20, 0xFE2F,
}

local TWO_COLUMNS = {
  0x1100, 0x115F, 0x231A, 0x231B, 0x2329, 0x232A, 0x23E9, 0x23EC, 0x23F0, 0x23F0,
  0x23F3, 0x23F3, 0x25FD, 0x25FE, 0x2614, 0x2615, 0x2648, 0x2653, 0x267F, 0x267F,
  0x2693, 0x2693, 0x26A1, 0x26A1, 0x26AA, 0x26AB, 0x26BD, 0x26BE, 0x26C4, 0x26C5,
  0x26CE, 0x26CE, 0x26D4, 0x26D4, 0x26EA, 0x26EA, 0x26F2, 0x26F3, 0x26F5, 0x26F5,
  0x26FA, 0x26FA, 0x26FD, 0x26FD, 0x2705, 0x2705, 0x270A, 0x270B, 0x2728, 0x2728,
  0x274C, 0x274C, 0x274E, 0x274E, 0x2753, 0x2755, 0x2757, 0x2757, 0x2795, 0x2797,
  0x27B0, 0x27B0, 0x27BF, 0x27BF, 0x2B1B, 0x2B1C, 0x2B50, 0x2B50, 0x2B55, 0x2B55,
  0x2E80, 0x303E, 0x3041, 0x33FF, 0x3400, 0x4DBF, 0x4E00, 0xA4CF, 0xA960, 0xA97C,
  0xAC00, 0xD7A3, 0xF900, 0xFAFF, 0xFE10, 0xFE19, 0xFE30, 0xFE6F, 0xFF01, 0xFF60,
  0xFFE0, 0xFFE6, 0x16FE0, 0x18DFF, 0x1AFF0, 0x1B2FF, 0x1F004, 0x1F004, 0x1F0CF, 0x1F0CF,
  0x1F18E, 0x1F18E, 0x1F191, 0x1F19A, 0x1F200, 0x1F320, 0x1F32D, 0x1F335, 0x1F337, 0x1F37C,
  0x1F37E, 0x1F393, 0x1F3A0, 0x1F3CA, 0x1F3CF, 0x1F3D3, 0x1F3E0, 0x1F3F0, 0x1F3F4, 0x1F3F4,
  0x1F3F8, 0x1F43E, 0x1F440, 0x1F440, 0x1F442, 0x1F4FC, 0x1F4FF, 0x1F53D, 0x1F54B, 0x1F54E,
  0x1F550, 0x1F567, 0x1F57A, 0x1F57A, 0x1F595, 0x1F596, 0x1F5A4, 0x1F5A4, 0x1F5FB, 0x1F64F,
  0x1F680, 0x1F6C5, 0x1F6CC, 0x1F6CC, 0x1F6D0, 0x1F6D2, 0x1F6D5, 0x1F6D7, 0x1F6DC, 0x1F6DF,
  0x1F6EB, 0x1F6EC, 0x1F6F4, 0x1F6FC, 0x1F7E0, 0x1F7EB, 0x1F7F0, 0x1F7F0, 0x1F90C, 0x1F93A,
  0x1F93C, 0x1F945, 0x1F947, 0x1F9FF, 0x1FA70, 0x1FAFF, 0x20000, 0x2FFFD, 0x30000, 0x3FFFD,
}

local function is_in(ranges, code)
  local low, high = 1, #ranges / 2
  while low <= high do
    local middle = floor((low + high) / 2)
    if code < ranges[2 * middle - 1] then
      high = middle - 1
    elseif code > ranges[2 * middle] then
      low = middle + 1
    else
      return true
    end
  end
  return false
end

-- A byte above ASCII with the continuation bytes behind it, some of which may be
-- one too many.
local CHUNK = "[\128-\255][\128-\191]*"

-- RFC 3629 §4: no overlong forms, no surrogates, nothing above U+10FFFF.
local function decode(chunk)
  local a, b, c, d = byte(chunk, 1, 4)
  if a < 0xC2 or a > 0xF4 or not b then
    return nil
  elseif a < 0xE0 then
    return (a - 0xC0) * 0x40 + b - 0x80, 2
  elseif not c then
    return nil
  elseif a < 0xF0 then
    local code = ((a - 0xE0) * 0x40 + b - 0x80) * 0x40 + c - 0x80
    if code >= 0x800 and (code < 0xD800 or code > 0xDFFF) then
      return code, 3
    end
  elseif d then
    local code = (((a - 0xF0) * 0x40 + b - 0x80) * 0x40 + c - 0x80) * 0x40 + d - 0x80
    if code >= 0x10000 and code <= 0x10FFFF then
      return code, 4
    end
  end
  return nil
end

--- Makes a function that replaces what a reader of UTF-8 would not see.
-- @tparam function hidden from the code point of an invisible character to its
--   replacement
-- @tparam function|table|string invalid what stands for each byte that is not
--   UTF-8, as the third argument of string.gsub
-- @treturn function from a string to the string without either; ASCII, controls
--   included, is left alone
function text.replacer(hidden, invalid)
  local function replace(chunk)
    local code, length = decode(chunk)
    if not code then
      return (gsub(chunk, ".", invalid))
    end
    local shown = is_in(HIDDEN, code) and hidden(code) or sub(chunk, 1, length)
    if length < #chunk then
      shown = shown .. gsub(sub(chunk, length + 1), ".", invalid)
    end
    return shown
  end
  return function(value)
    if not find(value, "[\128-\255]") then
      return value
    end
    return (gsub(value, CHUNK, replace))
  end
end

local NAMED = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function visible_byte(char)
  return NAMED[char] or string.format("\\x%02x", byte(char))
end

local visible_unicode = text.replacer(function(code)
  return string.format("\\u{%x}", code)
end, visible_byte)

--- Makes a string harmless on a terminal.
--
-- Control characters become `\n`, `\r`, `\t` or `\x1b`; invisible ones (C1, bidi,
-- zero-width, separators) `\u{202e}`; bytes that are not UTF-8 `\xff`. A backslash
-- stays as it is: this is for reading, not for reading back.
-- @tparam string value any bytes
-- @tparam[opt=false] boolean layout leaves TAB, LF and CR alone
-- @treturn string valid UTF-8 without anything invisible
function text.visible(value, layout)
  if not find(value, "[^\32-\126]") then
    return value
  end
  local controls = layout and "[^\9\10\13\32-\126\128-\255]" or "[^\32-\126\128-\255]"
  return visible_unicode((gsub(value, controls, visible_byte)))
end

local function columns_of(char)
  local code = decode(char) or 0
  if code < 0x300 then
    return 1
  elseif is_in(NO_COLUMNS, code) then
    return 0
  end
  return is_in(TWO_COLUMNS, code) and 2 or 1
end

--- The columns a string takes on a terminal.
-- @tparam string value the result of `visible`
-- @treturn number East Asian wide characters and emoji count 2, combining marks 0
function text.width(value)
  local width = #value
  if find(value, "[\128-\255]") then
    for char in string.gmatch(value, CHUNK) do
      width = width - #char + columns_of(char)
    end
  end
  return width
end

--- Cuts a string that is too wide, with an ellipsis at its end.
-- @tparam string value the result of `visible`, wider than room
-- @tparam number room terminal columns, at least 1
-- @treturn string what fits
-- @treturn number the columns it takes: room, or one less before a wide character
function text.cut(value, room)
  if not find(value, "[\128-\255]") then
    return sub(value, 1, room - 1) .. "…", room
  end
  local used, last = 0, 0
  for char, after in string.gmatch(value, "([^\128-\191][\128-\191]*)()") do
    local wider = used + columns_of(char)
    if wider > room - 1 then
      break
    end
    used, last = wider, after - 1
  end
  return sub(value, 1, last) .. "…", used + 1
end

local ROUND_TRIP = { "%.14g", "%.15g", "%.16g", "%.17g" }

--- Writes a number with as many digits as it takes to read the same one back.
-- @tparam number value any number
-- @treturn ?string digits that are also a JSON number; nil for NaN and infinities
function text.number(value)
  if value ~= value or value == math.huge or value == -math.huge then
    return nil
  elseif value == 0 then
    return "0"
  end
  if value == floor(value) then
    if value > -2 ^ 53 and value < 2 ^ 53 then
      return string.format("%.0f", value)
    end
    local digits = tostring(value) -- exact for the 64-bit integers of Lua 5.3 and later
    if find(digits, "^%-?%d+$") then
      return digits
    end
  end
  for i = 1, #ROUND_TRIP do
    local digits = string.format(ROUND_TRIP[i], value)
    if tonumber(digits) == value then
      return (gsub(digits, ",", ".")) -- os.setlocale may have changed the decimal point
    end
  end
end

local function check_columns(columns)
  if type(columns) ~= "table" then
    return "options.columns must be an array of field names"
  end
  local seen = {}
  for i, field in ipairs(columns) do
    if type(field) ~= "string" then
      return "options.columns[" .. i .. "] must be a string"
    elseif seen[field] then
      return "options.columns has '" .. field .. "' twice"
    end
    seen[field] = true
  end
end

--- Checks the arguments of an encoder.
--
-- Records are what rawget finds from 1 up to the first nil.
-- @tparam table list the records
-- @tparam ?table options the encoder's options
-- @tparam boolean needs_columns whether options.columns must name a column
-- @treturn[1] number how many records there are
-- @treturn[2] nil
-- @treturn[2] string the caller's mistake
function text.check(list, options, needs_columns)
  if type(list) ~= "table" then
    return nil, "list must be a table, not a " .. type(list)
  elseif options ~= nil and type(options) ~= "table" then
    return nil, "options must be a table, not a " .. type(options)
  end
  local columns = options and options.columns
  if columns ~= nil or needs_columns then
    local message = check_columns(columns)
    if message then
      return nil, message
    elseif needs_columns and #columns == 0 then
      return nil, "options.columns must name at least one field"
    end
  end
  local count = 0
  while rawget(list, count + 1) ~= nil do
    count = count + 1
    if type(list[count]) ~= "table" then
      return nil, "record " .. count .. " must be a table, not a " .. type(list[count])
    end
  end
  return count
end

return text
