--- The settings of channels and routes: the sections `[notify NAME]` and `[route NAME]` of the
-- configuration file.
--
--     [notify ops]
--     type = teams
--     url_file = /etc/pcapi/teams-url
--
--     [route fabrikam]
--     tenant = fabrikam
--     channels = ops
--
-- A secret is never in the file: a setting with `_file` after its name names the file that holds
-- it, or the variable PCAPI_NOTIFY_NAME_SETTING holds it.
-- @module pcapi.settings.notify
local channels = require "pcapi.notify.channels"
local check = require "pcapi.check"
local config_file = require "pcapi.settings.config_file"
local core = require "pcapi.core"
local environment = require "pcapi.settings.environment"
local errors = require "pcapi.error"
local input = require "pcapi.input"
local schema = require "pcapi.settings.schema"
local setting_value = require "pcapi.settings.setting_value"

local M = {}

local LARGEST = 65536 -- bytes of a file with a secret

--- The settings of every channel. Fields are as in `pcapi.notify.channels`.
M.common = {
  { name = "type", is_required = true, choices = channels.names, about = "What the channel is" },
  { name = "group", choices = { "run", "tenant" }, default = "run",
    about = "One message of a run, or one of each tenant, for ticket systems" },
}

--- The settings of a route.
M.route = {
  { name = "tenant",
    about = "Only these tenants: names or IDs, separated by commas; * for any text" },
  { name = "application", about = "Only users without MFA in these applications: names or IDs" },
  { name = "user", about = "Only these users: UPNs or object IDs" },
  { name = "channels", is_required = true, about = "Who is told: names of channels" },
  { name = "continue", choices = { "yes", "no" }, default = "no",
    about = "Whether routes below this one apply, too" },
}

local function fail(message)
  return errors.fail { kind = "config", message = message }
end

-- Where a section or one of its lines is, for messages.
local function place_of(reader, line)
  return ("%s:%d"):format(reader.file.path, line)
end

-- The variable of a secret.
local function variable_of(channel, name)
  return ("PCAPI_NOTIFY_%s_%s"):format(channel, name):upper():gsub("[^%w]", "_")
end

-- The names that a section may hold.
local function names_of(list)
  local names = {}
  for _, setting in ipairs(list) do
    names[setting.is_secret and setting.name .. "_file" or setting.name] = setting
  end
  return names
end

-- The first line of a section that no setting has, or that holds a secret.
local function check_names(reader, section, list)
  local names, first = names_of(list), nil
  for name, line in pairs(section.values) do
    if not names[name] and (not first or line.line < first.line) then
      first = { name = name, line = line.line }
    end
  end
  if not first then
    return true
  end
  local where, name = place_of(reader, first.line), first.name
  if names[name .. "_file"] then
    return fail(("%s: %s of %s is a secret and must not be in this file; put it in a file of its "
      .. "own and set %s_file, or set %s"):format(where, name, section.form, name,
      variable_of(section.name, name)))
  end
  return fail(("%s: unknown setting %q of %s%s"):format(where, name, section.form,
    check.suggest(name, names)))
end

-- Reads the file of a secret. Returns the text, or nil and what is wrong.
local function secret_in(path)
  local file, why = io.open(path, "rb")
  local text
  if file then
    text, why = file:read(LARGEST)
    file:close()
  end
  if not text then
    return nil, "cannot be read: " .. tostring(why or "it is empty"):gsub("^.*: ", "")
  end
  text, why = input.lines(text)
  return text and text:match "^%s*(.-)%s*$", why
end

-- The text of a secret and its origin; nil if nothing gives it; or nil, nil and an error.
local function secret_of(reader, section, setting)
  local variable = variable_of(section.name, setting.name)
  local text = environment.value(reader.getenv, variable)
  if text then
    return text:match "^%s*(.-)%s*$", "environment " .. variable
  end
  local name = setting.name .. "_file"
  local line = section.values[name]
  if not line then
    return nil
  end
  local origin = ("%s in %s"):format(section.form, place_of(reader, line.line))
  local path, err = setting_value.read({ name = name, path = true,
    label = section.form .. " " .. name }, line.value, origin, reader.place)
  if err or not path or not reader.has_secrets then
    return path and "", path and ("file %s, %s"):format(path, origin), err
  end
  local why
  text, why = secret_in(path)
  if not text then
    return nil, nil, select(2, fail(("%s %s: %s %s (%s)"):format(section.form, name, path, why,
      origin)))
  end
  return text, ("file %s, %s"):format(path, origin)
end

local function checked_secret(reader, section, setting)
  local text, origin, err = secret_of(reader, section, setting)
  if not text or not reader.has_secrets then
    return text, origin, err
  elseif text == "" then
    return nil, nil, select(2, fail(("%s %s is empty (%s)"):format(section.form, setting.name,
      origin)))
  end
  local value, why = text, nil
  if setting.check then
    value, why = setting.check(text)
  end
  if value == nil then
    return nil, nil, select(2, fail(("%s %s %s (%s)"):format(section.form, setting.name, why,
      origin)))
  end
  return value, origin
end

