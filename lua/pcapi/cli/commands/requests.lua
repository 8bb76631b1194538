--- `pcapi requests`.
-- @module pcapi.cli.commands.requests
local options = require "pcapi.cli.options"
local records = require "pcapi.cli.records"

local M = { summary = "List the requests of the last 7 days, with and without MFA" }

--- How people see the records.
M.view = {
  resource = "security", call = "partner_requests",
  columns = { "requestDateTime", "upn", "mfaCompliant", "operationName", "ipAddress",
              "applicationId" },
  titles = { requestDateTime = "TIME (UTC)", upn = "USER", mfaCompliant = "MFA",
             operationName = "OPERATION", ipAddress = "ADDRESS",
             applicationId = "APPLICATION ID" },
  narrow = { { "applicationId", 9 }, { "operationName", 20 }, { "ipAddress", 15 },
             { "applicationId", 0 }, { "operationName", 12 }, { "ipAddress", 0 },
             { "operationName", 0 }, { "requestDateTime", 11 } },
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

function M.define(command)
  options.since(command)
  options.user(command)
  options.application(command)
  command:flag("--without-mfa", "Only requests without MFA")
  options.list(command)
end

function M.run(args)
  records.run(args, M.view)
end

return M
