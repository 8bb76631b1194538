--- Makes of each list what the page caches: `items`, its records as JSON text, so that they are
-- encoded once and not for each request, and `facts`, a few numbers about them.
local adoption = require "pcapi.report.adoption"
local clean = require "pcapi.report.clean"
local json = require "pcapi.json"
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

--- Users without MFA, the newest first.
-- @tparam pcapi.list list
function M.users(list)
  local users = clean_records(list:newest_first())
  return { items = json.encode_array(users, breathe), facts = facts_of(list) }
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
