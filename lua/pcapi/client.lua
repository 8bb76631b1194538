--- One logical call of the service: address, headers, token, sending, trying
-- again, decoding. Written straight down; what waits is the transport.
-- @classmod pcapi.client
local core = require "pcapi.core"
local answer = require "pcapi.service.response"
local claims = require "pcapi.auth.claims"
local defaults = require "pcapi.defaults"
local errors = require "pcapi.error"
local headers = require "pcapi.http.headers"
local json_body = require "pcapi.http.json_body"
local limits = require "pcapi.http.limits"
local check = require "pcapi.check"
local retry = require "pcapi.http.retry"
local url = require "pcapi.url"

local M = {}

local Client = {}
Client.__index = Client
Client.__name = "pcapi.client"

--- Whether a token can be sent in a header (RFC 6750 §2.1).
-- @tparam ?string token
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] string what is wrong; the token itself is never shown
function M.is_token(token)
  if type(token) ~= "string" or token == "" then
    return nil, "is missing or empty"
  elseif token:find "^[Bb]earer%s" then
    return nil, 'begins with "Bearer"; give what stands behind it'
  elseif not token:find("^[%w%-._~+/]+=*$") then
    return nil, "holds characters that no access token has, such as a space or a line break"
  end
  return true
end

local function app_only()
  return errors.new {
    kind = "forbidden",
    message = "the token is an application's own (it has roles and no scp), and this call takes "
      .. "App+User tokens only",
    hint = "Sign in as a user, such as by pcapi login",
  }
end

local function no_token(err, why)
  if errors.is(err) then
    return err
  end
  return errors.new {
    kind = "unauthorized", cause = err,
    message = err and "the token function failed: " .. tostring(err) or "the token " .. why,
    hint = not err and "Give an App+User token for https://api.partnercenter.microsoft.com"
      or nil,
  }
end

local SCHEME = "Authorization: Bearer "

