--- Starts an nginx whose workers run Lua code of a spec.
local assert = require "luassert"
local cjson = require "cjson"
local nginx = require "spec.support.nginx"

local M = {}

-- Sends back what the code returns as JSON, nil as null; or the error that it raises, as a text.
local SERVER = [[
  client_body_buffer_size 256k;
  location = /run {
    content_by_lua_block {
      ngx.req.read_body()
      local code = assert(loadstring(ngx.req.get_body_data(), "spec"))
      local results = { n = 0 }
      local function take(ok, ...)
        results = { ok = ok, n = select("#", ...), ... }
      end
      take(pcall(code))
      if not results.ok then
        results[1] = tostring(results[1])
      end
      local cjson = require "cjson"
      local sent = { ok = results.ok, n = results.n, values = {}, pid = ngx.worker.pid() }
      for i = 1, results.n do
        local value, metatable = results[i], getmetatable(results[i])
        if type(value) == "table" and metatable and metatable.__tostring then
          value = tostring(value)
        end
        if value == nil then
          value = cjson.null
        end
        sent.values[i] = value
      end
      ngx.print(cjson.encode(sent))
    }
  }
]]

local Workers = {}
Workers.__index = Workers

for _, name in ipairs { "get", "begin", "log", "workers", "leaving", "signal", "ends", "stop" } do
  Workers[name] = function(self, ...)
    return self.server[name](self.server, ...)
  end
end

local unpack = table.unpack or unpack -- luacheck: ignore

--- Starts an nginx. Its Lua has the module pcapi.nginx as the global `pcapi`, and a dictionary of
-- that name.
-- @tparam ?table options as for `spec.support.nginx`; also `init`: Lua for init_by_lua;
--   `dict_size`: the size of the dictionary (`"10m"`)
-- @treturn table `pid`, `url`, and the methods of an nginx and those below
function M.start(options)
  local all = {}
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  all.http = ([[
    lua_shared_dict pcapi %s;
    init_by_lua_block { pcapi = require "pcapi.nginx"; %s }
    %s
  ]]):format(all.dict_size or "10m", all.init or "", all.http or "")
  all.server = SERVER .. (all.server or "")
  local server = nginx.start(all)
  return setmetatable({ server = server, pid = server.pid, url = server.url }, Workers)
end

-- The result of one run; raises the error that the code raised.
local function result_of(response)
  if response.status ~= 200 then
    error(("no response of the worker: status %d, curl %d"):format(response.status, response.exit),
      0)
  end
  local result = cjson.decode(response.body)
  for i = 1, result.n do
    if result.values[i] == cjson.null then
      result.values[i] = nil
    end
  end
  if not result.ok then
    error(result.values[1], 0)
  end
  result.seconds = response.seconds
  return result
end

--- Runs code in the content phase of one of the workers.
-- @tparam string code returns values that JSON can hold; error objects become texts
-- @return what the code returns
function Workers:run(code)
  local result = result_of(self.server:get("/run", { body = code }))
  return unpack(result.values, 1, result.n)
end

--- Starts to run code so many times at once.
-- @tparam number count
-- @tparam string code
-- @tparam ?number most runs at once
-- @treturn table its method `finish` waits, and returns an array of `values`, `n`, `pid` (of the
--   worker), `seconds`
function Workers:begin_runs(count, code, most)
  local paths = {}
  for i = 1, count do
    paths[i] = "/run"
  end
  local running = self.server:begin(paths, {
    body = code, args = most and { "--parallel-max", tostring(most) },
  })
  return {
    finish = function()
      local results = {}
      for i, response in ipairs(running:finish()) do
        results[i] = result_of(response)
      end
      return results
    end,
  }
end

--- Runs code so many times at once, and waits; see @{begin_runs}.
function Workers:run_all(count, code, most)
  return self:begin_runs(count, code, most):finish()
end

--- Counts how often a text is in the error log.
function Workers:count_in_log(text)
  local count, at = 0, 1
  local log = self.server:log()
  while true do
    local first, last = log:find(text, at, true)
    if not first then
      return count
    end
    count, at = count + 1, last + 1
  end
end

--- Asserts that the first value of each run is this one.
-- @param expected
-- @tparam table results of @{begin_runs}
function M.all_return(expected, results)
  for _, result in ipairs(results) do
    assert.equal(expected, result.values[1], result.values[2])
  end
end

--- The seconds of the slowest run.
function M.slowest(results)
  local most = 0
  for _, result in ipairs(results) do
    most = math.max(most, result.seconds)
  end
  return most
end

return M
