--- Makes of each list what the page caches: `items`, its records as JSON text, so that they are
-- encoded once and not for each request, and `facts`, a few numbers about them.
local adoption = require "pcapi.report.adoption"
local clean = require "pcapi.report.clean"
local diff = require "pcapi.report.diff"
local json = require "pcapi.json"
local seen = require "page.seen"
local summary = require "pcapi.report.summary"

local M = {}

-- Lets the worker respond to other requests.
local function breathe()
  ngx.sleep(0.001)
end

local function clean_records(list)
  return clean.records(list, list.resource.description)
end

local function facts_of(list)
  local facts = summary.of(list)
  return { count = facts.count, truncated = facts.truncated }
end

local function id_of(user)
  return user.objectId or user.upn
end

-- Marks users as new or not, where earlier days are known.
local function mark(users, is_new)
  for _, user in ipairs(users) do
    user.isNew = is_new
  end
end

--- Users without MFA, the newest first. Each user with an id has `isNew` if an earlier day is
-- known.
-- @tparam pcapi.list list
function M.users(list)
  local now = ngx.time()
  local known, day = seen.before(now)
  local users, facts = clean_records(list:newest_first()), facts_of(list)
  mark(users, nil)
  local changes = diff.of(users, known or {}, id_of)
  if known then
    mark(changes.new, true)
    mark(changes.known, false)
    facts.new_count, facts.compared_with = #changes.new, day
  end
  seen.store(now, changes.ids)
  return { items = json.encode_array(users, breathe), facts = facts }
end

--- Adoption per day and application.
-- @tparam pcapi.list list
function M.adoption(list)
  local rows = clean_records(list)
  return { items = json.encode_array(rows, breathe), facts = adoption.of(rows) }
end

--- Requests without MFA, the newest first.
-- @tparam pcapi.list list
function M.requests(list)
  local requests = clean_records(list:newest_first())
  return { items = json.encode_array(requests, breathe), facts = facts_of(list) }
end

return M
