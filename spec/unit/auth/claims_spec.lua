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

describe("pcapi.auth.claims", function()
  it("reads audience, tenant, user, application and times", function()
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

  it("reads the names that version 2.0 of tokens has", function()
    local said = read { ver = "2.0", azp = "a-2", preferred_username = "kim@fabrikam.example" }
    assert.equal("a-2", said.application_id)
    assert.equal("kim@fabrikam.example", said.user)
  end)

  it("reads unique_name where there is no upn, as of a guest", function()
    assert.equal("live.com#kim", read({ unique_name = "live.com#kim" }).user)
    assert.equal("kim", read({ upn = "kim", unique_name = "live.com#kim" }).user)
  end)

  it("takes scp apart at its spaces", function()
    assert.same({ "a", "b", "c" }, read({ scp = "a  b c " }).scopes)
    assert.same({}, read({ scp = false }).scopes)
  end)

  it("reads what is beyond ASCII, and characters of base64url alone", function()
    local said = read { upn = "Zo\195\171~???>>>@fabrikam.example" }
    assert.equal("Zo\195\171~???>>>@fabrikam.example", said.user)
  end)

  describe("says of MFA", function()
    for name, case in pairs {
      ["yes with mfa"] = { "yes", { amr = { "pwd", "mfa" } } },
      ["yes with a method that ends so"] = { "yes", { amr = { "ngcmfa" } } },
      ["yes in capitals"] = { "yes", { amr = { "MFA" } } },
      ["yes whatever the version"] = { "yes", { amr = { "mfa" }, ver = "2.0" } },
      ["no with a password alone"] = { "no", { amr = { "pwd" } } },
      ["no with a method that only begins so"] = { "no", { amr = { "mfa-pending" } } },
      ["no without any method"] = { "no", { amr = {} } },
      ["no without amr in a token of version 1.0"] = { "no", { amr = false } },
      ["unknown without amr in a token of version 2.0"] = { "unknown",
        { amr = false, ver = "2.0" } },
      ["unknown without amr and version"] = { "unknown", { amr = false, ver = false } },
      ["unknown of an application"] = { "unknown", { scp = false, roles = { "x" }, amr = false } },
      ["unknown where amr is no list"] = { "unknown", { amr = 5 } },
      ["yes where the one method is no list"] = { "yes", { amr = "mfa" } },
      ["no where the one method is no list"] = { "no", { amr = "pwd" } },
    } do
      it(name, function()
        assert.equal(case[1], read(case[2]).mfa)
      end)
    end
  end)

  describe("takes for", function()
    for name, case in pairs {
      ["a user who has scp"] = { "user", {} },
      ["a user who has scp and roles"] = { "user", { roles = { "x" } } },
      ["a user who has scp, whatever idtyp says"] = { "user", { idtyp = "app" } },
      ["an app that has roles alone"] = { "app", { scp = false, roles = { "x" } } },
      ["an app that says so"] = { "app", { scp = false, idtyp = "app" } },
      ["unknown who has neither"] = { "unknown", { scp = false } },
      ["unknown who has an empty scp"] = { "unknown", { scp = "" } },
      ["unknown who calls itself a user"] = { "unknown", { scp = false, idtyp = "user" } },
    } do
      it(name, function()
        assert.equal(case[1], read(case[2]).subject)
      end)
    end
  end)

  describe("knows nothing, and fails at nothing, of", function()
    local function part(text)
      return core.base64url(text)
    end

    for name, token in pairs {
      ["no token"] = "nil",
      ["an empty one"] = "",
      ["one that is no JWT"] = "opaque",
      ["an encrypted one of five parts"] = "a.b.c.d.e",
      ["a payload that is no base64url"] = "a.b!b.c",
      ["a payload of an impossible length"] = "a.bbbbb.c",
      ["a payload that is no JSON"] = "a." .. part "{" .. ".c",
      ["a payload that is a number"] = "a." .. part "5" .. ".c",
      ["a payload that is null"] = "a." .. part "null" .. ".c",
      ["a payload that is a list"] = "a." .. part "[1]" .. ".c",
      ["a payload deeper than anybody needs"] = "a." .. part(("["):rep(5000)) .. ".c",
      ["one longer than any"] = "a." .. ("b"):rep(70000) .. ".c",
      ["a number"] = 5,
      ["a table"] = {},
    } do
      it(name, function()
        local said = claims.read(token ~= "nil" and token or nil)
        assert.same({ readable = false, subject = "unknown", mfa = "unknown" }, said)
      end)
    end
  end)

  it("reads a token that nobody signed", function()
    assert.is_true(claims.read("e30." .. core.base64url "{}" .. ".").readable)
  end)

  it("leaves out claims of a wrong type", function()
    local said = read { aud = 5, tid = {}, oid = true, upn = { "x" }, appid = 7, exp = "soon",
                        nbf = {}, iat = true, amr = { 5, "mfa", {} }, scp = 5 }
    assert.same({ readable = true, subject = "unknown", mfa = "yes", scopes = {},
                  amr = { "mfa" } }, said)
  end)

  it("leaves out times that nobody can show", function()
    for _, time in ipairs { 1e300, -1, 253402300800, "1e999", "-inf", "nan", "" } do
      assert.is_nil(read({ exp = time }).expires_at)
    end
    assert.equal(253402300799, read({ exp = 253402300799 }).expires_at)
  end)

  it("gives the same as pcapi.auth.claims", function()
    assert.equal(claims.read, require("pcapi.auth").claims)
  end)
end)
