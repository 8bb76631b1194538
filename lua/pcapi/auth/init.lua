--- Signing in: where access tokens come from, and where they are kept.
--
-- What `pcapi.new` takes as `auth` is a provider: a table with
-- `token(self, refused, context)` → an access token, or `nil, err`. `refused` is the
-- token that the service has just refused; who has no other one returns nil.
-- `context` has `transport`, `clock`, `random` and `deadline` (of the transport's
-- clock), so that a provider waits and connects as its client does. `base_url`, where it
-- has one, is the service that its client asks. `identity(self)`, where it has one, tells whom
-- the tokens are of (tenant and application), as a text. After an MFA
-- refusal `advice(self, err)` → the next step for a person, and `look_again(self)`,
-- which forgets what is remembered of the sign-in, are called where it has them.
--
--     local client = pcapi.new {
--       auth = pcapi.auth.refresh_token {
--         tenant = "fabrikam.onmicrosoft.com", client_id = "…",
--         client_secret_file = "/etc/pcapi/secret",
--         store = pcapi.auth.file_store(),
--       },
--     }
--
-- @module pcapi.auth
local account = require "pcapi.auth.account"
local claims = require "pcapi.auth.claims"
local credential = require "pcapi.auth.credential"
local endpoints = require "pcapi.auth.endpoints"
local input = require "pcapi.input"
local check = require "pcapi.check"

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

local function store_mistake(store)
  for _, name in ipairs { "get", "set", "lock" } do
    if store and type(store[name]) ~= "function" then
      return ('option "store" must have a function "%s"'):format(name)
    end
  end
end

-- What each kind of account takes, what it cannot do without, and how a person signs in.
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

local function needs_mistake(options, kind)
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

--- Makes an account of options whose names and types are right; for settings that no
-- programmer wrote.
-- @tparam string kind `"refresh_token"`, `"device_code"` or `"authorization_code"`
-- @tparam table options
-- @treturn[1] pcapi.auth.account
-- @treturn[2] nil
-- @treturn[2] string the mistake
function M.build(kind, options)
  kind = KINDS[kind]
  local mistake = needs_mistake(options, kind) or credential.problem(options)
    or store_mistake(options.store)
  local addresses
  if not mistake then
    addresses, mistake = endpoints.new(options)
  end
  if mistake then
    return nil, mistake
  end
  return account.new(options, addresses, options.store or M.memory_store(),
    kind.flow and kind.flow(options))
end

-- To be called in parentheses: after a tail call nobody knows the caller's line.
local function make(kind, options)
  local what = "pcapi.auth." .. kind
  local made, mistake = M.build(kind, check.options(options, KINDS[kind].schema, what, 3))
  if not made then
    error(what .. ": " .. mistake, 3)
  end
  return made
end

--- A sign-in that was made before: a refresh token becomes access tokens for as long
-- as it lives, 90 days after its last use. This is what runs unattended.
-- @tparam table options
-- @tparam string options.tenant id or domain of the partner's tenant
-- @tparam string options.client_id of the application's registration
-- @tparam[opt] string|function options.refresh_token to begin with, where the store
-- holds none yet; another one given later counts as a new sign-in
-- @tparam[opt] string|function options.client_secret of a confidential application
-- @tparam[opt] string options.client_secret_file path of a file with it
-- @tparam[opt] string options.certificate PEM, or the path of one, in place of a secret
-- @tparam[opt] string options.certificate_key the same for its RSA key; by default it is
-- looked for in `certificate`
-- @tparam[opt] string|function options.key_passphrase of an encrypted key
-- @tparam[opt] string options.key_passphrase_file path of a file with it
-- @tparam[opt] string options.assertion_alg `"PS256"` (the default) or `"RS256"`
-- @tparam[opt] table options.store where tokens are kept, see `pcapi.auth.store.memory`;
-- by default the memory of this process
-- @tparam[opt] string options.account under which name the store keeps it; by default
-- tenant and client id
-- @tparam[opt] number options.skew seconds before its end that a token is renewed; 120
-- @tparam[opt] string options.cloud `"global"` (the default), `"us_government"`, `"china"`
-- @tparam[opt] string options.oauth_version `"v2"` (the default, asks for a scope) or
-- `"v1"` (asks for a resource)
-- @tparam[opt] string options.resource what the token is for, in place of the cloud's
-- @tparam[opt] string options.scope in place of the resource's
-- `/user_impersonation offline_access`
-- @tparam[opt] string options.login_url in place of the cloud's
-- @tparam[opt] string options.token_url in place of what follows from login_url and tenant
-- @tparam[opt] string options.device_code_url likewise
-- @tparam[opt] string options.authorize_url likewise
-- @tparam[opt] string options.how_to_sign_in what a person does to sign in again, for hints
-- @tparam[opt] table options.settings texts that are kept beside the tokens
-- @treturn pcapi.auth.account a provider
function M.refresh_token(options)
  return (make("refresh_token", options))
end

--- Signs in with a short code that a person enters in any browser, on any device.
-- `account:sign_in()` does so; a client that finds nobody signed in does so too,
-- within the deadline of its call. Afterwards it is as @{refresh_token}.
-- @tparam table options those of @{refresh_token} but `refresh_token`
-- @tparam function options.on_code called with the text to show, and a table of
-- `user_code`, `verification_uri` and `expires_in` (seconds)
-- @tparam[opt] function options.on_wait called after each poll with the seconds left
-- @treturn pcapi.auth.account a provider
function M.device_code(options)
  return (make("device_code", options))
end

--- Signs in in a browser on this machine (authorization code with PKCE).
-- As @{device_code}, but without a code to enter.
-- @tparam table options those of @{refresh_token} but `refresh_token`
-- @tparam function options.open called with the address to open in a browser
-- @tparam[opt] string options.prompt such as `"login"`, to be asked for a password anew
-- @tparam[opt] string options.login_hint upn of who is to sign in
-- @tparam[opt] string options.claims JSON text of a claims challenge (`err.claims`)
-- @tparam[opt] function options.on_wait called while waiting, with the seconds left
-- @treturn pcapi.auth.account a provider
function M.authorization_code(options)
  return (make("authorization_code", options))
end

--- A store in this process alone.
-- @treturn table a store
function M.memory_store()
  return require("pcapi.auth.store.memory").new()
end

--- A store in files that only this user can read.
-- @tparam[opt] string directory by default `$XDG_STATE_HOME/pcapi` or
-- `~/.local/state/pcapi`; the command keeps its sign-ins there
-- @treturn table a store
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

--- What an access token says of itself; advice only. See `pcapi.auth.claims`.
-- @function claims
M.claims = claims.read

return M
