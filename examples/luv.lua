-- luv.lua: calls pcapi inside a libuv loop, while a ticker runs beside it. Counts the requests with
-- MFA on each of the last 20 days; all days at the same time.
--
--     apt install lua-luv
--     PCAPI_TOKEN=… lua5.4 examples/luv.lua
local pcapi = require "pcapi"
local uv = require "luv"

local client = pcapi.new {
  token = os.getenv "PCAPI_TOKEN",
  base_url = os.getenv "PCAPI_BASE_URL", -- for the sandbox; nil means Microsoft's service
  ca_file = os.getenv "PCAPI_CA_FILE",
}

local function count_requests(day)
  local rows, err = client.security:application_mfa_adoption_status { startDate = day,
                                                                      endDate = day }
  if not rows then
    return print(day, err)
  end
  local with_mfa, all = 0, 0
  for _, row in ipairs(rows) do
    with_mfa = with_mfa + (row.mfaCompliantRequestCount or 0)
    all = all + (row.totalRequestCount or 0)
  end
  print(day, ("%d of %d requests with MFA"):format(with_mfa, all))
end

local loop = assert(pcapi.concurrent.new { limit = 20 })
for i = 1, 20 do
  local day = pcapi.time.format_date(os.time() - i * 86400)
  loop:add(function() count_requests(day) end)
end

local ticks, ticker = 0, uv.new_timer()
ticker:start(10, 10, function() ticks = ticks + 1 end)

-- The rest works for any calls: take a step when the descriptor is readable or the timer fires, and
-- set the timer again after each step.
local poll, timer = uv.new_poll(loop:pollfd()), uv.new_timer()

local function step()
  if loop:step(0) == 0 then
    poll:close() -- before the descriptor is closed
    timer:close()
    ticker:close()
    return loop:close()
  end
  local seconds = loop:timeout()
  if seconds then
    timer:start(math.ceil(seconds * 1000), 0, step)
  else
    timer:stop()
  end
end

poll:start("r", step)
step()
uv.run()
print(("the ticker ticked %d times in the meantime"):format(ticks))
