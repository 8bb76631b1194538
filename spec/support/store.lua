--- A token store that records its calls, and fails on demand.
--
-- `texts` is its content, `journal` the names of the calls in their order. `fails` maps a name
-- (`get`, `set`, `lock`) to the error of that call. `held` is a function that is called at each
-- attempt to lock: whether another process holds the lock.
local M = {}

local Store = {}
Store.__index = Store

function M.new(texts)
  return setmetatable({ texts = texts or {}, journal = {}, fails = {} }, Store)
end

local function note(self, what)
  self.journal[#self.journal + 1] = what
  return self.fails[what]
end

function Store:get(account)
  local why = note(self, "get")
  if why then
    return nil, why
  end
  return self.texts[account]
end

function Store:set(account, text)
  local why = note(self, "set")
  if why then
    return nil, why
  end
  self.texts[account] = text
  return true
end

function Store:lock(account, seconds)
  local why = note(self, "lock")
  self.seconds = seconds
  if why then
    return nil, why
  elseif self.locked or self.held and self.held(account) then
    return nil
  end
  self.locked = true
  return function()
    self.locked = false
    note(self, "unlock")
  end
end

return M
