--- Lists the partner users and applications that sign in without MFA, from Microsoft's Partner
-- Center.
--
--     local pcapi = require "pcapi"
--     local client = pcapi.new { token = os.getenv "PCAPI_TOKEN" }
--     local users = assert(client.security:non_mfa_principals { since = "24h" })
--     for _, user in ipairs(users) do
--       print(user.upn, user.lastNonMfaCompliantLoginDateTime)
--     end
--
-- @module pcapi
local core = require "pcapi.core"
local defaults = require "pcapi.defaults"
local errors = require "pcapi.error"
local check = require "pcapi.check"
local connection_options = require "pcapi.http.connection_options"

-- Loaded at first use: a program that does not need them does not pay for them.
local LATE = { time = "pcapi.time", auth = "pcapi.auth", concurrent = "pcapi.concurrent",
               format = "pcapi.format", json = "pcapi.json" }

--- The fields of the module. The modules among them are loaded at first use.
-- @table fields
-- @tfield pcapi.time time reads and writes times
-- @tfield pcapi.auth auth signs in
-- @tfield pcapi.concurrent concurrent runs many calls at once
-- @tfield pcapi.format format writes lists as CSV, JSON or a table
-- @tfield pcapi.json json reads and writes JSON
-- @tfield any null stands for null inside an array; in an object a field that is null is missing
-- @tfield function is_error whether a value is an error object of pcapi
-- @tfield string _VERSION
local M = setmetatable({
  _VERSION = require "pcapi.version",
  null = core.null,
  is_error = errors.is,
}, {
  __index = function(_, name)
    return LATE[name] and require(LATE[name])
  end,
})

local NEW = connection_options.add_to {
  token = "string|function", auth = "table", profile = "line", audience = "line",
  base_url = "string",
  prefix = "string", max_records = "count", validate_mfa = "boolean",
  partner_api_headers = "boolean", retry = "table",
  clock = "function", random = "function", trace = "function", on_pause = "function",
}
local RETRY = { attempts = "count", base = "seconds", cap = "seconds" }

local function provider_problem(options)
  local ways = 0
  for _, name in ipairs { "token", "auth", "profile" } do
    ways = ways + (options[name] ~= nil and 1 or 0)
  end
  if ways ~= 1 then
    return ways == 0 and 'option "token" is missing or empty; check the variable that it comes '
      .. 'from, or give "auth" or "profile"'
      or 'give one of "token", "auth" and "profile"'
  elseif options.auth and type(options.auth.token) ~= "function" then
    return 'option "auth" must be a provider of pcapi.auth'
  elseif options.token and options.audience then
    return 'option "audience" needs "auth" or "profile": a token is for one audience'
  elseif type(options.token) == "string" then
    local ok, why = require("pcapi.auth.bearer").is_token(options.token)
    return not ok and 'option "token" ' .. why or nil
  end
end

local function client_problem(options)
  local problem = provider_problem(options)
  if problem then
    return problem
  elseif options.prefix and options.prefix:find("[^%w%-]") then
    return 'option "prefix" must be a word such as "pcapi", or "" for none'
  end
  return connection_options.problem(options)
end

local function base_of(options)
  local base, problem = connection_options.address("base_url", options.base_url
    or options.auth and options.auth.base_url or defaults.base_url, options.allow_http or false)
  if base and base.query ~= "" then
    problem = "base_url must not have a query"
  end
  if problem then
    return nil, problem
  end
  base.path = base.path:gsub("/+$", "")
  return base
end

--- Makes a client of options whose names and types are right, such as settings from a file.
-- @local
-- @tparam table options as @{new} takes them, but for `profile`
-- @treturn[1] pcapi.client
-- @treturn[2] nil
-- @treturn[2] string what is wrong with the options
function M.build(options)
  local problem, base, transport = client_problem(options), nil, nil
  if not problem then
    base, problem = base_of(options)
  end
  if not problem then
    transport, problem = connection_options.transport(options)
  end
  if problem then
    return nil, problem
  end
  -- loaded here: a program that only fetches does not need it
  return require("pcapi.client").new(options, base, transport,
    options.auth or require("pcapi.auth.static_token").new(options.token))
end

-- The token of PCAPI_TOKEN, which stands in for the sign-in of a profile that is not named; nil
-- if it is not set, or nil and an error.
local function token_of_environment(options)
  local text = options.profile == nil and os.getenv "PCAPI_TOKEN" or ""
  if text ~= "" then
    return require("pcapi.auth.bearer").read(text, "the token in PCAPI_TOKEN")
  end
end

-- The options that a profile gives: its settings, and a token or the account of its sign-in.
local function options_of_profile(options)
  local token, err = token_of_environment(options)
  local profile
  if not err then
    profile, err = require("pcapi.settings.profiles").open {
      profile = options.profile, profile_origin = 'option "profile"', getenv = os.getenv,
      given_token = token ~= nil,
    }
  end
  if not profile then
    return nil, err
  end
  local all = profile:client_options()
  if token then
    all.token = token
  else
    all.auth, err = profile:account()
  end
  return not err and all or nil, err
