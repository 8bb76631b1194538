--- A client of the service. A call is one logical request: address, headers, token, attempts and
-- decoding. The code is written straight down; only the transport waits.
-- @classmod pcapi.client
local core = require "pcapi.core"
local bearer = require "pcapi.auth.bearer"
local defaults = require "pcapi.defaults"
local errors = require "pcapi.error"
local headers = require "pcapi.http.headers"
local json_body = require "pcapi.http.json_body"
local limits = require "pcapi.http.limits"
local check = require "pcapi.check"
local resource = require "pcapi.service.resource"
local retry = require "pcapi.http.retry"
local service_response = require "pcapi.service.response"
local url = require "pcapi.url"

local unpack = unpack or table.unpack -- luacheck: ignore 113 143

local M = {}

--- The resources of a client. Each file of `pcapi/service/resources` is one.
-- @table fields
-- @tfield pcapi.service.resources.security security the calls about MFA
local Client = {}

-- Headers that a caller cannot set: each attempt adds its own.
local RESERVED = { Authorization = false, ["MS-RequestId"] = false, ["MS-CorrelationId"] = false }

-- A name that is no field of a client is that of a resource, which is loaded at first use.
local function load_resource(self, name)
  if type(name) ~= "string" or not name:find "^%l" then
    return nil -- as for any table: an index, or a name of another library
  end
  local bound = resource.bind(self, name)
  if not bound then
    local nearest = check.near(name, Client)
    error(("a client has no method and no resource %q%s"):format(name, nearest), 2)
  end
  rawset(self, name, bound)
  return bound
end

local function to_text(self)
  return ("%s (%s)"):format("pcapi.client", self.base.origin)
end

-- The fields that all calls of a client share. A call is also the request of its attempts, the
-- context for the provider of tokens, and how to read the response: each table less counts for
-- small responses.
local function shared_by_calls(self, options)
  return {
    method = "GET", max_headers = limits.MAX_HEADERS,
    max_body = options.max_body or defaults.max_body,
    values = options.max_values or defaults.max_values, records = math.huge, json = options.json,
    transport = self.transport, clock = self.clock, random = self.random,
    audience = options.audience, on_pause = options.on_pause,
  }
end

local CLASS = { __name = "pcapi.client", __index = load_resource, __tostring = to_text }

--- Makes a client of checked options. Applications call `pcapi.new`.
-- @local
-- @tparam table options as `pcapi.new` takes them
-- @tparam table base the address of the service, from `url.parse`
-- @tparam table transport
-- @tparam table provider of tokens, see `pcapi.auth`
-- @treturn pcapi.client
function M.new(options, base, transport, provider)
  local ours = {
    Accept = "application/json",
    ValidateMfa = options.validate_mfa ~= false and "true" or nil,
  }
  -- an option that is not given is false: a field that is nil would be looked up as a resource
  local self = {
    base = base,
    transport = transport,
    provider = provider,
    authorize = bearer.from(provider),
    prefix = options.prefix or false,
    plans = {}, -- what a resource needs for its calls by this client, see pcapi.service.paging
    paused_until = 0, -- by the transport's clock
    ours = ours,
    headers = options.headers or false,
    lines = headers.lines(ours, options.headers, RESERVED),
    partner_api_headers = options.partner_api_headers or false,
    policy = options.retry or false,
    timeout = options.timeout or defaults.timeout,
    connect_timeout = options.connect_timeout or defaults.connect_timeout,
    max_body = options.max_body or false,
    max_records = options.max_records or false,
    on_pause = options.on_pause or false,
    json = options.json or false,
    clock = options.clock or os.time,
    random = options.random or core.random,
  }
  self.class = { __index = shared_by_calls(self, options) }
  for name, method in pairs(Client) do
    self[name] = method -- not in __index, which is for resources
  end
  return setmetatable(self, CLASS)
end

--- Makes the metatable of calls that share more than all calls of the client.
-- @local
-- @tparam table fields what they share, see @{Client:call}
-- @treturn table
function Client:class_of(fields)
  for name, value in pairs(self.class.__index) do
    if fields[name] == nil then
      fields[name] = value
    end
  end
  return { __index = fields }
end

local function header_lines(self, call, authorization_header)
  local lines = self.lines
  if call.own_headers or call.content_type then
    lines = headers.lines(self.ours, { ["Content-Type"] = call.content_type },
      self.headers or nil, call.own_headers, RESERVED)
  end
  local n = #lines
  lines = { unpack(lines, 1, n + 4) } -- with room for more: otherwise the table would grow
  lines[n + 1] = authorization_header
  lines[n + 2] = "MS-RequestId: " .. call.request_id
  lines[n + 3] = "MS-CorrelationId: " .. call.correlation_id
  if self.partner_api_headers then
    lines[n + 4] = "client-request-id: " .. call.request_id
  end
  return lines
