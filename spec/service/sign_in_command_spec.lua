--- Signing in and out from the shell, against the sandbox's sign-in service.
local cjson = require("cjson").new()
local core = require "pcapi.core"
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local sandbox = require "spec.support.sandbox"

local home, tenant

before_each(function()
  home = curl.shell("mktemp -d"):match "%S+"
  tenant = "t" .. core.uuid() .. ".example"
end)

after_each(function()
  os.execute("rm -rf " .. home)
end)

local function login_url(settings)
  return sandbox.url .. "/login/" .. (settings or "-")
end

-- The command as a person without any setting has it, but for the sandbox's address.
local function run(arguments, environment, input)
  local all = {
    HOME = home, PCAPI_TOKEN = false, PCAPI_LOGIN_URL = login_url(), BROWSER = "false",
  }
  for name, value in pairs(environment or {}) do
    all[name] = value
  end
  return sandbox.pcapi(arguments, all, input)
end

local function login(settings, ...)
  return run({ "login", "--tenant", tenant, "--client-id", "client",
               "--login-url", login_url(settings), ... })
end

-- curl as the browser: it follows to wherever the sign-in service sends it.
local function browser()
  local path = home .. "/browser"
  local file = assert(io.open(path, "w"))
  file:write("#!/bin/sh\nexec ", curl.COMMAND, " -sL --noproxy '*' --cacert ", sandbox.ca_file,
    ' "$1" >', home, "/page\n")
  file:close()
  os.execute("chmod +x " .. path)
  return path
end

local function login_by_browser(settings, ...)
  return run({ "--timeout", "20", "login", "--browser", "--tenant", tenant, "--client-id", "client",
               "--login-url", login_url(settings), ... }, { BROWSER = browser() })
end

local function login_with(environment)
  return run({ "--timeout", "20", "login", "--browser", "--tenant", tenant, "--client-id", "client",
               "--login-url", login_url() }, environment)
end

-- Signed in somehow: a browser takes no seconds, as a device code does.
local function sign_in(...)
  local result = login_by_browser(...)
  assert(result.err:find("signed in as", 1, true), result.err)
end

local function write_config(text)
  os.execute("mkdir -p " .. home .. "/.config/pcapi")
  local file = assert(io.open(home .. "/.config/pcapi/config", "w"))
  file:write(text)
  file:close()
end

