--- What is out of reach for a worker of nginx though somebody else can read it: files, as
-- workers run as a user of their own, and the environment.
-- @module pcapi.nginx.permission_hints
local log_once = require "pcapi.nginx.log_once"

local M = {}

local FILES = 'Workers of nginx run as the user that "user" in nginx.conf names, whose id is %s '
  .. "now; let that user own the files and their folder"
local IN_INIT = "init_by_lua runs as who starts nginx, whose id is %s, and workers as the user "
  .. 'that "user" in nginx.conf names: let that user own the files and their folder, and make the '
  .. "client in a worker, when it is first asked for"
local ENVIRONMENT = 'nginx keeps its environment from its workers; add to nginx.conf, outside of '
  .. "http { }: env HOME=/home/NAME;"

local function user_id()
  local file = io.open "/proc/self/status"
  local id = file and file:read "*a":match "\nUid:%s*%d+%s+(%d+)"
  if file then
    file:close()
  end
  return id or "not known"
end

--- Adds to an error what to do about it within nginx, and says so in the error log, once.
-- @tparam table fields of an error: `kind`, `message`; its `hint` is set
function M.explain(fields)
  local message = fields.message
  if fields.kind ~= "store" and fields.kind ~= "config" then
    return
  elseif message:find("Permission denied", 1, true)
    or message:find("belongs to another user", 1, true) then
    fields.hint = (ngx.get_phase() == "init" and IN_INIT or FILES):format(user_id())
  elseif message:find("there is no HOME", 1, true) then
    fields.hint = ENVIRONMENT
  else
    return
  end
  log_once.once(message, message .. ". " .. fields.hint)
end

return M
