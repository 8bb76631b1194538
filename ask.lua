local dir, t, seed, audience, refuse = arg[1], arg[2], arg[3], arg[4], arg[5]
local auth, c = require "pcapi.auth", require "pcapi.auth.context"
local a = auth.refresh_token { tenant = t, client_id = "client", login_url = os.getenv "PCAPI_LOGIN_URL", refresh_token = seed ~= "" and seed or nil, store = auth.file_store(dir), account = "spec" }
local ctx = c.new { transport = require("pcapi.http.curl").new { ca_file = os.getenv "PCAPI_SANDBOX_CA" } }
ctx.audience = audience ~= "" and audience or nil
local tok, err = a:token(nil, ctx)
if refuse then tok, err = a:token(tok, ctx) end
print(tok and auth.claims(tok).audience or tostring(err), a:status().claims.audience)
