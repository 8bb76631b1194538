-- client.lua fetch|list AT_ONCE COUNT 1.1|2 SETTINGS: does with pcapi what the C floors do.
-- If AT_ONCE is more than 1, it sends all requests once to open connections, then again, and prints
-- the wall and CPU seconds of the second time, as every peer does.
local core = require "pcapi.core"
local pcapi = require "pcapi"

local how, at_once, count, http_version, settings =
  arg[1], tonumber(arg[2]), tonumber(arg[3]), arg[4], arg[5]
local base_url, ca_file = os.getenv "PCAPI_BASE_URL", os.getenv "PCAPI_CA_FILE"
local token = os.getenv "PCAPI_TOKEN"

local function fetcher()
  local url = base_url .. "/v1/nonMfaCompliantPartnerPrincipals"
  local options = {
    ca_file = ca_file, http_version = http_version,
    headers = { Accept = "application/json", Authorization = "Bearer " .. token,
                ["X-Sandbox"] = settings },
  }
  return function()
    return assert(assert(pcapi.fetch(url, options)).json)
  end
end

local function lister()
  local client = pcapi.new {
    base_url = base_url, ca_file = ca_file, http_version = http_version, token = token,
    headers = { ["X-Sandbox"] = settings },
  }
  return function()
    return assert(client.security:non_mfa_principals())
  end
end

local function one_after_the_other(call)
  for _ = 1, count do
    call()
  end
end

-- A task drops its response: otherwise 200 responses would count as memory.
local function round(loop, call)
  local function task()
    call()
    return true
  end
  local tasks = {}
  for i = 1, count do
    tasks[i] = task
  end
  local results = loop:run(tasks)
  for _, result in ipairs(results) do
    assert(result.value, result.err)
  end
end

local call = how == "fetch" and fetcher() or lister()
if at_once == 1 then
  one_after_the_other(call)
else
  local loop = pcapi.concurrent.new { limit = at_once }
  round(loop, call)
  local wall, cpu = core.now(), os.clock()
  round(loop, call)
  print(core.now() - wall, os.clock() - cpu)
end
