--- A token store that writes down what it is asked, and fails where it is told to.
--
-- `texts` is what it keeps, `journal` the names of the calls in their order. `fails`
-- maps a name (`get`, `set`, `lock`) to what that call gives as its error. `held`
-- stands for somebody else: a function that is asked at each try of the lock and says
-- whether it is held.
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
