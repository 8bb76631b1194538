--- Classifies the error responses of the sign-in service: a kind of error, and the next step.
--
-- Microsoft warns that its AADSTS numbers change. So the name of the error (RFC 6749 §5.2,
-- RFC 8628 §3.5) decides where it is specific enough, and a known number refines it.
-- @module pcapi.auth.refusal
local M = {}

-- Class: kind of error, next step, names, numbers. The numbers are those of Microsoft's
-- "authentication and authorization error codes" that these flows can meet, and undocumented
-- ones that the service sends (900023, 9002327, 530033, 530036 ...).
local CLASSES = {
  mfa = {
    kind = "mfa_required", hint = "Sign in again with MFA",
    numbers = "50072 50074 50076 50078 50079 50158 53004 500121",
  },
  sign_in = {
    kind = "sign_in_required", hint = "Sign in again",
    names = "invalid_grant interaction_required login_required",
    numbers = "16001 16002 160021 50058 50085 50089 50132 50133 50134 50139 50140 50143 50168 "
      .. "50173 50192 50197 50199 51006 54005 70000 70008 700003 700020 70043 700082 700084 90086 "
      .. "90119 90120 501481",
  },
  password = {
    kind = "sign_in_required",
    hint = "Sign in again with the right password; if it has expired, change it",
    numbers = "50055 50056 50064 50125 50126 50135 50144",
  },
  declined = {
    kind = "sign_in_required", hint = "The sign-in was declined: sign in again and accept",
    names = "authorization_declined access_denied",
  },
  expired = {
    kind = "sign_in_required", hint = "The code was not entered in time: sign in again",
    names = "expired_token", numbers = "70019",
  },
  device = {
    kind = "sign_in_required", hint = "Sign in again",
    names = "bad_verification_code", numbers = "70018",
  },
  disabled_account = {
    kind = "forbidden", hint = "The account is disabled: ask the account's administrator to "
      .. "enable it, or sign in as another user",
    numbers = "50057 500571",
  },
  locked_account = {
    kind = "forbidden", hint = "The account is locked, or its address is blocked: wait some "
      .. "minutes, or ask the account's administrator to unblock it",
    numbers = "50053",
  },
  limited_account = {
    kind = "forbidden", hint = "This account is not allowed to sign in here, or not now: ask the "
      .. "account's administrator, or sign in as another user",
    numbers = "50015 54000 500208 53011 530034 80012 90084 90093 90123",
  },
  unknown_account = {
    kind = "forbidden", hint = "The tenant does not know this account: check tenant, sign in as "
      .. "a user of that tenant, or ask the account's administrator",
    numbers = "16000 16003 50014 50020 50034 500341 51004 90072 90125",
  },
  policy = {
    kind = "forbidden",
    hint = "A policy of the tenant (Conditional Access) blocks this sign-in: ask its administrator",
    numbers = "50002 50005 50097 50127 50129 50131 50155 50161 50170 50177 50178 50187 53000 53001 "
      .. "53002 53010 500021 500022 500212 500213 530003 530021 530032 130007 130008 135011 "
      .. "1000104",
  },
  device_code_policy = {
    kind = "forbidden",
    hint = "A policy of the tenant (Conditional Access) blocks this sign-in, often only for "
      .. "device codes. Sign in with a browser: pcapi login --browser; or ask the tenant's "
      .. "administrator",
    numbers = "53003 530033 530035 530036",
  },
  assignment = {
    kind = "forbidden",
    hint = "Assign the user to the application: Entra, Enterprise applications, Users and groups",
    numbers = "50105",
  },
  consent = {
    kind = "consent_required",
    hint = "Consent is missing: ask an administrator of the tenant to consent to the "
      .. "application's API permissions",
    names = "consent_required",
    numbers = "65001 90008 90094 90095 90099 9002341",
  },
  registration = {
    kind = "consent_required",
    hint = "The registration is wrong: check the application's API permissions and supported "
      .. "accounts, and ask an administrator to consent",
    names = "unauthorized_client invalid_resource",
    numbers = "50001 50010 50146 65002 65005 90009 500011 501461 650054 650056 650057 "
      .. "7000114",
  },
  service = {
    kind = "consent_required",
    hint = "The tenant has no subscription to this service, or the service's application is "
      .. "disabled: ask an administrator to check Entra, Enterprise applications; and check "
      .. "resource",
    numbers = "500014 650052",
  },
  redirect = {
    kind = "consent_required",
    hint = "The registration lacks the redirect URI: add http://localhost on the platform "
      .. '"Mobile and desktop applications"',
    numbers = "50011 500112 500113 70004 90102 900971",
  },
  single_page = {
    kind = "consent_required",
    hint = "The registration has the redirect URI on the platform \"Single-page "
      .. "application\": move it to \"Mobile and desktop applications\", or to \"Web\" for an "
      .. "application with a secret",
    numbers = "9002325 9002326 9002327",
  },
  not_accepted = {
    kind = "consent_required",
    hint = "The user did not consent: sign in again and accept, or ask an administrator to consent",
    numbers = "65004",
  },
  unknown_application = {
    kind = "consent_required",
    hint = "The tenant does not know this application: check client_id and tenant",
    numbers = "700011 700016 700038 7000229",
  },
  disabled_application = {
    kind = "consent_required",
    hint = "The application is disabled in this tenant: ask an administrator to enable it (Entra, "
      .. "Enterprise applications), or check client_id",
    numbers = "70001 7000112 1000031",
  },
  credential = {
    kind = "invalid_client",
    hint = "Check the client secret or certificate, and whether it has expired",
    names = "invalid_client",
    numbers = "70002",
  },
  secret = {
    kind = "invalid_client",
    hint = "Check the client secret: use its value, not its id, and a secret of this registration",
    numbers = "7000215",
  },
  certificate = {
    kind = "invalid_client",
    hint = "Check the certificate: it must be in the registration of this client_id, and not "
      .. "expired",
    numbers = "50006 50012 50013 50017 50027 50032 50048 700021 700027 700030 900384 "
      .. "7000213 7000214",
  },
  assertion_time = {
    kind = "invalid_client",
    hint = "Check this machine's clock and date: the assertion that it signed is not valid now",
    numbers = "500133 700024",
  },
  public_client = {
    kind = "invalid_client",
    hint = "The registration is a public client: set no client secret and no certificate",
    numbers = "700025",
  },
  expired_credential = {
    kind = "invalid_client",
    hint = "The client secret or certificate has expired: create a new one in the registration",
    numbers = "7000222",
  },
  missing_credential = {
    kind = "invalid_client",
    hint = "The registration is a confidential client: set client_secret or certificate, "
      .. "or allow public client flows",
    numbers = "7000216 7000218 7000219",
  },
  directory = {
    kind = "config", hint = "Wrong tenant or cloud: check tenant and cloud",
    numbers = "50029 50049 50059 50107 50128 50169 50194 90002 90019 90027 90038 90043 90051 90124 "
      .. "90126 90130 700005 900023 900382 900432 5000224 9001023 9002332 9002346",
  },
  request = {
    kind = "bad_request", hint = "Check scope, resource and oauth_version",
    names = "invalid_request invalid_scope unsupported_grant_type unsupported_response_type "
      .. "invalid_target",
    numbers = "28002 28003 50050 50147 70003 70005 70007 70011 90004 90005 90007 90010 90013 90014 "
      .. "90015 90016 90023 90056 90100 90101 90107 90117 90121 165900 501491 650053 700022 700023 "
      .. "900144 900561 901002",
  },
  malformed = {
    kind = "bad_request",
    hint = "Check refresh_token, client_id and client_secret for missing or extra characters; "
      .. "then scope, resource and oauth_version",
    numbers = "9002313",
  },
  later = {
    kind = "server", hint = "Try again later",
    names = "temporarily_unavailable server_error",
    numbers = "50033 50087 50166 70012 90006 90012 90024 90033 90090 90091 501621",
  },
  broken = {
    kind = "server", hint = "Try again later; if the error persists, give the request id to "
      .. "Microsoft's support",
    numbers = "50000 50003 50007 50042 50043 50086 90036 90085 90092",
  },
  federation = {
    kind = "server", hint = "The tenant's own sign-in server failed: try again later, or ask the "
      .. "tenant's administrator",
    numbers = "20001 20012 20033 40008 40009 40010 40015 50008 5000819 80001 80002 80005 80007 "
      .. "80010 80013 80014",
  },
  loop = {
    kind = "throttled", hint = "Too many requests: wait some minutes",
    numbers = "50088 50196 90055",
  },
}

