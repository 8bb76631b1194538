--- Copies a tenant from one history to another, with all that is known of it: findings, evidence,
-- events, and what each reader was told. Both are stores of `pcapi.history.store`.
--
-- Keys are numbers of one file, so each gets a new one. Notices that wait for a channel stay.
-- @module pcapi.history.transfer
local errors = require "pcapi.error"
local sqlite = require "pcapi.sqlite"

local M = {}

-- Copies rows of a table; returns how many. `change` replaces the keys in a row. If `key` names the
-- column of the table's own key, each row gets a new one; also returns the new keys by the old.
local function copy(move, name, key, change)
  local count, keys, columns, values = 0, {}, {}, {}
  for row in move.into.db:rows("SELECT name FROM pragma_table_info(?)", name) do
    columns[#columns + 1], values[#values + 1] = row.name, ":" .. row.name
  end
  local insert = ("INSERT INTO %s (%s) VALUES (%s) RETURNING %s AS key"):format(name,
    table.concat(columns, ", "), table.concat(values, ", "), key or "NULL")
  for row in move.from.db:rows(("SELECT * FROM %s WHERE tenant = ? ORDER BY 1"):format(name),
    move.old_key) do
    local old = key and row[key]
    row.tenant = move.new_key
    if key then
      row[key] = nil
    end
    change(row)
    local made = move.into.db:row(insert, row).key
    if key then
      keys[old] = made
    end
    count = count + 1
  end
  return count, keys
end

local function unchanged() end

-- A function that returns the number of an application or operation in the other history.
local function renumbering(move, name, column)
  local numbers, from, into = {}, move.from.db, move.into.db
  local find = ("SELECT * FROM %s WHERE %s = ?"):format(name, name)
  local insert = ("INSERT INTO %s (%s) VALUES (?) ON CONFLICT DO NOTHING"):format(name, column)
  local number = ("SELECT %s AS number FROM %s WHERE %s = ?"):format(name, name, column)
  return function(old)
    if old and not numbers[old] then
      local row = from:row(find, old)
      into:run(insert, row[column])
      if name == "application" then
        into:run("UPDATE application SET name = ? WHERE id = ? AND name IS NULL", row.name, row.id)
      end
      numbers[old] = into:row(number, row[column]).number
    end
    return old and numbers[old]
  end
end

local function copy_tenant(move)
  local row = move.from.db:row("SELECT * FROM tenant WHERE id = ?", move.id)
  move.old_key, row.tenant = row.tenant, nil
  move.new_key = move.into.db:row([[
    INSERT INTO tenant VALUES (NULL, :id, :name, :at, :asked, :has_baseline, :covered_from,
      :covered_to, :covered_newest, :failure_kind, :failure_since, :failure_reported)
    RETURNING tenant]], row).tenant
end

local function copy_requests(move, counts)
  local run, application = move.into:run_number(), renumbering(move, "application", "id")
  local operation, first = renumbering(move, "operation", "name"), nil
  counts.requests = copy(move, "request", nil, function(row)
    first = math.min(first or row.at, row.at)
    row.id, row.run = sqlite.blob(row.id), run
    row.person = row.person and move.people[row.person]
    row.application, row.operation = application(row.application), operation(row.operation)
  end)
  copy(move, "adoption", nil, function(row)
    first = math.min(first or row.day, row.day)
    row.run, row.application = run, application(row.application)
  end)
  copy(move, "run", nil, function(row) -- all rows must be exported anew
    row.number, row.changed_from = run, first
  end)
end

-- The readers know events by their ids, and those that they were told may have been deleted.
local function copy_readers(move, events)
  local ids = {}
  for old in pairs(events) do
    ids[#ids + 1] = old
  end
  table.sort(ids)
  local function id_of(told)
    local id = ids[1] and events[ids[1]] - 1 or 0
    for _, old in ipairs(ids) do
      id = old <= told and events[old] or id
    end
    return id
  end
  copy(move, "reader", nil, function(row)
    row.told, row.claimed = id_of(row.told), row.claimed and id_of(row.claimed)
  end)
end

local function copy_all(move)
  local counts = {}
  copy_tenant(move)
  counts.people, move.people = copy(move, "person", "person", unchanged)
  counts.findings = copy(move, "finding", nil, function(row)
    row.person, row.run = move.people[row.person], move.into:run_number()
  end)
  copy_requests(move, counts)
  copy(move, "binding", nil, unchanged)
  local events
  counts.events, events = copy(move, "event", "event", function(row)
    row.person = row.person and move.people[row.person]
  end)
  copy_readers(move, events)
  return counts
end

--- Copies a tenant, in one transaction.
-- @tparam table from
-- @tparam table into
-- @tparam string id of the tenant
-- @treturn[1] table how many rows of what: `people`, `findings`, `requests`, `events`
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store; also if the tenant is in the other history already
function M.tenant(from, into, id)
  return into:transaction(function()
    if into:tenant(id) then
      return errors.fail {
        kind = "store", message = "the history already has the tenant " .. id,
        hint = "A tenant is imported before pcapi watch asks it for the first time",
      }
    end
    return from:read(function()
      return copy_all { from = from, into = into, id = id }
    end)
  end)
end

return M
