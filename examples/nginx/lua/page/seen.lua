--- Who was in the list on which day, so that the page can tell who is new.
local cjson = require("cjson.safe").new()
local settings = require "page.settings"
local nginx = require("pcapi.nginx").time

local M = {}

local DAY = 24 * 60 * 60
-- The service's list goes back 7 days: who came in before has left it.
local DAYS = 8

--- Under which name a day's users are kept.
-- @tparam number epoch UTC seconds
-- @treturn string
function M.key(epoch)
  return ("page/seen/%s/%s"):format(settings.owner(), nginx.format_date(epoch))
end

--- Everybody who was in the list on a day before today.
-- @treturn[1] table set of ids
-- @treturn[1] string the newest of these days, such as 2026-11-24
-- @treturn[2] nil there is no such day yet
function M.before_today()
  local known, newest = {}, nil
  for back = 1, DAYS do
    local at = ngx.time() - back * DAY
    local ids = settings.shared:get(M.key(at))
    if ids then
      newest = newest or nginx.format_date(at)
      for _, id in ipairs(cjson.decode(ids) or {}) do
        known[id] = true
      end
    end
  end
  return newest and known or nil, newest
end

--- Keeps who is in the list today, for the days to come.
-- @tparam table ids array
function M.keep(ids)
  local ok, err = settings.shared:set(M.key(ngx.time()), cjson.encode(ids), (DAYS + 1) * DAY)
  if not ok then
    ngx.log(ngx.WARN, "pcapi page: who is seen today cannot be kept: ", tostring(err))
  end
end

return M
