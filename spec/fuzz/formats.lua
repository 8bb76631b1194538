--- Writes random records in each format twice, by the core as far as it can and by Lua alone. The
-- texts must be the same, also in pieces; so must the order of a list that is sorted by time.
local format_texts = require "spec.support.format_texts"
local formats = require "pcapi.format"
local random = require "spec.fuzz.random"
local random_records = require "spec.support.random_records"

-- The text that a writer writes for the records in some parts.
local function write(name, list, options)
  local texts, at = {}, 1
  local _, message = pcall(function()
    local writer = formats.get(name).open(function(text)
      texts[#texts + 1] = text
      return true
    end, options)
    repeat
      local part, most = {}, math.random(20)
      while #part < most and list[at] ~= nil do
        part[#part + 1], at = list[at], at + 1
      end
      assert(writer:rows(part))
    until list[at] == nil
    assert(writer:close())
  end)
  return message or table.concat(texts)
end

local function violation(list, options)
  for _, name in ipairs(format_texts.formats) do
    local by_lua = format_texts.by_lua(name, list, options)
    if format_texts.encode(name, list, options) ~= by_lua then
      return name .. " by the core differs"
    elseif write(name, list, options) ~= by_lua then
      return name .. " in pieces differs"
    end
  end
end

random.begin "formats"
while random.goes_on() do
  local list, options = random_records.list(30), random_records.options()
  local what = violation(list, options)
  if what then
    random.find(what, format_texts.by_lua("jsonl", list, {}))
  end
  random.count_case()
end
random.finish()
