--- Sends a request to any address. Applications call it as `pcapi.fetch`.
-- @module pcapi.http.fetch
local check = require "pcapi.check"
local connection_options = require "pcapi.http.connection_options"
local core = require "pcapi.core"
local defaults = require "pcapi.defaults"
local headers = require "pcapi.http.headers"
local json_body = require "pcapi.http.json_body"
local limits = require "pcapi.http.limits"
local retry = require "pcapi.http.retry"

local M = {}

local FETCH = connection_options.add_to { method = "string", body = "string",
                                          retry = "table|boolean" }
local RETRY = { attempts = "count", base = "seconds", cap = "seconds", resend = "boolean" }

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

-- The outcome of an attempt, as retry.decide takes it.
local function failure_of(response, err)
  return err or { status = response.status,
                  retry_after = retry.retry_after(response.headers, os.time()) }
end

-- Repeats a request for as long as its outcome and the retry policy say so.
local function repeat_request(transport, request, options, deadline, response, err)
  local policy = options.retry ~= true and options.retry or nil
  local attempt = 1
  while true do
    local delay = retry.decide(failure_of(response, err), request.method, attempt,
      deadline - transport:now(), policy, core.random)
    if not delay then
      break
    end
    local _, stopped = transport:sleep(delay, options.on_wait)
    if stopped then
      return nil, stopped
    end
    attempt = attempt + 1
    local left = math.max(deadline - transport:now(), 0.001) -- 0 would mean no limit
    response, err = transport:send(limits.apply(request, left, options))
  end
  if response then
    response.attempts = attempt
  end
  return response, err
end

--- Sends a request; see `pcapi.fetch`.
-- @tparam string address
-- @tparam[opt] table options
-- @treturn[1] table the response
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function M.fetch(address, options)
  options = check.options(options, FETCH, "pcapi.fetch")
  local policy = options.retry
  if policy and policy ~= true then
    check.options(policy, RETRY, "pcapi.fetch: retry")
  end
  local problem, transport = problem_of(address, options), nil
  if not problem then
    transport, problem = transport_of(options)
  end
  if problem then
    error("pcapi.fetch: " .. problem, 2)
  end
  local deadline = transport:now() + (options.timeout or defaults.timeout)
  local request = limits.apply({
    method = options.method or "GET", url = address, body = options.body,
    headers = headers.lines(options.headers), on_wait = options.on_wait,
  }, options.timeout, options)
  local response, err = transport:send(request)
  if policy then
    response, err = repeat_request(transport, request, options, deadline, response, err)
  end
  if not response then
    limits.explain(err, options)
    return nil, err
  end
  local ok, message, why = json_body.decode(response, { transport = transport,
    ceilings = limits.of_text(options, deadline), json = options.json })
  if not ok and response.status < 300 then
    return nil, json_body.unreadable(response, message, why)
  end
  return response
end

return M
