--- Starts the receivers of spec/notify, which check messages as the real services do.
local cjson = require "cjson"
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local node_server = require "spec.support.node_server"
local post = require "pcapi.notify.post"

local M = {}

--- The key of the webhook.
M.KEY = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

local Receiver = {}
Receiver.__index = Receiver

--- Starts the receivers. They stop when this process ends.
-- @treturn table
function M.start()
  local server, words = node_server.start("spec/notify/receiver.mjs",
    cjson.encode { key = M.KEY })
  return setmetatable({ server = server, origin = words[1], mail_port = words[2] }, Receiver)
end

--- Stops them.
function Receiver:stop()
  node_server.stop(self.server)
end

--- The address of a receiver.
-- @tparam string kind `slack`, `teams`, `pagerduty` or `webhook`
-- @tparam[opt="ok"] string mode see spec/notify/receiver.mjs
-- @treturn string
function Receiver:url(kind, mode)
  return ("%s/%s/%s/sEcReT-pAtH-4711?sig=sEcReT-sIgNaTuRe"):format(self.origin, kind, mode or "ok")
end

--- Takes what was received since the last time.
-- @treturn table array
-- @treturn table PagerDuty's alerts, `open` or `resolved`, by routing key and dedup key
function Receiver:received()
  local listing = cjson.decode(curl.fetch({ url = self.origin .. "/received" }).body)
  return listing.received, listing.alerts
end

--- The context of a delivery over the real transport.
-- @tparam[opt=20] number timeout seconds of a request
-- @treturn table with `trace` (lines)
function M.context(timeout)
  local trace = {}
  local fetch = assert(post.fetcher {
    ca_file = os.getenv "PCAPI_SANDBOX_CA",
    trace = function(line) trace[#trace + 1] = line end,
  })
  return { trace = trace, now = os.time, run = M.run, fetch = function(request)
    request.timeout = timeout or request.timeout
    return fetch(request)
  end }
end

--- Runs a program.
-- @tparam {string,...} argv
-- @tparam string input
-- @treturn number its exit status
-- @treturn string what it wrote
function M.run(argv, input)
  local path, quoted = files.temporary(), {}
  local file = assert(io.open(path, "wb"))
  file:write(input)
  file:close()
  for i, argument in ipairs(argv) do
    quoted[i] = curl.quote(argument)
  end
  local output = curl.shell(("%s <%s 2>&1; echo \"\n$?\""):format(table.concat(quoted, " "), path))
  os.remove(path)
  local text, status = output:match "^(.*)\n(%d+)\n$"
  return tonumber(status), text
end

--- Makes a sendmail: Debian's msmtp, which sends to the receiver.
-- @tparam[opt] number port another one
-- @treturn string its path
function Receiver:sendmail(port)
  local path = folder.new()
  local program = path .. "/sendmail"
  local file = assert(io.open(program, "w"))
  file:write(('#!/bin/sh\nexec msmtp --host=127.0.0.1 --port=%s --tls=off --auth=off --timeout=30 '
    .. '--read-envelope-from "$@"\n'):format(port or self.mail_port))
  file:close()
  os.execute("chmod 755 " .. program)
  return program
end

return M
