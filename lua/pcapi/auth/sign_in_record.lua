--- Reads and writes the text that a store holds for an account: one refresh token, and the
-- access tokens that it was used for. Pure.
--
-- In the text the fields of the first access token are at the top level, where earlier
-- versions look for the only one. The others are in `other_tokens`, which those ignore.
-- @module pcapi.auth.sign_in_record
local calendar = require "pcapi.time.calendar"
local core = require "pcapi.core"
local url = require "pcapi.url"

local M = {}

local VERSION = 1
local MAX_TRIED = 8 -- given refresh tokens that are remembered

--- The number of access tokens that a record holds; the oldest are dropped. With the longest
-- tokens that `pcapi.auth.grant` accepts they stay within a file of `pcapi.auth.store.file`.
M.MAX_TOKENS = 8

--- The text that is stored for a moment to test whether a store can be written: nobody is
-- signed in.
M.EMPTY = "{}"

local TOKEN_FIELDS = { "resource", "scope", "access_token", "obtained_at", "expires_at" }

local function text_or_nil(value)
  return type(value) == "string" and value or nil
end

local function table_or_nil(value)
  return type(value) == "table" and value or nil
end

-- The access token of a decoded table; nil if one of its fields is invalid.
local function read_token(fields)
  if type(fields) ~= "table" or type(fields.access_token) ~= "string"
    or not calendar.is_epoch(fields.obtained_at) or not calendar.is_epoch(fields.expires_at) then
    return nil
  end
  return {
    resource = text_or_nil(fields.resource), scope = text_or_nil(fields.scope),
    access_token = fields.access_token, obtained_at = fields.obtained_at,
    expires_at = fields.expires_at,
  }
end

