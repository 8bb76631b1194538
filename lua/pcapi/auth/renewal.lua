--- Renews the access tokens of a stored sign-in, once for all processes that share its store.
--
-- The order of the steps makes every failure harmless: the credential and the store are checked
-- before a refresh token is sent, and the new refresh token is stored before its access token
-- is used.
-- @classmod pcapi.auth.renewal
local endpoints = require "pcapi.auth.endpoints"
local errors = require "pcapi.error"
local input = require "pcapi.input"
local sign_in_record = require "pcapi.auth.sign_in_record"

local M = {}

local Renewal = {}
Renewal.__index = Renewal

--- Makes one. It holds secrets: keep it where no dump of an object shows it.
-- @tparam table client `endpoint`, `client_id`, `authenticate`, `uses_clock`
-- @tparam pcapi.auth.stored_sign_in stored
-- @tparam table options optionally `refresh_token` (string or function, of the caller) and
-- `is_interactive` (whether the user can be asked to sign in)
-- @treturn pcapi.auth.renewal
function M.new(client, stored, options)
  return setmetatable({
    client = client, stored = stored, refresh_token = options.refresh_token,
    is_interactive = options.is_interactive,
  }, Renewal)
end

local function sign_in_error(self, message)
  return errors.new { kind = "sign_in_required", message = message, hint = self.stored:advice() }
end

-- `token`, the refresh token of the caller, or `why` there is none. A function is called once
-- for an access token, and before the lock is taken: it may take long, or raise.
local function read_given(self)
  local token, why = self.refresh_token, nil
  if type(token) == "function" then
    token, why = token()
  end
  if type(token) ~= "string" then
    return { why = why }
  end
  token, why = input.word(token)
  return {
    token = token ~= "" and token or nil,
    why = why and errors.new { kind = "config", message = "refresh_token " .. why,
                               hint = "Check where refresh_token comes from" },
  }
end

local function not_signed_in(self, why)
  if errors.is(why) then
    return why
  end
  local err = sign_in_error(self, "nobody is signed in" .. (why and ": " .. tostring(why) or ""))
  err.cause = why
  if why == nil and not self.is_interactive and not self.stored.how_to_sign_in
    and self.refresh_token == nil then -- most often from a variable that is not set
    err.message = "nobody is signed in: no refresh_token was given, and none is stored in "
      .. self.stored:location()
    err.hint = "Give refresh_token; check that the variable that it comes from is set"
  end
  return err
end

-- The stored record, a refresh token of the caller that was not tried before, or both; or nil,
-- nil, err.
local function load(self, given)
  local record, err = self.stored:read()
  if err then
    return nil, nil, err
  end
  local untried = given.token and not sign_in_record.has_tried(record, given.token)
    and given.token or nil
  if not record and not untried then
    return nil, nil, not_signed_in(self, given.why)
  end
  local mismatch = record and sign_in_record.mismatch(self.client, record)
  if mismatch and not untried then
    return nil, nil, sign_in_error(self, mismatch)
  end
  return not mismatch and record or nil, untried
end

--- Checks that the secret or the certificate can be used. Calls the functions that the caller
-- gave for them, which may raise.
-- @tparam table context
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function Renewal:check_credential(context)
  return self.client.authenticate({}, self.client.endpoint.token_url, context.clock())
end

--- Sends a request to the token endpoint.
-- @tparam table context
-- @tparam table form
-- @return as `pcapi.auth.grant.request`
function Renewal:request(context, form)
  -- loaded here: most processes find a token that is fresh
  return require("pcapi.auth.grant").request(context, self.client, form)
end

-- Sends a refresh token and stores what is granted; the lock is held.
local function refresh(self, context, target, before)
  local granted, err = self:request(context, endpoints.add_target(self.client.endpoint, {
    grant_type = "refresh_token", refresh_token = before.refresh_token,
  }, target))
  if not granted then
    if err.kind == "sign_in_required" or err.kind == "mfa_required" then
      err.hint = self.stored:advice(err)
    end
    return nil, err
  end
  local record = sign_in_record.granted(self.client, before, target, granted)
  local ok
  ok, err = self.stored:write(record)
  if not ok then
    -- for the next call of this process; the stored record is unchanged
    self.unsaved = { record = record, sent = before.refresh_token }
    return nil, err
  end
  return record
end

-- Whether an error means that a refresh token will never be accepted. Another audience may
-- demand MFA where the account's own does not.
local function is_final(self, err, target)
  return err.kind == "sign_in_required"
    or err.kind == "mfa_required" and target == self.client.endpoint
end

-- Starts a sign-in with a refresh token of the caller. If it is refused it is remembered as
-- tried, and the stored sign-in stays in use.
local function start_with(self, context, target, given, record)
  local tried = sign_in_record.tried_with(record, given)
  local started, err = refresh(self, context, target, {
    refresh_token = given, tried = tried, settings = record and record.settings,
  })
  if not started and record and is_final(self, err, target) then
    record.tried = tried
    local ok, why = self.stored:write(record)
    return ok and record, why
  end
  return started, err
end

-- Loads, after storing what an earlier call of this process could not store; but not over what
-- another process has stored since.
local function load_and_mend(self, given)
  local record, untried, err = load(self, given)
  local unsaved = self.unsaved
  if unsaved and unsaved.sent == (untried or record and record.refresh_token) then
    local ok
    ok, err = self.stored:write(unsaved.record)
    record, untried = ok and unsaved.record or nil, nil
  end
  if not err then
    self.unsaved = nil
  end
  return record, untried, err
end

-- Renews under the lock. Another process may have renewed before the lock was taken.
local function renew(self, wanted, context, given)
  local record, untried, err = load_and_mend(self, given)
  if err then
    return nil, err
  elseif not untried and sign_in_record.fresh(record, wanted, context.clock()) then
    return record
  end
  local ok
  ok, err = self.stored:check_writable()
  if not ok then
    return nil, err
  end
  if untried then
    record, err = start_with(self, context, wanted.target, untried, record)
    if not record or sign_in_record.fresh(record, wanted, context.clock()) then
      return record, err
    end
  end
  return refresh(self, context, wanted.target, record)
end

-- A function of its own, as it may outlive a request of nginx: see `pcapi.nginx.detached`.
local function renewing(self, wanted, context, given)
  return function()
    return renew(self, wanted, context, given)
  end
end

--- Finds a record with a fresh access token: in the store, or by renewing it.
-- @tparam table wanted see `pcapi.auth.sign_in_record.fresh`
-- @tparam table context
-- @treturn[1] table see `pcapi.auth.sign_in_record`
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function Renewal:record(wanted, context)
  local given = read_given(self)
  local function look()
    local record, untried, err = load(self, given)
    if record and not untried and sign_in_record.fresh(record, wanted, context.clock()) then
      return record
    end
    return nil, err
  end
  local record, err = look()
  if record or err then
    return record, err
  end
  local ok
  ok, err = self:check_credential(context) -- before the lock: it calls functions that may raise
  if not ok then
    return nil, err
  end
  return self.stored:locked(context, renewing(self, wanted, context, given), look)
end

--- Forgets what could not be stored.
function Renewal:discard_unsaved()
  self.unsaved = nil
end

--- Reads the stored record as it is. A function for the refresh token is not called.
-- @treturn[1] ?table nil if nothing is stored, but a refresh token was given
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function Renewal:stored_record()
  local given = type(self.refresh_token) == "function" and { token = "not known yet" }
    or read_given(self)
  local record, _, err = load(self, given)
  return record, err
end

return M
