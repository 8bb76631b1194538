--- Finds tenants, users and findings of a history. Call it within a transaction of the store.
-- @module pcapi.history.search
local core = require "pcapi.core"
local identity = require "pcapi.history.identity"

local M = {}

--- The tenants of the options.
-- @tparam table store see `pcapi.history.store`
-- @tparam table options `tenant` (an id) or `tenants` (array of ids); neither: all
-- @treturn table array
function M.tenants(store, options)
  if options.tenants then
    local found = {}
    for _, id in ipairs(options.tenants) do
      found[#found + 1] = store:tenant(id:lower())
    end
    return found
  elseif not options.tenant then
    return store:tenants()
  end
  return { store:tenant(options.tenant:lower()) }
end

-- A test of people by an id, a upn, or a pattern with `*`.
local function matcher(user)
  local pattern = core.lower(user):gsub("[%^%$%(%)%%%.%[%]%+%-%?]", "%%%0"):gsub("%*+", ".*")
  return function(person)
    return person.id:find("^" .. pattern .. "$") ~= nil
      or (identity.upn(person.upn) or ""):find("^" .. pattern .. "$") ~= nil
  end
end

-- The people of a tenant that a user of the history names. An id that holds `*` is found, too.
local function people_of(store, tenant, user, is_exact)
  local person = store:person(tenant, core.lower(user))
  if person then
    return { person }
  elseif is_exact or not user:find("*", 1, true) then
    return store:people_named(tenant, user)
  end
  local found, matches = {}, matcher(user)
  for each in store:each_person(tenant) do
    found[#found + 1] = matches(each) and each or nil
  end
  return found
end

--- Finds users.
-- @tparam table store see `pcapi.history.store`
-- @tparam string user objectId or upn; `*` stands for any text
-- @tparam table options as of @{tenants}, and `is_exact` (true: `*` has no meaning)
-- @treturn table array of `tenant` and `person`
function M.users(store, user, options)
  local found = {}
  for _, tenant in ipairs(M.tenants(store, options)) do
    for _, person in ipairs(people_of(store, tenant, user, options.is_exact)) do
      found[#found + 1] = { tenant = tenant, person = person }
    end
  end
  return found
end

-- The set of states that the options name, and whether none of them is a closed one.
local function states_of(options)
  local states, is_open_only = {}, true
  for _, state in ipairs(options.states or { "open", "healing" }) do
    states[state] = true
    is_open_only = is_open_only and (state == "open" or state == "healing")
  end
  return states, is_open_only and not options.is_all
end

-- An iterator over an array.
local function items(list)
  local at = 0
  return function()
    at = at + 1
    return list[at]
  end
end

--- Passes findings to a function, by tenant and user.
-- @tparam table store see `pcapi.history.store`
-- @tparam table options `states` (array; default `open` and `healing`), `tenant` (an id; nil: all),
-- `user` (as for @{users}), `since` (the earliest `last_at`), and `is_all` (true: all findings of a
-- user; else the newest alone)
-- @tparam function visit takes tenant, person and finding
function M.findings(store, options, visit)
  local states, is_open_only = states_of(options)
  local function visit_those_of(tenant, person)
    for _, finding in ipairs(options.is_all and store:findings(person) or { person.finding }) do
      if states[finding.state] and (not options.since or finding.last_at >= options.since) then
        visit(tenant, person, finding)
      end
    end
  end
  for _, tenant in ipairs(M.tenants(store, options)) do
    for person in options.user and items(people_of(store, tenant, options.user))
      or store:each_person(tenant, is_open_only) do
      visit_those_of(tenant, person)
    end
  end
end

--- Passes all that is stored of a user to a function.
-- @tparam table store see `pcapi.history.store`
-- @tparam table tenant
-- @tparam table person
-- @tparam function visit takes a kind (`"user"`, `"finding"`, `"request"`, `"event"`, `"binding"`,
-- `"notice"` or, of events that name the user as an earlier one, `"mention"`), and a table
function M.personal(store, tenant, person, visit)
  visit("user", person)
  for _, finding in ipairs(store:findings(person)) do
    visit("finding", finding)
  end
  for request in store:requests_of(person) do
    visit("request", request)
  end
  for _, event in ipairs(store:events_of(tenant, person)) do
    visit(event.known_as == person.id and "mention" or "event", event)
  end
  for upn, id in pairs(store:bindings(tenant)) do
    if id == person.id then
      visit("binding", { upn = upn })
    end
  end
  for _, notice in ipairs(store:notices_of(tenant, person)) do
    visit("notice", notice)
  end
end

return M
