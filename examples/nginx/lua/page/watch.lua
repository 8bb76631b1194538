--- Keeps the lists fresh while nobody looks: a person never waits for the service, and every
-- day has its set of users for the next one to be compared with.
local lists = require "page.lists"
local settings = require "page.settings"

local M = {}

local function look(premature)
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

--- Starts it in one worker; for init_worker_by_lua of all.
function M.start()
  settings.start()
  if ngx.worker.id() ~= 0 then
    return
  end
  assert(ngx.timer.at(0, look))
  assert(ngx.timer.every(math.max(1, settings.fresh / 5), look))
end

return M
