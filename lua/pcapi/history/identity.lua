--- The keys under which the history stores people, applications and requests. Pure.
--
-- A key holds no field that changes: a user who is renamed, or a profile with a new name, is the
-- same as before. These keys differ from @{pcapi.list.List:identity_of} in three ways:
--
-- - People belong to the tenant that was *asked*. A record's own `tenantId` is the home of a
--   guest, and may be missing; with it in the key, a guest could not be found again by the tenant
--   that has to act.
-- - A user without `objectId` still has a key, made of the upn: the history must not lose anybody.
-- - The key of a request is short, since there are millions.
-- @module pcapi.history.identity
local core = require "pcapi.core"
local text = require "pcapi.text"

local M = {}

local UPN = "upn:"

local function is_text(value)
  return type(value) == "string" and value ~= ""
end

--- Tests whether a value is a GUID.
-- @param value
-- @treturn boolean
function M.is_guid(value)
  return core.guid(value) ~= nil
end

--- The key of a tenant: the id that was asked, such as the `tid` of its token.
-- @tparam string id
-- @treturn[1] string a GUID in lower case
-- @treturn[2] nil
-- @treturn[2] string what is wrong
function M.tenant(id)
  if not M.is_guid(id) then
    return nil, "a history needs the tenant's id, a GUID; a domain can move to another tenant"
  end
  return id:lower()
end

--- A upn as it is compared: case does not count in it.
-- @tparam ?string upn
-- @treturn ?string nil if there is none
function M.upn(upn)
  return is_text(upn) and core.lower(upn) or nil
end

--- The key of a user within a tenant: the `objectId`, or `upn:` and the upn.
-- @tparam table record of a user or of a request
-- @treturn ?string nil if the record has neither
function M.person(record)
  if is_text(record.objectId) then
    return core.lower(record.objectId)
  end
  return is_text(record.upn) and UPN .. core.lower(record.upn) or nil
end

--- Tests whether a key is made of a upn.
-- @tparam string key from @{person}
-- @treturn boolean
function M.is_upn(key)
  return key:sub(1, #UPN) == UPN
end

--- The key that a user has while only the upn is known.
-- @tparam string upn
-- @treturn string
function M.of_upn(upn)
  return UPN .. core.lower(upn)
end

--- The key of an application.
-- @tparam table record of a request or of adoption
-- @treturn string `applicationId` in lower case; empty if it is missing
function M.application(record)
  return is_text(record.applicationId) and core.lower(record.applicationId) or ""
end

-- The fields that, beside the user, tell requests apart that have no requestId.
local PARTS = { "requestDateTime", "applicationId", "operationName", "ipAddress" }

--- The key of a request within a tenant.
-- @tparam table record of a request
-- @treturn string the 16 bytes of its `requestId`; else a SHA-256 of 32 bytes, of `requestId` if it
-- is no GUID, or of time, user, application, operation and address
function M.request(record)
  local id = record.requestId
  local bytes = core.guid(id)
  if bytes then
    return bytes
  elseif is_text(id) then
    return core.sha256("id\0" .. id)
  end
  local parts = { M.person(record) or "" }
  for _, field in ipairs(PARTS) do
    local value = record[field]
    parts[#parts + 1] = is_text(value) and #value .. ":" .. value or "-"
  end
  return core.sha256(table.concat(parts, "\0"))
end

--- The id of a request, from its key.
-- @tparam string key from @{request}
-- @treturn ?string a GUID in lower case; nil if the request had none
function M.request_id(key)
  if #key ~= 16 then
    return nil
  end
  return (text.hex(key):gsub("^(%x%x%x%x%x%x%x%x)(%x%x%x%x)(%x%x%x%x)(%x%x%x%x)",
    "%1-%2-%3-%4-"))
end

return M
