--- Default values of options and settings.
-- @module pcapi.defaults
return {
  base_url = "https://api.partnercenter.microsoft.com",

  -- Seconds for one call with its retries and pages. For more than 100,000 log entries the service
  -- needs minutes; Microsoft's own libraries allow three.
  timeout = 180,
  connect_timeout = 15, -- seconds
  login_timeout = 900, -- seconds for the user to sign in; Entra's device code is valid as long
  refresh_life = 90 * 24 * 3600, -- seconds that Entra accepts a refresh token after its issue

  max_body = 128 * 1024 * 1024, -- bytes of a response body; 10,000 records are about 4 MB
  max_list_body = 64 * 1024 * 1024, -- bytes; decoded records take over ten times as much memory
  max_records = 250000, -- of one list, over all its pages
  max_values = 2000000, -- JSON values of any other response

  -- Attempts in all, with the first one; seconds before the second attempt, doubled with each
  -- further one up to the cap.
  retry = { attempts = 4, base = 0.5, cap = 30 },

  concurrency = 50, -- requests in flight at once, of all tasks
  memory = 64 * 1024 * 1024, -- bytes of their responses
}
