-- Signs in at the OpenID provider and follows the redirect, as a browser does:
-- browse.lua PROVIDER_URL ADDRESS
local curl = require "spec.support.curl"
local oidc = require "spec.support.oidc"

local redirect = oidc.at(arg[1]):authorize(arg[2])
os.execute(curl.COMMAND .. " -s -o /dev/null --noproxy '*' " .. curl.quote(redirect))
