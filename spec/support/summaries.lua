--- Writes summary files.
local folder = require "spec.support.folder"
local history = require "pcapi.history"
local lists = require "spec.support.history_lists"
local summary = require "pcapi.history.summary"

local M = {}

--- The tenant of the files.
M.TENANT = "5f0b3c1e-0000-4000-8000-0000000000aa"

--- Writes a file. The history is in a folder of `spec.support.folder`.
-- @tparam string path in a folder that others may enter
-- @tparam table runs array of `at`, `users`, and optionally `requests` and `adoption` (see
-- `spec.support.history_lists`), `tenant`, `name`, `exceptions`, and `reader` (who is told after
-- the run)
-- @tparam number now
function M.write(path, runs, now)
  local made = assert(history.open(folder.new() .. "/history.sqlite"))
  for _, run in ipairs(runs) do
    local options = { tenant = M.TENANT, name = "Fabrikam", now = run.at,
                      users = lists.users(run.at, run.users),
                      requests = lists.requests(run.at, run.requests or {}),
                      adoption = lists.adoption(run.at, run.adoption or {}) }
    for _, name in ipairs { "tenant", "name", "exceptions" } do
      options[name] = run[name] or options[name]
    end
    assert(made:observe(options))
    if run.reader then
      assert(made:changes { reader = run.reader, now = run.at })
    end
  end
  assert(summary.write(made, path, now))
  made:close()
end

return M
