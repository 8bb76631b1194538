--- What a provider needs for a call: how to connect, what time it is, how long it may
-- take. A client makes one for each call; this is for calls without a client.
-- @module pcapi.auth.context
local core = require "pcapi.core"
local defaults = require "pcapi.defaults"
local check = require "pcapi.check"

local M = {}

local OPTIONS = {
  transport = "table", timeout = "seconds", clock = "function", random = "function",
  ca_file = "string", ca_path = "string", proxy = "string", no_proxy = "string",
  http_version = "string", user_agent = "string", on_wait = "function",
}

--- Makes a context. A mistake in the options raises.
-- @tparam[opt] table options `transport`, or what `pcapi.http.curl` takes to make
-- one; `timeout` (seconds, 180), `clock` (UTC epoch seconds), `random`
-- @tparam[opt=2] number level as for `error`, counted from the caller of new
-- @treturn table `transport`, `clock`, `random`, `deadline` (of the transport's clock)
function M.new(options, level)
  options = check.options(options, OPTIONS, "a context", (level or 2) + 1)
  local transport = options.transport or require("pcapi.http.curl").new(options)
  return {
    transport = transport, clock = options.clock or os.time,
    random = options.random or core.random,
    deadline = transport:now() + (options.timeout or defaults.timeout),
  }
end

--- The same context with time of its own.
-- @tparam table context
-- @tparam ?number timeout seconds; 180
-- @treturn table
function M.renewed(context, timeout)
  return {
    transport = context.transport, clock = context.clock, random = context.random,
    deadline = context.transport:now() + (timeout or defaults.timeout),
  }
end

return M
