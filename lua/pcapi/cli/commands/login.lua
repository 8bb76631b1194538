--- `pcapi login`: a user signs in, and the sign-in is stored. On a terminal it asks for what it
-- lacks, and tests each step afterwards.
-- @module pcapi.cli.commands.login
local browser = require "pcapi.cli.browser"
local claims = require "pcapi.auth.claims"
local connect = require "pcapi.cli.connect"
local defaults = require "pcapi.defaults"
local endpoints = require "pcapi.auth.endpoints"
local exit = require "pcapi.cli.exit"
local options = require "pcapi.cli.options"
local output = require "pcapi.cli.output"
local profiles = require "pcapi.settings.profiles"
local progress = require "pcapi.cli.progress"
local prompt = require "pcapi.cli.prompt"
local refusal = require "pcapi.auth.refusal"
local registration = require "pcapi.cli.registration"
local schema = require "pcapi.settings.schema"
local text = require "pcapi.text"

local M = {
  summary = "Sign in once, with MFA; later commands run unattended",
  about = {
    "Sign in as a user who passes MFA, and store the sign-in on this machine. Later commands run "
      .. "unattended as long as one of them runs at least once every 90 days.",
    "On a terminal it asks for the tenant and the client ID, shows how to register the "
      .. "application, and tests each step. It uses a browser on this machine if there is a "
      .. "desktop, else a code for any browser.",
    "The values of the options are stored with the sign-in, so later commands need none. To have "
      .. "several accounts, give each a --profile.",
  },
  options = {
    { "--browser", about = "Sign in with a browser on this machine" },
    { "--device-code", about = "Sign in with a code, in any browser" },
    { "--checklist", about = "Print how to register the application, and exit" },
    { "--claims", value = "JSON", check = options.json_object,
      about = "Claims that the service requires; needs --browser" },
  },
  common = { "--profile", "--tenant", "--client-id", "--client-secret-file", "--certificate",
             "--certificate-key", "--key-passphrase-file", "--cloud", "--login-url", "--config",
             "--base-url", "--ca-file", "--ca-path", "--timeout", "--quiet", "--verbose", "--trace",
             "--help" },
  examples = {
    { "Sign in for the first time; it asks for the rest", "pcapi login" },
    { "Sign in without questions", "pcapi login --tenant fabrikam.onmicrosoft.com "
      .. "--client-id 00000000-0000-0000-0000-000000000000" },
    { "Renew the sign-in of a profile, in a browser on this machine",
      "pcapi login --profile contoso --browser" },
    { "Print how to register the application", "pcapi login --checklist" },
  },
}

local ALWAYS_STORED = { tenant = true, client_id = true }

local function show_code(message)
  exit.say(text.visible(message))
end

local function show_address(address)
  exit.say("to sign in, open this address in a browser on this machine (or use --device-code):\n"
    .. address .. "\nIf the browser shows an error, press Ctrl-C and compare: "
    .. "pcapi login --checklist")
  local command = browser.command(browser.commands(os.getenv) or "", address)
  if command then
    os.execute(command)
  end
end

local function uses_browser(args)
  return args.browser or not args.device_code and prompt.can_ask()
    and browser.is_near(os.getenv)
end

local function flow_of(args, on_wait)
  if uses_browser(args) then
    return "authorization_code", { open = show_address, on_wait = on_wait,
                                   claims = args.claims }
  elseif args.claims then
    exit.stop(exit.EXIT.usage, "--claims needs --browser: a device code cannot carry them")
  end
  return "device_code", { on_code = show_code, on_wait = on_wait }
end

-- What is known of the registration, for `pcapi.cli.registration`.
local function known_of(settings)
  local values = settings.values
  local cloud = values.cloud or "global"
  local login = values.login_url or endpoints.clouds[cloud].login
  return { cloud = cloud, login = login:gsub("/+$", ""),
           tenant = values.tenant, client_id = values.client_id }
end

-- Settings of the environment may hold characters that move a terminal's cursor.
local function checklist_of(known)
  return text.visible(registration.checklist(known), true)
end

