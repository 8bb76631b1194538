--- The summary file of a history, for any location: who is new, since when, and what to do. Made by
-- `pcapi.summary` of `pcapi.nginx`.
--
--     summary = pcapi.summary { path = "/var/lib/pcapi-summary/summary.json" } -- in init_by_lua
--     -- in content_by_lua:
--     local document, state = summary:get()
--
-- `pcapi watch` writes the file; `pcapi.history.summary` says what it holds. Each worker reads it
-- once it was replaced, in small pieces, so that it serves other requests meanwhile. If the new one
-- cannot be read, the last good one stays. All requests of a worker get the same document: do not
-- change it.
-- @classmod pcapi.nginx.summary_file
local check = require "pcapi.check"
local core = require "pcapi.core"
local detached = require "pcapi.nginx.detached"
local errors = require "pcapi.error"
local json_body = require "pcapi.http.json_body"
local log_once = require "pcapi.nginx.log_once"
local phase = require "pcapi.nginx.phase"
local slots = require "pcapi.nginx.slots"
local summary = require "pcapi.history.summary"
local time = require "pcapi.time"

local M = {}

local OPTIONS = { path = "line" }
local LARGEST = 32 * 1024 * 1024 -- bytes of a file
local PIECE = 64 * 1024 -- bytes that are read at once
local STEP = 200 -- people that are indexed at once
local CHECKED = 1 -- seconds until the file is examined again
local READING = 10 -- seconds after which reading counts as ended
local POLL = 0.005 -- seconds between checks whether another request has read the file

local Summary = {}
Summary.__index = Summary
Summary.__name = "pcapi.nginx.summary_file"

-- Makes a reader. `pcapi.nginx.summary` has the documentation.
-- @local
function M.new(options)
  options = check.options(options, OPTIONS, "pcapi.summary")
  if not options.path or options.path:sub(1, 1) ~= "/" then
    error('pcapi.summary: option "path" must be the absolute path of the file that pcapi watch '
      .. "writes, see [history] summary", 2)
  end
  return setmetatable({ path = options.path, checked_until = 0, reading_until = 0 }, Summary)
end

local WRITE = "Set [history] summary to this path for pcapi, and run pcapi watch"
local AGAIN = "Run pcapi watch again; it replaces the file as a whole"

local function fail(self, why, remedy)
  return errors.fail { kind = "store", message = ("the summary %s %s"):format(self.path, why),
                       hint = remedy, is_shared = true }
end

