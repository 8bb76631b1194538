--- Finds the CA certificates that the environment names for all programs, in the variables of
-- OpenSSL, curl and requests. Each setting of pcapi comes before them.
-- @module pcapi.http.ca
local core = require "pcapi.core"
local errors = require "pcapi.error"

local M = {}

--- The variables. The first one that names other CAs than those of the system is used.
M.variables = { "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE" }

local IS_DIRECTORY = 21 -- EISDIR
local LARGEST = 4 * 1024 * 1024 -- bytes read of a file of CAs; Debian's has 220 KB

-- Returns "file" or "directory"; or nil, and why the path cannot be read.
local function kind_of(path)
  local file, why = io.open(path, "rb")
  if not file then
    return nil, (why:gsub("^.*: ", ""))
  end
  local _, _, code = file:read(1)
  file:close()
  return code == IS_DIRECTORY and "directory" or "file"
end

-- OpenSSL takes a list of directories. One of them must exist.
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

-- A variable that names the CAs of the system changes nothing. Without it, pcapi loads them at a
-- lower cost.
local function is_default(path)
  path = path:gsub("(.)/+$", "%1")
  return path == core.build.ca_file or path == core.build.ca_path
end

--- Returns the CAs that the environment names.
-- @tparam function getenv as os.getenv
-- @treturn[1] string name of the equivalent option, "ca_file" or "ca_path"
-- @treturn[1] string value of the option
-- @treturn[1] string name of the variable
-- @treturn[2] nil the environment names none
-- @treturn[3] nil
-- @treturn[3] pcapi.error of kind config: the file or directory cannot be read
function M.of_environment(getenv)
  for _, variable in ipairs(M.variables) do
    local path = getenv(variable) or ""
    if path ~= "" and not is_default(path) then
      local kind, why = (variable == "SSL_CERT_DIR" and kind_of_list or kind_of)(path)
      if not kind then
        return errors.fail {
          kind = "config", message = ("%s names %s: %s"):format(variable, path, why),
          hint = "Correct or unset " .. variable .. ", or give ca_file or ca_path",
        }
      end
      return kind == "file" and "ca_file" or "ca_path", path, variable
    end
  end
end

local function has_certificate(path)
  local file = io.open(path, "rb")
  local text = file and file:read(LARGEST) or ""
  if file then
    file:close()
  end
  return text:find("%-%-%-%-%-BEGIN [%w ]-CERTIFICATE%-%-%-%-%-") ~= nil
end

--- Finds the mistake in the option that names the CAs, after a server could not be verified.
-- @tparam table options `ca_file` or `ca_path`
-- @treturn ?string the next step for the user; nil if the option can be used
function M.hint(options)
  local name = options.ca_file and "ca_file" or options.ca_path and "ca_path"
  if not name then
    return nil
  end
  local path = options[name]
  local kind, why = (name == "ca_path" and kind_of_list or kind_of)(path)
  if not kind then
    return ("Correct %s: %s cannot be used: %s"):format(name, path, why)
  elseif name == "ca_file" and kind == "directory" then
    return ("Correct ca_file: %s is a directory; use ca_path for it"):format(path)
  elseif name == "ca_file" and not has_certificate(path) then
    return ("Correct ca_file: %s holds no certificate in PEM form"):format(path)
  end
end

return M
