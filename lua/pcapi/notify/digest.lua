--- Digests: what one message of a channel tells, as plain data, and how the outbox holds it.
--
-- A **digest** is a table:
--
-- - `id`: 64 hexadecimal digits, the same at each try;
-- - `kind`: `changes`; `open` (the first digest of a new channel, or reminders alone); `test`; or
--   `operator` (what pcapi itself cannot do);
-- - `at`: UTC epoch seconds, by the service's clock;
-- - `thread`: the id of the first digest that the channel had of this tenant, if there is one;
-- - `counts`: `open` and `excepted` (users now), and `new`, `back`, `again`, `ended`, `healing`,
--   `fixed`, `quiet`, `lost` and `baseline` (users with this event in the digest; also those that
--   there was no room for);
-- - `tenants`: array of `id`, `name`, `counts`, `requests` (`whole`, `cut` or `failed`), `coverage`
--   (share of the requests that is known, 0 to 1), `rows` (of `pcapi.history.news`, each with
--   `key`), `more` (how many rows were left out) and `warnings` (texts);
-- - `notes`: texts, of an operator's digest: what is wrong, and the next step;
-- - `version`: of pcapi.
--
-- The `key` of a row is the same for all that a channel is told of one episode of one user.
-- @module pcapi.notify.digest
local copy = require "pcapi.copy"
local core = require "pcapi.core"
local identity = require "pcapi.history.identity"
local json_value = require "pcapi.format.json_value"
local text = require "pcapi.text"

local M = {}

--- The fields of `counts`.
M.COUNTS = { "open", "excepted", "new", "back", "again", "ended", "healing", "fixed", "quiet",
             "lost", "baseline" }

local function encode(value)
  return assert(json_value.compact(value))
end

--- The hexadecimal SHA-256 of some texts.
-- @tparam string ...
-- @treturn string 64 digits
function M.hash(...)
  return text.hex(core.sha256(table.concat({ ... }, "|")))
end

--- The key of a row's episode.
-- @tparam table row of `pcapi.history.news`
-- @treturn ?string nil if it is about no user
function M.row_key(row)
  local who = row.objectId and core.lower(row.objectId) or identity.upn(row.upn)
  return who and M.hash(row.tenantId, who, ("%d"):format(row.episode or 1), "finding") or nil
end

--- Counts with nothing in them.
-- @treturn table
function M.no_counts()
  local counts = {}
  for _, name in ipairs(M.COUNTS) do
    counts[name] = 0
  end
  return counts
end

--- Adds counts to others.
-- @tparam table sum changed in place
-- @tparam table counts
function M.add_counts(sum, counts)
  for _, name in ipairs(M.COUNTS) do
    sum[name] = sum[name] + counts[name]
  end
end

-- A row without what the store can erase by itself.
local function stored_row(row)
  local stored = copy.with(row)
  stored.knownAs = nil
  return stored
end

-- The parts of a notice: rows and warnings, each of its tenant.
local function parts_of(items)
  local parts = {}
  for place, item in ipairs(items) do
    for i, row in ipairs(item.rows) do
      parts[#parts + 1] = { place = place, tenant = item.tenant, person = item.people[i],
                            known_as = row.knownAs, text = encode(stored_row(row)) }
    end
    for _, warning in ipairs(item.warnings) do
      parts[#parts + 1] = { place = place, tenant = item.tenant, text = encode(warning) }
    end
  end
  return parts
end

--- Makes a notice of a digest, for the store.
-- @tparam string channel
-- @tparam table head the digest without `id`, `thread` and `tenants`
-- @tparam table items array of one a tenant: `tenant` (of the store), `rows`, `people` (of the
-- rows, in their order), `warnings`, `counts`, `requests`, `coverage`, `more`
-- @tparam ?string thread
-- @treturn table for @{pcapi.history.notice_rows}
function M.notice(channel, head, items, thread)
  local tenants, parts = {}, parts_of(items)
  for place, item in ipairs(items) do
    tenants[place] = { id = item.tenant.id, name = item.tenant.name or item.tenant.id,
                       counts = item.counts, requests = item.requests, coverage = item.coverage,
                       more = item.more }
  end
  head.tenants = tenants
  local texts = { channel, encode(head) }
  for i, part in ipairs(parts) do
    texts[i + 2] = part.text
  end
  head.thread = thread
  return { channel = channel, id = text.hex(core.sha256(table.concat(texts, "\n"))),
           kind = head.kind, head = encode(head), parts = parts }
end

--- Reads a digest of the store.
-- @tparam table notice
-- @tparam table content of the notice
-- @treturn table
function M.read(notice, content)
  local digest = core.decode(content.head)
  digest.id = notice.id
  digest.notes = digest.notes or {}
  for _, tenant in ipairs(digest.tenants) do
    tenant.rows, tenant.warnings = {}, {}
  end
  for _, part in ipairs(content.parts) do
    local value, tenant = core.decode(part.text), digest.tenants[part.place]
    if type(value) == "table" then
      value.knownAs = part.known_as
      tenant.rows[#tenant.rows + 1] = value
    else
      tenant.warnings[#tenant.warnings + 1] = value
    end
  end
  return digest
end

return M
