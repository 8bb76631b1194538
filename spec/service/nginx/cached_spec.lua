--- A value that one worker loads for all.
local cached = require "spec.support.cached"
local nginx = require "spec.support.nginx"
local workers = require "spec.support.workers"

local GET, loads, returns, takes = cached.GET, cached.loads, cached.returns, cached.takes
local all_return = workers.all_return

after_each(nginx.stop_all)

describe("a cached value", function()
  it("is loaded once, for all workers", function()
    local machine = cached.start { workers = 4 }
    takes(machine, 0.3)
    all_return(1, machine:run_all(100, GET))
    all_return(1, machine:run_all(100, GET))
    assert.equal(1, loads(machine))
  end)

  it("is returned with its age while it is fresh", function()
    local machine = cached.start()
    machine:run(GET)
    os.execute "sleep 0.3"
    local value, age, is_stale, err = machine:run(GET)
    assert.same({ 1, false }, { value, is_stale, err })
    assert.is_true(age >= 0.3 and age < 2)
  end)

  it("is returned at once while it is stale, and loaded again once", function()
    local machine = cached.start { workers = 4, fresh = 1 }
    machine:run_all(40, GET)
    takes(machine, 1)
    os.execute "sleep 1.1"
    local stale = machine:run_all(100, GET)
    all_return(1, stale)
    assert.is_true(workers.slowest(stale) < 0.8)
    for _, result in ipairs(stale) do
      assert.is_true(result.values[3])
    end
    os.execute "sleep 1"
    all_return(2, machine:run_all(40, GET))
    assert.equal(2, loads(machine))
  end)

  it("is not returned once it is too old", function()
    local machine = cached.start { fresh = 0.2, stale = 0.5 }
    machine:run(GET)
    returns(machine, 'return nil, "no more"')
    os.execute "sleep 0.6"
    local value, err = machine:run(GET)
    assert.is_nil(value)
    assert.matches("no more", err, 1, true)
  end)

  it("is loaded again if its time is in the future", function()
    for _, at in ipairs { "9999999999.000", ("9"):rep(400), "ngx.now() + 3600" } do
      local machine = cached.start()
      machine:run(([[shared:set("cached:spec/value", ('{"at":%%s,"value":"FOREIGN"}'):format(%s))]])
        :format(at:find "now" and at or ("%q"):format(at)))
      machine:run 'shared.dict:set_mark("cached at spec/value", "9999999999.000", 60)'
      for _ = 1, 2 do
        assert.equal(1, (machine:run(GET)))
      end
      machine:stop()
    end
  end)

  it("is loaded again after the clock was set back", function()
    local machine = cached.start()
    machine:run [[
      local now = ngx.now
      ngx.now = function() return now() + 1e8 end
      value:get()
      ngx.now = now
    ]]
    local value, age, is_stale = machine:run(GET)
    assert.same({ 2, false }, { value, is_stale })
    assert.is_true(age < 60)
  end)

  it("may be false, a string or a table, and is the same in all workers", function()
    local machine = cached.start { workers = 2, fresh = 0.1 }
    for code, shown in pairs { ["return false"] = "false", ['return ""'] = '""',
                               ["return { a = 1, [2] = true }"] = '{"2":true,"a":1}' } do
      returns(machine, code)
      os.execute "sleep 0.2"
      machine:run(GET)
      os.execute "sleep 0.1"
      local show = 'return require("pcapi.format.json").compact((value:get()))'
      all_return(shown, machine:run_all(20, show))
    end
  end)

  it("is loaded even if the request for it is aborted", function()
    local machine = cached.start { http = "lua_check_client_abort on;" }
    takes(machine, 0.5)
    local aborted = machine:begin({ "/run" }, { body = GET, timeout = 0.2 })
    assert.equal(0, aborted:finish()[1].status)
    assert.equal(1, (machine:run(GET)))
    assert.equal(1, loads(machine))
  end)

  it("is returned in a phase that cannot wait, once it is loaded", function()
    local machine = cached.start { fresh = 0.5, server = [[
      location = /log {
        return 204;
        log_by_lua_block {
          local got, state = value:get()
          ngx.log(ngx.ERR, "LOG ", tostring(got), " ", got == nil and tostring(state) or "")
        }
      }
    ]] }
    machine:get "/log"
    assert.equal(1, machine:count_in_log("LOG nil config: value is not loaded yet, and pcapi "
      .. "cannot wait for it in the nginx phase log"))
    machine:run(GET)
    machine:get "/log"
    assert.equal(1, machine:count_in_log "LOG 1")
    os.execute "sleep 0.6"
    machine:get "/log"
    assert.is_true(nginx.wait_for(function() return loads(machine) == 2 end))
    machine:get "/log"
    assert.same({ 2, 1 }, { machine:count_in_log "LOG 1", machine:count_in_log "LOG 2" })
  end)

  it("is returned in init_by_lua after a reload, even a stale one", function()
    local machine = workers.start {
      init = [[
        value = pcapi.shared({ dict = "pcapi" }):cached {
          of = "spec", name = "value", fresh = 0.1, load = function() return "loaded" end,
        }
        in_init = tostring((value:get()))
      ]],
    }
    assert.equal("nil", (machine:run "return in_init"))
    assert.equal("loaded", (machine:run "return (value:get())"))
    os.execute "sleep 0.2"
    local old = machine:workers()[1]
    machine:signal "HUP"
    assert.is_true(nginx.wait_for(function()
      local now = machine:workers()[1]
      return now and now ~= old
    end), machine:log())
    assert.equal("loaded", (machine:run "return in_init"))
  end)
end)

describe("the options of a cached value", function()
  for words, options in pairs {
    ['option "of" is missing: the client that load is called with'] =
      '{ name = "other", load = print, fresh = 1 }',
    ['option "of" must be a client'] = '{ of = {}, name = "other", load = print, fresh = 1 }',
    ['option "of" must be table or one line'] =
      '{ of = 5, name = "other", load = print, fresh = 1 }',
    ["the tenant of this client is unknown"] = '{ of = pcapi.new { token = function() end }, '
      .. 'name = "other", load = print, fresh = 1 }',
    ['option "load" is missing'] = '{ of = "spec", name = "other", fresh = 1 }',
    ['did you mean "fresh"'] = '{ of = "spec", name = "other", load = print, frehs = 1 }',
    ['"stale" must be 315360000 seconds at most'] =
      '{ of = "spec", name = "other", load = print, fresh = 10, stale = math.huge }',
    ['"retry" must be 315360000 seconds at most'] =
      '{ of = "spec", name = "other", load = print, fresh = 10, retry = 1e300 }',
    ['cannot be less than "fresh"'] =
      '{ of = "spec", name = "other", load = print, fresh = 10, stale = 5 }',
    ['the name "value" is in use already'] =
      '{ of = "spec", name = "value", load = print, fresh = 1 }',
  } do
    it("raise at the caller's line: " .. words, function()
      local _, message = cached.start():run("return pcall(function()\nlocal made = shared:cached "
        .. options .. "\nreturn made end)")
      assert.matches(":2: cached", message, 1, true)
      assert.matches(words, message, 1, true)
    end)
  end

  it("raise if the colon of the call is missing", function()
    local machine = cached.start()
    for _, call in ipairs { "value.get()", 'shared.cached { name = "other" }' } do
      local _, message = machine:run("return pcall(function() local got = " .. call
        .. " return got end)")
      assert.matches("call it with a colon", message, 1, true)
    end
  end)
end)
