--- What became of each user, by the table of outcomes alone: simple, slow, and written without the
-- code of the history. It knows who is who, remembers every answer, and looks through all of them
-- each time.
local M = {}

local DAY = 86400

local Model = {}
Model.__index = Model

--- Makes a model of one tenant.
-- @tparam table over when the exception of a person is over, by person
function M.new(over)
  return setmetatable({ over = over, people = {}, requests_of = {}, request_of = {},
                        answers = {} }, Model)
end

-- Since when requests are complete: back from the newest answer to the newest gap.
function Model:complete_since()
  local function start(answer)
    local sure = answer.at - 6 * DAY
    if answer.cut then
      return answer.oldest or answer.at
    end
    return answer.oldest and answer.oldest < sure and answer.oldest or sure
  end
  local since
  for i = #self.answers, 1, -1 do
    local answer, newest_before, asked_before = self.answers[i], nil, nil
    since = math.min(since or math.huge, start(answer))
    for j = 1, i - 1 do
      local earlier = self.answers[j]
      asked_before = math.max(asked_before or 0, earlier.at)
      newest_before = math.max(newest_before or 0, earlier.newest or 0)
    end
    if not asked_before then
      return since
    end
    newest_before = newest_before > 0 and newest_before or asked_before
    local overlaps = answer.oldest and answer.oldest <= newest_before
    local week_overlaps = not answer.cut and start(answer) <= asked_before
    if not overlaps and not week_overlaps then
      return since
    end
  end
  return since
end

-- The requests that are known of a person, from a time on.
function Model:known(person, from)
  local found = {}
  for _, request in ipairs(self.requests_of[person] or {}) do
    if request.is_known and request.at >= from then
      found[#found + 1] = request
    end
  end
  return found
end

-- For each application with a request without MFA in the week before L or later: is there one with
-- MFA after L, and none without MFA at that time or later? Returns since when all are; and whether
-- one came without MFA after L, and no request with MFA after that.
function Model:proof(person, L)
  local since = self.since
  if not since or since > L then
    return nil, false
  end
  local requests = self:known(person, L - 7 * DAY)
  local last_without, explained, proven, refuted = {}, false, nil, false
  for _, request in ipairs(requests) do
    if request.mfa == false then
      last_without[request.application] = math.max(last_without[request.application] or 0,
        request.at)
      explained = explained or request.at >= L - 600
    end
  end
  if not explained then
    return nil, false
  end
  local all = true
  for application, without in pairs(last_without) do
    local first, last
    for _, request in ipairs(requests) do
      if request.application == application and request.mfa == true and request.at > L then
        first = math.min(first or request.at, request.at)
        last = math.max(last or request.at, request.at)
      end
    end
    if last and last > without then
      proven = math.max(proven or 0, first)
    else
      all = false
      refuted = refuted or without > L
    end
  end
  return all and proven or nil, refuted
end

local function open(episode, L, run)
  return { episode = episode, state = "open", L = L or run.at, exact = L ~= nil, seen = run.at,
           times = 1, visible = true }
end

-- A user who is in the list. Adds the events to `events`.
function Model:listed(person, L, run, events)
  local was = self.people[person]
  local now, first = was, not was
  if first then
    local hidden = not self.had_whole and (not run.users_cut or not self.at or not L
      or L <= self.at)
    events[#events + 1] = hidden and "baseline" or "new"
    now, first = open(1, L, run), hidden
    self.people[person] = now
  elseif was.closed and was.state == "lost" and not (L and L > was.L) then
    events[#events + 1] = "again"
    was.state, was.closed, was.mfa_at, was.seen, was.visible = "open", nil, nil, run.at, true
  elseif was.closed then
    if L and L <= was.L then return end
    events[#events + 1] = "back"
    now = open(was.episode + 1, L, run)
    self.people[person] = now
  else
    was.seen, was.visible = run.at, true
    if not L then
      was.exact = false
    elseif L > was.L then
      events[#events + 1] = "again"
      was.state, was.L, was.exact, was.mfa_at = "open", L, true, nil
      was.times = was.times + 1
    elseif not was.exact then
      was.L, was.exact = L, true
    end
  end
  if now.exact then
    local proven, refuted = self:proof(person, now.L)
    if now.state == "open" and proven then
      events[#events + 1] = not first and "healing" or nil
      now.state, now.mfa_at = "healing", proven
    elseif now.state == "healing" and refuted then
      events[#events + 1] = "again"
      now.state, now.mfa_at = "open", nil
    end
  end
end

-- A user who is not in the list.
function Model:unlisted(person, run, events)
  local was = self.people[person]
  local latest = was.exact and was.L or math.max(was.L, was.seen)
  if run.users_cut then
    events[#events + 1] = was.visible and "not_visible" or nil
    was.visible = false
  elseif was.exact and was.L >= run.at - 6 * DAY then
    events[#events + 1] = "lost"
    was.state, was.closed = "lost", run.at
  elseif latest < run.at - 7 * DAY then
    local proven = self:proof(person, latest)
    was.state, was.closed, was.mfa_at = proven and "fixed" or "quiet", run.at, proven
    events[#events + 1] = was.state
  end
end

-- Whether an open user is excepted now; an exception that ended is an event.
function Model:except(person, run, events)
  local now = self.people[person]
  if now and not now.closed then
    local holds = self.over[person] ~= nil and run.at < self.over[person]
    events[#events + 1] = now.excepted and not holds and "ended" or nil
    now.excepted = holds
  end
end

function Model:take_requests(run, tracked)
  local oldest, newest
  for _, request in ipairs(run.requests) do
    oldest = math.min(oldest or request.at, request.at)
    newest = math.max(newest or request.at, request.at)
    local known = self.request_of[request.id]
    if not known then
      known = { at = request.at, person = request.person, mfa = request.mfa,
                application = request.application }
      self.request_of[request.id] = known
      self.requests_of[request.person] = self.requests_of[request.person] or {}
      table.insert(self.requests_of[request.person], known)
    end
    known.is_known = known.is_known or tracked[request.person]
  end
  self.answers[#self.answers + 1] = { at = run.at, cut = run.requests_cut, oldest = oldest,
                                      newest = newest }
  self.since = self:complete_since()
end

--- Takes one run of a world. Returns the events: an array of `kind` and `person`, sorted by the
-- number of the person.
function M.run(self, run)
  local found = {}
  if not run.at then
    return found
  elseif self.at and run.at < self.at then
    if self.at <= run.now + DAY then
      return found
    end
    self.answers, self.since = {}, nil -- the newest run is in the future
  end
  local listed, tracked = {}, {}
  for _, user in ipairs(run.users) do listed[user.person], tracked[user.person] = user, true end
  for person, finding in pairs(self.people) do
    tracked[person] = tracked[person] or not finding.closed
  end
  if run.requests then
    self:take_requests(run, tracked)
  end
  for person in pairs(tracked) do
    local events, was = {}, self.people[person] and self.people[person].state
    if listed[person] then
      local at = listed[person].at
      self:listed(person, type(at) == "number" and at or nil, run, events)
    elseif self.people[person] and not self.people[person].closed then
      self:unlisted(person, run, events)
    end
    self:except(person, run, events)
    for _, kind in ipairs(events) do
      found[#found + 1] = { kind = kind, person = person, was = was,
                            excepted = self.people[person].excepted }
    end
  end
  table.sort(found, function(a, b)
    return a.person.number < b.person.number
      or a.person.number == b.person.number and a.kind < b.kind
  end)
  self.at, self.had_whole = run.at, self.had_whole or not run.users_cut
  return found
end

return M
