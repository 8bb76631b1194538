--- What a refusal of the token endpoint means, and the one next step.
--
-- Microsoft warns that its AADSTS numbers change, so the name of the error
-- (RFC 6749 §5.2, RFC 8628 §3.5) decides where it says enough, and a number that is
-- known refines it.
-- @module pcapi.auth.refusal
local M = {}

-- Class: kind of error, next step, names, numbers.
local CLASSES = {
  mfa = {
    kind = "mfa_required", hint = "Sign in again with MFA",
    numbers = "50072 50074 50076 50078 50079 50158 53004",
  },
  sign_in = {
    kind = "sign_in_required", hint = "Sign in again",
    names = "invalid_grant interaction_required login_required",
    numbers = "50089 50173 50132 50133 54005 70000 70008 700082 700084 70043 501481",
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
  policy = {
    kind = "forbidden",
    hint = "A policy of the tenant (Conditional Access) blocks this sign-in: ask its administrator",
    numbers = "53000 53001 53002 53003 530032 530035 50131",
  },
  assignment = {
    kind = "forbidden",
    hint = "Assign the user to the application: Entra, Enterprise applications, Users and groups",
    numbers = "50105",
  },
  consent = {
    kind = "consent_required",
    hint = "Consent is missing, or the registration is not right: see the application's API "
      .. "permissions and redirect addresses, and let an administrator consent",
    names = "consent_required unauthorized_client invalid_resource",
    numbers = "65001 65005 500011 650052 650057 90094 90099 50011 50194",
  },
  not_accepted = {
    kind = "consent_required",
    hint = "The user did not consent: sign in again and accept, or let an administrator consent",
    numbers = "65004",
  },
  unknown_application = {
    kind = "consent_required",
    hint = "The tenant does not know this application: check client_id and tenant",
    numbers = "700016",
  },
  credential = {
    kind = "invalid_client",
    hint = "Check the client secret or certificate, and whether it has expired",
    names = "invalid_client",
    numbers = "70002 7000215 700027 50012 700024",
  },
  public_client = {
    kind = "invalid_client",
    hint = "The registration is public: give no client secret and no certificate",
    numbers = "700025",
  },
  expired_credential = {
    kind = "invalid_client",
    hint = "The client secret or certificate has expired: make a new one in the registration",
    numbers = "7000222",
  },
  missing_credential = {
    kind = "invalid_client",
    hint = "The registration is confidential: give client_secret or certificate, "
      .. "or allow public client flows",
    numbers = "7000218",
  },
  place = {
    kind = "config", hint = "Wrong tenant or cloud: check tenant and cloud",
    numbers = "90002 90038 900382 900432 50059 9001023",
  },
  request = {
    kind = "bad_request", hint = "Check scope, resource and oauth_version",
    names = "invalid_request invalid_scope unsupported_grant_type unsupported_response_type "
      .. "invalid_target",
    numbers = "70011 28002 700022 901002 900144 90014 50147",
  },
  later = {
    kind = "server", hint = "Try again later",
    names = "temporarily_unavailable server_error",
    numbers = "50033 50087 90006 90012 90024 90033 90055 90090",
  },
  loop = {
    kind = "throttled", hint = "The same request came too often: wait some minutes",
    numbers = "50196",
  },
}

local by_name, by_number = {}, {}
for _, class in pairs(CLASSES) do
  for name in (class.names or ""):gmatch "%S+" do
    by_name[name] = class
  end
  for number in (class.numbers or ""):gmatch "%S+" do
    by_number[number] = class
  end
end

-- Says no more than "Error validating credentials", in front of the number that counts.
local HEADING = "70002"

local LARGEST = 1e10 -- Entra's numbers have 8 digits at most

-- All AADSTS numbers of an answer, in order: its list, then its words.
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

--- The words of an AADSTS error without the ids and the time behind them, which an
-- error has by itself.
-- @tparam string words
-- @treturn string
function M.shorten(words)
  return (words:gsub("%s*Trace ID:.*$", ""))
end

--- Classifies a refusal.
-- @tparam table read `code` (the name, such as "invalid_grant"), `message`,
-- `error_codes` (array of numbers)
-- @treturn[1] string kind of error
-- @treturn[1] string next step
-- @treturn[1] ?string number as it is known, such as "AADSTS50076"
-- @treturn[2] nil it is no refusal that RFC 6749 or Entra knows
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

return M
