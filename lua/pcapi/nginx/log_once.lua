--- Lines in nginx's error log about the set-up: each is said once by a worker, until what it
-- is about is over.
-- @module pcapi.nginx.log_once
local M = {}

local said = {}

--- Says a line, unless it was said.
-- @tparam string about names what it is about
-- @tparam string text
function M.once(about, text)
  if not said[about] then
    said[about] = true
    ngx.log(ngx.ERR, "pcapi: ", text)
  end
end

--- What a line was about is over: it may be said again.
-- @tparam string about
-- @tparam ?string text says so
function M.over(about, text)
  if said[about] then
    said[about] = nil
    if text then
      ngx.log(ngx.WARN, "pcapi: ", text)
    end
  end
end

return M