local function token_in(line)
  return line:sub(#SCHEME + 1)
end

-- A function that gives the header line with the token to send, or nil, err; it takes the
-- line that the service has just refused, and whether the call is for users only. The
-- token stays inside: a client that somebody dumps shows none.
local function authorization(provider)
  local known, is_app_only, line -- a token has 2 KB, and is the same for an hour
  return function(refused, context, users_only)
    local token, err = provider:token(refused and token_in(refused), context)
    if token == nil or token ~= known then
      local ok, why = M.is_token(token)
      if not ok then
        return nil, no_token(err, why)
      end
      known, line, is_app_only = token, SCHEME .. token, claims.read(token).subject == "app"
    end
    if users_only and is_app_only then
      return nil, app_only()
    end
    return line
  end
end

-- Headers that nobody else may set: they are added to the lines of each attempt.
local TAKEN_AWAY = { Authorization = false, ["MS-RequestId"] = false, ["MS-CorrelationId"] = false }

--- Makes a client of checked options; `pcapi.new` is the way in for others.
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
  return setmetatable({
    base = base,
    transport = transport,
    provider = provider,
    authorize = authorization(provider),
    prefix = options.prefix,
    addresses = {}, -- path of a call to where it may be answered
    paused_until = 0, -- of the transport's clock
    ours = ours,
    headers = options.headers,
    lines = headers.lines(ours, options.headers, TAKEN_AWAY),
    partner_api_headers = options.partner_api_headers,
    policy = options.retry,
    timeout = options.timeout or defaults.timeout,
    connect_timeout = options.connect_timeout,
    max_body = options.max_body,
    max_records = options.max_records,
    max_values = options.max_values,
    clock = options.clock or os.time,
    random = options.random or core.random,
  }, Client)
end

local function header_lines(self, call, ids, line)
  local lines
  if call.headers or call.content_type then
    lines = headers.lines(self.ours, { ["Content-Type"] = call.content_type }, self.headers,
      call.headers, TAKEN_AWAY)
  else
    lines = {}
    for i, ours in ipairs(self.lines) do
      lines[i] = ours
    end
  end
  local n = #lines
  lines[n + 1] = line
  lines[n + 2] = "MS-RequestId: " .. ids.request_id
  lines[n + 3] = "MS-CorrelationId: " .. ids.correlation_id
  if self.partner_api_headers then
    lines[n + 4] = "client-request-id: " .. ids.request_id
  end
  return lines
end

local function request_of(self, call, ids, line)
  -- never 0, which would mean no limit: past the deadline the transport says so
  local left = math.max(call.deadline - self.transport:now(), 0.001)
  return limits.apply({
    method = call.method,
    url = call.url,
    headers = header_lines(self, call, ids, line),
    body = call.body,
  }, left, { connect_timeout = self.connect_timeout, max_body = self.max_body or call.max_body })
end

-- What the transport gave, as the call gives it.
local function read(self, call, ids, line, response, err)
  if not response then
    err.request_id, err.correlation_id = ids.request_id, ids.correlation_id
    err.hint = err.hint or limits.cure(err.message)
    return nil, err
  end
  local has_failed = response.status >= 300
  local ok, message, why = json_body.decode(response, call.must_be_json, self.transport,
    has_failed and limits.of_failure(call.deadline) or call.ceilings
      or limits.of_text(self, call.deadline))
  if has_failed then
    answer.hide(response, token_in(line))
    return nil, answer.error(response, ids, self.clock())
  end
  response.request_id, response.correlation_id = answer.ids(response.headers, ids)
  if not ok then
    return nil, json_body.unreadable(response, message, why)
  end
  response.is_mfa_compliant = answer.is_mfa_compliant(response)
  return response
end

local function authorize(self, call, refused)
  return self.authorize(refused, {
    transport = self.transport, clock = self.clock, random = self.random,
    deadline = call.deadline,
  }, call.users_only)
end

-- After a 401 the provider may have another token. Not so for an MFA refusal: the
-- service would refuse the next token of the same sign-in as well. Without one the
-- refusal stands, or what kept the provider from getting one, which says more.
local function another_line(self, call, err, line)
  local fresh, why = authorize(self, call, line)
  if fresh and fresh ~= line then
    return fresh
  elseif errors.is(why) and why.kind ~= "unauthorized" then
    why.cause = why.cause or err
    return nil, why
  end
  err.cause = why and why.cause and why or nil
  return nil, err
end

-- Who can sign in again knows how, and is to find the new sign-in when it was made.
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

-- Who is throttled is the tenant, not the one call: what is asked next in its name waits,
-- too, and would only be refused before.
local function await_pause(self, deadline)
  local now = self.transport:now()
  while now < self.paused_until do
    local pause = self.paused_until - now
    if now + pause >= deadline then
      return nil, errors.new {
        kind = "throttled", retry_after = math.ceil(pause),
        message = "the service has asked for a pause that is not over",
        hint = retry.hint(math.ceil(pause)),
      }
    end
    local _, stopped = self.transport:sleep(pause)
    if stopped then
      return nil, stopped
    end
    now = self.transport:now()
  end
  return true
end

-- What follows a failed attempt: seconds until the next one, or nil.
local function delay_after(self, err, call, attempt)
  local now = self.transport:now()
  local delay = retry.decide(err, call.method, attempt, call.deadline - now, self.policy,
    self.random)
  if err.kind == "throttled" then
    self.paused_until = math.max(self.paused_until,
      now + limits.pause(delay or err.retry_after))
  end
  return delay
end

--- Carries out one logical call: one MS-RequestId over all its attempts.
-- @tparam table call `method`, `url`, `deadline` (of the transport's clock); optional
-- `headers`, `body`, `content_type`, `correlation_id`, `request_id`, `must_be_json`,
-- `max_body` (bytes, where the client has no own), `ceilings` (of its JSON, from
-- `pcapi.http.limits`), `users_only` (an app-only token is refused before it is sent)
-- @treturn[1] table the response: `status`, `reason`, `version`, `headers`, `body`,
-- `json`, `request_id`, `correlation_id`, `is_mfa_compliant`, `attempts`
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function Client:call(call)
  local ids = {
    request_id = call.request_id or core.uuid(),
    correlation_id = call.correlation_id or core.uuid(),
  }
  local line, err = authorize(self, call)
  local attempt, renewed = 0, false
  while line do
    local ok
    ok, err = await_pause(self, call.deadline)
    if not ok then
      break
    end
    attempt = attempt + 1
    -- nothing but what is needed stands on the stack: hundreds may wait here at once
    local response
    response, err = read(self, call, ids, line,
      self.transport:send(request_of(self, call, ids, line)))
    if response then
      response.attempts = attempt
      return response
    end
    if err.kind == "unauthorized" and not renewed then
      line, err = another_line(self, call, err, line)
      renewed = true
    else
      local delay = delay_after(self, err, call, attempt)
      if delay then
        err = nil -- or here
        self.transport:sleep(delay)
      else
        line = nil
      end
    end
  end
  return nil, explain(self, err)
end

--- When a call that begins now has to end.
-- @tparam ?number timeout seconds; the client's own without it
-- @treturn number of the transport's clock
function Client:deadline(timeout)
  return self.transport:now() + (timeout or self.timeout)
end

local REQUEST = {
  query = "table", headers = "table", body = "string|table", timeout = "seconds",
  correlation_id = "line", request_id = "line",
}

-- A table becomes JSON. Returns nil and a message for a table that cannot.
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

local function target_mistake(path)
  local mistake, char = url.target_mistake(path)
  local cure = char and ('; write it as %s, as url.escape of require "pcapi.url" does')
    :format(url.escape(char))
  return mistake and "the path " .. mistake .. (cure or "") or nil
end

--- Any other call of the service, with the client's token, ids and retries.
-- @usage local response, err = client:request("GET", "/v1/customers", {query = {size = 10}})
-- @tparam string method such as `"GET"`
-- @tparam string path below the service's address, such as `"/v1/customers"`
-- @tparam[opt] table options
-- @tparam[opt] table options.query name to value
-- @tparam[opt] table options.headers name to value; false takes one of ours away
-- @tparam[opt] string|table options.body a table is sent as JSON
-- @tparam[opt] number options.timeout seconds for the whole call, retries included
-- @tparam[opt] string options.correlation_id a GUID that ties several calls together
-- @tparam[opt] string options.request_id a GUID; the same one again marks a repetition
-- @treturn[1] table `status`, `headers` (names in lower case), `body`, `json` (decoded),
-- `request_id`, `correlation_id`, `is_mfa_compliant`
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
  local mistake = url.query_mistake(options.query) or target_mistake(target)
    or headers.mistake(options.headers)
  if mistake then
    error("request: " .. mistake, 2)
  end
  local call = {
    method = method,
    url = self.base.origin .. self.base.path .. target,
    headers = options.headers,
    deadline = self:deadline(options.timeout),
    correlation_id = options.correlation_id,
    request_id = options.request_id,
  }
  local ok, why = encode_body(call, options.body)
  if not ok then
    error("request: " .. why, 2)
  end
  return self:call(call)
end

--- Whose answers these are, in one text without secrets: the service, and the tenant and
-- application of the token. What is kept of them belongs under it.
-- @treturn[1] string
-- @treturn[2] nil the token comes from a function, which may give one of any tenant
function Client:identity()
  local who = self.provider.identity and self.provider:identity()
  return who and ("%s%s/%s %s"):format(self.base.origin, self.base.path, self.prefix or "", who)
end

--- Closes the kept connections. The client may be used again.
function Client:close()
  self.transport:close()
end

function Client:__tostring()
  return ("%s (%s)"):format(Client.__name, self.base.origin)
end

return M
