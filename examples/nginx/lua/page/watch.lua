--- Refreshes the lists when nobody opens the page. So a reader never waits for the service.
local lists = require "page.lists"
local settings = require "page.settings"

local M = {}

local function refresh(premature)
  if premature then
    return -- nginx stops
  end
  local threads = {}
  for i, name in ipairs(lists.names) do
    threads[i] = ngx.thread.spawn(lists.get, name)
  end
  for _, thread in ipairs(threads) do
    ngx.thread.wait(thread)
  end
end

--- Starts the refreshing in one worker; for init_worker_by_lua.
function M.start()
  settings.start()
  if ngx.worker.id() ~= 0 then
    return
  end
  assert(ngx.timer.at(0, refresh))
  assert(ngx.timer.every(math.max(1, settings.fresh / 5), refresh))
end

return M
