--- Stores a short note about each list in the memory of this machine: its time and its last error,
-- and apart from it its facts. So /metrics and /healthz never wait for the service or read 10,000
-- records.
local json = require "pcapi.json"
local json_body = require "pcapi.http.json_body"
local settings = require "page.settings"
local slots = require "pcapi.nginx.slots"

local M = {}

local dict = ngx.shared.pcapi
local LIFETIME = 9 * 24 * 60 * 60 -- seconds

-- The dictionary survives a reload of nginx, after which the tenant may be another one.
local function key(what, name)
  return ("page/%s/%s/%s"):format(what, settings.owner(), name)
end

--- Counts a refresh of a list, or a failed one.
-- @tparam string what "refreshes" or "errors"
-- @tparam string name of the list
function M.count(what, name)
  dict:incr(key(what, name), 1, 0)
end

--- Reads such a count.
-- @tparam string what
-- @tparam string name
-- @treturn number refreshes, or errors, since nginx started
function M.counted(what, name)
  return dict:get(key(what, name)) or 0
end

--- The fields of an error that a client may see. pcapi removes secrets from all of them.
-- @tparam ?pcapi.error err
-- @treturn ?table
function M.fields_of(err)
  return err and { kind = err.kind, message = err.message, hint = err.hint,
                   request_id = err.request_id } or nil
end

local encoded = setmetatable({}, { __mode = "k" }) -- the text of facts

--- Writes the facts of a list as JSON, once, with stops for other requests: there may be thousands
-- of applications. Every table in the facts is an array.
-- @tparam table facts do not change them
-- @treturn string an object without its braces
function M.members(facts)
  if not encoded[facts] then
    local members = {}
    for name, fact in pairs(facts) do
      local text = type(fact) == "table" and json.encode_array(fact, slots.breathe)
        or json.encode(fact)
      members[#members + 1] = ('"%s":%s'):format(name, text)
    end
    encoded[facts] = table.concat(members, ",")
  end
  return encoded[facts]
end

local function set(what, name, text)
  local ok, why = dict:set(key(what, name), text, LIFETIME)
  if not ok then
    ngx.log(ngx.WARN, "pcapi page: cannot store the note about ", name, ": ", why)
  end
end

local stored = {} -- by list: the facts that this worker stored last

--- Stores the note about a list.
-- @tparam string name
-- @tparam ?table facts nil if there is no list
-- @tparam ?number at when the list was loaded, UTC epoch seconds
-- @tparam ?pcapi.error err why the last refresh failed
function M.store(name, facts, at, err)
  if facts and stored[name] ~= facts then
    stored[name] = facts
    set("facts", name, "{" .. M.members(facts) .. "}")
  end
  set("note", name, json.encode { at = at, error = M.fields_of(err) })
end

--- Reads the note about a list.
-- @tparam string name
-- @treturn table `at` and `age` (whole seconds), both nil if there is no list; and `error`, nil if
-- the last refresh succeeded
function M.of(name)
  local note = json.decode(dict:get(key("note", name)) or "{}") or {}
  note.age = note.at and math.max(0, math.floor(ngx.now() - note.at))
  return note
end

--- Reads the facts of a list.
-- @tparam string name
-- @treturn ?table nil if there is no list
function M.facts(name)
  local text = M.of(name).at and dict:get(key("facts", name))
  return text and json_body.decode_text(text, slots.breathe)
end

return M
