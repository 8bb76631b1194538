local core = require "pcapi.core"
local environment = require "spec.support.environment"
local errors = require "pcapi.error"
local fake = require "spec.support.fake_transport"
local folder = require "spec.support.folder"
local holds = require "spec.support.holds"
local pcapi = require "pcapi"
local raises = require "spec.support.raises"
local sign_in = require "spec.support.sign_in"

describe("pcapi", function()
  it("has its version, null, times and a test for errors", function()
    assert.matches("^%d+%.%d+%.%d+", pcapi._VERSION)
    assert.equal(core.null, pcapi.null)
    assert.equal(require "pcapi.time", pcapi.time)
    assert.equal(require "pcapi.auth", pcapi.auth)
    assert.is_true(pcapi.is_error(errors.new { kind = "server", message = "x" }))
    assert.is_false(pcapi.is_error "x")
  end)

  describe("new", function()
    it("sends nothing and opens nothing", function()
      local before = core.live()
      local client = pcapi.new { token = "x" }
      assert.equal("pcapi.client (https://api.partnercenter.microsoft.com)", tostring(client))
      assert.equal(before, core.live())
    end)

    it("takes all its options", function()
      assert.has_no.errors(function()
        pcapi.new {
          token = function() return "x" end, base_url = "https://a.example/x", prefix = "pcapi",
          timeout = 1, connect_timeout = 1, max_body = 1, max_records = 1,
          max_values = 1, validate_mfa = true,
          retry = { attempts = 1, base = 1, cap = 1 }, headers = { A = "b", Accept = false },
          partner_api_headers = true, ca_file = "f", proxy = "", no_proxy = "*",
          http_version = "2", user_agent = "x/1", on_wait = print, allow_http = true,
          clock = os.time, random = math.random,
        }
        pcapi.new { token = "x", ca_path = "d", http_version = "1.1", prefix = "" }
      end)
    end)

    it("takes http on loopback if that is allowed", function()
      local client = pcapi.new { token = "x", base_url = "http://127.0.0.1:9/", allow_http = true }
      assert.equal("pcapi.client (http://127.0.0.1:9)", tostring(client))
    end)

    describe("with a provider", function()
      it("uses the service of its tokens", function()
        local china = pcapi.auth.refresh_token { tenant = "x", client_id = "me", cloud = "china",
                                                 refresh_token = "SECRET" }
        assert.equal("pcapi.client (https://partner.partnercenterapi.microsoftonline.cn)",
          tostring(pcapi.new { auth = china }))
        assert.equal("pcapi.client (https://b.example)",
          tostring(pcapi.new { auth = china, base_url = "https://b.example" }))
        assert.equal("pcapi.client (https://api.partnercenter.microsoft.com)",
          tostring(pcapi.new { auth = { token = function() end } }))
      end)

      it("refuses one with an http address", function()
        local odd = { token = function() end, base_url = "http://r.example" }
        raises(function() pcapi.new { auth = odd } end, "base_url must begin with https://")
      end)

      it("takes the audience of its tokens", function()
        local audience
        local client = pcapi.new {
          base_url = "https://graph.microsoft.com", audience = "https://graph.microsoft.com",
          transport = fake.new { {} },
          auth = { token = function(_, _, context)
            audience = context.audience
            return "x"
          end },
        }
        assert.is_table(client:request("GET", "/v1.0/me"))
        assert.equal("https://graph.microsoft.com", audience)
      end)

      it("sends the requests of the sign-in by the client's transport", function()
        local transport = fake.new { sign_in.tokens(), { body = "[]" } }
        local client = pcapi.new { transport = transport, auth = pcapi.auth.refresh_token {
          tenant = "x", client_id = "me", refresh_token = "SECRET" } }
        assert.is_table(client.security:non_mfa_principals())
        assert.equal(2, #transport.sent)
        assert.equal("Bearer SECRETaccess", transport.sent[2].header.authorization)
      end)
    end)

    describe("with a profile", function()
      local home

      before_each(function()
        home = folder.new()
      end)

      after_each(environment.restore)
      teardown(folder.remove)

      local function set(variables, text)
        environment.set(sign_in.merged({ HOME = home, PCAPI_CONFIG = text
          and folder.write(home .. "/config", text) or nil }, variables))
      end

      local function sign_in_to(name)
        pcapi.auth.file_store(home .. "/.local/state/pcapi"):set(name, require("cjson").encode {
          version = 1, client_id = "me", refresh_token = "SECRETkept" })
      end

      it("takes its sign-in and its settings", function()
        set({}, "tenant = t\nclient_id = me\nbase_url = https://b.example\n")
        sign_in_to "work"
        local transport = fake.new { sign_in.tokens(), {} }
        local client = assert(pcapi.new { profile = "work", transport = transport })
        assert.equal("pcapi.client (https://b.example)", tostring(client))
        assert.is_table(client:request("GET", "/v1/x"))
        assert.equal("SECRETkept", transport.sent[1].form.refresh_token)
        assert.equal("https://b.example/v1/x", transport.sent[2].url)
        assert.equal("Bearer SECRETaccess", transport.sent[2].header.authorization)
      end)

      it("prefers the options of the caller", function()
        set({ PCAPI_CA_PATH = "/p", PCAPI_BASE_URL = "https://env.example" },
          "tenant = t\nclient_id = me\ntimeout = 7\n")
        local client = assert(pcapi.new { profile = "work", timeout = 9, ca_file = "/f",
                                          base_url = "https://b.example" })
        assert.equal("pcapi.client (https://b.example)", tostring(client))
        assert.equal(9, client.timeout)
      end)

      it("returns an error that says what to run if nobody is signed in", function()
        set {}
        local client, err = pcapi.new { profile = "work" }
        assert.is_nil(client)
        assert.equal("sign_in_required", err.kind)
        assert.matches("pcapi login --profile work", err.hint, 1, true)
      end)

      it("returns an error for a configuration that cannot be used", function()
        for text, said in pairs { ["tenent = x"] = 'did you mean "tenant"',
                                  ["tenant = t\nclient_id = me\nbase_url = http://x"] = "base_url",
                                  ["tenant = t\nclient_id = me\nlogin_url = x"] = "login_url",
                                  ["tenant = t\nclient_id = me\nprefix = a/b"] = "prefix" } do
          set({}, text)
          local client, err = pcapi.new { profile = "default" }
          assert.is_nil(client)
          assert.equal("config", err.kind)
          assert.matches(said, err.message, 1, true)
        end
      end)

      it("does not change the caller's options", function()
        set({}, "tenant = t\nclient_id = me")
        local options = { profile = "work", timeout = 9 }
        assert(pcapi.new(options))
        assert.same({ profile = "work", timeout = 9 }, options)
      end)
    end)

    describe("with a trace", function()
      it("shows every request, those of the sign-in too, and no secret", function()
        local lines = {}
        local transport = fake.new { sign_in.tokens(), { status = 401 }, sign_in.refusal(
          "invalid_grant", 50076, { error_description = "SECRETnew SECRETclient" }) }
        local client = pcapi.new {
          transport = transport, trace = function(line) lines[#lines + 1] = line end,
          auth = pcapi.auth.refresh_token { tenant = "x", client_id = "me",
            client_secret = "SECRETclient", refresh_token = "SECRETseed" },
        }
        local _, err = client:request("GET", "/v1/x")
        assert.equal("mfa_required", err.kind)
        local said = table.concat(lines, "\n")
        assert.matches("* 1 POST https://login.microsoftonline.com/x/oauth2/v2.0/token", said, 1,
          true)
        assert.matches("* 2 GET https://api.partnercenter.microsoft.com/v1/x", said, 1, true)
        assert.matches("> Authorization: [hidden]", said, 1, true)
        assert.matches("< HTTP/1.1 401", said, 1, true)
        assert.matches("* 3 POST", said, 1, true)
        assert.is_nil(said:find("SECRET", 1, true))
        assert.is_false(holds(err, "SECRET"))
      end)

      it("shows waits before another attempt", function()
        local lines = {}
        local client = fake.client({ { status = 503 }, {} },
          { trace = function(line) lines[#lines + 1] = line end })
        assert.is_table(client:request("GET", "/v1/x"))
        assert.matches("\n* waits 0.250 s\n", table.concat(lines, "\n"), 1, true)
      end)
    end)

    describe("raises at the caller's line for", function()
      for name, case in pairs {
        ["no token"] = { { token = "none" }, 'pcapi.new: option "token" is missing or empty' },
        ["a token and a provider"] = { { auth = { token = print } },
          'pcapi.new: give one of "token", "auth" and "profile"' },
        ["a token and a profile"] = { { profile = "x" }, 'give one of "token", "auth" and' },
        ["a provider and a profile"] = { { token = "none", profile = "x", auth = {
          token = print } }, 'give one of "token", "auth" and' },
        ["a provider that gives no tokens"] = { { token = "none", auth = {} },
          'option "auth" must be a provider of pcapi.auth' },
        ["a provider of a wrong type"] = { { token = "none", auth = "x" }, "must be table" },
        ["a profile's name with a line break"] = { { token = "none", profile = "a\nb" },
          'option "profile" must be one line of text' },
        ["a trace that is no function"] = { { trace = true }, 'option "trace" must be function' },
        ["an audience for a token"] = { { audience = "https://graph.microsoft.com" },
          'option "audience" needs "auth" or "profile": a token is for one audience' },
        ["an audience with a line break"] = { { token = "none", auth = { token = print },
          audience = "a\nb" }, 'option "audience" must be one line of text' },
        ["an empty token"] = { { token = "" }, 'option "token" is missing or empty' },
        ["a token with a line break"] = { { token = "SECRET\n" },
          'option "token" holds characters that no access token has' },
        ["a token of a wrong type"] = { { token = 5 }, 'must be string or function' },
        ["an unknown option"] = { { base_ulr = "x" },
          'pcapi.new has no option "base_ulr"; did you mean "base_url"?' },
        ["an unknown option of retry"] = { { retry = { attempt = 1 } },
          'pcapi.new: retry has no option "attempt"; did you mean "attempts"?' },
        ["no attempt at all"] = { { retry = { attempts = 0 } }, 'option "attempts" must be' },
        ["a relative address"] = { { base_url = "api.example.com" },
          "pcapi.new: base_url is not an absolute address" },
        ["http to elsewhere"] = { { base_url = "http://a.example", allow_http = true },
          "base_url must begin with https://, or a token would be readable on the way" },
        ["http on loopback when not allowed"] = { { base_url = "http://127.0.0.1" },
          "base_url must begin with https:// (or set allow_http" },
        ["an address with a query"] = { { base_url = "https://a.example/?x=y" },
          "base_url must not have a query" },
        ["a password in the address"] = { { base_url = "https://u:p@a.example" },
          "base_url must not hold a user name or password" },
        ["a prefix of two segments"] = { { prefix = "a/b" }, 'option "prefix" must be a word' },
        ["a file and a directory of CAs"] = { { ca_file = "f", ca_path = "d" },
          'give "ca_file" or "ca_path", not both' },
        ["an unknown version of HTTP"] = { { http_version = "3" }, 'must be "1.1" or "2"' },
        ["a user agent with a line break"] = { { user_agent = "a\r\nEvil: 1" },
          'option "user_agent" must be one line of text' },
        ["a header with a line break"] = { { headers = { A = "b\nEvil: 1" } },
          "pcapi.new: header A holds a line break" },
        ["a header that is no text"] = { { headers = { A = 5 } }, "header A needs a text" },
        ["a name that no header has"] = { { headers = { ["a b"] = "c" } }, "not a header name" },
        ["headers in an array"] = { { headers = { "A: b" } }, "not a header name" },
        ["a timeout of zero"] = { { timeout = 0 }, "a positive number of seconds" },
      } do
        it(name, function()
          local options = { token = "x" }
          for key, value in pairs(case[1]) do
            options[key] = value
          end
          if options.token == "none" then
            options.token = nil
          end
          raises(function() pcapi.new(options) end, case[2])
        end)
      end

      it("a token in place of the options", function()
        raises(function() pcapi.new "token" end, "pcapi.new takes a table of options")
      end)

      it("a wrong token without showing it", function()
        local _, message = pcall(pcapi.new, { token = "SECRET\n" })
        assert.is_nil(message:find("SECRET", 1, true))
        _, message = pcall(pcapi.new, { token = "SECRET", timeout = -1 })
        assert.is_nil(message:find("SECRET", 1, true))
      end)
    end)
  end)
end)
