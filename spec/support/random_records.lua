--- Makes random records, plain ones and ones with everything that a format has a rule for.
local null = require("cjson").null

local random = math.random

local function one(list)
  return list[random(#list)]
end

local WORDS = {
  "", "a", "kim@fabrikam.example", "Get /v{version}/customers", "2024-02-03T07:08:09.123", "-",
  "Zoë", "渡辺", "łódź", "Ελένη", "Иван", "한국", "かな", "👍", "e\204\129", "שָׁלוֹם",
  "علی\226\128\140رضا", "क्\226\128\141ष", "a\226\128\140b", -- joiners
  " ", "  ", "\194\160", "\227\128\128", "\226\128\137", "=", "＝", "＠", "=1+1", "+", "@x",
  ",", ";", '"', '""', "'", "\\", "\\/", "/", "\t", "\n", "\r\n",
  "\0", "\27[2J", "\127", "\8\12", "\194\155", "\226\128\174", "\226\128\168", "\216\156",
  "\239\187\191", "\243\160\129\129", -- invisible
  "\128", "\195", "\255", "\192\175", "\237\160\128", "\244\144\128\128", "\224\159\191",
  "\240\159\152", -- not UTF-8
}

local function character()
  local code = one { 0x80, 0x300, 0x700, 0x1200, 0x2100, 0x3200, 0xFF00 } + random(0, 255)
  if code < 0x800 then
    return string.char(0xC0 + math.floor(code / 64), 0x80 + code % 64)
  end
  return string.char(0xE0 + math.floor(code / 4096), 0x80 + math.floor(code / 64) % 64,
    0x80 + code % 64)
end

local function text()
  local parts = {}
  for i = 1, random(0, 4) do
    local kind = random(8)
    parts[i] = kind == 1 and character() or kind == 2 and string.char(random(0, 255))
      or kind == 3 and string.char(random(32, 126)):rep(random(20)) or one(WORDS)
  end
  return table.concat(parts)
end

local NUMBERS = {
  0, -0.0, 1, -7, 12.0, 0.1, 1 / 3, 1e15, 2 ^ 53, 2 ^ 53 + 2, -2 ^ 53, 2 ^ 63, 1e16, 1e100, 5e-324,
  1.7976931348623157e308, 0 / 0, math.huge, -math.huge, 1706944089.123456, math.maxinteger or 3,
  math.mininteger or 4, (math.maxinteger or 5) - 1,
}

local function number()
  return random(2) == 1 and one(NUMBERS) or (random() - 0.5) * 10 ^ random(-20, 20)
end

local function plain_value()
  local kind = random(10)
  if kind <= 6 then
    return one { "kim@fabrikam.example", "Zoë Müller", "渡辺", "a,b", 'say "hi"', "x", "a;b ", "=1",
      ("x"):rep(random(60)), "2024-02-03T07:08:09" }
  end
  return kind == 7 and random(1000) or kind == 8 and random(2) == 1 or kind == 9 and null or nil
end

local function odd_value()
  local kind = random(12)
  if kind <= 7 then
    return text()
  elseif kind <= 9 then
    return number()
  end
  return one { true, false, null, {}, { 1, "a\27" }, { a = { null }, b = "x" }, { [3] = 1 },
    ("long "):rep(random(20)) }
end

local NAMES = { "upn", "requestDateTime", "mfaCompliant", "count", "a", "b", "é", "with \"quotes\"",
  "invisible\226\128\174", ("long name "):rep(5), "x1", "x2", "x10" }

local GHOST = { __index = function() return "ghost" end, __pairs = function() return next, {} end,
                __len = function() return 3 end }

local M = { NAMES = NAMES }

--- Makes a record.
-- @tparam boolean is_plain its values are of the usual kinds
-- @treturn table
function M.record(is_plain)
  local record = {}
  for i = 1, #NAMES do
    if i <= 5 or random(is_plain and 50 or 5) == 1 then
      record[NAMES[i]] = (is_plain and random(40) > 1 and plain_value or odd_value)()
    end
  end
  if not is_plain and random(30) == 1 then
    record[one { 1, 7, 1.5, "1" }] = "by number"
  end
  if random(200) == 1 then
    for i = 1, 70 do
      record["more" .. i] = i
    end
  end
  return random(10) == 1 and setmetatable(record, GHOST) or record
end

--- Makes a list.
-- @tparam number most records
-- @treturn table
function M.list(most)
  local list, is_plain = {}, random(3) > 1
  for i = 1, random(0, most) do
    list[i] = M.record(is_plain)
  end
  if random(60) == 1 then
    list[random(#list + 1)] = { upn = ("ü long "):rep(random(9500)), count = 1 }
  end
  if random(10) == 1 then
    list[#list + 2] = { upn = "behind a hole" }
  end
  return list
end

--- Makes options of a format.
-- @treturn table
function M.options()
  local options, columns = { only_columns = random(3) == 1, empty_array = random(3) == 1 }, {}
  for i = random(4), #NAMES, random(4) do
    columns[#columns + 1] = NAMES[i]
  end
  if random(20) == 1 then
    for i = 1, 70 do
      columns[#columns + 1] = "more" .. i
    end
  end
  options.columns = columns
  options.width = random(2) == 1 and random(1, 200) or nil
  options.ascii, options.color = random(2) == 1, random(4) == 1
  options.titles = { upn = "USER" }
  options.narrow = { { "upn", 9 }, { "count", 0 } }
  options.shown = { requestDateTime = function(value)
    return type(value) == "string" and value:sub(1, 10)
  end }
  options.state = { mfaCompliant = function(value, record)
    return value == false and "bad" or rawget(record, "count") == 1 and "good" or nil
  end }
  return options
end

return M
