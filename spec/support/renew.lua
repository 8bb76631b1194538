--- Asks for an access token in a process of its own, to be run by specs:
--
--     lua5.4 spec/support/renew.lua DIRECTORY TENANT [for-ever]
--
-- Prints `ok`, or the error. With `for-ever` it renews again and again until it is
-- killed, and prints after the first time.
local directory, tenant, for_ever = arg[1], arg[2], arg[3]
local auth = require "pcapi.auth"
local context = require "pcapi.auth.context"
local curl = require "pcapi.http.curl"

local account = auth.refresh_token {
  tenant = tenant, client_id = os.getenv "PCAPI_CLIENT_ID" or "client",
  login_url = os.getenv "PCAPI_LOGIN_URL",
  store = auth.file_store(directory), account = "spec",
}
local transport = curl.new { ca_file = os.getenv "PCAPI_CA_FILE" }

local function get(refused)
  return account:token(refused, context.new { transport = transport })
end

local token, err = get()
if for_ever and token then
  token, err = get(token)
end
print(token and "ok" or tostring(err))
io.stdout:flush()
while for_ever and token do
  token = get(token)
end
