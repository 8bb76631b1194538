--- `pcapi login`: a person signs in once, and the sign-in is kept.
-- @module pcapi.cli.login
local browser = require "pcapi.cli.browser"
local claims = require "pcapi.auth.claims"
local defaults = require "pcapi.defaults"
local resolve = require "pcapi.settings.resolve"
local connect = require "pcapi.cli.connect"
local core = require "pcapi.core"
local exit = require "pcapi.cli.exit"
local text = require "pcapi.text"

local M = {}

local STDERR = 2
local ALWAYS_KEPT = { tenant = true, client_id = true }

-- Opens a browser where there is one to see. Never the only way: the address was
-- printed before.
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

local function ask_for_code(message)
  exit.say(text.visible(message))
end

local function ask_for_browser(address)
  exit.say("to sign in, open this address in a browser on this machine; where there is none, "
    .. "leave --browser out\n" .. address)
  open_browser(address)
end

local function flow_of(args, on_wait)
  if args.browser then
    return "authorization_code", { open = ask_for_browser, on_wait = on_wait,
                                   claims = args.claims }
  elseif args.claims then
    exit.stop(exit.EXIT.usage, "--claims needs --browser: a device code cannot carry them")
  end
  return "device_code", { on_code = ask_for_code, on_wait = on_wait }
end

local function need_account(settings)
  for _, name in ipairs { "tenant", "client_id" } do
    if not settings.values[name] then
      exit.stop(exit.EXIT.usage, ("which %s? Give --%s, or set it in %s"):format(
        name:gsub("_", " "), name:gsub("_", "-"), settings.path or "PCAPI_CONFIG"))
    end
  end
end

-- What later commands need again, as it is not kept: cron has another environment.
local function tell_what_is_not_kept(settings)
  local variables = {}
  for _, setting in ipairs(resolve.settings) do
    local origin = settings.origins[setting.name] or ""
    if origin:find "^environment" and not setting.sign_in and not ALWAYS_KEPT[setting.name] then
      variables[#variables + 1] = origin:match "%S+$"
    end
  end
  if #variables > 0 then
    exit.say("not kept, and needed by later commands, too: " .. table.concat(variables, ", "))
  end
end

local function tell(args, profile, said)
  if args.quiet then
    return
  end
  exit.say(("signed in as %s, profile %s; the sign-in is kept in %s"):format(
    said.user or "somebody that the token does not name", profile.name,
    profile.kept:place()))
  tell_what_is_not_kept(profile.settings)
  for _, variable in ipairs { "PCAPI_TOKEN", "PCAPI_REFRESH_TOKEN" } do
    if (os.getenv(variable) or "") ~= "" then
      exit.say(("%s is set and will be used in place of this sign-in; unset it, or give "
        .. "--profile %s"):format(variable, profile.name))
    end
  end
end

--- Runs the command.
-- @tparam table args
function M.run(args)
  local profile = connect.kept_profile(args)
  need_account(profile.settings)
  local on_wait, wipe = connect.progress(args, "waiting for the sign-in, %.0f s left")
  local kind, more = flow_of(args, on_wait)
  more.settings = profile.settings:to_keep(os.getenv "PWD")
  local account, err = profile:account(kind, more)
  local token
  if account then
    token, err = account:sign_in(connect.context(args, profile, defaults.login_timeout))
  end
  wipe()
  if not token then
    exit.fail(err)
  end
  local said = claims.read(token)
  tell(args, profile, said)
  connect.judge(said)
end

return M
