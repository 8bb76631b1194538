--- Checks the forms sent to the endpoints `token` and `devicecode`, and produces their faults.
local client = require "sandbox.login.client"
local errors = require "sandbox.login.errors"
local faults = require "sandbox.faults"
local grants = require "sandbox.login.grants"

local M = {}

-- A check returns nothing, or an AADSTS code and the details of the error response.
local CHECKS = {
  function(call)
    if call.method ~= "POST" then
      return 900561, { words = { verb = "POST" } }
    end
  end,
  function(call)
    if call.twice then
      return 9000411, { words = { name = call.twice } }
    end
  end,
  function(call)
    if call.endpoint == "token" and not call.parameters.grant_type then
      return 900144, { words = { name = "grant_type" } }
    elseif not call.parameters.client_id then
      return 900144, { words = { name = "client_id" } }
    end
  end,
  function(call)
    if call.version == 2 and call.parameters.resource then
      return 901002
    end
  end,
  function(call)
    local grant_type = call.parameters.grant_type
    if call.endpoint == "token" and not grants.knows(grant_type) then
      return 70003
    end
  end,
  function(call)
    if call.endpoint == "token" then
      return client.refuse(call)
    end
  end,
}

--- Refuses an invalid request.
-- @treturn boolean whether a response was sent
function M.is_refused(call)
  for _, check in ipairs(CHECKS) do
    local code, how = check(call)
    if code then
      errors.refuse(call, code, how)
      return true
    end
  end
  return false
end

-- AADSTS codes for the setting `status` alone
local CODES_OF_STATUS = { [401] = 7000215, [408] = 90012, [429] = 90055, [500] = 50000,
                          [503] = 90033 }

local function refuse_by_status(call, status)
  if status == 502 or status == 504 then
    return errors.send(call, status, faults.spoilt.html())
  end
  errors.refuse(call, CODES_OF_STATUS[status] or 9002313, { status = status })
end

-- `times` counts the requests of one login to one endpoint.
local function is_due(call)
  local settings = call.settings
  if call.endpoint ~= (settings.on or "token") then
    return false
  end
  return not settings.times
    or ngx.shared.login:incr("times " .. call.key, 1, 0) <= settings.times
end

--- Applies the faults that the settings request.
-- @treturn boolean whether a response was sent
function M.play(call)
  local settings = call.settings
  if not is_due(call) then
    return false
  end
  if settings.delay then
    ngx.sleep(settings.delay)
  end
  if settings.cut then
    ngx.exit(faults.CLOSE)
  end
  ngx.header["Retry-After"] = faults.retry_after(settings.retry_after)
  call.spoil = settings.body
  if call.spoil and call.spoil ~= "truncated" then -- as a proxy would respond
    errors.send(call, settings.status or 200, "")
  elseif settings.aadsts then
    errors.refuse(call, settings.aadsts, { error = settings.error, status = settings.status })
  elseif settings.error then
    errors.refuse(call, settings.error, { status = settings.status })
  elseif settings.status then
    refuse_by_status(call, settings.status)
  else
    return false
  end
  return true
end

return M
