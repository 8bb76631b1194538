--- Sends many requests at once by one curl.
local cjson = require "cjson"
local curl = require "spec.support.curl"
local files = require "spec.support.files"

local M = {}

local MOST = "300" -- requests at once, the maximum of curl
local PATIENCE = 60 -- seconds for each

-- Printed for each request; urlnum counts from 0.
local REPORT = "%{urlnum} %{http_code} %{time_total} %{exitcode} %{header_json}\30"
local PATTERN = "^(%d+) (%d+) (%S+) (%d+) (.*)$"

local Running = {}
Running.__index = Running

local function quoted(text)
  return '"' .. text:gsub('[\\"]', "\\%0"):gsub("\n", "\\n") .. '"'
end

local function config(path, urls, options)
  local lines = {}
  local function set(name, value)
    lines[#lines + 1] = value and name .. " = " .. quoted(value) or name
  end
  set "parallel"
  set "parallel-immediate"
  set("parallel-max", MOST)
  set("noproxy", "*")
  set("max-time", tostring(options.timeout or PATIENCE))
  if options.method then
    set("request", options.method)
  end
  if options.body then
    set("data-binary", options.body)
  end
  for _, header in ipairs(options.headers or {}) do
    set("header", header)
  end
  for i, url in ipairs(urls) do
    set("url", url)
    set("output", path .. "/" .. i)
  end
  return table.concat(lines, "\n") .. "\n"
end

--- Starts to send all requests, and returns at once.
-- @tparam {string} urls
-- @tparam ?table options `method`, `body`, `headers` (an array of "Name: value"), `timeout` of each
--   request (seconds, 60), and `args` for curl
-- @treturn table with the method `finish`
function M.begin(urls, options)
  options = options or {}
  local path = files.lines_of "mktemp -d"[1]
  local file = assert(io.open(path .. "/config", "wb"))
  file:write(config(path, urls, options))
  file:close()
  local command = { curl.COMMAND, "-s -K", path .. "/config", "-w", "'" .. REPORT .. "'" }
  for _, argument in ipairs(options.args or {}) do
    command[#command + 1] = curl.quote(argument)
  end
  -- with --parallel, curl prints its progress in spite of -s
  command[#command + 1] = "2>" .. path .. "/errors"
  local pipe = assert(io.popen(table.concat(command, " ")))
  return setmetatable({ pipe = pipe, path = path, count = #urls }, Running)
end

local function read_headers(json)
  local headers = {}
  for name, values in pairs(cjson.decode(json)) do
    headers[name:lower()] = table.concat(values, ", ")
  end
  return headers
end

local function read_if_there(path)
  local file = io.open(path, "rb") -- curl makes no file for an empty body
  local text = file and file:read "*a" or ""
  if file then
    file:close()
  end
  return text
end

--- Waits for the responses.
-- @treturn {table} in the order of the addresses: `status` (0 without a response), `headers`
--   (names in lower case), `body`, `seconds`, `exit` (curl's)
function Running:finish()
  local responses = {}
  local report = self.pipe:read "*a"
  self.pipe:close()
  for part in report:gmatch "([^\30]*)\30" do
    local number, status, seconds, exit, json = part:match(PATTERN)
    number = tonumber(number) + 1
    responses[number] = { status = tonumber(status), seconds = tonumber(seconds),
                        exit = tonumber(exit), headers = read_headers(json),
                        body = read_if_there(self.path .. "/" .. number) }
  end
  local errors = read_if_there(self.path .. "/errors")
  os.execute("rm -rf " .. self.path)
  assert(#responses == self.count, "curl failed: " .. errors)
  return responses
end

return M
