-- soak.lua [SECONDS [EXCHANGES]]: 200 tasks over 20 clients ask in a loop until one of the
-- two is reached. Fails when memory grew by more than 2 % in the second half, or when a
-- handle or a descriptor is left. What comes before is told: libcurl, OpenSSL and malloc take
-- a while to have all they will ever need, as in a plain C program.
-- Run by: make soak, or make soak SOAK="60 100000"
local core = require "pcapi.core"
local pcapi = require "pcapi"
local process = require "bench.process"

local SECONDS, EXCHANGES = tonumber(arg[1]) or 300, tonumber(arg[2]) or 1e6
local TASKS, CLIENTS = 200, 20
local EVERY = 10 -- seconds between two lines
local GROWTH = 2 -- percent

io.stdout:setvbuf "line"
local exchanges, over = 0, false
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

local function asks(client)
  return function()
    while not over do
      assert(client.security:non_mfa_principals())
      exchanges = exchanges + 1
      over = over or exchanges >= EXCHANGES
    end
    return true
  end
end

local function tell(seconds)
  print(("%4.0f s  %8d exchanges  %6.1f MB resident  %d descriptors"):format(seconds, exchanges,
    process.resident() / 1e6, process.descriptors() - descriptors_before))
end

-- Gives the memory after a tenth, after a half and at the end, while all is still open.
local function load_it(loop)
  local started, told, tenth, half = core.now(), 0, nil, nil
  while loop:step(0.25) > 0 do
    local seconds = core.now() - started
    over = over or seconds >= SECONDS
    local part = math.max(seconds / SECONDS, exchanges / EXCHANGES)
    tenth = tenth or part >= 0.1 and process.resident() or nil
    half = half or part >= 0.5 and process.resident() or nil
    if seconds - told >= EVERY then
      told = seconds
      tell(seconds)
    end
  end
  tell(core.now() - started)
  return tenth, half, process.resident()
end

-- In a function of its own, so that nothing of it is alive afterwards.
local function soak()
  local loop = assert(pcapi.concurrent.new { limit = TASKS })
  local clients, tasks = new_clients(), {}
  for i = 1, TASKS do
    tasks[i] = loop:add(asks(clients[i % CLIENTS + 1]))
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
