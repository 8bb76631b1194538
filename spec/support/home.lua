--- Runs the command `pcapi` as a user with a home folder, against the sandbox's sign-in service.
local core = require "pcapi.core"
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local pty = require "spec.support.pty"
local sandbox = require "spec.support.sandbox"

local M = {}

--- The application that the command's options name.
M.CLIENT = "00000000-0000-0000-0000-000000000000"

local Home = {}
Home.__index = Home

--- Makes an empty home folder and a new tenant.
-- @treturn table `path`, `tenant`, and the methods below
function M.new()
  return setmetatable({ path = curl.shell("mktemp -d"):match "%S+",
                        tenant = "t" .. core.uuid() .. ".example" }, Home)
end

--- Makes a copy of the home folder, with its sign-ins.
-- @treturn table as of @{new}
function Home:copy()
  local copy = M.new()
  os.execute(("cp -a %s/. %s"):format(self.path, copy.path))
  os.execute(("cd %s && rm -rf bin browser .exported"):format(copy.path)) -- they name the original
  return copy
end

--- Removes the folder.
function Home:remove()
  os.execute("rm -rf " .. self.path)
end

--- The address of the sign-in service.
-- @tparam ?string settings see sandbox/README.md
-- @treturn string
function M.login_url(settings)
  return sandbox.url .. "/login/" .. (settings or "-")
end

-- Variables without settings except the addresses of the sandbox. No desktop is near.
local function environment_of(self, more)
  return sandbox.merged({
    HOME = self.path, PCAPI_TOKEN = false, PCAPI_LOGIN_URL = M.login_url(), BROWSER = "false",
    CI = false, DISPLAY = false, WAYLAND_DISPLAY = false, WSL_DISTRO_NAME = false,
    SSH_CONNECTION = false, SSH_TTY = false, SSH_CLIENT = false,
  }, more)
end

--- Runs the command.
-- @tparam table arguments
-- @tparam ?table environment name to value; false unsets
-- @tparam ?string input for standard input
-- @treturn table `status`, `out`, `err`
function Home:run(arguments, environment, input)
  return sandbox.pcapi(arguments, environment_of(self, environment), input)
end

--- Runs the command on a terminal.
-- @tparam table arguments
-- @tparam ?table environment as for @{run}
-- @tparam ?string|{string,...} typed as for `spec.support.pty`
-- @tparam ?string redirect of the shell, such as `>file`
-- @treturn table `status`, `screen`
function Home:run_on_terminal(arguments, environment, typed, redirect)
  return pty.run(sandbox.command_line(arguments, environment_of(self, environment)) .. " "
    .. (redirect or ""), typed)
end

-- A program `pcapi` that runs the command of this folder.
local PROGRAM = [[#!/bin/sh
exec %s %s/bin/pcapi "$@"
]]

--- Makes a program `pcapi` for @{shell}.
-- @treturn string its path
function Home:program()
  local path = self.path .. "/bin/pcapi"
  if not files.exists(path) then
    self:write("bin/pcapi", PROGRAM:format(sandbox.lua, files.lines_of "pwd -P"[1]))
    os.execute("chmod +x " .. path)
  end
  return path
end

-- The command line of a shell with the variables, after those that earlier lines exported.
local function script(line, environment, is_shared)
  local lines = { is_shared and "[ ! -e .exported ] || . ./.exported" or nil }
  for name, value in pairs(environment) do
    lines[#lines + 1] = value and "export " .. name .. "=" .. curl.quote(value) or "unset " .. name
  end
  lines[#lines + 1] = line
  lines[#lines + 1] = is_shared and "status=$?; export -p >.exported; exit $status" or nil
  return table.concat(lines, "\n")
end

--- Runs a command line in the home folder, as the user would type it. Lines without `environment`
-- see the variables that the ones before export.
-- @tparam string line
-- @tparam ?table environment name to value; false unsets
-- @treturn table `status`, `out`, `err`
function Home:shell(line, environment)
  local all = sandbox.merged({
    HOME = self.path, XDG_STATE_HOME = false, XDG_CONFIG_HOME = false, PCAPI_TOKEN = false,
    BROWSER = self:browser(), PATH = self:program():match "^(.*)/" .. ":" .. os.getenv "PATH",
  }, environment)
  return sandbox.shell(("cd %s && timeout 120 sh -c %s </dev/null"):format(self.path,
    curl.quote(script(line, all, not environment))))
end

--- Writes a file in the home folder, and makes the folders above it.
-- @tparam string name
-- @tparam string text
-- @treturn string path
function Home:write(name, text)
  local path = self.path .. "/" .. name
  os.execute("mkdir -p " .. path:match "^(.*)/")
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

--- Writes the configuration file.
function Home:write_config(text)
  self:write(".config/pcapi/config", text)
end

--- Writes a configuration file with the channel `ops`, a file, if a command line needs it.
-- @tparam string line
function Home:add_channel(line)
  if line:find("notify", 1, true) then
    self:write_config("[notify ops]\ntype = jsonl\npath = ops.jsonl\n")
  end
end

--- Makes a program that follows the redirects of the sign-in service, as a browser does, and
-- writes the last page into the file `page`.
-- @treturn string path
function Home:browser()
  local path = self:write("browser", ([[#!/bin/sh
    exec %s -sL --noproxy '*' --cacert %s "$1" >%s/page
  ]]):format(curl.COMMAND, sandbox.ca_file, self.path))
  os.execute("chmod +x " .. path)
  return path
end

--- Runs `pcapi login` with a device code.
-- @tparam ?string settings of the sign-in service
-- @tparam string ... more arguments
-- @treturn table as of @{run}
function Home:login(settings, ...)
  return self:run { "login", "--tenant", self.tenant, "--client-id", M.CLIENT,
                    "--login-url", M.login_url(settings), ... }
end

--- Runs `pcapi login --browser`, which is faster than a device code.
-- @tparam ?string settings of the sign-in service
-- @tparam string ... more arguments
-- @treturn table as of @{run}
function Home:login_by_browser(settings, ...)
  return self:run({ "--timeout", "20", "login", "--browser", "--tenant", self.tenant,
                    "--client-id", M.CLIENT, "--login-url", M.login_url(settings), ... },
    { BROWSER = self:browser() })
end

--- Signs in, or raises an error. Arguments as of @{login_by_browser}.
function Home:sign_in(...)
  local result = self:login_by_browser(...)
  assert(result.err:find("signed in as", 1, true), result.err)
end

return M
