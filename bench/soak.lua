-- soak.lua [SECONDS [REQUESTS]]: 200 tasks with 20 clients send requests until one of the limits is
-- reached. Fails if memory grows by more than 2 % in the second half, or if a handle or a
-- descriptor is left open. Growth in the first half is only printed: libcurl, OpenSSL and malloc
-- allocate their memory gradually, as in a plain C program.
-- Run by: make soak, or make soak SOAK="60 100000"
local core = require "pcapi.core"
local pcapi = require "pcapi"
local process = require "bench.process"

local SECONDS, REQUESTS = tonumber(arg[1]) or 300, tonumber(arg[2]) or 1e6
local TASKS, CLIENTS = 200, 20
local EVERY = 10 -- seconds between two lines of output
local GROWTH = 2 -- percent

io.stdout:setvbuf "line"
local requests, over = 0, false
local descriptors_before = process.descriptors()

local function new_clients()
  local clients = {}
  for i = 1, CLIENTS do
    clients[i] = pcapi.new {
      base_url = os.getenv "PCAPI_BASE_URL", ca_file = os.getenv "PCAPI_CA_FILE",
      token = os.getenv "PCAPI_TOKEN", headers = { ["X-Sandbox"] = "records=1; encoding=none" },
    }
  end
  return clients
end

local function send_requests(client)
  return function()
    while not over do
      assert(client.security:non_mfa_principals())
      requests = requests + 1
      over = over or requests >= REQUESTS
    end
    return true
  end
end

local function print_state(seconds)
  print(("%4.0f s  %8d requests  %6.1f MB resident  %d descriptors"):format(seconds, requests,
    process.resident() / 1e6, process.descriptors() - descriptors_before))
end

-- Returns the memory after a tenth, after a half and at the end, before anything is closed.
local function load_it(loop)
  local started, last_printed, tenth, half = core.now(), 0, nil, nil
  while loop:step(0.25) > 0 do
    local seconds = core.now() - started
    over = over or seconds >= SECONDS
    local part = math.max(seconds / SECONDS, requests / REQUESTS)
    tenth = tenth or part >= 0.1 and process.resident() or nil
    half = half or part >= 0.5 and process.resident() or nil
    if seconds - last_printed >= EVERY then
      last_printed = seconds
      print_state(seconds)
    end
  end
  print_state(core.now() - started)
  return tenth, half, process.resident()
end

-- In its own function, so that all of its values can be collected afterwards.
local function soak()
  local loop = assert(pcapi.concurrent.new { limit = TASKS })
  local clients, tasks = new_clients(), {}
  for i = 1, TASKS do
    tasks[i] = loop:add(send_requests(clients[i % CLIENTS + 1]))
  end
  local tenth, half, last = load_it(loop)
  for _, task in ipairs(tasks) do
    assert(task.value, task.err)
  end
  loop:close()
  for _, client in ipairs(clients) do
    client:close()
  end
  return (last / tenth - 1) * 100, (last / half - 1) * 100
end

local since_tenth, since_half = soak()
collectgarbage()
collectgarbage()
local descriptors = process.descriptors() - descriptors_before
print(("resident memory grew by %.2f %% after the first tenth, by %.2f %% in the second half; "
  .. "%d live handles, %d descriptors"):format(since_tenth, since_half, core.live(), descriptors))
os.exit(since_half <= GROWTH and core.live() == 0 and descriptors <= 0 and 0 or 1, true)