-- The value of a setting and its origin; nil if nothing gives it; or nil, nil and an error.
local function value_of(reader, section, setting)
  if setting.is_secret then
    return checked_secret(reader, section, setting)
  end
  local line = section.values[setting.name]
  if not line then
    return setting.default, setting.default ~= nil and "default" or nil
  end
  local origin = ("%s in %s"):format(section.form, place_of(reader, line.line))
  local value, err = setting_value.read({
    name = setting.name, path = setting.is_path, label = section.form .. " " .. setting.name,
    convert = setting.check or setting.choices and schema.choice(setting.choices),
  }, line.value, origin, reader.place)
  return value, value ~= nil and origin or nil, err
end

local function missing(reader, section, setting)
  local cure = ""
  if setting.is_secret then
    cure = ("; put it in a file and set %s_file, or set %s"):format(setting.name,
      variable_of(section.name, setting.name))
  elseif setting.choices then
    cure = "; it is one of " .. table.concat(setting.choices, ", ")
  end
  return fail(("%s: %s needs %s%s"):format(place_of(reader, section.line), section.form,
    setting.name, cure))
end

-- Adds the values of some settings to an object of `values` and `shown`.
local function add_values(reader, section, list, object)
  for _, setting in ipairs(list) do
    local _, value, origin, err
    value, origin, err = value_of(reader, section, setting)
    if not err and value == nil and setting.is_required then
      _, err = missing(reader, section, setting)
    end
    if err and setting.is_secret then
      object.problem = object.problem or err
    elseif err then
      return nil, err
    elseif value ~= nil then
      object.values[setting.name] = value
      object.shown[#object.shown + 1] = {
        setting = section.form .. " " .. setting.name, from = origin,
        value = setting.is_secret and "(not shown)" or type(value) ~= "table" and value
          or section.values[setting.name].value,
      }
    end
  end
  return object
end

local function channel_of(reader, section)
  local channel = { name = section.name, values = {}, shown = {} }
  local ok, err = add_values(reader, section, M.common, channel)
  if not ok then
    return nil, err
  end
  channel.module = channels.load(channel.values.type)
  local all = {}
  for _, list in ipairs { M.common, channel.module.settings } do
    for _, setting in ipairs(list) do
      all[#all + 1] = setting
    end
  end
  ok, err = check_names(reader, section, all)
  if ok then
    ok, err = add_values(reader, section, channel.module.settings, channel)
  end
  channel.type, channel.group = channel.values.type, channel.values.group
  channel.settings, channel.is_complete = channel.values, channel.module.is_complete
  return ok and channel, err
end

-- The words of a list that is separated by commas.
local function words(text, is_lower)
  local found = {}
  for word in (text or ""):gmatch "[^,]+" do
    word = word:match "^%s*(.-)%s*$"
    found[#found + 1] = word ~= "" and (is_lower and core.lower(word) or word) or nil
  end
  return #found > 0 and found or nil
end

local function channels_of(reader, section, text)
  local set = {}
  for _, name in ipairs(words(text) or {}) do
    if not reader.names[name] then
      return fail(("%s: channels of %s names %q, which has no section [notify %s]%s"):format(
        place_of(reader, section.values.channels.line), section.form, name, name,
        check.suggest(name, reader.names)))
    end
    set[name] = true
  end
  return set
end

local function route_of(reader, section)
  local route = { name = section.name, values = {}, shown = {} }
  local ok, err = check_names(reader, section, M.route)
  if ok then
    ok, err = add_values(reader, section, M.route, route)
  end
  if ok then
    route.channels, err = channels_of(reader, section, route.values.channels)
  end
  for _, name in ipairs { "tenant", "application", "user" } do
    route[name] = words(route.values[name], true)
  end
  route.is_continued = route.values.continue == "yes"
  return route.channels and route, err
end

-- The sections of a type in their order.
local function sections_of(file, word)
  local list = {}
  for name, section in pairs(file:sections_of(word)) do
    list[#list + 1] = { name = name, form = section.form, line = section.line,
                        values = section.values }
  end
  table.sort(list, function(a, b) return a.line < b.line end)
  return list
end

local function read_all(reader, word, read)
  local list = {}
  for i, section in ipairs(sections_of(reader.file, word)) do
    local err
    list[i], err = read(reader, section)
    if not list[i] then
      return nil, err
    end
  end
  return list
end

--- Reads the settings.
-- @tparam table options `getenv` (as os.getenv), `path` or `file` of the configuration file, as for
-- `pcapi.settings.config_file`, and `has_secrets` (false: secrets are neither read nor checked)
-- @treturn[1] table `channels`: array in the order of the file, each with `name`, `type`, `module`,
-- `group`, `is_complete` and `settings` (values by name), as `pcapi.notify` takes them; `routes`:
-- array as of `pcapi.notify.routes`. Each has `shown`: array of `setting`, `value` and `from`,
-- without secrets. A channel whose secret is missing or wrong has a `problem`, a pcapi.error: what
-- changed is recorded all the same, and told when the secret is there
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function M.read(options)
  local file, err = config_file.read(options)
  if not file then
    return nil, err
  end
  local reader = {
    file = file, getenv = options.getenv, has_secrets = options.has_secrets ~= false, names = {},
    place = { home = environment.value(options.getenv, "HOME"), path = file.path },
  }
  local found, routes
  found, err = read_all(reader, "notify", channel_of)
  for _, channel in ipairs(found or {}) do
    reader.names[channel.name] = true
  end
  if found then
    routes, err = read_all(reader, "route", route_of)
  end
  if not routes then
    return nil, err
  end
  return { channels = found, routes = routes }
end

return M
