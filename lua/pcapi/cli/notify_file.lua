--- The channels of the command: their settings, and what they need to deliver.
-- @module pcapi.cli.notify_file
local connect = require "pcapi.cli.connect"
local core = require "pcapi.core"
local exit = require "pcapi.cli.exit"
local routes = require "pcapi.notify.routes"

local M = {}

--- The channels and routes of the configuration file. Wrong settings end the command.
-- @tparam table args
-- @treturn table `channels` and `routes`, as `pcapi.notify` takes them
function M.settings(args)
  local read, err = require("pcapi.settings.notify").read {
    getenv = os.getenv, path = args.config_file,
  }
  if not read then
    exit.fail(err)
  end
  return { channels = read.channels, routes = routes.new(read.routes) }
end

--- As @{settings}; without a channel, the command ends.
-- @tparam table args
-- @tparam string what needs one, the subject of the message
-- @treturn table
function M.require(args, what)
  local settings = M.settings(args)
  if #settings.channels == 0 then
    exit.stop(exit.EXIT.usage, what .. " needs a channel: write a section [notify NAME] into the "
      .. "configuration file; see pcapi help settings")
  end
  return settings
end

local function quoted(words)
  local list = {}
  for i, word in ipairs(words) do
    list[i] = "'" .. word:gsub("'", "'\\''") .. "'"
  end
  return table.concat(list, " ")
end

-- Runs a program with a text as its standard input. Returns its exit status, and what it wrote.
-- Without cat, a program that does not read would end this one by SIGPIPE.
local function run(words, text)
  local name = os.tmpname()
  local pipe = io.popen(("{ %s; printf '\\n%%s' $?; cat >/dev/null; } >%s 2>&1"):format(
    quoted(words), name), "w")
  pipe:setvbuf "no" -- one write: if this process is killed, all or nothing
  pipe:write(text)
  pipe:close()
  local file = io.open(name, "rb")
  local said, status = (file and file:read "*a" or ""):match "^(.*)\n(%d+)$"
  if file then
    file:close()
  end
  os.remove(name)
  return tonumber(status) or 1, said or ""
end

-- Sends requests with the settings of all profiles for connections. They are read when the first
-- channel needs them.
local function fetcher(args)
  local fetch
  return function(request)
    if not fetch then
      local profile, err = connect.open(args, { given_token = true })
      if not profile then
        exit.fail(err)
      end
      local options = profile:client_options()
      fetch = assert(require("pcapi.notify.post").fetcher {
        ca_file = options.ca_file, ca_path = options.ca_path, proxy = options.proxy,
        no_proxy = options.no_proxy, user_agent = "pcapi-command", trace = connect.tracer(args),
      })
    end
    return fetch(request)
  end
end

--- What channels need to deliver.
-- @tparam table args
-- @treturn table see `pcapi.notify.channels`
function M.context(args)
  return { fetch = fetcher(args), run = run, now = os.time, sleep = core.sleep }
end

return M
