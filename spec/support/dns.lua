--- Starts a DNS server on loopback that knows the names of a spec. Run as a program, it is that
-- server: `lua5.4 spec/support/dns.lua NAME=ADDRESS,…;SECONDS …`.
local files = require "spec.support.files"

local M = {}

local COMMAND = "exec env -u LD_PRELOAD -u LUA_CPATH lua5.4 spec/support/dns.lua %s >%s 2>&1"

local A, AAAA = 1, 28

-- The second address cannot be connected to.
local IPV6 = { ["::1"] = ("\0"):rep(15) .. "\1", ["ff02::1"] = "\255\2" .. ("\0"):rep(13) .. "\1" }

-- The name in a question, and the position after it.
local function read_name(packet, at)
  local labels = {}
  while packet:byte(at) > 0 do
    local size = packet:byte(at)
    labels[#labels + 1] = packet:sub(at + 1, at + size)
    at = at + 1 + size
  end
  return table.concat(labels, "."):lower(), at + 1
end

local function bytes_of(address)
  local v4 = { address:match "^(%d+)%.(%d+)%.(%d+)%.(%d+)$" }
  if v4[1] then
    return A, string.char(v4[1], v4[2], v4[3], v4[4])
  end
  return AAAA, assert(IPV6[address], "unknown address")
end

-- The response to a question (RFC 1035 §4.1). The name in each record points to the question.
local function response_to(packet, entry)
  local _, at = read_name(packet, 13)
  local wanted = packet:byte(at) * 256 + packet:byte(at + 1)
  local records = {}
  for address in (entry and entry.addresses or ""):gmatch "[^,]+" do
    local kind, bytes = bytes_of(address)
    if kind == wanted then
      records[#records + 1] = "\192\12" .. string.char(0, kind) .. "\0\1\0\0\0\60\0"
        .. string.char(#bytes) .. bytes
    end
  end
  return packet:sub(1, 2) .. (entry and "\129\128" or "\129\131") .. "\0\1\0"
    .. string.char(#records) .. "\0\0\0\0" .. packet:sub(13, at + 3) .. table.concat(records)
end

-- Serves at a port that the system chooses, and prints it.
local function serve(entries)
  local uv = require "luv"
  local socket = uv.new_udp()
  assert(socket:bind("127.0.0.1", 0))
  socket:recv_start(function(_, packet, from)
    if not packet then
      return
    end
    local entry = entries[(read_name(packet, 13))]
    local timer = uv.new_timer()
    timer:start(entry and entry.milliseconds or 0, 0, function()
      timer:close()
      socket:send(response_to(packet, entry), from.ip, from.port)
    end)
  end)
  -- it ends with the process that has started it
  local input = uv.new_pipe(false)
  input:open(0)
  input:read_start(function(_, line)
    if not line then
      os.exit(0)
    end
  end)
  print(socket:getsockname().port)
  io.flush()
  uv.run()
end

local running = {}

local function port_of(dir)
  return files.lines_of(("cat %s/port 2>/dev/null"):format(dir))[1]
end

--- Starts a server.
-- @tparam table names name to addresses, such as `"127.0.0.1,::1"` (of IPv6: `::1` and `ff02::1`),
--   and after a semicolon how many seconds the response takes
-- @treturn string host and port, for the directive resolver
function M.start(names)
  local nginx = require "spec.support.nginx" -- not in the program
  local dir, words = files.lines_of "mktemp -d"[1], {}
  for name, addresses in pairs(names) do
    words[#words + 1] = ("'%s=%s'"):format(name, addresses)
  end
  local pipe = assert(io.popen(COMMAND:format(table.concat(words, " "), dir .. "/port"), "w"))
  running[#running + 1] = { pipe = pipe, dir = dir }
  assert(nginx.wait_for(function() return port_of(dir) end), "the DNS server does not start")
  return "127.0.0.1:" .. port_of(dir)
end

--- Stops all servers.
function M.stop_all()
  for i = #running, 1, -1 do
    running[i].pipe:close()
    os.execute("rm -rf " .. running[i].dir)
    running[i] = nil
  end
end

if (...) == "spec.support.dns" then
  return M
end

local entries = {}
for _, word in ipairs { ... } do
  local name, addresses, seconds = word:match "^([^=]*)=([^;]*);?([%d.]*)$"
  entries[name] = { addresses = addresses,
                    milliseconds = math.floor(1000 * (tonumber(seconds) or 0)) }
end
serve(entries)
