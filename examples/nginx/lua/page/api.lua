--- Responds to /api/users, /api/adoption, /api/requests, /api/history and /api/summary.
local history = require "page.history"
local json = require "pcapi.json"
local lists = require "page.lists"
local notes = require "page.notes"
local send = require "page.send"
local time = require "pcapi.time"

local M = {}

-- The members of a list but its items, as JSON without the closing brace: the age of the list,
-- the error of its last refresh, and its facts. Every table in the facts is an array.
local function head_of(value, state)
  local head = json.encode {
    as_of = time.format(ngx.time() - state.age), age = math.floor(state.age),
    stale = state.is_stale, error = notes.fields_of(state.err) or json.null,
  }
  local members = { head:sub(1, -2) }
  for name, fact in pairs(value.facts) do
    local text = type(fact) == "table" and json.encode_array(fact) or json.encode(fact)
    members[#members + 1] = ('"%s":%s'):format(name, text)
  end
  return table.concat(members, ",")
end

-- The items are JSON text already.
local function list(name)
  return function()
    local value, state = lists.get(name)
    if not value then
      return send.error(state)
    end
    send.json(200, head_of(value, state) .. ',"items":' .. value.items .. "}")
  end
end

-- Each list without its items, or its error. The response is an error only if every list failed.
local function summary()
  local members, has_list, first_err = {}, false, nil
  for i, name in ipairs(lists.names) do
    local value, state = lists.get(name)
    has_list, first_err = has_list or value ~= nil, first_err or state
    members[i] = ('"%s":%s'):format(name, value and head_of(value, state) .. "}"
      or json.encode { error = notes.fields_of(state) })
  end
  if not has_list then
    return send.error(first_err)
  end
  send.json(200, "{" .. table.concat(members, ",") .. "}")
end

local function respond_history()
  send.json(200, history.response())
end

local RESPONSES = { ["/api/summary"] = summary, ["/api/history"] = respond_history }
for _, name in ipairs(lists.names) do
  RESPONSES["/api/" .. name] = list(name)
end

local function not_found()
  send.json(404, { error = {
    kind = "not_found", message = "this address does not exist",
    hint = "Use /api/users, /api/adoption, /api/requests, /api/history or /api/summary.",
  } })
end

--- Responds to a request below /api/; for content_by_lua.
function M.respond()
  send.guarded(RESPONSES[ngx.var.uri] or not_found)
end

return M
