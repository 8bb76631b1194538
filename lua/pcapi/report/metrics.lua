--- Writes facts as metrics, in the text format of Prometheus (version 0.0.4).
--
--     local metrics = require "pcapi.report.metrics"
--     local page = metrics.new()
--     page:set_tenant { name = "fabrikam", users = { count = 25, new_count = 2 },
--                       adoption = adoption.of(rows) }
--     print(page:text())
--
-- Prometheus rejects a whole page for one bad line, so every label is made valid UTF-8, each
-- combination of labels appears once, and the samples of a metric follow each other. Invisible
-- characters, such as those that change the direction of text, become visible. No label names a
-- person.
-- @module pcapi.report.metrics
local text = require "pcapi.text"

local M = {}

--- Content type of the text.
M.CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

--- How many applications of a tenant have metrics of their own: the busiest. The others are one,
-- with the id and the name `other`.
M.MOST_APPLICATIONS = 20

local LONGEST = 200 -- bytes of a label
local LONGEST_NAME = 150 -- bytes of a tenant's name; its id may follow

-- Each has the name of the tenant as a label. The help of a metric is the same in every file and on
-- every page, as node_exporter requires.
local TENANT = {
  { "pcapi_up", "gauge", "Whether the last request for a list succeeded (1) or failed (0).",
    "tenant", "list" },
  { "pcapi_list_timestamp_seconds", "gauge", "When a list was last received.", "tenant", "list" },
  { "pcapi_list_truncated", "gauge", "Whether a list is incomplete (1), such as at the service's "
    .. "limit of 10,000 records.", "tenant", "list" },
  { "pcapi_non_mfa_users", "gauge", "Users without MFA, healing ones included, without those who "
    .. "have an exception.", "tenant" },
  { "pcapi_non_mfa_new_users", "gauge", "Users among them who are new, back, or whose exception "
    .. "ended, since the run before.", "tenant" },
  { "pcapi_non_mfa_healing_users", "gauge", "Users who came with MFA again, and are still in the "
    .. "list of 7 days.", "tenant" },
  { "pcapi_non_mfa_excluded_users", "gauge", "Users without MFA who have an exception.", "tenant" },
  { "pcapi_non_mfa_oldest_open_timestamp_seconds", "gauge", "Since when the open user without an "
    .. "exception who waits for longest has been without MFA.", "tenant" },
  { "pcapi_non_mfa_requests", "gauge", "Requests without MFA that are known of the last 7 days.",
    "tenant" },
  { "pcapi_request_coverage_ratio", "gauge", "Share of the requests of the last days that is "
    .. "known, 0 to 1.", "tenant" },
  { "pcapi_adoption_requests", "gauge", "Requests of an application in the last 7 days.",
    "tenant", "application_id", "application" },
  { "pcapi_adoption_ratio", "gauge", "Share of an application's requests with MFA, 0 to 1.",
    "tenant", "application_id", "application" },
  { "pcapi_application_silent", "gauge", "1 for an application that had requests and has none for "
    .. "longer than ever: the service may refuse it.", "tenant", "application_id" },
  { "pcapi_sign_in_expires_timestamp_seconds", "gauge", "When the stored sign-in ends, unless it "
    .. "is used before.", "tenant" },
}

