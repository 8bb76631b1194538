---@meta pcapi.nginx.cached
-- Made by `make types` from lua/pcapi/nginx/cached.lua; do not edit.

---A value that all workers share: one worker loads it, all return it while it is fresh.
---@class pcapi.nginx.cached
local pcapi_nginx_cached = {}

---Returns the value. Waits only if there is none yet.
---@return |nil # the value as `load` returned it; do not change it
---@return table|pcapi.error # `age` (seconds since it was loaded), `is_stale` (boolean), and `err`: why it could not be loaded again (a pcapi.error, or nil)
function pcapi_nginx_cached:get() end

return pcapi_nginx_cached
