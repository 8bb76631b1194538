-- waiting.lua: prints the memory of a waiting task in bytes: of the Lua state, and resident in all
-- (including libcurl and OpenSSL). Each case runs in its own process. Run by: make waiting
local pcapi = require "pcapi"
local process = require "bench.process"

local TASKS = 10000

local function new_client(settings)
  return pcapi.new {
    base_url = os.getenv "PCAPI_BASE_URL", ca_file = os.getenv "PCAPI_CA_FILE",
    token = os.getenv "PCAPI_TOKEN", timeout = 600,
    headers = { ["X-Sandbox"] = settings .. "; label=waiting" },
  }
end

local function arrived()
  local response = assert(pcapi.fetch(
    os.getenv "PCAPI_BASE_URL" .. "/_sandbox/gauge?label=waiting",
    { ca_file = os.getenv "PCAPI_CA_FILE" }))
  return assert(response.json).requests
end

local function listing(client)
  return function()
    return client.security:non_mfa_principals()
  end
end

-- Sleeps for a second first, so that all tasks have begun before one sends a request.
local function listing_later(client)
  return function(loop)
    loop:sleep(1)
    return client.security:non_mfa_principals()
  end
end

local CASES = {
  { name = "not begun", settings = "delay=500", limit = 1, arrivals = 1, task = listing },
  { name = "waiting for a free slot, in a call", settings = "delay=500", limit = 1, arrivals = 1,
    task = listing_later },
  { name = "asleep before a retry", settings = "status=503; retry_after=500", limit = 200,
    arrivals = TASKS, task = listing },
  { name = "waiting for a response, HTTP/2", settings = "delay=500", limit = TASKS,
    arrivals = TASKS, task = listing },
}

local function full_collection()
  collectgarbage()
  collectgarbage()
end

local function step_until(loop, is_over)
  local patience = os.time() + 60
  repeat
    local pause = os.time() + 1
    repeat
      loop:step(0.1)
    until os.time() > pause
    assert(os.time() < patience, "the tasks do not reach the state in 60 seconds")
  until is_over()
end

local function measure(case)
  local client = new_client(case.settings)
  local loop = assert(pcapi.concurrent.new { limit = case.limit })
  local act = case.task(client)
  arrived()
  full_collection()
  local state, resident = collectgarbage "count" * 1024, process.resident()
  local tasks = {}
  for i = 1, TASKS do
    tasks[i] = loop:add(act)
  end
  step_until(loop, function()
    return arrived() >= case.arrivals
  end)
  step_until(loop, function() -- waits until the last request has its response
    return true
  end)
  full_collection()
  state, resident = collectgarbage "count" * 1024 - state, process.resident() - resident
  for _, task in ipairs(tasks) do
    assert(not task.done, task.err)
  end
  print(("%-34s %8.0f %10.0f"):format(case.name, state / TASKS, resident / TASKS))
  loop:stop()
  while loop:step() > 0 do end
  loop:close()
end

if arg[1] then
  measure(CASES[tonumber(arg[1])])
else
  print(("%-34s %8s %10s"):format("bytes of a task that is", "Lua", "resident"))
  io.stdout:flush()
  for i in ipairs(CASES) do
    local ok = os.execute(("%s bench/waiting.lua %d"):format(arg[-1], i))
    assert(ok == true or ok == 0) -- 0 in Lua 5.1
  end
end
