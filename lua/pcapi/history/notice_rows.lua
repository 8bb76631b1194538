--- The part of the store that has notices: what channels are told, and how far that is.
--
-- - `add_notice(notice)`: `channel`, `id`, `kind`, `at`, `head` (a text), and `parts` (array of
--   `place`, `tenant`, `text`, and of a part about a person `person` and `known_as`, an id). It
--   sets `key`, and returns whether it was stored: a channel has an `id` once.
-- - `notices(channel)` (nil: of all) returns those that are neither sent nor given up, in their
--   order, and `notice(key)` one. `save_notice(notice)` stores the fields that
--   `pcapi.notify.deliver` describes.
-- - `notice_content(notice)` returns `head` and `parts` (`place`, `known_as`, `text`).
-- - `notices_of(tenant, person)` returns `channel`, `at`, `sent`, `given_up` and `text` of the
--   parts that name a person.
-- - `channel(name)` and `save_channel(channel)`: `name`, `stopped`, `next_at`, `failure`, see
--   `pcapi.notify.deliver`. `waiting()` returns how many notices wait, by the name of a channel
--   that was saved or has any. `concerns()` and `save_concerns(concerns)`: when the operator was
--   told of each, by key.
-- - `failed_runs(tenant)`: how many runs have failed in a row.
-- @module pcapi.history.notice_rows
local core = require "pcapi.core"
local identity = require "pcapi.history.identity"
local row_values = require "pcapi.history.row_values"

local text = row_values.text

local Rows = {}

local function lines_of(list)
  return #list > 0 and table.concat(list, "\n") or nil
end

function Rows:add_notice(notice)
  local row = self.db:row([[
    INSERT INTO notice (channel, id, kind, at, head, tries) VALUES (?, ?, ?, ?, ?, 0)
    ON CONFLICT (channel, id) DO NOTHING RETURNING notice]],
    notice.channel, notice.id, notice.kind, notice.at, notice.head)
  if not row then
    return false
  end
  notice.key, notice.tries, notice.delivered = row.notice, 0, {}
  for i, part in ipairs(notice.parts) do
    self.db:run("INSERT INTO notice_part VALUES (?, ?, ?, ?, ?, ?, ?)", row.notice, i, part.place,
      part.tenant.key, part.person and part.person.key, text(part.known_as), part.text)
  end
  return true
end

local STATE = "notice, channel, id, kind, at, tries, tried, delivered, error, holder, "
  .. "held_until, sent, given_up"

local function notice_of(row)
  local delivered = {}
  for id in (row.delivered or ""):gmatch "[^\n]+" do
    delivered[#delivered + 1] = id
  end
  row.key, row.notice, row.delivered = row.notice, nil, delivered
  return row
end

function Rows:notices(channel)
  local found = {}
  for row in self.db:rows("SELECT " .. STATE .. " FROM notice WHERE sent IS NULL "
    .. "AND given_up IS NULL AND (?1 IS NULL OR channel = ?1) ORDER BY notice", channel) do
    found[#found + 1] = notice_of(row)
  end
  return found
end

function Rows:notice(key)
  local row = self.db:row("SELECT " .. STATE .. " FROM notice WHERE notice = ?", key)
  return row and notice_of(row)
end

function Rows:notice_content(notice)
  local content = self.db:row("SELECT head FROM notice WHERE notice = ?", notice.key)
  content.parts = {}
  for part in self.db:rows("SELECT place, known_as, text FROM notice_part WHERE notice = ? "
    .. "ORDER BY part", notice.key) do
    content.parts[#content.parts + 1] = part
  end
  return content
end

function Rows:save_notice(n)
  self.db:run([[
    UPDATE notice SET tries = ?, tried = ?, delivered = ?, error = ?, holder = ?, held_until = ?,
      sent = ?, given_up = ? WHERE notice = ?]],
    n.tries, n.tried, lines_of(n.delivered), text(n.error), n.holder, n.held_until, n.sent,
    n.given_up, n.key)
end

-- Warnings are sentences that may name anybody.
local function warnings_that_name(self, tenant, person)
  local names, found = { person.id, identity.upn(person.upn) }, {}
  for part in self.db:rows("SELECT notice, part, text FROM notice_part WHERE tenant = ? "
    .. "AND person IS NULL AND text NOT LIKE '{%'", tenant.key) do
    local lower = core.lower(part.text)
    for _, name in ipairs(names) do
      if lower:find(name, 1, true) then
        found[#found + 1] = part
        break
      end
    end
  end
  return found
end

-- Erases a person in what was told, and in what is still to be told.
function Rows:forget_notices(tenant, person)
  self.db:run("DELETE FROM notice_part WHERE person = ?", person.key)
  self.db:run("UPDATE notice_part SET known_as = NULL WHERE tenant = ? AND known_as = ?",
    tenant.key, person.id)
  for _, part in ipairs(warnings_that_name(self, tenant, person)) do
    self.db:run("DELETE FROM notice_part WHERE notice = ? AND part = ?", part.notice, part.part)
  end
end

function Rows:notices_of(tenant, person)
  local found = {}
  for row in self.db:rows([[
    SELECT channel, at, sent, given_up, text FROM notice_part p JOIN notice USING (notice)
    WHERE p.person = ?1 OR p.tenant = ?2 AND p.known_as = ?3 ORDER BY notice, part]], person.key,
    tenant.key, person.id) do
    found[#found + 1] = { channel = row.channel, at = row.at, sent = row.sent,
                          given_up = row.given_up, text = row.text }
  end
  return found
end

function Rows:prune_notices(limits)
  return self.db:run("DELETE FROM notice WHERE at < ?1 AND (coalesce(sent, given_up) < ?1 "
    .. "OR at < ?2)", limits.events, limits.events_untold)
end

function Rows:channel(name)
  local row = self.db:row("SELECT * FROM channel WHERE name = ?", name)
  if not row then
    return { name = name }
  end
  row.failure = row.failure_kind and { kind = row.failure_kind, since = row.failure_since,
                                       reported = row.failure_reported } or nil
  return { name = name, stopped = row.stopped, next_at = row.next_at, failure = row.failure }
end

function Rows:save_channel(channel)
  local failed = channel.failure or {}
  self.db:run("INSERT OR REPLACE INTO channel VALUES (?, ?, ?, ?, ?, ?)", channel.name,
    channel.stopped, channel.next_at, failed.kind, failed.since, failed.reported)
end

function Rows:waiting()
  local counts = {}
  for row in self.db:rows [[
    SELECT name, (SELECT count(*) FROM notice WHERE channel = name AND sent IS NULL
      AND given_up IS NULL) AS n
    FROM (SELECT name FROM channel UNION SELECT channel FROM notice WHERE sent IS NULL
      AND given_up IS NULL)]] do
    counts[row.name] = row.n
  end
  return counts
end

function Rows:concerns()
  local concerns = {}
  for row in self.db:rows "SELECT key, at FROM concern" do
    concerns[row.key] = row.at
  end
  return concerns
end

function Rows:save_concerns(concerns)
  self.db:run "DELETE FROM concern"
  for key, at in pairs(concerns) do
    self.db:run("INSERT INTO concern VALUES (?, ?)", text(key), at)
  end
end

function Rows:failed_runs(tenant)
  return self.db:row([[
    SELECT count(*) AS n FROM run WHERE tenant = ?1 AND users = 'failed' AND at > coalesce(
      (SELECT max(at) FROM run WHERE tenant = ?1 AND users <> 'failed'), 0)]], tenant.key).n
end

return Rows
