--- Finds the TCP connection of the current request by its ports: nginx does not expose it to Lua.
local ffi = require "ffi"

local M = {}

ffi.cdef [[
  int getpeername(int, void *, unsigned *);
  int getsockname(int, void *, unsigned *);
  int shutdown(int, int);
]]

local AF_INET, BOTH_WAYS = 2, 2
local MOST = 16384 -- descriptors; nginx.conf allows 4,096 connections
local ADDRESS = 128
local address, length = ffi.new("uint8_t[?]", ADDRESS), ffi.new "unsigned[1]"

local function port_by(get_name, descriptor)
  length[0] = ADDRESS
  if get_name(descriptor, address, length) == 0 and address[0] == AF_INET then
    return address[2] * 256 + address[3]
  end
end

local function find()
  local theirs, ours = tonumber(ngx.var.remote_port), tonumber(ngx.var.server_port)
  for descriptor = 0, MOST do
    if port_by(ffi.C.getpeername, descriptor) == theirs
      and port_by(ffi.C.getsockname, descriptor) == ours then
      return descriptor
    end
  end
end

--- Closes the connection at once, with all of its requests.
function M.cut()
  local descriptor = find()
  if descriptor then -- another request on it may have closed it already
    ffi.C.shutdown(descriptor, BOTH_WAYS)
  end
end

return M
