--- Makes a text valid UTF-8: each byte that is not becomes U+FFFD, as browsers have it. JSON
-- and Prometheus both want that, and what the service has in its log is anybody's guess.
local text = require "pcapi.text"

local char = string.char

-- What is invisible stays as it is; the page makes it visible.
local function encode(code)
  local last = 0x80 + code % 0x40
  local rest = math.floor(code / 0x40)
  if code < 0x800 then
    return char(0xC0 + rest, last)
  elseif code < 0x10000 then
    return char(0xE0 + math.floor(rest / 0x40), 0x80 + rest % 0x40, last)
  end
  return char(0xF0 + math.floor(rest / 0x1000), 0x80 + math.floor(rest / 0x40) % 0x40,
              0x80 + rest % 0x40, last)
end

return text.replacer(encode, "\239\191\189")
