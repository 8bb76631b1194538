local auth = require "pcapi.auth"
local folder = require "spec.support.folder"
local holds = require "spec.support.holds"
local raises = require "spec.support.raises"
local sign_in = require "spec.support.sign_in"

local function nothing() end

describe("pcapi.auth", function()
  teardown(folder.remove)

  local MAKERS = {
    refresh_token = { refresh_token = "SECRETseed" },
    device_code = { on_code = nothing },
    authorization_code = { open = nothing },
  }

  for kind, needed in pairs(MAKERS) do
    describe(kind, function()
      local function options(changes)
        local all = sign_in.merged({ tenant = "fabrikam.example", client_id = "me" }, needed,
          changes)
        for name, value in pairs(all) do
          all[name] = value ~= "none" and value or nil
        end
        return all
      end

      local function make(changes)
        return auth[kind](options(changes))
      end

      it("makes a provider", function()
        local provider = make()
        assert.is_function(provider.token)
        assert.equal("pcapi.auth.account (fabrikam.example/me)", tostring(provider))
      end)

      it("names the service that its tokens are for", function()
        assert.equal("https://api.partnercenter.microsoft.com", make().base_url)
        assert.equal("https://partner.partnercenterapi.microsoftonline.cn",
          make({ cloud = "china" }).base_url)
      end)

      it("accepts all its options", function()
        assert.has_no.errors(function()
          make { client_secret = "SECRET", store = auth.memory_store(), account = "x", skew = 60,
                 how_to_sign_in = "do it", settings = { a = "b" }, cloud = "us_government",
                 oauth_version = "v1", resource = "https://r.example", scope = "s",
                 login_url = "https://l.example", token_url = "https://t.example",
                 device_code_url = "https://d.example", authorize_url = "https://a.example" }
          make { client_secret = nothing }
          make { client_secret_file = "f" }
          make { certificate = "c", certificate_key = "k", key_passphrase = nothing,
                 assertion_alg = "RS256" }
          make { certificate = "c", key_passphrase_file = "f" }
        end)
      end)

      it("sends, reads and writes nothing", function()
        local path = folder.new() .. "/none"
        make { store = auth.file_store(path), client_secret_file = "/none" }
        assert.is_nil(io.open(path))
      end)

      describe("raises at the caller's line for", function()
        for name, case in pairs {
          ["no tenant"] = { { tenant = "none" }, ': option "tenant" must be' },
          ["no client id"] = { { client_id = "none" }, ': option "client_id" is missing' },
          ["an unknown option"] = { { clinet_id = "x" },
            ' has no option "clinet_id"; did you mean "client_id"?' },
          ["an option of a wrong type"] = { { tenant = 5 }, ': option "tenant" must be string' },
          ["a skew of zero"] = { { skew = 0 }, ': option "skew" must be a positive' },
          ["two credentials"] = { { client_secret = "a", certificate = "b" }, ": give one of" },
          ["an unknown cloud"] = { { cloud = "mars" }, ': option "cloud" must be' },
          ["a login_url over http"] = { { login_url = "http://x.example" },
            ': option "login_url" must begin' },
          ["a client id with a line break"] = { { client_id = "a\nb" },
            ': option "client_id" must be one line' },
          ["an account with a line break"] = { { account = "a\nb" },
            ': option "account" must be one line' },
          ["a store without lock"] = { { store = { get = nothing, set = nothing } },
            ': option "store" must have a function "lock"' },
          ["a store without get"] = { { store = {} },
            ': option "store" must have a function "get"' },
        } do
          it(name, function()
            raises(function() auth[kind](options(case[1])) end, "pcapi.auth." .. kind .. case[2])
          end)
        end
      end)
    end)
  end

  it("demands the options that each kind needs", function()
    raises(function() auth.refresh_token { client_id = "me" } end,
      'pcapi.auth.refresh_token: option "tenant" must be')
    raises(function() auth.device_code { tenant = "x", client_id = "me" } end,
      'pcapi.auth.device_code: option "on_code" is missing')
    raises(function() auth.authorization_code { tenant = "x", client_id = "me" } end,
      'pcapi.auth.authorization_code: option "open" is missing')
    raises(function() auth.refresh_token "x" end, "takes a table of options")
    raises(function() auth.device_code { refresh_token = "x" } end, "has no option")
  end)

  it("shows no secret in such an error", function()
    for _, changes in ipairs { { client_secret = "SECRET", certificate = "SECRET" },
                               { client_secret = { "SECRET" } }, { refresh_token = 5 },
                               { key_passphrase = "SECRET" } } do
      local ok, message = pcall(auth.refresh_token,
        sign_in.merged({ tenant = "x", client_id = "me", refresh_token = "SECRET" }, changes))
      assert.is_false(ok)
      assert.is_nil(message:find("SECRET", 1, true))
    end
  end)

  describe("build", function()
    it("returns what is wrong with options of a configuration",
      function()
        local made, problem = auth.build("refresh_token", { client_id = "me" })
        assert.is_nil(made)
        assert.matches('option "tenant" must be', problem, 1, true)
        made, problem = auth.build("refresh_token", { tenant = "x" })
        assert.is_nil(made)
        assert.equal('option "client_id" is missing', problem)
      end)

    it("returns an account otherwise", function()
      assert.is_table(auth.build("refresh_token", { tenant = "x", client_id = "me" }))
    end)
  end)

  describe("makes a store", function()
    it("in memory", function()
      assert.is_true((auth.memory_store():set("a", "b")))
    end)

    it("in a folder", function()
      local path = folder.new() .. "/state"
      local store = auth.file_store(path)
      assert.equal(path, tostring(store))
      assert.is_true((store:set("a", "b")))
      assert.equal("b", auth.file_store(path):get "a")
    end)

    it("in the folder of this user by default", function()
      local real = os.getenv
      os.getenv = function(name) return name == "HOME" and "/h" or nil end -- luacheck: ignore
      local store = auth.file_store()
      os.getenv = function() end -- luacheck: ignore
      local ok, message = pcall(auth.file_store)
      os.getenv = real -- luacheck: ignore
      assert.equal("/h/.local/state/pcapi", tostring(store))
      assert.is_false(ok)
      assert.matches("pcapi.auth.file_store: there is no HOME", message, 1, true)
    end)

    it("of no folder, which raises at the caller's line", function()
      for _, directory in ipairs { "", 5, {}, true } do
        raises(function() auth.file_store(directory) end,
          "pcapi.auth.file_store: the directory must be a path")
      end
      raises(function() auth.file_store(false) end, "the directory must be a path")
    end)
  end)

  it("makes providers that show no secret in a dump", function()
    for _, changes in ipairs { { client_secret = "SECRET" },
                               { certificate = "-----BEGIN SECRET", key_passphrase = "SECRET" } } do
      for kind, needed in pairs(MAKERS) do
        local provider = auth[kind](sign_in.merged({ tenant = "x", client_id = "me" }, needed,
          changes))
        assert.is_false(holds(provider, "SECRET"))
      end
    end
  end)
end)
