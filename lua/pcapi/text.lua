--- Makes strings safe for a terminal, measures and cuts them, and writes numbers and bytes.
--
-- The values of records come from outside and are not trusted.
-- @module pcapi.text

local byte, find, gsub, match, sub = string.byte, string.find, string.gsub, string.match, string.sub
local floor = math.floor

local text = {}

-- The tables list ranges, sorted: the first and the last code point of each.

-- Invisible characters: C1, bidi controls, zero-width and other ignorable characters, line and
-- paragraph separators, tags.
local HIDDEN = {
  0x80, 0x9F, 0xAD, 0xAD, 0x34F, 0x34F, 0x61C, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5,
  0x180E, 0x180E, 0x200B, 0x200F, 0x2028, 0x202E, 0x2060, 0x206F, 0x3164, 0x3164,
  0xFEFF, 0xFEFF, 0xFFA0, 0xFFA0, 0xFFF9, 0xFFFB, 0x1BCA0, 0x1BCA3, 0x1D173, 0x1D17A,
  0xE0000, 0xE0FFF,
}

-- Marks on or around another character (Mn and Me of Unicode 14), the later parts of Hangul
-- syllables, and joiners.
local NO_COLUMNS = {
  0x300, 0x36F, 0x483, 0x489, 0x591, 0x5BD, 0x5BF, 0x5BF, 0x5C1, 0x5C2, 0x5C4, 0x5C5, 0x5C7, 0x5C7,
  0x610, 0x61A, 0x64B, 0x65F, 0x670, 0x670, 0x6D6, 0x6DC, 0x6DF, 0x6E4, 0x6E7, 0x6E8, 0x6EA, 0x6ED,
  0x711, 0x711, 0x730, 0x74A, 0x7A6, 0x7B0, 0x7EB, 0x7F3, 0x7FD, 0x7FD, 0x816, 0x819, 0x81B, 0x823,
  0x825, 0x827, 0x829, 0x82D, 0x859, 0x85B, 0x898, 0x89F, 0x8CA, 0x8E1, 0x8E3, 0x902, 0x93A, 0x93A,
  0x93C, 0x93C, 0x941, 0x948, 0x94D, 0x94D, 0x951, 0x957, 0x962, 0x963, 0x981, 0x981, 0x9BC, 0x9BC,
  0x9C1, 0x9C4, 0x9CD, 0x9CD, 0x9E2, 0x9E3, 0x9FE, 0xA02, 0xA3C, 0xA3C, 0xA41, 0xA51, 0xA70, 0xA71,
  0xA75, 0xA75, 0xA81, 0xA82, 0xABC, 0xABC, 0xAC1, 0xAC8, 0xACD, 0xACD, 0xAE2, 0xAE3, 0xAFA, 0xB01,
  0xB3C, 0xB3C, 0xB3F, 0xB3F, 0xB41, 0xB44, 0xB4D, 0xB56, 0xB62, 0xB63, 0xB82, 0xB82, 0xBC0, 0xBC0,
  0xBCD, 0xBCD, 0xC00, 0xC00, 0xC04, 0xC04, 0xC3C, 0xC3C, 0xC3E, 0xC40, 0xC46, 0xC56, 0xC62, 0xC63,
  0xC81, 0xC81, 0xCBC, 0xCBC, 0xCBF, 0xCBF, 0xCC6, 0xCC6, 0xCCC, 0xCCD, 0xCE2, 0xCE3, 0xD00, 0xD01,
  0xD3B, 0xD3C, 0xD41, 0xD44, 0xD4D, 0xD4D, 0xD62, 0xD63, 0xD81, 0xD81, 0xDCA, 0xDCA, 0xDD2, 0xDD6,
  0xE31, 0xE31, 0xE34, 0xE3A, 0xE47, 0xE4E, 0xEB1, 0xEB1, 0xEB4, 0xEBC, 0xEC8, 0xECD, 0xF18, 0xF19,
  0xF35, 0xF35, 0xF37, 0xF37, 0xF39, 0xF39, 0xF71, 0xF7E, 0xF80, 0xF84, 0xF86, 0xF87, 0xF8D, 0xFBC,
  0xFC6, 0xFC6, 0x102D, 0x1030, 0x1032, 0x1037, 0x1039, 0x103A, 0x103D, 0x103E, 0x1058, 0x1059,
  0x105E, 0x1060, 0x1071, 0x1074, 0x1082, 0x1082, 0x1085, 0x1086, 0x108D, 0x108D, 0x109D, 0x109D,
  0x1161, 0x11FF, 0x135D, 0x135F, 0x1712, 0x1714, 0x1732, 0x1733, 0x1752, 0x1753, 0x1772, 0x1773,
  0x17B4, 0x17B5, 0x17B7, 0x17BD, 0x17C6, 0x17C6, 0x17C9, 0x17D3, 0x17DD, 0x17DD, 0x180B, 0x180F,
  0x1885, 0x1886, 0x18A9, 0x18A9, 0x1920, 0x1922, 0x1927, 0x1928, 0x1932, 0x1932, 0x1939, 0x193B,
  0x1A17, 0x1A18, 0x1A1B, 0x1A1B, 0x1A56, 0x1A56, 0x1A58, 0x1A60, 0x1A62, 0x1A62, 0x1A65, 0x1A6C,
  0x1A73, 0x1A7F, 0x1AB0, 0x1B03, 0x1B34, 0x1B34, 0x1B36, 0x1B3A, 0x1B3C, 0x1B3C, 0x1B42, 0x1B42,
  0x1B6B, 0x1B73, 0x1B80, 0x1B81, 0x1BA2, 0x1BA5, 0x1BA8, 0x1BA9, 0x1BAB, 0x1BAD, 0x1BE6, 0x1BE6,
  0x1BE8, 0x1BE9, 0x1BED, 0x1BED, 0x1BEF, 0x1BF1, 0x1C2C, 0x1C33, 0x1C36, 0x1C37, 0x1CD0, 0x1CD2,
  0x1CD4, 0x1CE0, 0x1CE2, 0x1CE8, 0x1CED, 0x1CED, 0x1CF4, 0x1CF4, 0x1CF8, 0x1CF9, 0x1DC0, 0x1DFF,
  0x200C, 0x200D, 0x20D0, 0x20F0, 0x2CEF, 0x2CF1, 0x2D7F, 0x2D7F, 0x2DE0, 0x2DFF, 0x302A, 0x302D,
  0x3099, 0x309A, 0xA66F, 0xA672, 0xA674, 0xA67D, 0xA69E, 0xA69F, 0xA6F0, 0xA6F1, 0xA802, 0xA802,
  0xA806, 0xA806, 0xA80B, 0xA80B, 0xA825, 0xA826, 0xA82C, 0xA82C, 0xA8C4, 0xA8C5, 0xA8E0, 0xA8F1,
  0xA8FF, 0xA8FF, 0xA926, 0xA92D, 0xA947, 0xA951, 0xA980, 0xA982, 0xA9B3, 0xA9B3, 0xA9B6, 0xA9B9,
  0xA9BC, 0xA9BD, 0xA9E5, 0xA9E5, 0xAA29, 0xAA2E, 0xAA31, 0xAA32, 0xAA35, 0xAA36, 0xAA43, 0xAA43,
  0xAA4C, 0xAA4C, 0xAA7C, 0xAA7C, 0xAAB0, 0xAAB0, 0xAAB2, 0xAAB4, 0xAAB7, 0xAAB8, 0xAABE, 0xAABF,
  0xAAC1, 0xAAC1, 0xAAEC, 0xAAED, 0xAAF6, 0xAAF6, 0xABE5, 0xABE5, 0xABE8, 0xABE8, 0xABED, 0xABED,
  0xFB1E, 0xFB1E, 0xFE00, 0xFE0F, 0xFE20, 0xFE2F, 0x1E944, 0x1E94A,
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

-- Invisible characters that belong to names: ZWNJ, ZWJ, CGJ and the Mongolian MVS shape the letters
-- beside them, and join several emoji into one.
local JOINERS = { ["\226\128\140"] = true, ["\226\128\141"] = true, ["\205\143"] = true,
                  ["\225\160\142"] = true }
local SOME_JOINER = "[\205\225\226][\128\143\160][\140-\142]?"

-- Scripts and symbols that use joiners: from Hebrew to Myanmar, Khmer, Mongolian, other scripts of
-- South Asia, and emoji. In other scripts a joiner only makes two names look alike.
local JOINING = {
  0x590, 0x109F, 0x1780, 0x18AF, 0x1A20, 0x1AAF, 0x1B00, 0x1C4F, 0x1CD0, 0x1CFF, 0x2190, 0x2BFF,
  0xA800, 0xA95F, 0xA980, 0xABFF, 0xFB1D, 0xFDFF, 0xFE0F, 0xFE0F, 0xFE70, 0xFEFC,
  0x10A00, 0x11FFF, 0x1E900, 0x1E95F, 0x1F000, 0x1FAFF,
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

-- A byte above ASCII and the continuation bytes behind it, maybe too many.
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

-- Tests whether the joiner at these bytes is in use: beside a character that can be joined, and not
-- behind another invisible one.
local function has_use(value, first, last)
  local before = match(sub(value, math.max(first - 4, 1), first - 1), "[\192-\255][\128-\191]*$")
  local after = match(sub(value, last + 1, last + 4), "^[\192-\255][\128-\191]*")
  local code, next_code = before and decode(before), after and decode(after)
  if code and is_in(HIDDEN, code) then
    return false
  end
  return code and is_in(JOINING, code)
    or next_code and is_in(JOINING, next_code) and not is_in(HIDDEN, next_code)
end

--- Makes a function that replaces invisible characters and invalid UTF-8 in a string. A joiner
-- stays if its script uses it. ASCII stays, control characters included.
-- @tparam function hidden takes the code point of an invisible character; returns its replacement,
-- or nil to keep it
-- @tparam function|table|string invalid replacement of each byte that is not UTF-8, as the third
-- argument of string.gsub
-- @treturn function takes a string and returns it with replacements
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
    elseif not find(value, SOME_JOINER) then
      return (gsub(value, CHUNK, replace))
    end
    return (gsub(value, "()(" .. CHUNK .. ")()", function(first, chunk, stop)
      return JOINERS[chunk] and has_use(value, first, stop - 1) and chunk or replace(chunk)
    end))
  end
end

local NAMED = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function visible_byte(char)
  return NAMED[char] or string.format("\\x%02x", byte(char))
end

local visible_unicode = text.replacer(function(code)
  return string.format("\\u{%x}", code)
end, visible_byte)

--- Makes a string safe to print on a terminal.
--
-- Control characters become `\n`, `\r`, `\t` or `\x1b`; invisible characters (C1, bidi, zero-width,
-- separators) `\u{202e}`; bytes that are not UTF-8 `\xff`. Joiners in use stay (see @{replacer}). A
-- backslash stays as it is: the result is for users, and cannot be decoded.
-- @tparam string value any bytes
-- @tparam[opt=false] boolean layout leaves TAB, LF and CR as they are
-- @treturn string valid UTF-8 without invisible characters
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

--- Returns the columns that a string takes on a terminal. A terminal that joins emoji takes fewer,
-- never more.
-- @tparam string value the result of @{visible}
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

--- Cuts a string that is too wide, and adds an ellipsis.
-- @tparam string value the result of @{visible}, wider than room
-- @tparam number room terminal columns, at least 1
-- @tparam[opt=false] boolean ascii the ellipsis is three dots, fewer if the room is smaller
-- @treturn string
-- @treturn number its columns: room, or one less if a wide character did not fit
function text.cut(value, room, ascii)
  local mark, mark_width = "…", 1
  if ascii then
    mark_width = math.min(3, room)
    mark = sub("...", 1, mark_width)
  end
  if not find(value, "[\128-\255]") then
    return sub(value, 1, room - mark_width) .. mark, room
  end
  local used, last = 0, 0
  for char, after in string.gmatch(value, "([^\128-\191][\128-\191]*)()") do
    local wider = used + columns_of(char)
    if wider > room - mark_width then
      break
    end
    used, last = wider, after - 1
  end
  return sub(value, 1, last) .. mark, used + mark_width
end

local ROUND_TRIP = { "%.14g", "%.15g", "%.16g", "%.17g" }

--- Writes bytes as hexadecimal digits.
-- @tparam string bytes
-- @treturn string two lower-case digits for each
function text.hex(bytes)
  return (gsub(bytes, ".", function(char)
    return string.format("%02x", byte(char))
  end))
end

--- Writes a number with as many digits as are needed to read the same number back.
-- @tparam number value any number
-- @treturn ?string a JSON number; nil for NaN and infinities
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
      return (gsub(digits, "[^0-9e+-]+", ".")) -- os.setlocale may have changed the decimal point
    end
  end
end

return text
