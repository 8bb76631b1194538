--- Serves Partner Center: routes, checks of requests, and responses.
local cjson = require "cjson"
local bodies = require "sandbox.bodies"
local cache = require "sandbox.cache"
local errors = require "sandbox.errors"
local faults = require "sandbox.faults"
local gauge = require "sandbox.gauge"
local guid = require "sandbox.guid"
local inside = require "sandbox.inside"
local journal = require "sandbox.journal"
local login = require "sandbox.login"
local records = require "sandbox.records"
local respond = require "sandbox.respond"
local settings_of = require "sandbox.settings"
local story = require "sandbox.story"
local token = require "sandbox.token"

local M = {}

local AUDIENCE = "https://api.partnercenter.microsoft.com"

local ROUTES = {
  nonMfaCompliantPartnerPrincipals = { list = "principals", record = records.principal,
                                       count = 25 },
  applicationmfaadoptionstatus = { list = "adoption", record = records.adoption, count = 21,
                                   shape = "array", takes_dates = true },
  partnerRequests = { list = "requests", record = records.request, count = 60 },
  customers = { record = records.customer, count = 3, takes_post = true },
}
for name, route in pairs(ROUTES) do
  route.name = name
end

local function first(value)
  return type(value) == "table" and value[1] or value
end

-- Clients send the same tokens and settings many times.
local MEGABYTE = 1024 * 1024
local tokens, readings = cache.new(4 * MEGABYTE), cache.new(4 * MEGABYTE)

