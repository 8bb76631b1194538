--- Starts a real Prometheus and a real node_exporter on loopback, in temporary folders.
local cjson = require("cjson").new()
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local free_port = require "spec.support.free_port"
local nginx = require "spec.support.nginx"
local url = require "pcapi.url"

local M = {}

-- The program ends when its input has a line or is closed, so with this process in any case.
local RUN = [[
exec 3<&0 2>/dev/null
env -u LD_PRELOAD nice -n 19 @COMMAND@ >@DIR@/output 2>&1 3<&- &
program=$!
{ read -r _ <&3; kill -KILL $program; } &
wait $program
echo $? >@DIR@/ended
wait
]]

local running = {}

local Server = {}
Server.__index = Server

-- Starts a program, and waits until a path of it responds.
local function start(dir, port, command, path)
  local server = setmetatable({ dir = dir, port = port, url = "http://127.0.0.1:" .. port }, Server)
  server.pipe = assert(io.popen((RUN:gsub("@(%u+)@", { DIR = dir, COMMAND = command })), "w"))
  running[#running + 1] = server
  local is_ready = nginx.wait_for(function()
    return server:get(path).status == 200 or files.exists(dir .. "/ended")
  end, 30)
  if not is_ready or files.exists(dir .. "/ended") then
    error(command .. " does not start:\n" .. files.slurp(dir .. "/output"), 0)
  end
  return server
end

--- Sends a request.
-- @tparam string path
-- @treturn table see `spec.support.curl`
function Server:get(path)
  return curl.fetch { url = self.url .. path }
end

--- Sends a query to Prometheus, which must succeed.
-- @tparam string query
-- @treturn table array of results, each with `metric` (labels) and `value`
function Server:query(query)
  local response = self:get("/api/v1/query?query=" .. url.escape(query))
  local document = cjson.decode(response.body)
  assert(document.status == "success", query .. ": " .. response.body)
  return document.data.result
end

--- Stops it, and waits until it has ended.
function Server:stop()
  if self.pipe then
    self.pipe:write "end\n"
    self.pipe:close() -- waits
    self.pipe = nil
  end
end

--- Starts a node_exporter that has the textfile collector alone.
-- @tparam string textfiles the folder
-- @treturn table `url`, `port`, and the methods above
function M.node_exporter(textfiles)
  local port = free_port()
  return start(folder.new(), port, ("prometheus-node-exporter --collector.disable-defaults "
    .. "--collector.textfile --collector.textfile.directory=%s --web.listen-address=127.0.0.1:%s")
    :format(textfiles, port), "/metrics")
end

local CONFIGURATION = [[
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [ %s ]
scrape_configs:
]]

--- Starts a Prometheus.
-- @tparam string rules path of a file of rules
-- @tparam table targets port by the name of the job
-- @treturn table `url`, `port`, and the methods above
function M.start(rules, targets)
  local dir, port, lines = folder.new(), free_port(), { CONFIGURATION:format(rules) }
  for job, target in pairs(targets) do
    lines[#lines + 1] = ("  - { job_name: %s, static_configs: [ { targets: [ '127.0.0.1:%s' ] } ] "
      .. "}\n"):format(job, target)
  end
  folder.write(dir .. "/prometheus.yml", table.concat(lines))
  return start(dir, port, ("prometheus --config.file=%s/prometheus.yml --storage.tsdb.path=%s/data "
    .. "--web.listen-address=127.0.0.1:%s"):format(dir, dir, port), "/-/ready")
end

--- What promtool says of a text of metrics.
-- @tparam string text
-- @treturn string "" if it has no complaint
function M.complaint(text)
  local path = folder.write(folder.new() .. "/metrics", text)
  return (curl.shell(("promtool check metrics <%s 2>&1; test $? = 0 || echo failed"):format(path)))
end

--- Stops all programs; for after_each or teardown.
function M.stop_all()
  for i = #running, 1, -1 do
    running[i]:stop()
    running[i] = nil
  end
end

return M
