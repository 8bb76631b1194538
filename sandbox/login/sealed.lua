--- Makes and reads codes and refresh tokens. Each one contains its own data and an HMAC, so nothing
-- is stored, none expires by accident, and every worker accepts each of them.
local base64 = require "ngx.base64"
local cjson = require "cjson"
local guid = require "sandbox.guid"

local M = {}

-- made before the workers are forked
local SECRET = (function()
  local source = assert(io.open("/dev/urandom", "rb"))
  local bytes = source:read(32)
  source:close()
  return bytes
end)()

local function seal_of(kind, payload)
  return base64.encode_base64url(ngx.hmac_sha1(SECRET, kind .. payload))
end

--- Makes a code or token.
-- @tparam string kind `open` accepts the text for this kind only
-- @tparam table fields its data
-- @treturn string
function M.seal(kind, fields)
  local all = { id = guid.make() }
  for name, value in pairs(fields) do
    all[name] = value
  end
  local payload = base64.encode_base64url(cjson.encode(all))
  return "1." .. payload .. "." .. seal_of(kind, payload)
end

--- Reads a code or token.
-- @treturn[1] table the fields, and a unique `id`
-- @treturn[2] nil the text was not made here, or has another kind
function M.open(kind, text)
  local payload, seal = text:match("^1%.([%w_-]+)%.([%w_-]+)$")
  if payload and seal == seal_of(kind, payload) then
    return cjson.decode(base64.decode_base64url(payload))
  end
end

local used = ngx.shared.login

--- Marks a code or token as used.
-- @treturn boolean false if it was used before
function M.use_up(fields)
  return used:add("used " .. fields.id, true) == true
end

--- Counts the uses of a code or token, including this one.
function M.count(fields)
  return used:incr("count " .. fields.id, 1, 0)
end

return M
