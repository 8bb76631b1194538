--- Uses the client over libcurl's multi handle, polled every millisecond while a call runs.
-- luacheck: std max+ngx_lua
local respond = require "bench.nginx.respond"
local core = require "pcapi.core"
local pcapi = require "pcapi"
local semaphore = require "ngx.semaphore"
local service = require "bench.nginx.service"
local sessions = require "pcapi.http.sessions"

local PAUSE = 0.001 -- seconds
local IDLE = 512 -- connections

local waiting, polls = {}, false -- semaphores by the id of their session

local Transport = { sessions = sessions.new { idle = IDLE, watched = true } }
Transport.__index = Transport

local function poll(premature)
  while not premature and next(waiting) do
    local pool = Transport.sessions.pool
    pool:wait(0)
    for id in pool.next, pool do
      local waiter = waiting[id]
      waiting[id] = nil
      waiter:post()
    end
    ngx.sleep(PAUSE)
  end
  polls = false
end

function Transport:send(request)
  local session, err = self.sessions:start(self.connection, request)
  if not session then
    return nil, err
  end
  local waiter = semaphore.new()
  waiting[session:id()] = waiter
  if not polls then
    polls = ngx.timer.at(0, poll)
  end
  waiter:wait(request.timeout + 1)
  return self.sessions:response(session, request)
end

function Transport:sleep(seconds) -- luacheck: ignore self
  ngx.sleep(seconds)
  return true
end

function Transport:now() -- luacheck: ignore self
  return core.now()
end

function Transport:close()
  self.sessions:close()
end

local client = pcapi.new(service.client {
  transport = setmetatable({
    connection = sessions.connection {
      ca_file = service.ca_file, http_1_1 = true, allow_http = false,
    },
  }, Transport),
})

return function()
  local users, err = client.security:non_mfa_principals()
  respond(users and #users, err)
end
