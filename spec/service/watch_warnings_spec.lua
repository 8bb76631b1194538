--- Warnings of `pcapi watch` about what is known of a tenant: gaps, coverage, silent applications.
local cjson = require("cjson").new()
local folder = require "spec.support.folder"
local watched = require "spec.support.watched"

local tell = watched.tell

local function messages(home, now)
  local result = home:run(now)
  assert.equal(0, result.status, result.err)
  return result.err
end

describe("a warning of pcapi watch", function()
  teardown(folder.remove)

  it("names the time of the next run if the service has more requests than it returns", function()
    -- 10,000 requests are 3 days, 11 hours and 20 minutes: half of it after this one
    local home = tell "2026-11-01 svc@fabrikam.example requests app=Sync; every=30s; count=60000"
    assert.equal("pcapi: the service returned its newest requests only; to miss none, run pcapi "
      .. "watch again by 2026-11-13 23:39:45 UTC, and as often from then on\n",
      messages(home, "2026-11-12T06:00:00Z"))
    assert.equal("", messages(home, "2026-11-14T06:00:00Z"))
    assert.equal("pcapi: the requests from 2026-11-14 06:00:00 UTC to 2026-11-15 18:40:30 UTC are "
      .. "missing: the service returns its newest only. Run pcapi watch again by 2026-11-20 "
      .. "23:39:45 UTC, and as often from then on\n", messages(home, "2026-11-19T06:00:00Z"))
  end)

  it("says which share of the requests is known, if the service cuts its list silently", function()
    local home = tell [[
      2026-11-01 svc@fabrikam.example requests app=Sync; every=1h; until=2026-11-20
      2026-11-01 service sends newest=48; only=requests]]
    local result = home:run("2026-11-12T00:30:00Z", { "-o", "json" })
    assert.equal("pcapi: 39 % of the requests that adoption counts are known; who uses which "
      .. "application may be incomplete\n", result.err)
    local warnings = cjson.decode(result.out).tenants[1].warnings
    assert.equal("pcapi: " .. warnings[1] .. "\n", result.err)
  end)

  it("names an application that sends no requests any more, once a week", function()
    local home = tell [[
      2026-11-01 svc@fabrikam.example requests app=Sync; every=6h; until=2026-11-10; mfa=1
      2026-11-01 svc@fabrikam.example requests app=Other; every=6h; until=2026-12-01; mfa=1]]
    local said = {}
    for day = 4, 23 do
      local message = messages(home, ("2026-11-%02dT06:00:00Z"):format(day))
      said[day] = message ~= "" and message or nil
    end
    assert.same({
      [14] = "pcapi: Sync has sent no request for 4 days, the last one on 2026-11-09; the service "
        .. "may refuse it\n",
      [21] = "pcapi: Sync has sent no request for 11 days, the last one on 2026-11-09; the service "
        .. "may refuse it\n",
    }, said)
  end)

  it("is told to each reader", function()
    local home = tell "2026-11-01 svc@fabrikam.example requests app=Sync; every=30s; count=60000"
    assert.not_equal("", messages(home, "2026-11-12T06:00:00Z"))
    assert.equal("", messages(home))
    assert.truthy(home:run(nil, { "--reader", "admin" }).err:find("newest requests only", 1, true))
    assert.equal("", home:run(nil, { "--reader", "admin" }).err)
  end)
end)
