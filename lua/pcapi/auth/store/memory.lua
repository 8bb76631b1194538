--- Stores tokens in the memory of this process; they are lost when it ends.
--
-- A store holds one text per account. It is a table of three functions, so a vault, Redis or
-- a shared dictionary can be one:
--
-- - `get(self, account)` → text; nil if there is none; or `nil, err`
-- - `set(self, account, text)` → true, or `nil, err`; nil as text removes it. The text is
--   stored completely or not at all, and durably when `set` returns
-- - `lock(self, account, seconds)` → a function that unlocks; nil, at once, if another process
--   holds the lock; or `nil, err`. The lock of a dead holder must expire after `seconds` at
--   the latest
--
-- and optionally a fourth, to list the accounts:
--
-- - `names(self)` → array of the accounts with a text, in any order; or `nil, err`
--
-- A store with cheap locks may set `longest_look`, the longest pause in seconds between two
-- attempts to lock (0.25).
--
-- `err` is a string or an error object. The text holds tokens: protect it like a password.
-- @module pcapi.auth.store.memory
local core = require "pcapi.core"

local M = {}

-- The content of a store is not in its fields, so that no dump of it shows a token.
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
