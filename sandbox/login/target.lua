--- Reads what a token is requested for: the scope in version 2, the resource in version 1.
local M = {}

local GRAPH = "https://graph.microsoft.com"
local OF_THE_USER = { openid = true, profile = true, email = true, offline_access = true }

-- `https://host/permission` has both. A permission without a resource belongs to Graph.
local function split(word)
  local resource, permission = word:match("^(.+)/([^/]+)$")
  return resource or GRAPH, permission or word
end

local function granted(resource, permission)
  local all = resource .. "/" .. permission
  return permission == ".default" and resource .. "/user_impersonation " .. all or all
end

local function read_scope(scope)
  local target = { scope = {}, permissions = {}, requested = scope }
  for word in scope:gmatch("%S+") do
    if OF_THE_USER[word] then
      target[word] = true
    else
      local resource, permission = split(word)
      if target.resource and target.resource ~= resource then
        return nil, 700022
      end
      target.resource = resource
      target.scope[#target.scope + 1] = granted(resource, permission)
      target.permissions[#target.permissions + 1] = permission == ".default"
        and "user_impersonation" or permission
    end
  end
  for _, word in ipairs { "openid", "profile", "email" } do
    target.scope[#target.scope + 1] = target[word] and word or nil
  end
  target.scope = table.concat(target.scope, " ")
  target.permissions = table.concat(target.permissions, " ")
  target.resource = target.resource or GRAPH
  return target
end

--- Reads the target from a request, or from the grant of an earlier request.
-- @tparam table call
-- @tparam ?table grant `scope` and `resource` of the earlier request
-- @treturn[1] table `resource`, `scope` (granted), `requested`, `permissions`, `openid`,
--   `offline_access`
-- @treturn[2] nil
-- @treturn[2] number AADSTS code
-- @treturn[2] ?table details of the error response
function M.read(call, grant)
  local parameters = call.parameters
  grant = grant or {}
  if call.version == 1 then
    local resource = parameters.resource or grant.resource
    if not resource then
      return nil, 50001
    end
    return { resource = resource, scope = "user_impersonation",
             permissions = "user_impersonation", offline_access = true,
             openid = (parameters.scope or ""):find("openid", 1, true) ~= nil }
  end
  local scope = parameters.scope or grant.scope
  if not scope then
    return nil, 900144, { words = { name = "scope" } }
  end
  return read_scope(scope)
end

return M
