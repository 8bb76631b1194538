local core = require "pcapi.core"
local sign_in_record = require "pcapi.auth.sign_in_record"
local fake = require "spec.support.fake_transport"
local sign_in = require "spec.support.sign_in"

local NOW = fake.NOW

local function account(changes, options)
  return sign_in.merged({
    client_id = "me", skew = 120, endpoint = assert(require("pcapi.auth.endpoints").new(
      sign_in.merged({ tenant = "fabrikam.example" }, options))),
  }, changes)
end

local function granted(before, options, tokens)
  return sign_in_record.granted(account(nil, options), before or {}, sign_in.merged({
    access_token = "SECRETaccess", refresh_token = "SECRETnew", obtained_at = NOW,
    expires_at = NOW + 3600 }, tokens))
end

describe("pcapi.auth.sign_in_record", function()
  it("reads what it wrote", function()
    local made = granted({ signed_in_at = 5, settings = { tenant = "x" }, seeds = { "s" } })
    assert.same(made, sign_in_record.decode(sign_in_record.encode(made)))
    assert.equal("SECRETnew", made.refresh_token)
    assert.equal("https://login.microsoftonline.com", made.origin)
    assert.equal("fabrikam.example", made.tenant)
    assert.equal(sign_in.SCOPE, made.scope)
    assert.equal(5, made.signed_in_at)
    assert.same({ tenant = "x" }, made.settings)
    assert.same({ "s" }, made.seeds)
  end)

  it("keeps the refresh token that was sent where none came back", function()
    assert.equal("SECRETold", granted({ refresh_token = "SECRETold" }, nil,
      { refresh_token = false }).refresh_token)
  end)

  it("writes whole seconds", function()
    local text = sign_in_record.encode(granted(nil, nil, { obtained_at = NOW + 0.5,
                                                  expires_at = NOW + 3600.9 }))
    assert.matches('"obtained_at":' .. NOW .. "[,}]", text)
    assert.matches('"expires_at":' .. NOW + 3600 .. "[,}]", text)
  end)

  it("leaves out what makes no sense, as long as there is a refresh token", function()
    local read = sign_in_record.decode [[{"version":1,"client_id":"me","refresh_token":"r",
      "tenant":5,
      "origin":{},"resource":true,"scope":[],"access_token":"a","obtained_at":1,
      "expires_at":"x","signed_in_at":-1,"settings":"x","seeds":7}]]
    assert.same({ version = 1, client_id = "me", refresh_token = "r", obtained_at = 1 }, read)
    assert.is_nil(sign_in_record.stranger(account(), read))
    assert.is_false(sign_in_record.is_fresh(read, account(), NOW))
  end)

  it("takes nothing for a text without a refresh token and its application", function()
    for _, text in ipairs { "", "x", "{}", "[]", '{"version":1,"client_id":"me"}',
                            '{"version":1,"refresh_token":"r"}',
                            '{"version":2,"client_id":"me","refresh_token":"r"}',
                            '{"client_id":"me","refresh_token":"r"}', sign_in_record.NOBODY } do
      assert.is_nil(sign_in_record.decode(text))
    end
  end)

  describe("remembers of refresh tokens that were given", function()
    it("each, by a fingerprint that does not tell it", function()
      local kept = { seeds = sign_in_record.seeds_with(nil, "SECRETone") }
      kept = { seeds = sign_in_record.seeds_with(kept, "SECRETtwo") }
      assert.is_true(sign_in_record.knows(kept, "SECRETone"))
      assert.is_true(sign_in_record.knows(kept, "SECRETtwo"))
      assert.is_false(sign_in_record.knows(kept, "SECRETthree"))
      assert.is_nil(table.concat(kept.seeds):find("SECRET", 1, true))
    end)

    it("the last eight, each once", function()
      local kept = {}
      for i = 1, 12 do
        kept.seeds = sign_in_record.seeds_with(kept, "seed " .. i)
      end
      assert.equal(8, #kept.seeds)
      assert.is_true(sign_in_record.knows(kept, "seed 12"))
      assert.is_true(sign_in_record.knows(kept, "seed 5"))
      assert.is_false(sign_in_record.knows(kept, "seed 4"))
      local seeds = sign_in_record.seeds_with(nil, "x")
      assert.equal(1, #sign_in_record.seeds_with({ seeds = seeds }, "x"))
    end)

    it("none where there is nothing", function()
      assert.is_false(sign_in_record.knows(nil, "x"))
      assert.is_false(sign_in_record.knows({}, "x"))
      assert.is_false(sign_in_record.knows({ seeds = { 5, true } }, "x"))
    end)
  end)

  describe("finds that an entry serves", function()
    local function stranger(changes, options, account_changes)
      local kept = granted(nil, options)
      for name, value in pairs(changes or {}) do
        kept[name] = value or nil
      end
      return sign_in_record.stranger(account(account_changes), kept)
    end

    it("the account it was made for, also from before it told all of this", function()
      assert.is_nil(stranger())
      assert.is_nil(stranger { tenant = false, origin = false })
    end)

    it("the same tenant in other letters, or by its id", function()
      assert.is_nil(stranger { tenant = "Fabrikam.Example" })
      assert.is_nil(stranger { tenant = "5f0b3c1e-0000-4000-8000-0000000000aa",
        access_token = sign_in.jwt { tid = "fabrikam.example" } })
    end)

    it("no other application, tenant or sign-in service", function()
      assert.equal("the sign-in that is kept belongs to application me, not other",
        stranger(nil, nil, { client_id = "other" }))
      assert.equal("the sign-in that is kept belongs to tenant x, not fabrikam.example",
        stranger { tenant = "x" })
      assert.matches("belongs to the sign-in service https://login.microsoftonline.us, not",
        stranger(nil, { cloud = "us_government" }), 1, true)
      assert.matches("belongs to the sign-in service https://t.example:8443, not",
        stranger(nil, { token_url = "https://t.example:8443/x" }), 1, true)
    end)
  end)

  describe("finds an access token fresh", function()
    local function is_fresh(changes, now, refused)
      return sign_in_record.is_fresh(sign_in.merged(granted(), changes), account(), now or NOW,
        refused)
    end

    it("until two minutes before its end, or half of its life", function()
      assert.is_true(is_fresh(nil, NOW + 3479))
      assert.is_false(is_fresh(nil, NOW + 3480))
      assert.is_true(is_fresh({ expires_at = NOW + 60 }, NOW + 29))
      assert.is_false(is_fresh({ expires_at = NOW + 60 }, NOW + 30))
    end)

    it("unless it was refused, is missing, or is for something else", function()
      assert.is_false(is_fresh(nil, NOW, "SECRETaccess"))
      assert.is_true(is_fresh(nil, NOW, "SECRETother"))
      assert.is_false(is_fresh { access_token = false })
      assert.is_false(is_fresh { resource = "https://graph.microsoft.com" })
      assert.is_false(is_fresh { scope = "other" })
    end)
  end)

  it("holds no more than what a text can hold", function()
    assert.is_table(core.decode(sign_in_record.encode(granted { settings = { a = "\0\255" } })))
  end)
end)
