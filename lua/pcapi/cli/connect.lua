--- From the words of the command line to a client: settings, token, connection, and
-- what people see while they wait.
-- @module pcapi.cli.connect
local client = require "pcapi.client"
local core = require "pcapi.core"
local exit = require "pcapi.cli.exit"
local errors = require "pcapi.error"
local input = require "pcapi.input"
local pcapi = require "pcapi"
local profiles = require "pcapi.settings.profiles"
local text = require "pcapi.text"

local M = {}

local STDERR = 2
local LONGEST = 65536 -- bytes of a token

--- Whether several tenants are to be asked.
-- @tparam table args
-- @treturn boolean
function M.is_for_many(args)
  return args.all_profiles or args.tenants ~= nil
end

--- Whether a token was given, so that no sign-in is needed. A flag that asks for profiles
-- or tenants wins over the environment's token.
-- @tparam table args
-- @treturn boolean
function M.has_token(args)
  local token = os.getenv "PCAPI_TOKEN"
  return args.token_stdin
    or not args.profile and not M.is_for_many(args) and token ~= nil and token ~= ""
end

--- Opens the profile that the arguments name.
-- @tparam table args
-- @tparam[opt] table more `getenv`, `file`, `given_token`, as `pcapi.profile.open` takes
-- them
-- @treturn[1] pcapi.settings.profiles
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function M.open(args, more)
  return profiles.open {
    flags = args, getenv = more.getenv or os.getenv, profile = args.profile,
    path = args.config_file, file = more.file, given_token = more.given_token,
  }
end

local function open_or_end(args, given_token)
  local profile, err = M.open(args, { given_token = given_token })
  if not profile then
    exit.fail(err)
  end
  return profile
end

--- The profile that the arguments name, for asking the service.
-- @tparam table args
-- @treturn pcapi.settings.profiles
function M.profile(args)
  return open_or_end(args, M.has_token(args))
end

--- The profile that the arguments name, with what is kept of it, whatever token is given.
-- @tparam table args
-- @treturn pcapi.settings.profiles
function M.kept_profile(args)
  return open_or_end(args, false)
end

-- The token that stands in for a sign-in.
local function given_token(args)
  if args.token_stdin then
    local token, why = io.stdin:read(LONGEST) -- nil also for an empty one
    if why then
      exit.stop(exit.EXIT.usage, "--token-stdin: standard input cannot be read: " .. why)
    end
    return token or "", "the token on standard input"
  elseif M.has_token(args) then
    return os.getenv "PCAPI_TOKEN", "the token in PCAPI_TOKEN"
  end
end

local function checked(token, source)
  local ok, why
  token, why = input.word(token)
  if token then
    ok, why = client.is_token(token)
  end
  if not ok then
    return nil, errors.new { kind = "unauthorized", message = source .. " " .. why }
  end
  return token
end

--- Where the tokens come from.
-- @tparam table args
-- @tparam pcapi.settings.profiles profile
-- @treturn[1] string a token that was given
-- @treturn[2] nil
-- @treturn[2] pcapi.auth.account
-- @treturn[3] nil
-- @treturn[3] nil
-- @treturn[3] pcapi.error
function M.source(args, profile)
  local token, source = given_token(args)
  if token then
    local good, err = checked(token, source)
    return good, nil, err
  end
  return nil, profile:account()
end

--- A line that counts, wiped when it is over; on a terminal only.
-- @tparam table args
-- @tparam string pattern for string.format
-- @treturn ?function takes the numbers of the pattern
-- @treturn function wipes
function M.progress(args, pattern)
  if args.quiet or not core.columns(STDERR) then
    return nil, function() end
  end
  local shown
  return function(...)
    shown = true
    io.stderr:write("\rpcapi: ", pattern:format(...), "\27[K")
  end, function()
    io.stderr:write(shown and "\r\27[K" or "")
  end
end

--- Where `--trace` writes.
-- @tparam table args
-- @treturn ?function
function M.tracer(args)
  local prefix = args.label and text.visible(args.label) .. ": " or "" -- of one among several
  return args.trace and function(line)
    io.stderr:write(prefix, line, "\n")
  end or nil
end

--- Why a token is of no use, as far as it tells: the service decides.
-- @tparam table said from `pcapi.auth.claims`
-- @treturn ?string
function M.fault(said)
  if said.subject == "app" then
    return "this token is an application's own; the calls about MFA take tokens of users only"
  elseif said.mfa == "no" then
    return "this sign-in came without MFA, and Partner Center will refuse it. Register a second "
      .. "factor for this user, or ask for a policy that wants one, and sign in again"
  end
end

--- Ends the command where a token is of no use. What was done stays done.
-- @tparam table said from `pcapi.auth.claims`
function M.judge(said)
  local fault = M.fault(said)
  if fault then
    exit.stop(exit.EXIT.sign_in, fault)
  end
end

--- Makes a client.
-- @tparam table args
-- @tparam pcapi.settings.profiles profile
-- @tparam ?function on_wait
-- @treturn[1] pcapi.client
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function M.client(args, profile, on_wait)
  local options = profile:client_options()
  local err
  options.token, options.auth, err = M.source(args, profile)
  if err then
    return nil, err
  end
  options.on_wait, options.trace = on_wait, M.tracer(args)
  options.user_agent = "pcapi-command"
  local made, mistake = pcapi.build(options)
  if not made then
    return nil, errors.new { kind = "config", message = mistake, hint = "See: pcapi config show" }
  end
  return made
end

--- A context for calls without a client, such as a sign-in.
-- @tparam table args
-- @tparam pcapi.settings.profiles profile
-- @tparam ?number timeout seconds, where no flag says otherwise; without it that of the
-- settings
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
