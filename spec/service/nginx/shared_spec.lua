--- What the workers of one nginx share: texts, locks and tokens in a lua_shared_dict.
local contract = require "spec.support.store_contract"
local nginx = require "spec.support.nginx"
local tenant_ = require "spec.support.tenant"
local workers = require "spec.support.workers"

local CALL = [[
  local users, err = client.security:non_mfa_principals()
  return users and #users or tostring(err)
]]

-- All gave this, and more than one worker was at it.
local function all_gave(expected, results)
  local pids, different = {}, 0
  for _, result in ipairs(results) do
    assert.equal(expected, result.values[1])
    different = different + (pids[result.pid] and 0 or 1)
    pids[result.pid] = true
  end
  assert.is_true(different > 1)
end

describe("the store of an nginx", function()
  local server

  lazy_setup(function()
    server = workers.start { init = [[
      contract = require "spec.support.store_contract"
      new_store = function()
        ngx.shared.pcapi:flush_all()
        return pcapi.shared { dict = "pcapi" }
      end
    ]] }
  end)

  lazy_teardown(nginx.stop_all)

  for name in pairs(contract) do
    it(name, function()
      server:run(("contract[%q](new_store)"):format(name))
    end)
  end
end)

describe("workers that need a token", function()
  after_each(nginx.stop_all)

  it("at once make one call for it", function()
    local tenant = tenant_.new "delay=0.3"
    local server = workers.start { workers = 4, init = tenant:init() }
    all_gave(25, server:run_all(100, CALL))
    assert.equal(1, tenant:refreshes())
  end)

  it("near its end make one more call", function()
    local tenant = tenant_.new "delay=0.3;life=8"
    local server = workers.start { workers = 4, init = tenant:init() }
    all_gave(25, server:run_all(100, CALL))
    os.execute "sleep 4.1"
    all_gave(25, server:run_all(100, CALL))
    assert.equal(2, tenant:refreshes())
  end)

  it("after it was refused make one more call", function()
    local tenant = tenant_.new "delay=0.3;scenario=revoke_after%3D20"
    local server = workers.start { workers = 4, init = tenant:init() }
    all_gave(25, server:run_all(40, CALL))
    assert.equal(2, tenant:refreshes())
  end)
end)
