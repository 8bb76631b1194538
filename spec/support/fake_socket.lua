--- A socket without a network: a spec gives the bytes that arrive, and how they end.
local M = {}

local Fake = {}
Fake.__index = Fake

--- Makes a socket.
-- @tparam string|table bytes a text, or an array of texts that arrive one by one
-- @tparam ?table how `piece`, bytes of one read at most (1000); `ends`, the error after the last
--   byte ("closed")
-- @treturn table its `bytes` and `reads` count what was read
function M.new(bytes, how)
  how = how or {}
  return setmetatable({
    texts = type(bytes) == "table" and bytes or { bytes }, number = 1, at = 1,
    piece = how.piece or 1000, ends = how.ends or "closed", bytes = 0, reads = 0,
  }, Fake)
end

--- As that of ngx_lua: some bytes, at least one; or nil and an error.
function Fake:receiveany(max_bytes)
  assert(max_bytes > 0, "no byte is requested")
  self.reads = self.reads + 1
  local text = self.texts[self.number]
  while text and self.at > #text do
    self.number, self.at = self.number + 1, 1
    text = self.texts[self.number]
  end
  if not text then
    return nil, self.ends
  end
  local some = text:sub(self.at, self.at + math.min(max_bytes, self.piece) - 1)
  self.at, self.bytes = self.at + #some, self.bytes + #some
  return some
end

return M
