--- Logs each set-up problem once per worker in nginx's error log, until it is solved.
-- @module pcapi.nginx.log_once
local M = {}

local logged = {}

--- Logs an error, unless this topic was logged before.
-- @tparam string topic
-- @tparam string message
function M.error(topic, message)
  if not logged[topic] then
    logged[topic] = true
    ngx.log(ngx.ERR, "pcapi: ", message)
  end
end

--- Marks a topic as solved, so that it can be logged again.
-- @tparam string topic
-- @tparam ?string message logged as a warning if the topic had been logged
function M.solved(topic, message)
  if logged[topic] then
    logged[topic] = nil
    if message then
      ngx.log(ngx.WARN, "pcapi: ", message)
    end
  end
end

return M
