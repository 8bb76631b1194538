--- Makes methods of a client from the declared calls of a resource.
--
-- A resource is a module `pcapi.service.resources.NAME` that returns its calls: a table of name to
-- declaration. `client.NAME` loads it at first use; nothing else has to know the resource.
-- @module pcapi.service.resource
local paging = require "pcapi.service.paging"
local criteria = require "pcapi.service.criteria"
local check = require "pcapi.check"

local M = {}

--- The declaration of a call, which is a GET that returns records.
-- @table declaration
-- @tfield string path below prefix and version
-- @tfield[opt="v1"] string version
-- @tfield[opt] table prefixes path segments in front of the version, in the order in which they
-- are tried; `""`, which is the default, means no prefix
-- @tfield table description of the records, from `pcapi.service.record`
-- @tfield[opt] table identity names of the fields that together identify a record
-- @tfield[opt] string items the member of a collection that holds the records, if it is neither
-- `items` nor, in a collection of OData, `value`
-- @tfield[opt] boolean users_only an application's own token is refused before it is sent
-- @tfield[opt] table query name of a parameter that the service takes to its type: `"date"` (a day
-- such as 2024-02-03), `"string"`, `"number"` or `"boolean"`
-- @tfield[opt] table period the two parameters for the first and the last day
-- @tfield[opt] number cap the most records that the service returns
-- @tfield[opt] number days that the service covers
-- @tfield[opt] string time the field by which `since` and `newest_first` go
-- @tfield[opt] string time_type `"date"`: the time is a day, and lasts until it ends
-- @tfield[opt] table user the fields that the criterion `user` looks at
-- @tfield[opt] table application the fields that the criterion `application` looks at
-- @tfield[opt] string mfa_compliant the field that the criterion `mfa_compliant` looks at
-- @tfield string name `RESOURCE.CALL`; is set when the resource is loaded

local FOLDER = "pcapi.service.resources."

local QUERY_TYPES = { date = "string", string = "string", number = "number", boolean = "boolean" }

-- Loaded late: a call without criteria does not need it.
local function time()
  return require "pcapi.time"
end

--- Loads a resource.
-- @tparam string name such as `"security"`
-- @treturn[1] table name of each call to its @{declaration}
-- @treturn[2] nil there is no such resource
function M.load(name)
  if not name:find "^%l[%w_]*$" then -- it may come from a cache; no module elsewhere is meant
    return nil
  end
  local module = FOLDER .. name
  local ok, declarations = pcall(require, module)
  if not ok then
    local why = tostring(declarations)
    if why:find("module '" .. module .. "' not found", 1, true) then
      return nil
    end
    error(why, 0)
  end
  for call, declaration in pairs(declarations) do
    declaration.name = name .. "." .. call
  end
  return declarations
end

--- Finds a declared call.
-- @param name the `name` of its declaration
-- @treturn[1] table @{declaration}
-- @treturn[2] nil there is no such call
function M.find(name)
  local resource, call = tostring(name):match "^([%w_]+)%.([%w_]+)$"
  local declarations = resource and M.load(resource)
  return declarations and declarations[call] or nil
end

local function schema_of(declaration)
  local schema = { timeout = "seconds", correlation_id = "line" }
  for name, types in pairs(criteria.types) do
    schema[name] = types
  end
  for name, kind in pairs(declaration.query or {}) do
    schema[name] = QUERY_TYPES[kind]
  end
  return schema
end

-- The query of a call, or nil and what is wrong with it. The service documents no format of days
-- for these calls; elsewhere it takes yyyy-mm-dd.
local function query_of(declaration, options)
  local query
  for name, kind in pairs(declaration.query or {}) do
    local value = options[name]
    if kind == "date" and value and not time().is_day(value) then
      return nil, ("option %q must be a day such as 2024-02-03, not %q"):format(name, value)
    elseif value ~= nil then
      query = query or {}
      query[name] = value
    end
  end
  local period = query and declaration.period or {}
  local first, last = query and query[period[1]], query and query[period[2]]
  if first and last and first > last then
    return nil, ("%s %s is after %s %s"):format(period[1], first, period[2], last)
  end
  return query
end

local NONE = {}

local function make_method(name, declaration)
  local schema = schema_of(declaration)
  return function(self, options)
    local client = type(self) == "table" and rawget(self, "client")
    if not client then
      error(("call it with a colon: client.%s{…}"):format(declaration.name:gsub("%.", ":")), 2)
    elseif options == nil then
      return paging.list(client, declaration, NONE)
    end
    options = check.options(options, schema, name)
    local query, message = query_of(declaration, options)
    local matching
    if not message then
      matching, message = criteria.compile(options, declaration, client.clock())
    end
    if message then
      error(name .. ": " .. message, 2)
    end
    return paging.list(client, declaration, {
      query = query, timeout = options.timeout, correlation_id = options.correlation_id,
      matching = matching,
    })
  end
end

-- The metatable of a resource's methods, the same for all clients. It depends on its declarations.
local classes = setmetatable({}, { __mode = "k" })

local function class_of(name, declarations)
  local methods = {}
  for call, declaration in pairs(declarations) do
    methods[call] = make_method(call, declaration)
  end
  return { __index = setmetatable(methods, { __index = function(_, call)
    call = tostring(call)
    error(("%s has no call %q%s"):format(name, call, check.suggest(call, methods)), 2)
  end }) }
end

--- Binds a resource to a client.
-- @tparam pcapi.client client
-- @tparam string name of the resource
-- @treturn[1] table with a method for each call; any other name raises
-- @treturn[2] nil there is no such resource
function M.bind(client, name)
  local declarations = M.load(name)
  if not declarations then
    return nil
  end
  classes[declarations] = classes[declarations] or class_of(name, declarations)
  return setmetatable({ client = client }, classes[declarations])
end

return M
