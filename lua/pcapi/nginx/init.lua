--- pcapi for nginx and OpenResty: all functions of `pcapi`, but no call blocks the worker.
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
-- nginx.conf needs `lua_ssl_trusted_certificate`, `lua_ssl_verify_depth` and `resolver`. If one
-- is missing, the error names it, and nginx's error log does so once.
--
-- `auth`, `profiles`, `time`, `null`, `is_error` and `_VERSION` are those of `pcapi`. Files that
-- they read, such as a sign-in or the configuration file, have to be readable for the workers.
-- @module pcapi.nginx
local check = require "pcapi.check"
local errors = require "pcapi.error"
local pcapi = require "pcapi"
local permission_hints = require "pcapi.nginx.permission_hints"
local shared = require "pcapi.nginx.shared"
local slots = require "pcapi.nginx.slots"
local summary_file = require "pcapi.nginx.summary_file"
local each_tenant = require("pcapi.tenants").each
local threads = require "pcapi.nginx.threads"
local transport = require "pcapi.nginx.transport"

-- Outside nginx these load on first use; here, loading would block the worker.
for _, name in ipairs { "auth", "auth.grant", "client", "http.json_body", "service.response",
                        "text", "time" } do
  require("pcapi." .. name)
end

local OPTIONS = { block_in_init = "boolean" }

errors.explain = permission_hints.explain

local M = setmetatable({}, { __index = pcapi })

-- A copy of the options with a transport for nginx; `pcapi` checks them.
local function for_nginx(options, blocks_in_init)
  local all = {}
  for name, value in pairs(options) do
    all[name] = value
  end
  all.transport = all.transport or function(connection)
    local given = { blocking = blocks_in_init and require("pcapi.http.curl").new(connection) }
    for name, value in pairs(connection) do
      given[name] = value
    end
    return transport.new(given)
  end
  all.block_in_init = nil
  return all
end

--- Makes a client, as `pcapi.new` does, in any phase. Its calls wait in `rewrite_by_lua`,
-- `access_by_lua`, `content_by_lua`, `ssl_certificate_by_lua` and timers; in other phases they
-- return an error of kind config that names the phase.
-- @tparam table options as for `pcapi.new`, without `ca_file`, `ca_path`, `no_proxy`, `on_wait`
-- and `http_version = "2"`; `proxy` has to begin with `http://`
-- @tparam[opt] boolean options.block_in_init lets calls in `init_by_lua` block nginx, over libcurl
-- and with the CAs of the system
-- @treturn[1] pcapi.client
-- @treturn[2] nil only with the option `profile`
-- @treturn[2] pcapi.error of kind config, store or sign_in_required
function M.new(options)
  if type(options) ~= "table" then
    return pcapi.new(options)
  end
  check.options({ block_in_init = options.block_in_init }, OPTIONS, "pcapi.new")
  -- a tail call, so that wrong options are reported at the caller's line
  return pcapi.new(for_nginx(options, options.block_in_init))
end

--- Fetches one address, as `pcapi.fetch` does.
-- @tparam string address https://…
-- @tparam[opt] table options as for `pcapi.fetch`, without those that @{new} does not take
-- @treturn[1] table `status`, `reason`, `version`, `headers`, `body`, `json`
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind timeout, network, tls, protocol or config
function M.fetch(address, options)
  if options ~= nil and type(options) ~= "table" then
    return pcapi.fetch(address, options)
  end
  return pcapi.fetch(address, for_nginx(options or {}))
end

--- Runs many tasks at once, in light threads. Call it where code can wait, see @{new}. Wrong
-- arguments raise an error.
-- @tparam table tasks array of functions that return a value, or nil and an error
-- @tparam[opt] table options `limit`: tasks that run at once, 50
-- @treturn table results in the order of the tasks, each with `value` or `err`; and `failed`, the
-- number of results with an `err`
function M.concurrent(tasks, options)
  local results = threads.run(tasks, options, "pcapi.concurrent", 2)
  return results
end

--- Calls a function for many tenants at once, as `pcapi.each_tenant` does.
-- @tparam table tenants array, as for `pcapi.each_tenant`
-- @tparam function act is called with the client and the name; returns a value, or nil and an
-- error
-- @tparam[opt] table options `limit`: tenants at once, 50
-- @treturn table results in the order of the tenants, each with `name`, and `value` or `err`; and
-- `failed`, the number of results with an `err`
function M.each_tenant(tenants, act, options)
  local results = each_tenant(tenants, act, options, M.new, threads.run)
  return results
end

--- Makes a store of tokens and cached lists that all workers share, and several machines if they
-- have a Redis in common; see `pcapi.nginx.shared`. Wrong options raise an error.
-- @function shared
-- @tparam table options
-- @tparam string options.dict name of a `lua_shared_dict`
-- @tparam[opt] table options.redis how to reach a Redis that machines share. It holds refresh
-- tokens: protect it as you protect them
-- @tparam[opt="127.0.0.1"] string options.redis.host name or address
-- @tparam[opt=6379] number options.redis.port
-- @tparam[opt] string options.redis.username
-- @tparam[opt] string options.redis.password
-- @tparam[opt=0] number options.redis.database
-- @tparam[opt=false] boolean options.redis.tls the certificate is verified
-- @tparam[opt] string options.redis.server_name the name in its certificate, if host is an address
-- @tparam[opt="pcapi:"] string options.redis.prefix of its keys
-- @tparam[opt=1] number options.redis.timeout seconds for each step
-- @treturn pcapi.nginx.shared
M.shared = shared.new

--- Makes a reader of the summary file of a history, see `pcapi.nginx.summary_file`. Make it once,
-- in `init_by_lua`; this reads nothing. Wrong options raise an error.
-- @function summary
-- @tparam table options
-- @tparam string options.path the file that `pcapi watch` writes, an absolute path
-- @treturn pcapi.nginx.summary_file
M.summary = summary_file.new

--- Sets how many requests a worker sends at once, 64 by default. Others wait for a free slot, until
-- their timeout. Call it in `init_by_lua`.
-- @tparam number n
function M.limit(n)
  if type(n) ~= "number" or n < 1 or n % 1 ~= 0 then
    error("pcapi.limit takes a whole number of requests, 1 or more", 2)
  end
  slots.set_limit(n)
end

return M
