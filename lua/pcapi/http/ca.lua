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
          hint = "Correct or unset " .. variable .. ", or set {ca_file} or {ca_path}",
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

-- The option or the variable that names the CAs; hints write an option in braces.
local function setting_of(name, path)
  for _, variable in ipairs(M.variables) do
    if os.getenv(variable) == path then
      return variable
    end
  end
  return "{" .. name .. "}"
end

-- What is wrong with an option, and a hint; nil if it can be used.
local function problem_of(name, path)
  local kind, why = (name == "ca_path" and kind_of_list or kind_of)(path)
  local hint = "Correct " .. setting_of(name, path)
  if not kind then
    return ("the CA certificates cannot be read: %s: %s"):format(path, why), hint
  elseif name == "ca_file" and kind == "directory" then
    return ("the CA certificates cannot be read: %s is a directory"):format(path),
      "Set {ca_path} in place of " .. setting_of(name, path)
  elseif name == "ca_file" and not has_certificate(path) then
    return ("%s holds no CA certificate in PEM form"):format(path), hint
  end
end

-- How to trust another CA.
local function advice(name, path)
  if name == "ca_file" then
    return ("Add that CA to %s, which %s names"):format(path, setting_of(name, path))
  elseif name == "ca_path" then
    return ("Add that CA to %s, which %s names, and run: openssl rehash %s"):format(path,
      setting_of(name, path), path:match "^[^:]*")
  end
  local used = core.build.ca_path or core.build.ca_file
  return "Set {ca_file} to a PEM file with that CA"
    .. (used and ("; %s is used now"):format(used) or "")
end

--- Explains why the CA certificates could not be used, or did not verify a server.
-- @tparam table options `ca_file` or `ca_path`; none for the CAs of the system
-- @tparam boolean were_usable libcurl could load them
-- @treturn ?string what is wrong with them; nil if that is unknown
-- @treturn string the next step for the user
function M.explain(options, were_usable)
  local name = options.ca_file and "ca_file" or options.ca_path and "ca_path"
  if name then
    local problem, hint = problem_of(name, options[name])
    return problem, hint or advice(name, options[name])
  elseif were_usable then
    return nil, advice()
  end
  return ("this machine has no CA certificates in %s"):format(tostring(core.build.ca_file)),
    "Install the package ca-certificates, or set {ca_file} or {ca_path}"
end

return M
