--- A store of the history in memory, for specs. It does what `pcapi.history` asks of a store, in
-- the plainest way. Tables that it takes and gives are copies.
local evidence = require "spec.support.history_store_evidence"
local notices = require "spec.support.history_notices"
local retention = require "pcapi.history.retention"

local unpack = table.unpack or unpack -- luacheck: ignore

local M = {}

-- A deep copy; a table that is in two places stays one.
local function copy(value, copies)
  if type(value) ~= "table" then
    return value
  end
  copies = copies or {}
  if not copies[value] then
    local new = {}
    copies[value] = new
    for name, item in pairs(value) do
      new[name] = copy(item, copies)
    end
  end
  return copies[value]
end

-- A copy of a row, whose tables nobody changes.
local function row_of(value)
  if not value then
    return nil
  end
  local new = {}
  for name, item in pairs(value) do
    new[name] = item
  end
  return new
end

local Store = { uses = evidence.uses, proofs = evidence.proofs }
Store.__index = Store

for name, method in pairs(notices) do
  Store[name] = method
end

--- Makes an empty store. `is_atomic` may be set to false, where no transaction fails: then none is
-- rolled back, which is faster.
function M.new()
  local data = { tenants = {}, people = {}, events = {}, last_key = 0, last_event = 0, names = {} }
  return setmetatable({ is_atomic = true, data = data }, Store)
end

function Store:transaction(run)
  if not self.is_atomic then
    return run()
  end
  local before = copy(self.data)
  local results = { pcall(run) }
  if not results[1] then
    self.data = before
    error(results[2], 0)
  elseif results[2] == nil and results[3] ~= nil then
    self.data = before
  end
  return unpack(results, 2, 3)
end

Store.read = Store.transaction

local function succeed()
  return true
end

Store.close, Store.check, Store.backup, Store.erase = succeed, succeed, succeed, succeed

local function next_key(self)
  self.data.last_key = self.data.last_key + 1
  return self.data.last_key
end

-- What is stored of a tenant.
local function of(self, tenant)
  return self.data.tenants[tenant.key]
end

function Store:tenant(id)
  for _, stored in pairs(self.data.tenants) do
    if stored.row.id == id then
      return copy(stored.row)
    end
  end
end

