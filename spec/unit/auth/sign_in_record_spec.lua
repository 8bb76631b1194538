local core = require "pcapi.core"
local endpoints = require "pcapi.auth.endpoints"
local fake = require "spec.support.fake_transport"
local file = require "pcapi.auth.store.file"
local folder = require "spec.support.folder"
local sign_in = require "spec.support.sign_in"
local sign_in_record = require "pcapi.auth.sign_in_record"

local NOW = fake.NOW
local GRAPH = "https://graph.microsoft.com"

local function client(changes, options)
  return sign_in.merged({
    client_id = "me", endpoint = assert(endpoints.new(sign_in.merged(
      { tenant = "fabrikam.example" }, options))),
  }, changes)
end

-- The record after tokens were granted for an audience, by default the client's own.
local function granted(before, options, tokens, audience)
  local of = client(nil, options)
  return sign_in_record.granted(of, before or {}, endpoints.target(of.endpoint, audience),
    sign_in.merged({ access_token = "SECRETaccess", refresh_token = "SECRETnew",
                     obtained_at = NOW, expires_at = NOW + 3600 }, tokens))
end

local function audiences(record)
  local all = {}
  for i, token in ipairs(record.tokens) do
    all[i] = token.resource
  end
  return all
end

describe("the record of a sign-in", function()
  it("is read as it was written", function()
    local made = granted({ signed_in_at = 5, settings = { tenant = "x" }, tried = { "s" } })
    made = granted(made, nil, { access_token = "SECRETgraph" }, GRAPH)
    assert.same(made, sign_in_record.decode(sign_in_record.encode(made)))
    assert.equal("SECRETnew", made.refresh_token)
    assert.equal("https://login.microsoftonline.com", made.origin)
    assert.equal("fabrikam.example", made.tenant)
    assert.equal(5, made.signed_in_at)
    assert.same({ tenant = "x" }, made.settings)
    assert.same({ "s" }, made.tried)
    assert.same({ sign_in.RESOURCE, GRAPH }, audiences(made))
  end)

  it("is written as earlier versions read it, with one token at the top", function()
    local made = granted(granted({ tried = { "s" } }), nil, { access_token = "SECRETgraph" }, GRAPH)
    local json = core.decode(sign_in_record.encode(made))
    assert.equal(1, json.version)
    assert.same({ sign_in.RESOURCE, sign_in.SCOPE, "SECRETaccess", NOW, NOW + 3600 },
      { json.resource, json.scope, json.access_token, json.obtained_at, json.expires_at })
    assert.same({ "s" }, json.seeds)
    assert.equal("SECRETgraph", json.other_tokens[1].access_token)
    assert.is_nil(core.decode(sign_in_record.encode(granted())).other_tokens)
  end)

  it("of an earlier version is read: its token is the only one", function()
    local record = sign_in_record.decode(sign_in.record())
    assert.equal("SECRETcached",
      sign_in_record.find(record, client().endpoint).access_token)
    assert.equal(1, #record.tokens)
  end)

  it("keeps the refresh token that was sent if the response has none", function()
    assert.equal("SECRETold", granted({ refresh_token = "SECRETold" }, nil,
      { refresh_token = false }).refresh_token)
  end)

  it("is written with whole seconds", function()
    local text = sign_in_record.encode(granted(nil, nil, { obtained_at = NOW + 0.5,
                                                  expires_at = NOW + 3600.9 }))
    assert.matches('"obtained_at":' .. NOW .. "[,}]", text)
    assert.matches('"expires_at":' .. NOW + 3600 .. "[,}]", text)
  end)

  it("loses invalid fields, but not its refresh token", function()
    local record = sign_in_record.decode [[{"version":1,"client_id":"me","refresh_token":"r",
      "tenant":5,
      "origin":{},"resource":true,"scope":[],"access_token":"a","obtained_at":1,
      "expires_at":"x","signed_in_at":-1,"settings":"x","seeds":7,"other_tokens":[null,5,[],{},
      {"access_token":"b","obtained_at":1,"expires_at":1e300},
      {"access_token":"c","resource":7,"obtained_at":1,"expires_at":2}]}]]
    assert.same({ client_id = "me", refresh_token = "r", tokens = {
      { access_token = "c", obtained_at = 1, expires_at = 2 } } }, record)
    assert.is_nil(sign_in_record.mismatch(client(), record))
    assert.is_nil(sign_in_record.find(record, client().endpoint))
    for _, others in ipairs { "5", '"x"', "null", "{}" } do
      assert.same({}, sign_in_record.decode('{"version":1,"client_id":"me","refresh_token":"r",'
        .. '"other_tokens":' .. others .. "}").tokens)
    end
  end)

  it("needs a refresh token and its application", function()
    for _, text in ipairs { "", "x", "{}", "[]", '{"version":1,"client_id":"me"}',
                            '{"version":1,"refresh_token":"r"}',
                            '{"version":2,"client_id":"me","refresh_token":"r"}',
                            '{"client_id":"me","refresh_token":"r"}', sign_in_record.EMPTY } do
      assert.is_nil(sign_in_record.decode(text))
    end
  end)

  describe("holds the access tokens of several audiences:", function()
    it("a new token replaces the former of its audience alone", function()
      local record = granted(granted(), nil, { access_token = "SECRETgraph" }, GRAPH)
      record = granted(record, nil, { access_token = "SECRETagain" }, GRAPH)
      assert.same({ sign_in.RESOURCE, GRAPH }, audiences(record))
      assert.equal("SECRETagain", record.tokens[2].access_token)
      assert.equal("SECRETaccess", record.tokens[1].access_token)
      record = granted(record)
      assert.same({ sign_in.RESOURCE, GRAPH }, audiences(record))
    end)

    it("one refresh token for all, the newest", function()
      local record = granted(granted(), nil, { refresh_token = "SECRETnewer" }, GRAPH)
      assert.equal("SECRETnewer", record.refresh_token)
    end)

    it("the account's own first, then the newest first", function()
      local record = granted(granted(nil, nil, nil, "https://a.example"), nil, nil,
        "https://b.example")
      assert.same({ "https://b.example", "https://a.example" }, audiences(record))
      record = granted(granted(record), nil, nil, "https://a.example")
      assert.same({ sign_in.RESOURCE, "https://a.example", "https://b.example" },
        audiences(record))
    end)

    it("eight at most: the oldest is dropped, never the account's own", function()
      local record = granted()
      for i = 1, 10 do
        record = granted(record, nil, nil, "https://" .. i .. ".example")
      end
      assert.equal(8, #record.tokens)
      assert.same({ sign_in.RESOURCE, "https://10.example" },
        { record.tokens[1].resource, record.tokens[2].resource })
      assert.equal("https://4.example", record.tokens[8].resource)
      local text = sign_in_record.encode(record)
      text = text:gsub('"other_tokens":%[',
        '%0{"access_token":"x","obtained_at":1,"expires_at":2},')
      assert.equal(8, #sign_in_record.decode(text).tokens)
    end)

    it("within a file of the store of files, however long they are", function()
      local record = granted()
      for i = 1, 8 do
        record = granted(record, nil, { access_token = ("x"):rep(65000) }, "https://" .. i)
      end
      local store = file.new(folder.new())
      assert.is_true((store:set("spec", sign_in_record.encode(record))))
      folder.remove()
    end)

    it("those of another scope apart, unless an earlier version stored none", function()
      local scope = { scope = GRAPH .. "/.default offline_access", resource = GRAPH }
      local record = granted(granted(nil, nil, nil, GRAPH), scope)
      assert.equal(1, #record.tokens) -- the same target, written in two ways
      record = granted(record, { resource = GRAPH })
      assert.equal(2, #record.tokens)
      local old = sign_in_record.decode(sign_in.record { scope = false })
      assert.is_table(sign_in_record.find(old, client().endpoint))
      assert.equal(1, #granted(old).tokens)
    end)
  end)

  describe("remembers the refresh tokens of the caller that were tried,", function()
    it("each by a fingerprint that does not reveal it", function()
      local record = { tried = sign_in_record.tried_with(nil, "SECRETone") }
      record = { tried = sign_in_record.tried_with(record, "SECRETtwo") }
      assert.is_true(sign_in_record.has_tried(record, "SECRETone"))
      assert.is_true(sign_in_record.has_tried(record, "SECRETtwo"))
      assert.is_false(sign_in_record.has_tried(record, "SECRETthree"))
      assert.is_nil(table.concat(record.tried):find("SECRET", 1, true))
    end)

    it("the last eight, each once", function()
      local record = {}
      for i = 1, 12 do
        record.tried = sign_in_record.tried_with(record, "token " .. i)
      end
      assert.equal(8, #record.tried)
      assert.is_true(sign_in_record.has_tried(record, "token 12"))
      assert.is_true(sign_in_record.has_tried(record, "token 5"))
      assert.is_false(sign_in_record.has_tried(record, "token 4"))
      local tried = sign_in_record.tried_with(nil, "x")
      assert.equal(1, #sign_in_record.tried_with({ tried = tried }, "x"))
    end)

    it("and none if there is no record", function()
      assert.is_false(sign_in_record.has_tried(nil, "x"))
      assert.is_false(sign_in_record.has_tried({}, "x"))
      assert.is_false(sign_in_record.has_tried({ tried = { 5, true } }, "x"))
    end)
  end)

  describe("serves", function()
    local function mismatch(changes, options, client_changes)
      local record = granted(nil, options)
      for name, value in pairs(changes or {}) do
        record[name] = value or nil
      end
      return sign_in_record.mismatch(client(client_changes), record)
    end

    it("the client that it was made for, also if an earlier version wrote less", function()
      assert.is_nil(mismatch())
      assert.is_nil(mismatch { tenant = false, origin = false })
    end)

    it("the same tenant in other letters, or by its id", function()
      assert.is_nil(mismatch { tenant = "Fabrikam.Example" })
      local token = { access_token = sign_in.jwt { tid = "fabrikam.example" } }
      local record = { tenant = "5f0b3c1e-0000-4000-8000-0000000000aa",
                       tokens = { { access_token = "opaque" }, token } }
      assert.is_nil(mismatch(record))
      record.tokens = { token }
      assert.is_nil(mismatch(record))
    end)

    it("no other application, tenant or sign-in service", function()
      assert.equal("the stored sign-in belongs to application me, not other",
        mismatch(nil, nil, { client_id = "other" }))
      assert.equal("the stored sign-in belongs to tenant x, not fabrikam.example",
        mismatch { tenant = "x" })
      assert.matches("belongs to the sign-in service https://login.microsoftonline.us, not",
        mismatch(nil, { cloud = "us_government" }), 1, true)
      assert.matches("belongs to the sign-in service https://t.example:8443, not",
        mismatch(nil, { token_url = "https://t.example:8443/x" }), 1, true)
    end)
  end)

  describe("finds an access token fresh", function()
    local function is_fresh(changes, now, refused, audience)
      local record = granted()
      record.tokens[1] = sign_in.merged(record.tokens[1], changes)
      return sign_in_record.fresh(record, { target = endpoints.target(client().endpoint, audience),
                                            skew = 120, refused = refused }, now or NOW) ~= nil
    end

    it("until two minutes before its expiry, or half of its life", function()
      assert.is_true(is_fresh(nil, NOW + 3479))
      assert.is_false(is_fresh(nil, NOW + 3480))
      assert.is_true(is_fresh({ expires_at = NOW + 60 }, NOW + 29))
      assert.is_false(is_fresh({ expires_at = NOW + 60 }, NOW + 30))
    end)

    it("unless it was refused, or is for another audience or scope", function()
      assert.is_false(is_fresh(nil, NOW, "SECRETaccess"))
      assert.is_true(is_fresh(nil, NOW, "SECRETother"))
      assert.is_false(is_fresh { resource = GRAPH })
      assert.is_false(is_fresh { scope = "other" })
      assert.is_false(is_fresh(nil, NOW, nil, GRAPH))
    end)

    it("never without a record", function()
      assert.is_nil(sign_in_record.fresh(nil, { target = client().endpoint, skew = 120 }, NOW))
    end)
  end)

  it("can be written whatever its settings hold", function()
    assert.is_table(core.decode(sign_in_record.encode(granted { settings = { a = "\0\255" } })))
  end)
end)
