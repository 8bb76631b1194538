--- The registration that a sign-in needs: the checklist, checks of what the user enters, and the
-- step of the checklist that an error means.
--
-- Functions take `given`, a table with `login` (address of the sign-in service), `cloud`, and
-- `tenant` and `client_id` if they are known.
-- @module pcapi.cli.registration
local refusal = require "pcapi.auth.refusal"
local url = require "pcapi.url"

local M = {}

local PARTNER_CENTER = "fa3d9a0c-3fb0-42cc-9193-47c7ecd2edbd" -- application ID of its API
local USER_IMPERSONATION = "1cebfa2a-fb4d-419e-b5f9-839b4383e05a" -- ID of the permission

local CHECKLIST = [[
Registration for pcapi: once per tenant of a direct bill partner or an indirect
provider, by an administrator of the tenant.

1. Entra admin center%s > App registrations > New
   registration: accounts in this organizational directory only. Note the
   Application (client) ID and the Directory (tenant) ID.
2. Authentication: add the platform "Mobile and desktop applications" with the
   redirect URI http://localhost, and set "Allow public client flows" to Yes.
3. API permissions > Add a permission > APIs my organization uses > Microsoft
   Partner Center (%s) > Delegated
   permissions > user_impersonation. Some tenants call it SampleBECApp. If it is
   missing: az ad sp create --id %s
4. API permissions > Grant admin consent. Or open as an administrator:
   %s
5. Partner Center > Settings > Account settings > App management: enable API
   access for the application.
6. As a user who passes MFA and has a role such as Admin agent: pcapi login

Steps 1 to 4 with the Azure CLI:

%s]]

local AZ = [[
az login --tenant %s --allow-no-subscriptions
%s
az ad sp create --id "$id"
az ad app permission add --id "$id" \
  --api %s \
  --api-permissions %s=Scope
az ad app permission admin-consent --id "$id"
echo "$id"
]]

local CREATE = [[
id=$(az ad app create --display-name pcapi --sign-in-audience AzureADMyOrg \
  --is-fallback-public-client true \
  --public-client-redirect-uris http://localhost --query appId -o tsv)]]

local UPDATE = [[
id=%s
az ad app update --id "$id" --is-fallback-public-client true \
  --public-client-redirect-uris http://localhost]]

-- A tenant or an application as a word of a shell and of an address; or a placeholder.
local function word(value, placeholder)
  return value and url.escape(value) or placeholder
end

--- The address at which an administrator consents.
-- @tparam table given
-- @treturn string
function M.consent_url(given)
  return ("%s/%s/adminconsent?client_id=%s"):format(given.login, word(given.tenant, "TENANT"),
    word(given.client_id, "CLIENT_ID"))
end

--- The checklist.
-- @tparam table given
-- @treturn string
function M.checklist(given)
  local application = given.client_id and UPDATE:format(word(given.client_id)) or CREATE
  local commands = AZ:format(word(given.tenant, "TENANT"), application, PARTNER_CENTER,
    USER_IMPERSONATION)
  return CHECKLIST:format(given.cloud == "global" and " (https://entra.microsoft.com)" or "",
    PARTNER_CENTER, PARTNER_CENTER, M.consent_url(given),
    (commands:gsub("[^\n]+", "   %0")))
end

local function is_id(text)
  return text:find "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"
    ~= nil
end

-- Names that let users of any tenant sign in.
local ANY_TENANT = { common = true, organizations = true, consumers = true }

--- Checks a tenant that the user entered.
-- @tparam string text
-- @treturn[1] string the tenant
-- @treturn[2] nil
-- @treturn[2] string what is wrong
function M.check_tenant(text)
  local domain = text:match "@([%w.%-]+)$"
  if domain then
    return nil, "that is a user; enter " .. domain .. " if this is the domain of the partner tenant"
  elseif text:find "://" then
    return nil, "that is an address; enter only the ID or the domain of the tenant"
  elseif ANY_TENANT[text:lower()] then
    return nil, "that stands for any tenant; the tenant must be your own"
  elseif not is_id(text) and not text:find "^%w[%w.%-]*%.%a[%w%-]*$" then
    return nil, "that is neither an ID nor a domain, such as fabrikam.onmicrosoft.com"
  end
  return text
end

--- Checks a client ID that the user entered. It may be a secret by mistake, so no message repeats
-- it.
-- @tparam string text
-- @tparam string tenant
-- @treturn[1] string the ID
-- @treturn[2] nil
-- @treturn[2] string what is wrong
function M.check_client_id(text, tenant)
  local id = text:match "^{(.*)}$" or text
  if not is_id(id) then
    return nil, "that is no ID; it looks like 00000000-0000-0000-0000-000000000000"
  elseif id:lower() == tenant:lower() then
    return nil, "that is the ID of the tenant; enter the Application (client) ID"
  elseif id:lower() == PARTNER_CENTER then
    return nil, "that is the ID of Partner Center; enter that of your own application"
  end
  return id
end

local TITLES = {
  "register the application in the tenant; check tenant and client ID",
  "allow public client flows, and add the redirect URI http://localhost",
  "add the permission user_impersonation of Microsoft Partner Center",
  "an administrator grants consent at",
  "enable API access for the application in Partner Center, App management",
  "sign in as a user with MFA and a role such as Admin agent",
}

-- Step by the class of a refusal of the sign-in service.
local STEPS = {
  unknown_application = 1, disabled_application = 1, directory = 1,
  missing_credential = 2, redirect = 2, single_page = 2,
  registration = 3, service = 3,
  consent = 4, not_accepted = 4,
  assignment = 6, mfa = 6,
}

-- Service principals that are missing, by AADSTS number: of the application, of Partner Center.
local LACKS_OWN = { AADSTS7000229 = true }
local LACKS_SERVICE = { AADSTS500011 = true, AADSTS650052 = true }

local function detail_of(step, err, given)
  if step == 4 then
    return " " .. M.consent_url(given)
  elseif LACKS_OWN[err.code] or LACKS_SERVICE[err.code] then
    return "; if its service principal is missing: az ad sp create --id "
      .. (LACKS_SERVICE[err.code] and PARTNER_CENTER or word(given.client_id, "CLIENT_ID"))
  end
  return ""
end

local LIST = "of 'pcapi login --checklist': "

--- The step that an error means.
-- @tparam pcapi.error err
-- @tparam table given
-- @treturn ?string a sentence without a full stop; nil if the error does not come from the
-- registration
function M.advice(err, given)
  if err.status == 403 and err.kind == "forbidden" and not err.oauth_error then
    return "see steps 5 and 6 " .. LIST .. TITLES[5] .. "; " .. TITLES[6]
  end
  local step = STEPS[refusal.class_of(err)] or err.kind == "mfa_required" and 6
  return step and ("see step %d %s%s%s"):format(step, LIST, TITLES[step],
    detail_of(step, err, given)) or nil
end

return M