function Store:tenants()
  local all = {}
  for key = 1, self.data.last_key do
    local stored = self.data.tenants[key]
    all[#all + 1] = stored and copy(stored.row)
  end
  table.sort(all, function(a, b) return a.id < b.id end)
  return all
end

function Store:save_tenant(tenant)
  if not tenant.key then
    tenant.key = next_key(self)
    self.data.tenants[tenant.key] = { runs = {}, requests = {}, adoption = {}, bindings = {},
                                      readers = {} }
  end
  of(self, tenant).row = copy(tenant)
end

local function newest_of(findings)
  local newest
  for episode, finding in pairs(findings) do
    newest = (not newest or episode > newest.episode) and finding or newest
  end
  return newest
end

-- The stored person as the caller gets it.
local function shown(stored)
  local person = row_of(stored.row)
  person.finding = row_of(newest_of(stored.findings))
  return person
end

local function people_where(self, tenant, test)
  local found = {}
  for key = 1, self.data.last_key do
    local stored = self.data.people[key]
    if stored and stored.tenant == tenant.key and test(stored) then
      found[#found + 1] = shown(stored)
    end
  end
  table.sort(found, function(a, b) return a.id < b.id end)
  return found
end

function Store:people(tenant)
  return people_where(self, tenant, function() return true end)
end

function Store:each_person(tenant, is_open)
  local people, at = is_open and self:open_people(tenant) or self:people(tenant), 0
  return function()
    at = at + 1
    return people[at]
  end
end

function Store:person(tenant, id)
  return people_where(self, tenant, function(stored) return stored.row.id == id end)[1]
end

function Store:people_named(tenant, upn)
  return people_where(self, tenant, function(stored)
    return (stored.row.upn or ""):lower() == upn:lower()
  end)
end

function Store:open_people(tenant)
  return people_where(self, tenant, function(stored)
    local finding = newest_of(stored.findings)
    return finding and not finding.closed
  end)
end

function Store:save_person(tenant, person)
  person.key = person.key or next_key(self)
  local stored = self.data.people[person.key] or { tenant = tenant.key, findings = {},
                                                    requests = {} }
  stored.row = { key = person.key, id = person.id, upn = person.upn,
                 tenant_id = person.tenant_id }
  self.data.people[person.key] = stored
end

function Store:absorb(_, old, into)
  self:absorb_notices(old, into)
  for key, request in pairs(self.data.people[old.key].requests) do
    request.person = into.key
    self.data.people[into.key].requests[key] = request
  end
  for _, event in ipairs(self.data.events) do
    event.person = event.person == old.key and into.key or event.person
  end
  self.data.people[old.key] = nil
end

function Store:save_finding(_, person, finding)
  self.data.people[person.key].findings[finding.episode] = row_of(finding)
  person.finding = row_of(finding)
end

function Store:findings(person)
  local found = {}
  for _, finding in pairs(self.data.people[person.key].findings) do
    found[#found + 1] = row_of(finding)
  end
  table.sort(found, function(a, b) return a.episode < b.episode end)
  return found
end

function Store:episodes(tenant, from)
  local found = {}
  for _, person in pairs(self.data.people) do
    for _, finding in pairs(person.tenant == tenant.key and person.findings or {}) do
      if not finding.closed or finding.closed >= from then
        found[#found + 1] = { opened = finding.opened, closed = finding.closed,
                              state = finding.state }
      end
    end
  end
  return found
end

function Store:add_request(tenant, request)
  local requests = of(self, tenant).requests
  local key = request.at .. "/" .. request.id
  local stored = requests[key]
  local person = request.person and request.person.key
  if not stored then
    stored = { at = request.at, application = request.application, mfa = request.mfa,
                    operation = request.operation }
    requests[key] = stored
  end
  stored.person, stored.ip = stored.person or person, stored.ip or request.ip
  if person and stored.person == person then
    self.data.people[person].requests[key] = stored
  end
end

function Store:evidence(person, from, after)
  local rows, by_application = {}, {}
  for _, request in pairs(self.data.people[person.key].requests) do
    if request.at >= from then
      local row = by_application[request.application]
      if not row then
        row = { application = request.application }
        by_application[request.application], rows[#rows + 1] = row, row
      end
      local field = request.mfa == true and "with" or request.mfa == false and "without"
      if field then
        row[field] = math.max(row[field] or 0, request.at)
      end
      if request.mfa == true and request.at > after then
        row.with_after = math.min(row.with_after or math.huge, request.at)
      end
    end
  end
  table.sort(rows, function(a, b) return a.application < b.application end)
  return rows
end

function Store:requests_of(person)
  local rows, next_row = {}, 0
  for _, request in pairs(self.data.people[person.key].requests) do
    local row = row_of(request)
    row.person = nil
    rows[#rows + 1] = row
  end
  table.sort(rows, function(a, b) return a.at > b.at end)
  return function()
    next_row = next_row + 1
    return rows[next_row]
  end
end

function Store:received(tenant, from)
  local rows, by_key = {}, {}
  local function row_at(day, application)
    local key = ("%d/%s"):format(day, application)
    if not by_key[key] then
      by_key[key] = { day = day, application = application, received = 0 }
      rows[#rows + 1] = by_key[key]
    end
    return by_key[key]
  end
  for _, request in pairs(of(self, tenant).requests) do
    if request.at >= from then
      local row = row_at(request.at - request.at % 86400, request.application)
      row.received = row.received + 1
    end
  end
  for _, adoption in pairs(of(self, tenant).adoption) do
    if adoption.day >= from then
      local row = row_at(adoption.day, adoption.application)
      row.with_mfa, row.total = adoption.with_mfa, adoption.total
    end
  end
  table.sort(rows, function(a, b)
    return a.day < b.day or a.day == b.day and a.application < b.application
  end)
  return rows
end

function Store:count_without_mfa(tenant, from)
  local count = 0
  for _, request in pairs(of(self, tenant).requests) do
    count = count + (request.at >= from and request.mfa == false and 1 or 0)
  end
  return count
end

function Store:adoption(tenant, from)
  local rows = {}
  for _, row in pairs(of(self, tenant).adoption) do
    rows[#rows + 1] = row.day >= from and copy(row) or nil
  end
  table.sort(rows, function(a, b)
    return a.day < b.day or a.day == b.day and a.application < b.application
  end)
  return rows
end

function Store:save_adoption(tenant, row)
  of(self, tenant).adoption[row.day .. "/" .. row.application] = copy(row)
end

function Store:name_application(id, name)
  self.data.names[id] = name
end

function Store:application_names()
  return copy(self.data.names)
end

function Store:bindings(tenant)
  return copy(of(self, tenant).bindings)
end

function Store:save_bindings(tenant, bindings)
  of(self, tenant).bindings = copy(bindings)
end

function Store:add_run(tenant, row)
  local runs = of(self, tenant).runs
  local newest = runs[#runs]
  runs[newest and newest.at == row.at and #runs or #runs + 1] = copy(row)
end

function Store:runs(tenant)
  return copy(of(self, tenant).runs)
end

function Store:first_run(tenant)
  local oldest = of(self, tenant).runs[1]
  return oldest and oldest.at
end

function Store:last_run(tenant, limit, list)
  local last
  for _, run in ipairs(of(self, tenant).runs) do
    last = run.at <= limit and (run[list or "users"] or "failed") ~= "failed" and run or last
  end
  return copy(last)
end

local NEWS = { new = true, back = true, again = true, ended = true }

function Store:news(tenant, after, since)
  local found = {}
  for _, event in ipairs(self:events(tenant, 0)) do
    if NEWS[event.kind] and event.person and not event.excepted
      and (event.id > after or event.at > since) then
      found[#found + 1] = { id = event.id, kind = event.kind, person = event.person.id }
    end
  end
  return found
end

function Store:newest_event(tenant)
  local newest = 0
  for _, event in ipairs(self.data.events) do
    newest = event.tenant == tenant.key and event.id or newest
  end
  return newest
end

function Store:add_event(tenant, event)
  self.data.last_event = self.data.last_event + 1
  local stored = {}
  for name, value in pairs(event) do
    stored[name] = value
  end
  stored.id, stored.tenant = self.data.last_event, tenant.key
  stored.person = event.person and event.person.key
  table.insert(self.data.events, stored)
  return stored.id
end

local function events_where(self, tenant, test)
  local found = {}
  for _, event in ipairs(self.data.events) do
    if event.tenant == tenant.key and test(event) then
      local shown_event = copy(event)
      shown_event.person = event.person and shown(self.data.people[event.person])
      shown_event.tenant = nil
      found[#found + 1] = shown_event
    end
  end
  return found
end

function Store:events(tenant, after)
  return events_where(self, tenant, function(event) return event.id > after end)
end

function Store:events_of(tenant, person)
  return events_where(self, tenant, function(event)
    return event.person == person.key or event.known_as == person.id
  end)
end

function Store:reader(tenant, name)
  return copy(of(self, tenant).readers[name])
end

function Store:readers(tenant)
  local readers = {}
  for _, reader in pairs(of(self, tenant).readers) do
    readers[#readers + 1] = copy(reader)
  end
  table.sort(readers, function(a, b) return a.name < b.name end)
  return readers
end

function Store:save_reader(tenant, reader)
  of(self, tenant).readers[reader.name] = copy(reader)
end

local function delete(rows, test)
  local count = 0
  for key, row in pairs(rows) do
    if test(row) then
      rows[key], count = nil, count + 1
    end
  end
  return count
end

local function keep(array, test)
  local kept = {}
  for _, item in ipairs(array) do
    kept[#kept + 1] = test(item) and item or nil
  end
  return kept, #array - #kept
end

function Store:prune(tenant, limits)
  local stored, counts = of(self, tenant), { findings = 0, people = 0 }
  local readers = self:readers(tenant)
  local function is_old(row) return row.at < limits.requests end
  counts.requests = delete(stored.requests, is_old)
  stored.runs, counts.runs = keep(stored.runs, function(run) return run.at >= limits.runs end)
  self.data.events, counts.events = keep(self.data.events, function(event)
    return event.tenant ~= tenant.key or not retention.is_over(event, limits, readers)
  end)
  for key, person in pairs(self.data.people) do
    if person.tenant == tenant.key then
      delete(person.requests, is_old)
      counts.findings = counts.findings + delete(person.findings, function(finding)
        return finding.closed and finding.closed < limits.findings
      end)
      if not next(person.findings) and not next(person.requests) then
        self.data.people[key], counts.people = nil, counts.people + 1
      end
    end
  end
  counts.notices = self:prune_notices(limits)
  tenant.coverage = retention.covered(tenant.coverage, limits)
  self:save_tenant(tenant)
  return counts
end

local function size(map)
  local count = 0
  for _ in pairs(map) do
    count = count + 1
  end
  return count
end

function Store:facts()
  local data = self.data
  local counts = { tenants = size(data.tenants), people = size(data.people), findings = 0,
                   events = #data.events }
  for _, person in pairs(data.people) do
    counts.findings = counts.findings + size(person.findings)
  end
  return { format = 1, application_id = 1, counts = counts }
end

function Store:forget(tenant, person)
  self:forget_notices(tenant, person)
  for _, request in pairs(self.data.people[person.key].requests) do
    request.person, request.ip = nil, nil
  end
  self.data.events = keep(self.data.events, function(event) return event.person ~= person.key end)
  for _, event in ipairs(self.data.events) do
    event.known_as = event.known_as ~= person.id and event.known_as or nil
  end
  delete(of(self, tenant).bindings, function(id) return id == person.id end)
  self.data.people[person.key] = nil
end

return M
