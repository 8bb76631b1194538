--- One signed-in user of one application: gives access tokens, and renews them
-- without a person, over any number of processes that share a store.
--
-- The order of things keeps every failure harmless: secrets and store are proved
-- before a refresh token is spent or a person is asked, and the new refresh token is
-- stored before its access token is used.
-- @classmod pcapi.auth.account
local claims = require "pcapi.auth.claims"
local contexts = require "pcapi.auth.context"
local credential = require "pcapi.auth.credential"
local defaults = require "pcapi.defaults"
local endpoints = require "pcapi.auth.endpoints"
local sign_in_record = require "pcapi.auth.sign_in_record"
local errors = require "pcapi.error"
local input = require "pcapi.input"
local stored_sign_in = require "pcapi.auth.stored_sign_in"
local store_lock = require "pcapi.auth.store_lock"

local M = {}

local SKEW = 120 -- seconds before its end that a token is renewed
local PAUSE = 0.25 -- seconds between looks at a sign-in that another coroutine makes

-- Tokens and secrets are not fields of the account: no dump of it shows them.
local private = setmetatable({}, { __mode = "k" })

local Account = {}
Account.__index = Account
Account.__name = "pcapi.auth.account"

--- Makes an account of checked options; `pcapi.auth` is the way in for others.
-- @tparam table options of `pcapi.auth.refresh_token`
-- @tparam table endpoint from `pcapi.auth.endpoints`
-- @tparam table store see `pcapi.auth.store.memory`
-- @tparam ?function flow signs in with a person: `(account, context) → tokens | nil, err`
-- @treturn pcapi.auth.account
function M.new(options, endpoint, store, flow)
  local prove, proof_has_time = credential.new(options)
  local self = setmetatable({
    endpoint = endpoint, client_id = options.client_id, base_url = endpoint.base_url,
    skew = options.skew or SKEW, flow = flow,
    kept = stored_sign_in.new(store, options.account or endpoint.tenant .. "/" .. options.client_id,
      options.how_to_sign_in),
  }, Account)
  private[self] = { prove = prove, proof_has_time = proof_has_time,
                    seed = options.refresh_token, settings = options.settings }
  return self
end

local function sign_in_error(self, message)
  return errors.new { kind = "sign_in_required", message = message, hint = self:advice() }
end

local function read_seed(text)
  local seed, why = input.word(text)
  if not seed then
    return nil, errors.new { kind = "config", message = "refresh_token " .. why,
                             hint = "Check where refresh_token comes from" }
  end
  return seed ~= "" and seed or nil
end

-- The refresh token that the caller gave; or nil, and what the caller's function says.
-- Asked once for a token, and before the lock: a function may take long, or raise.
local function given_seed(self)
  local seed, why = private[self].seed, nil
  if type(seed) == "function" then
    seed, why = seed()
  end
  if type(seed) == "string" and seed ~= "" then
    return read_seed(seed)
  end
  return nil, why
end

local function nobody(self, why)
  if errors.is(why) then
    return why
  end
  local err = sign_in_error(self, "nobody is signed in" .. (why and ": " .. tostring(why) or ""))
  err.cause = why
  if why == nil and not self.flow and not self.kept.how_to_sign_in
    and private[self].seed == nil then -- most often from a variable that is not set
    err.message = "nobody is signed in: no refresh_token was given, and none is in "
      .. self.kept:place()
    err.hint = "Give refresh_token; see whether the variable that it comes from is set"
  end
  return err
end

-- What there is to begin with: an entry, a refresh token that was given and not tried
-- before, or both; or nil, nil, err.
local function load(self, given, why)
  local entry, err = self.kept:read()
  if err then
    return nil, nil, err
  end
  local seed = given and not sign_in_record.knows(entry, given) and given or nil
  if not entry and not seed then
    return nil, nil, nobody(self, why)
  end
  local strange = entry and sign_in_record.stranger(self, entry)
  if strange and not seed then
    return nil, nil, sign_in_error(self, strange)
  end
  return not strange and entry or nil, seed
end

--- Whether secret or certificate can be used. Calls the functions that the caller gave
-- for them, which may raise.
-- @tparam table context as for @{token}
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function Account:prove(context)
  return private[self].prove({}, self.endpoint.token_url, context.clock())
end

