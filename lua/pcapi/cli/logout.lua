--- `pcapi logout`: forgets the sign-in of a profile. Microsoft has no way to end a
-- single refresh token; who must be sure revokes the user's sessions in Entra.
-- @module pcapi.cli.logout
local connect = require "pcapi.cli.connect"
local exit = require "pcapi.cli.exit"

local M = {}

--- Runs the command.
-- @tparam table args
function M.run(args)
  local profile = connect.kept_profile(args)
  if not profile.kept then
    exit.fail(profile.trouble)
  end
  -- what cannot be read is to go, too
  local was_signed_in = profile.trouble or profile.kept:read()
  if was_signed_in then
    local ok, err = profile.kept:forget(connect.context(args, profile))
    if not ok then
      exit.fail(err)
    end
  end
  if not args.quiet then
    exit.say((was_signed_in and "the sign-in of profile %s is forgotten here; at Microsoft it "
      .. "stays good until it ends.\npcapi: To end it: Entra, the user, Revoke sessions"
      or "profile %s was not signed in"):format(profile.name))
  end
end

return M