end

-- The caller's options win over the settings of the profile.
local function from_profile(options)
  local all, err = options_of_profile(options)
  if not all then
    return nil, err
  elseif options.ca_file or options.ca_path then
    all.ca_file, all.ca_path = nil, nil -- the one replaces the other
  end
  for name, value in pairs(options) do
    all[name] = value
  end
  all.profile = nil
  local made, problem = M.build(all)
  if not made then
    return errors.fail { kind = "config", message = problem, hint = "It may come from "
      .. "the configuration file or the environment; see: pcapi config show" }
  end
  return made
end

--- Makes a client. Nothing is sent yet. A wrong option raises. Give one of `token`, `auth` and
-- `profile`.
--
-- `pcapi.new()`, without any argument, uses what the command `pcapi` uses: PCAPI_TOKEN or
-- PCAPI_REFRESH_TOKEN, else the sign-in of the profile in PCAPI_PROFILE or of the profile
-- `default`. A table without one of the three options raises, and so does nil: a script whose
-- variable is not set must not act as another user. Within nginx `pcapi.new()` raises as well.
-- @usage local client = assert(pcapi.new())
-- @tparam[opt] table options
-- @tparam[opt] string|function options.token an App+User token; or a function that returns one, or
-- `nil, err`. It is called before every request, and after a refusal with the refused token: then
-- it may return another one
-- @tparam[opt] table options.auth a provider of tokens, see `pcapi.auth`
-- @tparam[opt] string options.profile the name of a profile of the command: its sign-in, and its
-- settings from the configuration file and the environment, but for PCAPI_TOKEN and
-- PCAPI_REFRESH_TOKEN
-- @tparam[opt] string options.base_url address of the service; default that of the cloud of
-- `auth`, else `https://api.partnercenter.microsoft.com`
-- @tparam[opt] string options.audience the service that the tokens of `auth` or `profile` are to be
-- for, such as `https://graph.microsoft.com`; default that of `auth`. Give `base_url` as well. An
-- account stores one token for each audience
-- @tparam[opt] string options.prefix path segment before the version: `""` or `"pcapi"`. By
-- default a call goes to `/v1/…`, and after a 404 to `/pcapi/v1/…` if it was once published there;
-- later calls use the address that worked
-- @tparam[opt=180] number options.timeout seconds for one call with its retries and pages; the
-- service may take minutes for a long log
-- @tparam[opt=15] number options.connect_timeout seconds
-- @tparam[opt] number options.max_body the most bytes of a response, after decompression; default
-- 64 MiB for the calls that return lists, else 128 MiB
-- @tparam[opt=250000] number options.max_records the most records of one list, over all its pages.
-- Its JSON may hold 16 values for each
-- @tparam[opt=2000000] number options.max_values the most JSON values of any other response
-- @tparam[opt="reader"] string options.json `"cjson"`: lua-cjson alone reads responses, and Lua
-- code normalises records. That is slow; it is a second way in case the reader has a bug. The
-- environment variable PCAPI_JSON=cjson does so for the whole process
-- @tparam[opt] table options.retry `attempts` (default 4), `base` (seconds, default 0.5), `cap`
-- (seconds, default 30)
-- @tparam[opt] boolean options.validate_mfa false: do not send `ValidateMfa`, which makes
-- the service report whether the token is compliant
-- @tparam[opt] table options.headers name to value, for every request; false removes one of the
-- client's
-- @tparam[opt] boolean options.partner_api_headers send `client-request-id` as well
-- @tparam[opt] string options.ca_file PEM file of the CAs to trust; default what CURL_CA_BUNDLE,
-- SSL_CERT_FILE, SSL_CERT_DIR or REQUESTS_CA_BUNDLE names
-- @tparam[opt] string options.ca_path directory of CAs, hashed by `openssl rehash`; in place of
-- `ca_file`
-- @tparam[opt] string options.proxy address of a proxy; `""` for none; default `https_proxy` and
-- `no_proxy` of the environment
-- @tparam[opt] string options.no_proxy hosts to reach without the proxy
-- @tparam[opt="2"] string options.http_version `"1.1"` or `"2"`
-- @tparam[opt] string options.user_agent is put in front of pcapi's
-- @tparam[opt] function options.on_wait is called with seconds while a call waits
-- @tparam[opt] function options.on_pause is called before a call pauses, also in a task, with a
-- table: `kind` (of the error that it follows, such as `"throttled"`), `status` (HTTP status; nil
-- without a response), `seconds`, and before a retry `attempt` (the number of the next attempt) and
-- `attempts` (how many there can be)
-- @tparam[opt] boolean options.allow_http allows `http://` to a loopback address, for tests
-- @tparam[opt] function options.trace is called with lines that show method, address, headers and
-- timing of each request, without secrets
-- @tparam[opt] table|function options.transport another transport, see `pcapi.http.curl`; or a
-- function that makes one of these options, or returns nil and what is wrong with them
-- @tparam[opt=os.time] function options.clock returns UTC epoch seconds
-- @tparam[opt] function options.random returns a number in [0, 1)
-- @treturn[1] pcapi.client its resources are loaded at first use, such as `client.security`: see
-- `pcapi.service.resources.security`
-- @treturn[2] nil with `profile` or without an argument only
-- @treturn[2] pcapi.error of kind config, store, sign_in_required or unauthorized
function M.new(...)
  if select("#", ...) == 0 then
    if rawget(_G, "ngx") then -- its workers run as another user
      error('pcapi.new needs options within nginx: give "token", "auth" or "profile"', 2)
    end
    return from_profile {}
  end
  local options = ...
  options = check.options(options, NEW, "pcapi.new")
  check.options(options.retry, RETRY, "pcapi.new: retry")
  if options.profile and not options.token and not options.auth then
    return from_profile(options)
  end
  local made, problem = M.build(options)
  if not made then
    error("pcapi.new: " .. problem, 2)
  end
  return made
