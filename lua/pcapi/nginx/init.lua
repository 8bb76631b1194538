--- pcapi within nginx and OpenResty: what `require "pcapi"` has, but no call stops the worker
-- it waits in.
--
--     local pcapi = require "pcapi.nginx"
--     local shared = pcapi.shared { dict = "pcapi" }
--     local client = pcapi.new {
--       auth = pcapi.auth.refresh_token { …, store = shared },
--     }
--     local users = shared:cached {
--       of = client, name = "users", fresh = 300, stale = 86400,
--       load = function(client) return client.security:non_mfa_principals() end,
--     }
--     -- in content_by_lua:
--     local list, state = users:get()
--
-- nginx.conf has to have `lua_ssl_trusted_certificate`, `lua_ssl_verify_depth` and
-- `resolver`; what is missing is told in the error and, once, in nginx's error log.
-- @module pcapi.nginx
local check = require "pcapi.check"
local pcapi = require "pcapi"
local errors = require "pcapi.error"
local permission_hints = require "pcapi.nginx.permission_hints"
local tenants = require "pcapi.tenants"
local threads = require "pcapi.nginx.threads"
local transport = require "pcapi.nginx.transport"
local slots = require "pcapi.nginx.slots"

-- Elsewhere they are loaded when they are needed; here that would hold a worker up.
for _, name in ipairs { "auth", "auth.grant", "client", "http.json_body",
                        "service.resources.security", "service.response", "text", "time" } do
  require("pcapi." .. name)
end

local OURS = { block_in_init = "boolean" }

errors.explain = permission_hints.explain

local M = setmetatable({
  --- Makes what workers and machines share, see `pcapi.nginx.shared`.
  -- @function shared
  shared = require("pcapi.nginx.shared").new,
}, { __index = pcapi })

-- The options with a transport of nginx. Nothing is checked here: `pcapi.new` does.
local function for_nginx(options, blocking)
  local all = {}
  for name, value in pairs(options) do
    all[name] = value
  end
  all.transport = all.transport or function(connection)
    local given = { blocking = blocking and require("pcapi.http.curl").new(connection) }
    for name, value in pairs(connection) do
      given[name] = value
    end
    return transport.new(given)
  end
  all.block_in_init = nil
  return all
end

--- Makes a client, as `pcapi.new` does; it may be made in any phase. Its calls wait in
-- `rewrite_by_lua`, `access_by_lua`, `content_by_lua`, `ssl_certificate_by_lua` and timers;
-- elsewhere they return an error of kind config that names the phase.
-- @tparam table options as of `pcapi.new`, but for `ca_file`, `ca_path`, `no_proxy`,
-- `on_wait` and `http_version = "2"`
-- @tparam[opt] boolean options.block_in_init calls within `init_by_lua` block, over libcurl
-- and with the system's CAs
-- @treturn[1] pcapi.client
-- @treturn[2] nil with `profile` only
-- @treturn[2] pcapi.error of kind config, store or sign_in_required
function M.new(options)
  if type(options) ~= "table" then
    return pcapi.new(options)
  end
  check.options({ block_in_init = options.block_in_init }, OURS, "pcapi.new")
  -- a tail call: a mistake in the options is at the caller's line
  return pcapi.new(for_nginx(options, options.block_in_init))
end

--- Fetches one address, as `pcapi.fetch` does.
-- @tparam string address
-- @tparam[opt] table options as of `pcapi.fetch`, but for those that @{new} does not take
-- @treturn[1] table
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function M.fetch(address, options)
  if options ~= nil and type(options) ~= "table" then
    return pcapi.fetch(address, options)
  end
  return pcapi.fetch(address, for_nginx(options or {}))
end

--- Runs many tasks at once, where code can wait.
-- @tparam table tasks array of functions
-- @tparam[opt] table options `limit`: tasks at once, 50
-- @treturn table results as of `pcapi.concurrent`
function M.concurrent(tasks, options)
  local results = threads.run(tasks, options, "pcapi.concurrent", 2)
  return results
end

--- Does the same for many tenants at once, as `pcapi.each_tenant`.
-- @tparam table names array: names of profiles, or tables with `name` and `client`
-- @tparam function act
-- @tparam[opt] table options `limit`: tenants at once, 50
-- @treturn table results in the order of the tenants
function M.each_tenant(names, act, options)
  local results = tenants.each(names, act, options, M.new, threads.run)
  return results
end

--- Sets how many exchanges a worker has in flight at once, 64 without it; those beyond wait
-- their turn, until their deadline. To be called in `init_by_lua`.
-- @tparam number n
function M.limit(n)
  if type(n) ~= "number" or n < 1 or n % 1 ~= 0 then
    error("pcapi.limit takes a whole number of exchanges, 1 or more", 2)
  end
  slots.set_limit(n)
end

return M
