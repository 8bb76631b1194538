--- Compresses texts by gzip(1).
local folder = require "spec.support.folder"

local HEADER, TRAILER = 10, 8 -- bytes, without a name

local M = {}

--- Compresses a text as gzip; call `folder.remove` afterwards.
function M.gzip(text)
  local pipe = io.popen(("gzip -nc '%s'"):format(folder.write(folder.new() .. "/text", text)))
  local packed = pipe:read "*a"
  pipe:close()
  return packed
end

--- Compresses a text as raw deflate.
function M.deflate(text)
  return M.gzip(text):sub(HEADER + 1, -TRAILER - 1)
end

return M
