--- The context of a delivery with a fake transport.
local fake_transport = require "spec.support.fake_transport"
local post = require "pcapi.notify.post"

local M = {}

--- The time of each delivery.
M.NOW = 1795845604

--- Makes a context.
-- @tparam table response of the fake transport
-- @treturn table the context, with `transport` and `trace` (lines)
function M.new(response)
  local transport = fake_transport.new { response }
  local trace = {}
  local fetch = assert(post.fetcher {
    transport = transport, trace = function(line) trace[#trace + 1] = line end,
  })
  return { transport = transport, trace = trace, fetch = fetch,
           now = function() return M.NOW end }
end

--- Delivers a message of a digest, and gets a response.
-- @tparam table channel a module
-- @tparam table digest
-- @tparam table settings
-- @tparam table response
-- @treturn table the request that was sent
-- @treturn ?boolean what the channel returned
-- @treturn ?pcapi.error
function M.deliver(channel, digest, settings, response)
  local context = M.new(response)
  local message = channel.messages(digest, settings)[1]
  local ok, err = channel.deliver(message, settings, context)
  return context.transport.sent[1], ok, err
end

--- The check of a channel's setting.
-- @tparam table channel a module
-- @tparam string name
-- @treturn function
function M.check_of(channel, name)
  for _, setting in ipairs(channel.settings) do
    if setting.name == name then
      return setting.check
    end
  end
  error("no setting " .. name)
end

return M
