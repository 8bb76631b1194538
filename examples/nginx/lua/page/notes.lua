--- Stores a short note about each list in the memory of this machine: its facts, its time and its
-- last error. So /metrics and /healthz never wait for the service or read 10,000 records.
local json = require "pcapi.json"
local settings = require "page.settings"

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

--- Stores the note about a list.
-- @tparam string name
-- @tparam ?table facts nil if there is no list
-- @tparam ?number at when the list was loaded, UTC epoch seconds
-- @tparam ?pcapi.error err why the last refresh failed
function M.store(name, facts, at, err)
  local note = json.encode { facts = facts, at = at, error = M.fields_of(err) }
  local ok, why = dict:set(key("note", name), note, LIFETIME)
  if not ok then
    ngx.log(ngx.WARN, "pcapi page: cannot store the note about ", name, ": ", why)
  end
end

--- Reads the note about a list.
-- @tparam string name
-- @treturn table `facts` and `age` (whole seconds), both nil if there is no list; and `error`, nil
-- if the last refresh succeeded
function M.of(name)
  local note = json.decode(dict:get(key("note", name)) or "{}") or {}
  note.age = note.at and math.max(0, math.floor(ngx.now() - note.at))
  return note
end

return M
