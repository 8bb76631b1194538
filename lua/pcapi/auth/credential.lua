--- How an application proves who it is to the token endpoint: not at all (a public
-- client), by a secret, or by a certificate (RFC 6749 §2.3, RFC 7523 §2.2).
--
-- Files are read at each use: a secret or certificate that is replaced counts
-- without a restart. What is read stays in closures, where no dump of an object
-- shows it.
-- @module pcapi.auth.credential
local errors = require "pcapi.error"
local input = require "pcapi.input"

local M = {}

local function fail(message, hint)
  return nil, errors.new { kind = "config", message = message, hint = hint }
end

-- A secret that was given in place of a path must not be in a message: only what looks
-- like a path is. `read` is a function of `pcapi.input`.
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

-- A text, or what a function gives at the time of use.
local function value_of(given)
  if type(given) == "function" then
    return given()
  end
  return given
end

local LONGEST_PATH = 1024 -- bytes; the shortest RSA key without its first line has more

-- A PEM text, or the path of a file with one. What can be neither may be a key that
-- lost its first line, which no message may show.
local function pem_of(given)
  if given:find("-----BEGIN", 1, true) then
    return input.lines(given)
  elseif #given > LONGEST_PATH or given:find("\n", 1, true) then
    return nil, "what was given is neither PEM nor the path of a file"
  end
  return read_file(given, input.lines)
end

-- A secret that is given, or stands in a file. `read` is a function of `pcapi.input`.
local function secret_of(given, path, read)
  if not given and path then
    return read_file(path, read)
  end
  local value, why = value_of(given)
  if type(value) == "string" then
    value, why = read(value)
    return value, why and "what was given " .. why
  end
  return value, why
end

local function by_secret(options)
  return function(form)
    local secret, why = secret_of(options.client_secret, options.client_secret_file,
      input.word)
    if type(secret) ~= "string" or secret == "" then
      return fail("there is no client secret: " .. tostring(why or "it is empty"),
        "Check client_secret or client_secret_file")
    end
    form.client_secret = secret
    return true
  end
end

local function by_certificate(options)
  return function(form, audience, now)
    local certificate, why = pem_of(options.certificate)
    local key = certificate
    if certificate and options.certificate_key then
      key, why = pem_of(options.certificate_key)
    end
    local passphrase, made
    if key then
      passphrase, why = secret_of(options.key_passphrase, options.key_passphrase_file,
        input.line)
    end
    local assertion = require "pcapi.auth.assertion" -- here: few use a certificate
    if not why then
      made, why = assertion.make({
        certificate = certificate, key = key, passphrase = passphrase,
        alg = options.assertion_alg or "PS256",
      }, options.client_id, audience, now)
    end
    if not made then
      return fail("the certificate cannot be used: " .. tostring(why),
        "Check certificate, certificate_key and key_passphrase")
    end
    form.client_assertion_type = assertion.TYPE
    form.client_assertion = made
    return true
  end
end

--- The option that says the same thing twice, as a message.
-- @tparam table options
-- @treturn ?string nil when all is well
function M.mistake(options)
  local given = {}
  for _, name in ipairs { "client_secret", "client_secret_file", "certificate" } do
    given[#given + 1] = options[name] and name
  end
  if #given > 1 then
    return ("give one of %s"):format(table.concat(given, " and ")) .. ", not both"
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

--- Makes the function that adds the proof to a form.
-- @tparam table options `client_id`, and one of `client_secret` (string or function),
-- `client_secret_file`, or `certificate` (PEM text or path) with `certificate_key`
-- (default: in the same PEM), `key_passphrase` (string or function) or
-- `key_passphrase_file`, and `assertion_alg`; none of them for a public client
-- @treturn function `(form, audience, now) → true | nil, pcapi.error`
-- @treturn boolean whether it depends on the clock
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
