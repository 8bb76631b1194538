--- Codes and refresh tokens: what one stands for is inside it, under a seal. Nothing has
-- to remember them, so none is ever forgotten while the sandbox runs, and both workers
-- know each.
local base64 = require "ngx.base64"
local cjson = require "cjson"
local guid = require "sandbox.guid"

local M = {}

-- made before the workers part
local SECRET = (function()
  local source = assert(io.open("/dev/urandom", "rb"))
  local bytes = source:read(32)
  source:close()
  return bytes
end)()

local function seal_of(kind, payload)
  return base64.encode_base64url(ngx.hmac_sha1(SECRET, kind .. payload))
end

--- Makes one.
-- @tparam string kind a text of one kind is none of another
-- @tparam table fields what it stands for
-- @treturn string
function M.seal(kind, fields)
  local all = { id = guid.make() }
  for name, value in pairs(fields) do
    all[name] = value
  end
  local payload = base64.encode_base64url(cjson.encode(all))
  return "1." .. payload .. "." .. seal_of(kind, payload)
end

--- Reads one.
-- @treturn[1] table the fields, and a unique `id`
-- @treturn[2] nil not made here, or of another kind
function M.open(kind, text)
  local payload, seal = text:match("^1%.([%w_-]+)%.([%w_-]+)$")
  if payload and seal == seal_of(kind, payload) then
    return cjson.decode(base64.decode_base64url(payload))
  end
end

local used = ngx.shared.login

--- Takes one out of use.
-- @treturn boolean whether it was still in use
function M.use_up(fields)
  return used:add("used " .. fields.id, true) == true
end

--- How often one has been shown, this time included.
function M.count(fields)
  return used:incr("count " .. fields.id, 1, 0)
end

return M
