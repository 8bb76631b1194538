--- Reads lines and bytes from a socket, up to given limits.
--
-- It uses `receiveany` alone: the other read functions of ngx_lua start their timeout anew with
-- each byte that arrives.
-- @module pcapi.nginx.reader
local M = {}

local PIECE = 65536 -- bytes read at once
local JOINED = 256 -- parts

local Reader = {}
Reader.__index = Reader
Reader.__name = "pcapi.nginx.reader"

--- Makes a reader.
-- @tparam table socket its method `receiveany` takes a maximum number of bytes, and returns
-- some; or nil and an error: "timeout", "closed" or other words
-- @treturn table
function M.new(socket)
  return setmetatable({ socket = socket, text = "", at = 1 }, Reader)
end

--- The number of bytes that were received, and not read yet.
-- @treturn number
function Reader:left()
  return #self.text - self.at + 1
end

local function receive(self)
  local piece, err = self.socket:receiveany(PIECE)
  if not piece then
    return nil, err
  end
  self.text, self.at = self.text:sub(self.at) .. piece, 1
  return true
end

--- Whether the next bytes are a given text. Does not read them, and waits only for as many
-- bytes as the test needs.
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
    local ok, err = receive(self)
    if not ok then
      return nil, err
    end
  end
end

--- Reads a line.
-- @tparam number max_bytes with the end of the line
-- @treturn[1] string without the end of the line, CRLF or LF
-- @treturn[1] number bytes read
-- @treturn[2] nil
-- @treturn[2] string the socket's error, or false: the line is longer
function Reader:line(max_bytes)
  local searched = 0
  while true do
    local last = self.text:find("\n", self.at + searched, true)
    local size = last and last - self.at + 1 or self:left()
    if size > max_bytes or size == max_bytes and not last then
      return nil, false
    elseif last then
      local has_cr = last > self.at and self.text:byte(last - 1) == 13
      local line = self.text:sub(self.at, last - (has_cr and 2 or 1))
      self.at = last + 1
      return line, size
    end
    searched = size
    local ok, err = receive(self)
    if not ok then
      return nil, err
    end
  end
end

--- Reads some bytes, at least one.
-- @tparam number max_bytes
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] string the socket's error
function Reader:some(max_bytes)
  if self:left() == 0 then
    return self.socket:receiveany(math.min(max_bytes, PIECE))
  end
  local some = self.text:sub(self.at, self.at + max_bytes - 1)
  self.at = self.at + #some
  return some
end

local Parts = {}
Parts.__index = Parts

--- Makes a buffer for a text that arrives in parts. Small parts are joined now and then, so that
-- a text that arrives byte by byte does not take many times its size.
-- @treturn table `size` (bytes so far), and the methods `add` and `text`
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

--- Returns all parts as one text.
-- @treturn string
function Parts:text()
  local last = table.concat(self.last)
  if #self.joined == 0 then
    return last
  end
  self.joined[#self.joined + 1], self.last = last, {}
  return table.concat(self.joined) -- one copy: it may be large
end

return M
