local core = require "pcapi.core"

local pool = assert(core.pool {})

local LIMITS = { timeout = 5, connect_timeout = 1, max_body = 1000, max_headers = 1000 }

-- A request that is never started by these specs: it is refused before.
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

  it("says which libcurl it runs on", function()
    assert.matches("^%d+%.%d+%.%d+", core.build.libcurl_headers)
    assert.matches("^libcurl/%d+%.%d+", core.build.libcurl)
  end)

  it("has a clock that never goes back", function()
    local last = core.now()
    assert.is_number(last)
    for _ = 1, 1000 do
      local now = core.now()
      assert.is_true(now >= last)
      last = now
    end
  end)

  describe("sleep", function()
    it("of nothing or less returns at once", function()
      assert.has_no.errors(function()
        core.sleep(0)
        core.sleep(-5)
      end)
    end)

    it("refuses what is no number of seconds", function()
      assert.has_error(function() core.sleep() end)
      assert.has_error(function() core.sleep("soon") end)
      assert.has_error(function() core.sleep(math.huge) end)
      assert.has_error(function() core.sleep(0 / 0) end)
    end)
  end)

  it("gives random numbers from 0 to below 1", function()
    local low, high = 1, 0
    for _ = 1, 1000 do
      local n = core.random()
      low, high = math.min(low, n), math.max(high, n)
    end
    assert.is_true(low >= 0 and high < 1)
    assert.is_true(low < 0.25 and high > 0.75)
  end)

  it("gives random numbers that do not follow math.random's seed", function()
    math.randomseed(1)
    local first = core.random()
    math.randomseed(1)
    assert.not_equal(first, core.random())
  end)

  it("gives UUIDs of version 4, each only once", function()
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
    it("are unknown where there is no terminal", function()
      assert.is_nil((core.columns(-1)))
      assert.is_nil((core.columns(9999)))
    end)

    it("are asked of a descriptor", function()
      assert.has_error(function() core.columns("stdout") end)
    end)
  end)

  describe("unsettled", function()
    local COLUMNS, KINDS = { "name", "count", "ok" }, "snb"

    local function first(records, from)
      return (core.unsettled(records, COLUMNS, KINDS, from or 1))
    end

    local function good(changes)
      local record = { name = "x", count = 1, ok = false }
      for name, value in pairs(changes or {}) do
        record[name] = value
      end
      return record
    end

    it("passes over records that have every column of its kind", function()
      assert.is_nil(first {})
      assert.is_nil(first { good(), good { count = -5, ok = true, odd = {} } })
    end)

    for name, record in pairs {
      ["a missing column"] = { name = "x", count = 1 },
      ["an empty text"] = good { name = "" },
      ["a text for a number"] = good { count = "1" },
      ["a fraction"] = good { count = 0.5 },
      ["a number that is not exact"] = good { count = 2 ^ 53 },
      ["infinity"] = good { count = -math.huge },
      ["what is no number"] = good { count = 0 / 0 },
      ["a text for a boolean"] = good { ok = "true" },
      ["a number for a text"] = good { name = 5 },
      ["a table for a text"] = good { name = {} },
      ["null for a number"] = good { count = core.null },
      ["another spelling"] = { Name = "x", count = 1, ok = true },
      ["nothing at all"] = {},
      ["a number for the record"] = 5,
      ["a text for the record"] = "x",
      ["null for the record"] = core.null,
    } do
      it("stops at " .. name, function()
        assert.equal(2, first { good(), record, good() })
        assert.equal(1, first { record })
      end)
    end

    it("goes on from where it is told", function()
      local records = { {}, good(), {}, good() }
      assert.equal(1, first(records, 1))
      assert.equal(3, first(records, 2))
      assert.is_nil(first(records, 4))
      assert.is_nil(first(records, 5))
    end)

    it("moves fields from other spellings to their names first, where these are missing", function()
      local SPELLINGS = { "title", "name", "label", "name" }
      local records = { good { name = "", title = "t" }, { label = "l", count = 1, ok = true },
                        good { title = "t" }, { title = "", label = "l", count = 1, ok = true },
                        { title = 5, count = 1, ok = true } }
      assert.equal(5, core.unsettled(records, COLUMNS, KINDS, 1, SPELLINGS))
      assert.same({ good { name = "t" }, good { name = "l", ok = true }, good { title = "t" },
                    good { name = "l", title = "", ok = true }, good { name = 5, ok = true } },
        records)
    end)

    it("does not ask metatables, which records from JSON do not have", function()
      assert.equal(1, first { setmetatable({}, { __index = good() }) })
    end)

    it("refuses what it cannot go through", function()
      assert.has_error(function() core.unsettled(5, COLUMNS, KINDS, 1) end)
      assert.has_error(function() core.unsettled({}, "x", KINDS, 1) end)
      assert.has_error(function() core.unsettled({}, COLUMNS, nil, 1) end)
      assert.has_error(function() core.unsettled({}, COLUMNS, KINDS, "x") end)
      assert.has_error(function() core.unsettled({}, COLUMNS, "s", 1) end)
      assert.has_error(function() core.unsettled({}, COLUMNS, KINDS, 1, 5) end)
    end)
  end)

  describe("count", function()
    for text, expected in pairs {
      ["5"] = { 1, 0 }, ["[]"] = { 1, 0 }, ["[ ]"] = { 1, 0 }, ["[{}]"] = { 2, 1 },
      ["[{},{},[1,2]]"] = { 6, 3 }, ['{"a":1,"b":[{},{}],"c":{"d":[1,2,3]}}'] = { 10, 2 },
      ['{"a":"[,,,{","b":["[[,\\"","x"]}'] = { 5, 2 }, ['{"a":[[1,2,3]],"b":{}}'] = { 7, 1 },
      ['{"a":[1],"b":[1,2,3],"c":[1,2]}'] = { 10, 3 }, ["[[1,2],[3]]"] = { 6, 2 },
    } do
      it("tells values and records of " .. text, function()
        assert.same(expected, { core.count(text, 0) })
        local bound, records = core.count(text, 1000)
        assert.is_nil(records)
        assert.is_true(bound >= expected[1])
      end)
    end

    it("is no less than what there is, wherever it stands", function()
      for length = 0, 200 do
        local text = '["' .. ("x"):rep(length) .. '",{},[]' .. (",1"):rep(length) .. "]"
        assert.equal(4 + length, (core.count(text, 0)))
        assert.equal(6 + length, (core.count(text, 1000)))
      end
    end)

    it("takes broken texts", function()
      for _, text in ipairs { "", "]", "}}}[", '"', "[[[", ",,", '{"' } do
        assert.is_number((core.count(text, 0)))
      end
    end)
  end)

  describe("encode", function()
    it("writes what decode reads", function()
      assert.equal('{"a":[1,0.5,"x",true]}', core.encode { a = { 1, 0.5, "x", true } })
      assert.equal("[null]", core.encode { core.null })
    end)

    it("writes whatever decode has read, numbers too large for a double among them", function()
      local value = core.decode ('[{"a":1e999,"b":[-1e999,1e308],"c":null},1e-999,-0,'
        .. "12345678901234567890]")
      assert.matches('^%[{"b":%[null,1e%+308%]},', core.encode(value))
    end)

    it("raises for what JSON cannot hold", function()
      for _, value in ipairs { print, { print }, math.huge, { [1] = 1, [10 ^ 6] = 2 } } do
        assert.has_error(function() core.encode(value) end)
      end
      assert.has_error(function() core.encode() end)
    end)
  end)

  describe("a session", function()
    it("is counted while it is open", function()
      collectgarbage()
      local before = core.live()
      local one, two = assert(pool:http {}), assert(pool:http {})
      assert.equal(before + 2, core.live())
      one:close()
      assert.equal(before + 1, core.live())
      two:close()
      assert.equal(before, core.live())
    end)

    it("may be closed twice, and counts once", function()
      local before = core.live()
      local session = assert(pool:http {})
      session:close()
      session:close()
      assert.equal(before, core.live())
    end)

    it("is closed by the collector when nobody holds it", function()
      collectgarbage()
      local before = core.live()
      for _ = 1, 5 do
        pool:http {}
      end
      collectgarbage()
      collectgarbage()
      assert.equal(before, core.live())
    end)

    it("is closed at the end of its scope where Lua knows that", function()
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

    it("says as text whether it is open", function()
      local session = assert(pool:http {})
      assert.equal("pcapi.core.http (open)", tostring(session))
      session:close()
      assert.equal("pcapi.core.http (closed)", tostring(session))
    end)

    for _, case in ipairs { { "start", {} }, { "result" }, { "body" }, { "id" }, { "timing" },
                            { "cancel" } } do
      it("says so when " .. case[1] .. " comes after close", function()
        local session = assert(pool:http {})
        session:close()
        local ok, message = pcall(session[case[1]], session, case[2])
        assert.is_false(ok)
        assert.matches("session is closed", message, 1, true)
      end)
    end

    it("does not take another userdata for its own", function()
      with_session(function(session)
        for _, method in ipairs { "start", "result", "body", "timing", "id", "cancel",
                                  "close" } do
          assert.has_error(function() session[method](io.stdout) end)
          assert.has_error(function() session[method]() end)
        end
      end)
    end)

    it("may be cancelled when nothing is under way", function()
      with_session(function(session)
        assert.has_no.errors(function()
          session:cancel()
          session:cancel()
        end)
      end)
    end)
  end)

  describe("a pool", function()
    it("is counted while it is open, and may be closed twice", function()
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

    it("has nothing to tell when nothing runs", function()
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
      it("says so when " .. case[1] .. " comes after close", function()
        local own = assert(core.pool {})
        own:close()
        local ok, message = pcall(own[case[1]], own, case[2])
        assert.is_false(ok)
        assert.matches("pool is closed", message, 1, true)
      end)
    end

    it("does not take another userdata for its own", function()
      for _, method in ipairs { "http", "wait", "next", "descriptor", "timeout", "close" } do
        assert.has_error(function() pool[method](io.stdout, 0) end)
        assert.has_error(function() pool[method]() end)
      end
    end)

    it("names a limit that is no count", function()
      for _, name in ipairs { "connections", "host_connections", "kept" } do
        for _, value in ipairs { -1, "x", 0 / 0, 2 ^ 40 } do
          local ok, message = pcall(core.pool, { [name] = value })
          assert.is_false(ok)
          assert.matches(name .. " must be a count", message, 1, true)
        end
      end
      assert.has_error(function() core.pool() end)
    end)

    it("refuses to wait backwards", function()
      assert.has_error(function() pool:wait(-1) end)
      assert.has_error(function() pool:wait(0 / 0) end)
    end)
  end)

  describe("options of a session", function()
    it("are a table", function()
      assert.has_error(function() pool:http() end)
      assert.has_error(function() pool:http("x") end)
    end)

    for _, name in ipairs { "ca_file", "ca_path", "proxy", "no_proxy", "user_agent" } do
      it("name " .. name .. " when it is no text", function()
        for _, value in ipairs { 5, true, {} } do
          local before = core.live()
          local ok, message = pcall(pool.http, pool, { [name] = value })
          assert.is_false(ok)
          assert.matches(name .. " must be a string", message, 1, true)
          assert.equal(before, core.live())
        end
      end)

      it("name " .. name .. " when it holds a zero byte", function()
        local ok, message = pcall(pool.http, pool, { [name] = "a\0b" })
        assert.is_false(ok)
        assert.matches(name .. " holds a zero byte", message, 1, true)
      end)
    end
  end)

  describe("a request", function()
    local function start(changes)
      local ok, started, kind, message
      with_session(function(session)
        ok, started, kind, message = pcall(session.start, session, request(changes))
      end)
      return ok, started, kind, message
    end

    for _, case in ipairs {
      { { method = "absent" }, "method and url are needed" },
      { { url = "absent" }, "method and url are needed" },
      { { method = 5 }, "method must be a string" },
      { { url = {} }, "url must be a string" },
      { { url = "https://a\0b" }, "url holds a zero byte" },
      { { method = "GET\0" }, "method holds a zero byte" },
      { { body = 5 }, "body must be a string" },
      { { timeout = "absent" }, "timeout must be a positive number" },
      { { timeout = 0 }, "timeout must be a positive number" },
      { { timeout = "5" }, "timeout must be a positive number" },
      { { timeout = 0 / 0 }, "timeout must be a positive number" },
      { { connect_timeout = -1 }, "connect_timeout must be a positive number" },
      { { max_body = "absent" }, "max_body must be a positive number" },
      { { max_headers = {} }, "max_headers must be a positive number" },
      { { headers = { "A: b", {} } }, "header 2 is not a line of text" },
      { { headers = { "A: b\0c" } }, "header 1 is not a line of text" },
    } do
      it("is refused: " .. case[2], function()
        local ok, message = start(case[1])
        assert.is_false(ok)
        assert.matches(case[2], message, 1, true)
      end)
    end

    for _, line in ipairs { "A: b\r\nEvil: 1", "A: b\nEvil: 1", "A: b\r", "A\n: b", "\nA: b" } do
      it(("is refused with the header line %q"):format(line), function()
        local ok, started, kind, message = start { headers = { line } }
        assert.is_true(ok)
        assert.is_nil(started)
        assert.equal("config", kind)
        assert.is_string(message)
      end)
    end
  end)
end)
