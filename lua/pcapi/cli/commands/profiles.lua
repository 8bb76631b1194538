--- `pcapi profiles`: lists the profiles, and removes their sign-ins.
-- @module pcapi.cli.commands.profiles
local check = require "pcapi.check"
local claims = require "pcapi.auth.claims"
local connect = require "pcapi.cli.connect"
local exit = require "pcapi.cli.exit"
local options = require "pcapi.cli.options"
local output = require "pcapi.cli.output"
local tenant_list = require "pcapi.cli.tenant_list"

local COMMON = { "--config", "--color", "--quiet", "--help" }

local M = {
  summary = "List the profiles, or remove a sign-in",
  about = "List the profiles, or remove the stored sign-in of one. A profile is an account: it is "
    .. "in the configuration file, or was made by 'pcapi login --profile NAME'.",
  common = COMMON,
  subcommands = {
    {
      name = "list", summary = "List the profiles and the user of each",
      about = "List the profiles of the configuration file and of the stored sign-ins, and the "
        .. "user of each. An asterisk marks the profile that commands use without --profile.",
      options = { options.json '{"profiles": [ ... ]}' },
      common = COMMON,
      fields = {
        { "profile", "name of the profile" },
        { "default", "true for the profile that commands use without --profile" },
        { "signed_in", "true if there is a stored sign-in" },
        { "user", "the user who signed in" },
        { "tenant", "the tenant" },
        { "client_id", "GUID of the application" },
        { "source", "configuration file, sign-in, or both" },
      },
      examples = {
        { "A table", "pcapi profiles list" },
        { "JSON, for a program", "pcapi profiles list --json" },
      },
    },
    {
      name = "remove", summary = "Delete the stored sign-in of a profile",
      about = "Delete the stored sign-in of a profile from this machine. pcapi does not change the "
        .. "configuration file.",
      arguments = {
        { "name", value = "NAME", about = "Name of the profile", complete = "profile",
          check = options.profile_name "NAME" },
      },
      common = COMMON,
      examples = {
        { "Remove the sign-in of one profile", "pcapi profiles remove contoso" },
        { "Remove it without a message", "pcapi profiles remove contoso --quiet" },
      },
    },
  },
  examples = {
    { "List the profiles", "pcapi profiles list" },
    { "Remove the sign-in of one of them", "pcapi profiles remove contoso" },
  },
}

local COLUMNS = { "profile", "default", "signed_in", "user", "tenant", "client_id", "source" }
local VIEW = {
  columns = { "profile", "signed_in", "user", "tenant", "source" },
  titles = { profile = "  PROFILE", signed_in = "SIGNED IN", user = "USER", tenant = "TENANT",
             source = "SOURCE" },
  narrow = { { "source", 12 }, { "tenant", 12 }, { "source", 0 } },
  state = {
    signed_in = function(value)
      return not value and "bad" or nil
    end,
  },
}

local function is_configured(profile)
  for _, name in ipairs(profile.settings.profiles) do
    if name == profile.name then
      return true
    end
  end
  return false
end

local function source_of(profile)
  local has_record = profile.store_error or profile.stored and profile.stored:read()
  local in_file = is_configured(profile)
  return in_file and has_record and "configuration file, sign-in"
    or in_file and "configuration file" or "sign-in"
end

-- The facts of one profile, and the error if it cannot be used.
local function row_of(tenant, default)
  local row = { profile = tenant.name, default = tenant.name == default, signed_in = false }
  local profile = tenant.profile
  if not profile then
    return row, tenant.err
  end
  local values = profile.settings.values
  local record = profile.stored and profile.stored:read()
  row.tenant, row.client_id, row.source = values.tenant, values.client_id, source_of(profile)
  if record then
    row.signed_in = true
    row.user = claims.read(record.tokens[1] and record.tokens[1].access_token).user
  end
  return row, profile.store_error
end

local function write_table(args, rows)
  for _, row in ipairs(rows) do
    row.profile = (row.default and "* " or "  ") .. row.profile
  end
  output.table(args, rows, VIEW)
end

local function list(args)
  local default = connect.stored_profile(args).name
  local rows, problems = {}, {}
  for i, tenant in ipairs(tenant_list.profiles(args)) do
    local err
    rows[i], err = row_of(tenant, default)
    problems[#problems + 1] = err and tenant.name .. ": " .. tostring(err) or nil
  end
  if args.json then
    output.json("profiles", rows, COLUMNS)
  elseif #rows > 0 then
    write_table(args, rows)
  elseif not args.quiet then
    exit.say "there is no profile; make one: pcapi login"
  end
  for _, problem in ipairs(problems) do
    exit.say(problem)
  end
end

local function stop_if_unknown(args)
  local names = {}
  for _, tenant in ipairs(tenant_list.profiles(args)) do
    names[tenant.name] = true
  end
  if not names[args.name] then
    exit.stop(exit.EXIT.usage, ("no profile is called %s%s"):format(args.name, next(names)
      and check.suggest(args.name, names) or ""))
  end
end

local function remove(args)
  if args.profile then
    exit.stop(exit.EXIT.usage, "NAME is the profile to remove; leave out --profile")
  end
  stop_if_unknown(args)
  local own = setmetatable({ profile = args.name }, { __index = args })
  local profile = connect.stored_profile(own)
  require("pcapi.cli.sign_out").run(own, profile)
  if is_configured(profile) and not args.quiet then
    exit.say(("profile %s remains in %s, which pcapi does not change"):format(profile.name,
      profile.settings.path))
  end
end

--- Runs the command.
-- @tparam table args
function M.run(args)
  if args.profiles_command == "remove" then
    return remove(args)
  end
  list(args)
end

return M
