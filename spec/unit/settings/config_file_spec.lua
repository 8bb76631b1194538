local errors = require "pcapi.error"
local config_file = require "pcapi.settings.config_file"
local folder = require "spec.support.folder"
local support = require "spec.support.settings"

local env, error_of = support.env, support.error_of

describe("the configuration file", function()
  teardown(folder.remove)

  local directory

  setup(function()
    directory = folder.new()
  end)

  describe("is by default", function()
    it("in the configuration folder of XDG", function()
      assert.equal("/x/pcapi/config", config_file.path(env { XDG_CONFIG_HOME = "/x", HOME = "/h" }))
    end)

    it("in ~/.config when XDG_CONFIG_HOME is unset, empty or relative", function()
      assert.equal("/h/.config/pcapi/config", config_file.path(env { HOME = "/h" }))
      for _, place in ipairs { "", "x" } do
        assert.equal("/h/.config/pcapi/config",
          config_file.path(env { XDG_CONFIG_HOME = place, HOME = "/h" }))
      end
    end)

    it("nowhere without a home directory", function()
      for _, home in ipairs { "none", "", "h" } do
        assert.is_nil(config_file.path(env { HOME = home ~= "none" and home or nil }))
      end
    end)
  end)

  describe("may hold", function()
    it("profiles, settings for all profiles, comments and blank lines", function()
      local parsed = assert(config_file.parse(table.concat({
        "# for all", "ca_file = /etc/ca.pem", "", "[default]", "  tenant=a.example  ",
        "; another way to comment", "\tclient_id\t=\tid 1", "[ second ]", "tenant = b.example",
      }, "\n")))
      assert.same({ ca_file = { value = "/etc/ca.pem", line = 2 } }, parsed:settings "")
      assert.same({ tenant = { value = "a.example", line = 5 },
                    client_id = { value = "id 1", line = 7 } }, parsed:settings "default")
      assert.same({ tenant = { value = "b.example", line = 9 } }, parsed:settings "second")
      assert.same({ "default", "second" }, parsed.profiles)
    end)

    it("line ends of Windows, and a last line without one", function()
      local settings = assert(config_file.parse "[a]\r\ntenant = x\r\nscope = y"):settings "a"
      assert.equal("x", settings.tenant.value)
      assert.equal("y", settings.scope.value)
      assert.equal(3, settings.scope.line)
    end)

    it("values with = and # in them, with quotes and without", function()
      local settings = assert(config_file.parse
        'token_url = https://x.example/?a=b#c\nscope = " a b "\nproxy = ""'):settings ""
      assert.equal("https://x.example/?a=b#c", settings.token_url.value)
      assert.equal(" a b ", settings.scope.value)
      assert.equal("", settings.proxy.value)
    end)

    it("a comment behind a value or a section", function()
      local settings = assert(config_file.parse
        '[a] # the first\ntenant = x  # here\nscope = "a # b" ; there\nproxy = "c"# d"')
        :settings "a"
      assert.equal("x", settings.tenant.value)
      assert.equal("a # b", settings.scope.value)
      assert.equal('c"# d', settings.proxy.value)
    end)

    it("a byte order mark", function()
      local settings = assert(config_file.parse "\239\187\191[a]\ntenant = x"):settings "a"
      assert.equal("x", settings.tenant.value)
    end)

    it("a profile in two places", function()
      local settings = assert(config_file.parse "[a]\ntenant = x\n[b]\n[a]\nscope = y"):settings "a"
      assert.equal("x", settings.tenant.value)
      assert.equal("y", settings.scope.value)
    end)

    it("nothing", function()
      assert.same({}, assert(config_file.parse ""):settings "")
    end)
  end)

  describe("is refused, by line and with the cure, for", function()
    for name, case in pairs {
      ["an unknown setting"] = { "[a]\ntenent = x", ":2: ", 'did you mean "tenant"?' },
      ["a setting that resembles none"] = { "zzzzzzzzzzzz = x", ":1: ", "there are: " },
      ["a quote that is not closed"] = { '[a]\ntenant = "x', ":2: ",
        "the closing quote of tenant is missing" },
      ["a lone quote"] = { '[a]\ntenant = "', ":2: ", "the closing quote of tenant is missing" },
      ["text behind a closing quote"] = { 'tenant = "x" y # z', ":1: ",
        "text follows the closing quote of tenant" },
      ["a line without ="] = { "\n\ntenant", ":3: ", "neither [section] nor name = value" },
      ["a missing bracket"] = { "[a", ":1: ", "neither [section] nor name = value" },
      ["a section without a name"] = { "[ ]", ":1: ", "a section needs a name" },
      ["a profile whose name a shell would take apart"] = { "[a;b]", ":1: ", "may hold letters" },
      ["a setting that is set twice"] = { "tenant = a\n\ntenant = b", ":3: ",
        "tenant is already set in line 1" },
      ["a setting that is set twice in two places"] = { "[a]\nscope = a\n[b]\n[a]\nscope = b",
        ":5: ", "scope is already set in line 2" },
      ["a client secret"] = { "client_secret = SECRET", ":1: ", "set client_secret_file" },
      ["a passphrase"] = { "[a]\nkey_passphrase = SECRET", ":2: ", "set key_passphrase_file" },
      ["a refresh token"] = { "refresh_token = SECRET", ":1: ", "set PCAPI_REFRESH_TOKEN" },
      ["a token"] = { "token = SECRET", ":1: ", "set PCAPI_TOKEN" },
      ["UTF-16"] = { "\255\254t\0e\0n\0a\0n\0t\0", ":1: ", "the file is UTF-16" },
    } do
      it(name, function()
        local message = error_of(case[1]).message
        assert.matches("/config" .. case[2], message, 1, true)
        assert.matches(case[3], message, 1, true)
      end)
    end
  end)

  describe("is read", function()
    it("from the default path, where it may be absent", function()
      local read = assert(config_file.read { getenv = env { HOME = directory .. "/none" } })
      assert.same({ directory .. "/none/.config/pcapi/config", {}, {} },
        { read.path, read.profiles, read:settings "" })
    end)

    it("from nowhere without a home directory", function()
      local read = assert(config_file.read { getenv = env() })
      assert.is_nil(read.path)
      assert.same({}, read.profiles)
    end)

    it("as absent when a folder of the default path is a file", function()
      folder.write(directory .. "/file", "x")
      assert.is_table(config_file.read { getenv = env { HOME = directory .. "/file" } })
    end)

    it("with an error when the default file exists and is unreadable", function()
      for _, make in ipairs { "ln -s config '%s/.config/pcapi/config'",
                              "mkdir '%s/.config/pcapi/config'" } do
        local home = folder.new()
        os.execute(("mkdir -p '%s/.config/pcapi' && "):format(home) .. make:format(home))
        assert.matches(home .. "/.config/pcapi/config",
          error_of(nil, { env = { HOME = home } }).message, 1, true)
      end
    end)

    it("with an error when a file that is named is absent", function()
      local absent = directory .. "/absent"
      for _, options in ipairs { { path = absent, getenv = env() },
                                 { getenv = env { PCAPI_CONFIG = absent } } } do
        local read, err = config_file.read(options)
        assert.is_nil(read)
        assert.is_true(errors.is(err))
        assert.equal("config", err.kind)
        assert.matches("cannot read the configuration file: " .. absent, err.message, 1, true)
      end
    end)

    it("from the path of the caller before PCAPI_CONFIG", function()
      local one = folder.write(directory .. "/one", "[one]")
      local two = folder.write(directory .. "/two", "[two]")
      local getenv = env { PCAPI_CONFIG = one }
      assert.same({ "one" }, assert(config_file.read { getenv = getenv }).profiles)
      assert.same({ "two" }, assert(config_file.read { path = two, getenv = getenv })
        .profiles)
    end)

    it("from PCAPI_CONFIG without a line end or a byte order mark", function()
      local path = folder.write(directory .. "/one", "[one]")
      for _, around in ipairs { path .. "\n", path .. "\r\n", "\239\187\191" .. path } do
        assert.same({ "one" }, assert(config_file.read { getenv = env { PCAPI_CONFIG = around } })
          .profiles)
      end
      local _, err = config_file.read { getenv = env { PCAPI_CONFIG = path .. "\nb" } }
      assert.matches("PCAPI_CONFIG holds a line break", err.message, 1, true)
    end)

    it("from the default path when PCAPI_CONFIG is empty", function()
      local read = assert(config_file.read { getenv = env { PCAPI_CONFIG = "", HOME = "/none" } })
      assert.equal("/none/.config/pcapi/config", read.path)
    end)
  end)

  it("gives the settings of a profile, and none for a profile that it lacks", function()
    local path = folder.write(directory .. "/config", "timeout = 5\n[b]\n[a]\nscope = x")
    local read = assert(config_file.read { path = path, getenv = env() })
    assert.same({ "a", "b" }, read.profiles)
    assert.same({ timeout = { value = "5", line = 1 } }, read:settings "")
    assert.same({ scope = { value = "x", line = 4 } }, read:settings "a")
    assert.same({}, read:settings "c")
  end)
end)
