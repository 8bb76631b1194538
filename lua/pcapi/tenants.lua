--- Runs a function for many tenants at once, with a client for each.
-- @module pcapi.tenants
local check = require "pcapi.check"

local M = {}

local NAME = "pcapi.each_tenant"

local function problem_in(tenant)
  if type(tenant) == "string" and tenant:find "^%C+$" then
    return nil
  elseif type(tenant) ~= "table" or type(tenant.name) ~= "string" then
    return "must be the name of a profile, or a table with a name and a client"
  elseif type(tenant.open) == "function" then
    return nil
  elseif type(tenant.client) ~= "table" or type(tenant.client.call) ~= "function" then
    return ("(%s) must have a client, made by pcapi.new, or a function open"):format(tenant.name)
  end
end

local function name_of(tenant)
  return type(tenant) == "table" and tenant.name or tenant
end

local function client_of(tenant, new)
  if type(tenant) == "string" then
    return new { profile = tenant }
  elseif tenant.client then
    return tenant.client
  end
  return tenant.open()
end

local function task_of(tenant, act, new)
  return function()
    local client, err = client_of(tenant, new)
    if not client then
      return nil, err
    end
    return act(client, name_of(tenant))
  end
end

--- Does the work of `pcapi.each_tenant`. Wrong arguments raise at the line of the caller's caller.
-- @tparam table tenants
-- @tparam function act
-- @tparam ?table options
-- @tparam function new makes a client for a profile, as `pcapi.new`
-- @tparam function run runs tasks, as `pcapi.concurrent`
-- @return as `pcapi.each_tenant`
function M.each(tenants, act, options, new, run)
  if type(tenants) ~= "table" or type(act) ~= "function" then
    error(NAME .. " takes an array of tenants and a function", 3)
  end
  local tasks = {}
  for i = 1, #tenants do
    local problem = problem_in(tenants[i])
    if problem then
      error(("%s: tenant %d %s"):format(NAME, i, problem), 3)
    end
    tasks[i] = task_of(tenants[i], act, new)
  end
  check.array(tenants, NAME .. ": the tenants", 3)
  local results, err = run(tasks, options, NAME, 3)
  for i, result in ipairs(results or {}) do
    result.name = name_of(tenants[i])
  end
  return results, err
end

return M
