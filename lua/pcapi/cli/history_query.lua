--- What the commands of the history share: they open it, and find the tenants and users that the
-- arguments name.
-- @module pcapi.cli.history_query
local core = require "pcapi.core"
local exit = require "pcapi.cli.exit"
local history_file = require "pcapi.cli.history_file"
local history_rows = require "pcapi.cli.history_rows"
local identity = require "pcapi.history.identity"
local options = require "pcapi.cli.options"

local M = {}

local SHOWN = 20 -- users or tenants of a message

--- The option that selects tenants of the history. It replaces `--tenant` of all commands, which
-- takes no name of a profile.
M.TENANT = { "--tenant", key = "of_tenant", value = "TENANT",
             check = options.filled "--tenant", about = "Only this tenant: ID or name" }

--- The argument that names a user.
M.USER = { "user", value = "USER", check = options.filled "USER",
           about = "UPN or object ID, * for any text" }

--- Returns the result of a function of the history; its error ends the command.
-- @param result
-- @tparam ?pcapi.error err
-- @return result
function M.required(result, err)
  if result == nil then
    exit.fail(err)
  end
  return result
end

local function names_of(tenants)
  local names = {}
  for i, tenant in ipairs(tenants) do
    if i > SHOWN then
      names[#names + 1] = "…"
      break
    end
    names[i] = tenant.name or tenant.id
  end
  return table.concat(names, ", ")
end

--- The ids of the tenants that --tenant names; nil without it. An unknown one ends the command.
-- @tparam table args
-- @tparam table tenants of `pcapi.history.History:tenants`
-- @treturn ?table array
function M.selected(args, tenants)
  local given = args.of_tenant or args.tenant -- before the name of the command
  if not given then
    return nil
  end
  local ids, wanted = {}, core.lower(given)
  for _, tenant in ipairs(tenants) do
    ids[#ids + 1] = (tenant.id == wanted or core.lower(tenant.name or "") == wanted)
      and tenant.id or nil
  end
  if #ids == 0 then
    exit.stop(exit.EXIT.usage, ("the history has no tenant '%s'%s"):format(
      options.shown(given), #tenants > 0 and "; it has: " .. names_of(tenants) or ""))
  end
  return ids
end

--- Opens the history, which must exist.
-- @tparam table args
-- @treturn table `history`, `settings` (see `pcapi.cli.history_file`), `tenants` (all), `ids` (of
-- the selected tenants; nil: all), `not_asked` (set of tenants by id)
function M.open(args)
  local settings = history_file.settings(args)
  local history = history_file.open(settings, { create = false })
  local tenants = M.required(history:tenants())
  local not_asked = {}
  for _, tenant in ipairs(history_rows.not_asked(tenants)) do
    not_asked[tenant.id] = true
  end
  return { history = history, settings = settings, tenants = tenants, not_asked = not_asked,
           ids = M.selected(args, tenants) }
end

--- The name of a tenant, with its id.
-- @tparam table tenant
-- @treturn string
function M.tenant_name(tenant)
  return tenant.name and ("%s (%s)"):format(tenant.name, tenant.id) or tenant.id
end

--- The name of a user, with the objectId.
-- @tparam table person
-- @treturn string
function M.user_name(person)
  if not person.upn or identity.is_upn(person.id) then
    return person.upn or person.id
  end
  return ("%s (%s)"):format(person.upn, person.id)
end

--- A user of a tenant, for messages.
-- @tparam table entry `tenant` and `person`
-- @treturn string
function M.name_of(entry)
  return ("%s in the tenant %s"):format(M.user_name(entry.person), M.tenant_name(entry.tenant))
end

--- Finds the one user that USER names. If there is none, or if there are several, the command ends,
-- and the message says how to be precise.
-- @tparam table args
-- @tparam table opened from @{open}
-- @treturn table `tenant` and `person`
function M.user(args, opened)
  local found = M.required(opened.history:users(args.user, { tenants = opened.ids }))
  if #found == 1 then
    return found[1]
  elseif #found == 0 then
    exit.stop(exit.EXIT.error, ("the history has no user '%s'; it has users without MFA that "
      .. "pcapi watch recorded"):format(options.shown(args.user)))
  end
  local lines = { ("%d users match '%s'; name one by its object ID, and its tenant by --tenant:")
    :format(#found, options.shown(args.user)) }
  for i, entry in ipairs(found) do
    if i > SHOWN then
      lines[#lines + 1] = ("  and %d more"):format(#found - SHOWN)
      break
    end
    lines[#lines + 1] = "  " .. M.name_of(entry)
  end
  exit.stop(exit.EXIT.usage, table.concat(lines, "\n"))
end

return M
