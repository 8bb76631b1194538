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

-- The last transport with its options: a loop over one host reuses its connection. And the last
-- call: a loop with the same options does not check them again.
local last = { session = {} }

local function problem_of(address, options)
  local _, problem = connection_options.address("the address", address,
    options.allow_http or false)
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
  local session, is_same = last.session, last.transport ~= nil
  for i = 1, #SESSION do
    is_same = is_same and session[SESSION[i]] == options[SESSION[i]]
  end
  if not is_same then
    if last.transport then
      last.transport:close()
    end
    last.session = {} -- without on_wait, which belongs to one call
    for _, name in ipairs(SESSION) do
      last.session[name] = options[name]
    end
    last.transport = require("pcapi.http.curl").new(last.session)
  end
  return last.transport
end

local COUNT = {} -- a key that no options have

-- Copies options, and the tables among them, since the caller may change them.
local function copy(options)
  local copied, count = {}, 0
  for name, value in pairs(options) do
    copied[name] = (name == "headers" or name == "retry") and type(value) == "table"
      and copy(value) or value
    count = count + 1
  end
  copied[COUNT] = count
  return copied
end

-- Whether options are equal to a copy.
local function is_equal(options, copied)
  if type(options) ~= "table" then
    return options == nil and copied[COUNT] == 0
  end
  local count = 0
  for name, value in pairs(options) do
    local same = copied[name]
    if value ~= same and not (type(same) == "table" and same[COUNT] and is_equal(value, same)) then
      return false
    end
    count = count + 1
  end
  return count == copied[COUNT]
end

-- Checks a call. Raises at the line of the caller's caller.
local function checked_call(address, options)
  options = check.options(options, FETCH, "pcapi.fetch", 3)
  if options.retry and options.retry ~= true then
    check.options(options.retry, RETRY, "pcapi.fetch: retry", 3)
  end
  local problem, transport = problem_of(address, options), nil
  if not problem then
    transport, problem = transport_of(options)
  end
  if problem then
    error("pcapi.fetch: " .. problem, 3)
  end
  local call = {
    method = options.method or "GET", url = address, body = options.body,
    headers = headers.lines(options.headers), on_wait = options.on_wait,
    transport = transport, options = copy(options),
  }
  -- remembering functions would keep alive what they use
  last.call = not options.on_wait and not options.transport and call or nil
  return call
end

-- The outcome of an attempt, as retry.decide takes it.
local function failure_of(response, err)
  return err or { status = response.status,
                  retry_after = retry.retry_after(response.headers, os.time()) }
end

-- Repeats a request for as long as its outcome and the retry policy say so.
local function repeat_request(call, deadline, response, err)
  local transport, options = call.transport, call.options
  local policy = options.retry ~= true and options.retry or nil
  local attempt = 1
  while true do
    local delay = retry.decide(failure_of(response, err), call.method, attempt,
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
    response, err = transport:send(limits.apply(call, left, options))
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
  local call = last.call
  if not call or call.url ~= address or not is_equal(options, call.options) then
    call = checked_call(address, options)
  end
  local transport = call.transport
  options = call.options
  local deadline = transport:now() + (options.timeout or defaults.timeout)
  local response, err = transport:send(limits.apply(call, options.timeout, options))
  if options.retry then
    response, err = repeat_request(call, deadline, response, err)
  end
  if not response then
    limits.explain(err, options)
    return nil, err
  end
  local ok, message, why = json_body.decode(response, limits.of_text(options, deadline, transport))
  if not ok and response.status < 300 then
    return nil, json_body.unreadable(response, message, why)
  end
  return response
end

return M
