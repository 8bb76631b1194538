--- An nginx whose workers run the Lua that a spec sends them.
local cjson = require "cjson"
local nginx = require "spec.support.nginx"

local M = {}

-- What the code returns comes back as JSON, nil as null; what it raises, as a text.
local SERVER = [[
  client_body_buffer_size 256k;
  location = /run {
    content_by_lua_block {
      ngx.req.read_body()
      local code = assert(loadstring(ngx.req.get_body_data(), "spec"))
      local results = { n = 0 }
      local function keep(ok, ...)
        results = { ok = ok, n = select("#", ...), ... }
      end
      keep(pcall(code))
      if not results.ok then
        results[1] = tostring(results[1])
      end
      local cjson = require "cjson"
      local said = { ok = results.ok, n = results.n, values = {}, pid = ngx.worker.pid() }
      for i = 1, results.n do
        local value, metatable = results[i], getmetatable(results[i])
        if type(value) == "table" and metatable and metatable.__tostring then
          value = tostring(value)
        end
        if value == nil then
          value = cjson.null
        end
        said.values[i] = value
      end
      ngx.print(cjson.encode(said))
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

--- Starts one. Its Lua has `pcapi` (the library within nginx), and what `init` makes.
-- @tparam ?table options as for `spec.support.nginx`, but `http` is what comes after
--   `lua_shared_dict pcapi 10m` and `init`; and `init`, Lua for init_by_lua
-- @treturn table `pid`, `url`, and the methods of such a server and those below
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

local function read(answer)
  if answer.status ~= 200 then
    error(("no answer of the worker: status %d, curl %d"):format(answer.status, answer.exit), 0)
  end
  local said = cjson.decode(answer.body)
  for i = 1, said.n do
    if said.values[i] == cjson.null then
      said.values[i] = nil
    end
  end
  said.seconds = answer.seconds
  return said
end

--- Runs code in a content phase of some worker.
-- @tparam string code
-- @return what it returns, nothing that JSON cannot say; error objects as texts
function Workers:run(code)
  local said = read(self.server:get("/run", { body = code }))
  if not said.ok then
    error(said.values[1], 0)
  end
  return unpack(said.values, 1, said.n)
end

--- Begins to run code so many times at once.
-- @tparam number count
-- @tparam string code
-- @tparam ?number most at once
-- @treturn table its method `finish` waits; it gives an array of `values`, `n`, `pid` (of the
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
      local all = {}
      for i, answer in ipairs(running:finish()) do
        all[i] = read(answer)
        if not all[i].ok then
          error(all[i].values[1], 0)
        end
      end
      return all
    end,
  }
end

--- Runs code so many times at once, in whatever workers; see @{begin_runs}.
function Workers:run_all(count, code, most)
  return self:begin_runs(count, code, most):finish()
end

--- How often a text stands in the error log.
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

--- Seconds of the slowest of many runs.
function M.slowest(results)
  local most = 0
  for _, result in ipairs(results) do
    most = math.max(most, result.seconds)
  end
  return most
end

return M
