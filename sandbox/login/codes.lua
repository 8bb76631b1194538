--- Lists the AADSTS codes of the sign-in's errors, with their texts and their OAuth errors.
--
-- Taken from Microsoft's list of AADSTS codes. {words} are filled in for each response.
local MUST_USE_MFA = "Due to a configuration change made by your administrator, or because you "
  .. "moved to a new location, you must %s to access '{resource}'."

-- Grouped by OAuth error. `v1` is the error of the version 1 endpoint, if it differs.
local CLASSES = {
  { error = "invalid_grant", v1 = "interaction_required", suberror = "basic_action",
    claims = true, texts = {
    [50072] = MUST_USE_MFA:format("enroll in multi-factor authentication"),
    [50074] = "Strong Authentication is required.",
    [50076] = MUST_USE_MFA:format("use multi-factor authentication"),
    [50078] = "Presented multi-factor authentication has expired due to policies configured by "
      .. "your administrator, you must refresh your multi-factor authentication to access "
      .. "'{resource}'.",
    [50079] = MUST_USE_MFA:format("enroll in multi-factor authentication"),
    [50158] = "External security challenge not satisfied. User will be redirected to another "
      .. "page or authentication provider to satisfy additional authentication challenges.",
    [53004] = "You need to complete a registration process before you can access this content. "
      .. "Please contact your admin.",
  } },
  { error = "invalid_grant", suberror = "bad_token", texts = {
    [50089] = "Flow token expired. Authentication failed.",
    [50132] = "The credentials have been revoked: the password expired or was changed recently.",
    [50133] = "Session is invalid due to password expiration or recent password change.",
    [50173] = "The provided grant has expired due to it being revoked, a fresh auth token is "
      .. "needed. The user might have changed or reset their password. The grant was issued on "
      .. "'{issued}' and the TokensValidFrom date (before which tokens are not valid) for this "
      .. "user is '{now}'.",
  } },
  { error = "invalid_grant", suberror = "token_expired", texts = {
    [70043] = "The refresh token has expired or is invalid due to sign-in frequency checks by "
      .. "conditional access. The token was issued on {issued} and the maximum allowed lifetime "
      .. "for this request is 86400.",
  } },
  { error = "invalid_grant", texts = {
    [54005] = "OAuth2 Authorization code was already redeemed, please retry with a new valid code "
      .. "or use an existing refresh token.",
    [70000] = "Provided grant is invalid or malformed.",
    [70008] = "The provided authorization code or refresh token has expired due to inactivity. "
      .. "Send a new interactive authorization request for this user and resource.",
    [700082] = "The refresh token has expired due to inactivity. The token was issued on {issued} "
      .. "and was inactive for 90.00:00:00.",
    [700084] = "The refresh token was issued to a single page app (SPA), and therefore has a "
      .. "fixed, limited lifetime of 1.00:00:00, which cannot be extended. It is now expired and "
      .. "a new sign in request must be sent by the SPA to the sign in page. The token was issued "
      .. "on {issued}.",
    [501481] = "The Code_Verifier does not match the code_challenge supplied in the authorization "
      .. "request.",
    [50105] = "Your administrator has configured the application ('{client}') to block users "
      .. "unless they are specifically granted ('assigned') access to the application.",
    [50131] = "Device is not in required device state, or the request was blocked due to "
      .. "suspicious activity, access policy, or security policy decisions.",
  } },
  { error = "invalid_grant", suberror = "message_only", claims = true, texts = {
    [53000] = "Device is not in required device state: compliant. Conditional Access policy "
      .. "requires a compliant device, and the device is not compliant.",
    [53001] = "Device is not in required device state: domain_joined.",
    [53002] = "The application used is not an approved application for Conditional Access.",
    [53003] = "Access has been blocked by Conditional Access policies. The access policy does not "
      .. "allow token issuance.",
    [530032] = "Access has been blocked by a security policy of the tenant.",
    [530035] = "Access has been blocked by security defaults.",
  } },
  { error = "invalid_grant", suberror = "consent_required", texts = {
    [65001] = "The user or administrator has not consented to use the application with ID "
      .. "'{client}' named 'pcapi'. Send an interactive authorization request for this user and "
      .. "resource.",
  } },
  { error = "access_denied", texts = {
    [65004] = "User declined to consent to access the app.",
    [90094] = "Admin consent is required for the permissions requested by this application.",
  } },
  { error = "invalid_client", texts = {
    [65005] = "The application '{client}' asked for scope or resource that is not in its required "
      .. "resource access list.",
    [650052] = "The app is trying to access a service '{resource}' that your organization "
      .. "'{tenant}' lacks a service principal for. Contact your IT Admin to review the "
      .. "configuration of your service subscriptions or consent to the application.",
    [500112] = "The reply address does not match the reply address provided when requesting "
      .. "Authorization code.",
    [50194] = "Application '{client}' is not configured as a multi-tenant application. Usage of "
      .. "the /common endpoint is not supported for such applications. Use a tenant-specific "
      .. "endpoint or configure the application to be multi-tenant.",
    [70002] = "Error validating credentials. The specified client_secret does not match the "
      .. "expected value for this client.",
    [7000215] = "Invalid client secret provided. Ensure the secret being sent in the request is "
      .. "the client secret value, not the client secret ID, for a secret added to app "
      .. "'{client}'.",
    [7000218] = "The request body must contain the following parameter: 'client_assertion' or "
      .. "'client_secret'.",
    [7000222] = "The provided client secret keys for app '{client}' are expired. Visit the Azure "
      .. "portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider "
      .. "using certificate credentials for added security: https://aka.ms/certCreds.",
    [700024] = "Client assertion is not within its valid time range. Current time: {now}, {range}.",
    [700025] = "Client is public so neither 'client_assertion' nor 'client_secret' should be "
      .. "presented.",
    [700027] = "Client assertion failed signature validation. [Reason - {reason}]",
    [50012] = "Authentication failed. Client assertion contains an invalid signature.",
    [900382] = "Confidential Client is not supported in Cross Cloud request.",
    [900432] = "Confidential Client is not supported in Cross Cloud request.",
  } },
  { error = "unauthorized_client", texts = {
    [650057] = "Invalid resource. The client has requested access to a resource which is not "
      .. "listed in the requested permissions in the client's application registration. Client app "
      .. "ID: {client}(pcapi). Resource value from request: {resource}.",
    [700016] = "Application with identifier '{client}' was not found in the directory '{tenant}'. "
      .. "This can happen if the application has not been installed by the administrator of the "
      .. "tenant or consented to by any user in the tenant. You may have sent your authentication "
      .. "request to the wrong tenant.",
    [90099] = "The application '{client}' (pcapi) has not been authorized in the tenant "
      .. "'{tenant}'. Applications must be authorized to access the customer tenant before "
      .. "partner delegated administrators can use them.",
  } },
  { error = "invalid_resource", texts = {
    [50001] = "Resource identifier is not provided, or the resource is disabled or does not exist.",
    [500011] = "The resource principal named {resource} was not found in the tenant named "
      .. "{tenant}. This can happen if the application has not been installed by the "
      .. "administrator of the tenant or consented to by any user in the tenant. You might have "
      .. "sent your authentication request to the wrong tenant.",
  } },
  { error = "invalid_scope", texts = {
    [28002] = "Provided value for the input parameter scope '{scope}' is not valid when requesting "
      .. "an access token. Please specify a valid scope.",
    [70011] = "The provided request must include a 'scope' input parameter. The provided value "
      .. "for the input parameter 'scope' is not valid. The scope {scope} is not valid.",
    [700022] = "The provided value for the input parameter scope is not valid because it contains "
      .. "more than one resource.",
  } },
  { error = "invalid_request", texts = {
    [50011] = "The redirect URI specified in the request does not match the redirect URIs "
      .. "configured for the application '{client}'.",
    [50059] = "No tenant-identifying information found in either the request or implied by any "
      .. "provided credentials.",
    [50147] = "Missing or invalid size of the code_challenge parameter.",
    [90002] = "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and "
      .. "are signing into the correct cloud. Check with your subscription administrator, this "
      .. "may happen if there are no active subscriptions for the tenant.",
    [90014] = "The required field '{name}' is missing from the credential. Ensure that you have "
      .. "all the necessary parameters for the login request.",
    [90038] = "The specified tenant '{tenant}' belongs to the National Cloud "
      .. "'MicrosoftOnline.US'. Current cloud instance 'MicrosoftOnline.COM' does not federate "
      .. "with MicrosoftOnline.US.",
    [900144] = "The request body must contain the following parameter: '{name}'.",
    [9000411] = "The request is not properly formatted. The parameter '{name}' is duplicated.",
    [900561] = "The endpoint only accepts {verb} requests. Received a {method} request.",
    [901002] = "The 'resource' request parameter is not supported.",
    [9001023] = "The grant type is not supported over the /common or /consumers endpoints. Please "
      .. "use the /organizations or tenant-specific endpoint.",
    [9002313] = "Invalid request. Request is malformed or invalid.",
    [70007] = "'{name}' is not a supported value of 'response_mode' when requesting a token.",
  } },
  { error = "unsupported_response_type", texts = {
    [700054] = "response_type '{name}' is not enabled for the application.",
  } },
  { error = "unsupported_grant_type", texts = {
    [70003] = "The app requested an unsupported grant type '{grant}'.",
  } },
  { error = "temporarily_unavailable", status = 503, texts = {
    [50033] = "A transient error has occurred. Please try again.",
    [50087] = "A transient error has occurred during strong authentication. Please try again.",
    [90006] = "The service is temporarily unavailable. Please retry later.",
    [90012] = "The request has timed out.",
    [90024] = "RequestBudgetExceededError - A transient error has occurred. Please try again.",
    [90033] = "A transient error has occurred. Please try again.",
    [90055] = "The tenant is throttled due to too many incoming requests.",
    [90090] = "GraphRetryableError - The service is temporarily unavailable.",
  } },
  { error = "server_error", status = 500, texts = {
    [50000] = "There was an error issuing a token or an issue with our sign-in service.",
  } },
  { error = "invalid_grant", texts = {
    [50196] = "The server terminated an operation because it encountered a client request loop. "
      .. "Please contact your app vendor.",
  } },
  { error = "authorization_pending", texts = {
    [70016] = "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
  } },
  { error = "bad_verification_code", texts = {
    [70018] = "Invalid verification code. The provided value for the input parameter "
      .. "'device_code' is not valid.",
  } },
  { error = "expired_token", texts = {
    [70019] = "The verification code has expired. Have the user retry the sign-in.",
  } },
}

local M = {}

for _, class in ipairs(CLASSES) do
  for code, text in pairs(class.texts) do
    M[code] = { error = class.error, v1 = class.v1, status = class.status, text = text,
                suberror = class.suberror, claims = class.claims }
  end
end

return M