describe("pcapi login", function()
  it("signs in once, and later commands need no person and no flag", function()
    local result = login()
    assert.equal(0, result.status, result.err)
    assert.truthy(result.err:find("open the page https://", 1, true))
    assert.truthy(result.err:find("signed in as admin@fabrikam.example", 1, true))
    assert.equal("", result.out)
    result = run { "non-mfa", "-o", "jsonl" }
    assert.equal(0, result.status, result.err)
    assert.equal(25, select(2, result.out:gsub("\n", "")))
  end)

  it("keeps the sign-in where only this user can read it", function()
    login()
    assert.equal("700\n600\n",
      curl.shell("cd " .. home .. "/.local/state && stat -c %a pcapi pcapi/default.json"))
  end)

  it("keeps several accounts apart by profile", function()
    sign_in()
    sign_in(nil, "--profile", "contoso")
    run { "logout" }
    assert.equal(4, run({ "non-mfa" }).status)
    assert.equal(0, run({ "--profile", "contoso", "non-mfa" }).status)
  end)

  it("asks for the tenant and the application by their flags", function()
    local result = run { "login", "--client-id", "x" }
    assert.equal(2, result.status)
    assert.truthy(result.err:find("use --tenant", 1, true), result.err)
    result = run { "login", "--tenant", "x.example" }
    assert.equal(2, result.status)
    assert.truthy(result.err:find("use --client-id", 1, true), result.err)
  end)

  it("says so when the person came in without MFA", function()
    local result = login_by_browser "amr=pwd"
    assert.equal(4, result.status, result.err)
    assert.truthy(result.err:find("without MFA", 1, true))
    assert.equal(4, run({ "status" }).status)
  end)

  for settings, expected in pairs {
    ["aadsts=50076"] = "with MFA", ["aadsts=7000218"] = "client_secret",
    ["rotate=0"] = "offline_access", ["deny=1"] = "declined",
  } do
    it("ends with status 4 and a next step at " .. settings, function()
      local result = login_by_browser(settings)
      assert.equal(4, result.status, result.err)
      assert.truthy(result.err:find(expected, 1, true), result.err)
      assert.equal(4, run({ "status" }).status)
    end)
  end

  it("asks less often when it is told to slow down", function()
    local begun = core.now()
    local result = login "slow_down=1;pending=0"
    assert.equal(0, result.status, result.err)
    assert.is_true(core.now() - begun > 6)
  end)

  it("keeps the old sign-in when a new one fails", function()
    sign_in()
    assert.equal(4, login("device=declined;pending=0").status)
    assert.equal(0, run({ "non-mfa" }).status)
  end)

  it("signs in again with the settings that it kept", function()
    sign_in()
    assert.equal(0, run({ "login", "--browser" }, { BROWSER = browser() }).status)
  end)

  it("signs in in a browser on this machine", function()
    local result = login_by_browser()
    assert.equal(0, result.status, result.err)
    assert.truthy(result.err:find("signed in as", 1, true))
    os.execute(("i=0; until [ -s %s/page ] || [ $((i += 1)) = 50 ]; do sleep 0.02; done")
      :format(home)) -- the browser may be slower than we are
    assert.truthy(files.slurp(home .. "/page"):find("close this", 1, true))
    assert.equal(0, run({ "non-mfa" }).status)
  end)

  it("takes BROWSER as other programs do", function()
    for _, list in ipairs { "false:/nowhere/browser %s:" .. browser() .. " %s",
                            browser() .. " '%s'" } do
      local result = login_with { BROWSER = list }
      assert.equal(0, result.status, result.err)
    end
  end)

  it("hands no secret to the browser", function()
    local path = browser()
    os.execute(("sed -i '2i env >%s/env' %s"):format(home, path))
    local result = login_with { BROWSER = path, PCAPI_CLIENT_SECRET = "SECRETc", OTHER = "kept",
                                PCAPI_REFRESH_TOKEN = "SECRETr", PCAPI_TOKEN = "SECRETt" }
    local environment = files.slurp(home .. "/env")
    assert.truthy(environment:find("OTHER=kept", 1, true), result.err)
    assert.is_nil(environment:find("SECRET", 1, true))
  end)

  it("keeps what flags said, and tells what the environment said", function()
    local result = run({ "login", "--browser", "--tenant", tenant, "--client-id", "client",
                         "--ca-file", sandbox.ca_file }, { BROWSER = browser(),
                                                           PCAPI_CLIENT_SECRET = "some" })
    assert.equal(0, result.status, result.err)
    assert.truthy(result.err:find("set these variables for later commands, too: "
      .. "PCAPI_CLIENT_SECRET, PCAPI_LOGIN_URL, PCAPI_BASE_URL", 1, true), result.err)
    assert.equal(0, run({ "non-mfa" }, { PCAPI_CA_FILE = false }).status)
  end)

  it("begins anew for another tenant or application", function()
    sign_in(nil, "--cloud", "china")
    local result = run { "--tenant", "other.example", "config", "show" }
    assert.is_nil(result.out:find("china", 1, true))
    assert.truthy(result.out:find("cloud +global +default"), result.out)
  end)

  it("says that a token of the environment stands before the sign-in", function()
    local result = run({ "login", "--browser", "--tenant", tenant, "--client-id", "client" },
      { BROWSER = browser(), PCAPI_TOKEN = "some" })
    assert.equal(0, result.status, result.err)
    assert.truthy(result.err:find("PCAPI_TOKEN is set", 1, true), result.err)
  end)

  for name, case in pairs {
    ["a certificate that is missing"] = { { "--certificate", "/nowhere.pem" }, "/nowhere.pem" },
    ["a secret that is missing"] = { { "--client-secret-file", "/nowhere" }, "/nowhere" },
  } do
    it("tells of " .. name .. " before a person is asked", function()
      local result = login_by_browser(nil, case[1][1], case[1][2])
      assert.equal(1, result.status, result.err)
      assert.truthy(result.err:find(case[2], 1, true), result.err)
      assert.is_nil(result.err:find("open this address", 1, true))
    end)
  end

  it("tells of a store that cannot be used before a person is asked", function()
    sign_in()
    os.execute("chmod 755 " .. home .. "/.local/state/pcapi")
    local result = login_by_browser()
    assert.equal(1, result.status, result.err)
    assert.truthy(result.err:find("chmod 700", 1, true), result.err)
    assert.is_nil(result.err:find("open this address", 1, true))
  end)

  it("ends at its timeout when nobody comes", function()
    local result = run { "--timeout", "1", "login", "--browser", "--tenant", tenant,
                         "--client-id", "client" }
    assert.equal(4, result.status, result.err)
    assert.truthy(result.err:find("nobody signed in in time", 1, true), result.err)
  end)
end)