local function read_tokens(json)
  local tokens = { read_token(json) }
  for _, fields in ipairs(table_or_nil(json.other_tokens) or {}) do
    if #tokens < M.MAX_TOKENS then
      tokens[#tokens + 1] = read_token(fields)
    end
  end
  return tokens
end

--- Reads a text. It must have a refresh token and its application; any other field that is
-- invalid is dropped.
-- @tparam string text
-- @treturn[1] table `client_id`, `refresh_token`, `tokens` (an array, see @{find}), and
-- optionally `tenant`, `origin`, `signed_in_at` (UTC epoch seconds), `settings` (name to
-- text), `tried` (array of fingerprints)
-- @treturn[2] nil the text is no record
-- @treturn[2] string the end of a sentence that says so
-- @treturn[2] ?string a remedy
function M.decode(text)
  local json = core.decode(text)
  if type(json) == "table" and type(json.version) == "number" and json.version > VERSION then
    return nil, "was written by a later version of pcapi", "Use that version"
  elseif type(json) ~= "table" or json.version ~= VERSION or type(json.client_id) ~= "string"
    or type(json.refresh_token) ~= "string" or json.refresh_token == "" then
    return nil, "cannot be read"
  end
  return {
    client_id = json.client_id, refresh_token = json.refresh_token, tokens = read_tokens(json),
    tenant = text_or_nil(json.tenant), origin = text_or_nil(json.origin),
    signed_in_at = calendar.is_epoch(json.signed_in_at) and json.signed_in_at or nil,
    settings = table_or_nil(json.settings), tried = table_or_nil(json.seeds),
  }
end

--- Writes a record.
-- @tparam table record
-- @treturn string
function M.encode(record)
  local json = {
    version = VERSION, client_id = record.client_id, refresh_token = record.refresh_token,
    tenant = record.tenant, origin = record.origin, signed_in_at = record.signed_in_at,
    settings = record.settings, seeds = record.tried,
  }
  local tokens = record.tokens
  for _, name in ipairs(TOKEN_FIELDS) do
    json[name] = tokens[1] and tokens[1][name]
  end
  if tokens[2] then
    json.other_tokens = {}
    for i = 2, #tokens do
      json.other_tokens[i - 1] = tokens[i]
    end
  end
  return core.encode(json)
end

-- Distinguishes refresh tokens without revealing them.
local function fingerprint(refresh_token)
  return core.base64url(core.sha256(refresh_token))
end

--- Whether a refresh token of the caller was tried before.
-- @tparam ?table record
-- @tparam string refresh_token
-- @treturn boolean
function M.has_tried(record, refresh_token)
  for _, known in ipairs(record and record.tried or {}) do
    if known == fingerprint(refresh_token) then
      return true
    end
  end
  return false
end

--- Remembers a refresh token of the caller as tried.
-- @tparam ?table record
-- @tparam string refresh_token
-- @treturn table fingerprints, the newest first
function M.tried_with(record, refresh_token)
  local tried = { fingerprint(refresh_token) }
  for i, known in ipairs(record and record.tried or {}) do
    tried[#tried + 1] = i < MAX_TRIED and known ~= tried[1] and known or nil
  end
  return tried
end

local function origin_of(endpoint)
  local address = url.parse(endpoint.token_url)
  return address and address.origin
end

-- Records of earlier versions may name no scope.
local function is_for(token, target)
  return token.resource == target.resource
    and (token.scope == nil or token.scope == target.scope)
end

-- Replaces the token of the same target. The account's own token is first, as earlier versions read
-- only that one; then the newest is first.
local function tokens_with(endpoint, former, token)
  local tokens = { token }
  for _, other in ipairs(former or {}) do
    if is_for(other, endpoint) and not is_for(other, token) then
      table.insert(tokens, 1, other)
    elseif not is_for(other, token) then
      tokens[#tokens + 1] = other
    end
  end
  tokens[M.MAX_TOKENS + 1] = nil
  return tokens
end

--- Makes the record after tokens were granted. Without a new refresh token in the response the
-- former stays valid (RFC 6749 §6).
-- @tparam table client `endpoint`, `client_id`
-- @tparam table before the former record; for a new sign-in `signed_in_at` and `settings`
-- @tparam table target of the access token, from `pcapi.auth.endpoints`
-- @tparam table granted from `pcapi.auth.grant`
-- @treturn table
function M.granted(client, before, target, granted)
  return {
    client_id = client.client_id, tenant = client.endpoint.tenant,
    origin = origin_of(client.endpoint),
    refresh_token = granted.refresh_token or before.refresh_token,
    tokens = tokens_with(client.endpoint, before.tokens, {
      resource = target.resource, scope = target.scope, access_token = granted.access_token,
      obtained_at = math.floor(granted.obtained_at), expires_at = math.floor(granted.expires_at),
    }),
    signed_in_at = before.signed_in_at, settings = before.settings, tried = before.tried,
  }
end

local function id_of_tenant(record)
  local claims = require "pcapi.auth.claims"
  for _, token in ipairs(record.tokens) do
    local id = claims.read(token.access_token).tenant_id
    if id then
      return id
    end
  end
end

local function is_of_tenant(record, tenant)
  if record.tenant == nil or record.tenant:lower() == tenant:lower() then
    return true
  end
  local id = id_of_tenant(record)
  return id ~= nil and id:lower() == tenant:lower()
end

--- The id of a tenant, if a record is of that tenant and an access token names the id.
-- @tparam table record
-- @tparam string tenant
-- @treturn ?string
function M.tenant_id(record, tenant)
  return is_of_tenant(record, tenant) and id_of_tenant(record) or nil
end

--- Why a record cannot serve an application: a refresh token must not be sent to another
-- service, and no report may be of another tenant.
-- @tparam table client `endpoint`, `client_id`
-- @tparam table record
-- @treturn ?string nil if it can
function M.mismatch(client, record)
  local origin = origin_of(client.endpoint)
  local what, found, wanted
  if record.client_id ~= client.client_id then
    what, found, wanted = "application", record.client_id, client.client_id
  elseif not is_of_tenant(record, client.endpoint.tenant) then
    what, found, wanted = "tenant", record.tenant, client.endpoint.tenant
  elseif record.origin ~= nil and record.origin ~= origin then
    what, found, wanted = "the sign-in service", record.origin, origin
  end
  return what and ("the stored sign-in belongs to %s %s, not %s"):format(what,
    tostring(found), tostring(wanted)) or nil
end

--- Finds the access token for a target.
-- @tparam table record
-- @tparam table target from `pcapi.auth.endpoints`
-- @treturn ?table `access_token`, `obtained_at`, `expires_at` (UTC epoch seconds), and
-- optionally `resource`, `scope`
function M.find(record, target)
  for _, token in ipairs(record.tokens) do
    if is_for(token, target) then
      return token
    end
  end
end

--- Finds an access token that need not be renewed yet. A token that lives shorter than the
-- skew is renewed at half of its life.
-- @tparam ?table record
-- @tparam table wanted `target` (from `pcapi.auth.endpoints`), `skew` (seconds), and
-- optionally `refused`, an access token that the service has refused
-- @tparam number now UTC epoch seconds
-- @treturn ?string
function M.fresh(record, wanted, now)
  local token = record and M.find(record, wanted.target)
  if not token or token.access_token == wanted.refused then
    return nil
  end
  local life = token.expires_at - token.obtained_at
  local is_fresh = now < token.expires_at - math.min(wanted.skew, life / 2)
  return is_fresh and token.access_token or nil
end

return M
