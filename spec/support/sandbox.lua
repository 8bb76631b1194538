--- Gives specs access to the sandbox. `sandbox/run` sets the environment.
local core = require "pcapi.core"
local files = require "spec.support.files"
local token = require "sandbox.token"

local M = {}

-- If a worker of nginx runs the specs (see dev/busted-in-nginx), the library is pcapi.nginx, which
-- takes the CA from nginx's configuration.
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

--- The library for the place where the specs run, and the name of its CA setting.
M.library = pcapi
M.ca_setting = in_nginx and "lua_ssl_trusted_certificate" or "ca_file"

-- Merges two tables; the second overrides the first.
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

--- Makes a client of the sandbox, with settings for the header X-Sandbox.
function M.client(settings, options)
  return pcapi.new(merged({
    base_url = M.url, ca_file = M.ca_file, token = M.token(),
    headers = settings and { ["X-Sandbox"] = settings } or nil,
    retry = { base = 0.01, cap = 0.05 }, timeout = 20,
  }, options))
end

--- Makes a transport to the sandbox.
function M.transport()
  return assert(transport.new { ca_file = M.ca_file })
end

--- Returns the requests with a correlation id, as an array.
function M.received(correlation_id)
  local response = assert(pcapi.fetch(
    M.url .. "/_sandbox/log?correlation_id=" .. correlation_id, { ca_file = M.ca_file }))
  return response.json
end

M.fetch_options = function(options)
  return merged({ ca_file = M.ca_file }, options)
end

--- Fetches a path of the sandbox.
function M.fetch(path, options)
  return M.library.fetch(M.url .. path, M.fetch_options(options))
end

--- Fetches the users with a valid token, with settings for the header X-Sandbox.
function M.authorized(settings, options)
  options = options or {}
  options.headers = {
    Accept = "application/json", Authorization = "Bearer " .. M.token(),
    ["X-Sandbox"] = settings,
  }
  return M.fetch("/v1/nonMfaCompliantPartnerPrincipals", options)
end

local function time_of(now)
  return type(now) == "number" and os.date("!%Y-%m-%dT%H:%M:%SZ", now) or now
end

local function post(path, body)
  local response = assert(M.fetch(path, { method = "POST", body = body }))
  return response.status == 200 and true or nil, response.body
end

--- Stores a story (see sandbox/README.md), which the setting `story=LABEL` plays.
-- @tparam string text one event a line
-- @tparam ?string|number now its time in UTC, as text or in epoch seconds; by default the real time
-- @tparam ?string label of a story that this text replaces
-- @treturn string its label
function M.story(text, now, label)
  label = label or core.uuid()
  assert(post("/_sandbox/story?label=" .. label .. (now and "&now=" .. time_of(now) or ""), text))
  return label
end

--- Sets the time of a story.
-- @tparam string label
-- @tparam string|number now in UTC, as text or in epoch seconds
function M.set_clock(label, now)
  assert(post("/_sandbox/story/clock?label=" .. label .. "&now=" .. time_of(now), ""))
end

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Runs a shell command; returns its status, output and error output.
function M.shell(command)
  local out, err = files.temporary(), files.temporary()
  local wait_status, _, status = os.execute(("{ %s ; } >%s 2>%s; exit $?"):format(command, out,
    err))
  status = status or wait_status / 256 -- Lua 5.1 returns only the wait status
  local result = { status = status, out = files.slurp(out), err = files.slurp(err) }
  os.remove(out)
  os.remove(err)
  return result
end

--- A shell command that runs `pcapi` against the sandbox.
-- @tparam table arguments
-- @tparam ?table environment name to value; a false value unsets
-- @treturn string
function M.command_line(arguments, environment)
  local words, set = { "env" }, {}
  -- hides the sign-in and configuration of the user who runs the specs
  local all = { HOME = "/nonexistent", XDG_STATE_HOME = false, XDG_CONFIG_HOME = false }
  for name, value in pairs(merged(all, environment)) do
    if value then
      set[#set + 1] = quote(name .. "=" .. value)
    else
      words[#words + 1] = "-u " .. name -- env(1) wants -u before variables
    end
  end
  words[#words + 1] = table.concat(set, " ")
  words[#words + 1] = M.lua
  words[#words + 1] = "bin/pcapi"
  for _, argument in ipairs(arguments) do
    words[#words + 1] = quote(argument)
  end
  return table.concat(words, " ")
end

--- Runs the command `pcapi` against the sandbox.
-- @tparam table arguments
-- @tparam ?table environment as for @{command_line}
-- @tparam ?string input for standard input
function M.pcapi(arguments, environment, input)
  return M.shell((input and "printf %s " .. quote(input) .. " | " or "")
    .. M.command_line(arguments, environment) .. (input and "" or " </dev/null"))
end

--- Raises an error if the body leaves a session open.
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
