--- Texts that somebody put into a variable, a file or a pipe. Editors and shells of other
-- systems add a byte order mark, a line end or blanks, which no service may be sent: it would
-- answer that the secret is wrong. The one rule for all of them: what stands around a text
-- is left out, and what stands within it and cannot belong there is refused.
-- @module pcapi.input
local M = {}

local BOM = "\239\187\191"

-- Patterns of what people copy from a page and do not see: blanks, marks and joiners of UTF-8.
local UNSEEN = {
  BOM, "\194[\133\160\173]", -- U+0085, U+00A0, U+00AD
  "\226\128[\128-\143\168-\175]", -- U+2000 to U+200F, U+2028 to U+202F
  "\226\129[\159-\175]", "\227\128\128", -- U+205F to U+206F, U+3000
}

local function trim(text)
  local before
  repeat
    before = text
    text = text:match "^%s*(.-)%s*$"
    for _, unseen in ipairs(UNSEEN) do
      text = text:gsub("^" .. unseen, ""):gsub(unseen .. "$", "")
    end
  until text == before
  return text
end

local function checked(text)
  if text:find "%c" then
    return nil, "holds a line break or another control character"
  elseif text:find(BOM, 1, true) then
    return nil, "holds a byte order mark within"
  end
  return text
end

-- A function that reads no text of another encoding.
local function reader(read)
  return function(text)
    if text:find "%z" or text:find "^\255\254" or text:find "^\254\255" then
      return nil, "is UTF-16 text or binary; save it as plain text (UTF-8)"
    end
    return read(text)
  end
end

--- A word: an id, a secret, a token, an address. Blanks around it are left out as well; none that
-- nobody sees may be within.
-- @function word
-- @tparam string text
-- @treturn[1] string may be empty
-- @treturn[2] nil
-- @treturn[2] string what is wrong with it, without any of it
M.word = reader(function(text)
  text = trim(text)
  for _, unseen in ipairs(UNSEEN) do
    if text:find(unseen) then
      return nil, "holds a blank or a mark that is not visible"
    end
  end
  return checked(text)
end)

--- A line in which blanks count, also at its ends: a passphrase, a path.
-- @function line
-- @tparam string text
-- @return as @{word}
M.line = reader(function(text)
  return checked((text:gsub("^" .. BOM, ""):gsub("[\r\n]+$", "")))
end)

--- Any number of lines, as of PEM or of a configuration: each ends with LF.
-- @function lines
-- @tparam string text
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] string what is wrong with it
M.lines = reader(function(text)
  return (text:gsub(BOM, ""):gsub("\r\n?", "\n"))
end)

return M
