--- What a store keeps for an account: a text, and what it says. Pure.
-- @module pcapi.auth.sign_in_record
local core = require "pcapi.core"
local url = require "pcapi.url"

local M = {}

local VERSION = 1
local LATEST = 253402300799 -- the last second that has a date of four-digit years
local SEEDS = 8 -- that are remembered

--- What is stored for a moment to prove that a store can be written; nobody is signed in.
M.NOBODY = "{}"

local function is_time(value)
  return type(value) == "number" and value >= 0 and value <= LATEST
end

--- Reads a text. The refresh token is what matters; of the rest, what makes no sense is
-- left out.
-- @tparam string text
-- @treturn[1] table `client_id`, `refresh_token`, and optionally `tenant`, `origin`,
-- `resource`, `scope`, `access_token`, `obtained_at`, `expires_at`, `signed_in_at` (UTC
-- epoch seconds), `settings` (name to text), `seeds` (array of fingerprints)
-- @treturn[2] nil it is no such text
function M.decode(text)
  local entry = core.decode(text)
  if type(entry) ~= "table" or entry.version ~= VERSION or type(entry.client_id) ~= "string"
    or type(entry.refresh_token) ~= "string" or entry.refresh_token == "" then
    return nil
  end
  for _, name in ipairs { "obtained_at", "expires_at", "signed_in_at" } do
    entry[name] = is_time(entry[name]) and entry[name] or nil
  end
  for _, name in ipairs { "tenant", "origin", "resource", "scope" } do
    entry[name] = type(entry[name]) == "string" and entry[name] or nil
  end
  for _, name in ipairs { "settings", "seeds" } do
    entry[name] = type(entry[name]) == "table" and entry[name] or nil
  end
  if type(entry.access_token) ~= "string" or not (entry.obtained_at and entry.expires_at) then
    entry.access_token = nil
  end
  return entry
end

--- Writes an entry.
-- @tparam table entry
-- @treturn string
function M.encode(entry)
  return core.encode(entry)
end

-- Which refresh token an entry began with. A fingerprint tells them apart, and does not
-- tell them.
local function fingerprint(seed)
  return core.base64url(core.sha256(seed))
end

--- Whether a refresh token that is given was tried before for this entry.
-- @tparam ?table entry
-- @tparam string seed
-- @treturn boolean
function M.knows(entry, seed)
  for _, known in ipairs(entry and entry.seeds or {}) do
    if known == fingerprint(seed) then
      return true
    end
  end
  return false
end

--- Remembers a refresh token that was given and tried.
-- @tparam ?table entry
-- @tparam string seed
-- @treturn table fingerprints, the newest first
function M.seeds_with(entry, seed)
  local seeds = { fingerprint(seed) }
  for i, known in ipairs(entry and entry.seeds or {}) do
    seeds[#seeds + 1] = i < SEEDS and known ~= seeds[1] and known or nil
  end
  return seeds
end

local function origin_of(endpoint)
  local address = url.parse(endpoint.token_url)
  return address and address.origin
end

--- What an entry is after tokens were granted. Where an answer brings no refresh token
-- the one that was sent stays good (RFC 6749 §6).
-- @tparam table account `endpoint`, `client_id`
-- @tparam table before the entry, or of a new sign-in `signed_in_at` and `settings`
-- @tparam table tokens from `pcapi.auth.grant`
-- @treturn table
function M.granted(account, before, tokens)
  local endpoint = account.endpoint
  return {
    version = VERSION, client_id = account.client_id, tenant = endpoint.tenant,
    origin = origin_of(endpoint), resource = endpoint.resource, scope = endpoint.scope,
    refresh_token = tokens.refresh_token or before.refresh_token,
    access_token = tokens.access_token,
    obtained_at = math.floor(tokens.obtained_at), expires_at = math.floor(tokens.expires_at),
    signed_in_at = before.signed_in_at, settings = before.settings, seeds = before.seeds,
  }
end

local function id_of_tenant(entry)
  return require("pcapi.auth.claims").read(entry.access_token).tenant_id
end

local function is_tenant(entry, tenant)
  if entry.tenant == nil or entry.tenant:lower() == tenant:lower() then
    return true
  end
  local id = id_of_tenant(entry)
  return id ~= nil and id:lower() == tenant:lower()
end

--- The id of a tenant, where an entry is of that tenant and its access token tells.
-- @tparam table entry
-- @tparam string tenant
-- @treturn ?string
function M.tenant_id(entry, tenant)
  return is_tenant(entry, tenant) and id_of_tenant(entry) or nil
end

--- Why an entry cannot serve an account: a refresh token goes to no other service, and
-- no report may be of another tenant.
-- @tparam table account `endpoint`, `client_id`
-- @tparam table entry
-- @treturn ?string nil when it can
function M.stranger(account, entry)
  local origin = origin_of(account.endpoint)
  local what, kept, wanted
  if entry.client_id ~= account.client_id then
    what, kept, wanted = "application", entry.client_id, account.client_id
  elseif not is_tenant(entry, account.endpoint.tenant) then
    what, kept, wanted = "tenant", entry.tenant, account.endpoint.tenant
  elseif entry.origin ~= nil and entry.origin ~= origin then
    what, kept, wanted = "the sign-in service", entry.origin, origin
  end
  return what and ("the sign-in that is kept belongs to %s %s, not %s"):format(what,
    tostring(kept), tostring(wanted)) or nil
end

--- Whether the access token of an entry is good for a while. One that lives shorter than
-- the skew is renewed at half of its life.
-- @tparam table entry
-- @tparam table account `endpoint`, `skew` (seconds)
-- @tparam number now UTC epoch seconds
-- @tparam ?string refused an access token that is not
-- @treturn boolean
function M.is_fresh(entry, account, now, refused)
  if not entry.access_token or entry.access_token == refused
    or entry.resource ~= account.endpoint.resource
    or entry.scope ~= nil and entry.scope ~= account.endpoint.scope then
    return false
  end
  local life = entry.expires_at - entry.obtained_at
  return now < entry.expires_at - math.min(account.skew, life / 2)
end

return M
