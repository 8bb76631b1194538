-- client.lua fetch|list COUNT 1.1|2 SETTINGS: what floor.c does, by pcapi.
local pcapi = require "pcapi"

local how, count, http_version, settings = arg[1], tonumber(arg[2]), arg[3], arg[4]
local base_url, ca_file = os.getenv "PCAPI_BASE_URL", os.getenv "PCAPI_CA_FILE"
local token = os.getenv "PCAPI_TOKEN"

if how == "fetch" then
  local options = {
    ca_file = ca_file, http_version = http_version,
    headers = { Accept = "application/json", Authorization = "Bearer " .. token,
                ["X-Sandbox"] = settings },
  }
  for _ = 1, count do
    local response = assert(pcapi.fetch(base_url .. "/v1/nonMfaCompliantPartnerPrincipals",
      options))
    assert(response.json)
  end
else
  local client = pcapi.new {
    base_url = base_url, ca_file = ca_file, http_version = http_version, token = token,
    headers = { ["X-Sandbox"] = settings },
  }
  for _ = 1, count do
    assert(client.security:non_mfa_principals())
  end
end
