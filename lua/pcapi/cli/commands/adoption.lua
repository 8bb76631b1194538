--- `pcapi adoption`.
-- @module pcapi.cli.commands.adoption
local adoption = require "pcapi.report.adoption"
local core = require "pcapi.core"
local derive = require("pcapi.service.list").derive
local options = require "pcapi.cli.options"
local records = require "pcapi.cli.records"

local M = {
  summary = "Show the share of requests with MFA, per day and application",
  about = "Show how many requests each application sent to the Partner Center API per day, and how "
    .. "many of them had multifactor authentication (MFA). Without days, the service decides "
    .. "which days it reports.",
  options = options.list {
    options.SINCE, options.APPLICATION,
    { "--start-date", value = "DAY", about = "First day to request from the service",
      check = options.day "--start-date" },
    { "--end-date", value = "DAY", about = "Last day to request from the service",
      check = options.day "--end-date" },
    { "--by", value = "UNIT", choices = { "application", "day" },
      about = "Add up the requests of each" },
    { "--below", value = "N", check = options.number("--below", 1, 100),
      about = "Only rows whose share with MFA is below N percent" },
  },
  fields = {
    { "application", "applicationName, or applicationId without a name" },
    { "share", "a number: percent of the requests with MFA, rounded down" },
  },
  examples = {
    { "Adoption in the first week of February",
      "pcapi adoption --start-date 2024-02-01 --end-date 2024-02-07" },
    { "Applications with MFA in less than half of their requests",
      "pcapi adoption --by application --below 50" },
    { "Days of one application, for a program",
      "pcapi adoption --application 'Contoso*' --output json" },
  },
}

local LOW = 50 -- percent; a smaller share is red

-- The columns of records that are sums.
local SUMS = {
  application = { "applicationName", "mfaCompliantRequestCount", "totalRequestCount",
                  "applicationId", "application", "share" },
  day = { "loginDate", "mfaCompliantRequestCount", "totalRequestCount", "share" },
}

-- The columns of the service's own records, and what the command adds.
local function with_share(columns)
  local all = {}
  for i, name in ipairs(columns) do
    all[i] = name
  end
  all[#all + 1] = "application"
  all[#all + 1] = "share"
  return all
end

-- Adds `share` (whole percent, null if unknown) and `application` (its name, else its id) to
-- the records.
local function add_fields(rows)
  for _, row in ipairs(rows) do
    row.share = adoption.percent(row) or core.null
    row.application = row.applicationName or row.applicationId
  end
end

-- The list to write: grouped as --by says, without the rows that --below hides.
local function prepare(args)
  return function(list)
    local rows = args.by and adoption.by(list, args.by) or list
    local count = #rows + (list.unreadable or 0)
    if args.below then
      rows = adoption.below(rows, args.below)
    end
    add_fields(rows)
    if rows == list then
      return derive(list, list, { columns = with_share(list.columns) })
    end
    return derive(list, rows, {
      columns = SUMS[args.by] or with_share(list.columns),
      total_count = args.by and count or list.total_count,
    })
  end
end

local function worst_first(list)
  return derive(list, adoption.worst_first(list))
end

local function shown_share(value)
  return value ~= core.null and ("%d%%"):format(value) or nil
end

-- The share is a text here, so the counts say it.
local function state_of_share(_, row)
  local share = adoption.percent(row)
  return share and (share < LOW and "bad" or share < 100 and "warning") or nil
end

local COLUMNS = { "application", "mfaCompliantRequestCount", "totalRequestCount", "share" }

local SENTENCES = {
  application = { noun = "applications", one = "1 application", many = "%d applications" },
  day = { noun = "days", one = "1 day", many = "%d days" },
  none = { noun = "records", one = "1 row", many = "%d rows, one per day and application" },
}

--- How people see the records.
-- @tparam table args `by` (`"application"`, `"day"` or nil) and `below` (percent, or nil)
-- @treturn table a view of `pcapi.cli.records`
function M.view(args)
  local columns = {}
  for i, name in ipairs(COLUMNS) do
    columns[i] = name
  end
  if args.by == "day" then
    columns[1] = "loginDate"
  elseif not args.by then
    table.insert(columns, 1, "loginDate")
  end
  local sentences = SENTENCES[args.by or "none"]
  return {
    resource = "security", call = "application_mfa_adoption_status",
    prepare = prepare(args), sort = args.by == "application" and worst_first or nil,
    columns = columns,
    titles = { loginDate = "DAY", application = "APPLICATION",
               mfaCompliantRequestCount = "WITH MFA", totalRequestCount = "ALL", share = "SHARE" },
    narrow = { { "application", 20 }, { "mfaCompliantRequestCount", 0 },
               { "totalRequestCount", 0 } },
    shown = { share = shown_share },
    state = { share = state_of_share },
    none = "No application sent a request", noun = sentences.noun,
    one = sentences.one, many = sentences.many,
  }
end

function M.run(args)
  records.run(args, M.view(args))
end

return M
