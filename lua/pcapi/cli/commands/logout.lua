--- `pcapi logout`: removes stored sign-ins.
-- @module pcapi.cli.commands.logout
local connect = require "pcapi.cli.connect"
local exit = require "pcapi.cli.exit"
local prompt = require "pcapi.cli.prompt"
local results = require "pcapi.cli.results"
local sign_out = require "pcapi.cli.sign_out"

local M = {
  summary = "Delete the stored sign-in of a profile",
  about = "Delete the stored sign-in of a profile from this machine. Its refresh token remains "
    .. "valid at Microsoft: to revoke it, open the user in Entra and choose Revoke sessions.",
  options = {
    { "--all", about = "Delete the stored sign-ins of all profiles" },
    { "--yes", about = "Delete without a question" },
  },
  examples = {
    { "Sign out of the default profile", "pcapi logout" },
    { "Sign out of all profiles, without a question", "pcapi logout --all --yes" },
  },
}

local function check_consent(args, names)
  if args.yes then
    return
  elseif not prompt.can_ask() then
    exit.stop(exit.EXIT.usage, "logout --all needs --yes where nobody can be asked")
  elseif not prompt.confirm(("Remove the stored sign-ins of %s?"):format(names)) then
    exit.stop(exit.EXIT.usage, "nothing was removed")
  end
end

local function signed_in(args)
  local tenants, names = {}, {}
  for _, tenant in ipairs(require("pcapi.cli.tenant_list").profiles(args)) do
    if tenant.profile and sign_out.is_signed_in(tenant.profile) then
      tenants[#tenants + 1], names[#names + 1] = tenant, tenant.name
    end
  end
  return tenants, names
end

-- Removes as many sign-ins as it can.
local function remove(tenants)
  local all, removed = {}, {}
  for i, tenant in ipairs(tenants) do
    local ok, err = sign_out.remove(tenant.args, tenant.profile)
    all[i] = { name = tenant.name, value = ok and {} or nil, err = err }
    removed[#removed + 1] = ok and tenant.name or nil
    if not ok then
      results.report_failure(all[i])
    end
  end
  return all, removed
end

local function run_all(args)
  if args.profile then
    exit.stop(exit.EXIT.usage, "--all is for every profile; leave out --profile")
  end
  local tenants, names = signed_in(args)
  local message, all, removed = "no profile was signed in", {}, {}
  if #tenants > 0 then
    check_consent(args, table.concat(names, ", "))
    all, removed = remove(tenants)
    message = ("removed the stored sign-ins of %d profiles from this machine: %s%s"):format(
      #removed, table.concat(removed, ", "), sign_out.STILL_VALID)
  end
  if not args.quiet and #removed == #all then
    exit.say(message)
  end
  results.finish(all)
end

--- Runs the command.
-- @tparam table args
function M.run(args)
  if args.all then
    return run_all(args)
  end
  sign_out.run(args, connect.stored_profile(args))
end

return M
