--- Colours for terminals (ECMA-48 §8.3.117).
-- @module pcapi.format.color
local M = {}

local PLAIN = "\27[0m"
local BOLD = "\27[1m"
local COLORS = { bad = "\27[31m", warning = "\27[33m", good = "\27[32m" }

--- Makes a text bold.
-- @tparam string text
-- @treturn string
function M.bold(text)
  return BOLD .. text .. PLAIN
end

--- Colours a text by what it means: `bad` is red, `warning` yellow, `good` green. The text itself
-- must say the same, for readers who see no colours.
-- @tparam string text
-- @param state any other value leaves the text as it is
-- @treturn string
function M.paint(text, state)
  local color = COLORS[state]
  return color and color .. text .. PLAIN or text
end

return M
