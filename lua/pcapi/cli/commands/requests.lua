--- `pcapi requests`.
-- @module pcapi.cli.commands.requests
local options = require "pcapi.cli.options"
local records = require "pcapi.cli.records"

local VIEW = {
  resource = "security", call = "partner_requests",
  columns = { "requestDateTime", "upn", "mfaCompliant", "operationName", "ipAddress",
              "applicationId" },
  titles = { requestDateTime = "TIME (UTC)", upn = "USER", mfaCompliant = "MFA",
             operationName = "OPERATION", ipAddress = "ADDRESS",
             applicationId = "APPLICATION ID" },
  shown = { requestDateTime = records.readable_time },
  none = "No request was made",
  one = "1 request was made",
  many = "%d requests were made",
}

return {
  summary = "List the requests of the last 7 days, with and without MFA",
  define = function(command)
    options.since(command)
    options.user(command)
    options.application(command)
    command:flag("--without-mfa", "Only requests without MFA")
    options.list(command)
  end,
  run = function(args)
    records.run(args, VIEW)
  end,
}
