---@meta pcapi.nginx.summary_file
-- Made by `make types` from lua/pcapi/nginx/summary_file.lua; do not edit.

---The summary file of a history, for any location: who is new, since when, and what to do.
---@class pcapi.nginx.summary_file
local pcapi_nginx_summary_file = {}

---Returns what the file holds. Where code can wait (see `pcapi.nginx.new`), a request that finds a new file waits until it was read; elsewhere it gets the last one.
---@return table|nil # the document, see `pcapi.history.summary`; each of its `tenants` also has `by_id` (its people by `objectId`) and `by_user` (by upn in lower case)
---@return table|pcapi.error # `age` (seconds since it was written), and `err`: why the file cannot be read now (a pcapi.error, or nil)
function pcapi_nginx_summary_file:get() end

return pcapi_nginx_summary_file
