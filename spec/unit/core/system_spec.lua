local core = require "pcapi.core"

local pool = assert(core.pool {})

local LIMITS = { timeout = 5, connect_timeout = 1, max_body = 1000, max_headers = 1000 }

-- A request that these specs never send: it is refused before.
local function request(changes)
  local made = { method = "GET", url = "https://127.0.0.1:1/", headers = {} }
  for name, value in pairs(LIMITS) do
    made[name] = value
  end
  for name, value in pairs(changes) do
    made[name] = value ~= "absent" and value or nil
  end
  return made
end

local function with_session(f)
  local session = assert(pool:http {})
  local ok, err = pcall(f, session)
  session:close()
  assert(ok, err)
end

describe("pcapi.core", function()
  it("was built for the Lua that runs it", function()
    local major, minor = _VERSION:match("(%d)%.(%d)")
    assert.equal(major * 100 + minor, core.build.lua)
  end)

  it("waits for sockets as make was told", function()
    assert.matches("^e?poll$", core.build.events)
    assert.equal(os.getenv "EVENTS" or core.build.events, core.build.events)
  end)

  it("shows which libcurl it uses", function()
    assert.matches("^%d+%.%d+%.%d+", core.build.libcurl_headers)
    assert.matches("^libcurl/%d+%.%d+", core.build.libcurl)
  end)

  it("has a clock that never runs backwards", function()
    local last = core.now()
    assert.is_number(last)
    for _ = 1, 1000 do
      local now = core.now()
      assert.is_true(now >= last)
      last = now
    end
  end)

  describe("sleep", function()
    it("for 0 or fewer seconds returns at once", function()
      assert.has_no.errors(function()
        core.sleep(0)
        core.sleep(-5)
      end)
    end)

    it("raises an error for a value that is not a number of seconds", function()
      assert.has_error(function() core.sleep() end)
      assert.has_error(function() core.sleep("soon") end)
      assert.has_error(function() core.sleep(math.huge) end)
      assert.has_error(function() core.sleep(0 / 0) end)
    end)
  end)

  describe("readable", function()
    it("is false at once for no descriptor and no time", function()
      assert.is_false(core.readable(-1, 0))
    end)

    it("raises an error for a value that is not a number of seconds", function()
      for _, seconds in ipairs { -1, 1e6, 0 / 0, "soon" } do
        assert.has_error(function() core.readable(0, seconds) end)
      end
      assert.has_error(function() core.readable "stdin" end)
    end)
  end)

  it("returns random numbers from 0 to below 1", function()
    local low, high = 1, 0
    for _ = 1, 1000 do
      local n = core.random()
      low, high = math.min(low, n), math.max(high, n)
    end
    assert.is_true(low >= 0 and high < 1)
    assert.is_true(low < 0.25 and high > 0.75)
  end)

  it("returns random numbers that do not depend on the seed of math.random", function()
    math.randomseed(1)
    local first = core.random()
    math.randomseed(1)
    assert.not_equal(first, core.random())
  end)

  it("returns UUIDs of version 4, each only once", function()
    local seen = {}
    for _ = 1, 1000 do
      local id = core.uuid()
      assert.equal(36, #id)
      assert.matches("^%x+%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x+$", id)
      assert.equal(9, id:find("-", 1, true))
      assert.equal(id:lower(), id)
      assert.is_nil(seen[id])
      seen[id] = true
    end
  end)

  describe("columns", function()
    it("returns nil for a descriptor that is not a terminal", function()
      assert.is_nil((core.columns(-1)))
      assert.is_nil((core.columns(9999)))
    end)

    it("raises an error for a value that is not a descriptor", function()
      assert.has_error(function() core.columns("stdout") end)
    end)
  end)

  describe("encode", function()
    it("writes text that decode reads", function()
      assert.equal('{"a":[1,0.5,"x",true]}', core.encode { a = { 1, 0.5, "x", true } })
      assert.equal("[null]", core.encode { core.null })
    end)

    it("writes every value that decode has read, even very large and very small numbers", function()
      local value = core.decode ('[{"b":[null,1e308],"c":null},1e-999,-0,12345678901234567890]')
      assert.matches('^%[{"b":%[null,1e%+308%]},', core.encode(value))
    end)

    it("raises an error for a value that JSON cannot represent", function()
      for _, value in ipairs { print, { print }, math.huge, { [1] = 1, [10 ^ 6] = 2 } } do
        assert.has_error(function() core.encode(value) end)
      end
      assert.has_error(function() core.encode() end)
    end)
  end)

  describe("a session", function()
    it("counts as live while it is open", function()
      collectgarbage()
      local before = core.live()
      local one, two = assert(pool:http {}), assert(pool:http {})
      assert.equal(before + 2, core.live())
      one:close()
      assert.equal(before + 1, core.live())
      two:close()
      assert.equal(before, core.live())
    end)

    it("may be closed twice", function()
      local before = core.live()
      local session = assert(pool:http {})
      session:close()
      session:close()
      assert.equal(before, core.live())
    end)

    it("is closed by the garbage collector", function()
      collectgarbage()
      local before = core.live()
      for _ = 1, 5 do
        pool:http {}
      end
      collectgarbage()
      collectgarbage()
      assert.equal(before, core.live())
    end)

    it("is closed at the end of its scope, in a Lua that has <close>", function()
      local load_text = rawget(_G, "loadstring") or load
      local scope = load_text [[
        local core, pool = require "pcapi.core", ...
        do
          local session <close> = pool:http {}
          assert(tostring(session):find("open", 1, true))
        end
        return core.live()
      ]]
      local before = core.live()
      assert.equal(before, scope and scope(pool) or before)
      assert.is_function(debug.getregistry()["pcapi.core.http"].__close)
    end)

    it("shows as a string whether it is open", function()
      local session = assert(pool:http {})
      assert.equal("pcapi.core.http (open)", tostring(session))
      session:close()
      assert.equal("pcapi.core.http (closed)", tostring(session))
    end)

    for _, case in ipairs { { "start", {} }, { "result" }, { "id" }, { "timing" }, { "cancel" } } do
      it("raises an error for " .. case[1] .. " after close", function()
        local session = assert(pool:http {})
        session:close()
        local ok, message = pcall(session[case[1]], session, case[2])
        assert.is_false(ok)
        assert.matches("session is closed", message, 1, true)
      end)
    end

    it("raises an error for another userdata", function()
      with_session(function(session)
        for _, method in ipairs { "start", "result", "timing", "id", "cancel", "close" } do
          assert.has_error(function() session[method](io.stdout) end)
          assert.has_error(function() session[method]() end)
        end
      end)
    end)

    it("may be cancelled when no request is running", function()
      with_session(function(session)
        assert.has_no.errors(function()
          session:cancel()
          session:cancel()
        end)
      end)
    end)
  end)

  describe("a pool", function()
    it("counts as live while it is open, and may be closed twice", function()
      collectgarbage()
      local before = core.live()
      local own = assert(core.pool {})
      assert.equal(before + 1, core.live())
      assert.equal("pcapi.core.pool (open)", tostring(own))
      own:close()
      own:close()
      assert.equal(before, core.live())
      assert.equal("pcapi.core.pool (closed)", tostring(own))
    end)

    it("may be closed before its sessions", function()
      local own = assert(core.pool {})
      local session = assert(own:http {})
      own:close()
      session:cancel()
      session:close()
    end)

    it("has no work when no request is running", function()
      pool:wait(0)
      assert.is_nil(pool:next())
      assert.is_nil(pool:timeout())
      assert.is_nil(pool:descriptor())
      local watched = assert(core.pool { watched = true })
      watched:wait(0)
      assert.is_number(watched:descriptor())
      watched:close()
    end)

    for _, case in ipairs { { "http", {} }, { "wait", 0 }, { "next" }, { "descriptor" },
                            { "timeout" } } do
      it("raises an error for " .. case[1] .. " after close", function()
        local own = assert(core.pool {})
        own:close()
        local ok, message = pcall(own[case[1]], own, case[2])
        assert.is_false(ok)
        assert.matches("pool is closed", message, 1, true)
      end)
    end

    it("raises an error for another userdata", function()
      for _, method in ipairs { "http", "wait", "next", "descriptor", "timeout", "close" } do
        assert.has_error(function() pool[method](io.stdout, 0) end)
        assert.has_error(function() pool[method]() end)
      end
    end)

    it("raises an error that names a limit which is not a count", function()
      for _, name in ipairs { "connections", "host_connections", "idle" } do
        for _, value in ipairs { -1, "x", 0 / 0, 2 ^ 40 } do
          local ok, message = pcall(core.pool, { [name] = value })
          assert.is_false(ok)
          assert.matches(name .. " must be a count", message, 1, true)
        end
      end
      assert.has_error(function() core.pool() end)
    end)

    it("raises an error for a negative time to wait", function()
      assert.has_error(function() pool:wait(-1) end)
      assert.has_error(function() pool:wait(0 / 0) end)
      with_session(function(session)
        assert.has_error(function() session:result(-1) end)
        assert.has_error(function() session:result "soon" end)
      end)
    end)
  end)

  describe("options of a session", function()
    it("must be a table", function()
      assert.has_error(function() pool:http() end)
      assert.has_error(function() pool:http("x") end)
    end)

    for _, name in ipairs { "ca_file", "ca_path", "proxy", "no_proxy", "user_agent" } do
      it("raise an error that names " .. name .. " if it is not a string", function()
        for _, value in ipairs { 5, true, {} } do
          local before = core.live()
          local ok, message = pcall(pool.http, pool, { [name] = value })
          assert.is_false(ok)
          assert.matches(name .. " must be a string", message, 1, true)
          assert.equal(before, core.live())
        end
      end)

      it("raise an error that names " .. name .. " if it contains a zero byte", function()
        local ok, message = pcall(pool.http, pool, { [name] = "a\0b" })
        assert.is_false(ok)
        assert.matches(name .. " contains a zero byte", message, 1, true)
      end)
    end
  end)

  describe("a request", function()
    local function start(changes)
      local ok, started, message, kind
      with_session(function(session)
        ok, started, message, kind = pcall(session.start, session, request(changes))
      end)
      return ok, started, message, kind
    end

    for _, case in ipairs {
      { { method = "absent" }, "method and url are required" },
      { { url = "absent" }, "method and url are required" },
      { { method = 5 }, "method must be a string" },
      { { url = {} }, "url must be a string" },
      { { url = "https://a\0b" }, "url contains a zero byte" },
      { { method = "GET\0" }, "method contains a zero byte" },
      { { body = 5 }, "body must be a string" },
      { { timeout = "absent" }, "timeout must be a positive number" },
      { { timeout = 0 }, "timeout must be a positive number" },
      { { timeout = "5" }, "timeout must be a positive number" },
      { { timeout = 0 / 0 }, "timeout must be a positive number" },
      { { connect_timeout = -1 }, "connect_timeout must be a positive number" },
      { { max_body = "absent" }, "max_body must be a positive number" },
      { { max_headers = {} }, "max_headers must be a positive number" },
      { { headers = { "A: b", {} } }, "header 2 is not a string without zero bytes" },
      { { headers = { "A: b\0c" } }, "header 1 is not a string without zero bytes" },
    } do
      it("raises an error: " .. case[2], function()
        local ok, message = start(case[1])
        assert.is_false(ok)
        assert.matches(case[2], message, 1, true)
      end)
    end

    for _, line in ipairs { "A: b\r\nEvil: 1", "A: b\nEvil: 1", "A: b\r", "A\n: b", "\nA: b" } do
      it(("fails with the header %q"):format(line), function()
        local ok, started, message, kind = start { headers = { line } }
        assert.is_true(ok)
        assert.is_nil(started)
        assert.equal("config", kind)
        assert.is_string(message)
      end)
    end
  end)
end)
