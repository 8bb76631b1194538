--- What the page makes of the service's lists: the records as JSON text, encoded once and not
-- for every request, and the facts that are told beside them. No record is lost for an odd value.
local cjson = require("cjson.safe").new()
local clean = require "page.records"
local seen = require "page.seen"

local M = {}

local PIECE = 500 -- records that are encoded without letting other requests go on

-- An empty array is one, too.
local function array(items)
  local pieces = {}
  for first = 1, #items, PIECE do
    if first > 1 then
      ngx.sleep(0.001)
    end
    local piece = { unpack(items, first, math.min(first + PIECE - 1, #items)) }
    pieces[#pieces + 1] = cjson.encode(piece):sub(2, -2)
  end
  return "[" .. table.concat(pieces, ",") .. "]"
end

local function id_of(user)
  return user.objectId or user.upn
end

--- Users without MFA, the newest first. Each has `isNew` where there is a day to compare with,
-- and an id to compare.
-- @tparam pcapi.list list
function M.users(list)
  local known, day = seen.before_today()
  local items, ids, new = clean(list):newest_first(), {}, 0
  for _, user in ipairs(items) do
    local id = id_of(user)
    ids[#ids + 1] = id
    user.isNew = nil
    if known and id then
      user.isNew = not known[id]
      new = new + (user.isNew and 1 or 0)
    end
  end
  seen.keep(ids)
  return { items = array(items), facts = {
    count = #items, new_count = known and new or nil, compared_with = day,
    truncated = list.truncated or false,
  } }
end

-- Adds a row of the service to a sum. A request with MFA is a request.
local function add(sum, row)
  local with_mfa = row.mfaCompliantRequestCount or 0
  sum.with_mfa = sum.with_mfa + with_mfa
  sum.total = sum.total + math.max(row.totalRequestCount or 0, with_mfa)
end

local function ratio(sum)
  return sum.total > 0 and sum.with_mfa / sum.total or nil
end

-- The sum of each application, the busiest first.
local function by_application(list)
  local by_id, sums = {}, {}
  for _, row in ipairs(list) do
    local id = row.applicationId or ""
    if not by_id[id] then
      by_id[id] = { id = id, with_mfa = 0, total = 0 }
      sums[#sums + 1] = by_id[id]
    end
    by_id[id].name = by_id[id].name or row.applicationName
    add(by_id[id], row)
  end
  table.sort(sums, function(a, b)
    if a.total ~= b.total then
      return a.total > b.total
    end
    return a.id < b.id
  end)
  return sums
end

--- Adoption per day and application.
function M.adoption(list)
  local all, applications = { with_mfa = 0, total = 0 }, by_application(clean(list))
  for _, row in ipairs(list) do
    add(all, row)
  end
  for _, sum in ipairs(applications) do
    sum.ratio = ratio(sum)
  end
  return { items = array(list), facts = {
    applications = applications, with_mfa = all.with_mfa, total = all.total, ratio = ratio(all),
  } }
end

--- Requests without MFA, the newest first.
function M.requests(list)
  return { items = array(clean(list):newest_first()), facts = {
    count = #list, truncated = list.truncated or false,
  } }
end

return M
