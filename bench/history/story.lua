--- The tenants of the sandbox in measurements of the history: each has a week of 10,000 requests,
-- 1,000 of them by 20 users without MFA, and the others by 20 programs with MFA.
local sandbox = require "spec.support.sandbox"
local shell = require "bench.shell"
local url = require "pcapi.url"

local M = {}

local USERS, DAY = 20, 24 * 60 * 60

--- How many requests a tenant has.
M.REQUESTS = 10000

--- The id of a tenant.
-- @tparam number number
-- @treturn string
function M.tenant(number)
  return ("5f0b3c1e-0000-4000-8000-%012d"):format(number)
end

local function text(now)
  local lines, first = {}, os.date("!%Y-%m-%dT%H:%M:%SZ", now - 7 * DAY + 600)
  for i = 1, USERS do
    lines[#lines + 1] = ("%s user%d@fabrikam.example requests app=App %d; count=%d; every=200m; "
      .. "ip=192.0.2.7"):format(first, i, i % 12, M.REQUESTS / USERS * 0.1)
    lines[#lines + 1] = ("%s program%d@fabrikam.example requests app=App %d; count=%d; every=22m; "
      .. "ip=192.0.2.8; mfa=1"):format(first, i, i % 12, M.REQUESTS / USERS * 0.9)
  end
  return table.concat(lines, "\n")
end

--- The commands of a shell that set the variables of `pcapi watch`: it signs in by a refresh token,
-- and all tenants share the lists of one story.
-- @tparam string directory of the history
-- @treturn string
function M.environment(directory)
  local scenario = ("story=%s;tenant=%s"):format(sandbox.story(text(os.time())), M.tenant(0))
  local response = assert(sandbox.fetch "/_sandbox/refresh_token?client_id=client")
  return ("unset PCAPI_TOKEN; export HOME=%s PCAPI_HISTORY=%s/history.sqlite "
    .. "PCAPI_CLIENT_ID=client PCAPI_REFRESH_TOKEN=%s PCAPI_LOGIN_URL=%s"):format(
    shell.quote(directory), shell.quote(directory), shell.quote(response.body),
    shell.quote(sandbox.url .. "/login/scenario=" .. url.escape(scenario)))
end

return M
