--- The sign-in that a store keeps under a name: reading it, writing it, and having it
-- for oneself for a while.
-- @classmod pcapi.auth.stored_sign_in
local sign_in_record = require "pcapi.auth.sign_in_record"
local errors = require "pcapi.error"
local store_lock = require "pcapi.auth.store_lock"

local M = {}

local Kept = {}
Kept.__index = Kept
Kept.__name = "pcapi.auth.stored_sign_in"

--- Makes one. Nothing is read yet.
-- @tparam table store see `pcapi.auth.store.memory`
-- @tparam string name of the account
-- @tparam ?string how_to_sign_in what a person does to sign in again, for hints
-- @treturn pcapi.auth.stored_sign_in
function M.new(store, name, how_to_sign_in)
  return setmetatable({ store = store, name = name, how_to_sign_in = how_to_sign_in }, Kept)
end

--- Where it is, for people.
-- @treturn string
function Kept:place()
  return self.store.path and self.store:path(self.name) or tostring(self.store)
end

--- The next step after a refusal that only a new sign-in mends.
-- @tparam ?pcapi.error err its `kind` and `claims` count
-- @treturn string
function Kept:advice(err)
  local how = self.how_to_sign_in
  if how and err and err.claims and how:find "^pcapi login" and not err.claims:find "['%c]" then
    -- a device code cannot carry them
    how = how .. " --browser --claims '" .. err.claims .. "'"
  end
  return "Sign in again" .. (err and err.kind == "mfa_required" and " with MFA" or "")
    .. (how and ": " .. how or "")
end

local function store_error(why)
  if errors.is(why) then
    return why
  end
  return errors.new { kind = "store", cause = why, message = "the token store: " .. tostring(why) }
end

--- Reads it.
-- @treturn[1] table see `pcapi.auth.sign_in_record`
-- @treturn[2] nil nobody is signed in
-- @treturn[3] nil
-- @treturn[3] pcapi.error of kind store
function Kept:read()
  local text, why = self.store:get(self.name)
  if text == nil and why == nil or text == sign_in_record.NOBODY then
    return nil
  elseif type(text) ~= "string" then
    return nil, store_error(why or "store.get must return a text, or nil")
  end
  local entry = sign_in_record.decode(text)
  if not entry then
    return nil, errors.new {
      kind = "store", hint = self:advice(),
      message = ("the sign-in kept in %s cannot be read; it was left as it is")
        :format(self:place()),
    }
  end
  return entry
end

local function set(self, text)
  local ok, why = self.store:set(self.name, text)
  if not ok then
    return nil, store_error(why or "store.set must return true, or nil and an error")
  end
  return true
end

--- Writes it; to be called while it is had alone.
-- @tparam ?table entry nil takes it away
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function Kept:write(entry)
  return set(self, entry and sign_in_record.encode(entry))
end

--- Whether what comes can be written: by writing what is there, or for a moment nobody.
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function Kept:prove()
  local text, why = self.store:get(self.name)
  if text == nil and why ~= nil then
    return nil, store_error(why)
  end
  local ok, err = set(self, text or sign_in_record.NOBODY)
  if ok and not text then
    ok, err = set(self, nil)
  end
  return ok, err
end

-- Acts under the lock and unlocks. In nginx to the end: a request that is aborted in the
-- middle would keep the lock, and lose the tokens that are on their way.
local function act_alone(self, context, act, unlock)
  local transport = context.transport
  if not transport.detached then
    local value, err = act(self)
    unlock()
    return value, err
  end
  return transport:detached(function()
    local ok, value, err = pcall(act, self)
    unlock()
    if not ok then
      error(value, 0)
    end
    return value, err
  end)
end

--- Does something while it is had alone, as soon as nobody else has it.
-- @tparam table context
-- @tparam function act is called with self, and returns a value, or nil and an error
-- @tparam ?function look is asked before each try: what it gives ends the waiting
-- @return what act returns, or look gave; or nil and a pcapi.error, of kind store or timeout
-- where it could not be had
function Kept:alone(context, act, look)
  local unlock, found, err = store_lock.take(self, context, look)
  if unlock then
    return act_alone(self, context, act, unlock)
  end
  return found, err and store_error(err)
end

--- Takes it away.
-- @tparam table context
-- @treturn[1] boolean true, also where there was none
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store or timeout
function Kept:forget(context)
  return self:alone(context, function()
    return self:write(nil)
  end)
end

return M