describe("pcapi logout", function()
  it("forgets the sign-in", function()
    sign_in()
    assert.equal(0, run({ "logout" }).status)
    assert.equal(4, run({ "non-mfa" }).status)
    assert.equal("", curl.shell("cat " .. home .. "/.local/state/pcapi/*.json 2>/dev/null"))
  end)

  it("says so when nobody was signed in", function()
    local result = run { "logout" }
    assert.same({ 0, "pcapi: profile default was not signed in\n" }, { result.status, result.err })
  end)
end)

describe("pcapi status", function()
  it("tells who is signed in, where, until when and whether with MFA", function()
    sign_in()
    local result = run { "status" }
    assert.equal(0, result.status, result.err)
    for _, text in ipairs { "admin@fabrikam.example", "MFA +yes", "token until +%d%d%d%d%-" } do
      assert.truthy(result.out:find(text), result.out)
    end
  end)

  it("tells programs the same", function()
    sign_in "amr=pwd"
    local facts = cjson.decode(run({ "status", "--json" }).out)
    assert.same({ true, "no", "admin@fabrikam.example", "client", "default" },
      { facts.signed_in, facts.mfa, facts.user, facts.client_id, facts.profile })
    assert.truthy(facts.expires_at:find "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$")
  end)

  it("does not know whether a token has MFA that it cannot read", function()
    local result = run({ "status", "--json" }, { PCAPI_TOKEN = "opaque" })
    assert.equal(0, result.status, result.err)
    assert.equal("unknown", cjson.decode(result.out).mfa)
  end)

  it("ends with status 4 and the next command when nobody is signed in", function()
    local result = run { "status", "--json" }
    assert.equal(4, result.status)
    assert.is_false(cjson.decode(result.out).signed_in)
    assert.truthy(result.err:find("pcapi login", 1, true))
  end)

  it("asks nobody", function()
    sign_in()
    local result = run({ "status" }, { PCAPI_CA_FILE = "/nowhere.pem",
                                       PCAPI_BASE_URL = "https://localhost:1" })
    assert.equal(0, result.status, result.err)
  end)
end)

