--- A made-up month of a tenant with 20 people, and what the service says of it on each day. All
-- choices follow from the seed.
local M = {}

local HOUR, DAY = 3600, 86400
local START = 1793836800 -- 2026-11-05T00:00:00Z
local DAYS = 32

local World = {}
World.__index = World

-- Park and Miller's generator: the same numbers on each Lua.
function World:random(low, high)
  self.seed = self.seed * 16807 % 2147483647
  return low + self.seed % (high - low + 1)
end

function World:rarely(times)
  return self:random(1, times) == 1
end

local function guid(kind, number)
  return ("5f0b3c1e-%04d-4000-8000-%012d"):format(kind, number)
end

function World:add_person(upn, born)
  local number = #self.people + 1
  local person = { number = number, id = guid(1, number), upn = upn or ("user%d@x.example"):format(
    number), born = born or 0, applications = {}, renamed = math.huge, deleted = math.huge }
  for i = 1, self:random(0, 3) do
    person.applications[i] = guid(2, self:random(1, 4))
  end
  person.uses_portal = #person.applications == 0 or self:rarely(4)
  -- some are repaired at once, some an application after another, some never
  person.repaired = {}
  for i in ipairs(person.applications) do
    person.repaired[i] = self:rarely(3) and math.huge or START + self:random(0, 30 * 24) * HOUR
  end
  person.portal_until = START + self:random(0, 30 * 24) * HOUR
  person.pace = self:random(6, 100) * HOUR -- mostly less than this between two uses
  if self:rarely(4) then
    person.away = START + self:random(0, 20 * 24) * HOUR
    person.returns = person.away + self:random(5, 14) * DAY
  end
  self.people[number] = person
  return person
end

