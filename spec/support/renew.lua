--- Requests access tokens in a separate process. Specs run it:
--
--     lua5.4 spec/support/renew.lua DIRECTORY TENANT [COUNT [AUDIENCE]]
--
-- Requests a token for AUDIENCE (default: the account's) COUNT times (1), each time with a new
-- account object, and prints `ok` or the error. If COUNT is `for-ever`, it renews the token until
-- it is killed, and prints after the first renewal.
local directory, tenant, count, audience = arg[1], arg[2], arg[3], arg[4]
local auth = require "pcapi.auth"
local contexts = require "pcapi.auth.context"
local curl = require "pcapi.http.curl"

local transport = curl.new { ca_file = os.getenv "PCAPI_CA_FILE" }

local function new_account()
  return auth.refresh_token {
    tenant = tenant, client_id = os.getenv "PCAPI_CLIENT_ID" or "client",
    login_url = os.getenv "PCAPI_LOGIN_URL",
    store = auth.file_store(directory), account = "spec",
  }
end

local function token_of(account, refused)
  return account:token(refused, contexts.new { transport = transport, audience = audience })
end

local is_endless = count == "for-ever"
local account = new_account()
local token, err = token_of(account)
if is_endless and token then
  token, err = token_of(account, token)
end
for _ = 2, tonumber(count) or 1 do
  if token then
    token, err = token_of(new_account())
  end
end
print(token and "ok" or tostring(err))
io.stdout:flush()
while is_endless and token do
  token = token_of(account, token)
end
