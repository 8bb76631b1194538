--- The lock of an account's store, for as long as somebody else's renewal takes.
-- @module pcapi.auth.store_lock
local errors = require "pcapi.error"

local M = {}

local SPARE = 10 -- seconds more than its call may take that a lock is good for
local FIRST_LOOK, LAST_LOOK = 0.02, 0.25 -- seconds between looks at a lock that is held

-- Locks that this Lua state holds, by account: a call that raised, or a coroutine that
-- was dropped, must not keep its account's other calls out.
local held = setmetatable({}, { __mode = "k" })

local function current()
  return coroutine.running() or "main" -- Lua 5.1 has no coroutine for the main one
end

--- Marks something as done by the coroutine that runs.
-- @treturn table for @{is_gone}
function M.owner()
  -- weakly: a coroutine that nobody can resume any more is collected
  return setmetatable({ current() }, { __mode = "v" })
end

--- Whether what was marked cannot be finished any more: its coroutine is dead or
-- dropped, or it is the one that asks, and so has left it by an error. It cannot be
-- told from a call within the call, as from a progress function: those must not ask for
-- a token of the same account.
-- @tparam table owner
-- @treturn boolean
function M.is_gone(owner)
  local who = owner[1]
  return who == nil or who == current()
    or type(who) == "thread" and coroutine.status(who) == "dead"
end

local function free_abandoned(account)
  local mine = held[account]
  if mine and M.is_gone(mine.owner) then
    held[account] = nil
    mine.unlock()
  end
end

local function note(account, unlock)
  local mine = { unlock = unlock, owner = M.owner() }
  held[account] = mine
  return function()
    if held[account] == mine then
      held[account] = nil
      unlock()
    end
  end
end

--- Takes the lock. Where a transport brings what holds it to its end (see
-- `pcapi.auth.stored_sign_in`)
-- it cannot be abandoned.
-- @tparam table account `store`, `name`
-- @tparam table context `transport`, `deadline`
-- @tparam ?function look is asked before each try: what it gives ends the waiting
-- @treturn[1] function that unlocks
-- @treturn[2] nil
-- @return[2] what look gave
-- @treturn[3] nil
-- @treturn[3] nil
-- @return[3] an error of the store, as it came, or a pcapi.error
function M.take(account, context, look)
  local pause = FIRST_LOOK
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
        kind = "timeout", message = "somebody else is renewing the token and does not finish",
        hint = ("Raise timeout, or see what holds the lock of %s"):format(account.name),
      }
    end
    local _, stopped = context.transport:sleep(pause)
    if stopped then
      return nil, nil, stopped
    end
    pause = math.min(pause * 2, account.store.longest_look or LAST_LOOK)
  end
end

return M