-- A person uses an application.
function World:use(person, choice, at, mfa)
  self.requests[#self.requests + 1] = { at = at, person = person, mfa = mfa,
    id = guid(3, #self.requests + 1), application = person.applications[choice] }
  if not mfa then
    self.sign_ins[#self.sign_ins + 1] = { at = at, person = person }
  end
end

-- Everything that a person does in the month.
function World:live(person)
  local at = START - 8 * DAY + self:random(0, person.pace)
  at = at - at % self.grain
  while at < START + DAYS * DAY do
    local is_away = person.away and at > person.away and at < person.returns
    if at > person.born and at < person.deleted and not is_away then
      local choice = self:random(person.uses_portal and 0 or 1, #person.applications)
      if choice > 0 and self.grain > 1 and self:rarely(3) then -- with and without at once
        self:use(person, self:random(1, #person.applications), at, self:rarely(2))
      end
      if choice == 0 and at < person.portal_until then
        self.sign_ins[#self.sign_ins + 1] = { at = at, person = person }
      elseif choice > 0 then
        self:use(person, choice, at, at > person.repaired[choice] or self:rarely(6))
      end
    end
    at = at + math.max(self:random(60, person.pace), self.grain)
    at = at - at % self.grain
  end
end

local function newest_first(a, b)
  return a.at > b.at or a.at == b.at and a.person.number < b.person.number
end

--- Makes a world.
function M.new(seed)
  local self = setmetatable({ seed = seed % 2147483646 + 1, people = {}, requests = {},
                              sign_ins = {}, runs = {} }, World)
  for _ = 1, 10 do -- neighbouring seeds shall not look alike
    self:random(0, 1)
  end
  self.grain = self:rarely(4) and 6 * HOUR or 1 -- several requests at the same time
  self.lag = self:rarely(4) and self:random(1, 12) * HOUR or 0 -- the users are as old as this
  if self:rarely(4) then -- nobody runs it
    self.outage = START + self:random(2, 20) * DAY
    self.outage_end = self.outage + self:random(5, 9) * DAY
  end
  for _ = 1, 20 do
    local person = self:add_person()
    if self:rarely(8) then
      person.deleted = START + self:random(0, 30 * 24) * HOUR
      if self:rarely(2) then
        self:add_person(person.upn, person.deleted + self:random(1, 80) * HOUR)
      end
    elseif self:rarely(6) then
      person.renamed = START + self:random(0, 30 * 24) * HOUR
    end
  end
  for _, person in ipairs(self.people) do
    self:live(person)
  end
  table.sort(self.sign_ins, newest_first)
  table.sort(self.requests, newest_first)
  self.window = self:random(1, 3) -- the week ends at this second, or at a midnight
  self.user_cap = self:rarely(3) and self:random(6, 12) or 1000
  self.request_cap = self:rarely(3) and self:random(10, 60) or 10000
  return self
end

function World:window_start(at)
  if self.window == 1 then
    return at - 7 * DAY
  end
  return at - at % DAY - (self.window == 2 and 7 or 6) * DAY
end

local function name_of(person, at)
  return at >= person.renamed and "new-" .. person.upn or person.upn
end

-- Whether a name means one person only.
function World:is_unique(person)
  for _, other in ipairs(self.people) do
    if other ~= person and other.upn == person.upn then
      return false
    end
  end
  return person.renamed == math.huge
end

--- The file of exceptions: some users, until some day of the month. Also returns when each is over,
-- by person.
function World:exceptions()
  local lines, over = {}, {}
  for _, person in ipairs(self.people) do
    if self:is_unique(person) and self:rarely(5) then
      local ends = START + self:random(0, DAYS) * DAY
      lines[#lines + 1] = ("%s * %s break-glass"):format(person.upn, os.date("!%Y-%m-%d", ends))
      over[person] = ends + DAY
    end
  end
  return table.concat(lines, "\n"), over
end

--- The users whom the service lists at a time: `id`, `upn`, `at`, `person`, and whether it left
-- some out.
function World:users_at(now)
  local users, seen, is_cut = {}, {}, false
  for _, sign_in in ipairs(self.sign_ins) do -- the newest first
    local person = sign_in.person
    if sign_in.at < self:window_start(now) then
      break
    elseif sign_in.at <= now - self.lag and not seen[person] and now < person.deleted then
      seen[person] = true
      if #users == self.user_cap then
        is_cut = true
        break
      end
      local lacks_id = self:is_unique(person) and self:rarely(40)
      local is_dropped = self:rarely(300)
      if not is_dropped then -- the service loses one now and then
        users[#users + 1] = { id = not lacks_id and person.id or nil, upn = name_of(person, now),
                              at = sign_in.at, person = person }
      end
      if self:rarely(200) and not is_dropped then
        users[#users].at = "0001-01-01T00:00:00"
      end
    end
  end
  return users, is_cut
end

--- The requests that the service lists at a time.
function World:requests_at(now)
  local requests = {}
  for _, request in ipairs(self.requests) do
    if request.at < self:window_start(now) then
      break
    elseif request.at <= now then
      if #requests == self.request_cap then
        return requests, true
      end
      requests[#requests + 1] = {
        id = request.id, user = request.person.id, upn = name_of(request.person, now),
        at = request.at, application = request.application, mfa = request.mfa,
        person = request.person, ip = "192.0.2.7",
      }
    end
  end
  return requests, false
end

-- When the daily job runs: at 06:00 of a local time with days of 23 and 25 hours, not each day,
-- and on some days twice.
function World:times()
  local times, shift = {}, 0
  for day = 0, DAYS - 2 do
    if self:rarely(15) then
      shift = shift == 0 and self:random(0, 1) * 2 - 1 or 0
    end
    local at = START + day * DAY + (6 + shift) * HOUR + self:random(0, 90)
    local is_out = self.outage and at > self.outage and at < self.outage_end
    if not is_out and not self:rarely(10) then
      times[#times + 1] = at
      times[#times + 1] = self:rarely(10) and at + self:random(1, 17 * HOUR) or nil
    end
  end
  return times
end

--- All runs of the month, in their order: `now` (this machine's clock), and `at` (the service's;
-- nil: the principals failed), `users`, `users_cut`, `requests` (nil: they failed),
-- `requests_cut`, `is_repeated` (the same answer as before).
function World:month()
  local runs = {}
  for _, at in ipairs(self:times()) do
    local run = { now = at + self:random(-90, 90) }
    if not self:rarely(15) then
      run.at = at
      if self:rarely(40) then -- a clock that jumps
        run.at = at + (self:rarely(2) and -1 or 1) * self:random(1, 5) * DAY
      end
      run.users, run.users_cut = self:users_at(at)
      if not self:rarely(12) then
        run.requests, run.requests_cut = self:requests_at(at + self:random(0, 20))
      end
    end
    runs[#runs + 1] = run
    if self:rarely(10) then
      local again = { is_repeated = true }
      for name, value in pairs(run) do
        again[name] = value
      end
      runs[#runs + 1] = again
    end
  end
  return runs
end

return M
