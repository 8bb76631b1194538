--- `pcapi config show`: shows each setting and where it came from.
-- @module pcapi.cli.commands.config
local schema = require "pcapi.settings.schema"
local connect = require "pcapi.cli.connect"
local exit = require "pcapi.cli.exit"
local history = require "pcapi.settings.history"
local metrics_section = require "pcapi.settings.metrics_section"
local notify = require "pcapi.settings.notify"
local options = require "pcapi.cli.options"
local output = require "pcapi.cli.output"
local url = require "pcapi.url"

local COMMON = { "--profile", "--config", "--quiet", "--color", "--help" }

local M = {
  summary = "Show the settings",
  about = "Show the settings. pcapi reads the configuration file and never writes it: change it "
    .. "with an editor. For the settings there are, see 'pcapi help settings'.",
  common = COMMON,
  subcommands = {
    {
      name = "show", summary = "Show each setting and its source",
      about = "Show each setting of a profile and where it came from: an option, a variable, a "
        .. "line of the configuration file, the sign-in, or a default. Secrets are not shown.",
      options = { options.json '{"settings": [ ... ]}' },
      common = COMMON,
      fields = {
        { "setting", "name of the setting; [history], [metrics], [notify NAME] and [route NAME] "
          .. "precede those of a section" },
        { "value", "its value; (not shown) for a secret" },
        { "from", "where the value came from" },
      },
      examples = {
        { "Settings of the default profile", "pcapi config show" },
        { "Settings of another profile, for a program",
          "pcapi config show --profile contoso --json" },
      },
    },
  },
  examples = {
    { "Settings of the default profile", "pcapi config show" },
    { "The effect of an option", "pcapi config show --cloud china" },
  },
}

-- The address of a proxy may hold a user name and a password.
local function shown(setting, value)
  if schema.is_secret(setting, value) then
    return "(not shown)"
  end
  return type(value) == "string" and url.hide_users(value, setting.address) or value
end

-- Adds the settings of a section, which all profiles share.
local function add_section(rows, section, args)
  local read, err = section:read { getenv = os.getenv, path = args.config_file }
  if not read then
    exit.fail(err)
  end
  for _, setting in ipairs(section.settings) do
    local value = read.values[setting.name]
    if value ~= nil then
      rows[#rows + 1] = { setting = setting.label, value = value,
                          from = read.origins[setting.name] }
    end
  end
end

-- Adds the settings of channels and routes.
local function add_notify(rows, args)
  local read, err = notify.read { getenv = os.getenv, path = args.config_file,
                                  has_secrets = false }
  if not read then
    exit.fail(err)
  end
  for _, list in ipairs { read.channels, read.routes } do
    for _, section in ipairs(list) do
      for _, row in ipairs(section.shown) do
        row.value = type(row.value) == "string" and url.hide_users(row.value) or row.value
        rows[#rows + 1] = row
      end
    end
  end
end

local function rows_of(args, profile)
  local settings = profile.settings
  settings:add_defaults()
  local rows = { { setting = "profile", value = profile.name, from = settings.profile_origin } }
  for _, setting in ipairs(schema.settings) do
    local value = settings:value(setting.name)
    if value ~= nil then
      rows[#rows + 1] = {
        setting = setting.name, from = settings.origins[setting.name],
        value = shown(setting, value),
      }
    end
  end
  for _, section in ipairs { history, metrics_section } do
    add_section(rows, section, args)
  end
  add_notify(rows, args)
  return rows
end

local VIEW = {
  columns = { "setting", "value", "from" },
  titles = { setting = "SETTING", value = "VALUE", from = "FROM" },
  narrow = { { "from", 16 } },
}

local function report(args, profile)
  local settings = profile.settings
  if profile.store_error then
    exit.say("cannot read the stored sign-in: " .. tostring(profile.store_error))
  end
  if not args.quiet and not args.json then
    exit.say(("configuration file: %s; profiles in it: %s"):format(
      settings.path or "none, as HOME is not set",
      #settings.profiles > 0 and table.concat(settings.profiles, ", ") or "none"))
  end
end

--- Runs the command.
-- @tparam table args
function M.run(args)
  local profile = connect.stored_profile(args)
  local rows = rows_of(args, profile)
  if args.json then
    output.json("settings", rows, VIEW.columns)
  else
    output.table(args, rows, VIEW)
  end
  report(args, profile)
end

return M
