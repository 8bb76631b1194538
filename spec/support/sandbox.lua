--- The sandbox as specs see it. `sandbox/run` sets the environment.
local core = require "pcapi.core"
local files = require "spec.support.files"
local token = require "sandbox.token"

local M = {}

-- A worker of nginx may run the specs, see dev/busted-in-nginx. There the library is another
-- one, and takes the CA from the configuration.
local in_nginx = rawget(_G, "ngx") ~= nil
local pcapi = require(in_nginx and "pcapi.nginx" or "pcapi")
local transport = require(in_nginx and "pcapi.nginx.transport" or "pcapi.http.curl")

local function env(name)
  return os.getenv(name)
    or error(name .. " is not set; run the specs by: sandbox/run busted", 0)
end

M.url = env "PCAPI_SANDBOX_URL"
M.ca_file = not in_nginx and env "PCAPI_SANDBOX_CA" or nil
M.ca_path = env "PCAPI_SANDBOX_CA_DIR"
M.http_url = env "PCAPI_SANDBOX_HTTP_URL"
M.env = env
M.token = token.mint
M.lua = os.getenv "LUA" or "lua5.4"

--- The library, as it is used where the specs run, and how it is told whom to trust.
M.library = pcapi
M.ca_setting = in_nginx and "lua_ssl_trusted_certificate" or "ca_file"

-- The names and values of both; those of the second win.
local function merged(first, second)
  local all = {}
  for _, part in ipairs { first, second or {} } do
    for name, value in pairs(part) do
      all[name] = value
    end
  end
  return all
end

M.merged = merged

--- A client of the sandbox; settings as for its X-Sandbox header.
function M.client(settings, options)
  return pcapi.new(merged({
    base_url = M.url, ca_file = M.ca_file, token = M.token(),
    headers = settings and { ["X-Sandbox"] = settings } or nil,
    retry = { base = 0.01, cap = 0.05 }, timeout = 20,
  }, options))
end

--- A transport to the sandbox.
function M.transport()
  return assert(transport.new { ca_file = M.ca_file })
end

--- What the sandbox received under a correlation id, as an array.
function M.received(correlation_id)
  local response = assert(pcapi.fetch(
    M.url .. "/_sandbox/log?correlation_id=" .. correlation_id, { ca_file = M.ca_file }))
  return response.json
end

M.fetch_options = function(options)
  return merged({ ca_file = M.ca_file }, options)
end

--- Fetches a path of it.
function M.fetch(path, options)
  return M.library.fetch(M.url .. path, M.fetch_options(options))
end

--- Fetches its users with a good token; settings as for its X-Sandbox header.
function M.authorized(settings, options)
  options = options or {}
  options.headers = {
    Accept = "application/json", Authorization = "Bearer " .. M.token(),
    ["X-Sandbox"] = settings,
  }
  return M.fetch("/v1/nonMfaCompliantPartnerPrincipals", options)
end

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Runs a shell command; returns its status, output and error output.
function M.shell(command)
  local out, err = files.temporary(), files.temporary()
  local wait_status, _, status = os.execute(("{ %s ; } >%s 2>%s; exit $?"):format(command, out,
    err))
  status = status or wait_status / 256 -- Lua 5.1 gives the wait status alone
  local result = { status = status, out = files.slurp(out), err = files.slurp(err) }
  os.remove(out)
  os.remove(err)
  return result
end

--- Runs the command `pcapi` against the sandbox.
-- @tparam table arguments
-- @tparam ?table environment name to value; a false value unsets
-- @tparam ?string input for standard input
function M.pcapi(arguments, environment, input)
  local words, set = { "env" }, {}
  -- no sign-in and no configuration of whoever runs the specs
  local all = { HOME = "/nonexistent", XDG_STATE_HOME = false, XDG_CONFIG_HOME = false }
  for name, value in pairs(merged(all, environment)) do
    if value then
      set[#set + 1] = quote(name .. "=" .. value)
    else
      words[#words + 1] = "-u " .. name -- before any other, says env(1)
    end
  end
  words[#words + 1] = table.concat(set, " ")
  words[#words + 1] = M.lua
  words[#words + 1] = "bin/pcapi"
  for _, argument in ipairs(arguments) do
    words[#words + 1] = quote(argument)
  end
  return M.shell((input and "printf %s " .. quote(input) .. " | " or "")
    .. table.concat(words, " ") .. (input and "" or " </dev/null"))
end

--- Fails when the body leaves a session open.
function M.leaves_nothing(body)
  collectgarbage()
  collectgarbage()
  local before = core.live()
  body()
  collectgarbage()
  collectgarbage()
  assert(core.live() == before, "a session was left open")
end

return M
