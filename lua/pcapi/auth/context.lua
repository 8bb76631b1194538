--- Makes the context of a call to a provider: how to connect, the time, the deadline, and the
-- audience of the token. A client makes one for each call; this module is for calls without a
-- client, such as `account:sign_in` or `account:token`.
--
--     local context = require("pcapi.auth.context").new { timeout = 20 }
--     local token, err = account:token(nil, context)
--
-- @module pcapi.auth.context
local check = require "pcapi.check"
local core = require "pcapi.core"
local defaults = require "pcapi.defaults"

local M = {}

local OPTIONS = {
  transport = "table", timeout = "seconds", clock = "function", random = "function",
  audience = "line",
  ca_file = "string", ca_path = "string", proxy = "string", no_proxy = "string",
  http_version = "string", user_agent = "string", on_wait = "function", on_pause = "function",
}

--- Makes a context. Wrong options raise.
-- @tparam[opt] table options
-- @tparam[opt] table options.transport by default one of `pcapi.http.curl`, made of
-- `ca_file`, `ca_path`, `proxy`, `no_proxy`, `http_version`, `user_agent` and `on_wait`,
-- which are as for `pcapi.new`
-- @tparam[opt=180] number options.timeout seconds until the deadline
-- @tparam[opt] string options.audience the service that the token is for, such as
-- `"https://graph.microsoft.com"`; by default the account's own resource
-- @tparam[opt] function options.on_pause as for `pcapi.new`
-- @tparam[opt] function options.clock UTC epoch seconds; by default `os.time`
-- @tparam[opt] function options.random number in [0, 1)
-- @tparam[opt=2] number level as for `error`, counted from the caller of new
-- @treturn table `transport`, `clock`, `random`, `audience`, `on_pause`, `deadline` (seconds of the
-- transport's clock)
function M.new(options, level)
  options = check.options(options, OPTIONS, "a context", (level or 2) + 1)
  local transport = options.transport or require("pcapi.http.curl").new(options)
  return {
    transport = transport, clock = options.clock or os.time,
    random = options.random or core.random, audience = options.audience,
    on_pause = options.on_pause,
    deadline = transport:now() + (options.timeout or defaults.timeout),
  }
end

--- Copies a context, with a new deadline.
-- @tparam table context
-- @tparam[opt=180] number timeout seconds
-- @treturn table
function M.renewed(context, timeout)
  return {
    transport = context.transport, clock = context.clock, random = context.random,
    audience = context.audience, on_pause = context.on_pause,
    deadline = context.transport:now() + (timeout or defaults.timeout),
  }
end

return M
