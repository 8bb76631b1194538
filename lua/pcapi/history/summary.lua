--- Writes what a history knows to a file, for programs that must not open the database, such as
-- nginx. `pcapi.nginx` reads it.
--
--     local summary = require "pcapi.history.summary"
--     assert(summary.write(history, "/var/lib/pcapi-summary/summary.json", os.time()))
--
-- The file is JSON. The same history and the same time give the same bytes. Times are texts such as
-- `2026-11-28T06:00:00Z`; what is not known is missing. It holds
--
-- - `format` (`"pcapi summary"`), `schema` (a number, @{SCHEMA}), and `at`, when it was written;
-- - `people` and `more_people`: how many people are in it, and how many there was no room for;
-- - `tenants`, an array. Each has its `id` and `label`; `last_run` and `last_success`, when it was
--   last asked and last responded; `lists` of the last success (`users`, `requests`, `adoption`:
--   `whole`, `cut` or `failed`), with a `gap` in its requests (`from`, `to`) and when to run again
--   (`next_run`) if they were cut; `coverage`, the share of the last days' requests that is known
--   (0 to 1); its `failure` (`kind`, `since`), if the last run failed;
--   `new_since`, see below; `counts` of people by `open`, `healing`, `fixed`, `quiet`, `lost`, and
--   of those that are `excepted` and `new`; `oldest_open`, since when the one without exception who
--   has been open for longest is without MFA; its `trend` (see `pcapi.history.trend`); `people` and
--   `more_people`.
--
-- The `people` of a tenant are those with an open or healing finding, then those whose finding was
-- closed in the last 30 days; the newest first. Each has `objectId` and `user` (upn), `state`,
-- `since` and `last` (first and last sign-in without MFA of this episode), `mfa_since`, `closed`,
-- `episode`, `class` and `certainty`, `application` (`id`, `name`), `step` (the next one),
-- `exception` (`until`, `who`, `why`), and if it is news, `news` (`new`, `back`, `again`, `ended`)
-- and `told`, whether a reader was told of it.
--
-- A finding is **news** if no reader was told of it yet, or if it was recorded after `new_since`:
-- the last successful run that was at least 20 hours before the newest. So with one run a day, all
-- that this morning's run found is news until the next morning's, also if a morning was missed; and
-- with one an hour, what the last 20 to 21 hours brought.
-- @module pcapi.history.summary
local copy = require "pcapi.copy"
local core = require "pcapi.core"
local errors = require "pcapi.error"
local explanation = require "pcapi.history.explanation"
local figures = require "pcapi.history.figures"
local identity = require "pcapi.history.identity"
local json_value = require "pcapi.format.json_value"
local survey = require "pcapi.history.survey"
local time = require "pcapi.time"
local trend = require "pcapi.history.trend"

local M = {}


--- The version of the file's schema. It grows when a reader of the older one would go wrong.
M.SCHEMA = 1

--- How many people a file holds at most.
M.MOST_PEOPLE = 10000

--- How many bytes of people a file holds at most: names can be long.
M.MOST_BYTES = 12 * 1024 * 1024

local function format(at)
  return at and time.format(at)
end

local function encode(value)
  return assert(json_value.compact(value))
end

local function exception_of(exception)
  return exception and { ["until"] = exception.ends, who = exception.who, why = exception.why }
end

local function person_of(store, found, person, options)
  local finding, news = person.finding, figures.news_of(found.news, person) or {}
  local explained = explanation.of(store, found.tenant, person, finding, options)
  local first = explained.classes[1] or {}
  return {
    objectId = not identity.is_upn(person.id) and person.id or nil, user = person.upn,
    state = finding.state, since = format(finding.first_at), last = format(finding.last_at),
    mfa_since = format(finding.mfa_at), closed = format(finding.closed), episode = finding.episode,
    class = first.class, certainty = first.certainty,
    step = explained.step,
    application = first.application and { id = first.application, name = first.name } or nil,
    exception = exception_of(finding.exception),
    news = news.kind, told = news.told,
  }
end

-- The members of a tenant but its people.
local function tenant_of(store, found, now)
  local tenant = found.tenant
  local row, first = tenant.at and store:last_run(tenant, tenant.at), store:first_run(tenant)
  return {
    id = tenant.id, label = tenant.name, last_run = format(tenant.asked),
    last_success = format(tenant.at), new_since = format(found.new_since), counts = found.counts,
    oldest_open = format(found.oldest_open), coverage = row and row.share,
    lists = row and { users = row.users, requests = row.requests, adoption = row.adoption },
    gap = row and row.gap_from and { from = format(row.gap_from), to = format(row.gap_to) },
    next_run = row and format(row.next_at),
    failure = tenant.failure and { kind = tenant.failure.kind,
                                   since = format(tenant.failure.since) },
    trend = first and trend.of(store:episodes(tenant, trend.start(now)), first, now),
  }
