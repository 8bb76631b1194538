---@meta pcapi.nginx.shared
-- Made by `make types` from lua/pcapi/nginx/shared.lua; do not edit.

---Stores tokens and cached lists for all workers of an nginx, in a `lua_shared_dict`; and for several machines, in a Redis.
---@class pcapi.nginx.shared
local pcapi_nginx_shared = {}

---Reads a text.
---@param name string 
---@return string|nil # nil if there is none
function pcapi_nginx_shared:get(name) end

---Stores a text, for all workers and over reloads; with Redis, for all machines and over restarts.
---@param name string 
---@param text string|nil nil deletes it
---@param seconds? number its lifetime; without it, it does not expire
---@return boolean|nil # true
---@return pcapi.error|nil # of kind store
function pcapi_nginx_shared:set(name, text, seconds) end

---Returns the names of all texts, without those of cached values.
---@return table # array
function pcapi_nginx_shared:names() end

---Takes a lock, on this machine and on all.
---@param name string 
---@param seconds number after which it expires
---@return function|nil # that unlocks
---@return pcapi.error|nil # of kind store
function pcapi_nginx_shared:lock(name, seconds) end

---@class pcapi.nginx.shared.cached.options
---@field of pcapi.client|string the client that `load` is called with. The value is stored under the tenant, application and service of the client, so tenants never see each other's values. Without a client: a string that names the owner, such as the id of the tenant
---@field name string name of the value, unique for its owner
---@field load function is called with `of`, in a timer: without the context of a request. Returns the value, which is a list of the client or a value that JSON can hold (numbers of up to 14 digits); or nil and an error
---@field fresh number seconds after loading for which the value is fresh
---@field stale? number seconds after loading for which a stale value is still returned, 86400
---@field retry? number seconds between a failure and the next try, 10; longer if the service demands it
---@field timeout? number seconds for which `get` waits if there is no value, 180

---Makes a value that all workers share, see `pcapi.nginx.cached`. Loads nothing yet. Make each one once, in `init_by_lua`. Wrong options raise an error.
---@param options pcapi.nginx.shared.cached.options 
---@return pcapi.nginx.cached # 
function pcapi_nginx_shared:cached(options) end

return pcapi_nginx_shared
