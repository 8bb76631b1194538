--- Counts the requests with one label, over all workers. Specs use it to check a client's limits.
local M = {}

local shelf = ngx.shared.gauge
local TIMES = 1000 -- how many arrival times are recorded

local here = 0 -- labelled requests in this worker; requests without a label cost nothing

--- Counts the current request under a label.
-- @tparam string label
function M.arrive(label)
  ngx.update_time()
  local number = shelf:incr(label .. " requests", 1, 0) or 0
  local at_once = shelf:incr(label .. " at once", 1, 0) or 0
  shelf:add(label .. " most " .. at_once, true) -- a key for each value: no race between workers
  if shelf:add(label .. " connection " .. ngx.var.connection, true) then
    shelf:incr(label .. " connections", 1, 0)
  end
  if number <= TIMES then
    shelf:set(label .. " time " .. number, ngx.now())
  end
  ngx.ctx.label = label
  here = here + 1
end

--- Marks the start of the current response: from now on the client may send another request.
function M.leave()
  local label = here > 0 and ngx.ctx.label
  if label then
    ngx.ctx.label = nil
    here = here - 1
    shelf:incr(label .. " at once", -1)
  end
end

local function number(label, name)
  return ("%.14g"):format(shelf:get(label .. " " .. name) or 0)
end

--- Returns the counters of a label.
-- @tparam string label
-- @treturn string a JSON object
function M.read(label)
  local most, times = 0, {}
  while shelf:get(label .. " most " .. most + 1) do
    most = most + 1
  end
  for at = 1, math.min(TIMES, shelf:get(label .. " requests") or 0) do
    times[at] = number(label, "time " .. at)
  end
  return ('{"requests":%s,"most_at_once":%d,"connections":%s,"times":[%s]}')
    :format(number(label, "requests"), most, number(label, "connections"),
            table.concat(times, ","))
end

return M
