--- One signed-in user of one application: gives access tokens, and renews them
-- without a person, over any number of processes that share a store.
--
-- The order of things keeps every failure harmless: the store is proved writable
-- before a refresh token is spent, and the new refresh token is stored before its
-- access token is used.
-- @classmod pcapi.auth.account
local claims = require "pcapi.auth.claims"
local core = require "pcapi.core"
local credential = require "pcapi.auth.credential"
local errors = require "pcapi.error"
local limits = require "pcapi.limits"

local M = {}

local SKEW = 120 -- seconds before its end that a token is renewed
local SPARE = 10 -- seconds more than its call may take that a lock is good for
local LATEST = 253402300799 -- the last second that has a date of four-digit years
local FIRST_LOOK, LAST_LOOK = 0.02, 0.25 -- seconds between looks at a lock that is held

-- Tokens and secrets are not fields of the account: no dump of it shows them.
local private = setmetatable({}, { __mode = "k" })

local Account = {}
Account.__index = Account
Account.__name = "pcapi.auth.account"

--- Makes an account of checked options; `pcapi.auth` is the way in for others.
-- @tparam table options of `pcapi.auth.refresh_token`
-- @tparam table endpoint from `pcapi.auth.endpoint`
-- @tparam table store see `pcapi.auth.store.memory`
-- @tparam ?function flow signs in with a person: `(account, context) → tokens | nil, err`
-- @treturn pcapi.auth.account
function M.new(options, endpoint, store, flow)
  local prove, proof_has_time = credential.new(options)
  local self = setmetatable({
    endpoint = endpoint, client_id = options.client_id, store = store,
    name = options.account or endpoint.tenant .. "/" .. options.client_id,
    base_url = endpoint.resource, skew = options.skew or SKEW,
    how_to_sign_in = options.how_to_sign_in, settings = options.settings,
    proof_has_time = proof_has_time, flow = flow,
  }, Account)
  private[self] = { prove = prove, seed = options.refresh_token }
  return self
end

local function store_error(self, why, message)
  return errors.new {
    kind = "store", cause = why,
    message = message or "the token store: " .. tostring(why),
    hint = message and self:advice "store" or nil,
  }
end

local function sign_in_error(self, message)
  return errors.new {
    kind = "sign_in_required", message = message, hint = self:advice "sign_in_required",
  }
end

-- Which refresh token an entry began with. Another one given in its place counts as
-- a new sign-in.
local function fingerprint(seed)
  return seed and core.base64url(core.sha256(seed))
end

local function is_time(value)
  return type(value) == "number" and value >= 0 and value <= LATEST
end

-- The refresh token is what matters; of the rest, what makes no sense is left out.
local function decode(text)
  local entry = core.decode(text)
  if type(entry) ~= "table" or entry.version ~= 1 or type(entry.client_id) ~= "string"
    or type(entry.refresh_token) ~= "string" or entry.refresh_token == "" then
    return nil
  end
  for _, name in ipairs { "obtained_at", "expires_at", "signed_in_at" } do
    entry[name] = is_time(entry[name]) and entry[name] or nil
  end
  if type(entry.access_token) ~= "string" or not (entry.obtained_at and entry.expires_at) then
    entry.access_token = nil
  end
  return entry
end

-- A fresh entry of the refresh token that the caller gave, if there is one; or nil, and
-- what the caller's function says.
local function seeded(self)
  local seed, why = private[self].seed, nil
  if type(seed) == "function" then
    seed, why = seed()
  end
  if type(seed) == "string" and seed ~= "" then
    return { version = 1, client_id = self.client_id, refresh_token = seed,
             seed = fingerprint(seed) }
  end
  return nil, why
end

local function nobody(self, why)
  if errors.is(why) then
    return why
  end
  local err = sign_in_error(self, "nobody is signed in" .. (why and ": " .. tostring(why) or ""))
  err.cause = why
  return err
end

-- The entry of the store, or of the caller; nil, err for none that can be used.
local function load_entry(self)
  local text, why = self.store:get(self.name)
  if text == nil and why ~= nil then
    return nil, store_error(self, why)
  end
  local entry = text and decode(text)
  if text and not entry then
    return nil, store_error(self, nil, ("the sign-in kept in %s cannot be read; it was left as "
      .. "it is"):format(tostring(self.store)))
  end
  local seed
  seed, why = seeded(self)
  if seed and (not entry or entry.seed ~= seed.seed) then
    return seed
  elseif not entry then
    return nil, nobody(self, why)
  elseif entry.client_id ~= self.client_id then
    return nil, sign_in_error(self, ("the sign-in that is kept belongs to application %s, not %s")
      :format(entry.client_id, self.client_id))
  end
  return entry
end

local function save_entry(self, entry)
  local text = require("cjson").new().encode(entry)
  local ok, why = self.store:set(self.name, text)
  if not ok then
    return nil, store_error(self, why)
  end
  return true
