-- tenants.lua: counts the users of each tenant who signed in without MFA in the last 24 hours.
-- Each tenant is a profile with a sign-in from: pcapi login --profile NAME
--
--     lua5.4 examples/tenants.lua [PROFILE…]
--
-- Exit status: 0 success, 3 some tenants failed, 1 all tenants failed or there is none,
-- 130 interrupted by Ctrl-C.
local pcapi = require "pcapi"

local names = #arg > 0 and arg or assert(pcapi.profiles())
if #names == 0 then
  io.stderr:write "no user is signed in; run: pcapi login --profile NAME\n"
  os.exit(1)
end

local results = assert(pcapi.each_tenant(names, function(client)
  return client.security:non_mfa_principals { since = "24h" }
end, {
  limit = 50, -- requests in flight at once
  rate = 20, -- requests per second
  progress = function(done, total)
    io.stderr:write(("\r%d of %d tenants"):format(done, total))
  end,
}))
io.stderr:write "\n"

for _, result in ipairs(results) do
  if result.err then
    io.stderr:write(result.name, ": ", tostring(result.err), "\n")
  else
    print(result.name, ("%d users without MFA"):format(#result.value))
  end
end

if results.stopped then
  os.exit(130)
elseif results.failed == #results then
  os.exit(1)
end
os.exit(results.failed == 0 and 0 or 3)
