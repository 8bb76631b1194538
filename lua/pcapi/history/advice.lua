--- The next step for a user without MFA, by the class of how the user comes. Pure; the texts are
-- for an administrator, and name where Microsoft says so.
-- @module pcapi.history.advice
local coverage = require "pcapi.history.coverage"
local time = require "pcapi.time"

local M = {}

-- `step` is for a table, `text` for an explanation. {user} and {application} are replaced.
local ADVICE = {
  portal = {
    step = "Require MFA for all cloud apps, then sign in anew",
    text = "{user} signs in to partner.microsoft.com without MFA. Require MFA by Conditional "
      .. "Access for all cloud apps, or turn on security defaults. Then have the user sign in "
      .. "anew.",
  },
  program = {
    step = "Renew the token of {application} by a sign-in with MFA",
    text = "{application} uses a token of {user} that was issued without MFA. Get a new refresh "
      .. "token by a sign-in with MFA (secure application model); renewing the old one never adds "
      .. "the claim.",
  },
  own_program = {
    step = "Renew the token of {application} by a sign-in with MFA",
    text = "Your application {application} uses a token of {user} that was issued without MFA. "
      .. "Get a new refresh token by a sign-in with MFA; renewing the old one never adds the "
      .. "claim. If it signs in with username and password (ROPC), MFA is impossible: use a "
      .. "refresh token, or an app-only call where the API allows it.",
    source = "learn.microsoft.com/entra/identity-platform/v2-oauth-ropc",
  },
  tool = {
    step = "Sign in again with MFA in {application}",
    text = "{user} works with {application}. Have the user sign in again with MFA, such as by "
      .. "az login or Connect-PartnerCenter.",
  },
  vendor = {
    step = "Give the consent of {application} again, with MFA",
    text = "{application} is neither yours nor Microsoft's. It acts with a consent of {user} that "
      .. "was given without MFA. Give the consent again in the vendor's console, as a user who "
      .. "passes MFA.",
  },
  application = {
    step = "Find out who runs {application}, and sign in there with MFA",
    text = "{application} acts for {user} without MFA. If it is yours, renew its refresh token by "
      .. "a sign-in with MFA. If it is a vendor's, give the consent again in the vendor's console, "
      .. "as a user who passes MFA.",
  },
  suspicious = {
    step = "Ask {user} whether this was {application}; it may be an attack",
    text = "{user} called Partner Center by the client of {application}. Office has no reason to "
      .. "do so, and a known tool of attackers does. Ask the user; if nobody knows of it, revoke "
      .. "the sessions of the user and look at the sign-in log.",
  },
  pcapi = {
    step = "Run pcapi login with MFA",
    text = "pcapi itself uses a token of {user} that was issued without MFA. Run pcapi login, as a "
      .. "user who passes MFA.",
  },
  guest = {
    step = "Require MFA of guests, or trust the MFA of their tenant",
    text = "{user} is a guest. Require MFA of guests in your tenant, or trust the MFA of their "
      .. "home tenant by cross-tenant access settings. Microsoft requires MFA of guests as well.",
    source = "learn.microsoft.com/partner-center/security/"
      .. "partner-security-requirements-mandating-mfa",
  },
  system = {
    step = "Find out who uses the system account {user}",
    text = "{user} has the name of a system account, such as of directory synchronization. It "
      .. "should not call Partner Center. Find out who uses it.",
  },
  unknown = {
    step = "Ask {user} how the sign-in was made",
    text = "The requests that are known do not reach back to the last sign-in of {user} without "
      .. "MFA, so the application is unknown.",
  },
  third_party = {
    step = "Have the MFA claim issued",
    text = "A prompt is not a claim. A federated identity provider must send the claim "
      .. "http://schemas.microsoft.com/claims/multipleauthn. Custom controls, as of old Duo, "
      .. "cannot satisfy it; use an external authentication method (Entra ID P1), or Entra MFA.",
    source = "learn.microsoft.com/entra/identity/conditional-access/controls",
  },
}

--- Classes that only the user can tell, such as `third_party`, are in no list of
-- `pcapi.history.classes`.
-- @tparam string class
-- @tparam table names `user` and `application`, as they are shown
-- @treturn table `step` (short), `text`, and `source` (an address without https://; nil: none)
function M.of(class, names)
  local advice = ADVICE[class]
  local function fill(text)
    return (text:gsub("{(%l+)}", function(name)
      return names[name] or "the " .. name
    end))
  end
  return { step = fill(advice.step), text = fill(advice.text), source = advice.source }
end

--- The next step for a user, whatever became of the finding.
-- @tparam table finding see `pcapi.history.outcomes`
-- @tparam string class the first of `pcapi.history.classes`
-- @tparam table names as for @{of}
-- @treturn string one line
function M.step(finding, class, names)
  if finding.exception then
    return ("none: excepted until %s"):format(finding.exception.ends)
  elseif finding.state == "healing" then
    return ("none: with MFA since %s; leaves the list about %s"):format(
      time.format_date(finding.mfa_at), time.format_date(finding.last_at + coverage.WINDOW))
  elseif finding.state == "fixed" then
    return ("none: with MFA since %s"):format(time.format_date(finding.mfa_at))
  elseif finding.state == "quiet" then
    return "ask the user: not seen for 7 days, and nothing proves a repair"
  elseif finding.state == "lost" then
    return "check whether the user was deleted: left the list early"
  end
  return M.of(class, names).step
end

return M
