--- Reads the address of the slow service from the environment of a worker.
local M = {
  base_url = os.getenv "PCAPI_BASE_URL",
  token = os.getenv "PCAPI_TOKEN",
  ca_file = os.getenv "PCAPI_CA_FILE",
  settings = os.getenv "BENCH_SETTINGS", -- for the header X-Sandbox
}

M.url = M.base_url .. "/v1/nonMfaCompliantPartnerPrincipals"
M.headers = { Accept = "application/json", Authorization = "Bearer " .. M.token,
              ["X-Sandbox"] = M.settings }

--- Adds the options that all clients have.
-- @tparam table options
-- @treturn table the same
function M.client(options)
  options.base_url, options.token = M.base_url, M.token
  options.headers = { ["X-Sandbox"] = M.settings }
  return options
end

return M
