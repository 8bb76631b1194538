-- cqueues.lua: calls of pcapi inside a cqueues loop, where other things go on meanwhile;
-- here a ticker. Asks how many requests came with MFA on each of the last 20 days, all at
-- once.
--
--     apt install lua-cqueues
--     PCAPI_TOKEN=… lua5.4 examples/cqueues.lua
local cqueues = require "cqueues"
local pcapi = require "pcapi"

local client = pcapi.new {
  token = os.getenv "PCAPI_TOKEN",
  base_url = os.getenv "PCAPI_BASE_URL", -- both for the sandbox; nil is Microsoft's service
  ca_file = os.getenv "PCAPI_CA_FILE",
}

local function ask(day)
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
  loop:add(function() ask(day) end)
end

local main = cqueues.new()
local ticks, done = 0, false

main:wrap(function()
  while not done do
    cqueues.sleep(0.01)
    ticks = ticks + 1
  end
end)

-- From here on it is the same for any calls: cqueues asks the loop what to wait for.
main:wrap(function()
  while loop:step(0) > 0 do
    cqueues.poll(loop)
  end
  cqueues.cancel(loop:pollfd()) -- before the descriptor is closed
  loop:close()
  done = true
end)

assert(main:loop())
print(("the ticker ticked %d times meanwhile"):format(ticks))
