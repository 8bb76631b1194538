--- `pcapi doctor`: tests each step from the configuration to a call of the service. A step
-- that depends on a failed one is reported as not tested.
-- @module pcapi.cli.commands.doctor
local claims = require "pcapi.auth.claims"
local connect = require "pcapi.cli.connect"
local exit = require "pcapi.cli.exit"
local headers = require "pcapi.http.headers"
local limits = require "pcapi.http.limits"
local json = require("pcapi.cli.options").json
local output = require "pcapi.cli.output"
local pcapi = require "pcapi"
local terminal = require "pcapi.cli.terminal"
local text = require "pcapi.text"
local time = require "pcapi.time"
local url = require "pcapi.url"

local M = {
  summary = "Test configuration, sign-in and connection step by step",
  about = "Test each step from the configuration to a call of the service, and show what to do "
    .. "next if a step fails. The exit status is 0 if all steps succeed, else that of the first "
    .. "failed step.",
  options = { json '{"steps": [ ... ], "status": "ok" or "failed"}' },
  fields = {
    { "step", "name of the step" },
    { "status", "of a step: ok, failed or not tested" },
    { "detail", "what was found" },
    { "next_step", "what to do, if the step failed" },
  },
  examples = {
    { "After the first sign-in, or if a command fails", "pcapi doctor" },
    { "Another profile, with each request, as JSON",
      "pcapi doctor --profile contoso --trace --json" },
  },
}

local HOST_TIMEOUT = 30 -- seconds to reach a host; the call itself may take minutes
local LARGEST_DRIFT = 300 -- seconds that Entra allows a clock to differ
local EARLIEST = 1793491200 -- 2026-11-01: no right clock says an earlier time

local OK, FAILED, NOT_TESTED = "ok", "failed", "not tested"

-- Every step, in order.
local STEPS = { "configuration", "sign-in", "sign-in name", "sign-in connection", "sign-in TLS",
                "clock", "token endpoint", "token claims", "service name", "service connection",
                "service TLS", "call" }

-- The step that follows if there are channels.
local CHANNELS = "channels"

