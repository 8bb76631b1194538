--- Errors in command lines: each message names the flag, the value and the cure.
local folder = require "spec.support.folder"
local sandbox = require "spec.support.sandbox"

local LONG = ("9"):rep(4000)
local ENDLESS = ("9"):rep(100000)
local ESCAPES = "\27[31m\r\nfine\7\194\155\226\128\174"
local WRITTEN = "\\x1b[31m\\r\\nfine\\x07\\u{9b}\\u{202e}"

local PARALLEL = "--parallel must be a whole number from 1 to 10000, not "
local RATE = "--rate must be a positive number from 0.001 to 1000000, not "
local TIMEOUT = "--timeout must be a positive number from 0.001 to 604800, not "

local home

setup(function()
  home = folder.new()
  folder.write(home .. "/nul", "contoso\0.example\n")
  folder.write(home .. "/utf16", "\255\254c\0o\0")
  folder.write(home .. "/config", "[a]\nti\27meout = 1\n")
  folder.write(home .. "/type", "[a]\n[foo b\27]\n")
  folder.write(home .. "/twice", "[a]\n\n[profile a]\n")
end)

teardown(folder.remove)

local function run(arguments)
  return sandbox.pcapi(arguments, { HOME = home })
end

-- Checks that a message is a few lines of a terminal long and holds printable characters only.
local function assert_readable(result)
  assert.is_nil(result.err:find "[%z\1-\9\11-\31\127]", result.err)
  assert.is_nil(result.err:find("traceback", 1, true), result.err)
  assert.is_nil(result.err:find("bug in pcapi", 1, true), result.err)
  assert.is_true(#result.err < 600, #result.err .. " bytes")
end

-- The exit status, a part of the message, and the arguments.
local CASES = {
  { 2, "a command is required\npcapi: try 'pcapi --help'", "--quiet" },
  { 2, "unknown command ''", "" },
  { 2, "unknown command ''", "", "non-mfa" },
  { 2, "too many arguments", "non-mfa", "" },
  { 2, "unknown command 'nonmfa'; did you mean \"non-mfa\"?\npcapi: try 'pcapi --help'",
    "nonmfa" },
  { 2, "unknown command 'shwo'; did you mean \"show\"?\npcapi: try 'pcapi config --help'",
    "config", "shwo" },
  { 2, "unknown command '-'", "-" },
  { 2, "a command is required", "--" },
  { 2, "unknown command '999", LONG },
  { 2, "unknown option '--999", "--" .. LONG },
  { 2, "has 100000 bytes; an argument may have 8192", ENDLESS },
  { 2, "has 100002 bytes; an argument may have 8192", "--" .. ENDLESS, "status" },
  { 2, "has 100000 bytes; an argument may have 8192", "non-mfa", "--user", ENDLESS },
  { 2, "unknown option '--sinse'; did you mean \"--since\"?\npcapi: try 'pcapi non-mfa --help'",
    "non-mfa", "--sinse", "24h" },
  { 2, "unknown option '--sinse'; did you mean \"--since\"?\npcapi: try 'pcapi --help'", "--sinse",
    "24h", "non-mfa" },
  { 2, "unknown option '--porfile'; did you mean \"--profile\"?", "--porfile", "a", "status" },
  { 2, "--without-mfa is an option of pcapi requests; pcapi non-mfa does not have it\n"
    .. "pcapi: try 'pcapi requests --help'", "non-mfa", "--without-mfa" },
  { 2, "-o is an option of pcapi watch, history show, history export, non-mfa, adoption and "
    .. "requests; pcapi status does not have it", "status", "-o", "csv" },
  { 2, "--browser is an option of pcapi login; write it after the command", "--browser", "login" },
  { 2, "--parallel may be given once only", "non-mfa", "--all-profiles", "--parallel", "2",
    "--parallel=3" },
  { 2, "--limit is now --parallel", "non-mfa", "--all-profiles", "--limit", "3" },
  { 2, "--user needs a value: --user USER\npcapi: try 'pcapi non-mfa --help'", "non-mfa",
    "--user" },
  { 2, "--user needs a value: --user USER", "non-mfa", "--user", "--since", "24h" },
  { 2, "--profile needs a value: --profile NAME\npcapi: try 'pcapi help options'", "status",
    "--profile" },
  { 2, "-o needs a value: -o FORMAT", "non-mfa", "-qo" },
  { 2, "--all-profiles takes no value", "non-mfa", "--all-profiles=yes" },
  { 2, "--all-profiles and --tenants exclude each other", "non-mfa", "--all-profiles",
    "--tenants", "-" },
  { 2, "unknown command '\\xff\\xfe", "\255\254" },
  { 2, "unknown option '--" .. WRITTEN .. "'", "--" .. ESCAPES },
  { 2, "unknown command '" .. WRITTEN .. "'", ESCAPES },
  { 2, "--help takes no value", "--help=1" },
  { 2, "--version takes no value", "--version=1" },
  { 2, "pcapi config needs a subcommand\npcapi: try 'pcapi config --help'", "config", "-q" },
  { 2, "too many arguments: 'more'\npcapi: try 'pcapi status --help'", "status", "more" },
  { 2, "too many arguments: 'more'\npcapi: try 'pcapi config show --help'", "config", "show",
    "more" },
  { 2, "pcapi completion needs SHELL: bash, zsh, fish\npcapi: try 'pcapi completion --help'",
    "completion" },
  { 2, "SHELL must be one of bash, zsh, fish, not 'csh'", "completion", "csh" },
  { 2, "there is no help on 'loign'; did you mean \"login\"?\npcapi: try 'pcapi help'", "help",
    "loign" },
  { 2, "there is no help on 'config hide'", "help", "config", "hide" },
  { 2, "--output must be one of table, json, jsonl, csv, not ''", "non-mfa", "--output=" },
  { 2, "--output must be one of table, json, jsonl, csv, not 'xml'\npcapi: try "
    .. "'pcapi non-mfa --help'", "non-mfa", "-oxml" },
  { 2, "--cloud must be one of global, us_government, china, not 'mars'\n"
    .. "pcapi: try 'pcapi help options'", "--cloud", "mars", "non-mfa" },
  { 2, "--columns needs field names", "non-mfa", "--columns", "" },
  { 2, "--columns needs field names", "non-mfa", "--columns", " , ," },
  { 2, "no field '" .. WRITTEN:gsub("\\r\\n", "", 1):match "^[^f]*", "non-mfa", "--columns",
    "\27[31m" },
  { 2, PARALLEL .. "'0'", "non-mfa", "--parallel", "0" },
  { 2, PARALLEL .. "'1.5'", "non-mfa", "--parallel=1.5" },
  { 2, PARALLEL .. "'nan'", "non-mfa", "--parallel", "nan" },
  { 2, PARALLEL .. "'-3'", "non-mfa", "--parallel", "-3" },
  { 2, RATE .. "'inf'", "non-mfa", "--rate", "inf" },
  { 2, RATE .. "'1e-300'", "non-mfa", "--rate=1e-300" },
  { 2, RATE .. "'1e999'", "non-mfa", "--rate", "1e999" },
  { 2, TIMEOUT .. "'nan'", "--timeout", "nan", "status" },
  { 2, TIMEOUT .. "'1e999'", "--timeout", "1e999",
    "status" },
  { 2, TIMEOUT .. "'1e300'", "--timeout", "1e300",
    "login" },
  { 2, TIMEOUT .. "'-1'", "--timeout", "-1", "status" },
  { 2, TIMEOUT .. "'-.5'", "--timeout", "-.5", "status" },
  { 2, TIMEOUT .. "'0x10'", "--timeout", "0x10",
    "status" },
  { 2, TIMEOUT .. "''", "--timeout=", "status" },
  { 2, TIMEOUT .. "'999", "--timeout", LONG, "status" },
  { 2, TIMEOUT .. "'1" .. WRITTEN .. "'", "--timeout",
    "1" .. ESCAPES, "status" },
  { 2, "--since: ''", "non-mfa", "--since", "" },
  { 2, "--since: ", "non-mfa", "--since", ESCAPES },
  { 2, "--since: ", "non-mfa", "--since", LONG .. "d" },
  { 2, "--start-date must be a day such as 2024-02-03, not '2024-02-31'", "adoption",
    "--start-date", "2024-02-31" },
  { 2, "--end-date must be a day such as 2024-02-03, not ''", "adoption", "--end-date", "" },
  { 2, "--user must not be empty; * stands for any text", "non-mfa", "--user", "" },
  { 2, "--application must not be empty", "adoption", "--application=" },
  { 2, "--tenant must be a GUID or a domain such as fabrikam.onmicrosoft.com, not ''", "--tenant",
    "", "non-mfa" },
  { 2, "--tenant must be a GUID or a domain such as fabrikam.onmicrosoft.com, not 'fabrikam'",
    "--tenant", "fabrikam", "login" },
  { 2, "--client-id must be a GUID, such as 00000000-0000-0000-0000-000000000000, not 'foo'",
    "--client-id", "foo", "login" },
  { 2, "--client-id must be a GUID", "--client-id=", "login" },
  { 2, "--config must not be empty", "--config", "", "non-mfa" },
  { 2, "--ca-file must not be empty", "--ca-file", "", "non-mfa" },
  { 2, "--certificate must not be empty", "--certificate", "", "login" },
  { 2, "--tenants must not be empty", "non-mfa", "--tenants", "" },
  { 2, "cannot be read: Is a directory", "non-mfa", "--tenants", "/" },
  { 2, "/no" .. WRITTEN .. " cannot be read: No such", "non-mfa", "--tenants", "/no" .. ESCAPES },
  { 2, "names no tenant", "non-mfa", "--tenants", "/dev/null" },
  { 2, "is UTF-16 text or binary", "non-mfa", "--tenants", "HOME/nul" },
  { 2, "is UTF-16 text or binary", "non-mfa", "--tenants", "HOME/utf16" },
  { 1, "/config:2: ", "--config", "HOME/config", "non-mfa" },
  { 1, '/type:2: unknown section type "foo"; write [profile NAME] or [NAME]', "--config",
    "HOME/type", "status" },
  { 1, "/twice:3: profile a is already written as [a] in line 1", "--config", "HOME/twice",
    "config", "show" },
  { 1, "/nul:1: the file is UTF-16 text or binary", "--config", "HOME/nul", "non-mfa" },
  { 1, "Is a directory", "--config", "/", "non-mfa" },
  { 1, "/no" .. WRITTEN, "--config", "/no" .. ESCAPES, "non-mfa" },
  { 1, "ca_file holds a line break or another control character (flag --ca-file)", "--ca-file",
    "/no" .. ESCAPES, "non-mfa" },
  { 1, "/no\\u{9b}\\u{202e}", "--ca-file", "/no\194\155\226\128\174", "non-mfa" },
  { 2, "--profile may hold letters, digits and . _ @ -, 64 at most, not ''", "--profile", "",
    "status" },
  { 2, "64 at most, not '" .. WRITTEN .. "'", "--profile", ESCAPES, "status" },
  { 2, "64 at most, not '999", "--profile", LONG, "status" },
  { 2, "--base-url is not an absolute address", "--base-url", "", "non-mfa" },
  { 2, "--base-url is not an address", "--base-url", "https://" .. ESCAPES, "non-mfa" },
  { 2, "--login-url has no valid host name", "--login-url", "https://?", "login" },
  { 2, "--login-url must not hold a fragment", "--login-url", "https://?#", "login" },
  { 2, "--claims must be JSON", "login", "--claims", "{" },
  { 2, "--browser and --device-code exclude each other", "login", "--browser", "--device-code" },
  { 2, "--parallel needs --all-profiles or --tenants", "non-mfa", "--parallel", "5" },
}

describe("a command line with an error or an extreme value", function()
  for number, case in ipairs(CASES) do
    it(("gives the message %d: %s"):format(number, case[2]:sub(1, 60):gsub("%c", " ")), function()
      local words = {}
      for i = 3, #case do
        words[i - 2] = case[i]:gsub("^HOME", home)
      end
      local result = run(words)
      assert.same({ case[1], "" }, { result.status, result.out }, result.err)
      assert.truthy(result.err:find(case[2], 1, true), result.err)
      assert_readable(result)
    end)
  end

  it("may repeat an option: the last one counts", function()
    local result = run { "--timeout", "0.001", "--timeout", "20", "-q", "-q", "non-mfa",
                         "-o", "csv", "-o", "json" }
    assert.equal(0, result.status, result.err)
    assert.truthy(result.out:find "^%[\n")
  end)

  it("may have a long value, which matches no user", function()
    local result = run { "non-mfa", "--user", LONG }
    assert.same({ 0, "" }, { result.status, result.out })
    assert_readable(result)
  end)

  it("prints the help of its first --help or --version, whatever errors follow", function()
    for _, words in ipairs { { "--help", "--bogus" }, { "-qh" }, { "--help", "--version" },
                             { "--help", "non-mfa", "--parallel", "0" } } do
      local result = run(words)
      assert.same({ 0, "" }, { result.status, result.err })
      assert.truthy(result.out:find "^Usage: pcapi COMMAND")
    end
    assert.truthy(run({ "--version", "--help" }).out:find "^pcapi %S+\n$")
    assert.truthy(run({ "non-mfa", "-h", "--bogus" }).out:find "^Usage: pcapi non%-mfa")
    assert.truthy(run({ "config", "show", "--help" }).out:find "^Usage: pcapi config show")
  end)

  it("is shown the help if it is only pcapi, or only a command with subcommands", function()
    for _, case in ipairs { { {}, { "--help" } }, { { "config" }, { "config", "--help" } } } do
      local result = run(case[1])
      assert.same({ 0, "" }, { result.status, result.err })
      assert.equal(run(case[2]).out, result.out)
    end
  end)
end)
