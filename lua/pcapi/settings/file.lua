--- Finds, reads and checks the configuration file.
--
-- The format is the one of git and aws:
--
--     # for all profiles
--     ca_file = /etc/ssl/proxy-ca.pem
--
--     [default]
--     tenant = fabrikam.onmicrosoft.com
--     client_id = 00000000-0000-0000-0000-000000000000
--     client_secret_file = /etc/pcapi/secret
--
-- pcapi never writes the file. It names files that hold secrets and holds none itself.
-- @module pcapi.settings.file
local check = require "pcapi.check"
local environment = require "pcapi.settings.environment"
local errors = require "pcapi.error"
local input = require "pcapi.input"
local schema = require "pcapi.settings.schema"

local M = {}

local File = {}
File.__index = File

--- The path of the configuration file when nothing else names one:
-- `$XDG_CONFIG_HOME/pcapi/config`, or `~/.config/pcapi/config`.
-- @tparam function getenv as os.getenv
-- @treturn ?string nil without a home directory
function M.path(getenv)
  local config, home = getenv "XDG_CONFIG_HOME", getenv "HOME"
  if config and config:find "^/" then
    return config .. "/pcapi/config"
  end
  return home and home:find "^/" and home .. "/.config/pcapi/config" or nil
end

-- A comment may follow a value, but not within quotes.
local function value_of(text)
  return text:match '^"([^"]*)"%s+[#;]' or text:match '^"(.*)"$' or text:gsub("%s+[#;].*$", "")
end

local IN_FILE = {} -- the settings that the file may hold, for suggestions
for name, setting in pairs(schema.by_name) do
  IN_FILE[name] = not setting.secret and setting or nil
end

-- Why a profile cannot have a setting of this name; nil when it can.
local function setting_problem(name)
  local setting = schema.by_name[name]
  if not setting then
    return ("unknown setting %q%s"):format(name, check.suggest(name, IN_FILE))
  elseif setting.secret then
    return name .. " is a secret and must not be in this file; " .. (IN_FILE[name .. "_file"]
      and ("put it in a file of its own and set %s_file"):format(name) or "set " .. setting.env)
  end
end

-- Adds the setting of one line to a section. Returns what is wrong with the line, or nil.
local function read_setting(line, number, settings)
  local name, value = line:match "^([%w_%-]+)%s*=%s*(.-)$"
  if not name then
    return "this line is neither [section] nor name = value"
  end
  local problem = setting_problem(name)
  if not problem and settings[name] then
    problem = ("%s is already set in line %d"):format(name, settings[name].line)
  end
  settings[name] = settings[name] or { value = value_of(value), line = number }
  return problem
end

-- The text between the brackets of a section's first line; nil for any other line.
local function header_of(line)
  return line:match "^%[%s*([^%]]-)%s*%]%s*$" or line:match "^%[%s*([^%]]-)%s*%]%s*[#;]"
end

--- Parses the text of a configuration file.
-- @tparam string text
-- @treturn[1] table name of the profile (`""` for all) to name of the setting to
-- `value` and `line`
-- @treturn[2] nil
-- @treturn[2] number line
-- @treturn[2] string what is wrong with it
function M.parse(text)
  local sections, section, number = { [""] = {} }, "", 0
  local lines, why = input.lines(text)
  if not lines then
    return nil, 1, "the file " .. why
  end
  for line in (lines .. "\n"):gmatch "(.-)\n" do
    number = number + 1
    line = line:match "^%s*(.-)%s*$"
    local name = header_of(line)
    if name and not schema.is_name(name) then
      return nil, number, "the name of a profile " .. schema.NAME_RULE
    elseif name then
      section = name
      sections[name] = sections[name] or {}
    elseif line ~= "" and not line:find "^[#;]" then
      local problem = read_setting(line, number, sections[section])
      if problem then
        return nil, number, problem
      end
    end
  end
  return sections
end

local function fail(message)
  return errors.fail { kind = "config", message = message }
end

local ABSENT = { [2] = true, [20] = true } -- ENOENT, ENOTDIR

-- The text of the file; `""` for a default file that is absent.
local function text_of(path, must_exist)
  local handle, why, code = io.open(path, "rb")
  local text
  if handle then
    text, why, code = handle:read "*a" -- a directory can be opened
    handle:close()
  end
  if text or not must_exist and ABSENT[code] then
    return text or ""
  end
  why = why or "unknown error"
  return fail("cannot read the configuration file: "
    .. (why:find(path, 1, true) and why or path .. ": " .. why))
end

local function read_sections(path, must_exist)
  local text, err = text_of(path, must_exist)
  if not text then
    return nil, err
  end
  local sections, line, problem = M.parse(text)
  if not sections then
    return fail(("%s:%d: %s"):format(path, line, problem))
  end
  return sections
end

local function profiles_of(sections)
  local names = {}
  for name in pairs(sections) do
    names[#names + 1] = name ~= "" and name or nil
  end
  table.sort(names)
  return names
end

--- Reads the configuration file. The default file may be absent; a file that is named
-- must exist.
-- @tparam table options `getenv` (as os.getenv), `path` (of the file; default:
-- PCAPI_CONFIG, then @{path}), `file` (what was read before; it is returned)
-- @treturn[1] pcapi.settings.file `path`, `profiles` (sorted names)
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function M.read(options)
  if options.file then
    return options.file
  end
  local named, err = options.path, nil
  if not named then
    named, err = environment.text(options.getenv, "PCAPI_CONFIG", input.line)
  end
  if err then
    return nil, err
  end
  local path, sections = named or M.path(options.getenv), { [""] = {} }
  if path then
    sections, err = read_sections(path, named ~= nil)
  end
  if not sections then
    return nil, err
  end
  return setmetatable({ path = path, profiles = profiles_of(sections), sections = sections },
    File)
end

--- The settings of a profile's section.
-- @tparam string profile its name, or `""` for the settings of all profiles
-- @treturn table name to `value` and `line`; empty when the file has no such section
function File:settings(profile)
  return self.sections[profile] or {}
end

return M
