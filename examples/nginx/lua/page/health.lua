--- /healthz: whether the page has something to show, and what is wrong if not. It never asks
-- the service, so it may be asked every second.
local answer = require "page.answer"
local lists = require "page.lists"
local notes = require "page.notes"
local settings = require "page.settings"

local M = {}

-- A refresh may take as long as a call may: pcapi's own deadline.
local PATIENCE = 2 * settings.fresh + 180

local function complaint(note)
  if note.error then
    return note.error
  elseif note.age and note.age > PATIENCE then
    return { kind = "stale", message = "nobody has refreshed the list for too long",
             hint = "See nginx's error log." }
  end
end

local function page()
  local all, wrong, waits = {}, false, false
  for _, name in ipairs(lists.names) do
    local note = notes.of(name)
    local err = complaint(note)
    wrong, waits = wrong or err ~= nil, waits or not note.age
    all[name] = { ok = note.age ~= nil and not err, error = err, age = note.age }
  end
  answer.json(wrong and 503 or 200, {
    status = wrong and "failing" or waits and "starting" or "ok", lists = all,
  })
end

--- Answers the request; for content_by_lua.
function M.answer()
  answer.guarded(page)
end

return M
