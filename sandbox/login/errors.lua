--- Sends the responses of the sign-in endpoints, above all error responses.
local codes = require "sandbox.login.codes"
local faults = require "sandbox.faults"
local json = require "sandbox.json"

local M = {}

M.JSON = "application/json; charset=utf-8"

-- for a code that is not in the list
local UNKNOWN = { error = "invalid_grant", text = "This error was requested from the sandbox." }

-- The claims of a policy. A client must pass them on to /authorize.
local CLAIMS = '{"access_token":{"capolids":{"essential":true,'
  .. '"values":["e3bdd6cd-9c1b-4c7c-8fb4-8e4f4f4e2a11"]}}}'

local function timestamp(call)
  return os.date("!%Y-%m-%d %H:%M:%SZ", call.now)
end

local function instant(time)
  return os.date("!%Y-%m-%dT%H:%M:%S.0000000Z", time)
end

-- Fills in the {words} of a text.
local function text_of(code, call, words)
  local parameters = call.parameters or {}
  local all = {
    client = parameters.client_id, tenant = call.tenant, scope = parameters.scope,
    resource = parameters.resource or "fa3d9a0c-3fb0-42cc-9193-47c7ecd2edbd",
    grant = parameters.grant_type, method = call.method,
    now = instant(call.now), issued = instant(call.now - 100 * 24 * 3600),
  }
  for name, value in pairs(words or {}) do
    all[name] = value
  end
  return ((codes[code] or UNKNOWN).text:gsub("{(%a+)}", function(name)
    return all[name] or ""
  end))
end

--- Returns the parts of an error that the token endpoint and a redirect have in common.
-- @tparam table call
-- @tparam number code of AADSTS
-- @tparam ?table words to fill into the text
-- @treturn string the OAuth error
-- @treturn string the description
function M.describe(call, code, words)
  local entry = codes[code] or UNKNOWN
  local description = table.concat({
    "AADSTS" .. code .. ": " .. text_of(code, call, words), "Trace ID: " .. call.trace_id,
    "Correlation ID: " .. call.correlation_id, "Timestamp: " .. timestamp(call) }, "\r\n")
  return call.version == 1 and entry.v1 or entry.error, description
end

local function status_of(code, error_name)
  local usual = (codes[code] or UNKNOWN).status
  return usual or error_name == "invalid_client" and 401 or 400
end

--- Sends an error response.
-- @tparam table call
-- @tparam number|string code of AADSTS; or an OAuth error, for a response without AADSTS code
-- @tparam ?table how `words` for the text; `error` and `status` override the defaults
function M.refuse(call, code, how)
  how = how or {}
  if type(code) == "string" then
    return M.send(call, how.status or status_of(nil, code), json.object({
      "error", code, "error_description", "This error was requested from the sandbox." }, {}))
  end
  local entry = codes[code] or UNKNOWN
  local error_name, description = M.describe(call, code, how.words)
  error_name = how.error or error_name
  local fields = {
    "error", error_name, "error_description", description,
    "error_codes", json.raw("[" .. code .. "]"),
    "timestamp", timestamp(call), "trace_id", call.trace_id,
    "correlation_id", call.correlation_id,
    "error_uri", "https://login.microsoftonline.com/error?code=" .. code,
  }
  local function add(name, value)
    fields[#fields + 1], fields[#fields + 2] = name, value
  end
  if entry.suberror and call.version == 2 then
    add("suberror", entry.suberror)
  end
  if entry.claims then
    add("claims", CLAIMS)
  end
  M.send(call, how.status or status_of(code, error_name), json.object(fields, {}))
end

--- Sends a response, whose body the settings may replace.
-- @tparam table call `spoil` is the value of the setting `body`
-- @tparam number status
-- @tparam string text
-- @tparam ?string content_type default: JSON
function M.send(call, status, text, content_type)
  if call.spoil then
    local spoilt_type
    text, spoilt_type = faults.spoilt[call.spoil](text)
    content_type = spoilt_type or content_type
  end
  ngx.status = status
  ngx.header.content_type = content_type or M.JSON
  ngx.header.content_length = #text
  ngx.print(text)
end

return M
