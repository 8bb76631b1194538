--- Responds to /api/users, /api/adoption, /api/requests, /api/history and /api/summary, and to
-- /api/users.csv and /api/history.csv.
local history = require "page.history"
local json = require "pcapi.json"
local lists = require "page.lists"
local notes = require "page.notes"
local send = require "page.send"
local settings = require "page.settings"
local sheet = require "page.sheet"
local time = require "pcapi.time"

local M = {}

-- The state of a list: when it was loaded, whether it is old, and the error of its last refresh.
local function state_of(state)
  return { as_of = time.format(math.floor(ngx.now() - state.age + 0.5)), stale = state.is_stale,
           error = notes.fields_of(state.err) or json.null }
end

-- The first members of a list, as JSON without the closing brace: its state and its age. Its facts
-- follow.
local function head_of(state)
  local head = state_of(state)
  head.age = math.floor(state.age)
  return json.encode(head):sub(1, -2) .. ","
end

-- A text that changes whenever the list does.
local function tag_of(state)
  local head = state_of(state)
  return table.concat({ settings.owner(), head.as_of, tostring(head.stale),
                        state.err and state.err.message }, " ")
end

-- The items are JSON text already.
local function list(name)
  return function()
    local value, state = lists.get(name)
    if not value then
      return send.error(state)
    end
    send.stream(send.JSON, function(put)
      return put(head_of(state)) and put(notes.members(value.facts)) and put ',"items":'
        and put(value.items) and put "}\n"
    end, tag_of(state))
  end
end

-- Each list without its items, or its error. The response is an error only if every list failed.
local function summary()
  local members, has_list, first_err = {}, false, nil
  for i, name in ipairs(lists.names) do
    local value, state = lists.get(name)
    has_list, first_err = has_list or value ~= nil, first_err or state
    local text = value and head_of(state) .. notes.members(value.facts) .. "}"
      or json.encode { error = notes.fields_of(state) }
    members[i] = ('"%s":%s'):format(name, text)
  end
  if not has_list then
    return send.error(first_err)
  end
  send.json(200, "{" .. table.concat(members, ",") .. "}")
end

-- The argument `tenant` of the address: an id, or `all`; nil without it.
local function chosen_tenant()
  local name = ngx.var.arg_tenant
  return name and name ~= "" and ngx.unescape_uri(name):lower() or nil
end

local function respond_history()
  local name = chosen_tenant()
  local view = history.view(name)
  send.stream(send.JSON, function(put)
    history.write(put, view)
  end, view.tag)
end

local function send_sheet(name, fill)
  ngx.header.content_disposition = ('attachment; filename="%s-%s.csv"'):format(name,
    time.format_date(ngx.time()))
  send.stream("text/csv; charset=utf-8", fill)
end

local function users_as_csv()
  local value, state = lists.get "users"
  if not value then
    return send.error(state)
  end
  send_sheet("users-without-mfa", function(put)
    sheet.write_users(put, value.items)
  end)
end

local NO_HISTORY = { kind = "not_found", message = "the page has no summary file of pcapi watch",
                     hint = "Set PCAPI_SUMMARY; /api/users.csv has the users of the service" }

local function history_as_csv()
  local tenants, err = history.chosen(chosen_tenant())
  if not tenants and not err then
    return send.json(404, { error = NO_HISTORY })
  elseif not tenants then
    return send.error(err)
  end
  send_sheet("history-of-users-without-mfa", function(put)
    sheet.write_history(put, tenants)
  end)
end

local RESPONSES = {
  ["/api/summary"] = summary, ["/api/history"] = respond_history,
  ["/api/users.csv"] = users_as_csv, ["/api/history.csv"] = history_as_csv,
}
for _, name in ipairs(lists.names) do
  RESPONSES["/api/" .. name] = list(name)
end

local function not_found()
  send.json(404, { error = {
    kind = "not_found", message = "this address does not exist",
    hint = "Use /api/users, /api/adoption, /api/requests, /api/history or /api/summary; as CSV "
      .. "/api/users.csv or /api/history.csv.",
  } })
end

--- Responds to a request below /api/; for content_by_lua.
function M.respond()
  send.guarded(RESPONSES[ngx.var.uri] or not_found)
end

return M
