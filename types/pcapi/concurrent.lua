---@meta pcapi.concurrent
-- Made by `make types` from lua/pcapi/concurrent/init.lua; do not edit.

---Runs many tasks at once in one Lua state.
---@class pcapi.concurrent
---@overload fun(tasks: table, options?: table): table|nil, pcapi.error|nil
local pcapi_concurrent = {}

---@class pcapi.concurrent.new.options
---@field limit? number requests in flight at once; sleeping tasks, and responses that wait for decoding, do not count
---@field rate? number requests per second, over all tasks
---@field memory? number bytes for the bodies of responses that no task has read yet. While there is no room, no request is sent, and responses over HTTP/1.1 pause; but one response always goes on, however large it is. Responses over HTTP/2 cannot pause. Tasks read large responses one at a time
---@field connections? number connections at once; HTTP/1.1 needs a connection for each request, HTTP/2 needs one for 100 requests
---@field host_connections? number connections at once to each host

---Makes a loop. It sends nothing before its first step.
---@param options? pcapi.concurrent.new.options 
---@return pcapi.concurrent.loop|nil # 
---@return pcapi.error|nil # of kind config: no descriptor is left
function pcapi_concurrent.new(options) end

return pcapi_concurrent
