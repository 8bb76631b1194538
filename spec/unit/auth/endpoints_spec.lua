local endpoints = require "pcapi.auth.endpoints"
local sign_in = require "spec.support.sign_in"

local function new(changes)
  return endpoints.new(sign_in.merged({ tenant = "fabrikam.example" }, changes))
end

describe("pcapi.auth.endpoints", function()
  it("is version 2 of the global cloud, with a scope that gives a refresh token", function()
    local made = new()
    assert.equal("v2", made.version)
    assert.equal("https://login.microsoftonline.com", made.login)
    assert.equal("https://login.microsoftonline.com/fabrikam.example/oauth2/v2.0/token",
      made.token_url)
    assert.equal("https://login.microsoftonline.com/fabrikam.example/oauth2/v2.0/devicecode",
      made.device_code_url)
    assert.equal("https://login.microsoftonline.com/fabrikam.example/oauth2/v2.0/authorize",
      made.authorize_url)
    assert.equal("https://api.partnercenter.microsoft.com", made.resource)
    assert.equal("https://api.partnercenter.microsoft.com/user_impersonation offline_access",
      made.scope)
  end)

  it("has the addresses of version 1", function()
    local made = new { oauth_version = "v1" }
    assert.equal("https://login.microsoftonline.com/fabrikam.example/oauth2/token", made.token_url)
    assert.equal("https://login.microsoftonline.com/fabrikam.example/oauth2/devicecode",
      made.device_code_url)
    assert.equal("https://login.microsoftonline.com/fabrikam.example/oauth2/authorize",
      made.authorize_url)
  end)

  it("knows the clouds: US Government has its own login, China its own service too", function()
    local us, china = new { cloud = "us_government" }, new { cloud = "china" }
    assert.equal("https://login.microsoftonline.us", us.login)
    assert.equal("https://api.partnercenter.microsoft.com", us.resource)
    assert.equal("https://login.partner.microsoftonline.cn", china.login)
    assert.equal("https://partner.partnercenterapi.microsoftonline.cn", china.resource)
    assert.equal("https://partner.partnercenterapi.microsoftonline.cn/user_impersonation "
      .. "offline_access", china.scope)
  end)

  it("lets every address be overridden, the rest following from the login", function()
    local made = new { login_url = "https://sso.example/entra//", cloud = "china",
                       token_url = "https://t.example/x?y=z", device_code_url = "https://d.example",
                       oauth_version = "v1" }
    assert.equal("https://sso.example/entra", made.login)
    assert.equal("https://t.example/x?y=z", made.token_url)
    assert.equal("https://d.example", made.device_code_url)
    assert.equal("https://sso.example/entra/fabrikam.example/oauth2/authorize",
      made.authorize_url)
    assert.equal("https://a.example", new({ authorize_url = "https://a.example" }).authorize_url)
  end)

  it("takes another resource, which the scope follows, or another scope", function()
    assert.equal("https://r.example/user_impersonation offline_access",
      new({ resource = "https://r.example" }).scope)
    local made = new { scope = "https://r.example/.default offline_access" }
    assert.equal("https://r.example/.default offline_access", made.scope)
    assert.equal(sign_in.RESOURCE, made.resource)
  end)

  it("takes a tenant by id, by domain and by the words for several", function()
    for _, tenant in ipairs { "5f0b3c1e-0000-4000-8000-0000000000aa", "fabrikam.onmicrosoft.com",
                              "organizations" } do
      assert.matches("/" .. tenant .. "/oauth2", new({ tenant = tenant }).token_url, 1, true)
    end
  end)

  describe("refuses", function()
    for name, case in pairs {
      ["a cloud that is none"] = { { cloud = "germany" }, 'option "cloud" must be' },
      ["a version that is none"] = { { oauth_version = "2" }, 'option "oauth_version" must be' },
      ["an empty tenant"] = { { tenant = "" }, 'option "tenant" must be' },
      ["a tenant that leaves its place in the path"] = { { tenant = "../x" }, '"tenant" must be' },
      ["a tenant with a slash"] = { { tenant = "a/b" }, '"tenant" must be' },
      ["a tenant with a query"] = { { tenant = "a?b" }, '"tenant" must be' },
      ["a tenant with a line break"] = { { tenant = "a\nb" }, '"tenant" must be' },
      ["a login that is no address"] = { { login_url = "login.example" }, 'option "login_url" is' },
      ["a login over http"] = { { login_url = "http://login.example" },
        'option "login_url" must begin with https://' },
      ["a login over http on loopback, too"] = { { login_url = "http://127.0.0.1" },
        'option "login_url" must begin with https://' },
      ["a token endpoint over http"] = { { token_url = "http://x.example" }, '"token_url" must' },
      ["a password in an address"] = { { token_url = "https://u:p@x.example" },
        '"token_url" must not hold a user name or password' },
      ["an address for codes that is none"] = { { device_code_url = "x" }, '"device_code_url" is' },
      ["an address for browsers that is none"] = { { authorize_url = "x" }, '"authorize_url" is' },
    } do
      it(name, function()
        local made, why = new(case[1])
        assert.is_nil(made)
        assert.matches(case[2], why, 1, true)
      end)
    end

    it("no tenant, and says what one looks like", function()
      local made, why = endpoints.new {}
      assert.is_nil(made)
      assert.matches("fabrikam.onmicrosoft.com", why, 1, true)
    end)
  end)

  it("targets a form by scope in version 2, by resource in version 1, never by both", function()
    local two, one = new(), new { oauth_version = "v1" }
    assert.same({ scope = two.scope, a = "b" }, endpoints.target(two, { a = "b" }))
    assert.same({ resource = one.resource, a = "b" }, endpoints.target(one, { a = "b" }))
  end)
end)