local by_name, by_number = {}, {}
for class_name, class in pairs(CLASSES) do
  class.name = class_name
  for name in (class.names or ""):gmatch "%S+" do
    by_name[name] = class
  end
  for number in (class.numbers or ""):gmatch "%S+" do
    by_number[number] = class
  end
end

-- "Error validating credentials": a general number that precedes the specific one.
local HEADING = "70002"

local LARGEST = 1e10 -- Entra's numbers have 8 digits at most

-- All AADSTS numbers of a response, in order: its list, then its description.
local function numbers_of(read)
  local all = {}
  for _, code in ipairs(type(read.error_codes) == "table" and read.error_codes or {}) do
    local number = tonumber(code)
    all[#all + 1] = number and number >= 0 and number < LARGEST and ("%.0f"):format(number) or nil
  end
  for number in (read.message or ""):gmatch "AADSTS(%d+)" do
    all[#all + 1] = tonumber(number) < LARGEST and number or nil
  end
  return all
end

--- Removes the ids and the time from the end of the description of an AADSTS error; the error
-- object has them in fields.
-- @tparam string description
-- @treturn string
function M.shorten(description)
  return (description:gsub("%s*Trace ID:.*$", ""))
end

--- Classifies an error response.
-- @tparam table read `code` (the name, such as "invalid_grant"), `message`,
-- `error_codes` (array of numbers)
-- @treturn[1] string kind of error
-- @treturn[1] string next step
-- @treturn[1] ?string number, such as "AADSTS50076"
-- @treturn[2] nil neither RFC 6749 nor Entra knows the error
function M.classify(read)
  local named = by_name[read.code]
  local class, number = nil, nil
  for _, candidate in ipairs(numbers_of(read)) do
    number = number or candidate
    if by_number[candidate] and (not class or number == HEADING) then
      class, number = by_number[candidate], candidate
    end
  end
  if named == CLASSES.later or named and number == HEADING then
    class = named
  end
  class = class or named
  if class then
    return class.kind, class.hint, number and "AADSTS" .. number
  end
end

--- The class of an error of the sign-in service, which is finer than its kind.
-- @tparam pcapi.error err
-- @treturn ?string such as `"consent"` or `"redirect"`; nil for an error of another server
function M.class_of(err)
  if not err.oauth_error then
    return nil
  end
  local class = by_number[(err.code or ""):match "^AADSTS(%d+)$" or ""] or by_name[err.oauth_error]
  return class and class.name
end

--- Replaces the hint of an error of a sign-in in a browser, if it advises to use a browser.
-- @tparam pcapi.error err
-- @treturn pcapi.error the same
function M.in_browser(err)
  if M.class_of(err) == "device_code_policy" then
    err.hint = CLASSES.policy.hint
  end
  return err
end

return M
