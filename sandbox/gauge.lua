--- The load that comes under one label, over all workers: for specs that hold a client
-- to its limits.
local M = {}

local shelf = ngx.shared.gauge
local TIMES = 1000 -- so many arrivals are noted one by one

local here = 0 -- requests with a label in this worker: most have none, and cost nothing

--- Counts the current request as one of a label.
-- @tparam string label
function M.arrive(label)
  ngx.update_time()
  local number = shelf:incr(label .. " requests", 1, 0) or 0
  local at_once = shelf:incr(label .. " at once", 1, 0) or 0
  shelf:add(label .. " most " .. at_once, true) -- one by one: no two workers race for a maximum
  if shelf:add(label .. " connection " .. ngx.var.connection, true) then
    shelf:incr(label .. " connections", 1, 0)
  end
  shelf:add(label .. " first", ngx.now())
  shelf:set(label .. " last", ngx.now())
  if number <= TIMES then
    shelf:set(label .. " time " .. number, ngx.now())
  end
  ngx.ctx.label = label
  here = here + 1
end

--- The answer of the current request goes out: from now on the client may send another.
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

--- What came under a label.
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
  return ('{"requests":%s,"most_at_once":%d,"connections":%s,"first":%s,"last":%s,"times":[%s]}')
    :format(number(label, "requests"), most, number(label, "connections"),
            number(label, "first"), number(label, "last"), table.concat(times, ","))
end

return M
