--- `pcapi status`: shows what is known of the sign-in, without any request.
-- @module pcapi.cli.commands.status
local results = require "pcapi.cli.results"
local claims = require "pcapi.auth.claims"
local connect = require "pcapi.cli.connect"
local defaults = require "pcapi.defaults"
local exit = require "pcapi.cli.exit"
local errors = require "pcapi.error"
local options = require "pcapi.cli.options"
local output = require "pcapi.cli.output"
local terminal = require "pcapi.cli.terminal"
local text = require "pcapi.text"
local time = require "pcapi.time"

local M = {
  summary = "Show the signed-in user, the expiry, and whether MFA was used",
  about = "Show who is signed in, in which tenant, with or without MFA, and until when. The "
    .. "command reads the stored sign-in and sends no request. It exits with 4 if nobody is signed "
    .. "in, or without MFA.",
  options = {
    { "--all-profiles", about = "Show the status of every profile" },
    options.json '{"profiles": [ ... ]}',
  },
  common = { "--profile", "--config", "--token-stdin", "--quiet", "--color", "--help" },
  fields = {
    { "profile", "name of the profile" },
    { "signed_in", "true if there is a sign-in or a token" },
    { "user", "the user who signed in" },
    { "tenant_id", "GUID of the user's tenant" },
    { "client_id", "GUID of the application" },
    { "mfa", "yes, no or unknown" },
    { "sign_in_until", "when the sign-in ends, if it is not used before" },
    { "expires_at", "when the access token ends; it is renewed automatically" },
    { "renewed_at", "when the access token was last renewed" },
    { "signed_in_at", "when the user signed in" },
    { "audience", "the service that the access token is for" },
    { "source", "the file or variable of the sign-in" },
  },
  examples = {
    { "The default profile", "pcapi status" },
    { "All profiles, for a program", "pcapi status --all-profiles --json" },
  },
}

local SOON = 14 * 24 * 3600 -- seconds before its end that are worth a colour

local FIELDS = {}

for i, field in ipairs(M.fields) do
  FIELDS[i] = field[1]
end

local TITLES = { profile = "profile", user = "user", tenant_id = "tenant",
                 client_id = "application", mfa = "MFA", sign_in_until = "sign-in until",
                 expires_at = "access token until", renewed_at = "last renewed",
                 signed_in_at = "signed in at", audience = "service", source = "source" }

local MFA_STATES = { yes = "good", no = "bad" }

local function state_of_end(value, _, soon)
  local ends_at = value and time.parse(value)
  local left = ends_at and ends_at - os.time()
  return left and (left <= 0 and "bad" or left < (soon or SOON) and "warning") or nil
end

-- The states of values, as `pcapi.format` takes them.
local STATE = {
  signed_in = function(value)
    return not value and "bad" or nil
  end,
  mfa = function(value)
    return MFA_STATES[value]
  end,
  sign_in_until = state_of_end,
  expires_at = function(value, facts)
    return not facts.sign_in_until and state_of_end(value, facts, 0) or nil -- else it is renewed
  end,
}

-- The table of several profiles.
local VIEW = {
  columns = { "profile", "signed_in", "user", "tenant_id", "mfa", "sign_in_until" },
  titles = { profile = "PROFILE", signed_in = "SIGNED IN", user = "USER", tenant_id = "TENANT",
             mfa = "MFA", sign_in_until = "SIGN-IN UNTIL" },
  narrow = { { "tenant_id", 9 }, { "tenant_id", 0 }, { "sign_in_until", 11 }, { "signed_in", 4 } },
  state = STATE,
}

-- Notes behind values of a stored sign-in.
local NOTES = { sign_in_until = " (every use extends it; a revocation ends it)",
                expires_at = " (renewed automatically)" }

local function moment(epoch)
  return epoch and time.format(epoch) or nil
end

-- The claims of the token that was given or stored, what else is known of the sign-in, and
-- the source of both; or nil, nil, source and an error.
local function read_token(args, profile)
  local token, account, err = connect.source(args, profile)
  if token then
    return claims.read(token), {}, args.token_stdin and "standard input" or "PCAPI_TOKEN"
  elseif not account then
    return nil, nil, nil, err
  end
  local source = profile.settings:value "refresh_token" and "PCAPI_REFRESH_TOKEN"
    or account.stored:location()
  local known
  known, err = account:status()
  return known and known.claims, known, source, err
end

-- The facts to show, and the claims of the token; or the facts, nil and an error.
local function facts_of(args, profile)
  local token_claims, known, source, err = read_token(args, profile)
  local facts = { profile = profile.name, signed_in = token_claims ~= nil, mfa = "unknown",
                  source = source }
  if not token_claims then
    return facts, nil, err
  end
  facts.user, facts.tenant_id = token_claims.user, token_claims.tenant_id
  facts.audience, facts.mfa = token_claims.audience, token_claims.mfa
  facts.client_id = token_claims.application_id or known.client_id
  facts.expires_at = moment(known.expires_at or token_claims.expires_at)
  facts.renewed_at, facts.signed_in_at = moment(known.obtained_at), moment(known.signed_in_at)
  facts.sign_in_until = known.obtained_at and moment(known.obtained_at + defaults.refresh_life)
  return facts, token_claims
end

local function lines_of(args, facts)
  local paint = terminal.painter(args)
  local lines = {}
  for _, name in ipairs(FIELDS) do
    local value = facts[name]
    if TITLES[name] and value ~= nil then
      local state = STATE[name] and STATE[name](value, facts)
      lines[#lines + 1] = ("%-19s %s%s\n"):format(TITLES[name],
        paint(text.visible(tostring(value)), state), facts.sign_in_until and NOTES[name] or "")
    end
  end
  return table.concat(lines)
end

-- The facts of one of several tenants, and the error if it cannot be queried.
local function facts_of_tenant(tenant)
  if not tenant.profile then
    return { profile = tenant.name, signed_in = false, mfa = "unknown" }, tenant.err
  end
  local facts, token_claims, err = facts_of(tenant.args, tenant.profile)
  local problem = token_claims and connect.token_problem(token_claims)
  return facts, problem and errors.new { kind = "mfa_required", message = problem } or err
end

local function run_all(args)
  local rows, all = {}, {}
  for i, tenant in ipairs(require("pcapi.cli.tenant_list").choose(args)) do
    local err
    rows[i], err = facts_of_tenant(tenant)
    all[i] = { name = tenant.name, value = not err and {} or nil, err = err }
  end
  if args.json then
    output.json("profiles", rows, FIELDS)
  else
    output.table(args, rows, VIEW)
  end
  for _, result in ipairs(all) do
    if result.err then
      results.report_failure(result)
    end
  end
  results.finish(all)
end

--- Runs the command.
-- @tparam table args
function M.run(args)
  if args.all_profiles then
    return run_all(args)
  end
  local facts, token_claims, err = facts_of(args, connect.profile(args))
  if args.json then
    output.json("profiles", { facts }, FIELDS)
  elseif facts.signed_in then
    output.write(lines_of(args, facts))
  end
  if not facts.signed_in then
    exit.fail(err)
  end
  connect.require_usable(token_claims)
end

return M
