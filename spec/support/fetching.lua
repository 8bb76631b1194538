--- Starts an nginx that fetches addresses in a worker, and that sends raw responses chosen by a
-- spec.
local core = require "pcapi.core"
local literal = require "spec.support.literal"
local pcapi = require "pcapi"
local sandbox = require "spec.support.sandbox"
local workers = require "spec.support.workers"

local M = {}

--- The path of a list in the sandbox, and a token for it.
M.PATH = "/v1/nonMfaCompliantPartnerPrincipals"
M.TOKEN = sandbox.token()

-- `fetch` returns status, reason, headers and body; or nil, the kind of the error and its text.
local INIT = [[
  SANDBOX, TOKEN, PATH = %q, %q, %q
  function fetch(address, options)
    options = options or {}
    options.allow_http = true
    local response, err = pcapi.fetch(address, options)
    if not response then
      return nil, err.kind, tostring(err)
    end
    return response.status, response.reason, response.headers, response.body
  end
]]

-- The last part of the path is Lua code, which gets the socket.
local RAW = [[
  location /raw/ {
    client_max_body_size 0;
    content_by_lua_block {
      local code = require("pcapi.core").unbase64(ngx.var.uri:match "[^/]*$")
      assert(loadstring("local socket = ...; " .. code))(assert(ngx.req.socket(true)))
    }
  }
]]

--- Starts an nginx whose workers have the function `fetch` and the globals SANDBOX, TOKEN and PATH.
-- @tparam ?table options as for `spec.support.workers`
function M.start(options)
  options = sandbox.merged(options)
  options.init = INIT:format(sandbox.url, M.TOKEN, M.PATH) .. (options.init or "")
  options.server = RAW .. (options.server or "")
  return workers.start(options)
end

--- Returns an address at which Lua code runs with `socket`, the connection to the client.
function M.raw(server, code)
  return server.url .. "/raw/" .. core.base64url(code)
end

--- Returns an address that sends a text and closes the connection.
function M.sending(server, text)
  return M.raw(server, "socket:send(" .. literal(text) .. ")")
end

--- Fetches an address in a worker. Returns the results of `fetch`.
function M.fetch(server, address, options)
  return server:run(("return fetch(%q, %s)"):format(address, literal(options or {})))
end

--- Returns the sandbox's counters of a label: `requests`, `connections`, `most_at_once`.
function M.gauge(label)
  return assert(pcapi.fetch(sandbox.url .. "/_sandbox/gauge?label=" .. label,
                            sandbox.fetch_options())).json
end

--- Measures how many seconds a function takes.
function M.seconds_of(act)
  local started = core.now()
  act()
  return core.now() - started
end

return M
