local config = require "pcapi.settings.resolve"
local errors = require "pcapi.error"
local folder = require "spec.support.folder"
local holds = require "spec.support.holds"

local function env(variables)
  return function(name)
    return (variables or {})[name]
  end
end

-- A value that any setting of that name takes, and what becomes of it.
local function value_for(setting)
  local number = setting.name:find "^max_" and 7
  return number and "7" or setting.name == "cloud" and "china" or "x", number
end

describe("pcapi.settings.resolve", function()
  teardown(folder.remove)

  local directory

  setup(function()
    directory = folder.new()
  end)

  local function file_of(text)
    return folder.write(directory .. "/config", text)
  end

  -- The settings of a file's text, flags and variables; or nil, err.
  local function resolve(text, how)
    how = how or {}
    return config.resolve {
      path = text and file_of(text), flags = how.flags, profile = how.profile,
      getenv = env(how.env),
    }
  end

  local function fails(text, how)
    local settings, err = resolve(text, how)
    assert.is_nil(settings)
    assert.is_true(errors.is(err))
    assert.equal("config", err.kind)
    assert.is_false(holds(err, "SECRET"))
    return err
  end

  describe("is kept in", function()
    it("the place for configuration of XDG", function()
      assert.equal("/x/pcapi/config", config.path(env { XDG_CONFIG_HOME = "/x", HOME = "/h" }))
    end)

    it("~/.config without one, or with an empty or relative one", function()
      assert.equal("/h/.config/pcapi/config", config.path(env { HOME = "/h" }))
      for _, place in ipairs { "", "x" } do
        assert.equal("/h/.config/pcapi/config",
          config.path(env { XDG_CONFIG_HOME = place, HOME = "/h" }))
      end
    end)

    it("no place without a home", function()
      for _, home in ipairs { "none", "", "h" } do
        assert.is_nil(config.path(env { HOME = home ~= "none" and home or nil }))
      end
    end)
  end)

  describe("takes apart", function()
    it("profiles, settings for all of them, comments and empty lines", function()
      local sections = assert(config.parse(table.concat({
        "# for all", "ca_file = /etc/ca.pem", "", "[default]", "  tenant=a.example  ",
        "; another way to comment", "\tclient_id\t=\tid 1", "[ second ]", "tenant = b.example",
      }, "\n")))
      assert.same({
        [""] = { ca_file = { value = "/etc/ca.pem", line = 2 } },
        default = { tenant = { value = "a.example", line = 5 },
                    client_id = { value = "id 1", line = 7 } },
        second = { tenant = { value = "b.example", line = 9 } },
      }, sections)
    end)

    it("lines that end as on Windows, and a last one that does not end", function()
      local sections = assert(config.parse "[a]\r\ntenant = x\r\nscope = y")
      assert.equal("x", sections.a.tenant.value)
      assert.equal("y", sections.a.scope.value)
      assert.equal(3, sections.a.scope.line)
    end)

    it("values with = and # in them, in quotes and without", function()
      local sections = assert(config.parse
        'token_url = https://x.example/?a=b#c\nscope = " a b "\nproxy = ""')
      assert.equal("https://x.example/?a=b#c", sections[""].token_url.value)
      assert.equal(" a b ", sections[""].scope.value)
      assert.equal("", sections[""].proxy.value)
    end)

    it("values and profiles with a comment behind them", function()
      local sections = assert(config.parse
        '[a] # the first\ntenant = x  # here\nscope = "a # b" ; there\nproxy = "c"# d"')
      assert.equal("x", sections.a.tenant.value)
      assert.equal("a # b", sections.a.scope.value)
      assert.equal('c"# d', sections.a.proxy.value)
    end)

    it("a file that begins with a byte order mark", function()
      assert.equal("x", assert(config.parse "\239\187\191[a]\ntenant = x").a.tenant.value)
    end)

    it("a profile in two places", function()
      local sections = assert(config.parse "[a]\ntenant = x\n[b]\n[a]\nscope = y")
      assert.equal("x", sections.a.tenant.value)
      assert.equal("y", sections.a.scope.value)
    end)

    it("nothing", function()
      assert.same({ [""] = {} }, config.parse "")
    end)
  end)

  describe("names the line and the cure of", function()
    for name, case in pairs {
      ["an unknown setting"] = { "[a]\ntenent = x", ":2: ", 'did you mean "tenant"?' },
      ["a setting nobody could mean"] = { "zzzzzzzzzzzz = x", ":1: ", "there are: " },
      ["a line that is none"] = { "\n\ntenant", ":3: ", "neither [profile] nor name = value" },
      ["a bracket too few"] = { "[a", ":1: ", "neither [profile] nor name = value" },
      ["a profile without a name"] = { "[ ]", ":1: ", "the name of a profile may hold" },
      ["a profile whose name a shell would take apart"] = { "[a b;c]", ":1: ", "may hold letters" },
      ["a setting given twice"] = { "tenant = a\n\ntenant = b", ":3: ",
        "tenant was set in line 1 already" },
      ["a secret"] = { "client_secret = SECRET", ":1: ", "client_secret_file" },
      ["a passphrase"] = { "[a]\nkey_passphrase = SECRET", ":2: ", "key_passphrase_file" },
      ["a refresh token"] = { "refresh_token = SECRET", ":1: ", "set PCAPI_REFRESH_TOKEN" },
      ["a token"] = { "token = SECRET", ":1: ", "set PCAPI_TOKEN" },
    } do
      it(name, function()
        local err = fails(case[1])
        assert.matches(directory .. "/config" .. case[2], err.message, 1, true)
        assert.matches(case[3], err.message, 1, true)
      end)
    end

    it("a value that cannot be", function()
      for line, said in pairs {
        ["cloud = germany"] = "cloud must be global or us_government or china",
        ["oauth_version = 2"] = "oauth_version must be v1 or v2",
        ["assertion_alg = HS256"] = "assertion_alg must be PS256 or RS256",
        ["timeout = soon"] = "timeout must be a positive number of seconds",
        ["timeout = 0"] = "timeout must be", ["timeout = -1"] = "timeout must be",
        ["timeout = 1e999"] = "timeout must be", ["timeout = nan"] = "timeout must be",
        ["max_records = many"] = 'max_records must be a positive number, not "many"',
        ["max_records = 0"] = "max_records must be", ["max_records = -1"] = "max_records must be",
        ["max_body = 64M"] = 'max_body must be a positive number of bytes, not "64M"',
        ["max_body = 0"] = "max_body must be", ["max_body = 1e999"] = "max_body must be",
      } do
        local err = fails("\n" .. line)
        assert.matches(said, err.message, 1, true)
        assert.matches(directory .. "/config:2", err.message, 1, true)
      end
    end)

    it("a value of the environment, by the variable", function()
      assert.matches("environment PCAPI_CLOUD",
        fails(nil, { env = { PCAPI_CLOUD = "mars" } }).message, 1, true)
    end)
  end)

  describe("reads", function()
    it("nothing where the default file is missing, or there is no home", function()
      local settings = assert(resolve(nil, { env = { HOME = directory .. "/none" } }))
      assert.same({}, settings.values)
      assert.same({}, settings.profiles)
      assert.equal(directory .. "/none/.config/pcapi/config", settings.path)
      settings = assert(resolve())
      assert.same({}, settings.values)
      assert.is_nil(settings.path)
    end)

    it("nothing where a folder of the default file is none", function()
      folder.write(directory .. "/file", "x")
      assert.is_table(resolve(nil, { env = { HOME = directory .. "/file" } }))
    end)

    it("no default file that is there and cannot be read, and says so", function()
      local home = folder.new()
      os.execute(("mkdir -p '%s/.config/pcapi' && ln -s config '%s/.config/pcapi/config'")
        :format(home, home))
      assert.matches(home .. "/.config/pcapi/config",
        fails(nil, { env = { HOME = home } }).message, 1, true)
      home = folder.new()
      os.execute(("mkdir -p '%s/.config/pcapi/config'"):format(home))
      assert.matches(home .. "/.config/pcapi/config",
        fails(nil, { env = { HOME = home } }).message, 1, true)
    end)

    it("no file that was asked for by name and is missing", function()
      local missing = directory .. "/none"
      local settings, err = config.resolve { path = missing, getenv = env() }
      assert.is_nil(settings)
      assert.matches(missing, err.message, 1, true)
      settings, err = config.resolve { getenv = env { PCAPI_CONFIG = missing } }
      assert.is_nil(settings)
      assert.matches(missing, err.message, 1, true)
    end)

    it("the file of PCAPI_CONFIG, but rather that of the flag", function()
      local other = folder.write(directory .. "/other", "tenant = other.example")
      local settings = assert(resolve(nil, { env = { PCAPI_CONFIG = other } }))
      assert.equal("other.example", settings.values.tenant)
      settings = assert(resolve("tenant = flag.example", { env = { PCAPI_CONFIG = other } }))
      assert.equal("flag.example", settings.values.tenant)
    end)

    it("the file of PCAPI_CONFIG without a line end or a byte order mark", function()
      local other = folder.write(directory .. "/other", "tenant = other.example")
      for _, around in ipairs { other .. "\n", other .. "\r\n", "\239\187\191" .. other } do
        assert.equal("other.example",
          assert(config.resolve { getenv = env { PCAPI_CONFIG = around } }).values.tenant)
      end
      local _, err = config.resolve { getenv = env { PCAPI_CONFIG = other .. "\nb" } }
      assert.matches("the text holds a line break", err.message, 1, true)
    end)

    it("the default file where PCAPI_CONFIG is empty", function()
      local settings = assert(resolve(nil, { env = { PCAPI_CONFIG = "", HOME = "/none" } }))
      assert.equal("/none/.config/pcapi/config", settings.path)
    end)
  end)

  describe("gives the profile", function()
    local TEXT = "tenant = all\n[default]\nscope = d\n[a]\nscope = a\n[b]\nscope = b"

    it("default, unless told otherwise", function()
      local settings = assert(resolve(TEXT))
      assert.equal("default", settings.profile)
      assert.equal("default", settings.profile_origin)
      assert.equal("d", settings.values.scope)
    end)

    it("of PCAPI_PROFILE without what stands around it", function()
      for _, around in ipairs { "a\n", "a\r\n", " a ", "\239\187\191a", "a\194\160" } do
        local settings = assert(resolve(TEXT, { env = { PCAPI_PROFILE = around } }))
        assert.equal("a", settings.profile, around)
      end
      assert.equal("default", assert(resolve(TEXT, { env = { PCAPI_PROFILE = " \n" } })).profile)
      assert.matches("the text holds a line break",
        fails(nil, { env = { PCAPI_PROFILE = "a\nb" } }).message, 1, true)
    end)

    it("of PCAPI_PROFILE, but rather that of the flag", function()
      local settings = assert(resolve(TEXT, { env = { PCAPI_PROFILE = "a" } }))
      assert.equal("a", settings.values.scope)
      assert.equal("environment PCAPI_PROFILE", settings.profile_origin)
      settings = assert(resolve(TEXT, { env = { PCAPI_PROFILE = "a" }, profile = "b" }))
      assert.equal("b", settings.values.scope)
      assert.equal("flag --profile", settings.profile_origin)
      settings = assert(resolve(TEXT, { env = { PCAPI_PROFILE = "" } }))
      assert.equal("default", settings.profile)
    end)

    it("of no name that paths, advice or a terminal would suffer from", function()
      for _, name in ipairs { "a b", "a;b", "../a", "a\27", "\195\188" } do
        assert.matches("(flag --profile)", fails(nil, { profile = name }).message, 1, true)
        assert.matches("(environment PCAPI_PROFILE)",
          fails(nil, { env = { PCAPI_PROFILE = name } }).message, 1, true)
      end
      assert.equal("Kim.x_y-z@fabrikam",
        assert(resolve(nil, { profile = "Kim.x_y-z@fabrikam" })).profile)
    end)

    it("that is asked for by name before a token of the environment", function()
      local variables = { PCAPI_TOKEN = "t", PCAPI_REFRESH_TOKEN = "r", PCAPI_CLOUD = "china" }
      local settings = assert(resolve(nil, { profile = "a", env = variables }))
      assert.same({ cloud = "china" }, settings.values)
      variables.PCAPI_PROFILE = "a"
      settings = assert(resolve(nil, { env = variables }))
      assert.equal("t", settings:value "token")
    end)

    it("that the file does not have, with what holds for all", function()
      local settings = assert(resolve(TEXT, { profile = "c" }))
      assert.equal("all", settings.values.tenant)
      assert.is_nil(settings.values.scope)
    end)

    it("among the sorted names of all", function()
      assert.same({ "a", "b", "default" }, assert(resolve(TEXT)).profiles)
    end)
  end)

  it("prefers flag to environment to profile to all profiles to sign-in to default", function()
    local path = directory .. "/config"
    local steps = {
      { "flag", "flag --cloud" },
      { "env", "environment PCAPI_CLOUD" },
      { "profile", "profile default in " .. path .. ":3" },
      { "all", "all profiles in " .. path .. ":1" },
      { "kept", "sign-in" },
      { "default", "default" },
    }
    local on = { flag = "china", env = "us_government", profile = "china", all = "us_government",
                 kept = "china", default = "global" }
    for _, step in ipairs(steps) do
      local settings = assert(resolve(
        ("%s\n[default]\n%s"):format(on.all and "cloud = " .. on.all or "",
          on.profile and "cloud = " .. on.profile or ""),
        { flags = { cloud = on.flag }, env = { PCAPI_CLOUD = on.env } }))
      assert(settings:add_kept { cloud = on.kept })
      assert(settings:add_defaults())
      assert.equal(on[step[1]], settings.values.cloud)
      assert.equal(step[2], settings.origins.cloud)
      on[step[1]] = nil
    end
  end)

  describe("of the CAs that the environment names for all programs", function()
    local here = "spec/unit/settings/resolve_spec.lua" -- some file

    local function with(variables, text, kept)
      local settings = assert(resolve(text, { env = variables }))
      assert(settings:add_kept(kept))
      local ok, err = settings:add_cas(function(name) return variables[name] end)
      return ok and settings, err
    end

    it("takes the first, and says whose it is", function()
      local settings = with { REQUESTS_CA_BUNDLE = here }
      assert.equal(here, settings.values.ca_file)
      assert.equal("environment REQUESTS_CA_BUNDLE", settings.origins.ca_file)
      settings = with { SSL_CERT_DIR = "spec", REQUESTS_CA_BUNDLE = here }
      assert.same({ ca_path = "spec" }, settings.values)
      assert.equal("environment SSL_CERT_DIR", settings.origins.ca_path)
    end)

    it("takes none where a setting of ours says something", function()
      assert.same({ ca_path = "d" }, with({ PCAPI_CA_PATH = "d", SSL_CERT_FILE = here }).values)
      assert.same({ ca_file = "/f" }, with({ SSL_CERT_DIR = "spec" }, "ca_file = /f").values)
      assert.same({ ca_file = "/k" },
        with({ SSL_CERT_DIR = "/none" }, nil, { ca_file = "/k" }).values)
    end)

    it("names the variable whose file is not there", function()
      local settings, err = with { SSL_CERT_FILE = "/none" }
      assert.is_falsy(settings)
      assert.equal("config", err.kind)
      assert.matches("SSL_CERT_FILE names /none", err.message, 1, true)
    end)

    it("keeps none at sign-in", function()
      assert.same({}, with({ SSL_CERT_FILE = here }):to_keep "/")
    end)
  end)

  it("takes an empty variable for none", function()
    local settings = assert(resolve("tenant = a", { env = { PCAPI_TENANT = "" } }))
    assert.equal("a", settings.values.tenant)
  end)

  describe("of a variable or a flag", function()
    local around = { "VALUE\r\n", "VALUE\n", "\239\187\191VALUE", "\239\187\191VALUE\r\n" }

    it("leaves out a line end and a byte order mark", function()
      for _, setting in ipairs(config.settings) do
        for _, text in ipairs(around) do
          local value, number = value_for(setting)
          text = text:gsub("VALUE", value)
          if setting.env then
            assert.equal(number or value, assert(resolve(nil, { env = { [setting.env] = text } }))
              :value(setting.name))
          end
          if not setting.read then
            assert.equal(value, assert(resolve(nil, { flags = { [setting.name] = text } }))
              :value(setting.name))
          end
        end
      end
    end)

    it("leaves out blanks around what cannot have any", function()
      local settings = assert(resolve(nil, { env = { PCAPI_TENANT = " a ", PCAPI_CLIENT_ID = "b\t",
        PCAPI_CLIENT_SECRET = " c", PCAPI_REFRESH_TOKEN = "d ", PCAPI_CERTIFICATE = nil,
        PCAPI_CA_FILE = "/with blank " } }))
      assert.same({ tenant = "a", client_id = "b", ca_file = "/with blank " }, settings.values)
      assert.equal("c", settings:value "client_secret")
      assert.equal("d", settings:value "refresh_token")
      assert.equal(" e ", assert(resolve(nil, { env = { PCAPI_KEY_PASSPHRASE = " e " } }))
        :value "key_passphrase")
    end)

    it("takes nothing but a line end for none", function()
      assert.equal("a", assert(resolve("tenant = a", { env = { PCAPI_TENANT = "\r\n" } }))
        .values.tenant)
    end)

    it("refuses what cannot be one, names the variable and repeats nothing of it", function()
      for _, name in ipairs { "PCAPI_CLIENT_SECRET", "PCAPI_REFRESH_TOKEN", "PCAPI_CLIENT_ID",
                              "PCAPI_KEY_PASSPHRASE", "PCAPI_TENANT", "PCAPI_TOKEN" } do
        local settings, err = resolve(nil, { env = { [name] = "QQQ\r\nQQQ" } })
        assert.is_nil(settings)
        assert.equal("config", err.kind)
        assert.truthy(err.message:find("holds a line break", 1, true), err.message)
        assert.truthy(err.message:find("(environment " .. name .. ")", 1, true), err.message)
        assert.is_nil(err.message:find("QQQ", 1, true))
      end
    end)

    it("hands a PEM text on as it is", function()
      local pem = "-----BEGIN CERTIFICATE-----\nx\n"
      assert.equal(pem, assert(resolve(nil, { env = { PCAPI_CERTIFICATE = pem } }))
        .values.certificate)
    end)
  end)

  it("refuses a file that is UTF-16, and says so", function()
    local settings, err = resolve("\255\254t\0e\0n\0a\0n\0t\0")
    assert.is_nil(settings)
    assert.matches(":1: the file is UTF-16", err.message, 1, true)
  end)

  it("takes an empty value for none, but for a proxy and a prefix", function()
    local values = assert(resolve "tenant =\nstore =\nproxy =\nprefix = ").values
    assert.same({ proxy = "", prefix = "" }, values)
  end)

  it("completes a relative path of the file by the folder of the file", function()
    local settings = assert(resolve "certificate = c.pem")
    assert.equal(settings.path:match "^(.*/)" .. "c.pem", settings.values.certificate)
    assert.equal("c.pem", assert(resolve(nil, { flags = { certificate = "c.pem" } }))
      .values.certificate)
  end)

  it("reads every variable", function()
    for _, setting in ipairs(config.settings) do
      if setting.env then
        local value, number = value_for(setting)
        local settings = assert(resolve(nil, { env = { [setting.env] = value } }))
        value = number or value
        assert.equal(value, settings:value(setting.name))
        assert.equal(setting.secret == nil and value or nil, settings.values[setting.name])
        assert.equal("environment " .. setting.env, settings.origins[setting.name])
      end
    end
  end)

  it("names a flag as it is written", function()
    local settings = assert(resolve(nil, { flags = { client_id = "x", timeout = 5 } }))
    assert.equal("flag --client-id", settings.origins.client_id)
    assert.equal(5, settings.values.timeout)
  end)

  it("makes numbers of seconds, records and bytes", function()
    assert.equal(7.5, assert(resolve "timeout = 7.5").values.timeout)
    local settings = assert(resolve("max_records = 500000\nmax_body = 5", {
      env = { PCAPI_MAX_BODY = "200000000" },
    }))
    assert.equal(500000, settings.values.max_records)
    assert.equal(200000000, settings.values.max_body)
    assert.equal(7, assert(resolve(nil, { env = { PCAPI_MAX_RECORDS = "7" } })).values.max_records)
  end)

  it("shows as defaults what counts where nothing is said", function()
    local settings = assert(resolve())
    assert(settings:add_defaults())
    assert.equal("global", settings.values.cloud)
    assert.equal("v2", settings.values.oauth_version)
    assert.equal(180, settings.values.timeout)
    assert.equal(250000, settings.values.max_records)
    assert.equal(64 * 1024 * 1024, settings.values.max_body)
    assert.equal("https://login.microsoftonline.com", settings.values.login_url)
    assert.equal("default of the cloud", settings.origins.login_url)
    assert.equal("https://api.partnercenter.microsoft.com", settings.values.base_url)
    assert.is_nil(settings.values.tenant)
    settings = assert(resolve "cloud = china")
    assert(settings:add_defaults())
    assert.equal("https://partner.partnercenterapi.microsoftonline.cn", settings.values.base_url)
  end)

  it("takes ~/ in a path for the home, as a shell does", function()
    local settings = assert(resolve("certificate = ~/c.pem\nstore = ~/s\nscope = ~/x",
      { env = { HOME = "/h", PCAPI_CA_FILE = "~/f" } }))
    assert.equal("/h/c.pem", settings.values.certificate)
    assert.equal("/h/s", settings.values.store)
    assert.equal("/h/f", settings.values.ca_file)
    assert.equal("~/x", settings.values.scope)
    assert.equal("~/c.pem", assert(resolve "certificate = ~/c.pem").values.certificate)
  end)

  describe("takes of two that stand for one another the stronger alone:", function()
    for name, case in pairs {
      ["ca_file over ca_path"] = { "ca_path = /p", { PCAPI_CA_FILE = "/f" }, "ca_file", "ca_path" },
      ["ca_path over ca_file"] = { "ca_file = /f", { PCAPI_CA_PATH = "/p" }, "ca_path", "ca_file" },
      ["a secret over its file"] = { "client_secret_file = /f", { PCAPI_CLIENT_SECRET = "s" },
        "client_secret", "client_secret_file" },
      ["a secret over a certificate"] = { "certificate = /c\ncertificate_key = /k\n"
        .. "key_passphrase_file = /p\nassertion_alg = RS256", { PCAPI_CLIENT_SECRET = "s" },
        "client_secret", "certificate", "certificate_key", "key_passphrase_file",
        "assertion_alg" },
      ["a certificate over a secret's file"] = { "client_secret_file = /f",
        { PCAPI_CERTIFICATE = "/c" }, "certificate", "client_secret_file" },
      ["a passphrase over its file"] = { "key_passphrase_file = /f",
        { PCAPI_KEY_PASSPHRASE = "s" }, "key_passphrase", "key_passphrase_file" },
    } do
      it(name, function()
        local settings = assert(resolve(case[1], { env = case[2] }))
        assert.is_string(settings:value(case[3]))
        for i = 4, #case do
          assert.is_nil(settings:value(case[i]))
          assert.is_nil(settings.origins[case[i]])
        end
      end)
    end

    it("a file by a flag over a text in the environment", function()
      for variable, name in pairs { PCAPI_CLIENT_SECRET = "client_secret",
                                    PCAPI_KEY_PASSPHRASE = "key_passphrase" } do
        local settings = assert(resolve(nil, { flags = { [name .. "_file"] = "/f" },
                                               env = { [variable] = "SECRET" } }))
        assert.equal("/f", settings.values[name .. "_file"])
        assert.is_nil(settings:value(name))
      end
      local settings = assert(resolve(nil, { flags = { certificate = "/c" },
                                             env = { PCAPI_CLIENT_SECRET = "SECRET" } }))
      assert.is_nil(settings:value "client_secret")
      settings = assert(resolve(nil, { flags = { client_secret_file = "/s" },
        env = { PCAPI_KEY_PASSPHRASE = "SECRET", PCAPI_CERTIFICATE_KEY = "/k" } }))
      assert.same({ client_secret_file = "/s" }, settings.values)
    end)

    it("a profile's over that of all profiles, and of the sign-in", function()
      local settings = assert(resolve "ca_file = /f\n[default]\nca_path = /p")
      assert.equal("/p", settings.values.ca_path)
      assert.is_nil(settings.values.ca_file)
      settings = assert(resolve "client_secret_file = /new")
      assert(settings:add_kept { certificate = "/old", certificate_key = "/old",
                                 key_passphrase_file = "/old", assertion_alg = "RS256" })
      assert.equal("/new", settings.values.client_secret_file)
      assert.same({ client_secret_file = "/new" }, settings.values)
    end)

    it("both, for who uses them to complain of, when one place gives both", function()
      local settings = assert(resolve "ca_file = /f\nca_path = /p")
      assert.equal("/f", settings.values.ca_file)
      assert.equal("/p", settings.values.ca_path)
    end)

    it("a certificate with the key and passphrase that belong to it, whatever their place",
      function()
        local settings = assert(resolve("certificate = /c\ncertificate_key = /k",
          { env = { PCAPI_KEY_PASSPHRASE = "s" } }))
        assert.equal("/c", settings.values.certificate)
        assert.equal("/k", settings.values.certificate_key)
        assert.equal("s", settings:value "key_passphrase")
      end)
  end)

  describe("of the sign-in", function()
    it("keeps the account, and what flags said: nobody will say it again", function()
      local flags = { tenant = "t", client_id = "c", cloud = "china", client_secret_file = "/s",
                      certificate = "/c", certificate_key = "/k", key_passphrase_file = "/p",
                      login_url = "https://l.example", base_url = "https://b.example",
                      ca_file = "/f", ca_path = "/d" }
      assert.same(flags, assert(resolve(nil, { flags = flags })):to_keep "/work")
    end)

    it("keeps of the file and of the environment no more than the account", function()
      local settings = assert(resolve("tenant = t\nclient_secret_file = /s\nca_file = /f",
        { env = { PCAPI_CLIENT_ID = "c", PCAPI_BASE_URL = "https://b.example" } }))
      assert.same({ tenant = "t", client_id = "c" }, settings:to_keep "/work")
    end)

    it("keeps what it kept before", function()
      local settings = assert(resolve())
      assert(settings:add_kept { tenant = "t", client_id = "c", certificate = "/c" })
      assert.same({ tenant = "t", client_id = "c", certificate = "/c" }, settings:to_keep "/work")
    end)

    it("keeps no secret, nor what is of one call alone", function()
      local settings = assert(resolve(nil, {
        flags = { timeout = 5, store = "/x", proxy = "http://p.example" },
        env = { PCAPI_CLIENT_SECRET = "SECRET", PCAPI_TOKEN = "SECRET",
                PCAPI_REFRESH_TOKEN = "SECRET", PCAPI_KEY_PASSPHRASE = "SECRET" } }))
      assert.same({}, settings:to_keep "/work")
    end)

    it("keeps no default, which a later version may change", function()
      local settings = assert(resolve())
      assert(settings:add_defaults())
      assert.same({}, settings:to_keep "/work")
    end)

    it("keeps paths absolute, so that cron finds them from anywhere", function()
      for _, name in ipairs { "certificate", "certificate_key", "key_passphrase_file",
                              "client_secret_file", "ca_file", "ca_path" } do
        for given, kept in pairs { ["x.pem"] = "/work/x.pem", ["../x"] = "/work/../x",
                                   ["/etc/x"] = "/etc/x" } do
          local settings = assert(resolve(nil, { flags = { [name] = given } }))
          assert.equal(kept, settings:to_keep("/work")[name])
        end
      end
    end)

    it("keeps a PEM text as it is, and paths where nobody knows the folder", function()
      local pem = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"
      local settings = assert(resolve(nil, { flags = { certificate = pem } }))
      assert.equal(pem, settings:to_keep("/work").certificate)
      settings = assert(resolve(nil, { flags = { certificate = "x" } }))
      assert.equal("x", settings:to_keep().certificate)
    end)

    it("keeps no private key that was given as text", function()
      local settings = assert(resolve(nil, { flags = {
        certificate = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"
          .. "-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----\n",
        certificate_key = "-----BEGIN RSA PRIVATE KEY-----\nSECRET\n" } }))
      assert.is_false(holds(settings:to_keep "/work", "SECRET"))
    end)

    it("takes back what it kept, but nothing that belongs elsewhere or is no text", function()
      local settings = assert(resolve())
      assert(settings:add_kept { tenant = "t", client_secret = "SECRET", token = "SECRET",
                                 ca_file = "/f", client_id = 5, odd = "x", store = "/x" })
      assert.same({ tenant = "t", ca_file = "/f" }, settings.values)
      assert.same({ tenant = "sign-in", ca_file = "sign-in" }, settings.origins)
      assert.is_true((assert(resolve()):add_kept(nil)))
    end)

    it("takes nothing back for another tenant, application or cloud", function()
      for name, value in pairs { tenant = "t2", client_id = "c2", cloud = "us_government" } do
        local settings = assert(resolve(name .. " = " .. value))
        assert(settings:add_kept { tenant = "t", client_id = "c", cloud = "china",
                                   certificate = "/c" })
        assert.same({ [name] = value }, settings.values)
      end
      local settings = assert(resolve "tenant = t\nclient_id = c")
      assert(settings:add_kept { tenant = "t", client_id = "c", certificate = "/c" })
      assert.equal("/c", settings.values.certificate)
    end)

    it("takes no part of a former proof back where there is one already", function()
      for line, value in pairs { ["certificate = /new"] = "certificate",
                                 ["client_secret_file = /new"] = "client_secret_file" } do
        local settings = assert(resolve(line))
        assert(settings:add_kept { certificate = "/old", certificate_key = "/old",
                                   key_passphrase_file = "/old", client_secret_file = "/old" })
        assert.same({ [value] = "/new" }, settings.values)
      end
    end)

    it("says when what it kept cannot be", function()
      local ok, err = assert(resolve()):add_kept { cloud = "mars" }
      assert.is_nil(ok)
      assert.equal("config", err.kind)
      assert.matches("(sign-in)", err.message, 1, true)
    end)
  end)

  describe("read once serves", function()
    it("every profile, and says which there are", function()
      local file = assert(config.read {
        path = file_of "timeout = 5\n[b]\ntenant = b.example\n[a]\ntenant = a.example",
        getenv = env() })
      os.remove(directory .. "/config")
      assert.same({ "a", "b" }, file.profiles)
      for _, name in ipairs(file.profiles) do
        local settings = assert(config.resolve { file = file, profile = name, getenv = env() })
        assert.same({ tenant = name .. ".example", timeout = 5 }, settings.values)
        assert.equal(directory .. "/config", settings.path)
      end
    end)

    it("who asks for what all profiles have that say nothing else", function()
      local options = { path = file_of "store = /all\n[default]\nstore = /own", getenv = env() }
      assert.equal("/all", assert(config.common(options,
        assert(config.read(options)))).values.store)
    end)

    it("not where it cannot be read", function()
      local file, err = config.read { path = directory .. "/absent", getenv = env() }
      assert.is_nil(file)
      assert.equal("config", err.kind)
    end)
  end)

  it("knows which settings are secret", function()
    local secret = {}
    for _, setting in ipairs(config.settings) do
      secret[#secret + 1] = setting.secret and setting.name
      assert.is_false(not not (setting.secret and setting.account), setting.name)
    end
    table.sort(secret)
    assert.same({ "client_secret", "key_passphrase", "refresh_token", "token" }, secret)
  end)

  it("knows what an account takes, and what a client", function()
    local taken = {}
    for _, of in ipairs { "account", "client" } do
      for _, name in ipairs(config.names(of)) do
        assert.is_nil(taken[name])
        taken[name] = of
      end
    end
    assert.equal("account", taken.tenant)
    assert.equal("account", taken.client_secret)
    assert.equal("client", taken.proxy)
    assert.is_nil(taken.store)
  end)

  it("knows the service of each cloud, and another one", function()
    assert.equal("https://api.partnercenter.microsoft.com", config.base_url {})
    assert.equal("https://partner.partnercenterapi.microsoftonline.cn",
      config.base_url { cloud = "china", resource = "https://r.example" })
    assert.equal("https://b.example", config.base_url { base_url = "https://b.example" })
  end)

  it("knows the resource of each cloud, and another one", function()
    assert.equal("https://api.partnercenter.microsoft.com", config.resource {})
    assert.equal("https://partner.partnercenterapi.microsoftonline.cn",
      config.resource { cloud = "china" })
    assert.equal("https://r.example", config.resource { resource = "https://r.example" })
  end)
end)
