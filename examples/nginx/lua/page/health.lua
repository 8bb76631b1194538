--- Responds to /healthz: whether each list is there and fresh. It never sends a request to the
-- service, so a monitor may call it every second.
local lists = require "page.lists"
local notes = require "page.notes"
local send = require "page.send"
local settings = require "page.settings"

local M = {}

-- Seconds until a list counts as stale: a refresh may take up to pcapi's own timeout.
local PATIENCE = 2 * settings.fresh + 180

local function error_of(note)
  if note.error then
    return note.error
  elseif note.age and note.age > PATIENCE then
    return { kind = "stale", message = "the list was not refreshed for too long",
             hint = "See nginx's error log." }
  end
end

local function respond()
  local all, is_failing, is_starting = {}, false, false
  for _, name in ipairs(lists.names) do
    local note = notes.of(name)
    local err = error_of(note)
    is_failing, is_starting = is_failing or err ~= nil, is_starting or not note.age
    all[name] = { ok = note.age ~= nil and not err, error = err, age = note.age }
  end
  send.json(is_failing and 503 or 200, {
    status = is_failing and "failing" or is_starting and "starting" or "ok", lists = all,
  })
end

--- Responds to a request; for content_by_lua.
function M.respond()
  send.guarded(respond)
end

return M
