local config_file = require "pcapi.settings.config_file"
local folder = require "spec.support.folder"
local resolver = require "pcapi.settings.resolve"
local schema = require "pcapi.settings.schema"
local support = require "spec.support.settings"

local env, resolve, error_of = support.env, support.resolve, support.error_of

-- A value that a setting accepts as text, and the number that it becomes.
local function value_for(setting)
  local number = setting.name:find "^max_" and 7
  return number and "7" or setting.name == "cloud" and "china" or "x", number
end

describe("the profile", function()
  teardown(folder.remove)

  local TEXT = "tenant = all\n[default]\nscope = d\n[a]\nscope = a\n[b]\nscope = b"

  it("is default when nothing names one", function()
    local settings = assert(resolve(TEXT))
    assert.equal("default", settings.profile)
    assert.equal("default", settings.profile_origin)
    assert.equal("d", settings.values.scope)
  end)

  it("is that of PCAPI_PROFILE without surrounding blanks and marks", function()
    for _, around in ipairs { "a\n", "a\r\n", " a ", "\239\187\191a", "a\194\160" } do
      local settings = assert(resolve(TEXT, { env = { PCAPI_PROFILE = around } }))
      assert.equal("a", settings.profile, around)
    end
    assert.equal("default", assert(resolve(TEXT, { env = { PCAPI_PROFILE = " \n" } })).profile)
    assert.matches("PCAPI_PROFILE holds a line break",
      error_of(nil, { env = { PCAPI_PROFILE = "a\nb" } }).message, 1, true)
  end)

  it("is that of the flag before that of PCAPI_PROFILE", function()
    local settings = assert(resolve(TEXT, { env = { PCAPI_PROFILE = "a" } }))
    assert.equal("a", settings.values.scope)
    assert.equal("environment PCAPI_PROFILE", settings.profile_origin)
    settings = assert(resolve(TEXT, { env = { PCAPI_PROFILE = "a" }, profile = "b" }))
    assert.equal("b", settings.values.scope)
    assert.equal("flag --profile", settings.profile_origin)
    settings = assert(resolve(TEXT, { env = { PCAPI_PROFILE = "" } }))
    assert.equal("default", settings.profile)
  end)

  it("is refused when its name is harmful, and the message says where the name is from", function()
    for _, name in ipairs { "a b", "a;b", "../a", "a\27", "\195\188" } do
      local message = error_of(nil, { profile = name }).message
      assert.matches("the name of a profile may hold letters, digits", message, 1, true)
      assert.matches("(flag --profile)", message, 1, true)
      assert.matches("PCAPI_PROFILE",
        error_of(nil, { env = { PCAPI_PROFILE = name } }).message, 1, true)
    end
    assert.matches("(environment PCAPI_PROFILE)",
      error_of(nil, { env = { PCAPI_PROFILE = "a b" } }).message, 1, true)
  end)

  it("takes no token from the environment when it is named", function()
    local variables = { PCAPI_TOKEN = "t", PCAPI_REFRESH_TOKEN = "r", PCAPI_CLOUD = "china" }
    local settings = assert(resolve(nil, { profile = "a", env = variables }))
    assert.same({ cloud = "china" }, settings.values)
    assert.is_nil(settings:value "token")
    variables.PCAPI_PROFILE = "a"
    settings = assert(resolve(nil, { env = variables }))
    assert.equal("t", settings:value "token")
  end)

  it("has the settings of all profiles when the file lacks it", function()
    local settings = assert(resolve(TEXT, { profile = "c" }))
    assert.equal("all", settings.values.tenant)
    assert.is_nil(settings.values.scope)
  end)

  it("has the sorted names of all profiles in the file", function()
    assert.same({ "a", "b", "default" }, assert(resolve(TEXT)).profiles)
  end)
end)