--- Asks the token endpoint in this account's name; for the flows of sign-in.
-- @tparam table context
-- @tparam table form
-- @return as `pcapi.auth.grant.request`
function Account:request(context, form)
  local mine = private[self]
  -- loaded here: most processes find a token that is fresh
  return require("pcapi.auth.grant").request(context, {
    endpoint = self.endpoint, client_id = self.client_id, prove = mine.prove,
    proof_has_time = mine.proof_has_time,
  }, form)
end

-- Whether a refusal is about the refresh token itself, and for good.
local function is_spent(err)
  return err.kind == "sign_in_required" or err.kind == "mfa_required"
end

-- Spends a refresh token and stores what comes; the lock is held.
local function spend(self, context, before)
  local tokens, err = self:request(context, endpoints.target(self.endpoint, {
    grant_type = "refresh_token", refresh_token = before.refresh_token,
  }))
  if not tokens then
    err.hint = is_spent(err) and self:advice(err) or err.hint
    return nil, err
  end
  local renewed = sign_in_record.granted(self, before, tokens)
  local ok
  ok, err = self.kept:write(renewed)
  if not ok then
    -- for the next call of this process; what is stored stays as it was
    private[self].unsaved = { entry = renewed, spent = before.refresh_token }
    return nil, err
  end
  return renewed
end

-- Begins with a refresh token that the caller gave. One that is refused is remembered,
-- and what is kept goes on.
local function begin(self, context, entry, seed)
  local seeds = sign_in_record.seeds_with(entry, seed)
  local renewed, err = spend(self, context, {
    refresh_token = seed, seeds = seeds, settings = entry and entry.settings,
  })
  if not renewed and entry and is_spent(err) then
    entry.seeds = seeds
    local ok, why = self.kept:write(entry)
    return ok and entry, why
  end
  return renewed, err
end

-- As load, after storing what an earlier call of this process could not; not over what
-- somebody else has put there since.
local function load_and_mend(self, given, why)
  local entry, seed, err = load(self, given, why)
  local unsaved = private[self].unsaved
  if unsaved and unsaved.spent == (seed or entry and entry.refresh_token) then
    local ok
    ok, err = self.kept:write(unsaved.entry)
    entry, seed = ok and unsaved.entry or nil, nil
  end
  if not err then
    private[self].unsaved = nil
  end
  return entry, seed, err
end

-- Renews under the store_lock. Somebody else may have done so before it was ours.
local function renew(self, context, refused, given, why)
  local entry, seed, err = load_and_mend(self, given, why)
  if err then
    return nil, err
  elseif not seed and sign_in_record.is_fresh(entry, self, context.clock(), refused) then
    return entry
  end
  local ok
  ok, err = self.kept:prove()
  if not ok then
    return nil, err
  end
  if seed then
    entry, err = begin(self, context, entry, seed)
    if not entry or sign_in_record.is_fresh(entry, self, context.clock(), refused) then
      return entry, err
    end
  end
  return spend(self, context, entry)
end

local function current_entry(self, context, refused)
  local given, why = given_seed(self)
  local function look()
    local found, seed, trouble = load(self, given, why)
    if found and not seed and sign_in_record.is_fresh(found, self, context.clock(), refused) then
      return found
    end
    return nil, trouble
  end
  local entry, err = look()
  if entry or err then
    return entry, err
  end
  local ok
  ok, err = self:prove(context) -- before the lock: it calls functions that may raise
  if not ok then
    return nil, err
  end
  return self.kept:alone(context, function()
    return renew(self, context, refused, given, why)
  end, look)
end

local function use(self, entry)
  private[self].entry = entry
  return entry.access_token
end

local function is_signing_in(self)
  local owner = private[self].signing_in
  return owner ~= nil and not store_lock.is_gone(owner)
end

-- Another coroutine may be asking the person already.
local function await_sign_in(self, context)
  while is_signing_in(self) do
    if context.transport:now() + PAUSE >= context.deadline then
      return nil, errors.new { kind = "timeout", message = "nobody has signed in in time",
                               hint = self:advice() }
    end
    local _, stopped = context.transport:sleep(PAUSE)
    if stopped then
      return nil, stopped
    end
  end
  return true
end

