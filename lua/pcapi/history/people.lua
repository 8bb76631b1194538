--- Finds the people of the history who are in a list of the service. A record without `objectId`
-- is recognised by its upn; a user who was stored by upn gets the objectId when it appears.
-- @module pcapi.history.people
local identity = require "pcapi.history.identity"
local outcomes = require "pcapi.history.outcomes"

local M = {}

-- One entry of each user in a list: `id`, `upn`, `tenant_id`, `last_at`. Entries with an objectId
-- come first, so that one without finds them.
local function entries_of(list)
  local by_id, with_id, without_id, unidentified = {}, {}, {}, 0
  for _, record in ipairs(list) do
    local id = identity.person(record)
    if not id then
      unidentified = unidentified + 1
    else
      local entry = by_id[id]
      if not entry then
        entry = { id = id }
        by_id[id] = entry
        local entries = identity.is_upn(id) and without_id or with_id
        entries[#entries + 1] = entry
      end
      entry.upn = identity.upn(record.upn) and record.upn or entry.upn
      entry.tenant_id = record.tenantId or entry.tenant_id
      local at = list:time_of(record)
      entry.last_at = at and math.max(math.floor(at), entry.last_at or 0) or entry.last_at
    end
  end
  for _, entry in ipairs(without_id) do
    with_id[#with_id + 1] = entry
  end
  return with_id, unidentified
end

-- The one of several people with a name who was seen last.
local function newest_of(people)
  local newest
  for _, person in ipairs(people) do
    local seen = person.finding and person.finding.seen or 0
    local best = newest and newest.finding and newest.finding.seen or 0
    if not newest or seen > best or seen == best and person.id < newest.id then
      newest = person
    end
  end
  return newest
end

local function is_open(finding)
  return finding ~= nil and not outcomes.is_closed(finding)
end

-- Gives what is stored of a upn to the person with the objectId. Of the findings of the upn, the
-- newest stays.
local function merge(store, tenant, old, person, id)
  if not person then
    old.id = id
    return old
  end
  local before, now = old.finding, person.finding
  store:absorb(tenant, old, person)
  if is_open(before) and is_open(now) then
    store:save_finding(tenant, person, outcomes.join(before, now))
  elseif before and (is_open(before) or not now) then
    before.episode = (now and now.episode or 0) + 1
    store:save_finding(tenant, person, before)
  end
  return person
end

local function find(store, tenant, entry, on_merge)
  local person = store:person(tenant, entry.id)
  if identity.is_upn(entry.id) then
    return person or newest_of(store:people_named(tenant, entry.upn))
  end
  local name = identity.upn(entry.upn)
  local old = name and store:person(tenant, identity.of_upn(name))
  if old then
    local old_id = old.id
    person = merge(store, tenant, old, person, entry.id)
    on_merge(old_id, entry.id)
  end
  return person
end

--- Finds the people in a list of users, and stores those that are new, with their names.
-- @tparam table store
-- @tparam table tenant
-- @tparam table list of users
-- @tparam function on_merge is called with the key by upn and the objectId of a user whose
-- objectId appeared
-- @treturn table array, in a fixed order, of `person` and `last_at` (nil: it cannot be read)
-- @treturn number how many records name no user
function M.of(store, tenant, list, on_merge)
  local entries, unidentified = entries_of(list)
  local seen, found = {}, {}
  for _, entry in ipairs(entries) do
    local person = find(store, tenant, entry, on_merge) or { id = entry.id }
    person.upn = entry.upn or person.upn
    person.tenant_id = entry.tenant_id or person.tenant_id
    local known = seen[person.id]
    if known then
      known.last_at = math.max(known.last_at or 0, entry.last_at or 0)
      known.last_at = known.last_at > 0 and known.last_at or nil
    else
      store:save_person(tenant, person)
      known = { person = person, last_at = entry.last_at }
      seen[person.id] = known
      found[#found + 1] = known
    end
  end
  return found, unidentified
end

--- Makes a function that finds the person of a request.
-- @tparam table people array
-- @treturn function takes a record, and returns the person, or nil
function M.finder(people)
  local by_id, by_upn, has_upns = {}, {}, false
  for _, person in ipairs(people) do
    by_id[person.id], has_upns = person, has_upns or identity.is_upn(person.id)
    local name = identity.upn(person.upn)
    if name then
      by_upn[name] = by_upn[name] and newest_of { by_upn[name], person } or person
    end
  end
  return function(record)
    local id = identity.person(record)
    local person = id and by_id[id]
    if person or not id or not (has_upns or identity.is_upn(id)) then
      return person
    end
    local named = by_upn[identity.upn(record.upn) or ""]
    return named and (identity.is_upn(id) or identity.is_upn(named.id)) and named or nil
  end
end

return M
