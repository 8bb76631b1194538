---@meta pcapi
-- Made by `make types` from lua/pcapi/init.lua; do not edit.

---Lists the partner users and applications that sign in without MFA, from Microsoft's Partner Center.
---@class pcapi
---@field time pcapi.time reads and writes times
---@field auth pcapi.auth signs in
---@field concurrent pcapi.concurrent runs many calls at once
---@field format pcapi.format writes lists as CSV, JSON or a table
---@field json pcapi.json reads and writes JSON
---@field null any stands for null inside an array; in an object a field that is null is missing
---@field is_error function whether a value is an error object of pcapi
---@field _VERSION string 
local pcapi = {}

---@class pcapi.new.options
---@field token? string|function an App+User token; or a function that returns one, or `nil, err`. It is called before every request, and after a refusal with the refused token: then it may return another one
---@field auth? table a provider of tokens, see `pcapi.auth`
---@field profile? string the name of a profile of the command: its sign-in, and its settings from the configuration file and the environment, but for PCAPI_TOKEN and PCAPI_REFRESH_TOKEN
---@field base_url? string address of the service; default that of the cloud of `auth`, else `https://api.partnercenter.microsoft.com`
---@field audience? string the service that the tokens of `auth` or `profile` are to be for, such as `https://graph.microsoft.com`; default that of `auth`. Give `base_url` as well. An account stores one token for each audience
---@field prefix? string path segment before the version: `""` or `"pcapi"`. By default a call goes to `/v1/…`, and after a 404 to `/pcapi/v1/…` if it was once published there; later calls use the address that worked
---@field timeout? number seconds for one call with its retries and pages; the service may take minutes for a long log
---@field connect_timeout? number seconds
---@field max_body? number the most bytes of a response, after decompression; default 64 MiB for the calls that return lists, else 128 MiB
---@field max_records? number the most records of one list, over all its pages. Its JSON may hold 16 values for each
---@field max_values? number the most JSON values of any other response
---@field json? string `"cjson"`: lua-cjson alone reads responses, and Lua code normalises records. That is slow; it is a second way in case the reader has a bug. The environment variable PCAPI_JSON=cjson does so for the whole process
---@field retry? table `attempts` (default 4), `base` (seconds, default 0.5), `cap` (seconds, default 30)
---@field validate_mfa? boolean false: do not send `ValidateMfa`, which makes the service report whether the token is compliant
---@field headers? table name to value, for every request; false removes one of the client's
---@field partner_api_headers? boolean send `client-request-id` as well
---@field ca_file? string PEM file of the CAs to trust; default what CURL_CA_BUNDLE, SSL_CERT_FILE, SSL_CERT_DIR or REQUESTS_CA_BUNDLE names
---@field ca_path? string directory of CAs, hashed by `openssl rehash`; in place of `ca_file`
---@field proxy? string address of a proxy; `""` for none; default `https_proxy` and `no_proxy` of the environment
---@field no_proxy? string hosts to reach without the proxy
---@field http_version? string `"1.1"` or `"2"`
---@field user_agent? string is put in front of pcapi's
---@field on_wait? function is called with seconds while a call waits
---@field on_pause? function is called before a call pauses, also in a task, with a table: `kind` (of the error that it follows, such as `"throttled"`), `status` (HTTP status; nil without a response), `seconds`, and before a retry `attempt` (the number of the next attempt) and `attempts` (how many there can be)
---@field allow_http? boolean allows `http://` to a loopback address, for tests
---@field trace? function is called with lines that show method, address, headers and timing of each request, without secrets
---@field transport? table|function another transport, see `pcapi.http.curl`; or a function that makes one of these options, or returns nil and what is wrong with them
---@field clock? function returns UTC epoch seconds
---@field random? function returns a number in [0, 1)

---Makes a client. Nothing is sent yet. A wrong option raises. Give one of `token`, `auth` and `profile`. `pcapi.new()`, without any argument, uses what the command `pcapi` uses: PCAPI_TOKEN or PCAPI_REFRESH_TOKEN, else the sign-in of the profile in PCAPI_PROFILE or of the profile `default`. A table without one of the three options raises, and so does nil: a script whose variable is not set must not act as another user. Within nginx `pcapi.new()` raises as well.
---@param options? pcapi.new.options 
---@return pcapi.client|nil # its resources are loaded at first use, such as `client.security`: see `pcapi.service.resources.security`
---@return pcapi.error|nil # of kind config, store, sign_in_required or unauthorized
function pcapi.new(options) end

---The names of all profiles: those of the configuration file, and those with a stored sign-in.
---@return string[]|nil # sorted
---@return pcapi.error|nil # of kind config or store
function pcapi.profiles() end

---Calls a function for each of many tenants, at once: each in a task of `pcapi.concurrent`.
---@param tenants table array: names of profiles, or tables with `name` and either `client` or `open`, a function that returns a client, or nil and an error; it is called when the tenant's task begins
---@param act function is called with the client and the name; returns a value, or nil and an error
---@param options? table as `pcapi.concurrent` takes them
---@return table|nil # results in the order of the tenants, as `pcapi.concurrent` returns them, each with its `name`
---@return pcapi.error|nil # of kind config: the process has no file descriptor left
function pcapi.each_tenant(tenants, act, options) end

---@class pcapi.fetch.options
---@field method? string 
---@field headers? table name to value
---@field body? string 
---@field timeout? number seconds for the whole call, with its retries
---@field connect_timeout? number seconds
---@field max_body? number bytes of the response, after decompression
---@field max_values? number values of its JSON
---@field json? string as for `new`
---@field retry? table|boolean true, or a table with `attempts` (in all; default 4), `base` (seconds before the second attempt; 0.5), `cap` (seconds; 30) and `resend` (boolean: the server may get the request twice, whatever its method)
---@field ca_file? string as for `new`, like all below
---@field ca_path? string 
---@field proxy? string 
---@field no_proxy? string 
---@field http_version? string 
---@field user_agent? string 
---@field on_wait? function 
---@field allow_http? boolean 
---@field transport? table|function 

---Sends a request to any address. It adds no token and follows no redirect. A response of any status is returned unchanged. Only if the status is good (2xx) and the content type says JSON, the body has to be JSON. One request is sent. With the option `retry` it is repeated after a failure that may pass (the network failed, or the status is 408, 429, 500, 502, 503 or 504), all within `timeout`. The wait doubles with each attempt, and is at least what the header Retry-After asks for. The outcome of the last attempt is returned. A POST or PATCH is repeated only after a 429, which says that the request was not carried out, or if `resend` is true.
---@param address string `https://…`
---@param options? pcapi.fetch.options 
---@return table|nil # `status`, `reason`, `version`, `headers` (names in lower case), `body`; `json` if the body is JSON; with `retry` also `attempts`, the number of requests sent
---@return pcapi.error|nil # of kind timeout, network, tls, protocol, config or stopped
function pcapi.fetch(address, options) end

return pcapi