--- Gives an access token that is good for a while.
-- @tparam ?string refused the token that the service has just refused
-- @tparam table context `transport`, `clock`, `random`, `deadline` (of the transport's
-- clock)
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind sign_in_required, mfa_required, consent_required,
-- invalid_client, forbidden, store, config, bad_request, server, throttled, protocol,
-- timeout, network or tls
function Account:token(refused, context)
  local known = private[self].entry
  if known and sign_in_record.is_fresh(known, self, context.clock(), refused) then
    return known.access_token
  end
  local entry, err = current_entry(self, context, refused)
  if entry then
    return use(self, entry)
  elseif err.kind == "sign_in_required" and self.flow then
    if not is_signing_in(self) then
      return self:sign_in(context)
    end
    local done
    done, err = await_sign_in(self, context)
    if done then
      return self:token(refused, context)
    end
  end
  return nil, err
end

local function context_of(given, timeout)
  if given and given.deadline then
    return given
  end
  local options = { timeout = timeout }
  for name, value in pairs(given or {}) do
    options[name] = value
  end
  return contexts.new(options, 3)
end

-- What must hold before a person is asked.
local function prove_all(self, context)
  local ok, err = self:prove(context)
  if ok then
    ok, err = self.kept:alone(context, self.kept.prove)
  end
  return ok, err
end

local function ask_person(self, context)
  local tokens, err = self.flow(self, context)
  if tokens and not tokens.refresh_token then
    return nil, errors.new {
      kind = "consent_required", message = "sign-in: the answer holds no refresh token",
      hint = "Ask for offline_access in scope; if that is asked for, the registration or a "
        .. "policy of the tenant does not allow it",
    }
  end
  return tokens, err
end

local function sign_in(self, context)
  local ok, err = prove_all(self, context)
  local tokens
  if ok then
    tokens, err = ask_person(self, context)
  end
  if not tokens then
    return nil, err
  end
  local entry = sign_in_record.granted(self, { signed_in_at = math.floor(context.clock()),
                                       settings = private[self].settings }, tokens)
  -- whatever time the person took, storing has its own
  ok, err = self.kept:alone(contexts.renewed(context), function()
    return self.kept:write(entry)
  end)
  if not ok then
    return nil, err
  end
  return use(self, entry)
end

--- Signs in with a person, and stores what comes of it.
-- @tparam[opt] table context as for @{token}, its deadline ends the waiting for the
-- person; or what `pcapi.auth.context` takes, with 900 seconds as `timeout`
-- @treturn[1] string an access token
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function Account:sign_in(context)
  if not self.flow then
    error("this account has no way to sign in; make it by pcapi.auth.device_code or "
      .. "pcapi.auth.authorization_code", 2)
  end
  local mine = private[self]
  mine.signing_in = store_lock.owner()
  local token, err = sign_in(self, context_of(context, defaults.login_timeout))
  mine.signing_in = nil
  if not token and err.kind == "mfa_required" then
    err.hint = self:advice(err)
  end
  return token, err
end

--- Forgets the sign-in, in the store and here.
-- @tparam[opt] table context as for @{sign_in}
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function Account:sign_out(context)
  private[self].entry, private[self].unsaved = nil, nil
  return self.kept:forget(context_of(context))
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
  -- a function is not asked: what it will give is not known yet
  local seed, why = private[self].seed, nil
  if type(seed) == "function" then
    seed = "later"
  elseif seed then
    seed, why = read_seed(seed)
  end
  local entry, _, err = load(self, seed, why)
  if err then
    return nil, err
  end
  entry = entry or { client_id = self.client_id, tenant = self.endpoint.tenant }
  return {
    claims = claims.read(entry.access_token), expires_at = entry.expires_at,
    obtained_at = entry.obtained_at, signed_in_at = entry.signed_in_at,
    client_id = entry.client_id, tenant = entry.tenant,
  }
end

--- The next step after a refusal that only a new sign-in mends.
-- @tparam ?pcapi.error err its `kind` and `claims` count
-- @treturn string
function Account:advice(err)
  return self.kept:advice(err)
end

--- Whom its tokens are of, as a text: the sign-in service, tenant and application.
-- @treturn string
function Account:identity()
  return ("%s tenant %s app %s"):format(self.endpoint.token_url:lower(),
    self.endpoint.tenant:lower(), self.client_id:lower())
end

function Account:__tostring()
  return ("%s (%s)"):format(Account.__name, self.kept.name)
end

return M
