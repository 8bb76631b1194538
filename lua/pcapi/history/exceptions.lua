--- Users who may sign in without MFA for some time: a text file, one line each. Pure.
--
--     # who                                      tenant    until       why
--     kim@fabrikam.example                       fabrikam  2027-01-31  break-glass, checked monthly
--     app:5f0b3c1e-0000-4000-8000-0000000000bb   *         2026-12-15  vendor fixes it, ticket 4711
--     *#EXT#@fabrikam.onmicrosoft.com            *         2027-03-01  guests: their tenant's duty
--
-- `who` is an objectId, a upn, a pattern with `*`, or `app:` and the id of an application; `tenant`
-- is an id or a name of a tenant, or `*`; `until` is the last day, in UTC; `why` is any text. A
-- line that begins with `#` is a comment; a `#` elsewhere is none.
--
-- A upn means the user who had it when the line was first used: the objectId of that user is
-- stored as **binding**. A rename keeps the exception, and another user who gets the upn has none.
-- @module pcapi.history.exceptions
local clean = require "pcapi.report.clean"
local core = require "pcapi.core"
local identity = require "pcapi.history.identity"
local input = require "pcapi.input"
local matches = require("pcapi.history.pattern").matches
local time = require "pcapi.time"

local M = {}

local DAY = 24 * 60 * 60
local LONGEST_LINE, LONGEST_WHY = 4096, 500 -- bytes
local FURTHEST, WARNED = 400, 14 -- days

local Exceptions = {}
Exceptions.__index = Exceptions

local KINDS = "an objectId, a upn, a pattern with * such as *@fabrikam.example, or app: and the "
  .. "id of an application"

-- Reads `who` into fields of the exception. Returns what is wrong.
local function read_who(who, exception)
  local application = who:match "^[Aa][Pp][Pp]:(.*)$"
  local lower = core.lower(who)
  if application then
    exception.application = core.lower(application)
    return not identity.is_guid(application)
      and "app: must be followed by the id of an application, a GUID" or nil
  elseif identity.is_guid(who) then
    exception.id = lower
  elseif who:find("*", 1, true) then
    exception.pattern = lower
    return not who:find "[%w\128-\255]"
      and ("%s would except everyone; name some users, such as *@fabrikam.example"):format(who)
      or nil
  elseif who:find("@", 1, true) then
    exception.upn = lower
  else
    return ("who must be %s"):format(KINDS)
  end
end

-- Reads `until`. Returns what is wrong.
local function read_end(text, exception, now)
  local at = text:find "^%d%d%d%d%-%d%d%-%d%d$" and time.parse(text)
  if not at then
    return "until must be a date such as 2027-01-31, the last day in UTC"
  elseif at > now + FURTHEST * DAY then
    return ("until is more than %d days ahead; the latest is %s"):format(FURTHEST,
      time.format_date(now + FURTHEST * DAY))
  end
  exception.ends, exception.over = text, at + DAY
end

-- The exception of a line; or nil and what is wrong with the line.
local function parse_line(line, now)
  if #line > LONGEST_LINE then
    return nil, ("the line is longer than %d bytes; write one exception per line"):format(
      LONGEST_LINE)
  end
  local who, tenant, ends, why = line:match "^(%S+)%s+(%S+)%s+(%S+)%s+(.+)$"
  if not who then
    return nil, "an exception needs four fields: who, tenant or *, until, why"
  elseif clean.text(who) ~= who or clean.text(tenant) ~= tenant then
    return nil, "who and tenant must be UTF-8; save the file as UTF-8"
  elseif who:find "%c" or tenant:find "%c" then
    return nil, "who and tenant must not hold control characters"
  end
  local exception = { who = who, tenant = core.lower(tenant),
                      why = clean.text(why):gsub("%c", " "):match "^%s*(.-)%s*$" }
  local problem = read_who(who, exception) or read_end(ends, exception, now)
  if not problem and #exception.why > LONGEST_WHY then
    problem = ("why is longer than %d bytes; shorten it"):format(LONGEST_WHY)
  elseif not problem and exception.why == "" then
    problem = "why is empty; say why this user needs no MFA"
  end
  return not problem and exception or nil, problem
end

