--- `pcapi config show`: shows each setting and where it came from.
-- @module pcapi.cli.commands.config
local schema = require "pcapi.settings.schema"
local connect = require "pcapi.cli.connect"
local exit = require "pcapi.cli.exit"
local output = require "pcapi.cli.output"
local url = require "pcapi.url"

local M = {
  summary = "Show the settings",
  subcommands = {
    {
      name = "show", summary = "Show each setting and its source",
      define = function(command)
        command:flag("--json", "Write JSON: {\"settings\": [ ... ]}")
      end,
    },
  },
}

-- The address of a proxy may hold a user name and a password.
local function shown(setting, value)
  if schema.is_secret(setting, value) then
    return "(not shown)"
  end
  return type(value) == "string" and url.hide_users(value, setting.address) or value
end

local function rows_of(profile)
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
  local rows = rows_of(profile)
  if args.json then
    output.json("settings", rows, VIEW.columns)
  else
    output.table(args, rows, VIEW)
  end
  report(args, profile)
end

return M
