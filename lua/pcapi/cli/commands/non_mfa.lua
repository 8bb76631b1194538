--- `pcapi non-mfa`.
-- @module pcapi.cli.commands.non_mfa
local options = require "pcapi.cli.options"
local records = require "pcapi.cli.records"

local M = {
  summary = "List the users who signed in without MFA in the last 7 days",
  about = "List the users of the partner tenant who signed in to the Partner Center portal or API "
    .. "without multifactor authentication (MFA) in the last 7 days, the newest sign-in first. "
    .. "The service returns the newest 10,000 users.",
  options = options.list { options.SINCE, options.USER },
  examples = {
    { "Users of the last day, for a spreadsheet",
      "pcapi non-mfa --since 24h --output csv > non-mfa.csv" },
    { "Users of one domain, one JSON object per line",
      "pcapi non-mfa --user '*@fabrikam.example' --output jsonl" },
    { "Users of the tenants of all profiles", "pcapi non-mfa --all-profiles" },
  },
}

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

function M.run(args)
  records.run(args, M.view)
end

return M
