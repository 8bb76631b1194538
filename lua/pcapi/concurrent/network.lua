--- The requests in flight, and which task waits for which response.
-- @classmod pcapi.concurrent.network
local sessions = require "pcapi.http.sessions"

local M = {}

-- Bytes of a body, which may be compressed. Its tables may take fifty times as much memory.
local LARGE = 16 * 1024

local Network = {}
Network.__index = Network
Network.__name = "pcapi.concurrent.network"

--- Opens a pool of connections.
-- @tparam table bounds of `pcapi.http.sessions`
-- @treturn[1] pcapi.concurrent.network
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config: no descriptor is left
function M.open(bounds)
  local self = setmetatable({ sessions = sessions.new(bounds) }, Network)
  self:forget()
  local pool, err = self.sessions:open()
  if not pool then
    return nil, err
  end
  return self
end

--- Forgets which tasks wait.
function Network:forget()
  self.tasks = {} -- by the id of their session
end

--- Whether there is a pool.
-- @treturn boolean
function Network:is_open()
  return self.sessions.pool ~= nil
end

--- Sends a request.
-- @tparam table task that waits for the response
-- @tparam table connection of `pcapi.http.sessions`
-- @tparam table request
-- @treturn[1] userdata a session, for @{response} and @{cancel}
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function Network:start(task, connection, request)
  local session, err = self.sessions:start(connection, request)
  if session then
    self.tasks[session:id()] = task
  end
  return session, err
end

--- Waits for responses.
-- @tparam number seconds at most
-- @tparam table ready the queue that takes the tasks whose response has come
-- @tparam table large the queue that takes those whose response is large
-- @treturn number responses that have come
function Network:receive(seconds, ready, large)
  local pool, count = self.sessions.pool, 0
  pool:wait(seconds)
  for id, bytes in pool.next, pool do
    local task = self.tasks[id]
    self.tasks[id] = nil
    if task then -- else its task was dropped
      (bytes < LARGE and ready or large):push(task)
      count = count + 1
    end
  end
  return count
end

--- Whether the memory has room for one more response.
-- @treturn boolean
function Network:has_room()
  return self.sessions.pool:has_room()
end

--- Reads a response that has come.
-- @tparam userdata session
-- @tparam table reading `url`, `max_body` (bytes), `timing` and `buffer` of the request
-- @return as `send` of a transport
function Network:response(session, reading)
  return self.sessions:response(session, reading)
end

--- Cancels a request.
-- @tparam userdata session
function Network:cancel(session)
  self.sessions:cancel(session)
end

--- Closes the connections, and cancels all requests.
function Network:close()
  self.sessions:close()
end

--- A descriptor to be polled for reading.
-- @treturn number
function Network:descriptor()
  return self.sessions.pool:descriptor()
end

--- When the pool needs attention although its descriptor is not readable.
-- @treturn ?number seconds
function Network:timeout()
  return self.sessions.pool:timeout()
end

return M
