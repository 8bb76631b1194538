--- The topics of the help that are no commands: pages, as in `pcapi.cli.pages`. They are also
-- sections of the man page pcapi(1).
-- @module pcapi.cli.topics
local EXIT = require("pcapi.cli.exit").EXIT
local channels = require "pcapi.notify.channels"
local history = require "pcapi.settings.history"
local metrics_section = require "pcapi.settings.metrics_section"
local notify = require "pcapi.settings.notify"
local options = require "pcapi.cli.options"
local schema = require "pcapi.settings.schema"

local M = {}

--- The names of the topics, in the order of the help.
M.names = { "options", "environment", "settings", "exit-status" }

local function option_sections()
  local sections = {
    { "All commands take these options, before or after the name of the command." },
  }
  for _, group in ipairs { "Account", "Connection", "Other" } do
    local list = {}
    for _, option in ipairs(options.GLOBAL) do
      list[#list + 1] = (option.group or "Other") == group and option or nil
    end
    sections[#sections + 1] = { title = group, { entries = options.entries(list) } }
  end
  return sections
end

M["options"] = { summary = "Options of all commands", sections = option_sections() }

-- The variables of settings and options, and what they mean.
local function variables()
  local entries = {}
  for _, list in ipairs { options.GLOBAL, schema.settings, history.settings } do
    for _, item in ipairs(list) do
      -- an option that overrides a setting has its variable
      if item.env and (item.name or not schema.by_name[options.key(item)]) then
        entries[#entries + 1] = { item.env, item.about }
      end
    end
  end
  return entries
end

M["environment"] = {
  summary = "Environment variables that pcapi reads",
  sections = { {
    "An option overrides its variable. An empty variable counts as unset.",
    { entries = variables() },
    "Tokens and secrets are never options, because other users of the machine can read the "
      .. "arguments of a process. --profile overrides PCAPI_TOKEN and PCAPI_REFRESH_TOKEN.",
  }, {
    title = "Variables of other programs",
    { entries = {
      { "BROWSER", "Commands that open a browser, separated by colons; %s is the address" },
      { "CURL_CA_BUNDLE, SSL_CERT_FILE, SSL_CERT_DIR, REQUESTS_CA_BUNDLE",
        "Trusted CAs, if no setting names any" },
      { "https_proxy, no_proxy", "The proxy, if no setting names one" },
      { "NO_COLOR", "No colours in tables, unless --color says otherwise" },
      { "XDG_CONFIG_HOME", "Folder of pcapi/config (default: ~/.config)" },
      { "XDG_STATE_HOME", "Folder of pcapi, with the stored sign-ins and the history (default: "
        .. "~/.local/state)" },
    } },
  } },
}

local function settings(list)
  local entries = {}
  for _, setting in ipairs(list) do
    if not setting.secret then
      entries[#entries + 1] = { setting.name, options.meaning {
        about = setting.about, choices = setting.choices,
        default = setting.choices and setting.default,
      } }
    end
  end
  return entries
end

local NOTIFY = {
  "[notify ops]",
  "type = teams",
  "url_file = teams-url # beside this file, mode 0600",
  "",
  "[route fabrikam]",
  "tenant = fabrikam",
  "channels = ops",
}

-- The settings of a section [notify NAME] or [route NAME].
local function entries_of(list)
  local entries = {}
  for i, setting in ipairs(list) do
    entries[i] = { setting.is_secret and setting.name .. "_file" or setting.name,
                   options.meaning {
      about = (setting.is_secret and "File with this secret: " or "") .. setting.about,
      choices = setting.choices, default = setting.choices and setting.default,
    } }
  end
  return entries
end

-- The settings of each type of channel, as parts of a section.
local function types()
  local parts = {}
  for _, name in ipairs(channels.names) do
    parts[#parts + 1] = ("type = %s"):format(name)
    parts[#parts + 1] = { entries = entries_of(channels.load(name).settings) }
  end
  return parts
end

local function notify_section()
  local section = {
    title = "Names in a section [notify NAME]",
    "Each is a channel, by which pcapi watch --notify tells what changed. A secret is in a file, "
      .. "or in the variable PCAPI_NOTIFY_NAME_SETTING, such as PCAPI_NOTIFY_OPS_URL.",
    { entries = entries_of(notify.common) },
  }
  for _, part in ipairs(types()) do
    section[#section + 1] = part
  end
  section[#section + 1] = { code = NOTIFY }
  return section
end

local EXAMPLE = {
  "ca_file = /etc/ssl/proxy-ca.pem # for all profiles",
  "",
  "[default]",
  "tenant = fabrikam.onmicrosoft.com",
  "client_id = 00000000-0000-0000-0000-000000000000",
  "",
  "[contoso]",
  "tenant = contoso.onmicrosoft.com",
  "client_id = 11111111-1111-1111-1111-111111111111",
  "certificate = /etc/pcapi/contoso.pem",
}

local HISTORY = {
  "[history]",
  "keep_findings = 730",
  "exceptions = exceptions.txt # beside this file",
}

M["settings"] = {
  summary = "The configuration file, and which setting wins",
  sections = { {
    "pcapi reads ~/.config/pcapi/config, or the file that --config or PCAPI_CONFIG names. It never "
      .. "writes the file. The lines above the first section apply to all profiles:",
    { code = EXAMPLE },
    "An option overrides the environment, the environment overrides the profile in the file, and "
      .. "that overrides the values stored at sign-in. 'pcapi config show' shows each setting and "
      .. "its source.",
    "The file must not hold secrets. It names the files that hold them.",
  }, { title = "Names", { entries = settings(schema.settings) } }, {
    title = "Names in the section [history]",
    "They are about the history, which pcapi watch writes, and are the same for all profiles.",
    { entries = settings(history.settings) },
    { code = HISTORY },
  }, {
    title = "Names in the section [metrics]",
    { entries = settings(metrics_section.settings) },
  }, notify_section(), {
    title = "Names in a section [route NAME]",
    "The first route that matches decides who is told. A channel that no route names is told "
      .. "everything.",
    { entries = entries_of(notify.route) },
  } },
}

M["exit-status"] = {
  summary = "Exit statuses, for scripts",
  sections = { {
    { entries = {
      { EXIT.ok, "Success; with several tenants, every tenant answered" },
      { EXIT.error, "Any other error" },
      { EXIT.usage, "Wrong usage" },
      { EXIT.partial, "Some of several tenants failed; the output has the others" },
      { EXIT.sign_in, "A user must sign in, or lacks MFA or a permission" },
      { EXIT.throttled, "The service is throttling: wait and try again" },
      { EXIT.network, "The service was not reached, or its certificate could not be verified" },
      { EXIT.found, "pcapi watch --fail-on: there is what it names, and nothing failed" },
      { EXIT.interrupted, "Interrupted" },
    } },
    "If all of several tenants fail, the status is theirs if they agree, else 1.",
  } },
}

return M
