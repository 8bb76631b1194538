local core = require "pcapi.core"
local credential = require "pcapi.auth.credential"
local errors = require "pcapi.error"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local holds = require "spec.support.holds"
local keys = require "spec.support.keys"

local AUDIENCE = "https://login.example/t/oauth2/v2.0/token"

describe("pcapi.auth.credential", function()
  local at, now

  setup(function()
    at = keys.make()
    now = core.certificate(files.slurp(at.cert)).not_before + 3600
  end)

  teardown(folder.remove)

  -- The form with its credential; or nil, err.
  local function add(options)
    options.client_id = "me"
    local form = { client_id = "me" }
    local ok, err = credential.new(options)(form, AUDIENCE, now)
    return ok and form, err
  end

  local function fails(options, message)
    local form, err = add(options)
    assert.is_nil(form)
    assert.is_true(errors.is(err))
    assert.equal("config", err.kind)
    assert.matches(message, err.message, 1, true)
    assert.matches("^Check ", err.hint)
    assert.is_false(holds(err, "SECRET"))
    return err
  end

  it("adds nothing for a public client", function()
    assert.same({ client_id = "me" }, add {})
  end)

  it("names its fields, and for each the fields that it excludes", function()
    local known = {}
    for _, name in ipairs(credential.FIELDS) do
      known[name] = true
    end
    for _, name in ipairs(credential.FIELDS) do
      for _, excluded in ipairs(credential.EXCLUDES[name]) do
        assert.is_true(known[excluded])
        assert.is_string(credential.problem { [name] = "a", [excluded] = "b" })
      end
    end
  end)

  it("is given by a secret, its file or a certificate, not by what belongs to one", function()
    for _, name in ipairs { "client_secret", "client_secret_file", "certificate" } do
      assert.is_true(credential.is_given { [name] = "x" })
    end
    assert.is_false(credential.is_given { key_passphrase = "x", assertion_alg = "RS256" })
    assert.is_false(credential.is_given {})
  end)

  it("depends on the clock only with a certificate", function()
    assert.is_false(select(2, credential.new {}))
    assert.is_false(select(2, credential.new { client_secret = "x" }))
    assert.is_true(select(2, credential.new { certificate = "x" }))
  end)

  describe("with a secret", function()
    it("sends it as it is", function()
      assert.equal("SECRET~+/= \195\188", add({ client_secret = "SECRET~+/= \195\188" })
        .client_secret)
    end)

    it("calls a function at every use", function()
      local n = 0
      local authenticate = credential.new { client_secret = function()
        n = n + 1
        return "SECRET" .. n
      end }
      for i = 1, 2 do
        local form = {}
        assert.is_true(authenticate(form, AUDIENCE, now))
        assert.equal("SECRET" .. i, form.client_secret)
      end
    end)

    it("reads a file at every use, without the line break at its end", function()
      local path = folder.write(at.path .. "/secret", "SECRETone\r\n")
      local authenticate = credential.new { client_secret_file = path }
      for _, case in ipairs { { "SECRETone\r\n", "SECRETone" }, { "SECRETtwo\n\n", "SECRETtwo" },
                              { " SECRET 3 ", "SECRET 3" },
                              { "\239\187\191SECRETfour\r\n", "SECRETfour" } } do
        folder.write(path, case[1])
        local form = {}
        assert.is_true(authenticate(form, AUDIENCE, now))
        assert.equal(case[2], form.client_secret)
      end
    end)

    it("names a file that is missing, empty or a folder", function()
      fails({ client_secret_file = at.path .. "/none" }, at.path .. "/none")
      fails({ client_secret_file = folder.write(at.path .. "/empty", "\n") }, "it is empty")
      fails({ client_secret_file = at.path }, at.path .. ": Is a directory")
    end)

    it("drops a byte order mark, blanks and line ends around it", function()
      for _, given in ipairs { "SECRET\r\n", " SECRET\n", "\239\187\191SECRET" } do
        assert.equal("SECRET", add({ client_secret = given }).client_secret)
        assert.equal("SECRET", add({ client_secret = function() return given end })
          .client_secret)
      end
    end)

    it("sends no secret with a line break or in UTF-16, and says which", function()
      for text, why in pairs { ["SECRETone\nSECRETtwo\n"] = "holds a line break",
                               ["\255\254S\0E\0C\0"] = "is UTF-16 text" } do
        local path = folder.write(at.path .. "/strange", text)
        fails({ client_secret_file = path }, path .. " " .. why)
        fails({ client_secret = text }, "the value " .. why)
      end
    end)

    it("does not show a secret given in place of its file", function()
      for _, secret in ipairs { "SECRET~8Q.x-y_z", "SECRET/8Q+x=" } do
        fails({ client_secret_file = secret }, "the file: No such file or directory")
      end
    end)

    it("passes on the error of a function", function()
      fails({ client_secret = function() return nil, "the vault is sealed" end },
        "the vault is sealed")
      fails({ client_secret = function() return nil, errors.new {
        kind = "network", message = "no vault" } end }, "no vault")
      fails({ client_secret = function() end }, "no client secret")
      fails({ client_secret = function() return "" end }, "it is empty")
      fails({ client_secret = function() return {} end }, "no client secret")
    end)
  end)

  describe("with a certificate", function()
    it("sends an assertion for the token endpoint and no secret", function()
      local form = add { certificate = at.cert, certificate_key = at.key }
      assert.equal("urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        form.client_assertion_type)
      assert.is_nil(form.client_secret)
      local payload = core.decode(core.unbase64(form.client_assertion:match "%.(.-)%."))
      assert.equal(AUDIENCE, payload.aud)
      assert.equal("me", payload.sub)
      assert.is_true(payload.exp > now)
    end)

    local function header(options)
      local form = assert(add(options))
      return core.decode(core.unbase64(form.client_assertion:match "^(.-)%."))
    end

    it("signs by PS256, or by RS256 if the options say so", function()
      assert.equal("PS256", header({ certificate = at.both }).alg)
      assert.equal("RS256", header({ certificate = at.both, assertion_alg = "RS256" }).alg)
    end)

    it("takes PEM texts in place of paths", function()
      assert.is_table(header { certificate = files.slurp(at.cert),
                               certificate_key = files.slurp(at.key) })
    end)

    it("takes a passphrase as text, from a function or from a file", function()
      local path = folder.write(at.path .. "/pass", "SECRETpass\n")
      for _, options in ipairs { { key_passphrase = "SECRETpass" },
                                 { key_passphrase = function() return "SECRETpass" end },
                                 { key_passphrase_file = path } } do
        options.certificate, options.certificate_key = at.cert, at.locked
        assert.is_table(header(options))
      end
    end)

    it("reads files with CRLF and a byte order mark", function()
      local function windows(path)
        local text = "\239\187\191" .. files.slurp(path):gsub("\n", "\r\n")
        return folder.write(path .. ".windows", text)
      end
      local pass = folder.write(at.path .. "/pass.windows", "\239\187\191SECRETpass\r\n")
      assert.is_table(header { certificate = windows(at.cert), key_passphrase_file = pass,
                               certificate_key = windows(at.locked) })
      assert.is_table(header { certificate = files.slurp(at.cert .. ".windows"),
                               certificate_key = files.slurp(at.locked .. ".windows"),
                               key_passphrase = "SECRETpass\r\n" })
    end)

    it("reads a chain in any order, and takes the newest certificate of the key", function()
      local ca = files.slurp(at.stranger)
      for _, bundle in ipairs { ca .. files.slurp(at.both), files.slurp(at.both) .. ca,
                                files.slurp(at.key) .. ca .. "of us:\n" .. files.slurp(at.cert),
                                files.slurp(at.old) .. ca .. files.slurp(at.both) } do
        assert.equal(keys.thumbprint(at), (core.unbase64(header({ certificate = folder.write(
          at.path .. "/chain.pem", bundle) })["x5t#S256"]):gsub(".", function(c)
            return ("%02x"):format(c:byte())
          end)))
      end
      fails({ certificate = at.stranger, certificate_key = at.key }, "belongs to no certificate")
    end)

    it("names the file that is UTF-16", function()
      local path = folder.write(at.path .. "/utf16.pem",
        "\255\254" .. files.slurp(at.both):gsub(".", "%0\0"))
      fails({ certificate = path }, path .. " is UTF-16 text")
    end)

    it("reads its files at every use", function()
      local path = folder.write(at.path .. "/renewed", "not yet")
      local authenticate = credential.new { certificate = path, client_id = "me" }
      assert.is_nil((authenticate({}, AUDIENCE, now)))
      folder.write(path, files.slurp(at.both))
      assert.is_true(authenticate({}, AUDIENCE, now))
    end)

    it("says what is wrong", function()
      fails({ certificate = at.path .. "/none" }, at.path .. "/none")
      fails({ certificate = at.cert, certificate_key = at.path .. "/none" }, at.path .. "/none")
      fails({ certificate = at.cert }, "holds no private key")
      fails({ certificate = at.cert, certificate_key = at.other }, "belongs to no")
      fails({ certificate = at.old, certificate_key = at.key }, "expired on")
      fails({ certificate = at.cert, certificate_key = at.locked }, "needs a passphrase")
      fails({ certificate = at.cert, certificate_key = at.locked, key_passphrase = "SECRETno" },
        "passphrase does not decrypt")
      fails({ certificate = at.cert, certificate_key = at.locked,
              key_passphrase_file = at.path .. "/none" }, at.path .. "/none")
    end)

    it("passes on the error of a function for the passphrase", function()
      for _, why in ipairs { "the vault is sealed", errors.new {
        kind = "network", message = "the vault is sealed" } } do
        fails({ certificate = at.cert, certificate_key = at.locked,
                key_passphrase = function() return nil, why end }, "the vault is sealed")
      end
    end)

    it("does not show a key given without its first line", function()
      local base64 = files.slurp(at.key):gsub("%-%-%-%-%-[^\n]*\n", "")
      for _, key in ipairs { base64, (base64:gsub("\n", "")) } do
        local form, err = add { certificate = at.cert, certificate_key = key }
        assert.is_nil(form)
        assert.is_false(holds(err, key:match "[%w+/=]+"))
        assert.is_false(holds(err, key:sub(1, 40)))
      end
    end)
  end)

  describe("rejects", function()
    for name, case in pairs {
      ["a secret and its file"] = { { client_secret = "a", client_secret_file = "b" },
        "give one of client_secret and client_secret_file, not both" },
      ["a secret and a certificate"] = { { client_secret = "a", certificate = "b" },
        "give one of client_secret and certificate, not both" },
      ["a file and a certificate"] = { { client_secret_file = "a", certificate = "b" },
        "give one of client_secret_file and certificate, not both" },
      ["a key without certificate"] = { { certificate_key = "a" }, "needs certificate" },
      ["a passphrase without certificate"] = { { key_passphrase = "a" }, "needs certificate" },
      ["a passphrase's file without certificate"] = { { key_passphrase_file = "a" },
        "needs certificate" },
      ["two passphrases"] = { { certificate = "c", key_passphrase = "a",
        key_passphrase_file = "b" }, "not both" },
      ["another way to sign"] = { { certificate = "c", assertion_alg = "HS256" },
        'must be "PS256" or "RS256"' },
    } do
      it(name, function()
        assert.matches(case[2], credential.problem(case[1]), 1, true)
      end)
    end

    it("nothing else: one credential or none is right", function()
      for _, options in ipairs { {}, { client_secret = "a" }, { client_secret_file = "a" },
                                 { certificate = "a", certificate_key = "b", key_passphrase = "c",
                                   assertion_alg = "RS256" } } do
        assert.is_nil(credential.problem(options))
      end
    end)
  end)
end)
