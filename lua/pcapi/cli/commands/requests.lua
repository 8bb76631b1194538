--- `pcapi requests`.
-- @module pcapi.cli.commands.requests
local options = require "pcapi.cli.options"
local records = require "pcapi.cli.records"

local M = {
  summary = "List the requests of the last 7 days, with and without MFA",
  about = "List the requests to the Partner Center API in the last 7 days, the newest first, and "
    .. "whether the token of each had multifactor authentication (MFA). The service returns the "
    .. "newest 10,000 requests.",
  options = options.list {
    options.SINCE, options.USER, options.APPLICATION,
    { "--without-mfa", about = "Only requests without MFA" },
  },
  examples = {
    { "Which users and operations still lack MFA",
      "pcapi requests --without-mfa --columns upn,operationName,ipAddress" },
    { "Requests of one user since yesterday",
      "pcapi requests --user kim@fabrikam.example --since yesterday" },
    { "Requests of all tenants, at most 10 calls per second",
      "pcapi requests --all-profiles --rate 10 --output csv > requests.csv" },
  },
}

--- How people see the records.
M.view = {
  resource = "security", call = "partner_requests",
  columns = { "requestDateTime", "upn", "mfaCompliant", "operationName", "ipAddress",
              "applicationId" },
  titles = { requestDateTime = "TIME (UTC)", upn = "USER", mfaCompliant = "MFA",
             operationName = "OPERATION", ipAddress = "ADDRESS",
             applicationId = "APPLICATION ID" },
  narrow = { { "applicationId", 9 }, { "operationName", 20 }, { "applicationId", 0 },
             { "operationName", 0 }, { "ipAddress", 15 }, { "ipAddress", 0 },
             { "requestDateTime", 11 } },
  state = {
    mfaCompliant = function(value)
      return value == false and "bad" or nil
    end,
  },
  shown = { requestDateTime = records.readable_time },
  none = "No request was made",
  one = "1 request was made",
  many = "%d requests were made",
}

function M.run(args)
  records.run(args, M.view)
end

return M
