-- lua-curl.lua AT_ONCE COUNT 1.1|2 SETTINGS, with Debian's lua-curl. It binds easy handles only,
-- so requests are sent one after another. Without arguments it prints its version.
local cjson = require "cjson"
local curl = require "curl"

if not arg[1] then
  print(curl._VERSION .. " by " .. jit.version .. ", easy handles of " .. curl.version())
  os.exit()
end

local count, version, settings = tonumber(arg[2]), arg[3], arg[4]

local handle = curl.easy_init()
handle:setopt(curl.OPT_URL, os.getenv "PCAPI_BASE_URL" .. "/v1/nonMfaCompliantPartnerPrincipals")
handle:setopt(curl.OPT_HTTPHEADER, {
  "Accept: application/json", "Authorization: Bearer " .. os.getenv "PCAPI_TOKEN",
  "X-Sandbox: " .. settings,
})
if version == "1.1" then -- it has no constant for HTTP/2, which libcurl uses by default
  handle:setopt(curl.OPT_HTTP_VERSION, curl.HTTP_VERSION_1_1)
end
handle:setopt(curl.OPT_FAILONERROR, 1)
if os.getenv "PCAPI_CA_FILE" then
  handle:setopt(curl.OPT_CAINFO, os.getenv "PCAPI_CA_FILE")
end

local pieces
handle:setopt(curl.OPT_WRITEFUNCTION, function(piece)
  pieces[#pieces + 1] = piece
  return #piece
end)

for _ = 1, count do
  pieces = {}
  local code, message = handle:perform()
  assert(code == 0, message)
  local body = table.concat(pieces):gsub("^\239\187\191", "")
  assert(cjson.decode(body).items)
end
