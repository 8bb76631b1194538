--- Where in nginx the code runs that asks, and whether it may wait there.
-- @module pcapi.nginx.phase
local M = {}

-- Those of ngx_lua in which a cosocket works and a yield comes back. Of
-- ssl_client_hello the second is not true on nginx 1.22.
local WAITS = { rewrite = true, server_rewrite = true, access = true, content = true,
                timer = true, ssl_cert = true }

local INSTEAD = {
  init = "Make the call later, or give block_in_init to pcapi.new",
  init_worker = "Make the call in a timer: ngx.timer.at(0, …)",
  exit_worker = "Make the call earlier; a worker that ends waits for nobody",
}

--- Whether code may wait here.
-- @treturn[1] boolean true
-- @treturn[2] boolean false
-- @treturn[2] string name of the phase
-- @treturn[2] string what to do instead
function M.can_wait()
  local phase = ngx.get_phase()
  if WAITS[phase] then
    return true
  end
  return false, phase, INSTEAD[phase] or "Make the call in the phase rewrite, access or "
    .. "content, or in a timer: ngx.timer.at(0, …)"
end

return M
