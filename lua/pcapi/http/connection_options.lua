--- Checks the options that `pcapi.new` and `pcapi.fetch` share: how to connect to a server.
-- @module pcapi.http.connection_options
local headers = require "pcapi.http.headers"
local url = require "pcapi.url"

local M = {}

local TYPES = {
  ca_file = "string", ca_path = "string", proxy = "string", no_proxy = "string",
  http_version = "string", allow_http = "boolean", user_agent = "string",
  connect_timeout = "seconds", timeout = "seconds", max_body = "bytes", max_values = "count",
  on_wait = "function",
  headers = "table", transport = "table|function", json = "string",
}

--- Adds the shared options to a schema.
-- @tparam table schema option name to types, as `check.options` takes them; changed in place
-- @treturn table the schema
function M.add_to(schema)
  for name, types in pairs(TYPES) do
    schema[name] = types
  end
  return schema
end

local function json_problem(json)
  return json and json ~= "cjson" and json ~= "reader"
    and 'option "json" must be "reader" or "cjson"' or nil
end

--- Finds what is wrong with options whose names and types are right.
-- @tparam table options
-- @treturn ?string a message; nil if nothing is wrong
function M.problem(options)
  if options.ca_file and options.ca_path then
    return 'give "ca_file" or "ca_path", not both'
  elseif options.http_version and options.http_version ~= "1.1" and options.http_version ~= "2" then
    return 'option "http_version" must be "1.1" or "2"'
  elseif options.user_agent and not headers.is_valid("User-Agent", options.user_agent) then
    return 'option "user_agent" must be one line of text'
  end
  return json_problem(options.json) or headers.problem(options.headers)
end

--- Parses an address, and checks that a request may go there (see `url.is_safe`).
-- @tparam string name of the option, for the message
-- @tparam string text
-- @tparam boolean allow_http
-- @treturn[1] table as `url.parse` returns it
-- @treturn[2] nil
-- @treturn[2] string what is wrong
function M.address(name, text, allow_http)
  local address, why = url.parse_safe(text, allow_http)
  if not address then
    return nil, ("%s %s"):format(name, why)
  end
  return address
end

--- Makes the transport that the options ask for, with `options.trace` one that writes a trace.
-- @tparam table options
-- @treturn[1] table a transport
-- @treturn[2] nil
-- @treturn[2] string what is wrong with the options
function M.transport(options)
  local transport, problem = options.transport, nil
  if type(transport) ~= "table" then
    local make = transport or require("pcapi.http.curl").new
    transport, problem = make(options)
  end
  if transport and options.trace then
    return require("pcapi.http.trace").new(transport, options.trace)
  end
  return transport, problem
end

return M
