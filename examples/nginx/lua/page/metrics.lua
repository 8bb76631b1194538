--- Responds to /metrics, in the text format of Prometheus.
local history = require "page.history"
local lists = require "page.lists"
local metrics = require "pcapi.report.metrics"
local notes = require "page.notes"
local send = require "page.send"

local M = {}

-- Beside the metrics of the report.
local MORE = {
  { "pcapi_up", "gauge", "Whether the last refresh of a list succeeded.", "list" },
  { "pcapi_list_age_seconds", "gauge", "Age of a list in seconds.", "list" },
  { "pcapi_refreshes_total", "counter", "Refreshes of a list on this machine.", "list" },
  { "pcapi_refresh_errors_total", "counter", "Failed refreshes of a list on this machine.",
    "list" },
}

local function respond()
  local page, facts = metrics.new(MORE), {}
  for _, name in ipairs(lists.names) do
    local note, labels = notes.of(name), { list = name }
    facts[name] = note.facts
    page:set("pcapi_up", note.error and 0 or note.age and 1 or nil, labels)
    page:set("pcapi_list_age_seconds", note.age, labels)
    page:set("pcapi_refreshes_total", notes.counted("refreshes", name), labels)
    page:set("pcapi_refresh_errors_total", notes.counted("errors", name), labels)
  end
  local tenant = history.tenant()
  if tenant and facts.users then
    facts.users.new_count = tenant.counts.new
  end
  page:set_report(facts)
  send.text(200, metrics.CONTENT_TYPE, page:text())
end

--- Responds to a request; for content_by_lua.
function M.respond()
  send.guarded(respond)
end

return M
