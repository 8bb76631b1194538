--- Which application to fix first: the one by which most users come without MFA. Where few of the
-- requests are known, the one that sends most requests without MFA, as adoption counts all.
--
-- An entry is a table: `application` (its id) and `name`, or neither (the portal, guests, system
-- accounts, unknown); `class`, how most of its users come (see `pcapi.history.classes`; nil: there
-- are none); `users`, a number; `step`, the next one; and of the last 7 days `total` and
-- `with_mfa`, requests by adoption (nil: it does not know the application). Pure.
-- @module pcapi.history.ranking
local advice = require "pcapi.history.advice"

local M = {}

local ENOUGH = 19 / 20 -- of the requests: the lists are not of the same second

--- How many entries it returns at most.
M.MOST = 50

local Ranking = {}
Ranking.__index = Ranking

--- Makes an empty ranking.
-- @treturn table with the methods below
function M.new()
  return setmetatable({ entries = {}, by_key = {} }, Ranking)
end

local function entry_of(self, key, fields)
  local entry = self.by_key[key]
  if not entry then
    entry = fields
    entry.users, entry.classes = 0, {}
    self.by_key[key], self.entries[#self.entries + 1] = entry, entry
  end
  return entry
end

-- What is repaired once for an account counts once, however many applications it uses.
local OF_ACCOUNT = { guest = true, system = true }

--- Adds a user.
-- @tparam table classes of `pcapi.history.classes`, with `name` of applications
function Ranking:add(classes)
  for _, class in ipairs(classes) do
    local entry = entry_of(self, class.application or class.class,
      { application = class.application, name = class.name })
    entry.users = entry.users + 1
    entry.classes[class.class] = (entry.classes[class.class] or 0) + 1
    if OF_ACCOUNT[class.class] then
      break
    end
  end
end

--- Adds what adoption counts.
-- @tparam table rows as the store gives them by `received`
-- @tparam function name_of takes the id of an application
function Ranking:adoption(rows, name_of)
  for _, row in ipairs(rows) do
    if row.total then
      local entry = entry_of(self, row.application,
        { application = row.application, name = name_of(row.application) })
      entry.total = (entry.total or 0) + math.max(row.total, row.with_mfa)
      entry.with_mfa = (entry.with_mfa or 0) + row.with_mfa
    end
  end
end

-- The class of most users of an entry. "application" says least, so it loses a tie.
local function class_of(entry)
  local best
  for class, count in pairs(entry.classes) do
    local most = entry.classes[best] or 0
    if count > most or count == most and class ~= "application"
      and (best == "application" or class < best) then
      best = class
    end
  end
  return best
end

local function without(entry)
  return entry.total and entry.total - entry.with_mfa or -1
end

-- Compares by two functions, the larger value first, then by name and id.
local function order(first, second)
  return function(a, b)
    for _, value in ipairs { first, second } do
      local left, right = value(a), value(b)
      if left ~= right then
        return left > right
      end
    end
    local left, right = a.name or a.class or "", b.name or b.class or ""
    return left < right or left == right and (a.application or "") < (b.application or "")
  end
end

local function users(entry)
  return entry.users
end

--- The entries with users or with requests without MFA, what to fix first at the top.
-- @tparam ?number share of the requests that are known, 0 to 1; nil: unknown
-- @treturn table array
-- @treturn number how many entries there was no room for
-- @treturn boolean whether they are sorted by requests
function Ranking:sorted(share)
  local found, shown = {}, {}
  for _, entry in ipairs(self.entries) do
    if entry.users > 0 or without(entry) > 0 then
      local class = class_of(entry)
      found[#found + 1] = {
        application = entry.application, name = entry.name, class = class, users = entry.users,
        total = entry.total, with_mfa = entry.with_mfa,
        step = advice.of(class or "application", { application = entry.name }).step,
      }
    end
  end
  local is_known = not share or share >= ENOUGH
  table.sort(found, is_known and order(users, without) or order(without, users))
  for i = 1, math.min(#found, M.MOST) do
    shown[i] = found[i]
  end
  return shown, #found - #shown, not is_known
end

return M
