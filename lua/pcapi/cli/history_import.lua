--- `pcapi history import`: takes over tenants from a copy of another history.
-- @module pcapi.cli.history_import
local exit = require "pcapi.cli.exit"
local history_file = require "pcapi.cli.history_file"
local history_query = require "pcapi.cli.history_query"

local M = {}

-- Failures whose hint is about the setting of the history, which is not the file that was named.
local MISPLACED = { file = true, foreign = true, readonly = true, remote = true }

local function open_copy(path)
  local history, err = require("pcapi.history").open(path, { create = false })
  if not history and MISPLACED[err.code] then
    err.hint = "FILE must be a copy that pcapi history backup made (mode 0600), in a folder of "
      .. "this user's own (mode 0700) on a local disk"
  end
  return history_query.required(history, err)
end

local function words_of(counts)
  local words = {}
  for i, entry in ipairs { { "people", "user" }, { "findings", "finding" },
                           { "requests", "request" } } do
    local count = counts[entry[1]]
    words[i] = ("%d %s%s"):format(count, entry[2], count == 1 and "" or "s")
  end
  return table.concat(words, ", ")
end

--- Runs `pcapi history import`.
-- @tparam table args
function M.run(args)
  local settings = history_file.settings(args)
  history_file.load_store()
  local from = open_copy(args.file)
  local tenants = history_query.required(from:tenants())
  local ids = history_query.selected(args, tenants)
  local into, wanted = history_file.open(settings), {}
  for _, id in ipairs(ids or {}) do
    wanted[id] = true
  end
  for _, tenant in ipairs(tenants) do
    if not ids or wanted[tenant.id] then
      local counts = history_query.required(require("pcapi.history.transfer").tenant(from.store,
        into.store, tenant.id))
      if not args.quiet then
        exit.say(("imported %s: %s"):format(history_query.tenant_name(tenant), words_of(counts)))
      end
    end
  end
  from:close()
  into:close()
end

return M
