--- `pcapi logout`: removes the stored sign-in of a profile. Microsoft offers no way to
-- revoke a single refresh token.
-- @module pcapi.cli.commands.logout
local connect = require "pcapi.cli.connect"
local exit = require "pcapi.cli.exit"

local M = { summary = "Delete the stored sign-in of a profile" }

local REMOVED = "removed the stored sign-in of profile %s from this machine; its refresh token "
  .. "remains valid at Microsoft.\npcapi: To revoke it, open the user in Entra and choose "
  .. "Revoke sessions"

--- Runs the command.
-- @tparam table args
function M.run(args)
  local profile = connect.stored_profile(args)
  if not profile.stored then
    exit.fail(profile.store_error)
  end
  -- an unreadable sign-in is removed, too
  local was_signed_in = profile.store_error or profile.stored:read()
  if was_signed_in then
    local ok, err = profile.stored:forget(connect.context(args, profile))
    if not ok then
      exit.fail(err)
    end
  end
  if not args.quiet then
    exit.say((was_signed_in and REMOVED or "profile %s was not signed in"):format(profile.name))
  end
end

return M
