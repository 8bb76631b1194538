--- `pcapi config show`: each setting, and where it came from.
-- @module pcapi.cli.config
local resolve = require "pcapi.settings.resolve"
local connect = require "pcapi.cli.connect"
local core = require "pcapi.core"
local exit = require "pcapi.cli.exit"
local output = require "pcapi.cli.output"
local url = require "pcapi.url"

local M = {}

-- An address may hold a user name and a password, as that of a proxy does.
local function shown(setting, value)
  if resolve.is_secret(setting, value) then
    return "(not shown)"
  end
  return type(value) == "string" and url.hide_users(value, setting.address) or value
end

local function rows_of(profile)
  local settings = profile.settings
  settings:add_defaults()
  local rows = { { setting = "profile", value = profile.name, from = settings.profile_origin } }
  for _, setting in ipairs(resolve.settings) do
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

--- Runs the command.
-- @tparam table args
function M.run(args)
  local profile = connect.kept_profile(args)
  local rows = rows_of(profile)
  local columns = { "setting", "value", "from" }
  if args.json then
    return output.write(require("pcapi.format.json").encode(rows, { columns = columns }))
  end
  local width = core.columns(output.STDOUT)
  output.write(require("pcapi.format.table").encode(rows, {
    columns = columns, titles = { setting = "SETTING", value = "VALUE", from = "FROM" },
    width = width, color = output.wants_color(args, width),
  }))
  if profile.trouble then
    exit.say("what was kept at sign-in cannot be read: " .. tostring(profile.trouble))
  end
  if not args.quiet then
    exit.say(("the configuration file is %s; profiles in it: %s"):format(
      profile.settings.path or "nowhere, as there is no HOME",
      #profile.settings.profiles > 0 and table.concat(profile.settings.profiles, ", ") or "none"))
  end
end

return M
