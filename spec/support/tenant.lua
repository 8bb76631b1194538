--- Makes a tenant of the sandbox for one spec. It returns the Lua code with which an nginx signs in
-- to the tenant, and the requests to the tenant's token endpoint.
local core = require "pcapi.core"
local curl = require "spec.support.curl"
local cjson = require "cjson"
local sandbox = require "spec.support.sandbox"

local M = {}

local Tenant = {}
Tenant.__index = Tenant

--- Makes a tenant.
-- @tparam ?string settings of its sign-in, see sandbox/README.md
-- @treturn table
function M.new(settings)
  return setmetatable({ name = "t" .. core.uuid() .. ".example", settings = settings or "-",
                        refresh_token = curl.fetch { url = sandbox.url
                          .. "/_sandbox/refresh_token?client_id=client" }.body }, Tenant)
end

--- Returns Lua code that makes `shared`, `account` and `client`.
-- @tparam ?string options more options of pcapi.shared, as Lua code
-- @tparam ?string account more options of the account, as Lua code
function Tenant:init(options, account)
  return ([[
    shared = pcapi.shared { dict = "pcapi", %s }
    account = pcapi.auth.refresh_token {
      tenant = %q, client_id = "client", account = "spec", store = shared,
      refresh_token = %q, login_url = %q, %s
    }
    client = pcapi.new { auth = account, base_url = %q, timeout = 20,
                         retry = { base = 0.01, cap = 0.05 } }
  ]]):format(options or "", self.name, self.refresh_token,
    sandbox.url .. "/login/" .. self.settings, account or "", sandbox.url)
end

--- Returns the requests to its token endpoint, in order.
function Tenant:log()
  return cjson.decode(curl.fetch { url = ("%s/_sandbox/log?login=%s/%s"):format(sandbox.url,
    self.settings, self.name) }.body)
end

--- Returns the number of its refresh requests.
function Tenant:refreshes()
  local count = 0
  for _, entry in ipairs(self:log()) do
    count = count + (entry.grant_type == "refresh_token" and 1 or 0)
  end
  return count
end

return M