end

-- Makes a call the request of its next attempt.
local function prepare(self, call, authorization_header, now)
  -- never 0, which would mean no limit: after the deadline the transport returns the error
  local left = call.deadline > now + 0.001 and call.deadline - now or 0.001
  local connect_timeout = self.connect_timeout
  call.timeout = left
  call.connect_timeout = connect_timeout < left and connect_timeout or left
  call.headers = header_lines(self, call, authorization_header)
  return call
end

-- Turns the result of the transport into the result of the call.
local function read(self, call, token, response, err)
  if not response then
    err.request_id, err.correlation_id = call.request_id, call.correlation_id
    limits.explain(err, { timeout = call.seconds or self.timeout, max_body = call.max_body })
    return nil, err
  end
  local has_failed, reading = response.status >= 300, call.reading or call
  if has_failed then
    reading = limits.of_failure(self, call.deadline)
  elseif reading.describe then
    reading:describe(response)
  end
  local ok, message, why = json_body.decode(response, reading)
  if has_failed then
    service_response.hide(response, token)
    return nil, service_response.error(response, call, self.clock())
  end
  response.request_id, response.correlation_id, response.is_mfa_compliant, call.sent,
    call.continuation = service_response.facts(response, call)
  if not ok then
    return nil, json_body.unreadable(response, message, why)
  end
  return response
end

-- After a 401 the provider may have another token. (Not after a refusal for lack of MFA: the next
-- token of the same sign-in would be refused as well.) Without one, the error is the refusal; or
-- the reason of the provider, if it is more specific.
local function another_token(self, call, err, refused)
  local token, header, why = self.authorize(refused, call, call.users_only)
  if token and token ~= refused then
    return token, header
  elseif errors.is(why) and why.kind ~= "unauthorized" then
    why.cause = why.cause or err
    return nil, nil, why
  end
  err.cause = why and why.cause and why or nil
  return nil, nil, err
end

-- Adds the provider's advice on how to sign in again. The provider then looks for the new sign-in.
local function explain(self, err)
  local provider = self.provider
  if err.kind == "mfa_required" then
    err.hint = provider.advice and provider:advice(err) or err.hint
    if provider.look_again then
      provider:look_again()
    end
  end
  return err
end

-- Waits before an attempt.
local function sleep(self, pause)
  if self.on_pause then
    self.on_pause(pause)
  end
  return self.transport:sleep(pause.seconds)
end

-- The service throttles the tenant, so the client's other calls wait, too. Returns the time.
local function await_pause(self, deadline)
  local now = self.transport:now()
  while now < self.paused_until do
    local pause = self.paused_until - now
    if now + pause >= deadline then
      return errors.fail {
        kind = "throttled", retry_after = math.ceil(pause),
        message = "the service demanded a pause that is not over yet",
        hint = retry.hint(math.ceil(pause)),
      }
    end
    local _, stopped = sleep(self, { kind = "throttled", seconds = pause })
    if stopped then
      return nil, stopped
    end
    now = self.transport:now()
  end
  return now
end

-- Seconds from a failed attempt to the next one; nil: there is none.
local function delay_after(self, err, call, attempt)
  local now = self.transport:now()
  local delay = retry.decide(err, call.method, attempt, call.deadline - now, self.policy or nil,
    self.random)
  if err.kind == "throttled" then
    self.paused_until = math.max(self.paused_until,
      now + limits.pause(delay or err.retry_after))
  end
  return delay
end

--- Gives the token that a call would send now. It must be of a user.
-- @local
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function Client:access_token()
  local call = setmetatable({ deadline = self.transport:now() + self.timeout }, self.class)
  local token, _, err = self.authorize(nil, call, true)
  return token, err
end

