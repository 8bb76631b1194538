--- One signed-in user of one application: gives access tokens, one per audience, and renews
-- them without the user, over any number of processes that share a store.
-- @classmod pcapi.auth.account
local claims = require "pcapi.auth.claims"
local contexts = require "pcapi.auth.context"
local copy = require "pcapi.copy"
local credential = require "pcapi.auth.credential"
local defaults = require "pcapi.defaults"
local endpoints = require "pcapi.auth.endpoints"
local errors = require "pcapi.error"
local renewal = require "pcapi.auth.renewal"
local sign_in_record = require "pcapi.auth.sign_in_record"
local store_lock = require "pcapi.auth.store_lock"
local stored_sign_in = require "pcapi.auth.stored_sign_in"

local M = {}

local SKEW = 120 -- seconds before its expiry that a token is renewed
local PAUSE = 0.25 -- seconds between looks at a sign-in of another coroutine

-- Tokens and secrets are not fields of the account: no dump of it shows them.
local private = setmetatable({}, { __mode = "k" })

local Account = {}
Account.__index = Account
Account.__name = "pcapi.auth.account"

--- Makes an account of checked options; to be called by `pcapi.auth` only.
-- @local
-- @tparam table options of `pcapi.auth.refresh_token`
-- @tparam table endpoint from `pcapi.auth.endpoints`
-- @tparam table store see `pcapi.auth.store.memory`
-- @tparam ?function flow lets the user sign in: `(account, context) → tokens | nil, err`
-- @treturn pcapi.auth.account
function M.new(options, endpoint, store, flow)
  local authenticate, uses_clock = credential.new(options)
  local self = setmetatable({
    endpoint = endpoint, client_id = options.client_id, base_url = endpoint.base_url,
    skew = options.skew or SKEW, flow = flow,
    stored = stored_sign_in.new(store, options.account or endpoint.tenant .. "/"
      .. options.client_id, options.how_to_sign_in),
  }, Account)
  local client = { endpoint = endpoint, client_id = options.client_id,
                   authenticate = authenticate, uses_clock = uses_clock }
  private[self] = {
    client = client, settings = options.settings,
    renewal = renewal.new(client, self.stored, {
      refresh_token = options.refresh_token, is_interactive = flow ~= nil,
    }),
  }
  return self
end

--- Checks that the secret or the certificate can be used. Calls the functions that the caller
-- gave for them, which may raise.
-- @tparam table context as for @{token}
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function Account:check_credential(context)
  return private[self].renewal:check_credential(context)
end

--- Sends a request to the token endpoint, for the flows of sign-in.
-- @tparam table context
-- @tparam table form
-- @return as `pcapi.auth.grant.request`
function Account:request(context, form)
  return private[self].renewal:request(context, form)
end

-- Caches a record, and returns its access token for a target.
local function use(self, record, target)
  private[self].record = record
  return sign_in_record.find(record, target).access_token
end

local function renewed(self, wanted, context)
  local record, err = private[self].renewal:record(wanted, context)
  if not record then
    return nil, err
  end
  return use(self, record, wanted.target)
end

local function is_signing_in(self)
  local owner = private[self].signing_in
  return owner ~= nil and not store_lock.is_gone(owner)
end

-- Waits while another coroutine lets the user sign in.
local function await_sign_in(self, context)
  while is_signing_in(self) do
    if context.transport:now() + PAUSE >= context.deadline then
      return errors.fail { kind = "timeout", message = "the sign-in timed out",
                           hint = self:advice() }
    end
    local _, stopped = context.transport:sleep(PAUSE)
    if stopped then
      return nil, stopped
    end
  end
  return true
end

-- After the store held no sign-in: lets the user sign in, or waits for another coroutine that
-- does so.
local function token_by_sign_in(self, wanted, context)
  if is_signing_in(self) then
    local ok, err = await_sign_in(self, context)
    if not ok then
      return nil, err
    end
    return self:token(wanted.refused, context)
  end
  local token, err = self:sign_in(context)
  if token and wanted.target ~= self.endpoint then
    return renewed(self, wanted, context)
  end
  return token, err
end

