--- `pcapi non-mfa`.
-- @module pcapi.cli.commands.non_mfa
local options = require "pcapi.cli.options"
local records = require "pcapi.cli.records"

local M = { summary = "List the users who signed in without MFA in the last 7 days" }

--- How people see the records.
M.view = {
  resource = "security", call = "non_mfa_principals",
  columns = { "upn", "lastNonMfaCompliantLoginDateTime", "objectId" },
  titles = { upn = "USER", lastNonMfaCompliantLoginDateTime = "LAST WITHOUT MFA (UTC)",
             objectId = "OBJECT ID" },
  narrow = { { "objectId", 9 }, { "objectId", 0 }, { "lastNonMfaCompliantLoginDateTime", 11 } },
  shown = { lastNonMfaCompliantLoginDateTime = records.readable_time },
  none = "No user signed in without MFA",
  one = "1 user signed in without MFA",
  many = "%d users signed in without MFA",
}

function M.define(command)
  options.since(command)
  options.user(command)
  options.list(command)
end

function M.run(args)
  records.run(args, M.view)
end

return M
