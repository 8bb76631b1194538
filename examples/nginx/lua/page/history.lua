--- What `pcapi watch` knows of the users: who is new, since when, and what to do. It writes a
-- summary file, which the page reads; without PCAPI_SUMMARY there is none.
local identity = require "pcapi.history.identity"
local json = require "pcapi.json"
local notes = require "page.notes"
local settings = require "page.settings"
local time = require "pcapi.time"

local M = {}

-- The tenant of the page: by its id or label; the only one, if the page knows no id of its own.
local function find(tenants, name)
  for _, tenant in ipairs(tenants) do
    if name and (tenant.id == name or (tenant.label or ""):lower() == name) then
      return tenant
    end
  end
  return not identity.is_guid(name) and #tenants == 1 and tenants[1] or nil
end

local function no_tenant(name)
  return { kind = "config", hint = "Set PCAPI_TENANT to the id of the tenant, and let pcapi watch "
    .. "ask it", message = name and ("the summary has no tenant %s"):format(name)
      or "the summary has several tenants" }
end

--- Returns the page's tenant.
-- @treturn[1] table as in the summary; do not change it
-- @treturn[1] table `age` (of the file, in seconds), `err`
-- @treturn[2] nil
-- @treturn[2] ?pcapi.error nil: there is no PCAPI_SUMMARY
function M.tenant()
  if not settings.summary then
    return nil
  end
  local document, state = settings.summary:get()
  if not document then
    return nil, state
  end
  local name = settings.tenant()
  local tenant = find(document.tenants, name)
  if not tenant then
    return nil, no_tenant(name)
  end
  return tenant, state
end

local MEMBERS = { "id", "label", "last_run", "last_success", "new_since", "lists", "failure",
                  "counts", "more_people" }

local function breathe()
  ngx.sleep(0.001)
end

local encoded -- the people of the tenant that was sent last, as JSON

-- 10,000 people are encoded once, not for each request.
local function people_of(tenant)
  if not encoded or encoded.tenant ~= tenant then
    encoded = { tenant = tenant, text = json.encode_array(tenant.people, breathe) }
  end
  return encoded.text
end

--- Makes the response to /api/history.
-- @treturn string JSON
function M.response()
  local tenant, state = M.tenant()
  if not tenant then
    return json.encode { configured = settings.summary ~= nil, error = notes.fields_of(state) }
  end
  local head = { configured = true, as_of = time.format(ngx.time() - state.age),
                 age = state.age, error = notes.fields_of(state.err) }
  for _, name in ipairs(MEMBERS) do
    head[name] = tenant[name]
  end
  return json.encode(head):sub(1, -2) .. ',"people":' .. people_of(tenant) .. "}"
end

return M
