--- What was last known of each list, in a few words and of this machine alone: so that
-- /metrics and /healthz never wait for the service, and need not hold 10,000 records.
local cjson = require("cjson.safe").new()
local settings = require "page.settings"

local M = {}

local dict = ngx.shared.pcapi
local KEPT = 9 * 24 * 60 * 60 -- seconds

-- The dictionary outlives a reload, which may have brought another tenant.
local function key(what, name)
  return ("page/%s/%s/%s"):format(what, settings.owner(), name)
end

--- Counts a refresh of a list, or one that failed.
-- @tparam string what "refreshes" or "errors"
-- @tparam string name of the list
function M.count(what, name)
  dict:incr(key(what, name), 1, 0)
end

--- How many there were since nginx started.
function M.counted(what, name)
  return dict:get(key(what, name)) or 0
end

--- What may be told of an error; pcapi keeps secrets out of all of it.
-- @tparam ?pcapi.error err
-- @treturn ?table
function M.told(err)
  return err and { kind = err.kind, message = err.message, hint = err.hint,
                   request_id = err.request_id } or nil
end

--- Notes what is known of a list.
-- @tparam string name
-- @tparam ?table facts nil where there is no list
-- @tparam ?number at UTC epoch seconds of the list
-- @tparam ?pcapi.error err why it could not be refreshed
function M.keep(name, facts, at, err)
  local note = cjson.encode { facts = facts, at = at, error = M.told(err) }
  local ok, why = dict:set(key("note", name), note, KEPT)
  if not ok then
    ngx.log(ngx.WARN, "pcapi page: the note on ", name, " cannot be kept: ", why)
  end
end

--- What was noted last.
-- @tparam string name
-- @treturn table `facts` and `age` (whole seconds), or neither; and `error`
function M.of(name)
  local note = cjson.decode(dict:get(key("note", name)) or "{}") or {}
  note.age = note.at and math.max(0, math.floor(ngx.now() - note.at))
  return note
end

return M
