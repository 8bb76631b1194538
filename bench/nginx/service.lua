--- The slow service, as a worker of the measured nginx finds it in its environment.
local M = {
  base_url = os.getenv "PCAPI_BASE_URL",
  token = os.getenv "PCAPI_TOKEN",
  ca_file = os.getenv "PCAPI_CA_FILE",
  settings = os.getenv "BENCH_SETTINGS", -- for its header X-Sandbox
}

M.url = M.base_url .. "/v1/nonMfaCompliantPartnerPrincipals"
M.headers = { Accept = "application/json", Authorization = "Bearer " .. M.token,
              ["X-Sandbox"] = M.settings }

--- Adds to options of a client what all clients have.
-- @tparam table options
-- @treturn table the same
function M.client(options)
  options.base_url, options.token = M.base_url, M.token
  options.headers = { ["X-Sandbox"] = M.settings }
  return options
end

return M
