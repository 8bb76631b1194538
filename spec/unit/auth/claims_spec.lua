local claims = require "pcapi.auth.claims"
local core = require "pcapi.core"
local sign_in = require "spec.support.sign_in"

local function read(changes)
  local all = sign_in.merged({ aud = sign_in.RESOURCE, ver = "1.0", scp = "user_impersonation",
                               amr = { "pwd", "mfa" } }, changes)
  for name, value in pairs(all) do
    all[name] = value or nil
  end
  return claims.read(sign_in.jwt(all))
end

describe("the claims of a token", function()
  it("name audience, tenant, user, application and times", function()
    local said = read { tid = "t-1", oid = "o-1", upn = "kim@fabrikam.example", appid = "a-1",
                        exp = 1706947689, nbf = 1706944089, iat = "1706944089" }
    assert.is_true(said.readable)
    assert.equal(sign_in.RESOURCE, said.audience)
    assert.equal("t-1", said.tenant_id)
    assert.equal("o-1", said.object_id)
    assert.equal("kim@fabrikam.example", said.user)
    assert.equal("a-1", said.application_id)
    assert.equal(1706947689, said.expires_at)
    assert.equal(1706944089, said.not_before)
    assert.equal(1706944089, said.issued_at)
    assert.same({ "user_impersonation" }, said.scopes)
    assert.same({ "pwd", "mfa" }, said.amr)
  end)

  it("are read by their names in version 2.0", function()
    local said = read { ver = "2.0", azp = "a-2", preferred_username = "kim@fabrikam.example" }
    assert.equal("a-2", said.application_id)
    assert.equal("kim@fabrikam.example", said.user)
  end)

  it("name a guest, who has no upn, by unique_name", function()
    assert.equal("live.com#kim", read({ unique_name = "live.com#kim" }).user)
    assert.equal("kim", read({ upn = "kim", unique_name = "live.com#kim" }).user)
  end)

  it("list the scopes", function()
    assert.same({ "a", "b", "c" }, read({ scp = "a  b c " }).scopes)
    assert.same({}, read({ scp = false }).scopes)
  end)

  it("may hold any characters", function()
    local said = read { upn = "Zo\195\171~???>>>@fabrikam.example" }
    assert.equal("Zo\195\171~???>>>@fabrikam.example", said.user)
  end)

  describe("say of MFA", function()
    for name, case in pairs {
      ["yes with mfa"] = { "yes", { amr = { "pwd", "mfa" } } },
      ["yes with a method that ends in mfa"] = { "yes", { amr = { "ngcmfa" } } },
      ["yes in capitals"] = { "yes", { amr = { "MFA" } } },
      ["yes whatever the version"] = { "yes", { amr = { "mfa" }, ver = "2.0" } },
      ["no with a password only"] = { "no", { amr = { "pwd" } } },
      ["no with a method that begins with mfa"] = { "no", { amr = { "mfa-pending" } } },
      ["no without any method"] = { "no", { amr = {} } },
      ["no without amr in a token of version 1.0"] = { "no", { amr = false } },
      ["unknown without amr in a token of version 2.0"] = { "unknown",
        { amr = false, ver = "2.0" } },
      ["unknown without amr and version"] = { "unknown", { amr = false, ver = false } },
      ["unknown of an application"] = { "unknown", { scp = false, roles = { "x" }, amr = false } },
      ["unknown if amr is a number"] = { "unknown", { amr = 5 } },
      ["yes if amr is the string mfa"] = { "yes", { amr = "mfa" } },
      ["no if amr is another string"] = { "no", { amr = "pwd" } },
    } do
      it(name, function()
        assert.equal(case[1], read(case[2]).mfa)
      end)
    end
  end)

  describe("name as subject", function()
    for name, case in pairs {
      ["a user with scp"] = { "user", {} },
      ["a user with scp and roles"] = { "user", { roles = { "x" } } },
      ["a user with scp, whatever idtyp says"] = { "user", { idtyp = "app" } },
      ["an app with roles only"] = { "app", { scp = false, roles = { "x" } } },
      ["an app with idtyp app"] = { "app", { scp = false, idtyp = "app" } },
      ["unknown without scp and roles"] = { "unknown", { scp = false } },
      ["unknown with an empty scp"] = { "unknown", { scp = "" } },
      ["unknown with idtyp user only"] = { "unknown", { scp = false, idtyp = "user" } },
    } do
      it(name, function()
        assert.equal(case[1], read(case[2]).subject)
      end)
    end
  end)

  describe("are unknown, without an error, of", function()
    local function part(text)
      return core.base64url(text)
    end

    for name, token in pairs {
      ["no token"] = "nil",
      ["an empty token"] = "",
      ["an opaque token"] = "opaque",
      ["an encrypted token of five parts"] = "a.b.c.d.e",
      ["a payload that is no base64url"] = "a.b!b.c",
      ["a payload of an impossible length"] = "a.bbbbb.c",
      ["a payload that is no JSON"] = "a." .. part "{" .. ".c",
      ["a payload that is a number"] = "a." .. part "5" .. ".c",
      ["a payload that is null"] = "a." .. part "null" .. ".c",
      ["a payload that is a list"] = "a." .. part "[1]" .. ".c",
      ["a payload that is nested too deep"] = "a." .. part(("["):rep(5000)) .. ".c",
      ["a token that is too long"] = "a." .. ("b"):rep(70000) .. ".c",
      ["a number"] = 5,
      ["a table"] = {},
    } do
      it(name, function()
        local said = claims.read(token ~= "nil" and token or nil)
        assert.same({ readable = false, subject = "unknown", mfa = "unknown" }, said)
      end)
    end
  end)

  it("are read from an unsigned token", function()
    assert.is_true(claims.read("e30." .. core.base64url "{}" .. ".").readable)
  end)

  it("are dropped if their type is wrong", function()
    local said = read { aud = 5, tid = {}, oid = true, upn = { "x" }, appid = 7, exp = "soon",
                        nbf = {}, iat = true, amr = { 5, "mfa", {} }, scp = 5 }
    assert.same({ readable = true, subject = "unknown", mfa = "yes", scopes = {},
                  amr = { "mfa" } }, said)
  end)

  it("are dropped if they are times that cannot be shown", function()
    for _, time in ipairs { 1e300, -1, 253402300800, "1e999", "-inf", "nan", "" } do
      assert.is_nil(read({ exp = time }).expires_at)
    end
    assert.equal(253402300799, read({ exp = 253402300799 }).expires_at)
  end)

  it("are read by pcapi.auth.claims", function()
    assert.equal(claims.read, require("pcapi.auth").claims)
  end)
end)
