--- `pcapi status`: what is known of the sign-in, without asking anybody.
-- @module pcapi.cli.status
local results = require "pcapi.cli.results"
local claims = require "pcapi.auth.claims"
local connect = require "pcapi.cli.connect"
local core = require "pcapi.core"
local exit = require "pcapi.cli.exit"
local errors = require "pcapi.error"
local output = require "pcapi.cli.output"
local text = require "pcapi.text"
local time = require "pcapi.time"

local M = {}

local UNUSED = 90 * 24 * 3600 -- seconds that a refresh token lives without being used

local FIELDS = { "profile", "signed_in", "user", "tenant_id", "client_id", "mfa", "sign_in_until",
                 "expires_at", "renewed_at", "signed_in_at", "audience", "source" }

local TITLES = { profile = "profile", user = "user", tenant_id = "tenant",
                 client_id = "application", mfa = "MFA", sign_in_until = "sign-in until",
                 expires_at = "access token until", renewed_at = "renewed",
                 signed_in_at = "signed in", audience = "for the service", source = "from" }

-- Of several profiles.
local COLUMNS = { "profile", "signed_in", "user", "tenant_id", "mfa", "sign_in_until" }
local HEADINGS = { profile = "PROFILE", signed_in = "SIGNED IN", user = "USER",
                   tenant_id = "TENANT", mfa = "MFA", sign_in_until = "SIGN-IN UNTIL" }

-- What stands behind a value, for people.
local NOTES = { sign_in_until = " at the least, unless it is revoked; longer with every use",
                expires_at = ", renewed by itself" }

local function moment(epoch)
  return epoch and time.format(epoch) or nil
end

-- The facts of a token that was given, or of the sign-in that is kept.
local function facts_of(args, profile)
  local facts = { profile = profile.name, signed_in = false, mfa = "unknown" }
  local token, account, err = connect.source(args, profile)
  local known, said
  if token then
    said, known = claims.read(token), {}
    facts.source = args.token_stdin and "standard input" or "PCAPI_TOKEN"
  elseif account then
    facts.source = profile.settings:value "refresh_token" and "PCAPI_REFRESH_TOKEN"
      or account.kept:place()
    known, err = account:status()
    said = known and known.claims
  end
  if not said then
    return facts, nil, err
  end
  facts.signed_in = true
  facts.user, facts.tenant_id, facts.audience = said.user, said.tenant_id, said.audience
  facts.client_id = said.application_id or known.client_id
  facts.mfa = said.mfa
  facts.expires_at = moment(known.expires_at or said.expires_at)
  facts.renewed_at, facts.signed_in_at = moment(known.obtained_at), moment(known.signed_in_at)
  facts.sign_in_until = known.obtained_at and moment(known.obtained_at + UNUSED)
  return facts, said
end

local function lines_of(facts)
  local lines = {}
  for _, name in ipairs(FIELDS) do
    if TITLES[name] and facts[name] ~= nil then
      lines[#lines + 1] = ("%-19s %s%s\n"):format(TITLES[name],
        text.visible(tostring(facts[name])), facts.sign_in_until and NOTES[name] or "")
    end
  end
  return table.concat(lines)
end

-- What is known of one of several tenants; and why it cannot be asked.
local function known_of(tenant)
  if not tenant.profile then
    return { profile = tenant.name, signed_in = false, mfa = "unknown" }, tenant.err
  end
  local facts, said, err = facts_of(tenant.args, tenant.profile)
  local fault = said and connect.fault(said)
  return facts, fault and errors.new { kind = "mfa_required", message = fault } or err
end

local function write_all(args, rows)
  if args.json then
    return output.write(require("pcapi.format.jsonl").encode(rows, { columns = FIELDS }))
  end
  local width = core.columns(output.STDOUT)
  output.write(require("pcapi.format.table").encode(rows, {
    columns = COLUMNS, titles = HEADINGS, width = width, color = output.wants_color(args, width),
  }))
end

local function run_all(args)
  local rows, answers = {}, {}
  for i, tenant in ipairs(require("pcapi.cli.tenant_list").choose(args)) do
    local err
    rows[i], err = known_of(tenant)
    answers[i] = { name = tenant.name, list = not err and {} or nil, err = err }
  end
  write_all(args, rows)
  for _, answer in ipairs(answers) do
    if answer.err then
      results.tell_failure(answer)
    end
  end
  results.finish(answers)
end

--- Runs the command.
-- @tparam table args
function M.run(args)
  if args.all_profiles then
    return run_all(args)
  end
  local facts, said, err = facts_of(args, connect.profile(args))
  if args.json then
    output.write(require("pcapi.format.jsonl").encode({ facts }, { columns = FIELDS }))
  elseif facts.signed_in then
    output.write(lines_of(facts))
  end
  if not facts.signed_in then
    exit.fail(err)
  end
  connect.judge(said)
end

return M