--- Carries out one logical call: one `MS-RequestId` for all its attempts.
-- @local
-- @tparam table call its metatable is the client's `class`, or one from @{Client:class_of}. It has
-- `url` and `deadline` (by the transport's clock); optional `method`, `body`, `content_type`,
-- `own_headers` (a table), `seconds` (of the whole call, if not the client's `timeout`),
-- `correlation_id`, `request_id`, `max_body` (bytes), `users_only` (an application's own token is
-- refused before it is sent), `buffer` (boolean: the response may have a `buffer` of the core in
-- place of its body), the fields of a @{pcapi.http.limits.reading}, or `reading`, another call that
-- has them. The method `describe` of the reading, if it has one, is called with the response before
-- its JSON is read. Its `sent` and `continuation` become the headers Date and MS-ContinuationToken
-- @treturn[1] table the response: `status`, `reason`, `version`, `headers`, `body`,
-- `json`, `request_id`, `correlation_id`, `is_mfa_compliant`, `attempts`
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function Client:call(call)
  call.request_id = call.request_id or core.uuid()
  call.correlation_id = call.correlation_id or core.uuid()
  local token, header, err = self.authorize(nil, call, call.users_only)
  local attempt, renewed = 0, false
  while token do
    local now
    now, err = await_pause(self, call.deadline)
    if not now then
      break
    end
    attempt = attempt + 1
    -- as little as possible stays on the stack: hundreds of tasks may wait here at once
    local response
    response, err = read(self, call, token,
      self.transport:send(prepare(self, call, header, now)))
    if response then
      response.attempts = attempt
      return response
    end
    if err.kind == "unauthorized" and not renewed then
      token, header, err = another_token(self, call, err, token)
      renewed = true
    else
      local delay = delay_after(self, err, call, attempt)
      if delay then
        local pause = retry.pause_of(err, attempt, delay, self.policy or nil)
        err = nil -- likewise
        sleep(self, pause)
      else
        token = nil
      end
    end
  end
  return nil, explain(self, err)
end

--- When a call that begins now has to end.
-- @local
-- @tparam[opt] number timeout seconds; default the client's
-- @treturn number seconds by the transport's clock
function Client:deadline(timeout)
  return self.transport:now() + (timeout or self.timeout)
end

local REQUEST = {
  query = "table", headers = "table", body = "string|table", timeout = "seconds",
  correlation_id = "line", request_id = "line",
}

-- A table becomes JSON. Returns nil and a message for a table that JSON cannot hold.
local function encode_body(call, body)
  if type(body) ~= "table" then
    call.body = body
    return true
  end
  local ok, text = pcall(core.encode, body)
  if not ok then
    return nil, "the body cannot be sent as JSON: " .. text
  end
  call.body, call.content_type = text, "application/json"
  return true
end

local function path_problem(path)
  local problem, char = url.target_problem(path)
  local cure = char and ('; write it as %s, as url.escape of require "pcapi.url" does')
    :format(url.escape(char))
  return problem and "the path " .. problem .. (cure or "") or nil
end

--- Sends any other request to the service, with the client's token, ids and retries. A request
-- that cannot be sent raises.
-- @usage local response, err = client:request("GET", "/v1/customers", {query = {size = 10}})
-- @tparam string method such as `"GET"`
-- @tparam string path below the service's address, such as `"/v1/customers"`
-- @tparam[opt] table options
-- @tparam[opt] table options.query name to string, number or boolean
-- @tparam[opt] table options.headers name to value; false removes one of the client's
-- @tparam[opt] string|table options.body a table is sent as JSON
-- @tparam[opt] number options.timeout seconds for the whole call, retries included; default the
-- client's
-- @tparam[opt] string options.correlation_id a GUID that ties several calls together
-- @tparam[opt] string options.request_id a GUID; to repeat a request, give the same one
-- @treturn[1] table `status`, `reason`, `version`, `headers` (names in lower case), `body`, `json`
-- (decoded), `request_id`, `correlation_id`, `is_mfa_compliant` (nil: unknown), `attempts`
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function Client:request(method, path, options)
  options = check.options(options, REQUEST, "request")
  if type(method) ~= "string" or not method:find("^%u+$") then
    error('request: the method must be a word such as "GET"', 2)
  elseif type(path) ~= "string" or path:sub(1, 1) ~= "/" then
    error('request: the path must begin with a slash, such as "/v1/customers"', 2)
  elseif options.body and (method == "GET" or method == "HEAD") then
    error("request: a " .. method .. " has no body; give a query, or another method", 2)
  end
  local target = path .. url.query(options.query)
  local problem = url.query_problem(options.query) or path_problem(target)
    or headers.problem(options.headers)
  if problem then
    error("request: " .. problem, 2)
  end
  local call = setmetatable({
    method = method,
    url = self.base.origin .. self.base.path .. target,
    own_headers = options.headers,
    seconds = options.timeout,
    deadline = self:deadline(options.timeout),
    correlation_id = options.correlation_id,
    request_id = options.request_id,
  }, self.class)
  local ok, why = encode_body(call, options.body)
  if not ok then
    error("request: " .. why, 2)
  end
  return self:call(call)
end

--- Identifies whose records the client gets: the service, and the tenant and the application of
-- the token. Store records under this text. It has no secrets.
--
-- Two audiences of one service return the same records, so the audience is not part of it.
-- @treturn[1] string
-- @treturn[2] nil the token comes from a function, which may return one of any tenant
function Client:identity()
  local account = self.provider.identity and self.provider:identity()
  return account and ("%s%s/%s %s"):format(self.base.origin, self.base.path, self.prefix or "",
    account)
end

--- Closes idle connections. The client may be used again.
function Client:close()
  self.transport:close()
end

return M
