--- Makes methods of the declarations of calls. A call's criteria are checked
-- before the service is asked.
-- @module pcapi.service.resource
local paging = require "pcapi.service.paging"
local list = require "pcapi.service.list"
local check = require "pcapi.check"

local M = {}

-- Loaded late: who asks for all there is needs none of it.
local function time()
  return require "pcapi.time"
end

local function schema_of(declaration)
  local schema = { timeout = "seconds", correlation_id = "line" }
  for name, types in pairs(list.criteria) do
    schema[name] = types
  end
  for name in pairs(declaration.query or {}) do
    schema[name] = "string"
  end
  return schema
end

-- The query of a call. The service documents no format of dates; elsewhere it
-- takes yyyy-mm-dd.
local function query_of(declaration, options)
  local query
  for name in pairs(declaration.query or {}) do
    local value = options[name]
    if value then
      if not time().is_day(value) then
        return nil, ("option %q must be a day such as 2024-02-03, not %q"):format(name, value)
      end
      query = query or {}
      query[name] = value
    end
  end
  if query and query.startDate and query.endDate and query.startDate > query.endDate then
    return nil, ("startDate %s is after endDate %s"):format(query.startDate, query.endDate)
  end
  return query
end

local function make_method(name, declaration)
  local schema = schema_of(declaration)
  return function(self, options)
    if type(self) ~= "table" or rawget(self, "client") == nil then
      error(("call it with a colon: client.security:%s{…}"):format(name), 2)
    end
    options = check.options(options, schema, name)
    local client = self.client
    if next(options) == nil then
      return paging.list(client, declaration, options)
    end
    local query, message = query_of(declaration, options)
    local matching
    if not message then
      matching, message = list.compile(options, declaration, client.clock())
    end
    if message then
      error(name .. ": " .. message, 2)
    end
    local records, err = paging.list(client, declaration, {
      query = query, timeout = options.timeout, correlation_id = options.correlation_id,
    })
    if not records then
      return nil, err
    end
    return matching(records)
  end
end

--- Binds declared calls to a client.
-- @tparam pcapi.client client
-- @tparam table declarations name to declaration, such as `pcapi.service.resources.security`
-- @treturn table with a method per call; any other name raises
function M.bind(client, declarations)
  local methods = {}
  for name, declaration in pairs(declarations) do
    methods[name] = make_method(name, declaration)
  end
  return setmetatable({ client = client }, {
    __index = function(_, name)
      if methods[name] == nil then
        error(("there is no call %q%s"):format(tostring(name),
          check.suggest(tostring(name), methods)), 2)
      end
      return methods[name]
    end,
  })
end

return M
