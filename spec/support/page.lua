--- Starts the Lua code of examples/nginx in an nginx.
local files = require "spec.support.files"
local nginx = require "spec.support.nginx"
local sandbox = require "spec.support.sandbox"

local M = {}

local HTTP = ([[
  lua_shared_dict pcapi 32m;
  gzip on;
  gzip_types application/json text/csv;
  init_by_lua_block {
    package.path = "%s/examples/nginx/lua/?.lua;" .. package.path
    for _, name in ipairs { "api", "health", "metrics", "watch" } do
      require("page." .. name)
    end
  }
  init_worker_by_lua_block { require("page.settings").start() }
]]):format(files.lines_of "pwd -P"[1])

local SERVER = [[
  location /api/ { content_by_lua_block { require("page.api").respond() } }
  location = /metrics { content_by_lua_block { require("page.metrics").respond() } }
  location = /healthz { content_by_lua_block { require("page.health").respond() } }
]]

--- Starts the page; its service is the sandbox.
-- @tparam table env variables by name; false: not set
-- @tparam[opt] table options `http` and `server`: more directives; `is_less` sorts the env
-- directives
-- @treturn table see `spec.support.nginx`
function M.start(env, options)
  local names = {}
  options = options or {}
  for name, value in pairs(sandbox.merged({ PCAPI_BASE_URL = sandbox.url }, env)) do
    names[#names + 1] = value and name .. "=" .. value or nil
  end
  table.sort(names, options.is_less or function(a, b) return a > b end)
  return nginx.start { http = HTTP .. (options.http or ""), env = names,
                       server = SERVER .. (options.server or "") }
end

return M
