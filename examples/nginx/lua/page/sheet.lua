--- Writes the users as CSV, which is safe to open in a spreadsheet (see `pcapi.format.csv`).
local csv = require "pcapi.format.csv"
local json_body = require "pcapi.http.json_body"
local slots = require "pcapi.nginx.slots"

local M = {}

local ROWS = 5 -- that are written at once: less than a tenth of a millisecond

--- The fields of the users of the service.
M.USERS = { "upn", "objectId", "tenantId", "lastNonMfaCompliantLoginDateTime" }

--- The fields of the users of the history, with the names of `pcapi history show`. Besides, `news`
-- says why a user is new, and `isReported` whether a reader was told.
M.HISTORY = { "tenant", "tenantId", "upn", "objectId", "episode", "state", "news", "isReported",
              "since", "lastNonMfaCompliantLoginDateTime", "mfaSince", "closedAt", "exceptionWho",
              "exceptionUntil", "exceptionWhy", "class", "certainty", "applicationId",
              "application", "nextStep" }

-- Writes the rows of an array. Returns false if nobody reads them.
local function write_rows(writer, array, row_of)
  for first = 1, #array, ROWS do
    local rows = {}
    for i = first, math.min(first + ROWS - 1, #array) do
      rows[#rows + 1] = row_of(array[i])
    end
    if not writer:rows(rows) then
      return false
    end
  end
  return true
end

local function itself(user)
  return user
end

--- Writes the users of the service.
-- @tparam function put as of `page.send.stream`
-- @tparam string items the users as JSON text
function M.write_users(put, items)
  local users = assert(json_body.decode_text(items, slots.breathe))
  local writer = csv.open(put, { columns = M.USERS })
  write_rows(writer, users, itself)
  writer:close()
end

local function row_of(tenant, person)
  local exception, application = person.exception or {}, person.application or {}
  return {
    tenant = tenant.label, tenantId = tenant.id, upn = person.user, objectId = person.objectId,
    episode = person.episode, state = person.state, news = person.news, isReported = person.told,
    since = person.since, lastNonMfaCompliantLoginDateTime = person.last,
    mfaSince = person.mfa_since, closedAt = person.closed, exceptionWho = exception.who,
    exceptionUntil = exception["until"], exceptionWhy = exception.why, class = person.class,
    certainty = person.certainty, applicationId = application.id, application = application.name,
    nextStep = person.step,
  }
end

--- Writes the users of the history.
-- @tparam function put as of `page.send.stream`
-- @tparam table tenants of `page.history.chosen`
function M.write_history(put, tenants)
  local writer = csv.open(put, { columns = M.HISTORY })
  for _, tenant in ipairs(tenants) do
    local is_read = write_rows(writer, tenant.people, function(person)
      return row_of(tenant, person)
    end)
    if not is_read then
      return
    end
  end
  writer:close()
end

return M
