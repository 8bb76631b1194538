--- Makes a client of the arguments: profile, token and connection.
-- @module pcapi.cli.connect
local bearer = require "pcapi.auth.bearer"
local exit = require "pcapi.cli.exit"
local errors = require "pcapi.error"
local pcapi = require "pcapi"
local profiles = require "pcapi.settings.profiles"
local progress = require "pcapi.cli.progress"
local text = require "pcapi.text"

local M = {}

local LONGEST = 65536 -- bytes of a token

--- Whether the arguments name several tenants.
-- @tparam table args
-- @treturn boolean
function M.is_for_many(args)
  return args.all_profiles or args.tenants ~= nil
end

--- Whether the caller gave a token, so that no sign-in is needed. A flag that names a
-- profile or several tenants overrides the token of the environment.
-- @tparam table args
-- @treturn boolean
function M.has_token(args)
  local token = os.getenv "PCAPI_TOKEN"
  return args.token_stdin
    or not args.profile and not M.is_for_many(args) and token ~= nil and token ~= ""
end

--- Opens the profile that the arguments name.
-- @tparam table args
-- @tparam table more `getenv`, `file`, `given_token`, as for `pcapi.settings.profiles`
-- @treturn[1] pcapi.settings.profiles
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function M.open(args, more)
  return profiles.open {
    flags = args, getenv = more.getenv or os.getenv, profile = args.profile,
    path = args.config_file, file = more.file, given_token = more.given_token,
  }
end

local function open_or_stop(args, given_token)
  local profile, err = M.open(args, { given_token = given_token })
  if not profile then
    exit.fail(err)
  end
  return profile
end

--- The profile that the arguments name, for requests to the service.
-- @tparam table args
-- @treturn pcapi.settings.profiles
function M.profile(args)
  return open_or_stop(args, M.has_token(args))
end

--- The profile that the arguments name, with its stored sign-in even if a token is given.
-- @tparam table args
-- @treturn pcapi.settings.profiles
function M.stored_profile(args)
  return open_or_stop(args, false)
end

-- The token that replaces a sign-in, and the name of its source.
local function given_token(args)
  if args.token_stdin then
    local token, why = io.stdin:read(LONGEST) -- nil also when it is empty
    if why then
      exit.stop(exit.EXIT.usage, "--token-stdin: standard input cannot be read: " .. why)
    end
    return token or "", "the token on standard input"
  elseif M.has_token(args) then
    return os.getenv "PCAPI_TOKEN", "the token in PCAPI_TOKEN"
  end
end

--- The source of the tokens: a token that was given, or the profile's account.
-- @tparam table args
-- @tparam pcapi.settings.profiles profile
-- @treturn[1] string token
-- @treturn[2] nil
-- @treturn[2] pcapi.auth.account
-- @treturn[3] nil
-- @treturn[3] nil
-- @treturn[3] pcapi.error
function M.source(args, profile)
  local token, source = given_token(args)
  if token then
    local good, err = bearer.read(token, source)
    return good, nil, err
  end
  return nil, profile:account()
end

--- The function that writes the lines of `--trace`; nil without that flag.
-- @tparam table args
-- @treturn ?function
function M.tracer(args)
  local prefix = args.label and text.visible(args.label) .. ": " or "" -- for several tenants
  return args.trace and function(line)
    progress.log(prefix .. line)
  end or nil
end

--- Why the service will refuse a token, as far as its claims show.
-- @tparam table token_claims from `pcapi.auth.claims`
-- @treturn ?string nil when they show no reason
function M.token_problem(token_claims)
  if token_claims.subject == "app" then
    return "this is a token of an application; the MFA calls accept only tokens of users"
  elseif token_claims.mfa == "no" then
    return "this user signed in without MFA, and Partner Center will refuse the token. Register "
      .. "a second factor for the user, or require MFA by a policy, and sign in again"
  end
end

--- Stops the command if the service will refuse a token.
-- @tparam table token_claims from `pcapi.auth.claims`
function M.require_usable(token_claims)
  local problem = M.token_problem(token_claims)
  if problem then
    exit.stop(exit.EXIT.sign_in, problem)
  end
end

--- Makes a client.
-- @tparam table args
-- @tparam pcapi.settings.profiles profile
-- @tparam[opt] table hooks `on_wait` and `on_pause`, as for `pcapi.new`
-- @treturn[1] pcapi.client
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function M.client(args, profile, hooks)
  local options = profile:client_options()
  local err
  options.token, options.auth, err = M.source(args, profile)
  if err then
    return nil, err
  end
  options.on_wait, options.on_pause = hooks and hooks.on_wait, hooks and hooks.on_pause
  options.trace = M.tracer(args)
  options.user_agent = "pcapi-command"
  local made, why = pcapi.build(options)
  if not made then
    return errors.fail { kind = "config", message = why, hint = "See: pcapi config show" }
  end
  return made
end

--- A context for requests without a client, such as those of a sign-in.
-- @tparam table args
-- @tparam pcapi.settings.profiles profile
-- @tparam ?number timeout seconds; the flag overrides it, and the setting applies without it
-- @treturn table
function M.context(args, profile, timeout)
  local options = profile:client_options()
  local transport = require("pcapi.http.curl").new {
    ca_file = options.ca_file, ca_path = options.ca_path, proxy = options.proxy,
    no_proxy = options.no_proxy, user_agent = "pcapi-command",
  }
  if args.trace then
    transport = require("pcapi.http.trace").new(transport, M.tracer(args))
  end
  return require("pcapi.auth.context").new {
    transport = transport, timeout = args.timeout or timeout or options.timeout,
  }
end

return M
