local assertion = require "pcapi.auth.assertion"
local core = require "pcapi.core"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local keys = require "spec.support.keys"
local sign_in = require "spec.support.sign_in"

local AUDIENCE = "https://login.example/t/oauth2/v2.0/token"

describe("a client assertion", function()
  local at, now, pem

  setup(function()
    at = keys.make()
    pem = {}
    for _, name in ipairs { "key", "locked", "cert", "both", "other", "old" } do
      pem[name] = files.slurp(at[name])
    end
    now = core.certificate(pem.cert).not_before + 3600
  end)

  teardown(folder.remove)

  local function make(changes, at_time)
    return assertion.make(sign_in.merged({ certificate = pem.cert, key = pem.key, alg = "PS256" },
      changes), "me", AUDIENCE, at_time or now)
  end

  -- header, claims, what was signed, the signature
  local function parts(made)
    local signed, signature = made:match "^([%w_%-]+%.[%w_%-]+)%.([%w_%-]+)$"
    local header, claims = signed:match "^(.-)%.(.*)$"
    return core.decode(core.unbase64(header)), core.decode(core.unbase64(claims)), signed,
      signature
  end

  it("has the header that Entra requires", function()
    local header = parts(assert(make()))
    local thumbprint = keys.thumbprint(at):gsub("%x%x", function(hex)
      return string.char(tonumber(hex, 16))
    end)
    assert.same({ alg = "PS256", typ = "JWT", ["x5t#S256"] = core.base64url(thumbprint) }, header)
    assert.equal("RS256", (parts(assert(make { alg = "RS256" }))).alg)
  end)

  it("names the application as issuer and subject, and the token endpoint as audience", function()
    local _, claims = parts(assert(make()))
    assert.equal(AUDIENCE, claims.aud)
    assert.equal("me", claims.iss)
    assert.equal("me", claims.sub)
    assert.matches("^%x+%-%x+%-4%x+%-%x+%-%x+$", claims.jti)
  end)

  it("is valid now, for ten minutes at most, also if the clocks differ a little", function()
    local _, claims = parts(assert(make()))
    assert.is_true(claims.nbf < now and claims.nbf >= now - 120)
    assert.is_true(claims.iat <= now)
    assert.is_true(claims.exp > now and claims.exp - claims.nbf <= 600)
  end)

  it("has whole seconds, which every reader of NumericDate accepts", function()
    local made = assert(make(nil, now + 0.25))
    local payload = core.unbase64(made:match "%.(.-)%.")
    for _, name in ipairs { "nbf", "iat", "exp" } do
      assert.matches('"' .. name .. '":%d+[,}]', payload)
    end
  end)

  it("has a new id each time", function()
    local _, first = parts(assert(make()))
    local _, second = parts(assert(make()))
    assert.not_equal(first.jti, second.jti)
  end)

  for _, alg in ipairs { "PS256", "RS256" } do
    it("is signed by " .. alg .. ", as openssl confirms", function()
      local _, _, signed, signature = parts(assert(make { alg = alg }))
      assert.is_true(keys.verifies(at, alg, signed, signature))
      assert.is_false(keys.verifies(at, alg, signed .. "x", signature))
    end)
  end

  it("can be signed by a key in the PEM of the certificate, or an encrypted key", function()
    local _, _, signed, signature = parts(assert(make { certificate = pem.both, key = pem.both }))
    assert.is_true(keys.verifies(at, "PS256", signed, signature))
    assert.is_string(make { key = pem.locked, passphrase = "SECRETpass" })
  end)

  describe("cannot be made of", function()
    for name, case in pairs {
      ["a certificate that is not PEM"] = { { certificate = "x" }, "certificate is not PEM" },
      ["a key that is not PEM"] = { { key = "SECRETkey" }, "key is not PEM" },
      ["a PEM without a key"] = { { key = "cert" }, "no private key" },
      ["a PEM without a certificate"] = { { certificate = "key" }, "no certificate" },
      ["a key of another certificate"] = { { key = "other" }, "belongs to no certificate" },
      ["an encrypted key without its passphrase"] = { { key = "locked" }, "needs a passphrase" },
      ["a wrong passphrase"] = { { key = "locked", passphrase = "SECRETwrong" },
        "passphrase does not decrypt" },
      ["an expired certificate; the message has the date"] = { { certificate = "old" },
        "the certificate expired on 20%d%d%-%d%d%-%d%d$" },
    } do
      it(name, function()
        local changes = {}
        for key, value in pairs(case[1]) do
          changes[key] = pem[value] or value
        end
        local made, why = make(changes)
        assert.is_nil(made)
        assert.matches(case[2], why)
        assert.is_nil(why:find("SECRET", 1, true))
      end)
    end

    it("a certificate that has expired by the given clock", function()
      local last = core.certificate(pem.cert).not_after
      assert.is_string(make(nil, last - 1))
      assert.matches("expired on " .. os.date("!%Y-%m-%d", last), select(2, make(nil, last + 1)), 1,
        true)
    end)
  end)
end)
