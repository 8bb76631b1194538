-- cqueues.lua: calls pcapi inside a cqueues loop, while a ticker runs beside it. Counts the
-- requests with MFA on each of the last 20 days; all days at the same time.
--
--     apt install lua-cqueues
--     PCAPI_TOKEN=… lua5.4 examples/cqueues.lua
local cqueues = require "cqueues"
local pcapi = require "pcapi"

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

local main = cqueues.new()
local ticks, done = 0, false

main:wrap(function()
  while not done do
    cqueues.sleep(0.01)
    ticks = ticks + 1
  end
end)

-- The rest works for any calls: cqueues polls the loop as one of its own objects.
main:wrap(function()
  while loop:step(0) > 0 do
    cqueues.poll(loop)
  end
  cqueues.cancel(loop:pollfd()) -- before the descriptor is closed
  loop:close()
  done = true
end)

assert(main:loop())
print(("the ticker ticked %d times in the meantime"):format(ticks))
