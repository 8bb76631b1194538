--- PagerDuty, by its Events API v2: an alert for each user who comes without MFA, which is resolved
-- when a repair is proved.
--
-- A baseline, what is open and reminders make no alert of a user: PagerDuty reminds by itself. A
-- user who was not seen for 7 days stays an alert, since nothing proves a repair.
-- @module pcapi.notify.channels.pagerduty
local channel_settings = require "pcapi.notify.channel_settings"
local errors = require "pcapi.error"
local json_value = require "pcapi.format.json_value"
local post = require "pcapi.notify.post"
local words = require "pcapi.notify.words"

local M = {}

local MOST_ALERTS = 20 -- of a run
local LONGEST_SUMMARY = 1000 -- bytes; PagerDuty takes 1,024 characters
local PAUSE = 120 -- seconds after a refusal for too many requests

local SEVERITIES = { critical = true, error = true, warning = true, info = true }

--- The settings of a channel of this type.
M.settings = {
  { name = "routing_key", is_secret = true, is_required = true,
    about = "Integration key of the service in PagerDuty (Events API v2)",
    check = function(text)
      if text:find "^%w+$" and #text == 32 then
        return text
      end
      return nil, "must be the integration key of an Events API v2 integration: 32 letters and "
        .. "digits"
    end },
  { name = "severity", default = "warning", about = "Severity of an alert (default: warning)",
    check = function(text)
      if SEVERITIES[text] then
        return text
      end
      return nil, ("must be critical, error, warning or info, not %q"):format(text)
    end },
  { name = "url", default = "https://events.pagerduty.com/v2/enqueue", check = post.address,
    about = "Address of the Events API; of the EU: https://events.eu.pagerduty.com/v2/enqueue" },
  channel_settings.link,
}

--- What a success does not prove, and where to look.
M.proof = "PagerDuty queues an event before it reads it. If no alert appears, check that the "
  .. "integration key is of an Events API v2 integration of a service"

local TRIGGERS = { new = true, back = true, again = true, ended = true }

local function event(settings, action, key, payload)
  return {
    routing_key = settings.routing_key, event_action = action, dedup_key = key, payload = payload,
    client = action == "trigger" and "pcapi" or nil,
    client_url = action == "trigger" and settings.link or nil,
  }
end

local function payload_of(summary, source, severity, details)
  return { summary = errors.shorten(words.clean(summary), LONGEST_SUMMARY), source = source,
           severity = severity, class = "non-mfa", custom_details = details }
end

local function trigger_of(settings, tenant, row)
  local texts, name = words.row(row), words.clean(tenant.name or tenant.id)
  local application = row.application and words.clean(row.application)
  local payload = payload_of(("%s: %s without MFA%s"):format(name, texts.who,
    application and " via " .. application or ""), name, settings.severity or "warning", {
    what = texts.facts, next_step = texts.step, user = texts.who, object_id = row.objectId,
    tenant_id = tenant.id, since = row.since,
    resolved = "pcapi resolves this alert when a repair is proved. It does not if the user is not "
      .. "seen for 7 days, since that proves nothing",
  })
  payload.component, payload.timestamp = application, row.at
  return event(settings, "trigger", row.key, payload)
end

-- The alert for what has no alert of its own.
local function summary_of(digest, settings, text, severity)
  return event(settings, "trigger", digest.id, payload_of(text, "pcapi", severity,
    { text = words.text(digest, words.SHOWN, settings.link) }))
end

-- The events of the rows; and how many users have no alert, since there are too many.
local function events_of(digest, settings)
  local found, alerts, counts = {}, 0, digest.counts
  for _, tenant in ipairs(digest.tenants) do
    for _, row in ipairs(tenant.rows) do
      if TRIGGERS[row.event] and alerts < MOST_ALERTS then
        alerts = alerts + 1
        found[#found + 1] = trigger_of(settings, tenant, row)
      elseif row.event == "fixed" then
        found[#found + 1] = event(settings, "resolve", row.key)
      end
    end
  end
  local all = 0
  for name in pairs(TRIGGERS) do
    all = all + (counts[name] or 0)
  end
  return found, all - alerts
end

local function events(digest, settings)
  if digest.kind == "changes" then
    local found, left = events_of(digest, settings)
    if left > 0 then
      found[#found + 1] = summary_of(digest, settings, ("%s; %s without an alert of its own")
        :format(words.title(digest), words.number(left, "user")), settings.severity or "warning")
    end
    return found
  elseif digest.kind == "test" then -- an alert that ends at once
    return { summary_of(digest, settings, words.title(digest), "info"),
             event(settings, "resolve", digest.id) }
  elseif digest.kind == "open" and (digest.thread or digest.id) == digest.id then
    return { summary_of(digest, settings, words.title(digest), "info") }
  elseif digest.kind == "operator" then
    return { summary_of(digest, settings, words.title(digest), "error") }
  end
  return {}
end

--- Makes the messages of a digest: one event each, 20 alerts at most and then one for the rest.
-- @tparam table digest
-- @tparam table settings values by name
-- @treturn table array; empty if nothing is worth an alert
function M.messages(digest, settings)
  local messages = {}
  for i, each in ipairs(events(digest, settings)) do
    messages[i] = { id = ("%s-%d"):format(digest.id, i), body = assert(json_value.compact(each)) }
  end
  return messages
end

--- Sends a message.
-- @tparam table message
-- @tparam table settings values by name
-- @tparam table context see `pcapi.notify.post`
-- @treturn[1] boolean true: the event is queued, see @{proof}
-- @treturn[2] nil
-- @treturn[2] pcapi.error see @{pcapi.notify.post.send}
function M.deliver(message, settings, context)
  local request = {
    url = settings.url or "https://events.pagerduty.com/v2/enqueue", body = message.body,
    headers = { ["Content-Type"] = "application/json" }, secrets = { settings.routing_key },
  }
  local response, err = post.send(request, context)
  if response and response.status ~= 202 then
    return errors.fail {
      kind = "protocol", status = response.status,
      message = "the response is not PagerDuty's" .. post.shown(response, request),
      hint = "Check the address of the Events API",
    }
  elseif not response then
    err.retry_after = err.retry_after or err.status == 429 and PAUSE or nil
    return nil, err
  end
  return true
end

return M
