--- /metrics, in the text format of Prometheus.
local answer = require "page.answer"
local lists = require "page.lists"
local notes = require "page.notes"
local utf8 = require "page.utf8"

local M = {}

local ESCAPED = { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n" }

local function label(name, value)
  -- Prometheus refuses a whole page for one byte that is not UTF-8
  return ('%s="%s"'):format(name, (utf8(value):gsub('[\\"\n]', ESCAPED)))
end

-- Opens a family of samples; gives a function that adds one, where there is a value.
local function family(lines, name, kind, help)
  lines[#lines + 1] = ("# HELP %s %s"):format(name, help)
  lines[#lines + 1] = ("# TYPE %s %s"):format(name, kind)
  return function(value, ...)
    if value then
      local labels = table.concat({ ... }, ",")
      labels = labels ~= "" and "{" .. labels .. "}" or ""
      lines[#lines + 1] = ("%s%s %.10g"):format(name, labels, value)
    end
  end
end

local function lists_of(lines, known)
  local up = family(lines, "pcapi_up", "gauge", "Whether the last refresh of a list went well.")
  for _, name in ipairs(lists.names) do
    local note = known[name]
    up(note.error and 0 or note.age and 1, label("list", name))
  end
  local age = family(lines, "pcapi_list_age_seconds", "gauge", "Seconds since a list came.")
  for _, name in ipairs(lists.names) do
    age(known[name].age, label("list", name))
  end
  local refreshes = family(lines, "pcapi_refreshes_total", "counter",
                           "Refreshes of a list on this machine.")
  for _, name in ipairs(lists.names) do
    refreshes(notes.counted("refreshes", name), label("list", name))
  end
  local errors = family(lines, "pcapi_refresh_errors_total", "counter",
                        "Refreshes of a list on this machine that failed.")
  for _, name in ipairs(lists.names) do
    errors(notes.counted("errors", name), label("list", name))
  end
end

local function adoption_of(lines, facts)
  local requests = family(lines, "pcapi_adoption_requests", "gauge",
                          "Requests of an application that the service tells of.")
  for _, app in ipairs(facts.applications or {}) do
    requests(app.total, label("application_id", app.id), label("application", app.name or ""))
  end
  local ratio = family(lines, "pcapi_adoption_ratio", "gauge",
                       "Share of an application's requests that came with MFA, 0 to 1.")
  for _, app in ipairs(facts.applications or {}) do
    ratio(app.ratio, label("application_id", app.id), label("application", app.name or ""))
  end
end

local function page()
  local lines, known = {}, {}
  for _, name in ipairs(lists.names) do
    known[name] = notes.of(name)
  end
  local users, requests = known.users.facts or {}, known.requests.facts or {}
  family(lines, "pcapi_non_mfa_users", "gauge",
         "Users who came in without MFA in the last 7 days.")(users.count)
  family(lines, "pcapi_non_mfa_new_users", "gauge",
         "Those of them that no day before today knows.")(users.new_count)
  family(lines, "pcapi_non_mfa_requests", "gauge",
         "Requests without MFA in the last 7 days.")(requests.count)
  adoption_of(lines, known.adoption.facts or {})
  lists_of(lines, known)
  answer.send(200, "text/plain; version=0.0.4; charset=utf-8", table.concat(lines, "\n") .. "\n")
end

--- Answers the request; for content_by_lua.
function M.answer()
  answer.guarded(page)
end

return M
