--- Sends random responses to the client and the sign-in. Each call must return a value or an error
-- object of a known kind within its deadline, and must not raise an error.
local auth = require "pcapi.auth"
local errors = require "pcapi.error"
local fake = require "spec.support.fake_transport"
local random = require "spec.fuzz.random"
local sign_in = require "spec.support.sign_in"

local TIMEOUT = 60 -- seconds per call
local SLACK = 1

local FORMATS = { csv = require "pcapi.format.csv", json = require "pcapi.format.json",
                  jsonl = require "pcapi.format.jsonl", table = require "pcapi.format.table" }

local one, rarely = random.one, random.rarely

local SCALARS = { "null", "true", "false", "0", "-1", "1.5", "1e308", "1e999", "-0",
  "9007199254740993", "123456789012345678901234567890", '""', '"x"', '"0001-01-01T00:00:00"',
  '"2024-02-03T07:08:09Z"', '"2024-02-03T07:08:09.1234567+02:00"', '"2024-02-30"', '"NaN"',
  '"abc"', '"\\ud83d"', '"\\u0000"', '"\\u202e"', '"=1+1"', '"true"', '"False"', '"12"',
  '"' .. ("x"):rep(3000) .. '"', '"\255"', '"svc-noMFA@fabrikam.example"', '"AADSTS50076: x"' }

local NAMES = { "items", "Items", "totalCount", "links", "next", "uri", "headers", "key", "value",
  "self", "continuationToken", "upn", "objectId", "tenantId", "lastNonMfaCompliantLoginDateTime",
  "lastNonMfaCompliantRequestDateTime", "requestDateTime", "loginDate", "mfaCompliant",
  "ipAddress", "sourceIpAddress", "mfaCompliantRequestCount", "totalRequestCount", "code",
  "description", "message", "error", "innererror", "details", "title", "detail", "status",
  "errorCode", "claims", "access_token", "refresh_token", "token_type", "expires_in", "scope",
  "id_token", "error_description", "error_codes", "expires_on", "not_before", "device_code",
  "user_code", "verification_uri", "verification_url", "interval", "suberror", "ext_expires_in" }

local value

local function object(depth)
  local parts = {}
  for i = 1, math.random(0, 6) do
    parts[i] = ('"%s"%s:%s'):format(one(NAMES), rarely(10) and " " or "", value(depth + 1))
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

function value(depth)
  if depth > 4 or not rarely(3) then
    return one(SCALARS)
  elseif rarely(2) then
    return object(depth)
  end
  local parts = {}
  for i = 1, math.random(0, 4) do
    parts[i] = value(depth + 1)
  end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function record()
  return ('{"upn":%s,"requestDateTime":%s,"mfaCompliant":%s,"totalRequestCount":%s,%s'):format(
    one(SCALARS), one(SCALARS), one(SCALARS), one(SCALARS), object(3):sub(2)):gsub(",}$", "}")
end

-- Bodies of the usual shapes, with invalid values.
local SHAPES = {
  function()
    local records = {}
    for i = 1, math.random(0, 5) do
      records[i] = rarely(8) and value(2) or record()
    end
    return ('{"totalCount":%s,"items":[%s]%s}'):format(one(SCALARS), table.concat(records, ","),
      rarely(3) and ',"links":{"next":{"uri":"' .. one { "/customers?x=1", "https://evil.example/",
        "/a#b", "/a b", "//x", "?", "", "v1/x", "/v1/partnerRequests?seekOperation=Next" }
        .. '","headers":[{"key":"MS-ContinuationToken","value":' .. one(SCALARS) .. '}]}}' or "")
  end,
  function() return "[" .. record() .. "," .. record() .. "]" end,
  function() return ('{"code":%s,"description":%s}'):format(one(SCALARS), one(SCALARS)) end,
  function() return ('{"error":{"code":%s,"message":%s}}'):format(value(2), value(2)) end,
  function()
    return ('{"title":%s,"detail":%s,"status":%s}'):format(value(2), value(2), value(2))
  end,
  function()
    return ('{"error":%s,"error_description":%s,"error_codes":%s,"claims":%s}'):format(
      one { '"invalid_grant"', '"authorization_pending"', '"slow_down"', '"expired_token"',
            value(2) }, value(2), value(2), value(2))
  end,
  function()
    return ('{"access_token":%s,"token_type":%s,"expires_in":%s,"refresh_token":%s,"scope":%s%s}')
      :format(one { '"SECRETaccess"', value(2) }, one { '"Bearer"', value(2) },
        one { "3600", '"3600"', value(2) }, one { '"SECRETnew"', value(2) }, value(2),
        rarely(2) and ',"id_token":' .. value(2) or "")
  end,
  function()
    return ('{"device_code":%s,"user_code":%s,"verification_uri":%s,"expires_in":%s,'
      .. '"interval":%s,"message":%s}'):format(one { '"SECRETdevice"', value(2) },
        one { '"ABCD"', value(2) }, one { '"https://microsoft.com/devicelogin"', value(2) },
        one { "900", value(2) }, one { "5", value(2) }, value(2))
  end,
  function() return value(0) end,
  function() return object(0) end,
  function()
    return one { "", "<html>MFA</html>", "null", "\239\187\191{}", "\0", ("["):rep(200) }
  end,
}

