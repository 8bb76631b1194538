local core = require "pcapi.core"
local errors = require "pcapi.error"
local fake = require "spec.support.fake_transport"
local folder = require "spec.support.folder"
local holds = require "spec.support.holds"
local pcapi = require "pcapi"
local raises = require "spec.support.raises"
local sign_in = require "spec.support.sign_in"

describe("pcapi", function()
  it("hands out its version, null, times and a test for errors", function()
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

    it("goes by http only on loopback and only where that is allowed", function()
      local client = pcapi.new { token = "x", base_url = "http://127.0.0.1:9/", allow_http = true }
      assert.equal("pcapi.client (http://127.0.0.1:9)", tostring(client))
    end)

    describe("with a provider", function()
      it("asks the service that its tokens are for", function()
        local china = pcapi.auth.refresh_token { tenant = "x", client_id = "me", cloud = "china",
                                                 refresh_token = "SECRET" }
        assert.equal("pcapi.client (https://partner.partnercenterapi.microsoftonline.cn)",
          tostring(pcapi.new { auth = china }))
        assert.equal("pcapi.client (https://b.example)",
          tostring(pcapi.new { auth = china, base_url = "https://b.example" }))
        assert.equal("pcapi.client (https://api.partnercenter.microsoft.com)",
          tostring(pcapi.new { auth = { token = function() end } }))
      end)

      it("refuses one that names a service over http", function()
        local odd = { token = function() end, base_url = "http://r.example" }
        raises(function() pcapi.new { auth = odd } end, "base_url must begin with https://")
      end)

      it("sends the sign-in's requests by the client's transport", function()
        local transport = fake.new { sign_in.tokens(), { body = "[]" } }
        local client = pcapi.new { transport = transport, auth = pcapi.auth.refresh_token {
          tenant = "x", client_id = "me", refresh_token = "SECRET" } }
        assert.is_table(client.security:non_mfa_principals())
        assert.equal(2, #transport.sent)
        assert.equal("Bearer SECRETaccess", transport.sent[2].header.authorization)
      end)
    end)

    describe("with a profile", function()
      local real, home

      -- The environment is the system's; here it is what a spec says.
      before_each(function()
        home, real = folder.new(), os.getenv
      end)

      after_each(function()
        os.getenv = real -- luacheck: ignore
      end)

      teardown(folder.remove)

      local function environment(variables, text)
        local all = sign_in.merged({ HOME = home, PCAPI_CONFIG = text
          and folder.write(home .. "/config", text) or nil }, variables)
        os.getenv = function(name) return all[name] end -- luacheck: ignore
      end

      local function keep(name)
        pcapi.auth.file_store(home .. "/.local/state/pcapi"):set(name, require("cjson").encode {
          version = 1, client_id = "me", refresh_token = "SECRETkept" })
      end

      it("takes its sign-in and its settings", function()
        environment({}, "tenant = t\nclient_id = me\nbase_url = https://b.example\n")
        keep "work"
        local transport = fake.new { sign_in.tokens(), {} }
        local client = assert(pcapi.new { profile = "work", transport = transport })
        assert.equal("pcapi.client (https://b.example)", tostring(client))
        assert.is_table(client:request("GET", "/v1/x"))
        assert.equal("SECRETkept", transport.sent[1].form.refresh_token)
        assert.equal("https://b.example/v1/x", transport.sent[2].url)
        assert.equal("Bearer SECRETaccess", transport.sent[2].header.authorization)
      end)

      it("puts what the caller says above", function()
        environment({ PCAPI_CA_PATH = "/p", PCAPI_BASE_URL = "https://env.example" },
          "tenant = t\nclient_id = me\ntimeout = 7\n")
        local client = assert(pcapi.new { profile = "work", timeout = 9, ca_file = "/f",
                                          base_url = "https://b.example" })
        assert.equal("pcapi.client (https://b.example)", tostring(client))
        assert.equal(9, client.timeout)
      end)

      it("gives an error object, and says what to run, where nobody is signed in", function()
        environment {}
        local client, err = pcapi.new { profile = "work" }
        assert.is_nil(client)
        assert.equal("sign_in_required", err.kind)
        assert.matches("pcapi login --profile work", err.hint, 1, true)
      end)

      it("gives an error object for a configuration that nobody can use", function()
        for text, said in pairs { ["tenent = x"] = 'did you mean "tenant"',
                                  ["tenant = t\nclient_id = me\nbase_url = http://x"] = "base_url",
                                  ["tenant = t\nclient_id = me\nlogin_url = x"] = "login_url",
                                  ["tenant = t\nclient_id = me\nprefix = a/b"] = "prefix" } do
          environment({}, text)
          local client, err = pcapi.new { profile = "default" }
          assert.is_nil(client)
          assert.equal("config", err.kind)
          assert.matches(said, err.message, 1, true)
        end
      end)

      it("leaves the caller's options as they are", function()
        environment({}, "tenant = t\nclient_id = me")
        local options = { profile = "work", timeout = 9 }
        assert(pcapi.new(options))
        assert.same({ profile = "work", timeout = 9 }, options)
      end)
    end)

    describe("with a trace", function()
      it("tells of every exchange, the sign-in's too, and no secret", function()
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

      it("tells of waits before another attempt", function()
        local lines = {}
        local client = fake.client({ { status = 503 }, {} },
          { trace = function(line) lines[#lines + 1] = line end })
        assert.is_table(client:request("GET", "/v1/x"))
        assert.matches("\n* waits 0.250 s\n", table.concat(lines, "\n"), 1, true)
      end)
    end)

    describe("blames the caller's line for", function()
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
        ["a trace that takes no lines"] = { { trace = true }, 'option "trace" must be function' },
        ["an empty token"] = { { token = "" }, 'option "token" is missing or empty' },
        ["a token with a line break"] = { { token = "SECRET\n" },
          'option "token" holds characters that no access token has' },
        ["a token of a wrong type"] = { { token = 5 }, 'must be string or function' },
        ["an unknown option"] = { { base_ulr = "x" },
          'pcapi.new has no option "base_ulr"; did you mean "base_url"?' },
        ["an unknown option of retry"] = { { retry = { attempt = 1 } },
          'pcapi.new: retry has no option "attempt"; did you mean "attempts"?' },
        ["no attempt at all"] = { { retry = { attempts = 0 } }, 'option "attempts" must be' },
        ["an address that is none"] = { { base_url = "api.example.com" },
          "pcapi.new: base_url is not an absolute address" },
        ["http to elsewhere"] = { { base_url = "http://a.example", allow_http = true },
          "base_url must begin with https://, or a token would be readable on the way" },
        ["http on loopback when not allowed"] = { { base_url = "http://127.0.0.1" },
          "base_url must begin with https:// (or set allow_http" },
        ["an address with a query"] = { { base_url = "https://a.example/?x=y" },
          "base_url must not have a query" },
        ["a password in the address"] = { { base_url = "https://u:p@a.example" },
          "base_url must not hold a user name or password" },
        ["a prefix that is no word"] = { { prefix = "a/b" }, 'option "prefix" must be a word' },
        ["two sources of CAs"] = { { ca_file = "f", ca_path = "d" },
          'give "ca_file" or "ca_path", not both' },
        ["an odd version of HTTP"] = { { http_version = "3" }, 'must be "1.1" or "2"' },
        ["a user agent with a line break"] = { { user_agent = "a\r\nEvil: 1" },
          'option "user_agent" must be one line of text' },
        ["a header with a line break"] = { { headers = { A = "b\nEvil: 1" } },
          "pcapi.new: header A holds a line break" },
        ["a header that is no text"] = { { headers = { A = 5 } }, "header A needs a text" },
        ["a header name that is none"] = { { headers = { ["a b"] = "c" } }, "not a header name" },
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

      it("no options at all", function()
        raises(function() pcapi.new() end, 'option "token" is missing or empty')
        raises(function() pcapi.new "token" end, "pcapi.new takes a table of options")
      end)

      it("a mistake without showing the token", function()
        local _, message = pcall(pcapi.new, { token = "SECRET\n" })
        assert.is_nil(message:find("SECRET", 1, true))
        _, message = pcall(pcapi.new, { token = "SECRET", timeout = -1 })
        assert.is_nil(message:find("SECRET", 1, true))
      end)
    end)
  end)

  describe("each_tenant", function()
    local function tenants_of(...)
      local tenants = {}
      for i, name in ipairs { ... } do
        tenants[i] = { name = name, client = fake.client { { body = '{"n":' .. i .. "}" } } }
      end
      return tenants
    end

    local function ask(client)
      local response, err = client:request("GET", "/v1/x")
      return response and response.json.n, err
    end

    it("calls a function with each client and its name, and gives values under names", function()
      local tenants, names = tenants_of("a", "b", "a"), {}
      local results = pcapi.each_tenant(tenants, function(client, name)
        names[#names + 1] = name
        return ask(client)
      end)
      assert.same({ "a", "b", "a" }, names)
      for i, name in ipairs { "a", "b", "a" } do
        assert.equal(name, results[i].name)
        assert.equal(i, results[i].value)
        assert.is_nil(results[i].err)
      end
      assert.equal(0, results.failed)
      assert.is_nil(results.stopped)
    end)

    it("gives the error of one tenant, and the values of the others", function()
      local tenants = tenants_of("a", "b", "c")
      tenants[1].client = fake.client { { status = 403 } }
      local results = pcapi.each_tenant(tenants, function(client, name)
        if name == "c" then
          error "mine"
        end
        return ask(client)
      end)
      assert.equal("forbidden", results[1].err.kind)
      assert.equal(2, results[2].value)
      assert.matches("pcapi_spec.lua:%d+: mine", results[3].err)
      assert.equal(2, results.failed)
    end)

    it("signs each profile in by its name, and says which is not signed in", function()
      local real, home = os.getenv, folder.new()
      os.getenv = function(name) return name == "HOME" and home or nil end -- luacheck: ignore
      local results = pcapi.each_tenant({ "contoso", tenants_of("b")[1] }, ask)
      os.getenv = real -- luacheck: ignore
      folder.remove()
      assert.equal("contoso", results[1].name)
      assert.equal("sign_in_required", results[1].err.kind)
      assert.matches("pcapi login --profile contoso", results[1].err.hint, 1, true)
      assert.equal("b", results[2].name)
      assert.equal(1, results[2].value)
    end)

    it("opens a client when its tenant is next, and gives the error where it cannot", function()
      local log, tenants = {}, tenants_of("a", "b")
      for i, tenant in ipairs(tenants) do
        tenants[i] = { name = tenant.name, open = function()
          log[#log + 1] = "open " .. tenant.name
          return tenant.client
        end }
      end
      tenants[3] = { name = "c", open = function() return nil, "no sign-in" end }
      local results = pcapi.each_tenant(tenants, function(client, name)
        log[#log + 1] = "call " .. name
        return ask(client)
      end)
      assert.same({ "open a", "call a", "open b", "call b" }, log)
      assert.same({ 1, 2 }, { results[1].value, results[2].value })
      assert.same({ "c", "no sign-in" }, { results[3].name, results[3].err })
    end)

    it("takes the options of concurrent", function()
      local told = {}
      local results = pcapi.each_tenant(tenants_of("a", "b", "c"), function(_, name)
        return nil, name
      end, { limit = 1, rate = 1000, stop_on_error = true,
             progress = function(done, total) told[#told + 1] = done .. "/" .. total end })
      assert.equal("a", results[1].err)
      assert.equal("stopped", results[3].err.kind)
      assert.equal("stopped", results.stopped)
      assert.equal("c", results[3].name)
      assert.same({ "1/3", "2/3", "3/3" }, told)
    end)

    it("gives nothing for no tenants, and leaves no connection open", function()
      local before = core.live()
      assert.same({ failed = 0 }, pcapi.each_tenant({}, ask))
      assert.equal(before, core.live())
    end)

    describe("blames the caller's line for", function()
      local one = { name = "a", client = fake.client {} }

      for name, case in pairs {
        ["no tenants"] = { nil, print, nil, "takes an array of tenants and a function" },
        ["one tenant in place of an array"] = { "a", print, nil, "takes an array of tenants" },
        ["no function"] = { { one }, nil, nil, "takes an array of tenants and a function" },
        ["a tenant that is none"] = { { one, 5 }, print, nil,
          "tenant 2 must be the name of a profile, or a table with a name and a client" },
        ["a hole among tenants"] = { { one, nil, one }, print, nil, "tenant 2 must be the name" },
        ["a tenant under a name"] = { { one, b = one }, print, nil,
          'the tenants must be an array, without the key "b"' },
        ["a tenant without letters"] = { { "" }, print, nil, "tenant 1 must be the name" },
        ["a tenant without a name"] = { { { client = one.client } }, print, nil,
          "tenant 1 must be the name" },
        ["a tenant without a client"] = { { one, { name = "b" } }, print, nil,
          "tenant 2 (b) must have a client, made by pcapi.new" },
        ["a client that is none"] = { { { name = "b", client = {} } }, print, nil,
          "tenant 1 (b) must have a client" },
        ["an unknown option"] = { { one }, print, { limits = 5 },
          'pcapi.each_tenant has no option "limits"; did you mean "limit"?' },
        ["an option of a wrong type"] = { { one }, print, { rate = -1 },
          'pcapi.each_tenant: option "rate" must be' },
      } do
        it(name, function()
          raises(function() pcapi.each_tenant(case[1], case[2], case[3]) end, case[4])
        end)
      end

      it("a call within a task", function()
        local results = pcapi.concurrent { function()
          raises(function() pcapi.each_tenant({ one }, ask) end,
            "pcapi.each_tenant: a task cannot run others")
          return "went on"
        end }
        assert.equal("went on", results[1].value)
      end)
    end)
  end)
end)
