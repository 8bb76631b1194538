--- What the workers of one nginx share: texts, locks and tokens in a lua_shared_dict.
local contract = require "spec.support.store_contract"
local folders = require "spec.support.folder"
local nginx = require "spec.support.nginx"
local tenant_ = require "spec.support.tenant"
local workers = require "spec.support.workers"

teardown(folders.remove)

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

describe("a browser that goes away while a token is renewed for it", function()
  after_each(nginx.stop_all)

  for name, store in pairs {
    ["the dictionary"] = "", ["memory"] = "store = pcapi.auth.memory_store(),",
    ["files"] = "store = pcapi.auth.file_store(os.getenv 'SPEC_FOLDER'),",
  } do
    it("holds up nobody, and loses no token: kept in " .. name, function()
      local tenant = tenant_.new "delay=1"
      local folder = folders.new()
      local machine = workers.start { init = tenant:init(nil, store),
                                      http = "lua_check_client_abort on;",
                                      env = { "SPEC_FOLDER=" .. folder } }
      local left = machine:begin({ "/run" }, { method = "POST", body = CALL, timeout = 0.3 })
      assert.equal(0, left:finish()[1].status)
      local results = machine:run_all(10, CALL)
      for _, result in ipairs(results) do
        assert.equal(25, result.values[1])
        assert.is_true(result.seconds < 2)
      end
      assert.equal(1, tenant:refreshes())
    end)
  end
end)

describe("a worker that is killed while it renews a token", function()
  after_each(nginx.stop_all)

  it("holds up the others for less than a second", function()
    local tenant = tenant_.new "delay=1;times=1"
    local machine = workers.start { workers = 2, init = tenant:init() }
    local running = machine:begin({ "/run" }, { method = "POST", body = CALL })
    assert.is_true(nginx.wait_for(function() return tenant:refreshes() == 1 end))
    local holder = machine:run "return ngx.shared.pcapi:get('lock spec')":match "^%d+"
    os.execute("kill -KILL " .. holder)
    assert.equal(0, running:finish()[1].status)
    local result = machine:run_all(1, CALL)[1]
    assert.equal(25, result.values[1])
    assert.is_true(result.seconds < 1)
  end)
end)

describe("a token that is renewed", function()
  after_each(nginx.stop_all)

  it("is never lost, though requests for it go away: the newest refresh token is kept", function()
    local tenant = tenant_.new "rotate=once;delay=0.05"
    local machine = workers.start { workers = 4, init = tenant:init() .. [[
      context = function()
        return require("pcapi.auth.context").new {
          transport = assert(require("pcapi.nginx.transport").new()), timeout = 20,
        }
      end
    ]], http = "lua_check_client_abort on;" }
    local code = [[
      local token
      for _ = 1, 10 do -- refuses what it is given: each time another one is renewed
        token = assert(account:token(token, context()))
      end
      return token ~= nil
    ]]
    local running = machine:begin_runs(20, code)
    for i = 1, 8 do
      machine:begin({ "/run", "/run" }, { method = "POST", body = code,
                                          timeout = 0.02 * i }):finish()
    end
    for _, result in ipairs(running:finish()) do
      assert.is_true(result.values[1])
    end
    assert.is_true(tenant:refreshes() > 8)
    assert.is_true((machine:run(code)))
  end)
end)
