local endpoints = require "pcapi.auth.endpoints"
local sign_in = require "spec.support.sign_in"

local function new(changes)
  return endpoints.new(sign_in.merged({ tenant = "fabrikam.example" }, changes))
end

describe("the endpoints of a tenant", function()
  it("are those of version 2 in the global cloud, with a scope for a refresh token", function()
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

  it("of version 1 have other addresses", function()
    local made = new { oauth_version = "v1" }
    assert.equal("https://login.microsoftonline.com/fabrikam.example/oauth2/token", made.token_url)
    assert.equal("https://login.microsoftonline.com/fabrikam.example/oauth2/devicecode",
      made.device_code_url)
    assert.equal("https://login.microsoftonline.com/fabrikam.example/oauth2/authorize",
      made.authorize_url)
  end)

  it("are in a cloud: US Government has its own login, China its own service too", function()
    local us, china = new { cloud = "us_government" }, new { cloud = "china" }
    assert.equal("https://login.microsoftonline.us", us.login)
    assert.equal("https://api.partnercenter.microsoft.com", us.resource)
    assert.equal("https://login.partner.microsoftonline.cn", china.login)
    assert.equal("https://partner.partnercenterapi.microsoftonline.cn", china.resource)
    assert.equal("https://partner.partnercenterapi.microsoftonline.cn/user_impersonation "
      .. "offline_access", china.scope)
  end)

  it("can each be replaced; the others follow from the login address", function()
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

  it("follow another resource in their scope, or take another scope", function()
    assert.equal("https://r.example/user_impersonation offline_access",
      new({ resource = "https://r.example" }).scope)
    local made = new { scope = "https://r.example/.default offline_access" }
    assert.equal("https://r.example/.default offline_access", made.scope)
    assert.equal(sign_in.RESOURCE, made.resource)
  end)

  it("take a tenant by id, by domain, or a word for several tenants", function()
    for _, tenant in ipairs { "5f0b3c1e-0000-4000-8000-0000000000aa", "fabrikam.onmicrosoft.com",
                              "organizations" } do
      assert.matches("/" .. tenant .. "/oauth2", new({ tenant = tenant }).token_url, 1, true)
    end
  end)

  describe("cannot be made of", function()
    for name, case in pairs {
      ["an unknown cloud"] = { { cloud = "germany" }, 'option "cloud" must be' },
      ["an unknown version"] = { { oauth_version = "2" }, 'option "oauth_version" must be' },
      ["an empty tenant"] = { { tenant = "" }, 'option "tenant" must be' },
      ["a tenant that changes the path"] = { { tenant = "../x" }, '"tenant" must be' },
      ["a tenant with a slash"] = { { tenant = "a/b" }, '"tenant" must be' },
      ["a tenant with a query"] = { { tenant = "a?b" }, '"tenant" must be' },
      ["a tenant with a line break"] = { { tenant = "a\nb" }, '"tenant" must be' },
      ["an invalid login_url"] = { { login_url = "login.example" }, 'option "login_url" is' },
      ["a login_url over http"] = { { login_url = "http://login.example" },
        'option "login_url" must begin with https://' },
      ["a login_url over http on loopback"] = { { login_url = "http://127.0.0.1" },
        'option "login_url" must begin with https://' },
      ["a token_url over http"] = { { token_url = "http://x.example" }, '"token_url" must' },
      ["a password in an address"] = { { token_url = "https://u:p@x.example" },
        '"token_url" must not hold a user name or password' },
      ["an invalid device_code_url"] = { { device_code_url = "x" }, '"device_code_url" is' },
      ["an invalid authorize_url"] = { { authorize_url = "x" }, '"authorize_url" is' },
    } do
      it(name, function()
        local made, why = new(case[1])
        assert.is_nil(made)
        assert.matches(case[2], why, 1, true)
      end)
    end

    it("no tenant; the message has an example", function()
      local made, why = endpoints.new {}
      assert.is_nil(made)
      assert.matches("fabrikam.onmicrosoft.com", why, 1, true)
    end)
  end)

  it("are the target of a token, unless another audience is named", function()
    local made = new { scope = "https://r.example/x offline_access" }
    for _, audience in ipairs { false, made.resource } do
      local target = endpoints.target(made, audience or nil)
      assert.same({ made.resource, "https://r.example/x offline_access" },
        { target.resource, target.scope })
    end
    assert.same({ resource = "https://graph.microsoft.com",
                  scope = "https://graph.microsoft.com/.default offline_access" },
      endpoints.target(made, "https://graph.microsoft.com"))
  end)

  it("add a target to a form: a scope in version 2, a resource in version 1", function()
    local two, one = new(), new { oauth_version = "v1" }
    local target = endpoints.target(two, "https://a.example")
    assert.same({ scope = target.scope }, endpoints.add_target(two, {}, target))
    assert.same({ resource = "https://a.example" }, endpoints.add_target(one, {}, target))
    assert.same({ scope = two.scope, a = "b" }, endpoints.add_target(two, { a = "b" }))
    assert.same({ resource = one.resource, a = "b" }, endpoints.add_target(one, { a = "b" }))
  end)
end)