end

-- The members of an object as JSON, without the closing brace; it may have none.
local function open_object(object)
  return encode(object):sub(1, -2)
end

-- Writes a tenant. `room` holds the bytes that are left for people.
local function write_tenant(store, found, now, options, room)
  local pieces = {}
  for i = 1, found.places do
    local text = encode(person_of(store, found, found.people[i], options))
    if room.bytes < #text then
      break
    end
    room.bytes = room.bytes - #text
    pieces[i] = text
  end
  room.people, room.more = room.people + #pieces, room.more + found.size - #pieces
  return ('%s,"more_people":%d,"people":[%s]}'):format(open_object(tenant_of(store, found, now)),
    found.size - #pieces, #pieces > 0 and "\n" .. table.concat(pieces, ",\n") or "")
end

--- The text of the file.
-- @tparam pcapi.history history
-- @tparam number now UTC epoch seconds
-- @tparam[opt] table options `names` and `own` as for `pcapi.history:explain`; and `client_ids`: by
-- the id of the tenant, the application of pcapi itself
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function M.text(history, now, options)
  local store, explained = history.store, copy.with(options)
  return store:read(function()
    local room, tenants = { bytes = M.MOST_BYTES, people = 0, more = 0 }, {}
    explained.adoption = store:application_names()
    for i, found in ipairs(survey.all(store, store:tenants(), now, M.MOST_PEOPLE)) do
      explained.client_id = (explained.client_ids or {})[found.tenant.id]
      found.people = found.people or survey.of(store, found.tenant, now).people
      tenants[i] = write_tenant(store, found, now, explained, room)
      found.people = nil
    end
    return ('{"format":"pcapi summary","schema":%d,"at":"%s","people":%d,"more_people":%d,'
      .. '"tenants":[%s]}\n'):format(M.SCHEMA, format(now), room.people, room.more,
      #tenants > 0 and "\n" .. table.concat(tenants, ",\n") or "")
  end)
end

local function fail(message, remedy)
  return errors.fail { kind = "store", message = message, hint = remedy and
    remedy:gsub("{store}", "[history] summary") }
end

local function is_same(path, other)
  local _, _, _, id = core.file_state(path)
  return id ~= nil and id == select(4, core.file_state(other))
end

local HERE = "Choose a folder of its own, which nginx may enter"

-- Why a folder is not for this file.
local function problem_in(directory, history, stores)
  local token_store = require "pcapi.auth.store.file"
  local own = history.path and (history.path:match "^(.*)/" or ".")
  if own and is_same(directory, own == "" and "/" or own) then
    return "is the folder of the history, which is for one user alone"
  end
  local folders = { os.getenv "PCAPI_STORE" or token_store.directory(os.getenv) }
  for _, store in ipairs(stores or {}) do
    folders[#folders + 1] = store
  end
  for _, store in ipairs(folders) do
    if is_same(directory, store) then
      return "is the folder of sign-ins, where each file is taken for one"
    end
  end
end

--- Replaces the file as a whole. It has mode 0640 and, if this process may set it, the group of its
-- folder. The folder must exist; another user must be able to enter it, and none to write to it. It
-- is neither that of the history nor one of sign-ins.
-- @tparam pcapi.history history
-- @tparam string path
-- @tparam number now UTC epoch seconds
-- @tparam[opt] table options as for @{text}; and `stores`, an array of the folders of sign-ins, if
-- there are more than that of the environment
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function M.write(history, path, now, options)
  local directory, name = path:match "^(.*)/([^/]*)$"
  directory, name = directory or ".", name or path
  directory = directory == "" and "/" or directory
  if name == "" or path:find "%z" or core.file_state(path) == "d" then
    return fail(("the summary %s is not the path of a file"):format(path),
      "Set {store} to the path of a file")
  end
  local problem = problem_in(directory, history, options and options.stores)
  if problem then
    return fail(("the summary %s: %s %s"):format(name, directory, problem), HERE)
  end
  local text, err = M.text(history, now, options)
  if not text then
    return nil, err
  end
  -- a transaction makes processes replace it one after the other: they use one temporary name
  return history.store:transaction(function()
    local written, ok, why, remedy = pcall(core.file_publish, directory, name, text)
    if not written then
      return fail(("the summary cannot be named %s"):format(name), "Name it summary.json")
    elseif not ok then
      return fail("the summary: " .. why, remedy)
    end
    return true
  end)
end

return M
