--- Waits for the lock of an account while another process or coroutine renews its token.
-- @module pcapi.auth.store_lock
local errors = require "pcapi.error"

local M = {}

local SPARE = 10 -- seconds that a lock stays valid after the deadline of its call
local FIRST_PAUSE, LAST_PAUSE = 0.02, 0.25 -- seconds between attempts

-- The locks that this Lua state holds, by account. A call that raised, or a coroutine that was
-- dropped, must not block the other calls of its account.
local held = setmetatable({}, { __mode = "k" })

local function current()
  return coroutine.running() or "main" -- Lua 5.1 returns nil in the main coroutine
end

--- Marks an act as one of the running coroutine.
-- @treturn table for @{is_gone}
function M.owner()
  -- weak: a coroutine that can no longer be resumed is collected
  return setmetatable({ current() }, { __mode = "v" })
end

--- Whether a marked act cannot finish any more: its coroutine is dead or collected, or is the
-- caller, and so has left the act by an error. A call within the act, such as from a progress
-- function, looks the same: it must not request a token of the same account.
-- @tparam table owner
-- @treturn boolean
function M.is_gone(owner)
  local thread = owner[1]
  return thread == nil or thread == current()
    or type(thread) == "thread" and coroutine.status(thread) == "dead"
end

local function free_abandoned(account)
  local lock = held[account]
  if lock and M.is_gone(lock.owner) then
    held[account] = nil
    lock.unlock()
  end
end

local function note(account, unlock)
  local lock = { unlock = unlock, owner = M.owner() }
  held[account] = lock
  return function()
    if held[account] == lock then
      held[account] = nil
      unlock()
    end
  end
end

--- Takes the lock. A transport with detached acts (see `pcapi.auth.stored_sign_in`) never
-- abandons it.
-- @tparam table account `store`, `name`
-- @tparam table context `transport`, `deadline`
-- @tparam ?function look is called before each attempt; a result or an error ends the waiting
-- @treturn[1] function that unlocks
-- @treturn[2] nil
-- @return[2] the result of look
-- @treturn[3] nil
-- @treturn[3] nil
-- @return[3] an unchanged error of the store, or a pcapi.error
function M.take(account, context, look)
  local pause = FIRST_PAUSE
  while true do
    free_abandoned(account)
    local found, err
    if look then
      found, err = look()
    end
    if found or err then
      return nil, found, err
    end
    local left = context.deadline - context.transport:now()
    local unlock, why = account.store:lock(account.name, math.max(left, 0) + SPARE)
    if unlock then
      return context.transport.detached and unlock or note(account, unlock)
    elseif why ~= nil then
      return nil, nil, why
    elseif pause >= left then
      return nil, nil, errors.new {
        kind = "timeout", message = "timed out while another process renews the token",
        hint = "Raise {timeout}, or find the process that holds the lock of "
          .. (account.store.path and account.store:path(account.name) or account.name),
      }
    end
    local _, stopped = context.transport:sleep(pause)
    if stopped then
      return nil, nil, stopped
    end
    pause = math.min(pause * 2, account.store.longest_look or LAST_PAUSE)
  end
end

return M
