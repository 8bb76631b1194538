--- The part of the store that has requests, adoption and applications.
-- @module pcapi.history.request_rows
local row_values = require "pcapi.history.row_values"
local sqlite = require "pcapi.sqlite"

local blob, flag, text = sqlite.blob, row_values.flag, row_values.text

local CACHED = 10000 -- numbers of applications and operations that are remembered

local INSERT = {
  application = "INSERT INTO application (id) VALUES (?) ON CONFLICT DO NOTHING",
  operation = "INSERT INTO operation (name) VALUES (?) ON CONFLICT DO NOTHING",
}
local SELECT = {
  application = "SELECT application AS number FROM application WHERE id = ?",
  operation = "SELECT operation AS number FROM operation WHERE name = ?",
}

local Rows = {}

local function stored_number(self, kind, value)
  local numbers, name = self.numbers, text(value)
  if not numbers or numbers.count == CACHED then -- names that differ each time: begin anew
    numbers = { application = {}, operation = {}, count = 0 }
    self.numbers = numbers
  end
  self.db:run(INSERT[kind], name)
  local number = self.db:row(SELECT[kind], name).number
  numbers[kind][value], numbers.count = number, numbers.count + 1
  return number
end

-- The number of an application or operation, which is stored once. `value` is a string.
local function number_of(self, kind, value)
  local numbers = self.numbers
  return numbers and numbers[kind][value] or stored_number(self, kind, value)
end

function Rows:add_request(tenant, request)
  local mfa, operation, person = request.mfa, request.operation, request.person
  local changed = self.db:run([[
    INSERT INTO request VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET person = excluded.person, ip = excluded.ip, run = excluded.run
      WHERE person IS NULL AND excluded.person IS NOT NULL]],
    tenant.key, request.at, blob(request.id), person and person.key,
    number_of(self, "application", request.application),
    type(operation) == "string" and number_of(self, "operation", operation) or nil,
    text(request.ip),
    type(mfa) == "boolean" and flag(mfa) or nil, self:run_number())
  if changed > 0 then
    self:note_change(request.at)
  end
end

function Rows:evidence(person, from, after)
  local rows = {}
  for row in self.db:rows([[
    SELECT a.id AS application, max(CASE mfa WHEN 0 THEN at END) AS "without",
      max(CASE mfa WHEN 1 THEN at END) AS "with",
      min(CASE WHEN mfa = 1 AND at > ? THEN at END) AS with_after
    FROM request JOIN application a USING (application)
    WHERE person = ? AND at >= ? GROUP BY a.id ORDER BY a.id]], after, person.key, from) do
    rows[#rows + 1] = row
  end
  return rows
end

function Rows:requests_of(person)
  local rows = self.db:rows([[
    SELECT at, a.id AS application, o.name AS operation, ip, mfa
    FROM request JOIN application a USING (application) LEFT JOIN operation o USING (operation)
    WHERE person = ? ORDER BY at DESC]], person.key)
  return function()
    local row = rows()
    if row and row.mfa then
      row.mfa = row.mfa == 1
    end
    return row
  end
end

function Rows:uses(tenant, from)
  local rows = self.db:rows([[
    SELECT p.id AS person, a.id AS application, max(r.at) AS last,
      count(CASE mfa WHEN 0 THEN 1 END) AS without_count,
      max(CASE mfa WHEN 0 THEN r.at END) AS "without",
      count(DISTINCT coalesce(ip, '')) AS address_count,
      count(DISTINCT CASE mfa WHEN 0 THEN r.at % 86400 / 3600 END) AS hours,
      coalesce(max(CASE mfa WHEN 0 THEN (r.at / 86400 + 4) % 7 = 6 END), 0)
        AND coalesce(max(CASE mfa WHEN 0 THEN (r.at / 86400 + 4) % 7 = 0 END), 0) AS is_weekend
    FROM request r JOIN person p ON p.person = r.person JOIN application a USING (application)
    WHERE r.person IN (
      SELECT person FROM finding WHERE tenant = ?1 AND (closed IS NULL OR closed >= ?2))
    GROUP BY r.person, r.application ORDER BY p.id, last DESC, a.id]], tenant.key, from)
  return function()
    local row = rows()
    return row and row_values.with_flags(row, "is_weekend")
  end
end

function Rows:proofs(person, from, after, to)
  local found = {}
  for row in self.db:rows([[
    SELECT a.id AS application, r.at, r.id, r.mfa FROM (
      SELECT application, max(at) AS at, id, 0 AS mfa FROM request
      WHERE person = ?1 AND mfa = 0 AND at BETWEEN ?2 AND ?4 GROUP BY application
      UNION ALL SELECT application, min(at), id, 1 FROM request
      WHERE person = ?1 AND mfa = 1 AND at > ?3 AND at <= ?4 GROUP BY application) r
    JOIN application a USING (application) ORDER BY r.at, a.id]], person.key, from, after, to) do
    found[#found + 1] = row_values.with_flags(row, "mfa")
  end
  return found
end

function Rows:save_adoption(tenant, row)
  local changed = self.db:run([[
    INSERT INTO adoption VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET with_mfa = excluded.with_mfa, total = excluded.total,
      run = excluded.run
      WHERE with_mfa <> excluded.with_mfa OR total <> excluded.total]],
    tenant.key, row.day, number_of(self, "application", row.application), row.with_mfa,
    row.total, self:run_number())
  if changed > 0 then
    self:note_change(row.day)
  end
end

function Rows:received(tenant, from)
  local rows = {}
  for row in self.db:rows([[
    SELECT c.day, a.id AS application, sum(received) AS received, sum(with_mfa) AS with_mfa,
      sum(total) AS total
    FROM (SELECT at - at % 86400 AS day, application, count(*) AS received, NULL AS with_mfa,
            NULL AS total
          FROM request WHERE tenant = ?1 AND at >= ?2 GROUP BY 1, 2
          UNION ALL SELECT day, application, 0, with_mfa, total
          FROM adoption WHERE tenant = ?1 AND day >= ?2) c
    JOIN application a USING (application) GROUP BY c.day, a.id ORDER BY c.day, a.id]],
    tenant.key, from) do
    rows[#rows + 1] = row
  end
  return rows
end

function Rows:adoption(tenant, from)
  local rows = {}
  for row in self.db:rows([[
    SELECT day, a.id AS application, with_mfa, total
    FROM adoption JOIN application a USING (application)
    WHERE tenant = ? AND day >= ? ORDER BY day, a.id]], tenant.key, from) do
    rows[#rows + 1] = row
  end
  return rows
end

function Rows:count_without_mfa(tenant, from)
  return self.db:row("SELECT count(*) AS n FROM request WHERE tenant = ? AND at >= ? AND mfa = 0",
    tenant.key, from).n
end

function Rows:name_application(id, name)
  number_of(self, "application", id)
  self.db:run("UPDATE application SET name = ?2 WHERE id = ?1 AND name IS NOT ?2", text(id),
    text(name))
end

-- Each tenant has applications of its own, so there can be many: a name is read when it is needed.
function Rows:application_names()
  return setmetatable({}, { __index = function(names, id)
    local row = self.db:row("SELECT name FROM application WHERE id = ?", text(id))
    names[id] = row and row.name
    return row and row.name
  end })
end

return Rows