--- Gives an access token that stays valid for a while. The tokens of all audiences come from
-- one sign-in; they are stored together, and each is renewed when it expires or is refused.
-- @tparam ?string refused the token that the service has just refused
-- @tparam table context `transport`, `clock`, `random`, `deadline` (of the transport's
-- clock), and optionally `audience`, the service that the token is for; without it the
-- account's own resource. See `pcapi.auth.context`
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind sign_in_required, mfa_required, consent_required,
-- invalid_client, forbidden, store, config, bad_request, server, throttled, protocol,
-- timeout, network or tls
function Account:token(refused, context)
  local wanted = { target = endpoints.target(self.endpoint, context.audience),
                   skew = self.skew, refused = refused }
  local cached = sign_in_record.fresh(private[self].record, wanted, context.clock())
  if cached then
    return cached
  end
  local token, err = renewed(self, wanted, context)
  if not token and err.kind == "sign_in_required" and self.flow then
    token, err = token_by_sign_in(self, wanted, context)
  end
  return token, err
end

local function context_of(given, timeout)
  if given and given.deadline then
    return given
  end
  return contexts.new(copy.with({ timeout = timeout }, given), 3)
end

-- Finds out before the user signs in whether the tokens can be requested and stored.
local function check_all(self, context)
  local ok, err = self:check_credential(context)
  if ok then
    ok, err = self.stored:locked(context, self.stored.check_writable)
  end
  return ok, err
end

local function run_flow(self, context)
  local granted, err = self.flow(self, context)
  if granted and not granted.refresh_token then
    return errors.fail {
      kind = "consent_required", message = "sign-in: the response holds no refresh token",
      hint = "Add offline_access to scope; if it is there, the registration or a policy of the "
        .. "tenant does not allow it",
    }
  end
  return granted, err
end

local function sign_in(self, context)
  local ok, err = check_all(self, context)
  local granted
  if ok then
    granted, err = run_flow(self, context)
  end
  if not granted then
    return nil, err
  end
  local mine = private[self]
  local record = sign_in_record.granted(mine.client, {
    signed_in_at = math.floor(context.clock()), settings = mine.settings,
  }, self.endpoint, granted)
  -- with a deadline of its own, however long the user took
  ok, err = self.stored:replace(contexts.renewed(context), record)
  if not ok then
    return nil, err
  end
  return use(self, record, self.endpoint)
end

--- Lets the user sign in, and stores the tokens in place of a former sign-in.
-- @tparam[opt] table context as for @{token}; its deadline ends the waiting for the user. Or
-- the options of `pcapi.auth.context.new`, with 900 seconds as the default of `timeout`
-- @treturn[1] string an access token for the account's own resource
-- @treturn[2] nil
-- @treturn[2] pcapi.error of any kind that @{token} returns
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

--- Removes the sign-in from the store and from memory.
-- @tparam[opt] table context as for @{sign_in}
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store or timeout
function Account:sign_out(context)
  private[self].record = nil
  private[self].renewal:discard_unsaved()
  return self.stored:forget(context_of(context))
end

--- Makes the next call look into the store, which may hold a new sign-in.
function Account:look_again()
  private[self].record = nil
end

--- Reports what is known of the sign-in. No request is sent.
-- @treturn[1] table `claims` (see `pcapi.auth.claims`), `expires_at` and `obtained_at` of the
-- access token for the account's own resource, `signed_in_at` (UTC epoch seconds),
-- `client_id`, `tenant`
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind sign_in_required, store or config
function Account:status()
  local record, err = private[self].renewal:stored_record()
  if err then
    return nil, err
  end
  record = record or { client_id = self.client_id, tenant = self.endpoint.tenant, tokens = {} }
  local token = sign_in_record.find(record, self.endpoint) or record.tokens[1] or {}
  return {
    claims = claims.read(token.access_token), expires_at = token.expires_at,
    obtained_at = token.obtained_at, signed_in_at = record.signed_in_at,
    client_id = record.client_id, tenant = record.tenant,
  }
end

--- The next step after an error that only a new sign-in cures.
-- @tparam ?pcapi.error err its `kind` and `claims` count
-- @treturn string
function Account:advice(err)
  return self.stored:advice(err)
end

--- Identifies the sign-in service, the tenant and the application, in one text.
-- @treturn string
function Account:identity()
  return ("%s tenant %s app %s"):format(self.endpoint.token_url:lower(),
    self.endpoint.tenant:lower(), self.client_id:lower())
end

function Account:__tostring()
  return ("%s (%s)"):format(Account.__name, self.stored.name)
end

return M
