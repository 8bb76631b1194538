--- The current nginx phase, and whether code can wait in it.
-- @module pcapi.nginx.phase
local M = {}

-- The phases in which ngx_lua has cosockets and resumes code that yields. In
-- ssl_client_hello it does not resume on nginx 1.22.
local CAN_WAIT = { rewrite = true, server_rewrite = true, access = true, content = true,
                   timer = true, ssl_cert = true }

local HINTS = {
  init = "Make the call later, or set block_in_init in pcapi.new",
  init_worker = "Make the call in a timer: ngx.timer.at(0, …)",
  exit_worker = "Make the call earlier; a worker that shuts down cannot wait",
}
local HINT = "Make the call in the phase rewrite, access or content, or in a timer: "
  .. "ngx.timer.at(0, …)"

--- Whether code can wait here.
-- @treturn[1] boolean true
-- @treturn[2] boolean false
-- @treturn[2] string name of the phase
-- @treturn[2] string hint: what to do instead
function M.can_wait()
  local phase = ngx.get_phase()
  if CAN_WAIT[phase] then
    return true
  end
  return false, phase, HINTS[phase] or HINT
end

return M
