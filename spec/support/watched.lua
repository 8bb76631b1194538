--- Runs `pcapi watch` on the days of a story of the sandbox, with a history in an empty folder.
local auth = require "pcapi.auth"
local cjson = require("cjson").new()
local curl = require "spec.support.curl"
local database = require "spec.support.database"
local folder = require "spec.support.folder"
local sandbox = require "spec.support.sandbox"
local sqlite = require "pcapi.sqlite"
local tables = require "pcapi.history.tables"
local url = require "pcapi.url"

local M = {}

local Watched = {}
Watched.__index = Watched

--- Tells a story.
-- @tparam string text
-- @tparam ?table options `tenant` (GUID of the token's tenant) and `config` (text of `[history]`)
-- @treturn table `home`, `history` (path of the file), and the methods below
function M.tell(text, options)
  options = options or {}
  local self = setmetatable({ home = folder.new(), tid = options.tenant }, Watched)
  self.history = self.home .. "/state/pcapi/history/history.sqlite"
  self:retell(text)
  self:configure(options.config or "")
  return self
end

--- Replaces the story.
function Watched:retell(text)
  self.label = sandbox.story(text, "2026-11-01T00:00:00Z", self.label)
end

--- Writes the section `[history]` of the configuration file.
function Watched:configure(text)
  self.config = folder.write(self.home .. "/config", "[history]\n" .. text .. "\n")
end

--- Writes a file beside the configuration file.
-- @treturn string its path
function Watched:write(name, text)
  return folder.write(self.home .. "/" .. name, text)
end

local seed

--- Stores the sign-in of a profile, for `--profile` and `--all-profiles`.
-- @tparam string name
-- @tparam string tenant a GUID or a domain; the sandbox gives all domains one id
-- @tparam ?string more settings of the lists
-- @tparam ?table token `access_token`, `obtained_at` and `expires_at`
function Watched:sign_in(name, tenant, more, token)
  seed = seed or curl.fetch {
    url = sandbox.url .. "/_sandbox/refresh_token?client_id=client" }.body
  local scenario = url.escape(("story=%s; %s"):format(self.label, more or ""))
  local login_url = sandbox.url .. "/login/scenario=" .. scenario
  assert(auth.file_store(self.home .. "/state/pcapi"):set(name, cjson.encode(sandbox.merged({
    version = 1, client_id = "client", tenant = tenant, refresh_token = seed,
    settings = { tenant = tenant, client_id = "client", login_url = login_url },
  }, token))))
end

--- Removes a stored sign-in.
function Watched:sign_out(name)
  assert(os.remove(self.home .. "/state/pcapi/" .. name .. ".json"))
end

--- Opens the database itself.
-- @treturn table a connection of `pcapi.sqlite`
function Watched:open_database()
  return assert(sqlite.open(self.history, { application_id = tables.APPLICATION_ID,
                                            busy_timeout = 1, create = true }))
end

--- Since when the only tenant has failed.
-- @treturn number UTC epoch seconds
function Watched:failing_since()
  local db = self:open_database()
  local since = database.row(db, "SELECT failure_since FROM tenant").failure_since
  db:close()
  return since
end

--- The variables of the command.
-- @tparam ?table more
-- @treturn table
function Watched:environment(more)
  return sandbox.merged({
    PCAPI_LOGIN_URL = false, PCAPI_CONFIG = self.config, HOME = self.home,
    XDG_STATE_HOME = self.home .. "/state",
    PCAPI_TOKEN = sandbox.token { scenario = "story=" .. self.label, tid = self.tid },
  }, more)
end

--- Sets the story's time.
-- @treturn table itself
function Watched:at(now)
  sandbox.set_clock(self.label, now)
  return self
end

--- Runs the command for all profiles, see @{run}.
function Watched:run_all(now, arguments)
  local words = { "--all-profiles" }
  for _, word in ipairs(arguments or {}) do
    words[#words + 1] = word
  end
  return self:run(now, words, { PCAPI_TOKEN = false })
end

--- Runs the command at a time.
-- @tparam ?string now in UTC; nil: the time stays
-- @tparam ?table arguments after `watch`
-- @tparam ?table environment more variables
-- @treturn table `status`, `out`, `err` (without the warning that the clocks differ)
function Watched:run(now, arguments, environment)
  if now then
    self:at(now)
  end
  local words = { "watch" }
  for _, word in ipairs(arguments or {}) do
    words[#words + 1] = word
  end
  local result = sandbox.pcapi(words, self:environment(environment))
  result.err = result.err:gsub("pcapi: this machine's clock is [^\n]*\n", "")
  return result
end

--- Starts a run and kills it after some time.
-- @tparam number seconds
-- @tparam table arguments of `pcapi watch`
-- @tparam[opt="/dev/null"] string out where its output goes
-- @treturn boolean whether it was killed
function Watched:run_killed(seconds, arguments, out)
  local line = sandbox.command_line(arguments, self:environment())
  return sandbox.shell(("%s >%s 2>/dev/null & sleep %.4f; kill -9 $! 2>/dev/null; wait $!")
    :format(line, out or "/dev/null", seconds)).status == 137
end

--- Runs the command at a time, and returns the rows of its output, each as a table.
-- @return rows, and the result
function Watched:rows(now, arguments, environment)
  local words = { "-o", "jsonl" }
  for _, word in ipairs(arguments or {}) do
    words[#words + 1] = word
  end
  local result, rows = self:run(now, words, environment), {}
  for line in result.out:gmatch "[^\n]+" do
    rows[#rows + 1] = cjson.decode(line)
  end
  return rows, result
end

--- Runs the command at a time, and returns the events of its output, such as
-- `"new kim@fabrikam.example"`, with `*` behind those that are repeated.
-- @return events, and the result
function Watched:events(now, arguments, environment)
  local rows, result = self:rows(now, arguments, environment)
  local events = {}
  for i, row in ipairs(rows) do
    events[i] = row.event .. " " .. (row.upn and row.upn:match "^[^@]+" or ("%d"):format(row.count))
      .. (row.repeated and "*" or "")
  end
  table.sort(events)
  return events, result
end

return M
