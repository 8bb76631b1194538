--- `pcapi login`: a person signs in once, and the sign-in is kept.
-- @module pcapi.cli.login
local claims = require "pcapi.auth.claims"
local connect = require "pcapi.cli.connect"
local core = require "pcapi.core"
local ending = require "pcapi.cli.ending"
local text = require "pcapi.format.text"

local M = {}

local STDERR = 2
local PATIENCE = 900 -- seconds; as long as Entra's code lives

-- Opens a browser where there is one to see. Never the only way: the address was
-- printed before.
local function open_browser(address)
  local browser = os.getenv "BROWSER"
  if not browser or browser == "" then
    browser = core.columns(STDERR) and "xdg-open" or nil
  end
  if browser and address:find "^https://[%w%-._~:/?&=%%%[%]]*$" then
    os.execute(("%s '%s' >/dev/null 2>&1 &"):format(browser, address))
  end
end

local function ask_for_code(message)
  ending.say(text.visible(message))
end

local function ask_for_browser(address)
  ending.say("to sign in, open this address in a browser on this machine:\n" .. address)
  open_browser(address)
end

local function flow_of(args, on_wait)
  if args.browser then
    return "authorization_code", { open = ask_for_browser, on_wait = on_wait,
                                   claims = args.claims }
  elseif args.claims then
    ending.stop(ending.EXIT.usage, "--claims needs --browser: a device code cannot carry them")
  end
  return "device_code", { prompt = ask_for_code, on_wait = on_wait }
end

local function tell(profile, token, quiet)
  local said = claims.read(token)
  if not quiet then
    ending.say(("signed in as %s, profile %s; the sign-in is kept in %s"):format(
      text.visible(said.user or "somebody that the token does not name"), profile.name,
      profile.store:path(profile.name)))
  end
  if said.mfa == "no" then
    ending.say "this sign-in came without MFA, and Partner Center will refuse it; register a "
    ending.say "second factor for this user, or ask for a policy that wants one, and sign in again"
  elseif said.subject == "app" then
    ending.say "this token is an application's own; the calls about MFA take tokens of users only"
  end
end

--- Runs the command.
-- @tparam table args
function M.run(args)
  local profile = connect.sign_in(args)
  for _, name in ipairs { "tenant", "client_id" } do
    if not profile.settings.values[name] then
      ending.stop(ending.EXIT.usage, ("which %s? Give --%s, or set it in %s"):format(
        name:gsub("_", " "), name:gsub("_", "-"), profile.settings.path or "PCAPI_CONFIG"))
    end
  end
  local on_wait, wipe = connect.progress(args, "waiting for the sign-in, %.0f s left")
  local kind, more = flow_of(args, on_wait)
  more.settings = profile.settings:to_keep(os.getenv "PWD")
  local account, err = profile:account(kind, more)
  local token
  if account then
    token, err = account:sign_in(connect.context(args, profile, args.timeout or PATIENCE))
  end
  wipe()
  if not token then
    ending.fail(err)
  end
  tell(profile, token, args.quiet)
end

return M
