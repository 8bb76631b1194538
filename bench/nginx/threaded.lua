--- Runs in a thread of nginx, with its own Lua state; see way/threads.lua.
local pcapi = require "pcapi"

local M = {}

local client

--- Fetches the users.
-- @treturn[1] number of users
-- @treturn[2] nil
-- @treturn[2] string error message
function M.count(base_url, token, settings, ca_file)
  client = client or pcapi.new {
    base_url = base_url, token = token, headers = { ["X-Sandbox"] = settings },
    ca_file = ca_file, http_version = "1.1",
  }
  local users, err = client.security:non_mfa_principals()
  return users and #users, tostring(err)
end

return M
