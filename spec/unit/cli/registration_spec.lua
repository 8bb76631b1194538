local errors = require "pcapi.error"
local registration = require "pcapi.cli.registration"

local ID = "0b8e6a1c-1111-4222-8333-944455556666"
local PARTNER_CENTER = "fa3d9a0c-3fb0-42cc-9193-47c7ecd2edbd"

local LOGIN = "https://login.microsoftonline.com"

describe("the registration checklist", function()
  local function checklist(changes)
    local given = { login = LOGIN, cloud = "global" }
    for name, value in pairs(changes or {}) do
      given[name] = value
    end
    return registration.checklist(given)
  end

  it("fits 80 columns but for addresses", function()
    for line in checklist { tenant = "fabrikam.onmicrosoft.com", client_id = ID }:gmatch "[^\n]+" do
      assert.is_true(#line <= 80 or line:find "^ *https://" ~= nil, line)
    end
  end)

  it("has the address of the consent with tenant and application", function()
    assert.matches(LOGIN .. "/TENANT/adminconsent?client_id=CLIENT_ID", checklist(), 1, true)
    assert.matches(LOGIN .. "/a.example/adminconsent?client_id=" .. ID,
      checklist { tenant = "a.example", client_id = ID }, 1, true)
  end)

  it("creates the application by az, or corrects the one that it knows", function()
    local lines = checklist { tenant = "a.example" }
    assert.matches("az login --tenant a.example --allow-no-subscriptions\n", lines, 1, true)
    assert.matches("id=$(az ad app create --display-name pcapi ", lines, 1, true)
    for _, word in ipairs { "--sign-in-audience AzureADMyOrg", "--is-fallback-public-client true",
                            "--public-client-redirect-uris http://localhost",
                            'az ad sp create --id "$id"', "--api " .. PARTNER_CENTER,
                            "--api-permissions 1cebfa2a-fb4d-419e-b5f9-839b4383e05a=Scope",
                            'az ad app permission admin-consent --id "$id"' } do
      assert.matches(word, lines, 1, true)
    end
    lines = checklist { client_id = ID }
    assert.matches("id=" .. ID .. "\n", lines, 1, true)
    assert.matches('az ad app update --id "$id" ', lines, 1, true)
    assert.is_nil(lines:find("app create", 1, true))
  end)

  it("names the admin center of the global cloud only", function()
    assert.matches("https://entra.microsoft.com", checklist(), 1, true)
    assert.is_nil(checklist({ cloud = "china" }):find("https://entra", 1, true))
  end)

  it("shows tenant and application without control characters and shell syntax", function()
    local lines = checklist { tenant = "a\27[2J$(x)'", client_id = "b;`x`" }
    assert.is_nil(lines:find "[%z\1-\9\11-\31]")
    assert.is_nil(lines:find("$(x)", 1, true))
    assert.is_nil(lines:find("`x`", 1, true))
  end)
end)

describe("a tenant that the user enters", function()
  for answer, expected in pairs {
    ["fabrikam.onmicrosoft.com"] = true, ["Fabrikam.COM"] = true, [ID] = true, [ID:upper()] = true,
    ["fabrikam"] = "neither an ID nor a domain", ["kim@fabrikam.com"] = "enter fabrikam.com",
    ["https://fabrikam.com/"] = "an address", ["common"] = "must be your own",
    ["organizations"] = "must be your own", ["fabrikam .com"] = "neither an ID nor a domain",
    ["-.com"] = "neither an ID nor a domain", [ID:sub(2)] = "neither an ID nor a domain",
  } do
    it(("%q is %s"):format(answer, expected == true and "taken" or "refused: " .. expected),
      function()
        local value, why = registration.check_tenant(answer)
        if expected == true then
          assert.equal(answer, value)
        else
          assert.is_nil(value)
          assert.matches(expected, why, 1, true)
        end
      end)
  end
end)

describe("a client ID that the user enters", function()
  it("is taken if it is an ID", function()
    assert.equal(ID, (registration.check_client_id(ID, "a.example")))
    assert.equal(ID, (registration.check_client_id("{" .. ID .. "}", "a.example")))
  end)

  it("is refused, without being repeated, if it is no ID: it may be a secret", function()
    for _, answer in ipairs { "a+b/c=d~SECRET", "SECRET", ID .. "SECRET" } do
      local value, why = registration.check_client_id(answer, "a.example")
      assert.is_nil(value)
      assert.matches("is no ID", why, 1, true)
      assert.is_nil(why:find("SECRET", 1, true))
    end
  end)

  it("is refused if it is the ID of the tenant or of Partner Center", function()
    local value, why = registration.check_client_id(ID:upper(), ID)
    assert.is_nil(value)
    assert.matches("the ID of the tenant", why, 1, true)
    value, why = registration.check_client_id(PARTNER_CENTER, ID)
    assert.is_nil(value)
    assert.matches("the ID of Partner Center", why, 1, true)
  end)
end)

describe("the step of the checklist that an error means", function()
  local GIVEN = { login = LOGIN, tenant = "a.example", client_id = ID }

  local function advice(fields)
    fields.message = "x"
    return registration.advice(errors.new(fields), GIVEN)
  end

  local function refused(number)
    return advice { kind = "consent_required", oauth_error = "invalid_client",
                    code = "AADSTS" .. number }
  end

  for number, expected in pairs {
    [700016] = "step 1 .*the tenant", [90002] = "step 1 .*the tenant",
    [7000229] = "step 1 .*az ad sp create %-%-id " .. ID:gsub("%-", "%%-"),
    [7000218] = "step 2 .*public client flows", [50011] = "step 2 .*http://localhost",
    [9002327] = "step 2 .*http://localhost",
    [650057] = "step 3 .*user_impersonation",
    [500011] = "step 3 .*az ad sp create %-%-id " .. PARTNER_CENTER:gsub("%-", "%%-"),
    [650052] = "step 3 .*az ad sp create %-%-id " .. PARTNER_CENTER:gsub("%-", "%%-"),
    [65001] = "step 4 .*/a%.example/adminconsent%?client_id=" .. ID:gsub("%-", "%%-"),
    [90094] = "step 4 .*/adminconsent", [65004] = "step 4 .*/adminconsent",
    [50105] = "step 6 .*role", [50076] = "step 6 .*MFA",
  } do
    it("is " .. expected .. " for AADSTS" .. number, function()
      assert.matches(expected, refused(number))
    end)
  end

  it("is App management and the role for a 403 of the service", function()
    local said = advice { kind = "forbidden", status = 403, code = "900150" }
    assert.matches("steps 5 and 6 .*App management", said)
  end)

  it("is the user's MFA for a refusal of the service", function()
    local said = advice { kind = "mfa_required", status = 401, code = "900421" }
    assert.matches("see step 6 of", said, 1, true)
  end)

  it("is none for other errors", function()
    assert.is_nil(refused(700082))
    assert.is_nil(refused(99999999))
    assert.is_nil(advice { kind = "network" })
    assert.is_nil(advice { kind = "server", status = 500, code = "800003" })
  end)
end)
