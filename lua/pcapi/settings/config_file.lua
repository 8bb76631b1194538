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
--     [profile contoso]
--     tenant = contoso.onmicrosoft.com
--
-- `[NAME]` is short for `[profile NAME]`. The sections `[history]`, `[metrics]`, `[report]`,
-- `[notify NAME]` and `[route NAME]` are reserved: they are no profiles, and only their
-- syntax is checked here. A profile with a reserved name needs the long form.
--
-- pcapi never writes the file. It names files that hold secrets and holds none itself.
-- @module pcapi.settings.config_file
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

-- A value without its quotes and the comment that may follow it; or nil and what is wrong.
local function value_of(text, name)
  local quoted = text:match '^"([^"]*)"%s+[#;]' or text:match '^"(.*)"$'
  if quoted or not text:find '^"' then
    return quoted or (text:gsub("%s+[#;].*$", ""))
  end
  return nil, (text:find('"', 2, true) and "text follows the closing quote of %s"
    or "the closing quote of %s is missing"):format(name)
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

-- The text between the brackets of a section's first line; nil for any other line.
local function header_of(line)
  return line:match "^%[%s*([^%]]-)%s*%]%s*$" or line:match "^%[%s*([^%]]-)%s*%]%s*[#;]"
end

local PROFILE = "profile"

-- Types of sections, and whether a name follows the type.
local TAKES_NAME = { [PROFILE] = true, history = false, metrics = false, report = false,
                     notify = true, route = true }

-- The type and the name of a section; or nil and what is wrong with its header.
local function section_of(header)
  local word, name = header:match "^(%S*)%s*(.*)$"
  local takes_name = TAKES_NAME[word]
  if word == "" then
    return nil, "a section needs a name; write [profile NAME] or [NAME]"
  elseif takes_name == nil and name ~= "" then
    return nil, ("unknown section type %q; write [profile NAME] or [NAME]"):format(word)
  elseif takes_name == nil then
    word, name = PROFILE, word
  elseif takes_name and name == "" then
    return nil, ("[%s] needs a name; write [%s NAME]"):format(word, word)
  elseif not takes_name and name ~= "" then
    return nil, ("[%s] takes no name; write [%s]"):format(word, word)
  end
  if name ~= "" and not schema.is_name(name) then
    return nil, "the name of a section " .. schema.NAME_RULE
  end
  return word, name
end

-- The section that a header opens, or opens again; or nil and what is wrong with the header.
local function open_section(self, header, number)
  local word, name = section_of(header)
  if not word then
    return nil, name
  end
  local sections = self.sections[word]
  local form = "[" .. header:gsub("%s+", " ") .. "]"
  local section = sections[name]
  if not section then
    section = { line = number, form = form, values = {}, is_reserved = word ~= PROFILE }
    sections[name] = section
  elseif section.form ~= form then
    return nil, ("%s %s is already written as %s in line %d; write it in one form"):format(word,
      name, section.form, section.line)
  end
  return section
end

-- Adds the name and value of one line to a section. Returns what is wrong with the line, or
-- nil.
local function read_value(line, number, section)
  local name, value = line:match "^([%w_%-]+)%s*=%s*(.-)$"
  if not name then
    return "this line is neither [section] nor name = value"
  end
  local values = section.values
  local problem = not section.is_reserved and setting_problem(name)
  if problem then
    return problem
  elseif values[name] then
    return ("%s is already set in line %d"):format(name, values[name].line)
  end
  value, problem = value_of(value, name)
  values[name] = { value = value, line = number }
  return problem
end

-- The names of the profiles in a file, sorted.
local function profiles_of(sections)
  local names = {}
  for name in pairs(sections[PROFILE]) do
    names[#names + 1] = name ~= "" and name or nil
  end
  table.sort(names)
  return names
end

local function new_file()
  local sections = {}
  for word in pairs(TAKES_NAME) do
    sections[word] = {}
  end
  sections[PROFILE][""] = { values = {} } -- the lines above the first section
  return setmetatable({ sections = sections }, File)
end

--- Parses the text of a configuration file.
-- @tparam string text
-- @treturn[1] pcapi.settings.config_file as from @{read}, without a path
-- @treturn[2] nil
-- @treturn[2] number line
-- @treturn[2] string what is wrong with that line
function M.parse(text)
  local lines, why = input.lines(text)
  if not lines then
    return nil, 1, "the file " .. why
  end
  local self, number = new_file(), 0
  local section = self.sections[PROFILE][""]
  for written in (lines .. "\n"):gmatch "(.-)\n" do
    number = number + 1
    local line = written:match "^%s*(.-)%s*$"
    local header, problem = header_of(line), nil
    if header then
      section, problem = open_section(self, header, number)
    elseif line ~= "" and not line:find "^[#;]" then
      problem = read_value(line, number, section)
    end
    if problem then
      return nil, number, problem
    end
  end
  self.profiles = profiles_of(self.sections)
  return self
end

local function fail(message, hint)
  return errors.fail { kind = "config", message = message, hint = hint }
end

local ABSENT = { [2] = true, [20] = true } -- ENOENT, ENOTDIR
local DENIED = 13 -- EACCES

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
    .. (why:find(path, 1, true) and why or path .. ": " .. why),
    -- as in a container that runs as another user
    not must_exist and code == DENIED and "If HOME is the folder of another user, set HOME" or nil)
end

--- Reads the configuration file. The default file may be absent; a file that is named
-- must exist.
-- @tparam table options `getenv` (as os.getenv), `path` (of the file; default:
-- PCAPI_CONFIG, then @{path}), `file` (what was read before; it is returned)
-- @treturn[1] pcapi.settings.config_file `path` (nil without a home directory), `profiles` (sorted
-- names)
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
  local path, text = named or M.path(options.getenv), ""
  if path and not err then
    text, err = text_of(path, named ~= nil)
  end
  if err then
    return nil, err
  end
  local self, line, problem = M.parse(text)
  if not self then
    return fail(("%s:%d: %s"):format(path, line, problem))
  end
  self.path = path
  return self
end

--- The settings of a profile's section.
-- @tparam string profile its name, or `""` for the settings of all profiles
-- @treturn table name to `value` and `line`; empty when the file has no such section
function File:settings(profile)
  local section = self.sections[PROFILE][profile]
  return section and section.values or {}
end

--- The sections of a reserved type. Only their syntax was checked.
-- @tparam string word `"history"`, `"metrics"`, `"report"`, `"notify"` or `"route"`
-- @treturn table name of the section (`""` for a type without names) to its `line`, and
-- `values`: key to `value` (a text) and `line`
function File:sections_of(word)
  return self.sections[word]
end

--- Checks that a name can mean a profile. `[history]` without `[profile history]` may be the
-- profile of an older configuration, so the profile "history" is then an error.
-- @tparam string profile
-- @tparam string origin where the name came from, for the message
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function File:check_profile(profile, origin)
  local section = TAKES_NAME[profile] == false and self.sections[profile][""]
  if not section or self.sections[PROFILE][profile] then
    return true
  end
  return errors.fail {
    kind = "config", hint = ("Write [profile %s] for a profile of that name"):format(profile),
    message = ("%q is reserved as a plain section ([%s] in %s:%d), so it names no profile (%s)")
      :format(profile, profile, self.path, section.line, origin),
  }
end

return M
