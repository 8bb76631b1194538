--- Records days of the sandbox's stories in the history of a home folder, by the library.
local files = require "spec.support.files"
local history = require "pcapi.history"
local sandbox = require "spec.support.sandbox"

local M = {}

--- The tenant of the stories.
M.TENANT = "5f0b3c1e-0000-4000-8000-0000000000aa"

--- The path of the history in a home folder.
-- @tparam table home of `spec.support.home`
-- @treturn string
function M.path(home)
  return home.path .. "/.local/state/pcapi/history/history.sqlite"
end

--- Opens the history of a home folder, and makes it if it is missing.
-- @tparam table home
-- @treturn pcapi.history
function M.open(home)
  os.execute(("mkdir -p -m 700 %s/.local %s/.local/state %s/.local/state/pcapi"):format(home.path,
    home.path, home.path))
  return assert(history.open(M.path(home)))
end

-- What the sandbox lists of a story, as `observe` takes it.
local function lists_of(label, tenant)
  local client = sandbox.client(("story=%s; tenant=%s"):format(label, tenant))
  local security = client.security
  local lists = {}
  lists.users, lists.users_error = security:non_mfa_principals()
  lists.requests, lists.requests_error = security:partner_requests()
  lists.adoption, lists.adoption_error = security:application_mfa_adoption_status()
  client:close()
  return lists
end

--- Records days of a story.
-- @tparam table home
-- @tparam string story
-- @tparam {string,...} days times of the runs
-- @tparam[opt] table options as of `pcapi.history.History:observe`
function M.story(home, story, days, options)
  options = sandbox.merged({ tenant = M.TENANT, name = "fabrikam" }, options)
  local opened, label = M.open(home), sandbox.story(story, days[1])
  for _, day in ipairs(days) do
    sandbox.set_clock(label, day)
    assert(opened:observe(sandbox.merged(lists_of(label, options.tenant), options)))
  end
  opened:close()
end

--- All bytes of the files of the history.
-- @tparam table home
-- @treturn string
function M.bytes(home)
  local all, folder = {}, M.path(home):match "^(.*)/"
  for _, name in ipairs(files.lines_of("ls -A " .. folder)) do
    all[#all + 1] = files.slurp(folder .. "/" .. name)
  end
  return table.concat(all)
end

return M
