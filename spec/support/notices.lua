--- A history of some tenants with channels, for specs of the outbox.
local digest = require "pcapi.notify.digest"
local history = require "pcapi.history"
local lists = require "spec.support.history_lists"
local outbox = require "pcapi.notify.outbox"
local private_folder = require "spec.support.private_folder"
local routes = require "pcapi.notify.routes"

local M = {}

M.NOW = 1795845600 -- 2026-11-28T06:00:00Z
M.DAY = 86400

local Notices = {}
Notices.__index = Notices

--- The id of a tenant or of a user.
function M.id(number)
  return ("5f0b3c1e-0000-4000-8000-%012x"):format(number)
end

--- Opens a history in a new folder.
-- @tparam table channels array of `name`, `group`, `is_complete`
-- @tparam ?table list of routes
function M.new(channels, list)
  private_folder.new()
  local opened = assert(history.open(private_folder.path "history.sqlite"))
  return setmetatable({ history = opened, store = opened.store, channels = channels,
                        routes = routes.new(list or {}) }, Notices)
end

function Notices:close()
  self.history:close()
end

local function user(name, at)
  local number = 0
  for letter in name:gmatch "." do
    number = number * 31 % 2 ^ 30 + letter:byte()
  end
  return { id = M.id(number), upn = name .. "@x.example", at = at }
end

--- Records a run of one tenant.
-- @tparam string name of the tenant, such as "t1"
-- @tparam number at
-- @tparam ?table names of the users that the service lists; nil: it fails
function Notices:observe(name, at, names)
  local id, users = M.id(0xaa0000 + tonumber(name:match "%d+")), {}
  for i, each in ipairs(names or {}) do
    users[i] = user(each, at - 60)
  end
  local readers = {}
  for i, channel in ipairs(self.channels) do
    readers[i] = outbox.reader(channel.name)
  end
  local run = { tenant = id, name = name, now = at, readers = readers }
  if names then
    run.users, run.requests = lists.users(at, users), lists.requests(at, {})
    run.adoption = lists.adoption(at, {})
  end
  assert(self.history:observe(run))
  return id
end

--- Decides what the channels are told of all tenants.
function Notices:decide(at, fields)
  local options = { channels = self.channels, routes = self.routes, at = at, now = at, remind = 7,
                    tenants = {} }
  for i, tenant in ipairs(assert(self.history:tenants())) do
    options.tenants[i] = tenant.id
  end
  for name, value in pairs(fields or {}) do
    options[name] = value
  end
  return assert(outbox.decide(self.store, options))
end

--- Reads the digests that wait, and marks them as sent.
function Notices:take(channel)
  local found = {}
  assert(self.store:transaction(function()
    for i, notice in ipairs(self.store:notices(channel)) do
      found[i] = digest.read(notice, self.store:notice_content(notice))
      notice.sent = M.NOW
      self.store:save_notice(notice)
    end
    return true
  end))
  return found
end

--- What a digest tells, in one line: kind, and of each tenant its name and its rows.
function M.line(found)
  local words = { found.kind }
  for _, tenant in ipairs(found.tenants) do
    local texts = {}
    for i, row in ipairs(tenant.rows) do
      texts[i] = row.event .. " " .. (row.upn and row.upn:match "^[^@]*" or row.count)
    end
    for _, text in ipairs(tenant.warnings) do
      texts[#texts + 1] = "warning " .. text
    end
    words[#words + 1] = tenant.name .. ": " .. table.concat(texts, ", ")
  end
  for _, text in ipairs(found.notes) do
    words[#words + 1] = text
  end
  return table.concat(words, "; ")
end

--- The lines of the digests that wait; marks them as sent.
function Notices:lines(channel)
  local lines = {}
  for i, found in ipairs(self:take(channel)) do
    lines[i] = M.line(found)
  end
  return lines
end

return M