--- Parses a file of exceptions.
-- @tparam string text any bytes
-- @tparam number now UTC epoch seconds
-- @treturn[1] pcapi.history.exceptions an array of `line`, `who`, `tenant`, `ends` and `why`
-- @treturn[2] nil
-- @treturn[2] number line
-- @treturn[2] string what is wrong with that line, and what to write
function M.parse(text, now)
  local lines, why = input.lines(text)
  if not lines then
    return nil, 1, "the file " .. why
  end
  local self, number = setmetatable({}, Exceptions), 0
  for written in (lines .. "\n"):gmatch "([^\n]*)\n" do
    number = number + 1
    local line = written:match "^%s*(.*)$"
    if line ~= "" and line:sub(1, 1) ~= "#" then
      local exception, problem = parse_line(line, now)
      if not exception then
        return nil, number, problem
      end
      exception.line = number
      self[#self + 1] = exception
    end
  end
  return self
end

local function is_of_tenant(exception, subject)
  if exception.tenant == "*" or exception.tenant == subject.tenant then
    return true
  end
  for _, name in ipairs(subject.names) do
    if core.lower(name) == exception.tenant then
      return true
    end
  end
  return false
end

-- Whether a upn means this user. Binds it if it means nobody yet; returns a warning if it means
-- another user.
local function is_bound_to(exception, subject, upn, bindings)
  local bound = bindings[exception.upn]
  if not bound and upn == exception.upn then
    bindings[upn], bound = subject.id, subject.id
  end
  if bound == subject.id then
    return true
  elseif bound and upn == exception.upn then
    return false, ("line %d: %s is another user now, who has no exception: it was made for the "
      .. "objectId %s. If it is meant for the new user, write the objectId %s in its place"):format(
      exception.line, exception.who, bound, subject.id)
  end
  return false
end

-- Whether a user came without MFA through excepted applications alone.
local function excepts_all(self, subject, now)
  local first
  for _, application in ipairs(subject.applications or {}) do
    local found
    for _, exception in ipairs(self) do
      if exception.application == application and now < exception.over
        and is_of_tenant(exception, subject) then
        found = exception
        break
      end
    end
    if not found then
      return nil
    end
    first = first and first.over <= found.over and first or found
  end
  return first
end

local function stored(exception)
  return exception and { who = exception.who, tenant = exception.tenant, ends = exception.ends,
                         why = exception.why }
end

--- Finds the exception that holds for a user.
-- @tparam table subject `tenant` (its id) and `names` (of the tenant), `id` (the key of the user)
-- and `upn`, `applications` (ids, all through which the user came without MFA; nil: unknown)
-- @tparam table bindings upn to key of the user who had it first; gets new ones
-- @tparam number now UTC epoch seconds
-- @treturn ?table `who`, `tenant`, `ends` and `why`, as they are stored with a finding
-- @treturn ?string a warning: the upn of an exception belongs to another user now
function Exceptions:find(subject, bindings, now)
  local upn, warning = identity.upn(subject.upn), nil
  for _, exception in ipairs(self) do
    if now < exception.over and is_of_tenant(exception, subject) then
      local holds = exception.id ~= nil and exception.id == subject.id
        or exception.pattern ~= nil and upn ~= nil and matches(exception.pattern, upn)
      if exception.upn then
        local why
        holds, why = is_bound_to(exception, subject, upn, bindings)
        warning = warning or why
      end
      if holds then
        return stored(exception)
      end
    end
  end
  return stored(excepts_all(self, subject, now)), warning
end

--- Tests whether a line names an application, so that @{Exceptions:find} needs those of the user.
-- @treturn boolean
function Exceptions:needs_applications()
  for _, exception in ipairs(self) do
    if exception.application then
      return true
    end
  end
  return false
end

--- The bindings that are still needed: those of upns in the file. A line that is removed and
-- written again means the user who has the upn then.
-- @tparam table bindings
-- @treturn table
function Exceptions:still_bound(bindings)
  local needed = {}
  for _, exception in ipairs(self) do
    if exception.upn then
      needed[exception.upn] = bindings[exception.upn]
    end
  end
  return needed
end

--- What the user has to hear of: lines that ended, or end within 14 days.
-- @tparam number now UTC epoch seconds
-- @treturn {string,...} one text a line
function Exceptions:warnings(now)
  local texts = {}
  for _, exception in ipairs(self) do
    local text
    if now >= exception.over then
      text = "line %d: the exception of %s ended on %s; remove the line, or extend it"
    elseif exception.over - (now - now % DAY) <= (WARNED + 1) * DAY then
      text = "line %d: the exception of %s ends on %s"
    end
    texts[#texts + 1] = text and text:format(exception.line, exception.who, exception.ends)
  end
  return texts
end

return M
