-- lua-http.lua AT_ONCE COUNT 1.1|2 SETTINGS, with lua-http over cqueues. Its high-level
-- request does not reuse connections, so this program does: over HTTP/1.1 one for each request in
-- flight, over HTTP/2 one for all (the server allows 256 streams).
-- Without arguments it prints its version.
local cjson = require "cjson"
local context = require "openssl.ssl.context"
local cqueues = require "cqueues"
local headers = require "http.headers"
local http_client = require "http.client"
local http_tls = require "http.tls"

if not arg[1] then
  print(("%s, cqueues %s by %s"):format(require "http.version".version, cqueues.VERSION,
    jit.version))
  os.exit()
end

local at_once, count, version, settings = tonumber(arg[1]), tonumber(arg[2]), arg[3], arg[4]
local STREAMS = 256
-- with HTTP/2's default window of 64 KB, W4 takes four times as long
local STREAM_WINDOW, CONNECTION_WINDOW = 2^20, 2^26
local host, port = os.getenv "PCAPI_BASE_URL":match "^https://([^:/]+):(%d+)$"

local ctx = http_tls.new_client_context()
if os.getenv "PCAPI_CA_FILE" then
  ctx:getStore():add(os.getenv "PCAPI_CA_FILE")
end
ctx:setVerify(context.VERIFY_PEER)

local head = headers.new()
head:append(":method", "GET")
head:append(":scheme", "https")
head:append(":path", "/v1/nonMfaCompliantPartnerPrincipals")
head:append(":authority", host .. ":" .. port)
head:append("accept", "application/json")
head:append("authorization", "Bearer " .. os.getenv "PCAPI_TOKEN")
head:append("x-sandbox", settings)

local function connect()
  local connection = assert(http_client.connect({
    host = host, port = tonumber(port), tls = true, ctx = ctx, version = tonumber(version),
    h2_settings = { INITIAL_WINDOW_SIZE = STREAM_WINDOW },
  }, 10))
  if version == "2" then
    connection:write_window_update(CONNECTION_WINDOW)
  end
  return connection
end

local function get(connection)
  local stream = assert(connection:new_stream())
  assert(stream:write_headers(head, true))
  assert(stream:get_headers():get ":status" == "200")
  local body = assert(stream:get_body_as_string())
  stream:shutdown()
  assert(cjson.decode((body:gsub("^\239\187\191", ""))).items)
end

-- Each worker sends one request after another over its connection.
local function round(connections, workers, requests)
  local queue, left = cqueues.new(), requests
  for i = 1, workers do
    queue:wrap(function()
      while left > 0 do
        left = left - 1
        get(connections[(i - 1) % #connections + 1])
      end
    end)
  end
  assert(queue:loop())
end

local connections = {}
local queue = cqueues.new()
queue:wrap(function()
  for i = 1, version == "2" and math.ceil(at_once / STREAMS) or at_once do
    connections[i] = connect()
  end
end)
assert(queue:loop())

round(connections, at_once, count)
if at_once > 1 then
  local wall, cpu = cqueues.monotime(), os.clock()
  round(connections, at_once, count)
  print(cqueues.monotime() - wall, os.clock() - cpu)
end
