--- Decides which channels are told of what. Pure.
--
-- A **route** is a table: `name`, `channels` (set of names), and optionally the patterns `tenant`,
-- `application` and `user` (in lower case, `*` for any text; an array of alternatives each) and
-- `is_continued`. The first route whose patterns all match decides; if it is continued, the next
-- one that matches adds its channels. A channel that no route names is told everything.
-- @module pcapi.notify.routes
local core = require "pcapi.core"
local pattern = require "pcapi.history.pattern"

local M = {}

local Routes = {}
Routes.__index = Routes

--- Makes a table of routes.
-- @tparam table list array of routes, in their order
-- @treturn table
function M.new(list)
  local named = {}
  for _, route in ipairs(list) do
    for name in pairs(route.channels) do
      named[name] = true
    end
  end
  return setmetatable({ list = list, named = named }, Routes)
end

local function is_any(patterns)
  for _, each in ipairs(patterns) do
    if each:find "^%*+$" then
      return true
    end
  end
  return false
end

-- Whether one of the texts matches one of the patterns. Without a text, only `*` does.
local function matches(patterns, texts)
  if not patterns or is_any(patterns) then
    return true
  end
  for _, text in ipairs(texts) do
    for _, each in ipairs(patterns) do
      if pattern.matches(each, core.lower(text)) then
        return true
      end
    end
  end
  return false
end

local function words(list)
  local found = {}
  for word in (list or ""):gmatch "[^,]+" do
    found[#found + 1] = word:match "^%s*(.-)%s*$"
  end
  return found
end

local function texts(...)
  local found = {}
  for i = 1, select("#", ...) do
    found[#found + 1] = (select(i, ...))
  end
  return found
end

local function of_application(row)
  local found = words(row.application)
  for _, id in ipairs(words(row.applicationId)) do
    found[#found + 1] = id
  end
  found[#found + 1] = row.application -- a name may hold a comma
  return found
end

--- Tests whether a channel is told of a row.
-- @tparam string channel its name
-- @tparam table tenant `id`, `name`
-- @tparam table row of `pcapi.history.news`; an empty one for what concerns the whole tenant
-- @treturn boolean
function Routes:reaches(channel, tenant, row)
  if not self.named[channel] then
    return true
  end
  for _, route in ipairs(self.list) do
    if matches(route.tenant, texts(tenant.id, tenant.name))
      and matches(route.user, texts(row.upn, row.objectId))
      and matches(route.application, of_application(row)) then
      if route.channels[channel] then
        return true
      elseif not route.is_continued then
        return false
      end
    end
  end
  return false
end

--- The channels that are told what concerns pcapi itself: those that no route names; if each is
-- named, the first one.
-- @tparam table channels array of `name`
-- @treturn table array of some of them
function Routes:of_operator(channels)
  local found = {}
  for _, channel in ipairs(channels) do
    found[#found + 1] = not self.named[channel.name] and channel or nil
  end
  return #found > 0 and found or channels
end

return M