end

-- Tokens that live shorter than the skew are renewed at half of their life.
local function is_fresh(self, entry, now, refused)
  if not entry.access_token or entry.access_token == refused
    or entry.resource ~= self.endpoint.resource then
    return false
  end
  local life = entry.expires_at - entry.obtained_at
  return now < entry.expires_at - math.min(self.skew, life / 2)
end

-- Adds what was granted to an entry. Where an answer brings no refresh token the one
-- that was sent stays good (RFC 6749 §6).
local function granted(self, entry, tokens)
  return {
    version = 1, client_id = self.client_id, seed = entry.seed,
    tenant = self.endpoint.tenant, login = self.endpoint.login,
    resource = self.endpoint.resource, scope = tokens.scope,
    refresh_token = tokens.refresh_token or entry.refresh_token,
    access_token = tokens.access_token,
    obtained_at = math.floor(tokens.obtained_at), expires_at = math.floor(tokens.expires_at),
    signed_in_at = entry.signed_in_at, settings = entry.settings,
  }
end

local function client_of(self)
  return { endpoint = self.endpoint, client_id = self.client_id,
           prove = private[self].prove, proof_has_time = self.proof_has_time }
end

--- Asks the token endpoint in this account's name; for the flows of sign-in.
-- @tparam table context
-- @tparam table form
-- @return as `pcapi.auth.grant.request`
function Account:request(context, form)
  -- loaded here: most processes find a token that is fresh
  return require("pcapi.auth.grant").request(context, client_of(self), form)
end

local function explain(self, err)
  if err.kind == "mfa_required" or err.kind == "sign_in_required" then
    err.hint = self:advice(err.kind)
  end
  return err
end

-- Spends the refresh token; the lock is held.
local function refresh(self, context, entry)
  local ok, err = save_entry(self, entry) -- can what comes be stored?
  if not ok then
    return nil, err
  end
  local form = self.endpoint.version == "v1" and { resource = self.endpoint.resource }
    or { scope = self.endpoint.scope }
  form.grant_type, form.refresh_token = "refresh_token", entry.refresh_token
  local tokens
  tokens, err = self:request(context, form)
  if not tokens then
    return nil, explain(self, err)
  end
  local renewed = granted(self, entry, tokens)
  ok, err = save_entry(self, renewed)
  if not ok then
    -- for the next call of this process; what is stored stays as it was
    private[self].unsaved = { entry = renewed, spent = entry.refresh_token }
    return nil, err
  end
  return renewed
end

-- The entry of the store, after storing what an earlier call of this process could not;
-- not over what somebody else has put there since.
local function load_and_mend(self)
  local entry, err = load_entry(self)
  local unsaved = private[self].unsaved
  if unsaved and entry and entry.refresh_token == unsaved.spent then
    local ok
    ok, err = save_entry(self, unsaved.entry)
    entry = ok and unsaved.entry or nil
  end
  if entry then
    private[self].unsaved = nil
  end
  return entry, err
end

-- Renews under the lock. Somebody else may have done so before it was ours.
local function renew(self, context, refused)
  local entry, err = load_and_mend(self)
  if not entry or is_fresh(self, entry, context.clock(), refused) then
    return entry, err
  end
  return refresh(self, context, entry)
end

-- Takes the lock of the store, which is held as long as somebody else's renewal takes.
-- `look` is asked before each try: what it gives ends the waiting.
-- Returns a function that unlocks; or nil and what look gave; or nil, nil, err.
local function take_lock(self, context, look)
  local pause = FIRST_LOOK
  while true do
    local found, err = look()
    if found or err then
      return nil, found, err
    end
    local left = context.deadline - context.transport:now()
    local unlock, why = self.store:lock(self.name, math.max(left, 0) + SPARE)
    if unlock then
      return unlock
    elseif why ~= nil then
      return nil, nil, store_error(self, why)
    elseif pause >= left then
      return nil, nil, errors.new {
        kind = "timeout", message = "somebody else is renewing the token and does not finish",
        hint = "Raise timeout, or see what holds the lock of " .. tostring(self.store),
      }
    end
    context.transport:sleep(pause)
    pause = math.min(pause * 2, LAST_LOOK)
  end
end

local function current_entry(self, context, refused)
  local unlock, entry, err = take_lock(self, context, function()
    local entry, err = load_entry(self)
    return entry and is_fresh(self, entry, context.clock(), refused) and entry or nil, err
  end)
  if unlock then
    entry, err = renew(self, context, refused)
    unlock()
  end
  return entry, err
end

-- Stores an entry, or nothing in its place, while nobody renews.
local function replace_entry(self, context, entry)
  local unlock, _, err = take_lock(self, context, function() end)
  if not unlock then
    return nil, err
  end
  local ok, why
  if entry then
    ok, err = save_entry(self, entry)
  else
    ok, why = self.store:set(self.name, nil)
    err = not ok and store_error(self, why) or nil
  end
  unlock()
  return ok, err
