--- A socket without network: what comes is scripted, and how it ends; what is read of it is
-- recorded.
local M = {}

local Fake = {}
Fake.__index = Fake

--- Makes one.
-- @tparam string|table what comes: a text, or an array of pieces that come one by one
-- @tparam ?table how `piece`, bytes at once (1000); `ends`, the error after the last ("closed")
-- @treturn table `taken` counts the bytes that were read, `times` the reads
function M.new(what, how)
  how = how or {}
  return setmetatable({
    pieces = type(what) == "table" and what or { what }, number = 1, at = 1,
    piece = how.piece or 1000, ends = how.ends or "closed", taken = 0, times = 0,
  }, Fake)
end

--- As that of ngx_lua: some bytes, one at least, or nil and an error.
function Fake:receiveany(most)
  assert(most > 0, "nothing is asked for")
  self.times = self.times + 1
  local piece = self.pieces[self.number]
  while piece and self.at > #piece do
    self.number, self.at = self.number + 1, 1
    piece = self.pieces[self.number]
  end
  if not piece then
    return nil, self.ends
  end
  local some = piece:sub(self.at, self.at + math.min(most, self.piece) - 1)
  self.at, self.taken = self.at + #some, self.taken + #some
  return some
end

return M
