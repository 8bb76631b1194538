--- Serves the sandbox's own pages, for tests and for developers. They need no token.
local cjson = require "cjson"
local gauge = require "sandbox.gauge"
local journal = require "sandbox.journal"
local login = require "sandbox.login"
local respond = require "sandbox.respond"
local token = require "sandbox.token"

local JSON = "application/json; charset=utf-8"
local M = {}

--- Handlers by path.
M.pages = {
  ["/_sandbox/health"] = function()
    respond(200, "text/plain", "ok")
  end,
  ["/_sandbox/log"] = function()
    local account = ngx.var.arg_login
    respond(200, JSON, account and login.log(account)
      or journal.read(tostring(ngx.var.arg_correlation_id):lower()))
  end,
  ["/_sandbox/gauge"] = function()
    local label = ngx.req.get_uri_args().label
    if type(label) ~= "string" then
      return respond(400, "text/plain", "sandbox: gauge needs label\n")
    end
    respond(200, JSON, gauge.read(label))
  end,
  ["/_sandbox/token"] = function()
    local arguments = {}
    for name, value in pairs(ngx.req.get_uri_args()) do
      arguments[#arguments + 1] = name .. "=" .. tostring(value)
    end
    respond(200, "text/plain", token.mint_from(arguments))
  end,
  ["/_sandbox/refresh_token"] = function()
    local client_id = ngx.req.get_uri_args().client_id
    if type(client_id) ~= "string" then
      return respond(400, "text/plain", "sandbox: refresh_token needs client_id\n")
    end
    respond(200, "text/plain", login.refresh_token(client_id))
  end,
}

--- Sends the request back as JSON.
function M.echo(call)
  ngx.req.read_body()
  local file = ngx.req.get_body_file()
  local stored = file and assert(io.open(file, "rb"))
  local body = stored and stored:read("*a") or ngx.req.get_body_data() or ""
  ngx.header["X-Twice"] = { "first", "second" } -- sent as two headers
  if stored then
    stored:close()
  end
  respond(200, JSON, cjson.encode { method = call.method, uri = ngx.var.request_uri,
    headers = call.headers, body = body, http_version = call.http_version,
    connection = ngx.var.connection })
end

return M