describe("a sign-in that is kept", function()
  it("serves no other tenant", function()
    sign_in()
    for _, command in ipairs { "non-mfa", "status" } do
      local result = run { "--tenant", "other.example", "--client-id", "client", command }
      assert.equal(4, result.status, result.out)
      assert.truthy(result.err:find("belongs to tenant " .. tenant, 1, true), result.err)
    end
  end)

  it("goes to no other sign-in service", function()
    sign_in()
    local result = run({ "non-mfa" }, { PCAPI_LOGIN_URL = "https://elsewhere.example" })
    assert.equal(4, result.status, result.out)
    assert.truthy(result.err:find("https://elsewhere.example", 1, true), result.err)
  end)

  for name, case in pairs {
    ["whose file others may read"] = { "chmod 644 default.json", "chmod 600" },
    ["whose folder others may read"] = { "chmod 755 .", "chmod 700" },
    ["that is damaged"] = { "echo '{' >default.json", "cannot be read" },
    ["that is empty"] = { ": >default.json", "cannot be read" },
    ["behind a symbolic link"] = { "mv default.json x && ln -s x default.json", "symbolic link" },
  } do
    it(name .. " is told of by its name, not as nobody's", function()
      sign_in()
      os.execute("cd " .. home .. "/.local/state/pcapi && " .. case[1])
      for _, command in ipairs { "non-mfa", "status", "doctor" } do
        local result = run { command }
        assert.equal(1, result.status, result.out .. result.err)
        assert.truthy((result.out .. result.err):find(case[2], 1, true), result.out .. result.err)
      end
      assert.truthy(run({ "config", "show" }).err:find(case[2], 1, true))
    end)
  end

  it("whose refusal asks for claims says how to bring them", function()
    sign_in "scenario=mfa%3Dclaims401"
    local result = run({ "non-mfa" }, { PCAPI_LOGIN_URL = login_url "scenario=mfa%3Dclaims401" })
    assert.equal(4, result.status)
    assert.truthy(result.err:find("pcapi login --browser --claims '{\"access_token\":", 1, true),
      result.err)
  end)

  it("of another profile is not what the environment's refresh token stands for", function()
    sign_in(nil, "--profile", "contoso")
    local result = run({ "--profile", "contoso", "non-mfa" }, { PCAPI_REFRESH_TOKEN = "stale" })
    assert.equal(0, result.status, result.err)
  end)
end)

