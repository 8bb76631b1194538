--- Serves the sandbox's own pages, for tests and for developers. They need no token.
local cjson = require "cjson"
local gauge = require "sandbox.gauge"
local journal = require "sandbox.journal"
local login = require "sandbox.login"
local respond = require "sandbox.respond"
local story = require "sandbox.story"
local token = require "sandbox.token"

local JSON = "application/json; charset=utf-8"
local M = {}

local function read_body()
  ngx.req.read_body()
  local path = ngx.req.get_body_file()
  local file = path and assert(io.open(path, "rb"))
  local body = file and file:read("*a") or ngx.req.get_body_data() or ""
  if file then
    file:close()
  end
  return body
end

-- Returns a page that changes a story. change(label, query) returns true, or nil and an error
-- message.
local function story_page(change)
  return function()
    local query = ngx.req.get_uri_args()
    local ok, reason = nil, "a story needs POST, label and one value of each parameter"
    if ngx.req.get_method() == "POST" and type(query.label) == "string"
      and type(query.now or "") == "string" then
      ok, reason = change(query.label, query)
    end
    respond(ok and 200 or 400, "text/plain", ok and "ok\n" or "sandbox: " .. reason .. "\n")
  end
end

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
  ["/_sandbox/story"] = story_page(function(label, query)
    return story.tell(label, read_body(), query.now)
  end),
  ["/_sandbox/story/clock"] = story_page(function(label, query)
    return story.set_clock(label, query.now or "")
  end),
}

--- Sends the request back as JSON.
function M.echo(call)
  ngx.header["X-Twice"] = { "first", "second" } -- sent as two headers
  respond(200, JSON, cjson.encode { method = call.method, uri = ngx.var.request_uri,
    headers = call.headers, body = read_body(), http_version = call.http_version,
    connection = ngx.var.connection })
end

return M
