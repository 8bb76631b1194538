-- tenants.lua: how many users of each tenant came in without MFA since yesterday. Each
-- tenant is a profile that somebody signed in to by: pcapi login --profile NAME
--
--     lua5.4 examples/tenants.lua [PROFILE…]
--
-- Status 0: all were asked; 3: some failed; 1: all did, or there are none; 130: Ctrl-C.
local pcapi = require "pcapi"

local names = #arg > 0 and arg or assert(pcapi.profiles())
if #names == 0 then
  io.stderr:write "nobody is signed in; run: pcapi login --profile NAME\n"
  os.exit(1)
end

local results = assert(pcapi.each_tenant(names, function(client)
  return client.security:non_mfa_principals { since = "24h" }
end, {
  limit = 50, -- requests under way at once
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
