--- Stores which users were in the list on which day, so that the page can show who is new.
local json = require "pcapi.json"
local settings = require "page.settings"
local time = require "pcapi.time"

local M = {}

local DAY = 24 * 60 * 60
local DAYS = 8 -- one more than the service's list covers

--- The key of the set of users of a day.
-- @tparam number at UTC epoch seconds
-- @treturn string
function M.key(at)
  return ("page/seen/%s/%s"):format(settings.owner(), time.format_date(at))
end

--- Reads the users of the days before a day.
-- @tparam number now UTC epoch seconds
-- @treturn[1] table set of ids
-- @treturn[1] string the newest of these days, such as 2026-11-24
-- @treturn[2] nil no earlier day is stored
function M.before(now)
  local known, newest = {}, nil
  for back = 1, DAYS do
    local at = now - back * DAY
    local ids = settings.shared:get(M.key(at))
    if ids then
      newest = newest or time.format_date(at)
      for _, id in ipairs(json.decode(ids) or {}) do
        known[id] = true
      end
    end
  end
  return newest and known or nil, newest
end

--- Stores the users of a day.
-- @tparam number now UTC epoch seconds
-- @tparam table ids array
function M.store(now, ids)
  local ok, err = settings.shared:set(M.key(now), json.encode_array(ids), (DAYS + 1) * DAY)
  if not ok then
    ngx.log(ngx.WARN, "pcapi page: cannot store the users of today: ", tostring(err))
  end
end

return M
