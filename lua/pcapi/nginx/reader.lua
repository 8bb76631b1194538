--- Reads lines and bytes from a socket, below ceilings.
--
-- It takes whatever has come, by `receiveany` alone: a read for a number of bytes, or up to a
-- mark, would give each byte as much time as there is for all of them.
-- @module pcapi.nginx.reader
local M = {}

local PIECE = 65536 -- bytes taken at once
local JOINED = 256 -- parts

local Reader = {}
Reader.__index = Reader
Reader.__name = "pcapi.nginx.reader"

--- Makes a reader.
-- @tparam table socket its method `receiveany` takes a number of bytes, and returns some, or
-- nil and an error: "timeout", "closed" or other words
-- @treturn table
function M.new(socket)
  return setmetatable({ socket = socket, text = "", at = 1 }, Reader)
end

--- How many bytes have come and were not read.
-- @treturn number
function Reader:left()
  return #self.text - self.at + 1
end

local function read_more(self)
  local piece, err = self.socket:receiveany(PIECE)
  if not piece then
    return nil, err
  end
  self.text, self.at = self.text:sub(self.at) .. piece, 1
  return true
end

--- Whether what comes next begins with a text. No byte more is waited for than shows it, and
-- none is read.
-- @tparam string beginning
-- @treturn[1] boolean
-- @treturn[2] nil
-- @treturn[2] string the socket's error
function Reader:begins_with(beginning)
  while true do
    local size = math.min(self:left(), #beginning)
    if self.text:sub(self.at, self.at + size - 1) ~= beginning:sub(1, size) then
      return false
    elseif size == #beginning then
      return true
    end
    local ok, err = read_more(self)
    if not ok then
      return nil, err
    end
  end
end

--- Reads a line.
-- @tparam number most bytes, with its end
-- @treturn[1] string without its end, CRLF or LF
-- @treturn[1] number bytes that it took
-- @treturn[2] nil
-- @treturn[2] string the socket's error, or false: it is longer
function Reader:line(most)
  local looked = 0
  while true do
    local last = self.text:find("\n", self.at + looked, true)
    local size = last and last - self.at + 1 or self:left()
    if size > most or size == most and not last then
      return nil, false
    elseif last then
      local ends_so = last > self.at and self.text:byte(last - 1) == 13 -- CR
      local line = self.text:sub(self.at, last - (ends_so and 2 or 1))
      self.at = last + 1
      return line, size
    end
    looked = size
    local ok, err = read_more(self)
    if not ok then
      return nil, err
    end
  end
end

--- Reads some bytes, one at least.
-- @tparam number most
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] string the socket's error
function Reader:some(most)
  if self:left() == 0 then
    return self.socket:receiveany(math.min(most, PIECE))
  end
  local some = self.text:sub(self.at, self.at + most - 1)
  self.at = self.at + #some
  return some
end

-- Small parts are joined now and then: a text that comes a byte at a time would take many
-- times its size.
local Parts = {}
Parts.__index = Parts

--- Makes a place for a text that comes in parts; its `size` is that of all of them.
-- @treturn table
function M.parts()
  return setmetatable({ joined = {}, last = {}, size = 0 }, Parts)
end

--- Adds a part.
-- @tparam string part
function Parts:add(part)
  self.size = self.size + #part
  self.last[#self.last + 1] = part
  if #self.last == JOINED then
    self.joined[#self.joined + 1] = table.concat(self.last)
    self.last = {}
  end
end

--- All parts as one text.
-- @treturn string
function Parts:text()
  return table.concat(self.joined) .. table.concat(self.last)
end

return M
