--- Makes of each list what the page caches: `items`, its records as JSON text, so that they are
-- encoded once and not for each request, and `facts`, a few numbers about them.
local adoption = require "pcapi.report.adoption"
local clean = require "pcapi.report.clean"
local json = require "pcapi.json"
local slots = require "pcapi.nginx.slots"
local summary = require "pcapi.report.summary"

local M = {}

local breathe = slots.breathe -- lets the worker respond to other requests
local STEP = 100 -- records that are cleaned at once

local function clean_records(list)
  local records = {}
  for first = 1, #list, STEP do
    local piece = {}
    for i = first, math.min(first + STEP - 1, #list) do
      piece[#piece + 1] = list[i]
    end
    for _, record in ipairs(clean.records(piece, list.resource.description)) do
      records[#records + 1] = record
    end
    breathe()
  end
  return records
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
