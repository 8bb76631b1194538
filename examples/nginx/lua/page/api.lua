--- /api/users, /api/adoption, /api/requests and /api/summary.
local cjson = require("cjson.safe").new()
local answer = require "page.answer"
local lists = require "page.lists"
local notes = require "page.notes"
local nginx = require("pcapi.nginx").time

local M = {}

-- How old a list is, and what is wrong; then what is told of it beside its items. JSON without
-- its end. All tables among the facts are arrays, of which cjson has no empty ones.
local function beginning(value, state)
  local head = cjson.encode {
    as_of = nginx.format(ngx.time() - state.age), age = math.floor(state.age),
    stale = state.is_stale, error = notes.told(state.err) or cjson.null,
  }
  local parts = { head:sub(1, -2) }
  for name, fact in pairs(value.facts) do
    local text = type(fact) == "table" and #fact == 0 and "[]" or cjson.encode(fact)
    parts[#parts + 1] = ('"%s":%s'):format(name, text)
  end
  return table.concat(parts, ",")
end

-- The items are JSON already.
local function list(name)
  return function()
    local value, state = lists.get(name)
    if not value then
      return answer.error(state)
    end
    answer.json(200, beginning(value, state) .. ',"items":' .. value.items .. "}")
  end
end

-- Each list without its items, or why there is none; an error only where there is nothing.
local function summary()
  local parts, found, err = {}, false, nil
  for i, name in ipairs(lists.names) do
    local value, state = lists.get(name)
    found, err = found or value ~= nil, err or state
    parts[i] = ('"%s":%s'):format(name, value and beginning(value, state) .. "}"
      or cjson.encode { error = notes.told(state) })
  end
  if not found then
    return answer.error(err)
  end
  answer.json(200, "{" .. table.concat(parts, ",") .. "}")
end

local PAGES = { ["/api/summary"] = summary }
for _, name in ipairs(lists.names) do
  PAGES["/api/" .. name] = list(name)
end

local function unknown()
  answer.json(404, { error = {
    kind = "not_found", message = "there is no such address",
    hint = "There are /api/users, /api/adoption, /api/requests and /api/summary.",
  } })
end

--- Answers a request below /api/; for content_by_lua.
function M.answer()
  answer.guarded(PAGES[ngx.var.uri] or unknown)
end

return M
