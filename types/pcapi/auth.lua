---@meta pcapi.auth
-- Made by `make types` from lua/pcapi/auth/init.lua; do not edit.

---Signing in: where access tokens come from, and where they are stored.
---@class pcapi.auth
local pcapi_auth = {}

---Makes an account of options that come from a configuration. Names and types must be right; any other problem is returned, not raised.
---@param kind string `"refresh_token"`, `"device_code"` or `"authorization_code"`
---@param options table of that kind
---@return pcapi.auth.account|nil # 
---@return string|nil # what is wrong with the options
function pcapi_auth.build(kind, options) end

---@class pcapi.auth.refresh_token.options
---@field tenant string id or domain of the partner's tenant
---@field client_id string of the application's registration
---@field refresh_token? string|function starts the sign-in if the store holds none. A refresh token that was not tried before starts a new sign-in
---@field client_secret? string|function of a confidential client
---@field client_secret_file? string path of a file with the secret
---@field certificate? string PEM text or the path of a PEM file, in place of a secret
---@field certificate_key? string likewise, the RSA key of the certificate; by default it is read from `certificate`
---@field key_passphrase? string|function of an encrypted key
---@field key_passphrase_file? string path of a file with the passphrase
---@field assertion_alg? string `"PS256"` or `"RS256"`
---@field store? table where the tokens are stored, see `pcapi.auth.store.memory`; by default the memory of this process
---@field account? string the name in the store; by default tenant and client id
---@field skew? number seconds before its expiry that a token is renewed
---@field cloud? string `"global"`, `"us_government"` or `"china"`
---@field oauth_version? string `"v2"` (requests a scope) or `"v1"` (requests a resource)
---@field resource? string the account's own audience; by default Partner Center
---@field scope? string by default `RESOURCE/user_impersonation offline_access`
---@field login_url? string of the sign-in service; by default that of the cloud
---@field token_url? string by default made of login_url and tenant
---@field device_code_url? string likewise
---@field authorize_url? string likewise
---@field how_to_sign_in? string how the user signs in again, for hints
---@field settings? table names to texts, stored beside the tokens

---Makes an account of a former sign-in, for unattended use. Access tokens are renewed with its refresh token, which stays valid for 90 days after each use. One account gives tokens for several audiences (see `pcapi.auth.context`); the store holds the last eight.
---@param options pcapi.auth.refresh_token.options 
---@return pcapi.auth.account # a provider
function pcapi_auth.refresh_token(options) end

---@class pcapi.auth.device_code.options
---@field on_code function called with the text to show to the user, and a table of `user_code`, `verification_uri` and `expires_in` (seconds)
---@field on_wait? function called after each poll with the seconds left

---Makes an account whose user signs in with a short code, in any browser on any device. `account:sign_in()` starts that; so does a client that finds no stored sign-in, within the deadline of its call. Afterwards the account works as one of `refresh_token`.
---@param options pcapi.auth.device_code.options those of `refresh_token` except `refresh_token`
---@return pcapi.auth.account # a provider
function pcapi_auth.device_code(options) end

---@class pcapi.auth.authorization_code.options
---@field open function called with the address to open in a browser
---@field prompt? string such as `"login"`, which demands the password again
---@field login_hint? string user principal name of the user
---@field claims? string JSON text of a claims challenge (`err.claims`)
---@field on_wait? function called while waiting, with the seconds left

---Makes an account whose user signs in with a browser on this machine (authorization code with PKCE). As `device_code`, but without a code to enter.
---@param options pcapi.auth.authorization_code.options those of `refresh_token` except `refresh_token`
---@return pcapi.auth.account # a provider
function pcapi_auth.authorization_code(options) end

---Makes a store in the memory of this process.
---@return table # a store
function pcapi_auth.memory_store() end

---Makes a store of files that only this user can read. Raises if no folder is known.
---@param directory? string by default `$XDG_STATE_HOME/pcapi` or `~/.local/state/pcapi`, where the command stores its sign-ins
---@return table # a store, see `pcapi.auth.store.file`
function pcapi_auth.file_store(directory) end

---Reads the claims of an access token, as advice only. See `pcapi.auth.claims`.
---@param token string|nil 
---@return table # 
function pcapi_auth.claims(token) end

return pcapi_auth