end

-- Whether what comes can be stored, which is to be known before a person is asked.
local function prove_writable(self, context)
  local unlock, _, err = take_lock(self, context, function() end)
  if not unlock then
    return nil, err
  end
  local text, why = self.store:get(self.name)
  local ok = why == nil
  if text then
    ok, why = self.store:set(self.name, text)
  end
  unlock()
  if not ok then
    return nil, store_error(self, why)
  end
  return true
end

local function use(self, entry)
  private[self].entry = entry
  return entry.access_token
end

--- Gives an access token that is good for a while.
-- @tparam ?string refused the token that the service has just refused
-- @tparam table context `transport`, `clock`, `random`, `deadline` (of the transport's
-- clock)
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind sign_in_required, mfa_required, consent_required,
-- invalid_client, forbidden, store, config, or of the network
function Account:token(refused, context)
  local known = private[self].entry
  if known and is_fresh(self, known, context.clock(), refused) then
    return known.access_token
  end
  local entry, err = current_entry(self, context, refused)
  if not entry and err.kind == "sign_in_required" and self.flow then
    return self:sign_in(context)
  elseif not entry then
    return nil, err
  end
  return use(self, entry)
end

--- A context for calls outside of a client.
-- @tparam[opt] table options `transport`, `timeout` (seconds, 180), `clock`, `random`
-- @treturn table
function M.context(options)
  options = options or {}
  local transport = options.transport or require("pcapi.transport.curl").new(options)
  return {
    transport = transport, clock = options.clock or os.time,
    random = options.random or core.random,
    deadline = transport:now() + (options.timeout or limits.TIMEOUT),
  }
end

--- Signs in with a person, and stores what comes of it.
-- @tparam[opt] table context as for @{token}; its deadline ends the waiting for the
-- person. Without it the person has fifteen minutes
-- @treturn[1] string an access token
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function Account:sign_in(context)
  if not self.flow then
    error("this account has no way to sign in; make it by pcapi.auth.device_code or "
      .. "pcapi.auth.authorization_code", 2)
  end
  context = context or M.context { timeout = 900 }
  local ok, err = prove_writable(self, context)
  local tokens
  if ok then
    tokens, err = self.flow(self, context)
  end
  if tokens and not tokens.refresh_token then
    tokens, err = nil, errors.new {
      kind = "consent_required", message = "sign-in: the answer holds no refresh token",
      hint = "Ask for offline_access in scope, or allow it in the registration",
    }
  end
  if not tokens then
    return nil, err
  end
  local entry = granted(self, { signed_in_at = math.floor(context.clock()),
                                settings = self.settings }, tokens)
  -- whatever time the person took, storing has its own
  ok, err = replace_entry(self, M.context(context), entry)
  if not ok then
    return nil, err
  end
  return use(self, entry)
end

--- Takes a sign-in out of a store.
-- @tparam table store
-- @tparam string name of the account
-- @tparam[opt] table context as for @{token}
-- @treturn[1] boolean true, also where there was none
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function M.forget(store, name, context)
  return replace_entry({ store = store, name = name }, context or M.context(), nil)
end

--- Forgets the sign-in, in the store and here.
-- @tparam[opt] table context as for @{token}
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function Account:sign_out(context)
  private[self].entry, private[self].unsaved = nil, nil
  return M.forget(self.store, self.name, context)
end

--- Makes the next call look into the store, where a person may have put a new sign-in.
function Account:look_again()
  private[self].entry = nil
end

--- What is known of the sign-in without asking anybody.
-- @treturn[1] table `claims` (see `pcapi.auth.claims`), `expires_at`, `obtained_at`,
-- `signed_in_at` (UTC epoch seconds), `client_id`, `tenant`
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function Account:status()
  local entry, err = load_entry(self)
  if not entry then
    return nil, err
  end
  return {
    claims = claims.read(entry.access_token), expires_at = entry.expires_at,
    obtained_at = entry.obtained_at, signed_in_at = entry.signed_in_at,
    client_id = entry.client_id, tenant = entry.tenant,
  }
end

--- The settings that were kept beside the tokens at sign-in, if they can be read.
-- @tparam table store
-- @tparam string name of the account
-- @treturn ?table name to text
function M.kept_settings(store, name)
  local text = store:get(name)
  local entry = text and decode(text)
  return entry and type(entry.settings) == "table" and entry.settings or nil
end

--- The next step after a refusal that only a new sign-in mends.
-- @tparam string kind of the error
-- @treturn string
function Account:advice(kind)
  return "Sign in again" .. (kind == "mfa_required" and " with MFA" or "")
    .. (self.how_to_sign_in and ": " .. self.how_to_sign_in or "")
end

function Account:__tostring()
  return ("%s (%s)"):format(Account.__name, self.name)
end

return M
