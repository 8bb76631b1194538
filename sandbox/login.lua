--- Serves the sign-in endpoints, in Entra's format: /login/SETTINGS/TENANT/oauth2[/v2.0]/…
--
-- Any tenant name works. Each pair of settings and tenant has its own counters and log.
local client = require "sandbox.login.client"
local guid = require "sandbox.guid"
local journal = require "sandbox.journal"
local sealed = require "sandbox.login.sealed"
local settings_of = require "sandbox.login.settings"

local M = {}

local SCOPE = "https://api.partnercenter.microsoft.com/.default offline_access"

local function respond(status, text)
  ngx.status = status
  ngx.header.content_type = "text/plain"
  ngx.header.content_length = #text
  ngx.print(text)
end

-- The key in the log. Some clients percent-encode `;` in the path, some do not.
local function account_key(text)
  return "login " .. ngx.unescape_uri(text)
end

-- Drops parameters without a value.
local function strip(all)
  local parameters, twice = {}, nil
  for name, value in pairs(all) do
    if type(value) == "table" then
      twice = twice or name
    elseif value ~= "" and value ~= true then
      parameters[name] = value
    end
  end
  return parameters, twice
end

local function read_form(headers)
  local content_type = tostring(headers["content-type"])
  if not content_type:find("^application/x%-www%-form%-urlencoded") then
    return {}
  end
  ngx.req.read_body()
  return ngx.req.get_post_args(0) or {}
end

local function read_call(path)
  local settings, tenant, endpoint = path:match("^/login/([^/]+)/([^/]+)/oauth2/(.+)$")
  local version = endpoint and endpoint:find("^v2%.0/") and 2 or 1
  local headers = ngx.req.get_headers(0)
  local method = ngx.req.get_method()
  local sent = method == "POST" and read_form(headers) or ngx.req.get_uri_args(0)
  local parameters, twice = strip(sent)
  return endpoint and {
    method = method, path = path, url = ngx.var.scheme .. "://" .. ngx.var.http_host .. path,
    endpoint = endpoint:gsub("^v2%.0/", ""), version = version,
    settings_text = settings, tenant = ngx.unescape_uri(tenant),
    key = account_key(settings .. "/" .. tenant),
    sent = sent, parameters = parameters, twice = twice, headers = headers, trace_id = guid.make(),
    correlation_id = guid.of(headers["client-request-id"]),
  }
end

-- Records names only: values may be secrets.
local function note(call)
  local names = {}
  for name in pairs(call.sent) do
    names[#names + 1] = name
  end
  table.sort(names)
  journal.note(call.key, {
    method = call.method, uri = call.path, grant_type = call.parameters.grant_type,
    parameters = names, client_auth = client.kind(call.parameters),
    correlation_id = call.correlation_id, at = ngx.now(),
  })
end

local function add_headers(call)
  ngx.header["x-ms-request-id"] = call.trace_id
  ngx.header["client-request-id"] = call.headers["client-request-id"] and call.correlation_id
  ngx.header["Cache-Control"] = "no-store, no-cache"
  ngx.header.Pragma = "no-cache"
  if call.settings.skew then
    ngx.header.date = ngx.http_time(call.now)
  end
end

local ENDPOINTS = {
  token = require "sandbox.login.token",
  devicecode = require "sandbox.login.devicecode",
  authorize = require "sandbox.login.authorize",
  deviceauth = function()
    respond(200, "The sandbox signs in by itself: there is no code to enter.\n")
  end,
}

--- Responds to the current request, whose path begins with /login/.
function M.respond()
  local call = read_call((ngx.var.request_uri:match("^[^?]*")))
  local endpoint = call and ENDPOINTS[call.endpoint]
  if not endpoint then
    return respond(404, "sandbox: no such page; see sandbox/README.md\n")
  end
  note(call)
  local reason
  call.settings, reason = settings_of.read(call.settings_text)
  if not call.settings then
    return respond(400, "sandbox: " .. reason .. "\n")
  end
  call.now = ngx.time() + (call.settings.skew or 0)
  add_headers(call)
  endpoint(call)
end

--- Returns the requests of a login, in order.
-- @tparam string account SETTINGS/TENANT, percent-encoded or not
-- @treturn string a JSON array
function M.log(account)
  return journal.read(account_key(ngx.unescape_uri(account)))
end

--- Makes a refresh token, like the one that a sign-in for the API returns.
-- @tparam string client_id the client that may use it
function M.refresh_token(client_id)
  return sealed.seal("refresh token", { client_id = client_id, scope = SCOPE })
end

return M
