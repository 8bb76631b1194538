--- Makes rows of a store of the history, for its contract.
local M = {}

function M.tenant_in(store, id)
  local tenant = { id = id or "t", name = "Fabrikam", has_baseline = false }
  store:save_tenant(tenant)
  return tenant
end

function M.person_in(store, tenant, id, upn)
  local person = { id = id or "p", upn = upn or "Kim@x.example" }
  store:save_person(tenant, person)
  return person
end

return M
