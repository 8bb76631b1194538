--- Exchanges of tasks: each waits for its turn, goes on the wire, and comes back.
-- @module pcapi.concurrent.turn
local core = require "pcapi.core"
local life = require "pcapi.concurrent.life"
local sessions = require "pcapi.http.sessions"

local M = {}

local CATCH_UP = 0.02 -- seconds that the rate may be behind, as waiting is not exact

local yield = coroutine.yield
local WAITS = life.WAITS

--- Whether an exchange may begin; with a rate, not before its moment.
-- @tparam table self the loop
-- @tparam number now of the core's clock
-- @treturn boolean
function M.is_free(self, now)
  return self.on_wire < self.limit and (not self.interval or self.slot <= now)
end

local function occupy(self)
  self.on_wire = self.on_wire + 1
  if self.interval then
    self.slot = math.max(self.slot, core.now() - CATCH_UP) + self.interval
  end
end

-- Takes the turn of the running task's exchange, or queues for it: first come, first
-- served. Returns whether it may begin at once.
local function take_turn(self, timeout)
  local now = core.now()
  if self.turns:is_empty() and M.is_free(self, now) then
    return true
  end
  local task = self.task
  task.last = now + timeout
  self.last = math.min(self.last, task.last)
  self.turns:push(task)
  return false
end

-- What the waiting for a turn has come to.
local function has_turn(task, request, what)
  local last = task.last
  task.last = nil
  if what == "stopped" then
    return life.stopped()
  elseif what == "late" then
    return sessions.fail("timeout", "the time was over before its turn came")
  end
  request.timeout = math.max(last - core.now(), 0.001)
  request.connect_timeout = math.min(request.connect_timeout, request.timeout)
  return true
end

-- Begins an exchange whose turn has come. It takes its place on the wire only then: one
-- that raises, as for lack of memory, must not keep it.
local function start(self, connection, request)
  local session, err = self.sessions:start(connection, request)
  if session then
    self.waiting[session:id()] = self.task
    occupy(self)
  end
  return session, err
end

--- An exchange of the task that runs. It waits right here, and keeps only what it needs:
-- hundreds may do so at once.
-- @tparam table self the loop
-- @tparam table connection of `pcapi.http.sessions`
-- @tparam table request
-- @return as `send` of a transport
function M.exchange(self, connection, request)
  if self.stopping then
    return life.refuse()
  end
  life.check_wait()
  local session, err = take_turn(self, request.timeout), nil
  if not session then
    session, err = has_turn(self.task, request, yield(WAITS))
  end
  if session then
    session, err = start(self, connection, request)
  end
  if not session then
    return nil, err
  end
  local reading = { timing = request.timing, max_body = request.max_body }
  request = nil -- luacheck: ignore 311
  if yield(WAITS) == "stopped" then
    self.sessions:cancel(session)
    return life.stopped()
  end
  return self.sessions:response(session, reading)
end

return M