local function read_token(authorization)
  local text = first(authorization or ""):match("^[Bb]earer +(%S+)$")
  local claims = text and tokens:get(text)
  if text and not claims then
    claims = token.read(text)
    tokens:put(text, claims, 8 * #text)
  end
  return claims
end

-- Reads the settings of a scenario and of a header. The header overrides the scenario.
local function read_settings(scenario, header)
  local settings = {}
  local ok, reason = settings_of.read(scenario, settings)
  if ok then
    ok, reason = settings_of.read(header, settings)
  end
  if ok then
    ok, reason = settings_of.check(settings)
  end
  settings.seed = settings.seed or 1
  return { ok and settings, reason }
end

local function settings_for(claims, header)
  local scenario = claims and claims.scenario
  scenario = type(scenario) == "string" and scenario or ""
  header = type(header) == "table" and table.concat(header, ";") or header or ""
  local key = scenario .. "\n" .. header
  local reading = readings:get(key)
    or readings:put(key, read_settings(scenario, header), 1024 + 8 * #key)
  return reading[1], reading[2]
end

local function route_of(path, settings)
  local prefix = settings.serve == "pcapi" and "^/pcapi/v1/" or "^/v1/"
  local _, last = path:find(prefix)
  return last and ROUTES[path:sub(last + 1)]
end

local function read_call()
  local headers = ngx.req.get_headers(0)
  local version = ngx.req.http_version()
  return {
    method = ngx.req.get_method(), path = ngx.var.uri, args = ngx.var.args, page = 1,
    scheme = ngx.var.scheme, host = ngx.var.http_host or ngx.var.host,
    headers = headers, http_version = tostring(version),
    authorization = headers.authorization, claims = read_token(headers.authorization),
    request_id = guid.of(headers["ms-requestid"]),
    correlation_id = guid.of(headers["ms-correlationid"]),
    request_context = "appId=cid-v1:" .. token.TENANT,
  }
end

local function has_mfa(claims)
  for _, method in ipairs(type(claims.amr) == "table" and claims.amr or {}) do
    if method:find("mfa$") then -- `ngcmfa` counts
      return true
    end
  end
  return false
end

local function accepts_json(accept)
  accept = type(accept) == "table" and table.concat(accept, ",") or accept
  return accept:find("application/json", 1, true) or accept:find("application/*", 1, true)
    or accept:find("*/*", 1, true)
end

-- Reads the dates of the adoption status from the query. Returns the name of the parameter
-- that is not a date, or nil.
local function read_dates(call)
  local query = ngx.req.get_uri_args()
  for _, name in ipairs { "startDate", "endDate" } do
    local date = query[name]
    if date and not (type(date) == "string" and date:find("^%d%d%d%d%-%d%d%-%d%d$")) then
      return name
    end
  end
  call.dates = { from = query.startDate or "0000-00-00", to = query.endDate or "9999-99-99" }
end

-- Finds the requested page; false if the continuation token is missing or invalid.
local function find_page(call)
  local query = ngx.req.get_uri_args()
  local page_token = first(call.headers["ms-continuationtoken"]) or query.continuation_token
    or query.continuationToken or query["$skiptoken"]
  if page_token then
    call.page = bodies.page_of(call, tostring(page_token))
  end
  return call.page ~= nil and (page_token ~= nil or not query.seekOperation)
end

-- `revoke_after` counts the requests with one token.
local function is_revoked(call)
  local limit = call.settings.revoke_after
  local key = "token " .. ngx.md5(first(call.authorization))
  return limit and (ngx.shared.attempts:incr(key, 1, 0) or 0) > limit
end

-- The checks of the service, in its order. A check returns nothing, or the status and the
-- details of the error response.
local CHECKS = {
  function(call) -- the method
    local posts = call.route and call.route.takes_post and call.method == "POST"
    if call.method ~= "GET" and not posts then
      return 405
    end
  end,
  function(call) -- the token
    if not call.authorization then
      return 401, { code = "800001", challenge = errors.challenge(),
                    text = "Partner token is missing in the request context." }
    elseif not call.claims then
      return 401, { challenge = errors.challenge('error="invalid_token"') }
    end
  end,
  function(call)
    if call.claims.aud ~= AUDIENCE then
      return 401, { code = "900420", challenge = errors.challenge(),
                    text = "The audience of the token is not accepted." }
    end
  end,
  function(call)
    local now = ngx.time() + (tonumber(call.claims.skew) or 0)
    if (tonumber(call.claims.exp) or 0) <= now then
      return 401, { challenge = errors.challenge(
        'error="invalid_token", error_description="The token has expired"') }
    end
  end,
  function(call)
    if is_revoked(call) then
      return 401, { challenge = errors.challenge(
        'error="invalid_token", error_description="The token has been revoked"') }
    end
  end,
  function(call)
    if not call.claims.scp and call.claims.roles then
      return 403, { code = "900329", text = "App-only tokens are not allowed here." }
    end
  end,
  function(call)
    if not has_mfa(call.claims) and call.settings.enforce ~= false then
      faults.mfa["900421"](call)
      return true
    end
  end,
  function(call) -- the other headers
    if call.headers.accept and not accepts_json(call.headers.accept) then
      return 406
    end
  end,
  function(call)
    for _, name in ipairs { "MS-RequestId", "MS-CorrelationId" } do
      local sent = call.headers[name:lower()]
      if sent and not guid.is(first(sent)) then
        return 400, { code = "2000", text = name .. " must be a GUID." }
      end
    end
  end,
  function(call) -- the path and query
    if not call.route then
      return 404
    end
  end,
  function(call)
    local wrong = call.route.takes_dates and read_dates(call)
    if wrong then
      return 400, { text = wrong .. " must be a date, yyyy-mm-dd." }
    end
  end,
  function(call)
    if call.settings.page and not find_page(call) then
      return 400, { text = "The continuation token is missing or not valid." }
    end
  end,
}

local function refuse(call)
  for _, check in ipairs(CHECKS) do
    local status, how = check(call)
    if status then
      if status ~= true then -- true: the check has sent the response
        errors.refuse(call, status, how)
      end
      return true
    end
  end
  return false
end

local function add_headers(call)
  local skew = call.claims and tonumber(call.claims.skew) -- as the clock of the sign-in endpoints
  local now = call.now or skew and ngx.time() + skew
  if now then
    ngx.header.date = ngx.http_time(now)
  end
  ngx.header["MS-RequestId"] = call.request_id
  ngx.header["MS-CorrelationId"] = call.correlation_id
  ngx.header["MS-CV"] = ngx.encode_base64(call.request_id:sub(1, 12)) .. ".0"
  ngx.header["MS-ServerId"] = "sandbox-" .. ngx.worker.id()
  ngx.header["Request-Context"] = call.request_context
end

-- Sends the response header for `ValidateMfa: true`.
local function report_mfa(call)
  local compliant = call.settings.compliant or (has_mfa(call.claims) and "True" or "False")
  local validate = first(call.headers.validatemfa)
  if validate and validate:lower() == "true" and compliant ~= "none" and compliant ~= "body" then
    ngx.header.isMfaCompliant = compliant
  end
end

local function create_customer(call)
  ngx.req.read_body()
  local text = ngx.req.get_body_data() or ""
  if type(select(2, pcall(cjson.decode, text))) ~= "table" then
    return errors.refuse(call, 400, { text = "The body must be a JSON object." })
  end
  respond(201, errors.JSON, bodies.encode(text, call.settings))
end

local function serve(call)
  if refuse(call) or faults.play(call) then
    return
  end
  report_mfa(call)
  if call.method == "POST" then
    return create_customer(call)
  elseif not call.headers.accept then -- some calls of the service return XML then
    return respond(200, "application/xml; charset=utf-8",
               '<?xml version="1.0" encoding="utf-8"?><Answer><TotalCount>0</TotalCount></Answer>')
  end
  ngx.header["MS-ContinuationToken"] = bodies.header_token(call)
  faults.send(call, bodies.published(call))
end

-- Limits the settings to the list of the call, and plays its story. Returns an error message, or
-- nil.
local function find_list(call)
  call.list = call.route and call.route.list
  call.settings = settings_of.for_list(call.settings, call.list)
  if call.list and call.settings.story then
    return select(2, story.play(call))
  end
end

--- Responds to the current request.
function M.respond()
  local path = ngx.var.uri
  if inside.pages[path] then
    return inside.pages[path]()
  elseif path:find("^/login/") then
    return login.respond()
  end
  local call = read_call()
  journal.note(call.correlation_id:lower(), {
    method = call.method, uri = ngx.var.request_uri, http_version = call.http_version,
    headers = call.headers, at = ngx.now() })
  if path == "/_sandbox/echo" then
    return inside.echo(call)
  end
  local reason
  call.settings, reason = settings_for(call.claims, call.headers["x-sandbox"])
  if not call.settings then
    return respond(400, "text/plain", "sandbox: " .. reason .. "\n")
  end
  if call.settings.label then
    gauge.arrive(call.settings.label)
  end
  call.route = route_of(path, call.settings)
  reason = find_list(call)
  if reason then
    return respond(400, "text/plain", "sandbox: " .. reason .. "\n")
  end
  add_headers(call)
  serve(call)
end

--- Runs when the current request has ended, with or without an error.
M.over = gauge.leave

return M