local function stop_for_lack(settings)
  local names, flags = {}, {}
  for _, name in ipairs { "tenant", "client_id" } do
    if not settings.values[name] then
      names[#names + 1] = "no " .. (name == "tenant" and "tenant" or "client ID")
      flags[#flags + 1] = name == "tenant" and "--tenant TENANT" or "--client-id ID"
    end
  end
  exit.stop(exit.EXIT.usage, ("%s %s set; use %s, or set %s in %s. How to register the "
    .. "application: pcapi login --checklist"):format(table.concat(names, " and "),
    #names > 1 and "are" or "is", table.concat(flags, " and "), #names > 1 and "them" or "it",
    settings.path or "PCAPI_CONFIG"))
end

local function answer_or_stop(...)
  local answer = prompt.ask(...)
  if not answer then
    exit.stop(exit.EXIT.usage, "cancelled; nothing was stored")
  end
  return answer
end

local function ask_tenant()
  exit.say "Partner tenant: its ID or domain, such as fabrikam.onmicrosoft.com (Entra > Overview)"
  return answer_or_stop("Tenant:", registration.check_tenant)
end

local function ask_client_id(args, known)
  if not args.quiet then
    io.stderr:write("\n", checklist_of(known), "\n")
  end
  exit.say("Application (client) ID: Entra > App registrations > the application > Overview")
  local id = answer_or_stop("Client ID:", function(answer)
    return registration.check_client_id(answer, known.tenant)
  end)
  known.client_id = id
  if not args.quiet then
    exit.say("unless it was granted before, an administrator grants consent (step 4) at\n"
      .. registration.consent_url(known))
  end
  return id
end

-- The profile and the arguments, with the answers of the user for what is missing.
local function completed(args)
  local profile = connect.stored_profile(args)
  local known = known_of(profile.settings)
  if known.tenant and known.client_id then
    return profile, args
  elseif not prompt.can_ask() then
    stop_for_lack(profile.settings)
  end
  known.tenant = known.tenant or ask_tenant()
  known.client_id = known.client_id or ask_client_id(args, known)
  local own = setmetatable({ tenant = known.tenant, client_id = known.client_id },
    { __index = args })
  return connect.stored_profile(own), own
end

-- Names the variables that later commands need again: cron has another environment.
local function warn_of_variables(settings)
  local variables = {}
  for _, setting in ipairs(schema.settings) do
    local origin = settings.origins[setting.name] or ""
    if origin:find "^environment" and not setting.replaces_sign_in
      and not ALWAYS_STORED[setting.name] then
      variables[#variables + 1] = origin:match "%S+$"
    end
  end
  if #variables > 0 then
    exit.say("not stored; set these variables for later commands, too: "
      .. table.concat(variables, ", "))
  end
end

local function report(args, profile, user)
  if args.quiet then
    return
  end
  exit.say(("signed in as %s, profile %s; the sign-in is stored in %s"):format(
    user or "a user that the token does not name", profile.name, profile.stored:location()))
  warn_of_variables(profile.settings)
  for _, variable in ipairs { "PCAPI_TOKEN", "PCAPI_REFRESH_TOKEN" } do
    if (os.getenv(variable) or "") ~= "" then
      exit.say(("%s is set and overrides this sign-in; unset it, or use --profile %s"):format(
        variable, profile.name))
    end
  end
end

-- After a policy that blocks device codes: nothing is stored, so the command needs all flags.
local function advise_browser(err, profile, known)
  local command = profiles.how_to_sign_in(profile.name)
  err.hint = err.hint:gsub("pcapi login", function()
    return ("%s --tenant %s --client-id %s"):format(command, known.tenant, known.client_id)
  end)
end

local function fail(err, profile, kind)
  local known = known_of(profile.settings)
  if kind == "device_code" and refusal.class_of(err) == "device_code_policy" then
    advise_browser(err, profile, known)
  end
  local step = registration.advice(err, known)
  exit.stop(exit.status_of(err), tostring(err) .. (step and "\npcapi: " .. step or ""))
end

local function sign_in(args, profile)
  local on_wait, wipe = progress.start(args, "waiting for the sign-in, %.0f s left")
  local kind, more = flow_of(args, on_wait)
  more.settings = profile.settings:to_store(os.getenv "PWD")
  local account, err = profile:account(kind, more)
  local token
  if account then
    token, err = account:sign_in(connect.context(args, profile, defaults.login_timeout))
  end
  wipe()
  if not token then
    fail(err, profile, kind)
  end
  return token
end

local function report_step(row, err, known)
  local lines = { ("failed: %s: %s"):format(row.step, row.detail or "") }
  lines[#lines + 1] = row.next_step
  lines[#lines + 1] = err and registration.advice(err, known)
  for _, line in ipairs(lines) do
    exit.say(line)
  end
end

-- Tests each step by `pcapi doctor`, and says what to run next.
local function test_steps(args, profile)
  -- the stored sign-in, not a token of the environment
  local own = setmetatable({ profile = profile.name, token_stdin = false }, { __index = args })
  local on_step, wipe = progress.start(args, "testing the sign-in: %s")
  local last
  local tested = require("pcapi.cli.commands.doctor").test(own, function(row, err)
    last = row
    if row.status == "failed" then
      wipe()
      report_step(row, err, known_of(profile.settings))
    elseif on_step then
      on_step(row.step)
    end
  end)
  wipe()
  local selected = profile.name ~= "default" and " --profile " .. profile.name or ""
  if tested.status ~= exit.EXIT.ok then
    exit.stop(tested.status, ("the sign-in is stored; when the step is corrected, run: pcapi%s "
      .. "doctor"):format(selected))
  end
  exit.say(("each step of pcapi doctor succeeds: %s. Next: pcapi%s non-mfa"):format(last.detail,
    selected))
end

--- Runs the command.
-- @tparam table args
function M.run(args)
  if args.checklist then
    return output.write(checklist_of(known_of(connect.stored_profile(args).settings)))
  end
  local profile
  profile, args = completed(args)
  local token_claims = claims.read(sign_in(args, profile))
  report(args, profile, token_claims.user)
  connect.require_usable(token_claims)
  if prompt.can_ask() and not args.quiet then
    test_steps(args, profile)
  end
end

return M
