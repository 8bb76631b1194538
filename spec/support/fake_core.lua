--- A fake core without network, for the modules that use the core: sessions, the transport and
-- loops. Only waiting advances its clock.
--
-- The function `respond(request, number)` returns the response to a request, in the format of
-- `spec.support.fake_transport`. It arrives after its `takes` seconds (0.1), or the request times
-- out.
local real = require "pcapi.core"

local M = {}

-- These modules are loaded again, so that they use the fake core.
local ABOVE = { "pcapi.core", "pcapi.http.sessions", "pcapi.http.curl", "pcapi.http.fetch",
                "pcapi.concurrent", "pcapi.concurrent.loop", "pcapi.concurrent.network",
                "pcapi.concurrent.request_slots", "pcapi.concurrent.run",
                "pcapi.concurrent.scheduler", "pcapi.concurrent.tasks" }

local Pool, Session = {}, {}
Pool.__index, Session.__index = Pool, Session

local function empty_response()
  return {}
end

local function new_core()
  local core = {
    time = 1000, respond = empty_response, sent = {}, pools = {}, sessions = {},
    most = 0, running = 0, -- requests in flight
    during_wait = nil, -- a function called in each wait, like a signal handler
  }
  function core.now()
    return core.time
  end
  function core.sleep(seconds)
    core.time = core.time + seconds
  end
  -- `core.no_pool` is the message of the error that it returns
  function core.pool(limits)
    if core.no_pool then
      return nil, core.no_pool, "config"
    end
    local pool = setmetatable({ core = core, limits = limits, open = {}, done = {} }, Pool)
    core.pools[#core.pools + 1] = pool
    return pool
  end
  return setmetatable(core, { __index = real })
end

local function check_open(it, what)
  assert(not it.closed, what .. " is closed")
end

function Pool:http(options)
  check_open(self, "pool")
  assert(not (options.ca_file or ""):find "%z", "ca_file holds a zero byte")
  local core = self.core
  local session = setmetatable({ core = core, pool = self, options = options,
                                 number = #core.sessions + 1 }, Session)
  core.sessions[session.number] = session
  return session
end

-- Returns the request in flight that ends first.
local function first_due(self)
  local first
  for _, session in ipairs(self.core.sessions) do
    if session.pool == self and session.due and (not first or session.due < first.due) then
      first = session
    end
  end
  return first
end

local function finish_due(self)
  local session = first_due(self)
  while session and session.due <= self.core.time do
    session.due = nil
    self.core.running = self.core.running - 1
    self.done[#self.done + 1] = session.number
    session = first_due(self)
  end
end

function Pool:wait(seconds)
  check_open(self, "pool")
  local core = self.core
  core.waits = (core.waits or 0) + 1
  assert(core.waits < 1e5, "the loop waits forever")
  if core.during_wait then
    core.during_wait(seconds)
  end
  finish_due(self)
  if #self.done == 0 then
    local session = first_due(self)
    local at = core.time + math.min(seconds, 60)
    core.time = session and math.min(session.due, at) or at
    finish_due(self)
  end
end

function Pool:next()
  check_open(self, "pool")
  local number = table.remove(self.done, 1)
  return number, number and #(self.core.sessions[number].outcome.body or "")
end

-- `core.is_full` says that there is no room.
function Pool:has_room()
  check_open(self, "pool")
  return not self.core.is_full
end

function Pool:descriptor()
  check_open(self, "pool")
  return 7
end

function Pool:timeout()
  check_open(self, "pool")
  return #self.done > 0 and 0 or self.core.pool_timeout
end

function Pool:close()
  self.closed = true
end

function Session:id()
  return self.number
end

-- `fails` of a response is the kind of an error before anything is sent.
function Session:start(request, may_repeat)
  check_open(self, "session")
  local core = self.core
  core.sent[#core.sent + 1] = { time = core.time, url = request.url, session = self,
                                timeout = request.timeout, headers = request.headers,
                                connect_timeout = request.connect_timeout,
                                may_repeat = may_repeat }
  local response = core.respond(request, #core.sent)
  if response.fails then
    return nil, "it cannot begin", response.fails
  end
  local takes = response.takes or 0.1
  self.outcome = takes <= request.timeout and response
    or { kind = "timeout", message = "the time is over" }
  self.due = core.time + math.min(takes, request.timeout)
  core.running = core.running + 1
  core.most = math.max(core.most, core.running)
  return true
end

function Session:result(seconds)
  check_open(self, "session")
  if seconds then
    self.pool:wait(seconds)
    self.pool.done = {}
  end
  local outcome = self.outcome
  if self.due then
    return false
  elseif outcome.kind then
    return nil, outcome.message or "it broke", outcome.kind, outcome.cause
  end
  local headers = outcome.headers or {}
  return { status = outcome.status or 200, reason = "", version = 2, headers = headers,
           body = outcome.body or "" }, headers["content-encoding"] ~= nil
end

function Session:certificate()
  return self.outcome.certificate
end

function Session:timing()
  return self.core.timing
end

local function give_up(self)
  if self.due then
    self.due = nil
    self.core.running = self.core.running - 1
  end
end

function Session:cancel()
  check_open(self, "session")
  self.cancelled = true
  give_up(self)
end

function Session:close()
  self.closed = true
  give_up(self)
end

--- Replaces the core by a fake one, for the modules that use it.
-- @treturn table the core: set its `respond`, read its `sent`, `most`, `time`
-- @treturn function restores the core
function M.install()
  local core, replaced = new_core(), {}
  for _, name in ipairs(ABOVE) do
    replaced[name], package.loaded[name] = package.loaded[name], nil
  end
  package.loaded["pcapi.core"] = core
  return core, function()
    for _, name in ipairs(ABOVE) do
      package.loaded[name] = replaced[name]
    end
  end
end

return M
