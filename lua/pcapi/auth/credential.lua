--- Adds the credential of the application to a request of the token endpoint: nothing (a
-- public client), a secret, or an assertion signed by a certificate (RFC 6749 §2.3,
-- RFC 7523 §2.2).
--
-- Files are read at each use, so a replaced secret or certificate counts without a restart.
-- Secrets stay in closures, where no dump of an object shows them.
-- @module pcapi.auth.credential
local errors = require "pcapi.error"
local input = require "pcapi.input"

local M = {}

--- The names of all options of a credential.
M.FIELDS = { "client_secret", "client_secret_file", "certificate", "certificate_key",
             "key_passphrase", "key_passphrase_file", "assertion_alg" }

--- For each of @{FIELDS} the names that cannot be given beside it.
M.EXCLUDES = {
  client_secret = { "client_secret_file", "certificate" },
  client_secret_file = { "client_secret", "certificate" },
  certificate = { "client_secret", "client_secret_file" },
  certificate_key = { "client_secret", "client_secret_file" },
  key_passphrase = { "key_passphrase_file", "client_secret", "client_secret_file" },
  key_passphrase_file = { "key_passphrase", "client_secret", "client_secret_file" },
  assertion_alg = { "client_secret", "client_secret_file" },
}

-- Each of these makes a credential; the other fields belong to a certificate.
local METHODS = { "client_secret", "client_secret_file", "certificate" }

local function given_methods(options)
  local given = {}
  for _, name in ipairs(METHODS) do
    given[#given + 1] = options[name] and name
  end
  return given
end

--- Whether a credential is given: a secret, its file or a certificate.
-- @tparam table options any table with the names of @{FIELDS} as its keys
-- @treturn boolean
function M.is_given(options)
  return #given_methods(options) > 0
end

-- A secret given in place of a path must not be shown: the message names a path only where
-- the value looks like one. `read` is a function of `pcapi.input`.
local function read_file(path, read)
  local shown = path:find "^[./]" and path or "the file"
  local file, why = io.open(path, "rb")
  local text
  if file then
    text, why = file:read "*a" -- a folder can be opened
    file:close()
  end
  if not text then
    return nil, shown .. ": " .. why:gsub("^.*: ", "")
  end
  text, why = read(text)
  return text, why and shown .. " " .. why
end

local LONGEST_PATH = 1024 -- bytes; the shortest RSA key without its first line is longer

-- A PEM text, or the content of the file at a path. Any other text may be a key that lost
-- its first line, so no message shows it.
local function pem_of(given)
  if given:find("-----BEGIN", 1, true) then
    return input.lines(given)
  elseif #given > LONGEST_PATH or given:find("\n", 1, true) then
    return nil, "the value is neither PEM nor the path of a file"
  end
  return read_file(given, input.lines)
end

-- A secret from an option (a string or a function), or from a file. `read` is a function of
-- `pcapi.input`.
local function secret_of(given, path, read)
  if not given and path then
    return read_file(path, read)
  end
  local value, why = given, nil
  if type(given) == "function" then
    value, why = given()
  end
  if type(value) == "string" then
    value, why = read(value)
    return value, why and "the value " .. why
  end
  return value, why
end

local function by_secret(options)
  return function(form)
    local secret, why = secret_of(options.client_secret, options.client_secret_file,
      input.word)
    if type(secret) ~= "string" or secret == "" then
      return errors.fail {
        kind = "config", message = "no client secret: " .. tostring(why or "it is empty"),
        hint = "Check client_secret or client_secret_file",
      }
    end
    form.client_secret = secret
    return true
  end
end

-- The certificate, its key and the passphrase, as `pcapi.auth.assertion` takes them.
local function read_key(options)
  local certificate, why = pem_of(options.certificate)
  local key = certificate
  if certificate and options.certificate_key then
    key, why = pem_of(options.certificate_key)
  end
  local passphrase
  if key then
    passphrase, why = secret_of(options.key_passphrase, options.key_passphrase_file, input.line)
  end
  return not why and {
    certificate = certificate, key = key, passphrase = passphrase,
    alg = options.assertion_alg or "PS256",
  }, why
end

local function by_certificate(options)
  return function(form, audience, now)
    local assertion = require "pcapi.auth.assertion" -- loaded late: few use a certificate
    local made
    local key, why = read_key(options)
    if key then
      made, why = assertion.make(key, options.client_id, audience, now)
    end
    if not made then
      return errors.fail {
        kind = "config", message = "the certificate cannot be used: " .. tostring(why),
        hint = "Check certificate, certificate_key and key_passphrase",
      }
    end
    form.client_assertion_type = assertion.TYPE
    form.client_assertion = made
    return true
  end
end

--- Finds options that exclude or miss one another.
-- @tparam table options
-- @treturn ?string what is wrong; nil if nothing is
function M.problem(options)
  local given = given_methods(options)
  if #given > 1 then
    return ("give one of %s, not both"):format(table.concat(given, " and "))
  elseif options.certificate_key and not options.certificate then
    return "certificate_key needs certificate"
  elseif (options.key_passphrase or options.key_passphrase_file) and not options.certificate then
    return "key_passphrase needs certificate"
  elseif options.key_passphrase and options.key_passphrase_file then
    return "give key_passphrase or key_passphrase_file, not both"
  elseif options.assertion_alg and options.assertion_alg ~= "PS256"
    and options.assertion_alg ~= "RS256" then
    return 'option "assertion_alg" must be "PS256" or "RS256"'
  end
end

--- Makes the function that adds the credential to a form.
-- @tparam table options `client_id`, and one of `client_secret` (string or function),
-- `client_secret_file`, or `certificate` (PEM text or path) with `certificate_key`
-- (default: in the same PEM), `key_passphrase` (string or function) or
-- `key_passphrase_file`, and `assertion_alg`; none of them for a public client
-- @treturn function `(form, audience, now) → true | nil, pcapi.error`
-- @treturn boolean whether the credential depends on the clock
function M.new(options)
  if options.certificate then
    return by_certificate(options), true
  elseif options.client_secret or options.client_secret_file then
    return by_secret(options), false
  end
  return function()
    return true
  end, false
end

return M
