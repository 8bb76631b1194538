--- `pcapi adoption`.
-- @module pcapi.cli.commands.adoption
local options = require "pcapi.cli.options"
local percent = require("pcapi.report.adoption").percent
local records = require "pcapi.cli.records"

local M = { summary = "Show the share of requests with MFA, per day and application" }

--- How people see the records.
M.view = {
  resource = "security", call = "application_mfa_adoption_status",
  columns = { "loginDate", "application", "mfaCompliantRequestCount", "totalRequestCount",
              "share" },
  titles = { loginDate = "DAY", application = "APPLICATION",
             mfaCompliantRequestCount = "WITH MFA", totalRequestCount = "ALL", share = "SHARE" },
  computed = {
    share = function(record)
      local value = percent(record)
      return value and ("%d%%"):format(value)
    end,
    application = function(record)
      return record.applicationName or record.applicationId
    end,
  },
  none = "No application sent a request",
  one = "1 row",
  many = "%d rows, one per day and application",
}

function M.define(command)
  options.since(command)
  options.application(command)
  options.day(command, "--start-date", "First day to request from the service")
  options.day(command, "--end-date", "Last day to request from the service")
  options.list(command)
end

function M.run(args)
  records.run(args, M.view)
end

return M
