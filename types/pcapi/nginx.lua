---@meta pcapi.nginx
-- Made by `make types` from lua/pcapi/nginx/init.lua; do not edit.

---pcapi for nginx and OpenResty: all functions of `pcapi`, but no call blocks the worker.
---@class pcapi.nginx: pcapi
local pcapi_nginx = {}

---@class pcapi.nginx.new.options
---@field block_in_init? boolean lets calls in `init_by_lua` block nginx, over libcurl and with the CAs of the system

---Makes a client, as `pcapi.new` does, in any phase. Its calls wait in `rewrite_by_lua`, `access_by_lua`, `content_by_lua`, `ssl_certificate_by_lua` and timers; in other phases they return an error of kind config that names the phase.
---@param options pcapi.nginx.new.options as for `pcapi.new`, without `ca_file`, `ca_path`, `no_proxy`, `on_wait` and `http_version = "2"`; `proxy` has to begin with `http://`
---@return pcapi.client|nil # 
---@return pcapi.error|nil # of kind config, store or sign_in_required
function pcapi_nginx.new(options) end

---Fetches one address, as `pcapi.fetch` does.
---@param address string https://…
---@param options? table as for `pcapi.fetch`, without those that `new` does not take
---@return table|nil # `status`, `reason`, `version`, `headers`, `body`, `json`
---@return pcapi.error|nil # of kind timeout, network, tls, protocol or config
function pcapi_nginx.fetch(address, options) end

---Runs many tasks at once, in light threads. Call it where code can wait, see `new`. Wrong arguments raise an error.
---@param tasks table array of functions that return a value, or nil and an error
---@param options? table `limit`: tasks that run at once, 50
---@return table # results in the order of the tasks, each with `value` or `err`; and `failed`, the number of results with an `err`
function pcapi_nginx.concurrent(tasks, options) end

---Calls a function for many tenants at once, as `pcapi.each_tenant` does.
---@param tenants table array, as for `pcapi.each_tenant`
---@param act function is called with the client and the name; returns a value, or nil and an error
---@param options? table `limit`: tenants at once, 50
---@return table # results in the order of the tenants, each with `name`, and `value` or `err`; and `failed`, the number of results with an `err`
function pcapi_nginx.each_tenant(tenants, act, options) end

---@class pcapi.nginx.shared.options
---@field dict string name of a `lua_shared_dict`
---@field redis? table how to reach a Redis that machines share. It holds refresh tokens: protect it as you protect them
---@field redis.host? string name or address
---@field redis.port? number 
---@field redis.username? string 
---@field redis.password? string 
---@field redis.database? number 
---@field redis.tls? boolean the certificate is verified
---@field redis.server_name? string the name in its certificate, if host is an address
---@field redis.prefix? string of its keys
---@field redis.timeout? number seconds for each step

---Makes a store of tokens and cached lists that all workers share, and several machines if they have a Redis in common; see `pcapi.nginx.shared`. Wrong options raise an error.
---@param options pcapi.nginx.shared.options 
---@return pcapi.nginx.shared # 
function pcapi_nginx.shared(options) end

---@class pcapi.nginx.summary.options
---@field path string the file that `pcapi watch` writes, an absolute path

---Makes a reader of the summary file of a history, see `pcapi.nginx.summary_file`. Make it once, in `init_by_lua`; this reads nothing. Wrong options raise an error.
---@param options pcapi.nginx.summary.options 
---@return pcapi.nginx.summary_file # 
function pcapi_nginx.summary(options) end

---Sets how many requests a worker sends at once, 64 by default. Others wait for a free slot, until their timeout. Call it in `init_by_lua`.
---@param n number 
function pcapi_nginx.limit(n) end

return pcapi_nginx
