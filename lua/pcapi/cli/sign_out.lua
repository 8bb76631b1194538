--- Removes stored sign-ins. Microsoft offers no way to revoke a single refresh token.
-- @module pcapi.cli.sign_out
local connect = require "pcapi.cli.connect"
local exit = require "pcapi.cli.exit"

local M = {}

M.STILL_VALID = "; a refresh token remains valid at Microsoft.\npcapi: To revoke it, open the user "
  .. "in Entra and choose Revoke sessions"

--- Whether a profile has a stored sign-in; one that cannot be read counts.
-- @tparam pcapi.settings.profiles profile
-- @treturn boolean
function M.is_signed_in(profile)
  return profile.stored ~= nil and (profile.store_error or profile.stored:read()) ~= nil
end

--- Removes the stored sign-in of a profile.
-- @tparam table args
-- @tparam pcapi.settings.profiles profile
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store or timeout
function M.remove(args, profile)
  local context = connect.context(args, profile)
  local ok, err = profile.stored:forget(context)
  context.transport:close()
  return ok, err
end

--- Removes the stored sign-in of one profile, and reports it. An error ends the command.
-- @tparam table args
-- @tparam pcapi.settings.profiles profile
function M.run(args, profile)
  if not profile.stored then
    exit.fail(profile.store_error)
  end
  local message = "profile %s was not signed in"
  if M.is_signed_in(profile) then
    local ok, err = M.remove(args, profile)
    if not ok then
      exit.fail(err)
    end
    message = "removed the stored sign-in of profile %s from this machine" .. M.STILL_VALID
  end
  if not args.quiet then
    exit.say(message:format(profile.name))
  end
end

return M
