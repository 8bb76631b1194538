--- `pcapi login` and `pcapi logout`, against the sandbox's sign-in service.
local core = require "pcapi.core"
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local homes = require "spec.support.home"
local sandbox = require "spec.support.sandbox"

local home

before_each(function()
  home = homes.new()
end)

after_each(function()
  home:remove()
end)

-- Runs `pcapi login --browser` with another environment.
local function login_with(environment)
  return home:run({ "--timeout", "20", "login", "--browser", "--tenant", home.tenant,
                    "--client-id", homes.CLIENT, "--login-url", homes.login_url() }, environment)
end

describe("pcapi login", function()
  it("signs in once; later commands need no sign-in and no flag", function()
    local result = home:login()
    assert.equal(0, result.status, result.err)
    assert.truthy(result.err:find("open the page https://", 1, true))
    assert.truthy(result.err:find("signed in as admin@fabrikam.example", 1, true))
    assert.equal("", result.out)
    result = home:run { "non-mfa", "-o", "jsonl" }
    assert.equal(0, result.status, result.err)
    assert.equal(25, select(2, result.out:gsub("\n", "")))
  end)

  it("stores the sign-in where only this user can read it", function()
    home:login()
    assert.equal("700\n600\n",
      curl.shell("cd " .. home.path .. "/.local/state && stat -c %a pcapi pcapi/default.json"))
  end)

  it("stores an account for each profile", function()
    home:sign_in()
    home:sign_in(nil, "--profile", "contoso")
    home:run { "logout" }
    assert.equal(4, home:run({ "non-mfa" }).status)
    assert.equal(0, home:run({ "--profile", "contoso", "non-mfa" }).status)
  end)

  it("names the flags for tenant and application if they are missing", function()
    local result = home:run { "login", "--client-id", homes.CLIENT }
    assert.equal(2, result.status)
    assert.truthy(result.err:find("use --tenant", 1, true), result.err)
    result = home:run { "login", "--tenant", "x.example" }
    assert.equal(2, result.status)
    assert.truthy(result.err:find("use --client-id", 1, true), result.err)
  end)

  it("reports a user who signed in without MFA", function()
    local result = home:login_by_browser "amr=pwd"
    assert.equal(4, result.status, result.err)
    assert.truthy(result.err:find("without MFA", 1, true))
    assert.equal(4, home:run({ "status" }).status)
  end)

  for settings, expected in pairs {
    ["aadsts=50076"] = "with MFA", ["aadsts=7000218"] = "client_secret",
    ["rotate=0"] = "offline_access", ["deny=1"] = "declined",
  } do
    it("ends with status 4 and a next step at " .. settings, function()
      local result = home:login_by_browser(settings)
      assert.equal(4, result.status, result.err)
      assert.truthy(result.err:find(expected, 1, true), result.err)
      assert.equal(4, home:run({ "status" }).status)
    end)
  end

  it("polls slower after slow_down", function()
    local begun = core.now()
    local result = home:login "slow_down=1;pending=0"
    assert.equal(0, result.status, result.err)
    assert.is_true(core.now() - begun > 6)
  end)

  it("keeps the stored sign-in if a new one fails", function()
    home:sign_in()
    assert.equal(4, home:login("device=declined;pending=0").status)
    assert.equal(0, home:run({ "non-mfa" }).status)
  end)

  it("signs in again with the stored settings", function()
    home:sign_in()
    assert.equal(0, home:run({ "login", "--browser" }, { BROWSER = home:browser() }).status)
  end)

  it("signs in with a browser on this machine", function()
    local result = home:login_by_browser()
    assert.equal(0, result.status, result.err)
    assert.truthy(result.err:find("signed in as", 1, true))
    os.execute(("i=0; until [ -s %s/page ] || [ $((i += 1)) = 50 ]; do sleep 0.02; done")
      :format(home.path)) -- the browser may be slower than the command
    assert.truthy(files.slurp(home.path .. "/page"):find("close this", 1, true))
    assert.equal(0, home:run({ "non-mfa" }).status)
  end)

  it("reads BROWSER as other programs do", function()
    for _, list in ipairs { "false:/nowhere/browser %s:" .. home:browser() .. " %s",
                            home:browser() .. " '%s'" } do
      local result = login_with { BROWSER = list }
      assert.equal(0, result.status, result.err)
    end
  end)

  it("passes no secret to the browser", function()
    local path = home:browser()
    os.execute(("sed -i '2i env >%s/env' %s"):format(home.path, path))
    local result = login_with { BROWSER = path, PCAPI_CLIENT_SECRET = "SECRETc", OTHER = "kept",
                                PCAPI_REFRESH_TOKEN = "SECRETr", PCAPI_TOKEN = "SECRETt" }
    local environment = files.slurp(home.path .. "/env")
    assert.truthy(environment:find("OTHER=kept", 1, true), result.err)
    assert.is_nil(environment:find("SECRET", 1, true))
  end)

  it("stores the values of flags, and names variables that later commands need", function()
    local result = home:run({ "login", "--browser", "--tenant", home.tenant,
                              "--client-id", homes.CLIENT, "--ca-file", sandbox.ca_file },
      { BROWSER = home:browser(), PCAPI_CLIENT_SECRET = "some" })
    assert.equal(0, result.status, result.err)
    assert.truthy(result.err:find("set these variables for later commands, too: "
      .. "PCAPI_CLIENT_SECRET, PCAPI_LOGIN_URL, PCAPI_BASE_URL", 1, true), result.err)
    assert.equal(0, home:run({ "non-mfa" }, { PCAPI_CA_FILE = false }).status)
  end)

  it("uses no stored setting for another tenant or application", function()
    home:sign_in(nil, "--cloud", "china")
    local result = home:run { "--tenant", "other.example", "config", "show" }
    assert.is_nil(result.out:find("china", 1, true))
    assert.truthy(result.out:find("cloud +global +default"), result.out)
  end)

  it("warns of PCAPI_TOKEN, which overrides the sign-in", function()
    local result = home:run({ "login", "--browser", "--tenant", home.tenant,
                              "--client-id", homes.CLIENT },
      { BROWSER = home:browser(), PCAPI_TOKEN = "some" })
    assert.equal(0, result.status, result.err)
    assert.truthy(result.err:find("PCAPI_TOKEN is set", 1, true), result.err)
  end)

  for name, case in pairs {
    ["a missing certificate"] = { { "--certificate", "/nowhere.pem" }, "/nowhere.pem" },
    ["a missing secret"] = { { "--client-secret-file", "/nowhere" }, "/nowhere" },
  } do
    it("reports " .. name .. " before the user signs in", function()
      local result = home:login_by_browser(nil, case[1][1], case[1][2])
      assert.equal(1, result.status, result.err)
      assert.truthy(result.err:find(case[2], 1, true), result.err)
      assert.is_nil(result.err:find("open this address", 1, true))
    end)
  end

  it("reports a store that cannot be used before the user signs in", function()
    home:sign_in()
    os.execute("chmod 755 " .. home.path .. "/.local/state/pcapi")
    local result = home:login_by_browser()
    assert.equal(1, result.status, result.err)
    assert.truthy(result.err:find("chmod 700", 1, true), result.err)
    assert.is_nil(result.err:find("open this address", 1, true))
  end)

  it("ends at its timeout", function()
    local result = home:run { "--timeout", "1", "login", "--browser", "--tenant", home.tenant,
                              "--client-id", homes.CLIENT }
    assert.equal(4, result.status, result.err)
    assert.truthy(result.err:find("the sign-in timed out", 1, true), result.err)
  end)
end)

describe("pcapi logout", function()
  it("removes the sign-in", function()
    home:sign_in()
    assert.equal(0, home:run({ "logout" }).status)
    assert.equal(4, home:run({ "non-mfa" }).status)
    assert.equal("", curl.shell("cat " .. home.path .. "/.local/state/pcapi/*.json 2>/dev/null"))
  end)

  it("reports that no user was signed in", function()
    local result = home:run { "logout" }
    assert.same({ 0, "pcapi: profile default was not signed in\n" }, { result.status, result.err })
  end)
end)