-- A list of the steps and their results; `show` is called for each result. Steps that are
-- skipped were not tested.
local function new_list(show)
  local list = { status = exit.EXIT.ok }
  local function append(status, detail, next_step, err)
    local row = { step = STEPS[#list + 1] or CHANNELS, status = status, detail = detail,
                  next_step = next_step }
    list[#list + 1] = row
    show(row, err)
  end
  function list.skip_to(step)
    while #list < #STEPS and STEPS[#list + 1] ~= step do
      append(NOT_TESTED)
    end
  end
  function list.add(step, status, detail, next_step, err)
    list.skip_to(step ~= CHANNELS and step or nil)
    append(status, detail, next_step, err)
    if status == FAILED and list.status == exit.EXIT.ok then
      list.status = err and exit.status_of(err) or exit.EXIT.error
    end
    return status == OK
  end
  -- Adds an error object as a failed step.
  function list.fail(step, err, what)
    return list.add(step, FAILED, (what and what .. ", " or "") .. err.kind .. ": " .. err.message,
      err.hint, err)
  end
  return list
end

-- The account that gives the tokens; nil, true for a token that was given; or nil, false.
local function check_settings(list, context, args, profile)
  local values = profile.settings.values
  if connect.has_token(args) then
    list.add("configuration", OK, "an access token was given, so no sign-in is needed")
    return nil, true
  end
  local account, err = profile:account()
  local ok = account
  if account then
    ok, err = account:check_credential(context)
  end
  if not ok then
    list.fail(err.kind == "store" and "sign-in" or "configuration", err)
    return nil, false
  end
  list.add("configuration", OK, ("profile %s: application %s in tenant %s"):format(
    profile.name, values.client_id, values.tenant))
  return account, true
end

local function check_store(list, account, is_given)
  local known, err = account:status()
  if not known then
    return list.fail("sign-in", err)
  elseif is_given then
    return list.add("sign-in", OK, "the refresh token is in PCAPI_REFRESH_TOKEN")
  end
  return list.add("sign-in", OK, ("stored in %s%s"):format(account.stored:location(),
    known.obtained_at and ", last renewed " .. time.format(known.obtained_at) or ""))
end

-- Adds the steps of a connection by libcurl's times: a step that was not done has no
-- time. If TLS fails, the connection has no time either, as libcurl counts both as one.
local function add_steps(list, whose, host, response, err)
  local timing = (response or err).timing or {}
  local connected = response or err.kind == "tls"
  local names = { { whose .. " name", "name_lookup" }, { whose .. " connection", "connect" },
                  { whose .. " TLS", "tls" } }
  local reached = true
  for _, name in ipairs(names) do
    local seconds = timing[name[2]] or 0
    if not reached then
      break
    elseif response or seconds > 0 or connected and name[2] == "connect" then
      list.add(name[1], OK, ("%s, %.0f ms"):format(host, seconds * 1000))
    else
      reached = list.fail(name[1], err, host)
    end
  end
  -- the next steps report what fails after TLS
  return reached
end

-- Sends a request without a secret. Returns `host`, and `response` or `err`; or `problem` of the
-- address.
local function probe(context, address)
  local parsed, why = url.parse(address)
  if not parsed then
    return { problem = ("%s %s"):format(url.hide_users(tostring(address), true), why) }
  end
  local response, err = context.transport:send(limits.apply({
    method = "GET", url = address, headers = {}, timing = true, -- any status is fine
  }, HOST_TIMEOUT, {}))
  if err and err.kind == "timeout" then
    err.hint = err.hint or "Try again later; check the network and the proxy settings"
  end
  return { host = ("%s:%d"):format(parsed.host, parsed.port), response = response, err = err }
end

local function add_host(list, whose, probed)
  if probed.problem then
    return list.add(whose .. " name", FAILED, probed.problem, "See: pcapi config show")
  end
  return add_steps(list, whose, probed.host, probed.response, probed.err)
end

local SET_CLOCK = "Set the clock, for example by NTP"

local function compare_with_date(list, now, sent)
  local drift = math.abs(sent - now)
  if drift > LARGEST_DRIFT then
    return list.add("clock", FAILED, ("this machine's clock is %.0f s %s"):format(drift,
      sent > now and "behind" or "ahead"), SET_CLOCK)
  end
  return list.add("clock", OK, ("differs by %.0f s"):format(drift))
end

-- Without a verified response, the certificate is the only evidence. Anyone may have made it, so it
-- does not prove that the clock is right, but a clock that does not fit it is suspect.
local function compare_with_certificate(list, now, host, seen)
  local here = "this machine's clock says " .. time.format(now)
  if now < seen.not_before then
    return list.add("clock", FAILED, ("%s, and the certificate of %s is valid from %s"):format(here,
      host, time.format(seen.not_before)), SET_CLOCK)
  elseif now > seen.not_after then
    return list.add("clock", NOT_TESTED, ("%s, and the certificate of %s was valid until %s")
      :format(here, host, time.format(seen.not_after)),
      "Set the clock if it is wrong. If it is right, the server needs a new certificate")
  end
  return list.add("clock", NOT_TESTED,
    here .. ", which fits the certificate; but that was not verified")
end

-- Checks the clock by the best evidence. sign_in: the probe of the sign-in service, if any.
local function check_clock(list, context, sign_in, service)
  local now = context.clock()
  local function date_of(probed)
    local response = probed and probed.response
    return response and headers.date(response.headers.date, now)
  end
  local sent = date_of(sign_in) or date_of(service())
  local refused = sign_in and sign_in.err or service().err
  if sent then
    compare_with_date(list, now, sent)
  elseif now < EARLIEST then
    list.add("clock", FAILED, ("this machine's clock says %s, before pcapi was made"):format(
      time.format(now)), SET_CLOCK)
  elseif refused and refused.certificate then
    compare_with_certificate(list, now, (sign_in or service()).host, refused.certificate)
  end
end

-- Gets a new token: a stored one proves nothing about the endpoint.
local function check_endpoint(list, context, account)
  local before = account:status()
  local token, err = account:token(nil, context)
  local after = token and account:status()
  if after and before and after.obtained_at == before.obtained_at then
    token, err = account:token(token, context)
  end
  if not token then
    list.fail("token endpoint", err)
    return nil
  end
  list.add("token endpoint", OK, "issued a new access token")
  return token
end

-- The application id of Partner Center, which Entra may use as the audience.
local PARTNER_CENTER = "fa3d9a0c-3fb0-42cc-9193-47c7ecd2edbd"

local function is_for(audience, resource)
  audience = audience:lower():gsub("/$", "")
  return audience == resource:lower():gsub("/$", "") or audience == PARTNER_CENTER
end

local function new_sign_in(account)
  return account and account:advice { kind = "mfa_required" }
    or "Get a token of a user who passed MFA"
end

local function check_claims(list, token, account, resource, now)
  local token_claims = claims.read(token)
  local user = token_claims.user
  if not token_claims.readable then
    return list.add("token claims", OK,
      "the token is not readable; only the service has to read it")
  elseif token_claims.subject == "app" then
    return list.add("token claims", FAILED, "this is a token of an application",
      "Sign in as a user: the MFA calls accept only tokens of users", { kind = "forbidden" })
  elseif token_claims.audience and not is_for(token_claims.audience, resource) then
    return list.add("token claims", FAILED, "the token is for " .. token_claims.audience,
      "Request a token for " .. resource)
  elseif token_claims.expires_at and token_claims.expires_at <= now then
    return list.add("token claims", FAILED, ("the token expired %.0f s ago"):format(
      now - token_claims.expires_at), "Get a new token", { kind = "unauthorized" })
  elseif token_claims.mfa == "no" then
    return list.add("token claims", FAILED, ("%s signed in without MFA"):format(
      user or "the user"), new_sign_in(account), { kind = "mfa_required" })
  end
  return list.add("token claims", OK, ("user: %s, MFA: %s%s"):format(user or "unknown",
    token_claims.mfa,
    token_claims.expires_at and ", until " .. time.format(token_claims.expires_at) or ""))
end

local function check_call(list, args, profile, token, account)
  local options = profile:client_options()
  options.token, options.trace = token, connect.tracer(args)
  local client, why = pcapi.build(options)
  if not client then
    return list.add("call", FAILED, why, "See: pcapi config show")
  end
  local users, err = client.security:non_mfa_principals()
  client:close()
  if not users then
    return list.fail("call", err)
  end
  local compliant = users.is_mfa_compliant
  if compliant == false then
    return list.add("call", FAILED, "the service reports that this token lacks MFA",
      new_sign_in(account), { kind = "mfa_required" })
  end
  return list.add("call", OK, ("%d users without MFA%s"):format(#users,
    compliant and "; the service reports that this token has MFA" or ""))
end

local function check_given_token(list, args, profile)
  local token, _, err = connect.source(args, profile)
  if err then
    list.fail("token claims", err)
  end
  return token
end

-- Returns a token, or nothing; see `check_settings` for account and ok.
local function check_token(list, context, args, profile, account, ok, service)
  local sign_in = account and ok and probe(context, account.endpoint.token_url) or nil
  local reached = sign_in and add_host(list, "sign-in", sign_in)
  check_clock(list, context, sign_in, service)
  if ok and not account then
    return check_given_token(list, args, profile)
  end
  return reached and check_endpoint(list, context, account) or nil
end

-- The function that probes the service when it is first called.
local function service_of(context, profile)
  local probed
  return function()
    probed = probed or probe(context, profile:client_options().base_url)
    return probed
  end
end

-- Reads the channels with their secrets; nothing is sent.
local function check_channels(list, args)
  local read, err = require("pcapi.settings.notify").read { getenv = os.getenv,
                                                            path = args.config_file }
  if not read then
    return list.fail(CHANNELS, err)
  end
  local names = {}
  for i, channel in ipairs(read.channels) do
    if channel.problem then
      return list.fail(CHANNELS, channel.problem)
    end
    names[i] = ("%s (%s)"):format(channel.name, channel.type)
  end
  if #names > 0 then
    list.add(CHANNELS, OK, table.concat(names, ", ") .. "; to try one: pcapi notify test NAME")
  end
end

local function check_all(list, context, args, profile)
  local account, ok = check_settings(list, context, args, profile)
  if account then
    ok = check_store(list, account, profile.settings:value "refresh_token")
  end
  local service = service_of(context, profile)
  local token = check_token(list, context, args, profile, account, ok, service)
  if token then
    check_claims(list, token, account, profile:resource(), context.clock())
  end
  local reached = add_host(list, "service", service())
  if token and reached then
    check_call(list, args, profile, token, account)
  end
  list.skip_to(nil)
  check_channels(list, args)
end

local STATES = { [OK] = "good", [FAILED] = "bad" }

-- Makes a function that writes the result of a step for people.
local function row_writer(args)
  local paint = terminal.painter(args)
  return function(row)
    local status = paint(row.status, STATES[row.status]) .. (" "):rep(12 - #row.status)
    local detail = row.step .. (row.detail and ": " .. row.detail or "")
    local following = row.next_step and (" "):rep(12) .. text.visible(row.next_step) .. "\n" or ""
    output.write(status .. text.visible(detail) .. "\n" .. following)
  end
end

-- libcurl writes the keys of each connection to that file, for programs that analyse traffic.
local function warn_of_key_log()
  local path = os.getenv "SSLKEYLOGFILE" or ""
  if path ~= "" then
    exit.say(("SSLKEYLOGFILE is set: every user who can read %s can decrypt what pcapi sends, "
      .. "including tokens and secrets. Unset it"):format(path))
  end
end

--- Tests each step.
-- @tparam table args
-- @tparam function show is called with the result of each step: `step`, `status` ("ok", "failed" or
-- "not tested"), and optionally `detail` and `next_step`; and of a failed step with its error, or a
-- table with `kind` alone, or nil
-- @treturn table array of the results; and `status`, the exit status
function M.test(args, show)
  local list = new_list(show)
  local profile = connect.profile(args)
  local context = connect.context(args, profile)
  check_all(list, context, args, profile)
  context.transport:close()
  return list
end

--- Runs the command.
-- @tparam table args
function M.run(args)
  warn_of_key_log()
  local list = M.test(args, args.json and function() end or row_writer(args))
  if args.json then
    output.json("steps", list, { "step", "status", "detail", "next_step" },
      { status = list.status == exit.EXIT.ok and OK or FAILED })
  end
  if list.status ~= exit.EXIT.ok then
    exit.stop(list.status)
  end
end

return M
