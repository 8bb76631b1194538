---@meta pcapi.auth.account
-- Made by `make types` from lua/pcapi/auth/account.lua; do not edit.

---One signed-in user of one application: gives access tokens, one per audience, and renews them without the user, over any number of processes that share a store.
---@class pcapi.auth.account
local pcapi_auth_account = {}

---Checks that the secret or the certificate can be used. Calls the functions that the caller gave for them, which may raise.
---@param context table as for `token`
---@return boolean|nil # true
---@return pcapi.error|nil # of kind config
function pcapi_auth_account:check_credential(context) end

---Sends a request to the token endpoint, for the flows of sign-in.
---@param context table 
---@param form table 
---@return  # as `pcapi.auth.grant.request`
function pcapi_auth_account:request(context, form) end

---Gives an access token that stays valid for a while. The tokens of all audiences come from one sign-in; they are stored together, and each is renewed when it expires or is refused.
---@param refused string|nil the token that the service has just refused
---@param context table `transport`, `clock`, `random`, `deadline` (of the transport's clock), and optionally `audience`, the service that the token is for; without it the account's own resource. See `pcapi.auth.context`
---@return string|nil # 
---@return pcapi.error|nil # of kind sign_in_required, mfa_required, consent_required, invalid_client, forbidden, store, config, bad_request, server, throttled, protocol, timeout, network or tls
function pcapi_auth_account:token(refused, context) end

---Lets the user sign in, and stores the tokens in place of a former sign-in.
---@param context? table as for `token`; its deadline ends the waiting for the user. Or the options of `pcapi.auth.context.new`, with 900 seconds as the default of `timeout`
---@return string|nil # an access token for the account's own resource
---@return pcapi.error|nil # of any kind that `token` returns
function pcapi_auth_account:sign_in(context) end

---Removes the sign-in from the store and from memory.
---@param context? table as for `sign_in`
---@return boolean|nil # true
---@return pcapi.error|nil # of kind store or timeout
function pcapi_auth_account:sign_out(context) end

---Makes the next call look into the store, which may hold a new sign-in.
function pcapi_auth_account:look_again() end

---Reports what is known of the sign-in. No request is sent.
---@return table|nil # `claims` (see `pcapi.auth.claims`), `expires_at` and `obtained_at` of the access token for the account's own resource, `signed_in_at` (UTC epoch seconds), `client_id`, `tenant`
---@return pcapi.error|nil # of kind sign_in_required, store or config
function pcapi_auth_account:status() end

---The next step after an error that only a new sign-in cures.
---@param err pcapi.error|nil its `kind` and `claims` count
---@return string # 
function pcapi_auth_account:advice(err) end

---Identifies the sign-in service, the tenant and the application, in one text.
---@return string # 
function pcapi_auth_account:identity() end

return pcapi_auth_account