describe("pcapi doctor", function()
  local STEPS = { "configuration", "sign-in", "sign-in name", "sign-in connection", "sign-in TLS",
                  "clock", "token endpoint", "token claims", "service name", "service connection",
                  "service TLS", "call" }

  local function statuses(result)
    local all, steps = {}, {}
    for _, row in ipairs(cjson.decode(result.out)) do
      steps[#steps + 1] = row.step
      all[#all + 1] = row.status
    end
    return all, steps
  end

  it("finds each step in order", function()
    sign_in()
    local result = run { "doctor", "--json" }
    assert.equal(0, result.status, result.err .. result.out)
    local all, steps = statuses(result)
    assert.same(STEPS, steps)
    for _, status in ipairs(all) do
      assert.equal("ok", status)
    end
    assert.equal(12, select(2, run({ "doctor" }).out:gsub("ok  ", "")))
  end)

  it("finds the first thing that is missing, and tests nothing that depends on it", function()
    local result = run { "doctor" }
    assert.equal(4, result.status)
    assert.truthy(result.out:find("failed      configuration", 1, true), result.out)
    assert.truthy(result.out:find("pcapi login --tenant", 1, true))
    local all, steps = statuses(run { "doctor", "--json" })
    assert.same(STEPS, steps)
    assert.equal("not tested", all[2])
    assert.equal("not tested", all[12])
  end)

  it("tells a name from a connection from TLS", function()
    sign_in()
    for url, expected in pairs {
      ["https://nowhere.invalid"] = "failed +service name: nowhere%.invalid:443, ",
      [sandbox.env "PCAPI_SANDBOX_CLOSED_URL"] = "failed +service connection: localhost:",
      [sandbox.env "PCAPI_SANDBOX_UNTRUSTED_URL"] = "failed +service TLS: localhost:",
    } do
      local result = run({ "doctor" }, { PCAPI_BASE_URL = url })
      assert.equal(6, result.status, result.out)
      assert.truthy(result.out:find(expected), result.out)
      assert.truthy(result.out:find("not tested  call", 1, true))
    end
  end)

  it("tells the causes of a TLS failure apart, each with its next step", function()
    local today = os.date "!%Y-%m-%d"
    for name, expected in pairs {
      UNTRUSTED = "Set ca_file", OTHER_HOST = "another host",
      EXPIRED = "clock of this machine says " .. today,
    } do
      local result = run({ "doctor" }, { PCAPI_TOKEN = sandbox.token(),
        PCAPI_BASE_URL = sandbox.env("PCAPI_SANDBOX_" .. name .. "_URL") })
      assert.equal(6, result.status, result.out)
      local hint = result.out:match "failed +service TLS: [^\n]*\n *([^\n]*)"
      assert.truthy(hint and hint:find(expected, 1, true), result.out)
    end
  end)

  it("warns of a file to which TLS keys are written", function()
    local keys = home .. "/keys"
    local environment = { PCAPI_TOKEN = sandbox.token(), SSLKEYLOGFILE = keys }
    local result = run({ "doctor" }, environment)
    assert.equal(0, result.status, result.out)
    assert.truthy(result.err:find("SSLKEYLOGFILE is set", 1, true), result.err)
    assert.truthy(result.err:find(keys, 1, true), result.err)
    assert.is_true(#files.slurp(keys) > 0) -- libcurl does write there
    environment.SSLKEYLOGFILE = ""
    assert.equal("", run({ "doctor" }, environment).err)
  end)

  for skew, said in pairs { ["600"] = "behind", ["-600"] = "ahead" } do
    it("finds a clock that is " .. said, function()
      sign_in()
      local result = run({ "doctor" }, { PCAPI_LOGIN_URL = login_url("skew=" .. skew) })
      assert.equal(1, result.status)
      assert.truthy(result.out:find("failed +clock: .* %d+ s " .. said), result.out)
      assert.truthy(result.out:find("ok +call"), result.out)
    end)
  end

  for settings, expected in pairs {
    ["aadsts=700082"] = { "failed +token endpoint", "Sign in again: pcapi login" },
    ["amr=pwd"] = { "failed +token claims", "Sign in again with MFA: pcapi login" },
    ["app_only=1"] = { "failed +token claims", "Sign in as a user" },
    ["scenario=status%3D403"] = { "failed +call", "role" },
    ["scenario=compliant%3Dfalse"] = { "failed +call", "Sign in again with MFA: pcapi login" },
    ["body=html"] = { "failed +token endpoint", "proxy" },
  } do
    it("names what is wrong at " .. settings, function()
      sign_in()
      local result = run({ "doctor" }, { PCAPI_LOGIN_URL = login_url(settings) })
      assert.is_true(result.status ~= 0)
      assert.truthy(result.out:find(expected[1]), result.out)
      assert.truthy(result.out:find(expected[2], 1, true), result.out)
    end)
  end

  it("looks at a token that is given, too", function()
    local result = run({ "doctor" }, { PCAPI_TOKEN = sandbox.token { amr = { "pwd" } } })
    assert.equal(4, result.status)
    assert.truthy(result.out:find "failed +token claims", result.out)
  end)
end)

describe("pcapi config show", function()
  it("tells where each value came from: flag, environment, profile, sign-in, default", function()
    sign_in()
    write_config "ca_file = /nowhere.pem\n[default]\ntimeout = 60\n"
    local result = run({ "--cloud", "us_government", "config", "show", "--json" })
    assert.equal(0, result.status, result.err)
    local from = {}
    for _, row in ipairs(cjson.decode(result.out)) do
      from[row.setting] = row.from
    end
    assert.equal("flag --cloud", from.cloud)
    assert.equal("environment PCAPI_CA_FILE", from.ca_file)
    assert.equal("profile default in " .. home .. "/.config/pcapi/config:3", from.timeout)
    assert.equal("sign-in", from.tenant)
    assert.equal("default", from.oauth_version)
  end)

  it("shows no secret", function()
    local result = run({ "config", "show" }, { PCAPI_CLIENT_SECRET = "SECRET" })
    assert.truthy(result.out:find("client_secret +%(not shown%)"), result.out)
    assert.is_nil(result.out:find("SECRET ", 1, true))
  end)

  it("shows no password of an address, and no command does", function()
    for _, proxy in ipairs {
      "me:SECRETpw@127.0.0.1:1", "HTTP://me:SECRETpw@127.0.0.1:1", "//me:SECRETpw@127.0.0.1:1",
      "http://me:SECRETp@w@127.0.0.1:1", "me:SECRETp/w@127.0.0.1:1",
      "http://me:SECRETp w@127.0.0.1:1", "ftp://me:SECRETpw@127.0.0.1:1",
      "http://me:SECRETpw@127.0.0.1:99999", "http://me:SECRETpw@",
    } do
      write_config("no_proxy = x.example\nproxy = " .. proxy .. "\n")
      local shown = run { "config", "show" }
      assert.truthy(shown.out:find("[hidden]@", 1, true), shown.out)
      assert.is_nil((shown.out .. shown.err):find("SECRET", 1, true), shown.out .. shown.err)
      for _, environment in ipairs {
        { PCAPI_TOKEN = sandbox.token() }, { PCAPI_TOKEN = sandbox.token(), no_proxy = "x.example",
          XDG_CONFIG_HOME = "/nowhere", https_proxy = proxy },
        { PCAPI_TOKEN = sandbox.token(), no_proxy = "x.example", XDG_CONFIG_HOME = "/nowhere",
          ALL_PROXY = proxy, https_proxy = false, HTTPS_PROXY = false },
      } do
        local said = run({ "--timeout", "3", "--trace", "doctor" }, environment)
        assert.not_equal(0, said.status)
        assert.is_nil((said.out .. said.err):find("SECRET", 1, true), said.out .. said.err)
      end
    end
  end)

  it("shows no password of the service's address", function()
    local result = run({ "config", "show" }, { PCAPI_LOGIN_URL = "https://me:SECRETpw@a.example",
      PCAPI_BASE_URL = "me:SECRETpw@b.example" })
    assert.is_nil(result.out:find("SECRET", 1, true), result.out)
    result = run({ "doctor" }, { PCAPI_BASE_URL = "https://me:SECRETpw@b.example",
                                 PCAPI_TOKEN = sandbox.token() })
    assert.is_nil((result.out .. result.err):find("SECRET", 1, true), result.out)
  end)

  it("names the line of the file that is wrong", function()
    write_config "# comment\ntennant = x\n"
    local result = run { "config", "show" }
    assert.equal(1, result.status)
    assert.truthy(result.err:find(home .. "/.config/pcapi/config:2: ", 1, true), result.err)
    assert.truthy(result.err:find('did you mean "tenant"', 1, true), result.err)
  end)
end)

describe("a script", function()
  it("uses a profile of the command", function()
    sign_in()
    local result = sandbox.shell(("HOME=%s %s -e '%s'"):format(home, sandbox.lua, [[
      local client = assert(require("pcapi").new { profile = "default" })
      print(#assert(client.security:non_mfa_principals()))]]))
    assert.same({ "25\n", "" }, { result.out, result.err })
  end)

  it("learns that a profile is not signed in", function()
    local result = sandbox.shell(("HOME=%s %s -e '%s'"):format(home, sandbox.lua, [[
      local client, err = require("pcapi").new { profile = "nobody" }
      print(client, err.kind, err.hint)]]))
    assert.truthy(result.out:find("^nil\tsign_in_required\tRun: pcapi login %-%-profile nobody"),
      result.out .. result.err)
  end)

  it("signs in by a refresh token of the environment, as CI does", function()
    local seed = curl.fetch { url = sandbox.url .. "/_sandbox/refresh_token?client_id=client" }.body
    local result = run({ "non-mfa", "-o", "jsonl" }, {
      PCAPI_REFRESH_TOKEN = seed, PCAPI_TENANT = tenant, PCAPI_CLIENT_ID = "client",
    })
    assert.equal(0, result.status, result.err)
    assert.equal("", curl.shell("ls -A " .. home))
    -- variables as a file of another system or a pipe fills them
    result = run({ "non-mfa", "-o", "jsonl" }, {
      PCAPI_REFRESH_TOKEN = seed .. "\r\n", PCAPI_TENANT = tenant .. "\r",
      PCAPI_CLIENT_ID = "\239\187\191client\n",
    })
    assert.equal(0, result.status, result.err)
    result = run({ "non-mfa" }, {
      PCAPI_REFRESH_TOKEN = "SECRET\nSECRET", PCAPI_TENANT = tenant, PCAPI_CLIENT_ID = "client",
    })
    assert.equal(1, result.status)
    assert.truthy(result.err:find("holds a line break", 1, true), result.err)
    assert.truthy(result.err:find("(environment PCAPI_REFRESH_TOKEN)", 1, true), result.err)
  end)
end)