local RUN = {
  { "pcapi_run_last_success_timestamp_seconds", "gauge", "When a run last received the users of a "
    .. "tenant." },
  { "pcapi_run_duration_seconds", "gauge", "How long the last run of pcapi watch took." },
  { "pcapi_notices_pending", "gauge", "Notices of a channel that wait for delivery.", "channel" },
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

--- Makes an empty set of metrics. Those of @{Metrics:set_tenant} and @{Metrics:set_run} are always
-- declared.
-- @tparam[opt] table more array of further metrics, each `{ name, type, help, label… }`; the type
-- is `"gauge"` or `"counter"`, and the labels are names, in the order in which they are written
-- @treturn table with the methods below
function M.new(more)
  local self = setmetatable({ names = {}, families = {}, heads = {}, tenants = {} }, Metrics)
  for _, families in ipairs { TENANT, RUN, more or {} } do
    for _, family in ipairs(families) do
      declare(self, family, 2)
    end
  end
  return self
end

local readable = text.replacer(function(code)
  return ("\\u{%x}"):format(code)
end, "\239\191\189")

-- The value of a label, of a length that a screen can hold.
local function value_of(value, longest)
  value = readable((tostring(value):gsub("[%z\1-\9\11-\31\127]", "\239\191\189")))
  if #value > longest then -- without half a character
    value = value:sub(1, longest):gsub("[\192-\255]?[\128-\191]*$", "") .. "\226\128\166"
  end
  return value
end

-- The labels as they are written: `{list="users"}`, or nothing.
local function labels_of(family, labels)
  local written = {}
  for i = 4, #family do
    local value = labels[family[i]]
    if value ~= nil then
      written[#written + 1] = ('%s="%s"'):format(family[i],
        (value_of(value, LONGEST):gsub('[\\"\n]', ESCAPED)))
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

-- The name of a tenant as a label. Another tenant of the same name has its id, too.
local function label_of(self, facts)
  local label = facts.name or facts.id
  if label == nil then
    return nil
  end
  label = value_of(label, LONGEST_NAME)
  local owner = self.tenants[label]
  if owner ~= nil and owner ~= (facts.id or false) then
    label = ("%s (%s)"):format(label, facts.id or "no ID")
  end
  self.tenants[label] = facts.id or false
  return label
end

local function flag(value)
  return value ~= nil and (value and 1 or 0) or nil
end

local function set_lists(self, lists, tenant)
  for _, name in ipairs { "users", "requests", "adoption" } do
    local list, labels = lists[name] or {}, { tenant = tenant, list = name }
    self:set("pcapi_up", flag(list.is_up), labels)
    self:set("pcapi_list_timestamp_seconds", list.at, labels)
    self:set("pcapi_list_truncated", flag(list.is_cut), labels)
  end
end

-- The busiest applications, and all others as one.
local function applications_of(adoption)
  local shown, other = {}, { id = "other", name = "other", total = 0, with_mfa = 0 }
  for i, application in ipairs(adoption.applications or {}) do
    if i <= M.MOST_APPLICATIONS then
      shown[i] = application
    else
      other.total = other.total + application.total
      other.with_mfa = other.with_mfa + application.with_mfa
      other.ratio = other.total > 0 and other.with_mfa / other.total or nil
      shown[M.MOST_APPLICATIONS + 1] = other
    end
  end
  return shown
end

local function set_adoption(self, adoption, tenant)
  for _, application in ipairs(applications_of(adoption)) do
    local labels = { tenant = tenant, application_id = application.id,
                     application = application.name or "" }
    self:set("pcapi_adoption_requests", application.total, labels)
    self:set("pcapi_adoption_ratio", application.ratio, labels)
  end
end

--- Sets the metrics of a tenant. Facts that are missing have no sample. All times are UTC epoch
-- seconds.
-- @tparam table facts `name` (the label of each sample) and `id` (used if there is no name, and to
-- tell tenants of one name apart); `lists`: of `users`, `requests` and `adoption` each `at` (when
-- it was received last), `is_up` (whether the last request for it succeeded), `is_cut`; `users`:
-- `count`, `new_count`, `healing_count`, `excepted_count`, `oldest_open` (a time); `requests`:
-- `count` and `coverage` (0 to 1); `adoption` as `pcapi.report.adoption.of` returns it; `silent`
-- (array of ids of applications); `sign_in_until` (a time)
function Metrics:set_tenant(facts)
  local users, requests, tenant = facts.users or {}, facts.requests or {}, label_of(self, facts)
  local labels = { tenant = tenant }
  set_lists(self, facts.lists or {}, tenant)
  self:set("pcapi_non_mfa_users", users.count, labels)
  self:set("pcapi_non_mfa_new_users", users.new_count, labels)
  self:set("pcapi_non_mfa_healing_users", users.healing_count, labels)
  self:set("pcapi_non_mfa_excluded_users", users.excepted_count, labels)
  self:set("pcapi_non_mfa_oldest_open_timestamp_seconds", users.oldest_open, labels)
  self:set("pcapi_non_mfa_requests", requests.count, labels)
  self:set("pcapi_request_coverage_ratio", requests.coverage, labels)
  set_adoption(self, facts.adoption or {}, tenant)
  for _, id in ipairs(facts.silent or {}) do
    self:set("pcapi_application_silent", 1, { tenant = tenant, application_id = id })
  end
  self:set("pcapi_sign_in_expires_timestamp_seconds", facts.sign_in_until, labels)
end

--- Sets the metrics of runs.
-- @tparam table facts `last_success` (UTC epoch seconds), `duration` (seconds), and `waiting`
-- (numbers of notices, by the name of the channel)
function Metrics:set_run(facts)
  self:set("pcapi_run_last_success_timestamp_seconds", facts.last_success)
  self:set("pcapi_run_duration_seconds", facts.duration)
  local names = {}
  for name in pairs(facts.waiting or {}) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    self:set("pcapi_notices_pending", facts.waiting[name], { channel = name })
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
