--- `pcapi logout`: forgets the sign-in of a profile. Microsoft has no way to end a
-- single refresh token; who must be sure revokes the user's sessions in Entra.
-- @module pcapi.cli.logout
local account = require "pcapi.auth.account"
local connect = require "pcapi.cli.connect"
local ending = require "pcapi.cli.ending"
local limits = require "pcapi.limits"

local M = {}

--- Runs the command.
-- @tparam table args
function M.run(args)
  local profile = connect.sign_in(args)
  if not profile.store then
    ending.fail(profile.trouble)
  end
  local had, why = profile.store:get(profile.name)
  local was_signed_in = had ~= nil or why ~= nil -- what cannot be read is to go, too
  if was_signed_in then
    local ok, err = account.forget(profile.store, profile.name,
      connect.context(args, profile, limits.TIMEOUT))
    if not ok then
      ending.fail(err)
    end
  end
  if not args.quiet then
    ending.say((was_signed_in and "the sign-in of profile %s is forgotten here; at Microsoft it "
      .. "stays good until it ends.\npcapi: To end it: Entra, the user, Revoke sessions"
      or "profile %s was not signed in"):format(profile.name))
  end
end

return M
