--- The three lists of the page: shared by all workers, refreshed in the background, and shown
-- with their age while the service does not respond.
local notes = require "page.notes"
local reports = require "page.reports"
local settings = require "page.settings"

local M = {}

-- The call of each list.
local CALLS = {
  users = function(client)
    return client.security:non_mfa_principals { since = "7d" }
  end,
  adoption = function(client)
    return client.security:application_mfa_adoption_status()
  end,
  requests = function(client)
    return client.security:partner_requests { mfa_compliant = false }
  end,
}

--- The names of the lists, in the order of the page.
M.names = { "users", "adoption", "requests" }

local function load(client, name)
  notes.count("refreshes", name)
  local list, err = CALLS[name](client)
  if not list then
    notes.count("errors", name)
    return nil, err
  end
  return reports[name](list)
end

local cached = {}

-- Made at first use: a profile, which owns the lists, is read in a worker.
local function cached_of(client, name)
  cached[name] = cached[name] or settings.shared:cached {
    of = client, name = "page/" .. name, fresh = settings.fresh, stale = settings.stale,
    load = function()
      return load(client, name)
    end,
  }
  return cached[name]
end

local function get(name)
  local client, err = settings.client()
  if not client then
    return nil, err
  end
  return cached_of(client, name):get()
end

--- Returns a list as it is cached; waits for the service only if nothing is cached.
-- @tparam string name
-- @treturn[1] table `items` (JSON text of an array) and `facts`; do not change it
-- @treturn[1] table `age` (seconds), `is_stale`, and `err`: why the last refresh failed
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function M.get(name)
  local value, state = get(name)
  if value then
    notes.store(name, value.facts, ngx.now() - state.age, state.err)
  else
    notes.store(name, nil, nil, state)
  end
  return value, state
end

return M