describe("pcapi.settings.resolve", function()
  teardown(folder.remove)

  it("prefers flag to environment to profile to all profiles to sign-in to default", function()
    local steps = {
      { "flag", "^flag %-%-cloud$" },
      { "env", "^environment PCAPI_CLOUD$" },
      { "profile", "^profile default in /.*/config:3$" },
      { "all", "^all profiles in /.*/config:1$" },
      { "stored", "^sign%-in$" },
      { "default", "^default$" },
    }
    local on = { flag = "china", env = "us_government", profile = "china", all = "us_government",
                 stored = "china", default = "global" }
    for _, step in ipairs(steps) do
      local settings = assert(resolve(
        ("%s\n[default]\n%s"):format(on.all and "cloud = " .. on.all or "",
          on.profile and "cloud = " .. on.profile or ""),
        { flags = { cloud = on.flag }, env = { PCAPI_CLOUD = on.env } }))
      assert(settings:add_stored { cloud = on.stored })
      assert(settings:add_defaults())
      assert.equal(on[step[1]], settings.values.cloud)
      assert.matches(step[2], settings.origins.cloud)
      on[step[1]] = nil
    end
  end)

  it("takes one file for every profile", function()
    local path = folder.write(folder.new() .. "/config",
      "timeout = 5\n[b]\ntenant = b.example\n[a]\ntenant = a.example")
    local read = assert(config_file.read { path = path, getenv = env() })
    os.remove(path)
    for _, name in ipairs(read.profiles) do
      local settings = assert(resolver.resolve { file = read, profile = name, getenv = env() })
      assert.same({ tenant = name .. ".example", timeout = 5 }, settings.values)
      assert.equal(path, settings.path)
    end
  end)

  it("finds what a profile has that sets nothing itself", function()
    local path = folder.write(folder.new() .. "/config", "store = /all\n[default]\nstore = /own")
    local read = assert(config_file.read { getenv = env(), path = path })
    assert.equal("/all", assert(resolver.common({ getenv = env() }, read)).values.store)
  end)

  it("gives the error of an unreadable file", function()
    local settings, err = resolver.resolve { path = "/absent/config", getenv = env() }
    assert.is_nil(settings)
    assert.matches("/absent/config", err.message, 1, true)
  end)

  it("reads every variable", function()
    for _, setting in ipairs(schema.settings) do
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

  it("ignores an empty variable", function()
    local settings = assert(resolve("tenant = a", { env = { PCAPI_TENANT = "" } }))
    assert.equal("a", settings.values.tenant)
  end)

  it("names a flag as it is written", function()
    local settings = assert(resolve(nil, { flags = { client_id = "x", timeout = 5 } }))
    assert.equal("flag --client-id", settings.origins.client_id)
    assert.equal(5, settings.values.timeout)
  end)

  it("ignores an empty value, except for a proxy and a prefix", function()
    local values = assert(resolve "tenant =\nstore =\nproxy =\nprefix = ").values
    assert.same({ proxy = "", prefix = "" }, values)
  end)

  it("starts a relative path of the file at the folder of the file", function()
    local settings = assert(resolve "certificate = c.pem")
    assert.equal(settings.path:match "^(.*/)" .. "c.pem", settings.values.certificate)
    assert.equal("c.pem", assert(resolve(nil, { flags = { certificate = "c.pem" } }))
      .values.certificate)
  end)

  it("replaces ~/ in a path by the home directory, as a shell does", function()
    local settings = assert(resolve("certificate = ~/c.pem\nstore = ~/s\nscope = ~/x",
      { env = { HOME = "/h", PCAPI_CA_FILE = "~/f" } }))
    assert.equal("/h/c.pem", settings.values.certificate)
    assert.equal("/h/s", settings.values.store)
    assert.equal("/h/f", settings.values.ca_file)
    assert.equal("~/x", settings.values.scope)
    assert.equal("~/c.pem", assert(resolve "certificate = ~/c.pem").values.certificate)
  end)

  it("converts seconds, records and bytes to numbers", function()
    assert.equal(7.5, assert(resolve "timeout = 7.5").values.timeout)
    local settings = assert(resolve("max_records = 500000\nmax_body = 5", {
      env = { PCAPI_MAX_BODY = "200000000" },
    }))
    assert.equal(500000, settings.values.max_records)
    assert.equal(200000000, settings.values.max_body)
    assert.equal(7, assert(resolve(nil, { env = { PCAPI_MAX_RECORDS = "7" } })).values.max_records)
  end)

  it("refuses a value that is impossible, and names the line", function()
    for line, message in pairs {
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
      local err = error_of("\n" .. line)
      assert.matches(message, err.message, 1, true)
      assert.matches("/config:2)", err.message, 1, true)
    end
  end)

  it("refuses a value that is impossible, and names the variable", function()
    assert.matches("(environment PCAPI_CLOUD)",
      error_of(nil, { env = { PCAPI_CLOUD = "mars" } }).message, 1, true)
  end)

  it("adds the defaults, for showing them", function()
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

  it("knows the address and the resource of each cloud, and those that are set", function()
    local GLOBAL = "https://api.partnercenter.microsoft.com"
    local CHINA = "https://partner.partnercenterapi.microsoftonline.cn"
    for text, expected in pairs {
      [""] = { GLOBAL, GLOBAL }, ["cloud = china"] = { CHINA, CHINA },
      ["base_url = https://b.example"] = { "https://b.example", GLOBAL },
      ["cloud = china\nresource = https://r.example"] = { CHINA, "https://r.example" },
    } do
      local settings = assert(resolve(text))
      assert.same(expected, { settings:base_url(), settings:resource() })
    end
  end)
end)

describe("the value of a variable or a flag", function()
  teardown(folder.remove)

  local AROUND = { "VALUE\r\n", "VALUE\n", "\239\187\191VALUE", "\239\187\191VALUE\r\n" }

  it("loses a line end and a byte order mark", function()
    for _, setting in ipairs(schema.settings) do
      for _, text in ipairs(AROUND) do
        local value, number = value_for(setting)
        text = text:gsub("VALUE", value)
        if setting.env then
          assert.equal(number or value, assert(resolve(nil, { env = { [setting.env] = text } }))
            :value(setting.name))
        end
        if not setting.convert then
          assert.equal(value, assert(resolve(nil, { flags = { [setting.name] = text } }))
            :value(setting.name))
        end
      end
    end
  end)

  it("loses surrounding blanks, except in a passphrase and a path", function()
    local settings = assert(resolve(nil, { env = { PCAPI_TENANT = " a ", PCAPI_CLIENT_ID = "b\t",
      PCAPI_CLIENT_SECRET = " c", PCAPI_REFRESH_TOKEN = "d ", PCAPI_CERTIFICATE = nil,
      PCAPI_CA_FILE = "/with blank " } }))
    assert.same({ tenant = "a", client_id = "b", ca_file = "/with blank " }, settings.values)
    assert.equal("c", settings:value "client_secret")
    assert.equal("d", settings:value "refresh_token")
    assert.equal(" e ", assert(resolve(nil, { env = { PCAPI_KEY_PASSPHRASE = " e " } }))
      :value "key_passphrase")
  end)

  it("is ignored when it is only a line end", function()
    assert.equal("a", assert(resolve("tenant = a", { env = { PCAPI_TENANT = "\r\n" } }))
      .values.tenant)
  end)

  it("is refused by its variable's name, and not repeated, when a line break is in it", function()
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

  it("is unchanged when it is a PEM text", function()
    local pem = "-----BEGIN CERTIFICATE-----\nx\n"
    assert.equal(pem, assert(resolve(nil, { env = { PCAPI_CERTIFICATE = pem } }))
      .values.certificate)
  end)
end)