-- Reads the text of the file, with stops for other requests. A text that is not a summary is not
-- read to its end.
local function read_text(self)
  local file, why = io.open(self.path, "rb")
  if not file then
    return fail(self, "cannot be opened: " .. why:gsub("^.*: ", ""), WRITE)
  end
  local pieces, size, problem, remedy = {}, 0, nil, nil
  repeat
    slots.breathe()
    local piece = file:read(PIECE)
    pieces[#pieces + 1], size = piece, size + #(piece or "")
    if #pieces == 1 then
      problem, remedy = M.problem_in(pieces[1])
    end
  until not piece or problem or size > LARGEST
  file:close()
  if size > LARGEST then
    problem, remedy = ("is larger than %d MiB"):format(LARGEST / 1024 / 1024), AGAIN
  elseif size == 0 then
    problem, remedy = "is empty", AGAIN
  end
  if problem then
    return fail(self, problem, remedy)
  end
  return table.concat(pieces)
end

-- What is wrong with the beginning of a file, and what to do; nil if it is a summary.
-- @local
function M.problem_in(text)
  local schema = text:match '^{"format":"pcapi summary","schema":(%d+),'
  if not schema then
    return "is not one that pcapi watch wrote",
      "Set [history] summary and the path for nginx to the same file"
  elseif tonumber(schema) > summary.SCHEMA then
    return ("has the schema %s, of a newer pcapi; this one knows up to %d"):format(schema,
      summary.SCHEMA), "Install the same pcapi for nginx (make install-nginx), and reload nginx"
  end
end

local function lower(value)
  return type(value) == "string" and core.lower(value) or ""
end

-- Adds to a tenant who is who: `by_id` and `by_user`. False: it is not a tenant of a summary.
local function index(tenant)
  if type(tenant) ~= "table" or type(tenant.people) ~= "table" then
    return false
  end
  local by_id, by_user = {}, {}
  for i, person in ipairs(tenant.people) do
    if type(person) ~= "table" then
      return false
    end
    local id, user = lower(person.objectId), lower(person.user)
    by_id[id] = by_id[id] or person -- the newest comes first
    by_user[user] = by_user[user] or person
    if i % STEP == 0 then
      slots.breathe()
    end
  end
  by_id[""], by_user[""] = nil, nil
  tenant.by_id, tenant.by_user = by_id, by_user
  return true
end

-- Makes the document of a text.
local function read_document(self, text)
  local document, why, offset = json_body.decode_text(text, slots.breathe)
  if document == nil then
    return fail(self, ("is damaged or half written, at byte %s: %s"):format(tostring(offset),
      tostring(why)), AGAIN)
  end
  local at, is_sound = time.parse(tostring(document.at)), type(document.tenants) == "table"
  for _, tenant in ipairs(is_sound and document.tenants or {}) do
    is_sound = is_sound and index(tenant)
  end
  if not is_sound or not at then
    return fail(self, "is damaged: a member is missing", AGAIN)
  end
  return document, at
end

-- Notes why the file cannot be read now; logs it once. Without an error, it can be read.
local function note(self, err)
  if not err then
    log_once.solved(self.path, ("the summary %s can be read again"):format(self.path))
  elseif not self.err or self.err.message ~= err.message then
    log_once.solved(self.path)
    log_once.error(self.path, tostring(err))
  end
  self.err = err
end

-- Reads the file. A failure leaves the last document as it is.
local function load(self, stamp)
  local text, err = read_text(self)
  local document, at
  if text then
    self.stamp = stamp -- whatever it holds: it is not read twice
    document, at = read_document(self, text)
  end
  if document then
    self.document, self.at = document, at
  else
    err = err or at
  end
  note(self, err)
end

local function loader(self, stamp)
  return function()
    local ok, why = pcall(load, self, stamp)
    self.reading_until = 0
    if not ok then
      error(why, 0)
    end
  end
end

-- Reads the file in a timer, which a browser that disconnects does not abort. Where code cannot
-- wait, a later request gets what the timer reads; but the first document is read at once.
local function start(self, stamp)
  self.reading_until = core.now() + READING
  local act = loader(self, stamp)
  if phase.can_wait() then
    return detached.run(act)
  end
  local has_started = self.document and select(2, pcall(ngx.timer.at, 0, act)) == true
  if not has_started then
    act()
  end
end

-- Examines the file; returns its stamp if it has to be read.
local function changed(self)
  local kind, size, stamp = core.file_state(self.path)
  local why = not kind and "cannot be read: " .. size or kind ~= "f" and "is not a file"
  if why then
    local _, err = fail(self, why, WRITE)
    self.stamp = nil
    note(self, err)
  elseif stamp ~= self.stamp then
    return stamp
  end
end

-- Waits until another request has read the file.
local function await(self)
  while core.now() < self.reading_until and not self.document and phase.can_wait() do
    ngx.sleep(POLL)
  end
end

--- Returns what the file holds. Where code can wait (see `pcapi.nginx.new`), a request that finds a
-- new file waits until it was read; elsewhere it gets the last one.
-- @treturn[1] table the document, see `pcapi.history.summary`; each of its `tenants` also has
-- `by_id` (its people by `objectId`) and `by_user` (by upn in lower case)
-- @treturn[1] table `age` (seconds since it was written), and `err`: why the file cannot be read
-- now (a pcapi.error, or nil)
-- @treturn[2] nil no file could be read yet
-- @treturn[2] pcapi.error of kind store
function Summary:get()
  if getmetatable(self) ~= Summary then
    error("call it with a colon, such as summary:get()", 2)
  end
  local now = core.now()
  if now < self.reading_until then
    await(self)
  elseif now >= self.checked_until then
    self.checked_until = now + CHECKED
    local stamp = changed(self)
    if stamp then
      start(self, stamp)
    end
  end
  if not self.document then
    return nil, self.err or errors.new { kind = "store",
      message = ("the summary %s was not read yet"):format(self.path) }
  end
  return self.document, { age = math.max(0, ngx.time() - self.at), err = self.err }
end

return M