end

--- The names of all profiles: those of the configuration file, and those with a stored sign-in.
-- @treturn[1] {string,...} sorted
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config or store
function M.profiles()
  return require("pcapi.settings.profiles").names { getenv = os.getenv }
end

--- Calls a function for each of many tenants, at once: each in a task of `pcapi.concurrent`.
-- @usage local results = pcapi.each_tenant(pcapi.profiles(), function(client)
--   return client.security:non_mfa_principals { since = "24h" }
-- end, { limit = 50 })
-- for _, result in ipairs(results) do
--   print(result.name, result.err or #result.value)
-- end
-- @tparam table tenants array: names of profiles, or tables with `name` and either `client` or
-- `open`, a function that returns a client, or nil and an error; it is called when the tenant's
-- task begins
-- @tparam function act is called with the client and the name; returns a value, or nil and
-- an error
-- @tparam[opt] table options as `pcapi.concurrent` takes them
-- @treturn[1] table results in the order of the tenants, as `pcapi.concurrent` returns them, each
-- with its `name`
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config: the process has no file descriptor left
function M.each_tenant(tenants, act, options)
  local results, err = require("pcapi.tenants").each(tenants, act, options, M.new,
    M.concurrent.run)
  return results, err
end

--- Sends a request to any address. It adds no token and follows no redirect.
--
-- A response of any status is returned unchanged. Only if the status is good (2xx) and the content
-- type says JSON, the body has to be JSON.
--
-- One request is sent. With the option `retry` it is repeated after a failure that may pass (the
-- network failed, or the status is 408, 429, 500, 502, 503 or 504), all within `timeout`. The wait
-- doubles with each attempt, and is at least what the header Retry-After asks for. The outcome of
-- the last attempt is returned. A POST or PATCH is repeated only after a 429, which says that the
-- request was not carried out, or if `resend` is true.
-- @function fetch
-- @usage local response = assert(pcapi.fetch "https://example.com/data.json")
-- print(response.status, response.json.name)
-- @usage assert(pcapi.fetch("https://example.com/hook", {
--   method = "POST", body = "{}", headers = { ["Content-Type"] = "application/json" },
--   retry = { resend = true },
-- }))
-- @tparam string address `https://…`
-- @tparam[opt] table options
-- @tparam[opt="GET"] string options.method
-- @tparam[opt] table options.headers name to value
-- @tparam[opt] string options.body
-- @tparam[opt=180] number options.timeout seconds for the whole call, with its retries
-- @tparam[opt=15] number options.connect_timeout seconds
-- @tparam[opt=128 MiB] number options.max_body bytes of the response, after decompression
-- @tparam[opt=2000000] number options.max_values values of its JSON
-- @tparam[opt="reader"] string options.json as for @{new}
-- @tparam[opt] table|boolean options.retry true, or a table with `attempts` (in all; default 4),
-- `base` (seconds before the second attempt; 0.5), `cap` (seconds; 30) and `resend` (boolean: the
-- server may get the request twice, whatever its method)
-- @tparam[opt] string options.ca_file as for @{new}, like all below
-- @tparam[opt] string options.ca_path
-- @tparam[opt] string options.proxy
-- @tparam[opt] string options.no_proxy
-- @tparam[opt] string options.http_version
-- @tparam[opt] string options.user_agent
-- @tparam[opt] function options.on_wait
-- @tparam[opt] boolean options.allow_http
-- @tparam[opt] table|function options.transport
-- @treturn[1] table `status`, `reason`, `version`, `headers` (names in lower case), `body`; `json`
-- if the body is JSON; with `retry` also `attempts`, the number of requests sent
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind timeout, network, tls, protocol, config or stopped
M.fetch = require("pcapi.http.fetch").fetch

return M
