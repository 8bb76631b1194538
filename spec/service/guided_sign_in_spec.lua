--- `pcapi login` on a terminal, from nothing to the first list; against the sandbox.
local curl = require "spec.support.curl"
local homes = require "spec.support.home"
local sandbox = require "spec.support.sandbox"

local ID = "0b8e6a1c-1111-4222-8333-944455556666"

local unpack = table.unpack or unpack

local home

before_each(function()
  home = homes.new()
end)

after_each(function()
  home:remove()
end)

-- Runs `pcapi login` on a terminal whose user types these parts. No browser is near.
local function login(typed, environment, ...)
  return home:run_on_terminal({ "--timeout", "20", "login", ... },
    sandbox.merged({ BROWSER = false }, environment), typed)
end

local function has(result, ...)
  for _, expected in ipairs { ... } do
    assert.matches(expected, result.screen, 1, true)
  end
end

local function lacks(result, ...)
  for _, unexpected in ipairs { ... } do
    assert.is_nil(result.screen:find(unexpected, 1, true), result.screen)
  end
end

local function stored()
  return curl.shell("ls " .. home.path .. "/.local/state/pcapi 2>/dev/null")
end

describe("pcapi login on a terminal", function()
  it("asks for tenant and application, shows how to register it, and signs in", function()
    local result = login(home.tenant .. "\n" .. ID .. "\n")
    assert.equal(0, result.status, result.screen)
    has(result, "Partner tenant", "Entra > Overview",
      "1. Entra admin center", "2. Authentication", "3. API permissions", "4. API permissions",
      "5. Partner Center", "6. As a user",
      "az login --tenant " .. home.tenant,
      homes.login_url() .. "/" .. home.tenant .. "/adminconsent?client_id=CLIENT_ID",
      "Application (client) ID",
      homes.login_url() .. "/" .. home.tenant .. "/adminconsent?client_id=" .. ID,
      "open the page https://", "signed in as admin@fabrikam.example",
      "each step of pcapi doctor succeeds: 25 users without MFA", "Next: pcapi non-mfa")
    assert.equal(0, home:run({ "non-mfa" }).status)
  end)

  it("asks only for what it lacks", function()
    local result = login(ID .. "\n", nil, "--tenant", home.tenant)
    assert.equal(0, result.status, result.screen)
    lacks(result, "Partner tenant")
    has(result, "az login --tenant " .. home.tenant, "Application (client) ID")
    result = login(home.tenant .. "\n", nil, "--client-id", ID, "--profile", "work")
    assert.equal(0, result.status, result.screen)
    has(result, "Partner tenant", "Next: pcapi --profile work non-mfa")
    lacks(result, "1. Entra admin center", "Application (client) ID")
    result = login("", nil, "--profile", "work")
    assert.equal(0, result.status, result.screen)
    lacks(result, "Partner tenant", "Application (client) ID")
  end)

  it("says what is wrong with an answer, and asks again", function()
    local answers = { "fabrikam", "kim@" .. home.tenant, home.tenant, "my app", ID, "" }
    local result = login(table.concat(answers, "\n"))
    assert.equal(0, result.status, result.screen)
    has(result, "pcapi: that is neither an ID nor a domain", "pcapi: that is a user; enter "
      .. home.tenant, "pcapi: that is no ID")
    assert.equal(3, select(2, result.screen:gsub("Tenant: ", "")))
    assert.equal(2, select(2, result.screen:gsub("Client ID: ", "")))
  end)

  for name, typed in pairs {
    ["Ctrl-D in place of the tenant"] = "\4", ["an empty tenant"] = "\n",
    ["Ctrl-D in place of the application"] = "a.example\n\4",
    ["an empty application"] = "a.example\n \n",
  } do
    it("ends without a sign-in at " .. name, function()
      local result = login(typed)
      assert.equal(2, result.status, result.screen)
      has(result, "cancelled; nothing was stored")
      assert.equal("", stored())
    end)
  end

  it("ends with status 130 at Ctrl-C, also while it asks", function()
    local result = login { "", "", "\3" }
    assert.equal(130, result.status, result.screen)
    has(result, "interrupted")
    assert.equal("", stored())
  end)

  it("asks nobody if a standard stream is no terminal, or in CI", function()
    local words = { "login", "--profile", "work" }
    for _, result in ipairs {
      home:run_on_terminal(words, nil, "", "</dev/null"),
      home:run_on_terminal(words, nil, "", ("2>%s/err; s=$?; cat %s/err; exit $s"):format(home.path,
        home.path)),
      home:run_on_terminal(words, { CI = "true" }),
    } do
      assert.equal(2, result.status, result.screen)
      has(result, "no tenant and no client ID are set; use --tenant TENANT and --client-id ID",
        "pcapi login --checklist")
      lacks(result, "Tenant: ")
    end
  end)

  it("uses a browser where there is one, and a code elsewhere", function()
    local words = { "--tenant", home.tenant, "--client-id", ID }
    local with_browser = { BROWSER = home:browser() }
    local result = login("", with_browser, unpack(words))
    assert.equal(0, result.status, result.screen)
    has(result, "open this address in a browser on this machine", "pcapi login --checklist")
    for _, environment in ipairs {
      {}, { BROWSER = home:browser(), SSH_CONNECTION = "192.0.2.1 1 192.0.2.2 22" },
    } do
      result = login("", environment, unpack(words))
      assert.equal(0, result.status, result.screen)
      has(result, "enter the code")
    end
    result = login("", with_browser, "--device-code", unpack(words))
    assert.equal(0, result.status, result.screen)
    has(result, "enter the code")
    result = home:run({ "login", unpack(words) }, with_browser)
    assert.equal(0, result.status, result.err)
    assert.matches("enter the code", result.err, 1, true)
  end)

  it("tests no step with --quiet", function()
    local result = login("", nil, "-q", "--tenant", home.tenant, "--client-id", ID)
    assert.equal(0, result.status, result.screen)
    lacks(result, "pcapi doctor", "signed in as")
  end)
end)

