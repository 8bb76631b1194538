--- The commands that list records: the call of each, its options, and how people see the result.
-- @module pcapi.cli.views
local adoption = require "pcapi.report.adoption"
local time = require "pcapi.time"

-- A time without its fraction.
local function readable_time(value)
  local epoch = time.parse_logged(value)
  return epoch and time.format(epoch):gsub("T", " "):gsub("Z$", "") or value
end

local function share(record)
  local percent = adoption.percent(record)
  return percent and ("%d%%"):format(percent)
end

-- `none`, `one` and `many` are sentences without the period of time.
return {
  ["non-mfa"] = {
    resource = "security", call = "non_mfa_principals",
    summary = "List the users who signed in without MFA in the last 7 days",
    criteria = { "since", "user" },
    columns = { "upn", "lastNonMfaCompliantLoginDateTime", "objectId" },
    titles = { upn = "USER", lastNonMfaCompliantLoginDateTime = "LAST WITHOUT MFA (UTC)",
               objectId = "OBJECT ID" },
    shown = { lastNonMfaCompliantLoginDateTime = readable_time },
    none = "No user signed in without MFA",
    one = "1 user signed in without MFA",
    many = "%d users signed in without MFA",
  },
  adoption = {
    resource = "security", call = "application_mfa_adoption_status",
    summary = "Show the share of requests with MFA, per day and application",
    criteria = { "since", "application" },
    days = true,
    columns = { "loginDate", "application", "mfaCompliantRequestCount", "totalRequestCount",
                "share" },
    titles = { loginDate = "DAY", application = "APPLICATION",
               mfaCompliantRequestCount = "WITH MFA", totalRequestCount = "ALL", share = "SHARE" },
    computed = {
      share = share,
      application = function(record)
        return record.applicationName or record.applicationId
      end,
    },
    none = "No application sent a request",
    one = "1 row",
    many = "%d rows, one per day and application",
  },
  requests = {
    resource = "security", call = "partner_requests",
    summary = "List the requests of the last 7 days, with and without MFA",
    criteria = { "since", "user", "application" },
    without_mfa = true,
    columns = { "requestDateTime", "upn", "mfaCompliant", "operationName", "ipAddress",
                "applicationId" },
    titles = { requestDateTime = "TIME (UTC)", upn = "USER", mfaCompliant = "MFA",
               operationName = "OPERATION", ipAddress = "ADDRESS",
               applicationId = "APPLICATION ID" },
    shown = { requestDateTime = readable_time },
    none = "No request was made",
    one = "1 request was made",
    many = "%d requests were made",
  },
}