local STATUSES = { 200, 200, 200, 200, 200, 201, 204, 206, 299, 301, 302, 304, 400, 400, 400, 401,
  401, 403, 403, 404, 405, 408, 409, 412, 418, 429, 429, 500, 502, 503, 504, 599, 600, 999 }

local HEADERS = {
  ["retry-after"] = { "0", "1", "57", "-1", "1e999", "inf", "nan", "2.0", ("9"):rep(400), "x",
    "Fri, 31 Dec 1999 23:59:59 GMT", "Sat, 03 Feb 2024 07:09:09 GMT", "31536000", " ", "1, 2" },
  date = { "Sat, 03 Feb 2024 07:08:09 GMT", "x", "", "Fri, 31 Dec 9999 23:59:59 GMT" },
  ["content-type"] = { "application/json", "application/json; charset=utf-8", "text/html",
    "application/problem+json", "", "application/json; charset=utf-16", "text/plain" },
  ["ms-continuationtoken"] = { "x", "", ("x"):rep(9000), "\255" },
  ["ms-requestid"] = { "x", "" }, ["ms-correlationid"] = { "x" },
  ["ismfacompliant"] = { "true", "False", "x", "" },
  ["www-authenticate"] = { "Bearer", 'Bearer claims="e30="', 'Bearer claims="', 'claims="%%%"',
    'Bearer error="insufficient_claims", claims="eyJhIjoxfQ=="', ('Bearer x="'):rep(300) },
}

local FAILURES = { "network", "timeout", "tls", "protocol" }

-- Makes the response to one request. If it takes longer than the timeout of the request, that is an
-- error.
local function respond(request, replay)
  local takes = one { 0.1, 0.1, 1, 20, 100 }
  if takes > request.timeout then
    return { kind = "timeout", takes = request.timeout }
  elseif rarely(10) then
    return { kind = one(FAILURES), takes = takes }
  end
  local body = one(SHAPES)()
  if rarely(4) then
    body, replay.is_mutated = random.mutate(body), true
  end
  local headers = { ["content-type"] = "application/json" }
  for name, values in pairs(HEADERS) do
    if rarely(4) then
      headers[name] = one(values)
    end
  end
  local response = { status = one(STATUSES), reason = one { "", "OK", "MFA required", "\255" },
                     headers = headers, body = body, takes = takes }
  replay[#replay + 1] = ("%d %s\n%s"):format(response.status, response.reason, body)
  return response
end

-- An endless list of responses.
local function endless(replay)
  return setmetatable({}, { __index = function()
    return function(request) return respond(request, replay) end
  end })
end

local function use(list)
  tostring(list)
  for _, format in pairs(FORMATS) do
    format.encode(list, { columns = list.columns })
  end
  list:newest_first()
  list:filter { since = one { "24h", "2024-02-03", 0 } }
  list:group_by(list.columns[1])
end

local CALLS = {
  function(client) return client.security:non_mfa_principals() end,
  function(client) return client.security:partner_requests { since = "24h" } end,
  function(client) return client.security:application_mfa_adoption_status() end,
  function(client) return client:request(one { "GET", "POST" }, "/v1/customers") end,
}

local function call_client(replay)
  local client, transport = fake.client(endless(replay), { timeout = TIMEOUT })
  local began, which = transport:now(), math.random(#CALLS)
  local result, err = CALLS[which](client)
  if result and which < #CALLS then
    use(result)
  end
  return result, err, transport:now() - began, TIMEOUT
end

local function renew(replay)
  local account, context, transport = sign_in.account(
    { oauth_version = one { "v1", "v2" } }, endless(replay))
  context.deadline = transport:now() + TIMEOUT
  local began = transport:now()
  local token, err = account:token(nil, context)
  return token, err, transport:now() - began, TIMEOUT
end

local function sign_in_by_device(replay)
  local transport = fake.new(endless(replay))
  local account = auth.device_code { tenant = "fabrikam.example", client_id = "me",
    on_code = tostring, on_wait = tostring }
  local context = sign_in.context(transport)
  local began = transport:now()
  context.deadline = began + 900
  local token, err = account:sign_in(context)
  return token, err, transport:now() - began, 900
end

-- Returns what went wrong, or nil. Secrets are recognised by the names of their members, which a
-- mutation may have changed.
local function violation(replay, ok, result, err, took, time)
  if not ok then
    return "raised an error: " .. tostring(result)
  elseif result == nil and not (errors.is(err) and errors.kinds[err.kind]) then
    return "not an error object: " .. tostring(err)
  elseif took > time + SLACK then
    return ("%d s for a call of %d s"):format(took, time)
  elseif err and not replay.is_mutated and tostring(err):find "SECRET" then
    return "a secret in an error: " .. tostring(err)
  end
end

random.begin "responses"
while random.goes_on() do
  local replay = {}
  local what = violation(replay, pcall(one { call_client, renew, sign_in_by_device }, replay))
  if what then
    random.find(what, table.concat(replay, "\n\n"))
  end
  random.count_case()
end
random.finish()
