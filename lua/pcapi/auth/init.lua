--- Signing in: where access tokens come from, and where they are stored.
--
-- A *provider* gives access tokens; it is the option `auth` of `pcapi.new`. The accounts that
-- @{refresh_token}, @{device_code} and @{authorization_code} make are providers (see
-- `pcapi.auth.account`):
--
--     local client = pcapi.new {
--       auth = pcapi.auth.refresh_token {
--         tenant = "fabrikam.onmicrosoft.com", client_id = "…",
--         client_secret_file = "/etc/pcapi/secret",
--         store = pcapi.auth.file_store(),
--       },
--     }
--
-- A provider of your own is a table with
--
-- - `token(self, refused, context)` → an access token, or `nil, err`. `refused` is the token
--   that the service has just refused; return nil if there is no other one. `context` has
--   `transport`, `clock`, `random`, `deadline` (of the transport's clock) and `audience`, see
--   `pcapi.auth.context`. A provider that waits and connects by it works wherever its client
--   does. `audience` is the service that the token is for, or nil
-- - optionally `base_url`, the service to call if the client has no `base_url`
-- - optionally `identity(self)` → a text that identifies the tenant and the application of the
--   tokens
-- - optionally `advice(self, err)` → the next step after an error that only a new sign-in cures
-- - optionally `look_again(self)`, called after such an error: forget cached tokens, as the
--   user may sign in again
--
-- @module pcapi.auth
local account = require "pcapi.auth.account"
local check = require "pcapi.check"
local claims = require "pcapi.auth.claims"
local credential = require "pcapi.auth.credential"
local endpoints = require "pcapi.auth.endpoints"
local input = require "pcapi.input"

local M = {}

local ACCOUNT = {
  tenant = "string", client_id = "line", client_secret = "string|function",
  client_secret_file = "string", certificate = "string", certificate_key = "string",
  key_passphrase = "string|function", key_passphrase_file = "string", assertion_alg = "string",
  store = "table", account = "line", skew = "seconds", how_to_sign_in = "line", settings = "table",
  cloud = "string", oauth_version = "string", resource = "line", scope = "line",
  login_url = "string", token_url = "string", device_code_url = "string",
  authorize_url = "string",
}

local function with_account(schema)
  for name, types in pairs(ACCOUNT) do
    schema[name] = types
  end
  return schema
end

local function store_problem(store)
  for _, name in ipairs { "get", "set", "lock" } do
    if store and type(store[name]) ~= "function" then
      return ('option "store" must have a function "%s"'):format(name)
    end
  end
end

-- For each kind of account its options, the one that it needs, and how the user signs in.
local KINDS = {
  refresh_token = { schema = with_account { refresh_token = "string|function" } },
  device_code = {
    schema = with_account { on_code = "function", on_wait = "function" },
    needs = "on_code",
    flow = function(options)
      return require("pcapi.auth.device_code").new(options)
    end,
  },
  authorization_code = {
    schema = with_account { open = "function", on_wait = "function", prompt = "line",
                            login_hint = "line", claims = "line" },
    needs = "open",
    flow = function(options)
      return require("pcapi.auth.authorization_code").new(options)
    end,
  },
}

local function missing_option(options, kind)
  for _, name in ipairs { "client_id", kind.needs } do
    if options[name] == nil then
      return ('option "%s" is missing'):format(name)
    end
  end
  local client_id, why = input.word(options.client_id)
  if client_id ~= options.client_id then
    return 'option "client_id" ' .. (why or "has a blank or a byte order mark around it")
  end
end

--- Makes an account of options that come from a configuration. Names and types must be right;
-- any other problem is returned, not raised.
-- @tparam string kind `"refresh_token"`, `"device_code"` or `"authorization_code"`
-- @tparam table options of that kind
-- @treturn[1] pcapi.auth.account
-- @treturn[2] nil
-- @treturn[2] string what is wrong with the options
function M.build(kind, options)
  kind = KINDS[kind]
  local problem = missing_option(options, kind) or credential.problem(options)
    or store_problem(options.store)
  local addresses
  if not problem then
    addresses, problem = endpoints.new(options)
  end
  if problem then
    return nil, problem
  end
  return account.new(options, addresses, options.store or M.memory_store(),
    kind.flow and kind.flow(options))
end

-- Must not be a tail call, which would lose the caller's line: call it in parentheses.
local function make(kind, options)
  local what = "pcapi.auth." .. kind
  local made, problem = M.build(kind, check.options(options, KINDS[kind].schema, what, 3))
  if not made then
    error(what .. ": " .. problem, 3)
  end
  return made
end

--- Makes an account of a former sign-in, for unattended use. Access tokens are renewed with its
-- refresh token, which stays valid for 90 days after each use. One account gives tokens for
-- several audiences (see `pcapi.auth.context`); the store holds the last eight.
-- @tparam table options
-- @tparam string options.tenant id or domain of the partner's tenant
-- @tparam string options.client_id of the application's registration
-- @tparam[opt] string|function options.refresh_token starts the sign-in if the store holds
-- none. A refresh token that was not tried before starts a new sign-in
-- @tparam[opt] string|function options.client_secret of a confidential client
-- @tparam[opt] string options.client_secret_file path of a file with the secret
-- @tparam[opt] string options.certificate PEM text or the path of a PEM file, in place of a
-- secret
-- @tparam[opt] string options.certificate_key likewise, the RSA key of the certificate; by
-- default it is read from `certificate`
-- @tparam[opt] string|function options.key_passphrase of an encrypted key
-- @tparam[opt] string options.key_passphrase_file path of a file with the passphrase
-- @tparam[opt="PS256"] string options.assertion_alg `"PS256"` or `"RS256"`
-- @tparam[opt] table options.store where the tokens are stored, see
-- `pcapi.auth.store.memory`; by default the memory of this process
-- @tparam[opt] string options.account the name in the store; by default tenant and client id
-- @tparam[opt=120] number options.skew seconds before its expiry that a token is renewed
-- @tparam[opt="global"] string options.cloud `"global"`, `"us_government"` or `"china"`
-- @tparam[opt="v2"] string options.oauth_version `"v2"` (requests a scope) or `"v1"`
-- (requests a resource)
-- @tparam[opt] string options.resource the account's own audience; by default Partner Center
-- @tparam[opt] string options.scope by default `RESOURCE/user_impersonation offline_access`
-- @tparam[opt] string options.login_url of the sign-in service; by default that of the cloud
-- @tparam[opt] string options.token_url by default made of login_url and tenant
-- @tparam[opt] string options.device_code_url likewise
-- @tparam[opt] string options.authorize_url likewise
-- @tparam[opt] string options.how_to_sign_in how the user signs in again, for hints
-- @tparam[opt] table options.settings names to texts, stored beside the tokens
-- @treturn pcapi.auth.account a provider
function M.refresh_token(options)
  return (make("refresh_token", options))
end

--- Makes an account whose user signs in with a short code, in any browser on any device.
-- `account:sign_in()` starts that; so does a client that finds no stored sign-in, within the
-- deadline of its call. Afterwards the account works as one of @{refresh_token}.
-- @tparam table options those of @{refresh_token} except `refresh_token`
-- @tparam function options.on_code called with the text to show to the user, and a table of
-- `user_code`, `verification_uri` and `expires_in` (seconds)
-- @tparam[opt] function options.on_wait called after each poll with the seconds left
-- @treturn pcapi.auth.account a provider
function M.device_code(options)
  return (make("device_code", options))
end

--- Makes an account whose user signs in with a browser on this machine (authorization code with
-- PKCE). As @{device_code}, but without a code to enter.
-- @tparam table options those of @{refresh_token} except `refresh_token`
-- @tparam function options.open called with the address to open in a browser
-- @tparam[opt] string options.prompt such as `"login"`, which demands the password again
-- @tparam[opt] string options.login_hint user principal name of the user
-- @tparam[opt] string options.claims JSON text of a claims challenge (`err.claims`)
-- @tparam[opt] function options.on_wait called while waiting, with the seconds left
-- @treturn pcapi.auth.account a provider
function M.authorization_code(options)
  return (make("authorization_code", options))
end

--- Makes a store in the memory of this process.
-- @treturn table a store
function M.memory_store()
  return require("pcapi.auth.store.memory").new()
end

--- Makes a store of files that only this user can read. Raises if no folder is known.
-- @tparam[opt] string directory by default `$XDG_STATE_HOME/pcapi` or
-- `~/.local/state/pcapi`, where the command stores its sign-ins
-- @treturn table a store, see `pcapi.auth.store.file`
function M.file_store(directory)
  local file = require "pcapi.auth.store.file"
  local why
  if directory == nil then
    directory, why = file.directory(os.getenv)
  elseif type(directory) ~= "string" or directory == "" then
    why = "the directory must be a path"
  end
  if not directory or why then
    error("pcapi.auth.file_store: " .. why, 2)
  end
  return file.new(directory)
end

--- Reads the claims of an access token, as advice only. See `pcapi.auth.claims`.
-- @function claims
-- @tparam ?string token
-- @treturn table
M.claims = claims.read

return M
