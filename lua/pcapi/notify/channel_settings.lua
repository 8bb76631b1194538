--- Settings that several channels have. A setting of a channel is a table: `name`, `about`,
-- `is_secret`, `is_required`, `is_path`, `default`, and `check`, a function that takes the text and
-- returns the value, or nil and what is wrong; the latter never shows a secret.
-- @module pcapi.notify.channel_settings
local post = require "pcapi.notify.post"
local url = require "pcapi.url"

local M = {}

--- The address of a channel, which is a secret.
-- @tparam string about
-- @treturn table
function M.address(about)
  return { name = "url", about = about, is_secret = true, is_required = true, check = post.address }
end

--- The address of a report, linked in each message.
M.link = {
  name = "link", about = "Address of a report, linked in each message",
  check = function(text)
    local address, why = url.parse((text:gsub("#.*$", "")))
    if not address then
      return nil, why
    elseif text:find "[^\33-\126]" or text:find "[\"<>\\^`{|}]" then
      return nil, "holds characters that an address cannot have; write them as %XX"
    end
    return text
  end,
}

return M
