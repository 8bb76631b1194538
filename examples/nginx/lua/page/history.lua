--- What `pcapi watch` knows of the users: who is new, since when, and what to do. It writes a
-- summary file, which the page reads; without PCAPI_SUMMARY there is none.
local identity = require "pcapi.history.identity"
local json = require "pcapi.json"
local notes = require "page.notes"
local settings = require "page.settings"
local time = require "pcapi.time"

local M = {}

-- The tenant of the page: by its id or label; the only one, if the page knows no id of its own.
local function own(tenants, name)
  for _, tenant in ipairs(tenants) do
    if name and (tenant.id == name or (tenant.label or ""):lower() == name) then
      return tenant
    end
  end
  return not identity.is_guid(name) and #tenants == 1 and tenants[1] or nil
end

local function by_id(tenants, id)
  for _, tenant in ipairs(tenants) do
    if tenant.id == id then
      return tenant
    end
  end
end

local function no_tenant(name, tenants)
  return { kind = "config", hint = "Set PCAPI_TENANT to the id of the tenant, and let pcapi watch "
    .. "ask it; or choose a tenant", message = name and "the summary has no tenant " .. name
      or #tenants == 0 and "the summary has no tenant yet" or "the summary has several tenants" }
end

-- The tenants of the summary file and its state; nil without a file, then with the error, if any.
local function read()
  if not settings.summary then
    return nil
  end
  local document, state = settings.summary:get()
  return document and document.tenants, state
end

--- Returns the page's tenant.
-- @treturn[1] table as in the summary; do not change it
-- @treturn[1] table `age` (of the file, in seconds), `err`
-- @treturn[2] nil
-- @treturn[2] ?pcapi.error nil: there is no PCAPI_SUMMARY
function M.tenant()
  local tenants, state = read()
  if not tenants then
    return nil, state
  end
  local name = settings.tenant()
  local tenant = own(tenants, name)
  if not tenant then
    return nil, no_tenant(name, tenants)
  end
  return tenant, state
end

--- Returns the tenants that a request asks for.
-- @tparam ?string name the id of a tenant, or `all`; nil: that of the page
-- @treturn[1] table array, as in the summary; do not change it
-- @treturn[1] table `age`, `err`
-- @treturn[2] nil
-- @treturn[2] ?pcapi.error nil: there is no PCAPI_SUMMARY
function M.chosen(name)
  if not name then
    local tenant, state = M.tenant()
    return tenant and { tenant }, state
  end
  local tenants, state = read()
  if not tenants or name == "all" then
    return tenants, state
  end
  local tenant = by_id(tenants, name)
  if not tenant then
    return nil, no_tenant(name:sub(1, 100))
  end
  return { tenant }, state
end

local MEMBERS = { "id", "label", "last_run", "last_success", "new_since", "lists", "failure", "gap",
                  "next_run", "coverage", "counts", "oldest_open", "trend", "more_people" }

local PEOPLE = 5 -- that are encoded at once: less than a tenth of a millisecond

-- Writes the elements of an array, without its brackets. Returns false if nobody reads them.
local function put_elements(put, array)
  for first = 1, #array, PEOPLE do
    local piece = {}
    for i = first, math.min(first + PEOPLE - 1, #array) do
      piece[#piece + 1] = array[i]
    end
    if not put((first > 1 and "," or "") .. json.encode_array(piece):sub(2, -2)) then
      return false
    end
  end
  return true
end

local function put_tenant(put, tenant)
  local head = {}
  for _, name in ipairs(MEMBERS) do
    head[name] = tenant[name]
  end
  return put(json.encode(head):sub(1, -2) .. ',"people":[') and put_elements(put, tenant.people)
    and put "]}"
end

-- The tenants to choose from.
local function put_choices(put)
  local choices = {}
  for i, tenant in ipairs(read() or {}) do
    choices[i] = { id = tenant.id, label = tenant.label }
  end
  return put ',"choices":[' and put_elements(put, choices) and put "]"
end

--- Returns what the response to /api/history is made of.
-- @tparam ?string name as for @{chosen}
-- @treturn table `head` (its first members), `tenants` (nil: there are none), and `tag`, which
-- changes whenever the response does
function M.view(name)
  local tenants, state = M.chosen(name)
  local of_page = M.tenant()
  local head = { configured = settings.summary ~= nil, own = of_page and of_page.id }
  if tenants then
    head.as_of = time.format(ngx.time() - state.age)
    head.error = notes.fields_of(state.err)
  else
    head.error = notes.fields_of(state)
  end
  local tag = { tostring(head.configured), head.own or "-", head.as_of or "-", name or "-",
                head.error and head.error.message }
  return { head = head, tenants = tenants, age = tenants and state.age,
           tag = table.concat(tag, " ") }
end

local function put_tenants(put, tenants)
  if not put ',"tenants":[' then
    return false
  end
  for i, tenant in ipairs(tenants) do
    if i > 1 and not put "," or not put_tenant(put, tenant) then
      return false
    end
  end
  return put "]"
end

--- Writes the response to /api/history.
-- @tparam function put as of `page.send.stream`
-- @tparam table view of @{view}
function M.write(put, view)
  local age = view.age and (',"age":%d'):format(view.age) or ""
  return put(json.encode(view.head):sub(1, -2) .. age) and put_choices(put)
    and (not view.tenants or put_tenants(put, view.tenants)) and put "}\n"
end

return M
