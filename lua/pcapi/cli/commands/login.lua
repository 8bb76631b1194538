--- `pcapi login`: a user signs in, and the sign-in is stored.
-- @module pcapi.cli.commands.login
local browser = require "pcapi.cli.browser"
local claims = require "pcapi.auth.claims"
local defaults = require "pcapi.defaults"
local schema = require "pcapi.settings.schema"
local connect = require "pcapi.cli.connect"
local core = require "pcapi.core"
local exit = require "pcapi.cli.exit"
local options = require "pcapi.cli.options"
local progress = require "pcapi.cli.progress"
local text = require "pcapi.text"

local M = {
  summary = "Sign in once, with MFA; later commands run unattended",
  notes = "The first login needs --tenant and --client-id. The options are stored with the "
    .. "sign-in. To keep several accounts, give each a --profile.",
}

function M.define(command)
  command:flag("--browser", "Sign in with a browser on this machine, without a code")
  command:option("--claims", "Claims that the service requires; needs --browser"):argname("JSON")
    :convert(options.json_object)
end

local STDERR = 2
local ALWAYS_STORED = { tenant = true, client_id = true }

-- Opens a browser on a desktop, or as BROWSER says. The address was printed before.
local function open_browser(address)
  local named = os.getenv "BROWSER"
  if (named or "") == "" then
    named = core.columns(STDERR) and "xdg-open" or ""
  end
  local command = browser.command(named, address)
  if command then
    os.execute(command)
  end
end

local function show_code(message)
  exit.say(text.visible(message))
end

local function show_address(address)
  exit.say("to sign in, open this address in a browser on this machine (without a browser, "
    .. "omit --browser):\n" .. address)
  open_browser(address)
end

local function flow_of(args, on_wait)
  if args.browser then
    return "authorization_code", { open = show_address, on_wait = on_wait,
                                   claims = args.claims }
  elseif args.claims then
    exit.stop(exit.EXIT.usage, "--claims needs --browser: a device code cannot carry them")
  end
  return "device_code", { on_code = show_code, on_wait = on_wait }
end

local function require_account(settings)
  for _, name in ipairs { "tenant", "client_id" } do
    if not settings.values[name] then
      exit.stop(exit.EXIT.usage, ("no %s is set; use --%s, or set it in %s"):format(
        name:gsub("_", " "), name:gsub("_", "-"), settings.path or "PCAPI_CONFIG"))
    end
  end
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

--- Runs the command.
-- @tparam table args
function M.run(args)
  local profile = connect.stored_profile(args)
  require_account(profile.settings)
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
    exit.fail(err)
  end
  local token_claims = claims.read(token)
  report(args, profile, token_claims.user)
  connect.require_usable(token_claims)
end

return M
