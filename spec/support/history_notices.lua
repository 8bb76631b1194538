--- The notices of `spec.support.history_store`.
local core = require "pcapi.core"
local identity = require "pcapi.history.identity"

local M = {}

local STATE = { "key", "channel", "id", "kind", "at", "tries", "tried", "delivered", "error",
                "holder", "held_until", "sent", "given_up" }

local function state_of(stored)
  local state = {}
  for _, name in ipairs(STATE) do
    state[name] = stored[name]
  end
  state.delivered = {}
  for i, id in ipairs(stored.delivered) do
    state.delivered[i] = id
  end
  return state
end

local function data_of(self)
  self.data.notices = self.data.notices or {}
  return self.data.notices
end

function M:add_notice(notice)
  local all = data_of(self)
  for _, stored in pairs(all) do
    if stored.channel == notice.channel and stored.id == notice.id then
      return false
    end
  end
  self.data.last_notice = (self.data.last_notice or 0) + 1
  notice.key, notice.tries, notice.delivered = self.data.last_notice, 0, {}
  local stored = state_of(notice)
  stored.head, stored.parts = notice.head, {}
  for i, part in ipairs(notice.parts) do
    stored.parts[i] = { place = part.place, tenant = part.tenant.key, known_as = part.known_as,
                        person = part.person and part.person.key, text = part.text }
  end
  all[notice.key] = stored
  return true
end

function M:notices(channel)
  local found = {}
  for key = 1, self.data.last_notice or 0 do
    local stored = data_of(self)[key]
    if stored and not stored.sent and not stored.given_up
      and (not channel or stored.channel == channel) then
      found[#found + 1] = state_of(stored)
    end
  end
  return found
end

function M:notice(key)
  local stored = data_of(self)[key]
  return stored and state_of(stored)
end

function M:notice_content(notice)
  local stored, parts = data_of(self)[notice.key], {}
  for i, part in ipairs(stored.parts) do
    parts[i] = { place = part.place, known_as = part.known_as, text = part.text }
  end
  return { head = stored.head, parts = parts }
end

function M:save_notice(notice)
  local stored, state = data_of(self)[notice.key], state_of(notice)
  for _, name in ipairs(STATE) do
    stored[name] = state[name]
  end
end

local function each_part(self, visit)
  for key = 1, self.data.last_notice or 0 do
    local stored, kept = data_of(self)[key], {}
    for _, part in ipairs(stored and stored.parts or {}) do
      kept[#kept + 1] = visit(part, stored) and part or nil
    end
    if stored then
      stored.parts = kept
    end
  end
end

function M:forget_notices(tenant, person)
  local upn = identity.upn(person.upn)
  each_part(self, function(part)
    if part.tenant == tenant.key and part.known_as == person.id then
      part.known_as = nil
    end
    local text = core.lower(part.text)
    local is_naming = not part.person and part.tenant == tenant.key and text:sub(1, 1) ~= "{"
      and (text:find(person.id, 1, true) or upn and text:find(upn, 1, true))
    return part.person ~= person.key and not is_naming
  end)
end

function M:absorb_notices(old, into)
  each_part(self, function(part)
    part.person = part.person == old.key and into.key or part.person
    return true
  end)
end

function M:notices_of(tenant, person)
  local found = {}
  each_part(self, function(part, stored)
    if part.person == person.key or part.tenant == tenant.key and part.known_as == person.id then
      found[#found + 1] = { channel = stored.channel, at = stored.at, sent = stored.sent,
                            given_up = stored.given_up, text = part.text }
    end
    return true
  end)
  return found
end

function M:prune_notices(limits)
  local count = 0
  for key, stored in pairs(data_of(self)) do
    local over = stored.sent or stored.given_up
    if over and over < limits.events or stored.at < limits.events_untold then
      data_of(self)[key], count = nil, count + 1
    end
  end
  return count
end

function M:channel(name)
  local stored = (self.data.channels or {})[name] or {}
  return { name = name, stopped = stored.stopped, next_at = stored.next_at,
           failure = stored.failure }
end

function M:save_channel(channel)
  self.data.channels = self.data.channels or {}
  self.data.channels[channel.name] = { stopped = channel.stopped, next_at = channel.next_at,
                                       failure = channel.failure }
end

function M:waiting()
  local counts = {}
  for name in pairs(self.data.channels or {}) do
    counts[name] = 0
  end
  for _, notice in ipairs(self:notices()) do
    counts[notice.channel] = (counts[notice.channel] or 0) + 1
  end
  return counts
end

function M:concerns()
  local copied = {}
  for key, at in pairs(self.data.concerns or {}) do
    copied[key] = at
  end
  return copied
end

function M:save_concerns(concerns)
  self.data.concerns = concerns
  self.data.concerns = self:concerns()
end

function M:failed_runs(tenant)
  local count = 0
  for _, run in ipairs(self:runs(tenant)) do
    count = run.users == "failed" and count + 1 or 0
  end
  return count
end

return M
