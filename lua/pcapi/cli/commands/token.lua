--- `pcapi token`: prints a token for other programs.
-- @module pcapi.cli.commands.token
local claims = require "pcapi.auth.claims"
local connect = require "pcapi.cli.connect"
local defaults = require "pcapi.defaults"
local exit = require "pcapi.cli.exit"
local output = require "pcapi.cli.output"
local terminal = require "pcapi.cli.terminal"
local time = require "pcapi.time"

local M = {
  summary = "Print an access token for other tools",
  about = "Print an access token of the stored sign-in for another tool. A token that has expired "
    .. "is renewed. Hand tokens on over a pipe, not as arguments: other users of the machine can "
    .. "read arguments.",
  options = {
    { "--refresh-token", key = "print_refresh_token", -- args.refresh_token would be a setting
      about = "Print the refresh token instead, for PCAPI_REFRESH_TOKEN" },
    { "--json", about = "Write JSON with the expiry and the account" },
  },
  fields = {
    { "access_token", "the access token; not with --refresh-token" },
    { "refresh_token", "the refresh token, with --refresh-token" },
    { "expires_at", "when the access token ends" },
    { "sign_in_until", "when the refresh token ends, if it is not used before" },
    { "profile", "name of the profile" },
    { "user", "the user who signed in" },
    { "tenant_id", "GUID of the user's tenant" },
    { "tenant", "the tenant, with --refresh-token" },
    { "client_id", "GUID of the application, with --refresh-token" },
    { "audience", "the service that the access token is for" },
  },
  examples = {
    { "Call the API by another tool", "{ printf 'Authorization: Bearer '; pcapi token; } | "
      .. "curl -H @- https://api.partnercenter.microsoft.com/v1/partnerRequests" },
    { "Store the refresh token for CI",
      "pcapi token --refresh-token | gh secret set PCAPI_REFRESH_TOKEN" },
  },
}

-- What is known of an access token; `known` is the status of the account that issued it.
local function access_facts(profile, token, known)
  local read = known and known.claims or claims.read(token)
  local expires_at = known and known.expires_at or read.expires_at
  return {
    access_token = token, expires_at = expires_at and time.format(expires_at),
    profile = known and profile.name, user = read.user, tenant_id = read.tenant_id,
    audience = read.audience,
  }
end

-- The newest refresh token of an account and what it needs elsewhere. The access token that was
-- just read or renewed is at most some minutes younger.
local function refresh_facts(profile, account, known)
  local record, err = account.stored:read()
  if not record then
    exit.fail(err)
  end
  return {
    refresh_token = record.refresh_token, tenant = known.tenant, client_id = known.client_id,
    sign_in_until = time.format(known.obtained_at + defaults.refresh_life),
    profile = profile.name, user = known.claims.user,
  }
end

local function facts_of(args)
  local profile = connect.profile(args)
  local token, account, err = connect.source(args, profile)
  if account then
    local context = connect.context(args, profile)
    token, err = account:token(nil, context)
    context.transport:close()
  end
  if not token then
    exit.fail(err)
  elseif not args.print_refresh_token then
    return access_facts(profile, token, account and account:status())
  elseif not account then
    exit.stop(exit.EXIT.usage, "an access token has no refresh token; leave out --refresh-token, "
      .. "or unset PCAPI_TOKEN")
  end
  return refresh_facts(profile, account, account:status())
end

--- Runs the command.
-- @tparam table args
function M.run(args)
  local facts = facts_of(args)
  if args.json then
    output.write(require("pcapi.format.jsonl").encode({ facts }, {
      columns = { "access_token", "refresh_token", "expires_at", "sign_in_until" },
    }))
  else
    output.write((facts.access_token or facts.refresh_token) .. "\n")
  end
  if facts.refresh_token and terminal.width(terminal.STDOUT) and not args.quiet then
    exit.say(("whoever reads this refresh token can sign in as %s; clear the screen, and use a "
      .. "pipe next time"):format(facts.user or "the user"))
  end
end

return M
