--- The CA certificates that the environment names for all programs: the variables that
-- OpenSSL, curl and requests take. They stand below every setting of our own.
-- @module pcapi.http.ca
local core = require "pcapi.core"
local errors = require "pcapi.error"

local M = {}

--- The variables; the first one that names other CAs than the system's counts.
M.variables = { "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE" }

local IS_DIRECTORY = 21 -- EISDIR

-- "file", "directory", or nil and why it cannot be read.
local function kind_of(path)
  local file, why = io.open(path, "rb")
  if not file then
    return nil, (why:gsub("^.*: ", ""))
  end
  local _, _, code = file:read(1)
  file:close()
  return code == IS_DIRECTORY and "directory" or "file"
end

-- OpenSSL takes a list of directories; those that are not there do no harm beside others.
local function kind_of_list(list)
  local first_why
  for path in list:gmatch "[^:]+" do
    local kind, why = kind_of(path)
    if kind == "directory" then
      return kind
    end
    first_why = first_why or why or "Not a directory"
  end
  return nil, first_why
end

-- A variable that names the system's own CAs changes nothing; and those are found
-- at a lower cost where nobody names them.
local function is_default(path)
  path = path:gsub("(.)/+$", "%1")
  return path == core.build.ca_file or path == core.build.ca_path
end

--- The CAs that the environment names.
-- @tparam function getenv as os.getenv
-- @treturn[1] string name of the setting that it stands for, "ca_file" or "ca_path"
-- @treturn[1] string its value
-- @treturn[1] string name of the variable
-- @treturn[2] nil none
-- @treturn[3] nil
-- @treturn[3] pcapi.error of kind config: what the variable names cannot be read
function M.of_environment(getenv)
  for _, variable in ipairs(M.variables) do
    local path = getenv(variable) or ""
    if path ~= "" and not is_default(path) then
      local kind, why = (variable == "SSL_CERT_DIR" and kind_of_list or kind_of)(path)
      if not kind then
        return nil, errors.new {
          kind = "config", message = ("%s names %s: %s"):format(variable, path, why),
          hint = "Correct or unset " .. variable .. ", or give ca_file or ca_path",
        }
      end
      return kind == "file" and "ca_file" or "ca_path", path, variable
    end
  end
end

return M
