-- luasec.lua AT_ONCE COUNT 1.1 SETTINGS, with LuaSocket and LuaSec. Their HTTP client
-- closes the connection after every response, so this program speaks HTTP over the socket itself.
-- Without arguments it prints its version.
local cjson = require "cjson"
local socket = require "socket"
local ssl = require "ssl"

if not arg[1] then
  print(("%s, LuaSec %s by %s"):format(socket._VERSION, ssl._VERSION, _VERSION))
  os.exit()
end

local count, settings = tonumber(arg[2]), arg[4]
local host, port = os.getenv "PCAPI_BASE_URL":match "^https://([^:/]+):(%d+)$"
local request = table.concat({
  "GET /v1/nonMfaCompliantPartnerPrincipals HTTP/1.1",
  ("Host: %s:%s"):format(host, port), "Accept: application/json",
  "Authorization: Bearer " .. os.getenv "PCAPI_TOKEN", "X-Sandbox: " .. settings, "\r\n",
}, "\r\n")

local function connect()
  local tcp = assert(socket.connect(host, port))
  tcp:setoption("tcp-nodelay", true)
  local ca_file = os.getenv "PCAPI_CA_FILE"
  local tls = assert(ssl.wrap(tcp, {
    mode = "client", protocol = "any", options = { "all", "no_sslv2", "no_sslv3" },
    verify = "peer", cafile = ca_file, capath = not ca_file and "/etc/ssl/certs" or nil,
  }))
  tls:sni(host)
  assert(tls:dohandshake())
  return tls
end

local function read_headers(tls)
  local status = assert(tls:receive "*l"):match "^HTTP/1.1 (%d+)"
  local headers = {}
  for line in function() return assert(tls:receive "*l") end do
    if line == "" then
      return status, headers
    end
    local name, value = line:match "^([^:]+):%s*(.*)$"
    headers[name:lower()] = value
  end
end

local function read_chunks(tls)
  local pieces = {}
  while true do
    local size = tonumber(assert(tls:receive "*l"):match "^%x+", 16)
    if size == 0 then
      tls:receive "*l"
      return table.concat(pieces)
    end
    pieces[#pieces + 1] = assert(tls:receive(size))
    tls:receive "*l"
  end
end

local tls = connect()
for _ = 1, count do
  assert(tls:send(request))
  local status, headers = read_headers(tls)
  assert(status == "200", status)
  local length = tonumber(headers["content-length"])
  local body = length and assert(tls:receive(length)) or read_chunks(tls)
  assert(cjson.decode((body:gsub("^\239\187\191", ""))).items)
end
tls:close()
