--- Responds to /metrics, in the text format of Prometheus. The names are those of `pcapi metrics`.
-- What only the history knows comes from the summary file, and is missing without it.
local applications = require "pcapi.history.applications"
local figures = require "pcapi.history.figures"
local history = require "page.history"
local lists = require "page.lists"
local metrics = require "pcapi.report.metrics"
local notes = require "page.notes"
local send = require "page.send"
local settings = require "page.settings"
local time = require "pcapi.time"

local M = {}

-- Beside the metrics of a tenant.
local MORE = {
  { "pcapi_refreshes_total", "counter", "Refreshes of a list on this machine.", "list" },
  { "pcapi_refresh_errors_total", "counter", "Failed refreshes of a list on this machine.",
    "list" },
}

local function parse(value)
  return value and time.parse(value)
end

-- What is known of a list, for the metrics of its tenant.
local function list_of(note, known)
  local is_up
  if note.error or note.at then
    is_up = not note.error
  end
  return { is_up = is_up, at = note.at and math.floor(note.at),
           is_cut = known and known.truncated }
end

-- Names the applications as the history does.
local function named(adoption)
  for _, application in ipairs(adoption and adoption.applications or {}) do
    local id = application.id:lower()
    application.name = applications.name(id, nil, { [id] = application.name })
    application.id = id
  end
  return adoption
end

-- What the history says in place of the list of users, or beside it.
local function add_history(facts, tenant)
  facts.id, facts.name = tenant.id, tenant.label
  facts.users = figures.users(tenant.counts, parse(tenant.oldest_open))
  facts.requests.coverage = tenant.coverage
end

local function respond()
  local page, facts, tenant = metrics.new(MORE), { lists = {} }, history.tenant()
  local live = {}
  for _, name in ipairs(lists.names) do
    local known, labels = notes.facts(name), { list = name }
    facts.lists[name], live[name] = list_of(notes.of(name), known), known or {}
    page:set("pcapi_refreshes_total", notes.counted("refreshes", name), labels)
    page:set("pcapi_refresh_errors_total", notes.counted("errors", name), labels)
  end
  facts.id, facts.users = settings.tenant(), { count = live.users.count }
  facts.requests, facts.adoption = { count = live.requests.count }, named(live.adoption)
  if tenant then
    add_history(facts, tenant)
    page:set_run { last_success = parse(tenant.last_success) }
  end
  page:set_tenant(facts)
  send.text(200, metrics.CONTENT_TYPE, page:text())
end

--- Responds to a request; for content_by_lua.
function M.respond()
  send.guarded(respond)
end

return M
