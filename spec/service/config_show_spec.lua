--- `pcapi config show`.
local cjson = require("cjson").new()
local homes = require "spec.support.home"
local sandbox = require "spec.support.sandbox"

local home

before_each(function()
  home = homes.new()
end)

after_each(function()
  home:remove()
end)

describe("pcapi config show", function()
  it("shows the origin of each value: flag, environment, profile, sign-in, default", function()
    home:sign_in()
    home:write_config "ca_file = /nowhere.pem\n[default]\ntimeout = 60\n"
    local result = home:run({ "--cloud", "us_government", "config", "show", "--json" })
    assert.equal(0, result.status, result.err)
    local from = {}
    for _, row in ipairs(cjson.decode(result.out).settings) do
      from[row.setting] = row.from
    end
    assert.equal("flag --cloud", from.cloud)
    assert.equal("environment PCAPI_CA_FILE", from.ca_file)
    assert.equal("profile default in " .. home.path .. "/.config/pcapi/config:3", from.timeout)
    assert.equal("sign-in", from.tenant)
    assert.equal("default", from.oauth_version)
  end)

  it("shows the settings of the history", function()
    home:write_config "[history]\nremind = 3\n"
    local result = home:run({ "config", "show", "--json" }, { PCAPI_HISTORY = "/x/h.sqlite" })
    local rows = {}
    for _, row in ipairs(cjson.decode(result.out).settings) do
      rows[row.setting] = row
    end
    assert.same({ setting = "[history] path", value = "/x/h.sqlite",
                  from = "environment PCAPI_HISTORY" }, rows["[history] path"])
    assert.same({ 3, 90 }, { rows["[history] remind"].value,
                             rows["[history] keep_requests"].value })
    home:write_config "[history]\nremind = soon\n"
    result = home:run { "config", "show" }
    assert.same({ 1, "" }, { result.status, result.out })
    assert.truthy(result.err:find("[history] remind must be a whole number", 1, true), result.err)
  end)

  it("shows no secret", function()
    local result = home:run({ "config", "show" }, { PCAPI_CLIENT_SECRET = "SECRET" })
    assert.truthy(result.out:find("client_secret +%(not shown%)"), result.out)
    assert.is_nil(result.out:find("SECRET ", 1, true))
  end)

  it("shows no password of a proxy, nor does any other command", function()
    for _, proxy in ipairs {
      "me:SECRETpw@127.0.0.1:1", "HTTP://me:SECRETpw@127.0.0.1:1", "//me:SECRETpw@127.0.0.1:1",
      "http://me:SECRETp@w@127.0.0.1:1", "me:SECRETp/w@127.0.0.1:1",
      "http://me:SECRETp w@127.0.0.1:1", "ftp://me:SECRETpw@127.0.0.1:1",
      "http://me:SECRETpw@127.0.0.1:99999", "http://me:SECRETpw@",
    } do
      home:write_config("no_proxy = x.example\nproxy = " .. proxy .. "\n")
      local shown = home:run { "config", "show" }
      assert.truthy(shown.out:find("[hidden]@", 1, true), shown.out)
      assert.is_nil((shown.out .. shown.err):find("SECRET", 1, true), shown.out .. shown.err)
      for _, environment in ipairs {
        { PCAPI_TOKEN = sandbox.token() }, { PCAPI_TOKEN = sandbox.token(), no_proxy = "x.example",
          XDG_CONFIG_HOME = "/nowhere", https_proxy = proxy },
        { PCAPI_TOKEN = sandbox.token(), no_proxy = "x.example", XDG_CONFIG_HOME = "/nowhere",
          ALL_PROXY = proxy, https_proxy = false, HTTPS_PROXY = false },
      } do
        local said = home:run({ "--timeout", "3", "--trace", "doctor" }, environment)
        assert.not_equal(0, said.status)
        assert.is_nil((said.out .. said.err):find("SECRET", 1, true), said.out .. said.err)
      end
    end
  end)

  it("shows no password of the service's address", function()
    local result = home:run({ "config", "show" }, {
      PCAPI_LOGIN_URL = "https://me:SECRETpw@a.example", PCAPI_BASE_URL = "me:SECRETpw@b.example" })
    assert.is_nil(result.out:find("SECRET", 1, true), result.out)
    result = home:run({ "doctor" }, { PCAPI_BASE_URL = "https://me:SECRETpw@b.example",
                                 PCAPI_TOKEN = sandbox.token() })
    assert.is_nil((result.out .. result.err):find("SECRET", 1, true), result.out)
  end)

  it("names the wrong line of the file", function()
    home:write_config "# comment\ntennant = x\n"
    local result = home:run { "config", "show" }
    assert.equal(1, result.status)
    assert.truthy(result.err:find(home.path .. "/.config/pcapi/config:2: ", 1, true), result.err)
    assert.truthy(result.err:find('did you mean "tenant"', 1, true), result.err)
  end)
end)
