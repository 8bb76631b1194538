--- Cleans texts that a user put into a variable, a file or a pipe. Editors and shells add a byte
-- order mark, a line end or blanks; with them, a service would call a secret wrong. All such texts
-- follow one rule: characters around the text are removed, invalid characters inside it are
-- refused.
-- @module pcapi.input
local M = {}

local BOM = "\239\187\191"

-- Patterns of invisible UTF-8 characters that users copy from a page: blanks, marks and joiners.
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
    return nil, "holds a byte order mark inside"
  end
  return text
end

-- Makes a function that refuses another encoding before it reads a text.
local function reader(read)
  return function(text)
    if text:find "%z" or text:find "^\255\254" or text:find "^\254\255" then
      return nil, "is UTF-16 text or binary; save it as plain text (UTF-8)"
    end
    return read(text)
  end
end

--- Cleans a word: an id, a secret, a token, an address. It may have no invisible character inside,
-- and loses all blanks around it.
-- @function word
-- @tparam string text
-- @treturn[1] string may be empty
-- @treturn[2] nil
-- @treturn[2] string what is wrong; it shows nothing of the text
M.word = reader(function(text)
  text = trim(text)
  for _, unseen in ipairs(UNSEEN) do
    if text:find(unseen) then
      return nil, "holds an invisible blank or mark"
    end
  end
  return checked(text)
end)

--- Cleans a line that may begin and end with blanks: a passphrase, a path.
-- @function line
-- @tparam string text
-- @treturn[1] string may be empty
-- @treturn[2] nil
-- @treturn[2] string what is wrong; it shows nothing of the text
M.line = reader(function(text)
  return checked((text:gsub("^" .. BOM, ""):gsub("[\r\n]+$", "")))
end)

--- Cleans a text of several lines, such as PEM or a configuration file. Its line ends become LF.
-- @function lines
-- @tparam string text
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] string what is wrong
M.lines = reader(function(text)
  return (text:gsub(BOM, ""):gsub("\r\n?", "\n"))
end)

return M
