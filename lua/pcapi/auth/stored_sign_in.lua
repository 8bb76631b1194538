--- The sign-in that a store holds under a name: reads, writes, locks and removes it.
-- @classmod pcapi.auth.stored_sign_in
local errors = require "pcapi.error"
local sign_in_record = require "pcapi.auth.sign_in_record"
local store_lock = require "pcapi.auth.store_lock"

local M = {}

local StoredSignIn = {}
StoredSignIn.__index = StoredSignIn
StoredSignIn.__name = "pcapi.auth.stored_sign_in"

--- Makes one. Nothing is read yet.
-- @tparam table store see `pcapi.auth.store.memory`
-- @tparam string name of the account
-- @tparam ?string how_to_sign_in what the user does to sign in again, for hints
-- @tparam ?string how_to_start what the user does if the stored sign-in cannot be read, so that its
-- settings are lost; default how_to_sign_in
-- @treturn pcapi.auth.stored_sign_in
function M.new(store, name, how_to_sign_in, how_to_start)
  return setmetatable({ store = store, name = name, how_to_sign_in = how_to_sign_in,
                        how_to_start = how_to_start or how_to_sign_in }, StoredSignIn)
end

--- Where it is stored, for messages.
-- @treturn string
function StoredSignIn:location()
  return self.store.path and self.store:path(self.name) or tostring(self.store)
end

--- The next step after an error that only a new sign-in cures.
-- @tparam ?pcapi.error err its `kind` and `claims` count
-- @treturn string
function StoredSignIn:advice(err)
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

--- Makes the error for a stored sign-in that cannot be used. A new sign-in replaces it.
-- @tparam string problem the end of a sentence
-- @tparam ?string other another remedy than a new sign-in
-- @treturn pcapi.error of kind store
function StoredSignIn:unusable(problem, other)
  local how = self.how_to_start
  return errors.new {
    kind = "store",
    hint = (other and other .. ", or s" or "S") .. "ign in again" .. (how and ": " .. how or ""),
    message = ("the sign-in stored in %s %s; it was not changed"):format(self:location(), problem),
  }
end

--- Reads the record.
-- @treturn[1] table see `pcapi.auth.sign_in_record`
-- @treturn[2] nil nobody is signed in
-- @treturn[3] nil
-- @treturn[3] pcapi.error of kind store
function StoredSignIn:read()
  local text, why = self.store:get(self.name)
  if text == nil and why == nil or text == sign_in_record.EMPTY then
    return nil
  elseif type(text) ~= "string" then
    return nil, store_error(why or "store.get must return a text, or nil")
  end
  local record, problem, other = sign_in_record.decode(text)
  if not record then
    return nil, self:unusable(problem, other)
  end
  return record
end

local function set(self, text)
  local ok, why = self.store:set(self.name, text)
  if not ok then
    return nil, store_error(why or "store.set must return true, or nil and an error")
  end
  return true
end

--- Writes the record; the lock must be held.
-- @tparam ?table record nil removes it
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function StoredSignIn:write(record)
  return set(self, record and sign_in_record.encode(record))
end

--- Tests whether the store can be written, with the text that it holds already.
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function StoredSignIn:check_writable()
  local text, why = self.store:get(self.name)
  if text == nil and why ~= nil then
    return nil, store_error(why)
  end
  local ok, err = set(self, text or sign_in_record.EMPTY)
  if ok and not text then
    ok, err = set(self, nil)
  end
  return ok, err
end

-- Acts and unlocks, also after an error. A function of its own: `pcapi.nginx.detached` says why.
local function protected(self, act, unlock)
  return function()
    local ok, value, err = pcall(act, self)
    unlock()
    if not ok then
      error(value, 0)
    end
    return value, err
  end
end

-- Acts under the lock and unlocks. Within nginx the act is uninterruptible: an aborted request
-- would leave the lock held, and lose the tokens that are on their way.
local function act_and_unlock(self, context, act, unlock)
  local transport = context.transport
  if transport.detached then
    return transport:detached(protected(self, act, unlock))
  end
  local value, err = act(self)
  unlock()
  return value, err
end

--- Acts under the lock, as soon as no other process holds it.
-- @tparam table context
-- @tparam function act is called with self; returns a value, or nil and an error. It may
-- outlive a request of nginx, so it must be made by a function that has returned
-- @tparam ?function look is called before each attempt to lock; its result ends the waiting
-- @return the result of act or look; or nil and a pcapi.error, of kind store or timeout if the
-- lock could not be taken
function StoredSignIn:locked(context, act, look)
  local unlock, found, err = store_lock.take(self, context, look)
  if unlock then
    return act_and_unlock(self, context, act, unlock)
  end
  return found, err and store_error(err)
end

local function writing(record)
  return function(self)
    return self:write(record)
  end
end

--- Writes the record under the lock.
-- @tparam table context
-- @tparam ?table record nil removes it
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store or timeout
function StoredSignIn:replace(context, record)
  return self:locked(context, writing(record))
end

--- Removes the record under the lock.
-- @tparam table context
-- @treturn[1] boolean true, also if there was none
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store or timeout
function StoredSignIn:forget(context)
  return self:replace(context, nil)
end

return M
