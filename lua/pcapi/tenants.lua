--- The same for many tenants, each by a client of its own.
-- @module pcapi.tenants
local check = require "pcapi.check"

local M = {}

local NAME = "pcapi.each_tenant"

local function mistake_in(tenant)
  if type(tenant) == "string" and tenant:find "^%C+$" then
    return nil
  elseif type(tenant) ~= "table" or type(tenant.name) ~= "string" then
    return "must be the name of a profile, or a table with a name and a client"
  elseif type(tenant.client) ~= "table" or type(tenant.client.call) ~= "function" then
    return ("(%s) must have a client, made by pcapi.new"):format(tenant.name)
  end
end

local function task_of(tenant, act, new)
  return function()
    if tenant.client then
      return act(tenant.client, tenant.name)
    end
    local client, err = new { profile = tenant }
    if not client then
      return nil, err
    end
    return act(client, tenant)
  end
end

--- What `pcapi.each_tenant` does. A mistake raises at the line of the caller's caller.
-- @tparam table tenants
-- @tparam function act
-- @tparam ?table options
-- @tparam function new makes a client of the name of a profile, as `pcapi.new`
-- @tparam function run runs tasks, as `pcapi.concurrent` does
-- @return as `pcapi.each_tenant`
function M.each(tenants, act, options, new, run)
  if type(tenants) ~= "table" or type(act) ~= "function" then
    error(NAME .. " takes an array of tenants and a function", 3)
  end
  local tasks = {}
  for i = 1, #tenants do
    local mistake = mistake_in(tenants[i])
    if mistake then
      error(("%s: tenant %d %s"):format(NAME, i, mistake), 3)
    end
    tasks[i] = task_of(tenants[i], act, new)
  end
  check.places(tenants, NAME .. ": the tenants", 3)
  local results, err = run(tasks, options, NAME, 3)
  for i, result in ipairs(results or {}) do
    result.name = type(tenants[i]) == "table" and tenants[i].name or tenants[i]
  end
  return results, err
end

return M
