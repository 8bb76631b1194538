--- Writes facts as metrics, in the text format of Prometheus (version 0.0.4).
--
--     local metrics = require "pcapi.report.metrics"
--     local page = metrics.new()
--     page:set_report { users = { count = 25, new_count = 2 }, adoption = adoption.of(rows) }
--     print(page:text())
--
-- Prometheus rejects a whole page for one bad line, so every label is made valid UTF-8, each
-- combination of labels appears once, and the samples of a metric follow each other.
-- @module pcapi.report.metrics
local clean = require "pcapi.report.clean"
local text = require "pcapi.text"

local M = {}

--- Content type of the text.
M.CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

-- A tenant is a label of all of them, for programs that report several.
local REPORT = {
  { "pcapi_non_mfa_users", "gauge", "Users who signed in without MFA in the last 7 days.",
    "tenant" },
  { "pcapi_non_mfa_new_users", "gauge", "Users among them who were not known before.", "tenant" },
  { "pcapi_non_mfa_requests", "gauge", "Requests without MFA in the last 7 days.", "tenant" },
  { "pcapi_adoption_requests", "gauge", "Requests of an application.",
    "tenant", "application_id", "application" },
  { "pcapi_adoption_ratio", "gauge", "Share of an application's requests with MFA, 0 to 1.",
    "tenant", "application_id", "application" },
}

local Metrics = {}
Metrics.__index = Metrics
Metrics.__name = "pcapi.report.metrics"

local ESCAPED = { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n" }

local function declare(self, family, level)
  local name, kind, help = family[1], family[2], family[3]
  if type(name) ~= "string" or not name:find "^[%a_:][%w_:]*$" then
    error(("metrics: %q is not the name of a metric"):format(tostring(name)), level + 1)
  elseif kind ~= "gauge" and kind ~= "counter" then
    error(("metrics: %s must be a gauge or a counter"):format(name), level + 1)
  elseif self.families[name] then
    error(("metrics: %s is declared twice"):format(name), level + 1)
  end
  local labels = {}
  for i = 4, #family do
    labels[family[i]] = true
  end
  self.families[name] = { family = family, labels = labels, at = {}, samples = {} }
  self.names[#self.names + 1] = name
  self.heads[name] = ("# HELP %s %s\n# TYPE %s %s\n"):format(name,
    help:gsub("[\\\n]", ESCAPED), name, kind)
end

--- Makes an empty set of metrics. The metrics of the report are always declared:
-- `pcapi_non_mfa_users`, `pcapi_non_mfa_new_users`, `pcapi_non_mfa_requests`,
-- `pcapi_adoption_requests` and `pcapi_adoption_ratio`.
-- @tparam[opt] table more array of further metrics, each `{ name, type, help, label… }`; the type
-- is `"gauge"` or `"counter"`, and the labels are names, in the order in which they are written
-- @treturn table with the methods below
function M.new(more)
  local self = setmetatable({ names = {}, families = {}, heads = {} }, Metrics)
  for _, family in ipairs(REPORT) do
    declare(self, family, 2)
  end
  for _, family in ipairs(more or {}) do
    declare(self, family, 2)
  end
  return self
end

-- The labels as they are written: `{list="users"}`, or nothing.
local function labels_of(family, labels)
  local written = {}
  for i = 4, #family do
    local value = labels[family[i]]
    if value ~= nil then
      written[#written + 1] = ('%s="%s"'):format(family[i],
        (clean.text(tostring(value)):gsub('[\\"\n]', ESCAPED)))
    end
  end
  return #written > 0 and "{" .. table.concat(written, ",") .. "}" or ""
end

local function number(value)
  return text.number(value) or value ~= value and "NaN" or value > 0 and "+Inf" or "-Inf"
end

--- Sets a metric. The same metric with the same labels replaces the value from before.
-- @tparam string name of a declared metric
-- @tparam ?number value nil: no sample is written
-- @tparam[opt] table labels values by name; those that are missing are left out
function Metrics:set(name, value, labels)
  local declared = self.families[name]
  if not declared then
    error(("metrics: %s is not declared"):format(tostring(name)), 2)
  elseif value == nil then
    return
  elseif type(value) ~= "number" then
    error(("metrics: the value of %s must be a number, not a %s"):format(name, type(value)), 2)
  end
  for label in pairs(labels or {}) do
    if not declared.labels[label] then
      error(("metrics: %s has no label %q"):format(name, tostring(label)), 2)
    end
  end
  local sample = name .. labels_of(declared.family, labels or {})
  local at = declared.at[sample] or #declared.samples + 1
  declared.at[sample] = at
  declared.samples[at] = sample .. " " .. number(value) .. "\n"
end

--- Sets the metrics of a report. Facts that are missing have no sample.
-- @tparam table facts `users` (`count`, and `new_count` if there is something to compare with),
-- `requests` (`count`), and `adoption` as `pcapi.report.adoption.of` returns it
-- @tparam[opt] string tenant its name, as a label of each sample
function Metrics:set_report(facts, tenant)
  local users, requests = facts.users or {}, facts.requests or {}
  self:set("pcapi_non_mfa_users", users.count, { tenant = tenant })
  self:set("pcapi_non_mfa_new_users", users.new_count, { tenant = tenant })
  self:set("pcapi_non_mfa_requests", requests.count, { tenant = tenant })
  for _, application in ipairs(facts.adoption and facts.adoption.applications or {}) do
    local labels = { tenant = tenant, application_id = application.id,
                     application = application.name or "" }
    self:set("pcapi_adoption_requests", application.total, labels)
    self:set("pcapi_adoption_ratio", application.ratio, labels)
  end
end

--- Writes all metrics.
-- @treturn string UTF-8, with a line end
function Metrics:text()
  local parts = {}
  for _, name in ipairs(self.names) do
    parts[#parts + 1] = self.heads[name]
    for _, sample in ipairs(self.families[name].samples) do
      parts[#parts + 1] = sample
    end
  end
  return table.concat(parts)
end

return M
