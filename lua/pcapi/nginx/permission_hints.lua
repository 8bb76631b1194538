--- Adds hints to errors about files and variables that an nginx worker cannot read.
-- @module pcapi.nginx.permission_hints
local log_once = require "pcapi.nginx.log_once"

local M = {}

local IN_WORKER = 'nginx workers run as the user set by "user" in nginx.conf, now id %s; make '
  .. "that user the owner of the files and of their folder"
local IN_INIT = "init_by_lua runs as the user that starts nginx, now id %s, and workers run as the "
  .. 'user set by "user" in nginx.conf; make the latter the owner of the files and of their '
  .. "folder, and create the client in a worker, on first use"
local SHARED = 'nginx workers run as the user set by "user" in nginx.conf, now id %s; let its '
  .. "group enter the folder and read the file: chgrp GROUP FOLDER FILE; chmod 750 FOLDER; "
  .. "chmod 640 FILE"
local ENVIRONMENT = "nginx hides its environment from its workers; add to nginx.conf, outside "
  .. "http { }: env HOME=/home/NAME;"

local function user_id()
  local file = io.open "/proc/self/status"
  local id = file and file:read "*a":match "\nUid:%s*%d+%s+(%d+)"
  if file then
    file:close()
  end
  return id or "unknown"
end

--- Sets the hint of an error about permissions or the environment, and logs the error once.
-- @tparam table fields of an error, changed in place: `kind`, `message`, `hint`, and `is_shared`
-- (true: the file is another user's, who shares it; its reader logs the error)
function M.explain(fields)
  local message = fields.message
  if fields.kind ~= "store" and fields.kind ~= "config" then
    return
  elseif message:find("Permission denied", 1, true)
    or message:find("belongs to another user", 1, true) then
    local hint = fields.is_shared and SHARED or ngx.get_phase() == "init" and IN_INIT or IN_WORKER
    fields.hint = hint:format(user_id())
    if fields.is_shared then
      return
    end
  elseif message:find("there is no HOME", 1, true) then
    fields.hint = ENVIRONMENT
  else
    return
  end
  log_once.error(message, message .. ". " .. fields.hint)
end

return M
