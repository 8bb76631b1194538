---@meta pcapi.format.color
-- Made by `make types` from lua/pcapi/format/color.lua; do not edit.

---Colours for terminals (ECMA-48 §8.3.117).
---@class pcapi.format.color
local pcapi_format_color = {}

---Makes a text bold.
---@param text string 
---@return string # 
function pcapi_format_color.bold(text) end

---Colours a text by what it means: `bad` is red, `warning` yellow, `good` green. The text itself must say the same, for readers who see no colours.
---@param text string 
---@param state any any other value leaves the text as it is
---@return string # 
function pcapi_format_color.paint(text, state) end

return pcapi_format_color
