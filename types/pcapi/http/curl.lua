---@meta pcapi.http.curl
-- Made by `make types` from lua/pcapi/http/curl.lua; do not edit.

---The transport over libcurl.
---@class pcapi.http.curl
local pcapi_http_curl = {}

---@class pcapi.http.curl.new.options
---@field ca_file? string PEM file of the trusted CAs. Default: those that the environment names (see `pcapi.http.ca`), else those of the system
---@field ca_path? string directory of trusted CAs, hashed by `openssl rehash`
---@field proxy? string address of a proxy; `""` for none. Default: `https_proxy` and `no_proxy` of the environment
---@field no_proxy? string hosts to connect to without the proxy
---@field http_version? string `"1.1"` to use HTTP/1.1 only
---@field allow_http? boolean allow http:// for a test on loopback
---@field user_agent? string text to put before `pcapi/VERSION`
---@field on_wait? function called about four times a second with the seconds waited so far; not called in a task

---Makes a transport. It opens no connection yet.
---@param options? pcapi.http.curl.new.options 
---@return table # a transport
function pcapi_http_curl.new(options) end

---Sends a request.
---@param request table `method`; `url`; `headers`, an array of `Name: value`; `body`; `timeout` and `connect_timeout` (seconds); `max_body` and `max_headers` (bytes); optionally `on_wait`, in place of the transport's own, `timing` (boolean) and `buffer` (boolean: the body of a good response may be a `buffer` of the core in place of a string, which saves a copy)
---@return table|nil # `status`, `reason`, `version`, `headers` (names in lower case), `body`; with `request.timing` also `timing`: seconds from the start until `name_lookup`, `connect`, `tls`, `first_byte` and `total` were done, 0 for a step that was not needed
---@return pcapi.error|nil # of kind timeout, network, tls, protocol, config or stopped; with `request.timing` it has `timing`, too
function pcapi_http_curl:send(request) end

---Waits.
---@param seconds number 
---@param on_wait? function in place of the transport's own
---@return boolean|nil # true
---@return pcapi.error|nil # of kind stopped
function pcapi_http_curl:sleep(seconds, on_wait) end

---Lets other tasks run. Does nothing outside a task.
function pcapi_http_curl:breathe() end

---Reads a clock that never jumps.
---@return number # seconds
function pcapi_http_curl:now() end

---Closes the idle connections and cancels the requests in flight, but not those of a loop of `pcapi.concurrent`, which has connections of its own. The transport may be used again.
function pcapi_http_curl:close() end

return pcapi_http_curl
