--- The nginx that other specs start.
local files = require "spec.support.files"
local nginx = require "spec.support.nginx"
local raised_by = require "spec.support.raised_by"

after_each(nginx.stop_all)

local function serving(code, options)
  options = options or {}
  options.server = "location / { content_by_lua_block { " .. code .. " } }"
  return nginx.start(options)
end

local function exists(path)
  return files.lines_of("ls -d " .. path .. " 2>/dev/null")[1] ~= nil
end

describe("the nginx of the specs", function()
  it("returns status, headers and body", function()
    local server = serving 'ngx.status = 418; ngx.header["X-Thing"] = "value"; ngx.print "short"'
    local response = server:get "/"
    assert.same({ 418, "value", "short" }, { response.status, response.headers["x-thing"],
                                             response.body })
  end)

  it("receives method, headers and body", function()
    local server = serving [[ngx.req.read_body()
      ngx.print(ngx.req.get_method(), ngx.var.http_x_thing, ngx.req.get_body_data())]]
    assert.equal('PUT"a\\b"a=1\n', server:get("/", {
      method = "PUT", headers = { [[X-Thing: "a\b"]] }, body = "a=1\n",
    }).body)
  end)

  it("serves many requests at once, and keeps their order", function()
    local server = serving "ngx.sleep(0.2); ngx.print(ngx.var.arg_n)"
    local paths, expected = {}, {}
    for i = 1, 100 do
      paths[i], expected[i] = "/?n=" .. i, tostring(i)
    end
    local bodies, longest = {}, 0
    for i, response in ipairs(server:get_all(paths)) do
      bodies[i], longest = response.body, math.max(longest, response.seconds)
    end
    assert.same(expected, bodies)
    assert.is_true(longest < 2) -- 20 seconds one by one
  end)

  it("reports requests without a response", function()
    local server = serving 'ngx.log(ngx.NOTICE, "WAITING"); ngx.sleep(30)'
    local pending = server:begin { "/", "/" }
    assert.is_true(nginx.wait_for(function()
      return select(2, server:log():gsub("WAITING", "")) == 2
    end))
    server:stop()
    for _, response in ipairs(pending:finish()) do
      assert.equal(0, response.status)
      assert.not_equal(0, response.exit)
    end
  end)

  it("runs pcapi in LuaJIT, whatever runs the specs", function()
    local server = serving 'ngx.print(jit.version, require("pcapi")._VERSION)'
    assert.equal("LuaJIT", server:get "/".body:match "^LuaJIT", server:log())
    assert.truthy(server:get "/".body:find(require("pcapi")._VERSION, 1, true))
  end)

  it("has so many workers, and new ones after a reload", function()
    local server = serving("ngx.print(ngx.worker.pid())", { workers = 2 })
    local before = server:workers()
    assert.equal(2, #before)
    server:signal "HUP"
    assert.is_true(nginx.wait_for(function()
      local now = server:workers()
      return #server:leaving() == 0 and #now == 2 and now[1] ~= before[1] and now[2] ~= before[2]
    end))
    assert.truthy(server:log():find("reconfiguring", 1, true))
  end)

  it("passes on the variables in env, and no others", function()
    local server = serving([[ngx.print(tostring(os.getenv "PCAPI_SANDBOX_URL"), " ",
      tostring(os.getenv "PCAPI_SANDBOX_CA"))]], { env = { "PCAPI_SANDBOX_URL" } })
    assert.equal(os.getenv "PCAPI_SANDBOX_URL" .. " nil", server:get "/".body)
  end)

  it("takes directives for each part of the configuration", function()
    local server = serving("ngx.print(ngx.shared.texts:capacity(), ngx.var.here)", {
      main = "timer_resolution 10ms;",
      http = "lua_shared_dict texts 64k; map $uri $here { / yes; }",
    })
    assert.equal("65536yes", server:get "/".body)
  end)

  it("leaves no process and no folder, even if a request is under way", function()
    local server = serving "ngx.sleep(30)"
    local pending = server:begin { "/" }
    local master, dir = server.pid, server.dir
    server:stop()
    server:stop()
    pending:finish()
    assert.same({}, files.lines_of("pgrep -g " .. master))
    assert.is_false(exists(dir))
  end)

  it("keeps its log after it has ended by itself", function()
    local server = serving ""
    server:signal "QUIT"
    assert.is_true(server:ends())
    assert.truthy(server:log():find("gracefully shutting down", 1, true))
    server:stop()
    assert.is_false(exists(server.dir))
  end)

  it("ends with the process that has started it", function()
    local lua = os.getenv "LUA" or "lua5.4"
    local master = files.lines_of(([[%s -e 'local server = require("spec.support.nginx").start()
      print(server.pid)
      io.stdout:flush()
      os.execute("kill -9 $PPID")' 2>/dev/null]]):format(lua))[1]
    assert.is_true(nginx.wait_for(function()
      return #files.lines_of("pgrep -g " .. master) == 0
    end))
  end)

  it("reports why it does not start, and leaves no folder", function()
    local message = raised_by(nginx.start, { http = "nonsense on;" })
    assert.matches('unknown directive "nonsense"', message, 1, true)
    assert.is_false(exists(message:match " in (/%S+)/nginx.conf:"))
  end)
end)
