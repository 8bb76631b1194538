--- Sends a request to any address. Applications call it as `pcapi.fetch`.
-- @module pcapi.http.fetch
local check = require "pcapi.check"
local connection_options = require "pcapi.http.connection_options"
local defaults = require "pcapi.defaults"
local headers = require "pcapi.http.headers"
local json_body = require "pcapi.http.json_body"
local limits = require "pcapi.http.limits"

local M = {}

local FETCH = connection_options.add_to { method = "string", body = "string" }

-- The options of a session of libcurl.
local SESSION = { "ca_file", "ca_path", "proxy", "no_proxy", "http_version", "allow_http",
                  "user_agent" }

-- The last address that was found safe, and the last transport with its options: a loop over one
-- host reuses its connection.
local cached = { session = {} }

local function problem_of(address, options)
  local problem
  if address == nil or cached.address ~= address or cached.allow_http ~= options.allow_http then
    local _
    _, problem = connection_options.address("the address", address, options.allow_http or false)
    if not problem then
      cached.address, cached.allow_http = address, options.allow_http
    end
  end
  local method = options.method or "GET"
  if not problem and not method:find("^%u+$") then
    problem = 'option "method" must be a word such as "GET"'
  elseif not problem and options.body and (method == "GET" or method == "HEAD") then
    problem = "a " .. method .. " has no body; give another method"
  end
  return problem or connection_options.problem(options)
end

local function transport_of(options)
  if options.transport then
    return connection_options.transport(options)
  end
  local session, is_same = cached.session, cached.transport ~= nil
  for i = 1, #SESSION do
    is_same = is_same and session[SESSION[i]] == options[SESSION[i]]
  end
  if not is_same then
    if cached.transport then
      cached.transport:close()
    end
    cached.session = {} -- without on_wait, which belongs to one call
    for _, name in ipairs(SESSION) do
      cached.session[name] = options[name]
    end
    cached.transport = require("pcapi.http.curl").new(cached.session)
  end
  return cached.transport
end

--- Sends a request; see `pcapi.fetch`.
-- @tparam string address
-- @tparam[opt] table options
-- @treturn[1] table the response
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function M.fetch(address, options)
  options = check.options(options, FETCH, "pcapi.fetch")
  local problem, transport = problem_of(address, options), nil
  if not problem then
    transport, problem = transport_of(options)
  end
  if problem then
    error("pcapi.fetch: " .. problem, 2)
  end
  local deadline = transport:now() + (options.timeout or defaults.timeout)
  local response, err = transport:send(limits.apply({
    method = options.method or "GET", url = address, body = options.body,
    headers = headers.lines(options.headers), on_wait = options.on_wait,
  }, options.timeout, options))
  if not response then
    err.hint = err.hint or limits.cure(err.message)
    return nil, err
  end
  local ok, message, why = json_body.decode(response, false, transport,
    limits.of_text(options, deadline))
  if not ok and response.status < 300 then
    return nil, json_body.unreadable(response, message, why)
  end
  return response
end

return M
