--- A token store in this process alone: gone when it ends.
--
-- A store keeps one text per account. It is a table of three functions, and a vault,
-- Redis or a shared dictionary can stand for it:
--
-- - `get(self, account)` → text, or nil when there is none, or `nil, err`
-- - `set(self, account, text)` → true, or `nil, err`; nil as text removes it. It
--   keeps the whole text or changes nothing, and has kept it for good when it returns
-- - `lock(self, account, seconds)` → a function that unlocks, or nil at once when
--   somebody else holds the lock, or `nil, err`. A lock whose holder died must come
--   free: after `seconds` at the latest
--
-- and of a fourth, where it is to be asked who is signed in:
--
-- - `names(self)` → array of the accounts that it keeps a text of, in any order, or
--   `nil, err`
--
-- A store where looking costs little may have `longest_look`, the seconds between looks at a
-- lock that somebody else holds: 0.25 at most without it.
--
-- `err` is a text or an error object. The text holds tokens: keep it like a password.
-- @module pcapi.auth.store.memory
local core = require "pcapi.core"

local M = {}

-- What a store holds is not in the store, so that no dump of it shows a token.
local held = setmetatable({}, { __mode = "k" })

local Memory = {}
Memory.__index = Memory
Memory.__name = "pcapi.auth.store.memory"

--- Makes an empty store.
-- @treturn table a store
function M.new()
  local self = setmetatable({}, Memory)
  held[self] = { texts = {}, locks = {} }
  return self
end

function Memory:get(account)
  return held[self].texts[account]
end

function Memory:set(account, text)
  held[self].texts[account] = text
  return true
end

function Memory:names()
  local accounts = {}
  for account in pairs(held[self].texts) do
    accounts[#accounts + 1] = account
  end
  return accounts
end

function Memory:lock(account, seconds)
  local locks = held[self].locks
  local now = core.now()
  if locks[account] and locks[account] > now then
    return nil
  end
  local mine = now + seconds
  locks[account] = mine
  return function()
    if locks[account] == mine then
      locks[account] = nil
    end
  end
end

function Memory:__tostring() -- luacheck: ignore self
  return "the memory of this process"
end

return M
