local mfa = require "pcapi.service.mfa"

describe("a text", function()
  describe("asks for MFA:", function()
    for _, text in ipairs {
      "Unauthorized - MFA required", "MFA is required.", "Authentication failed. MFA required.",
      "MFA is required for App+User access to this resource.", "MFA required to read this",
      "MFA is required here", "MFA claim missing in the token", "Access denied (MFA required)",
      "Multi-factor authentication is required.", "Multifactor authentication required",
      "Multi-Factor Authentication (MFA) is mandatory", "Two-factor authentication is needed",
      "Due to a change you must use multi-factor authentication to access 'x'.",
      "This call requires MFA", "The token has no MFA claim", "It was issued without MFA.",
      "The token lacks a valid MFA claim.", "The MFA claim was not found in the token.",
      "The token is not MFA compliant", "Please sign in again with MFA.", "2FA is required",
      "Forbidden: mfa is enforced for partners", "MFA has not been completed",
      "kim@fabrikam.example did not complete MFA", '"MFA is required"',
      "The user 'svc-noMFA@fabrikam.example' must perform MFA",
      "The user's token is not valid: MFA is missing", "Kim has not completed MFA",
      "The access token does not contain the MFA claim.", "The user is not MFA-compliant",
      "Sign-ins without MFA are blocked", "Access without MFA is not allowed",
      "The MFA check failed", "The sign-in did not include multi factor authentication",
    } do
      it(("%q"):format(text), function()
        assert.is_true(mfa.is_asked_for(text))
      end)
    end
  end)

  describe("does not ask for MFA:", function()
    for _, text in ipairs {
      "", "MFA", "User adm.MFA-required@contoso.example may not read this",
      "User svcnoMFA may not read this", "Users of the group MFA-exempt may not read this",
      "The group no-MFA is not allowed here", "User 'Kim No MFA' is not allowed",
      'The application "MFA required" is disabled', "User ‘O'Brien without MFA’ is unknown",
      "The policy `Require MFA` blocks this", "User Break Glass MFA Service is not allowed",
      "Kim No MFA Account is not permitted", "It requires the MFA administrator role",
      "See https://docs.example/mfa/required for the role", "CONTOSO\\noMFA is required to sign up",
      "/users/5f0b3c1e-0000-4000-8000-000000000001/without MFA.txt",
      "MFA is not required for this, but a role is", "This call does not require MFA",
      "It needs no MFA", "MFA was completed; the role is missing", "MFA status: satisfied",
      "User no MFA is not allowed", "User Require MFA is not allowed here",
      "svc.mfa is required to have a role", "MFA_required_group is not allowed",
      "The group MFA Required Users may not read this", "Access for MFA missing Reports is denied",
      "Application MFA Required Portal was not found",
    } do
      it(("%q"):format(text), function()
        assert.is_false(mfa.is_asked_for(text))
      end)
    end
  end)

  it("may hold any bytes, and any number of them", function()
    for _, text in ipairs { "\0\255\128", ("'"):rep(1e5), ("mfa "):rep(1e5), ("a/"):rep(1e5),
                            ("multi"):rep(1e5), ("("):rep(1e5), ("\226\128"):rep(1e5) } do
      assert.is_false(mfa.is_asked_for(text))
    end
  end)
end)
