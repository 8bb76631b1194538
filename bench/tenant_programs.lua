--- Makes the candidates of W8: the command with many tenants. A record that the service returns
-- counts as a row, also if --since leaves it out.
local shell = require "bench.shell"
local url = require "pcapi.url"

local env, quote = os.getenv, shell.quote

local M = {}

local RECORDS = 10000 -- of each tenant
local FORMS = {
  { name = "command pcapi, gzip", settings = "records=10000" },
  { name = "command pcapi, not compressed", settings = "records=10000; encoding=none" },
}

-- Writes a list of tenants. Returns its path.
local function list_of(count)
  local path = ("%s/tenants-%d"):format(env "TMPDIR" or "/tmp", count)
  local file = assert(io.open(path, "w"))
  for i = 1, count do
    file:write("t", i, ".example\n")
  end
  file:close()
  return path
end

local function refresh_token()
  return shell.output_of(("curl -s --cacert %s '%s/_sandbox/refresh_token?client_id=client'")
    :format(quote(env "PCAPI_CA_FILE"), env "PCAPI_SANDBOX_URL"))
end

--- Returns the candidates of a workload, see `bench.programs`.
function M.candidates(workload)
  local list, since = {}, workload.since and " --since " .. workload.since or ""
  for i, form in ipairs(FORMS) do
    local login = env "PCAPI_SANDBOX_URL" .. "/login/scenario=" .. url.escape(form.settings)
    list[i] = { name = form.name, count = workload.tenants * RECORDS, command = "sh -c " .. quote(
      ("unset PCAPI_TOKEN; HOME=/nonexistent PCAPI_REFRESH_TOKEN=%s PCAPI_CLIENT_ID=client "
        .. "PCAPI_LOGIN_URL=%s exec %s bin/pcapi -q requests --tenants %s -o jsonl%s "
        .. "2>/dev/null >/dev/null"):format(refresh_token(), login, env "LUA",
        list_of(workload.tenants), since)) }
  end
  return list
end

return M
