--- A webhook of any kind: JSON, signed as Standard Webhooks 1.0.0 and as GitHub's webhooks.
-- @module pcapi.notify.channels.webhook
local channel_settings = require "pcapi.notify.channel_settings"
local core = require "pcapi.core"
local fit = require "pcapi.notify.fit"
local headers = require "pcapi.http.headers"
local json_value = require "pcapi.format.json_value"
local post = require "pcapi.notify.post"
local text = require "pcapi.text"
local time = require "pcapi.time"
local words = require "pcapi.notify.words"

local M = {}

local LARGEST = 20 * 1024 -- bytes of a body, which Standard Webhooks recommend as a limit
local MOST_ROWS, MOST_NOTES = 200, 20

local RULE = 'must be "whsec_" and the Base64 of 24 to 64 random bytes; while you change it, two '
  .. "with a blank between them"

-- The bytes of the keys of a setting.
local function keys_of(value)
  local keys = {}
  for word in value:gmatch "%S+" do
    local encoded = word:match "^whsec_(.+)$"
    local key = encoded and core.unbase64(encoded)
    if not key or #key < 24 or #key > 64 then
      return nil, RULE
    end
    keys[#keys + 1] = key
  end
  if #keys < 1 or #keys > 2 then
    return nil, RULE
  end
  return keys
end

-- Headers that this module sets, or the transport.
local RESERVED = { ["content-type"] = true, ["content-length"] = true, host = true,
                   ["transfer-encoding"] = true, ["x-hub-signature-256"] = true }

local function headers_of(lines)
  local found = {}
  for line in lines:gmatch "[^\r\n]+" do
    local name, value = line:match "^%s*([^:%s]+)%s*:%s*(.-)%s*$"
    if not name then
      return nil, "must hold lines such as Authorization: Bearer TOKEN"
    end
    local ok, why = headers.is_valid(name, value)
    local lower = core.lower(name)
    if not ok then
      return nil, "cannot be sent: " .. why
    elseif RESERVED[lower] or lower:find "^webhook%-" then
      return nil, ("must not set the header %s"):format(name)
    end
    found[name] = value
  end
  return found
end

--- The settings of a channel of this type.
M.settings = {
  channel_settings.address "Address of the receiver",
  { name = "key", is_secret = true, check = keys_of,
    about = "Key of the signature: whsec_ and Base64; two while you change it" },
  { name = "headers", is_secret = true, check = headers_of,
    about = "Headers to send, one a line, such as Authorization: Bearer TOKEN" },
}

local TYPES = { changes = "pcapi.users.changed", open = "pcapi.users.open", test = "pcapi.test",
                operator = "pcapi.operator" }

local function tenant_of(group)
  local tenant = group.tenant
  return { id = tenant.id, name = tenant.name, counts = tenant.counts, items = group.rows,
           more = group.more, requests = tenant.requests, coverage = tenant.coverage,
           warnings = tenant.warnings or {} }
end

local function body_of(digest, most)
  local groups, hidden = words.choose(digest, most, true)
  local tenants, notes = {}, {}
  for i, group in ipairs(groups) do
    tenants[i] = tenant_of(group)
  end
  for i = 1, math.min(#(digest.notes or {}), MOST_NOTES) do
    notes[i] = digest.notes[i]
  end
  return assert(json_value.compact({
    type = TYPES[digest.kind], timestamp = time.format(digest.at),
    data = { schema = 1, id = digest.id, title = words.title(digest), counts = digest.counts,
             tenants = tenants, moreTenants = hidden, notes = notes, version = digest.version },
  }, { empty_array = true }))
end

--- Makes the message of a digest: rows for which there is no room are counted in `more`.
-- @tparam table digest
-- @treturn table array of one message
function M.messages(digest)
  return { { id = digest.id, body = fit(MOST_ROWS, function(most)
    local body = body_of(digest, most)
    return (most == 0 or #body <= LARGEST) and body or nil
  end) } }
end

-- The headers of a try: those of the user, and the signature with each key.
local function signed(message, settings, now)
  local at, signatures = ("%d"):format(now), {}
  local lines = { ["Content-Type"] = "application/json", ["webhook-id"] = message.id,
                  ["webhook-timestamp"] = at }
  for name, value in pairs(settings.headers or {}) do
    lines[name] = value
  end
  for i, key in ipairs(settings.key or {}) do
    signatures[i] = "v1," .. core.base64(core.hmac_sha256(key,
      message.id .. "." .. at .. "." .. message.body))
  end
  if #signatures > 0 then
    lines["webhook-signature"] = table.concat(signatures, " ")
    lines["X-Hub-Signature-256"] = "sha256=" .. text.hex(core.hmac_sha256(settings.key[1],
      message.body))
  end
  return lines
end

--- Sends a message.
-- @tparam table message
-- @tparam table settings values by name
-- @tparam table context see `pcapi.notify.post`
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error see @{pcapi.notify.post.send}
function M.deliver(message, settings, context)
  local secrets = {}
  for _, value in pairs(settings.headers or {}) do
    secrets[#secrets + 1] = value
  end
  local response, err = post.send({ url = settings.url, body = message.body, secrets = secrets,
                                    headers = signed(message, settings, context.now()) }, context)
  if not response then
    return nil, err
  end
  return true
end

return M