describe("a sign-in that fails on a terminal", function()
  -- With a browser, which is faster than a code.
  local function fails(settings, environment, ...)
    local result = login("", sandbox.merged({ BROWSER = home:browser(),
                                              PCAPI_LOGIN_URL = homes.login_url(settings) },
      environment), "--tenant", home.tenant, "--client-id", ID, ...)
    assert.equal(4, result.status, result.screen)
    return result
  end

  for number, expected in pairs {
    [700016] = "see step 1 of 'pcapi login --checklist'",
    [7000218] = "see step 2 of 'pcapi login --checklist': allow public client flows",
    [500011] = "az ad sp create --id fa3d9a0c-3fb0-42cc-9193-47c7ecd2edbd",
    [65001] = "/adminconsent?client_id=" .. ID,
    [50105] = "see step 6 of 'pcapi login --checklist'",
    [50076] = "see step 6 of 'pcapi login --checklist'",
  } do
    it("with AADSTS" .. number .. " names the step", function()
      local result = fails("aadsts=" .. number)
      has(result, "AADSTS" .. number, expected)
      assert.equal("", stored())
    end)
  end

  for _, number in ipairs { 53003, 530035 } do
    it("with AADSTS" .. number .. " for a code has --browser as the next step", function()
      local result = fails("aadsts=" .. number, { BROWSER = false }, "--profile", "work")
      has(result, ("Sign in with a browser: pcapi login --profile work --tenant %s --client-id %s "
        .. "--browser"):format(home.tenant, ID))
    end)

    it("with AADSTS" .. number .. " in a browser has another next step", function()
      local result = fails("aadsts=" .. number)
      has(result, "Conditional Access", "ask its administrator")
      lacks(result, "Sign in with a browser")
    end)
  end

  it("after it was stored names the step, and keeps the sign-in", function()
    local result = fails "scenario=status%3D403"
    has(result, "signed in as", "pcapi: failed: call: forbidden",
      "see steps 5 and 6 of 'pcapi login --checklist'", "App management",
      "the sign-in is stored; when the step is corrected, run: pcapi doctor")
    lacks(result, "Next: pcapi non-mfa")
    assert.equal("default.json\n", stored())
  end)

  it("because the user has no MFA says so", function()
    local result = fails "amr=pwd"
    has(result, "this user signed in without MFA")
    lacks(result, "Next: pcapi non-mfa")
  end)
end)

describe("pcapi login --checklist", function()
  it("prints the checklist with what is known, and sends nothing", function()
    local result = home:run({ "login", "--checklist" }, { PCAPI_LOGIN_URL = false })
    assert.same({ 0, "" }, { result.status, result.err })
    assert.matches("https://login.microsoftonline.com/TENANT/adminconsent?client_id=CLIENT_ID",
      result.out, 1, true)
    result = home:run { "--tenant", "a.example", "--client-id", ID, "login", "--checklist" }
    assert.matches(homes.login_url() .. "/a.example/adminconsent?client_id=" .. ID, result.out, 1,
      true)
    result = home:run({ "--cloud", "us_government", "login", "--checklist" },
      { PCAPI_LOGIN_URL = false })
    assert.matches("https://login.microsoftonline.us/TENANT/adminconsent", result.out, 1, true)
  end)
end)

describe("pcapi login --help", function()
  it("shows every flag that a sign-in takes", function()
    local help = sandbox.pcapi({ "login", "--help" }).out
    for _, flag in ipairs { "--browser", "--device-code", "--checklist", "--claims", "--profile",
                            "--tenant", "--client-id", "--client-secret-file", "--certificate",
                            "--certificate-key", "--key-passphrase-file", "--cloud", "--login-url",
                            "--ca-file", "--timeout" } do
      assert.matches(flag, help, 1, true)
    end
  end)
end)
