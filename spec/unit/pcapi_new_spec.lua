--- `pcapi.new()` without an argument: the environment and the profile of the command.
local environment = require "spec.support.environment"
local folder = require "spec.support.folder"
local holds = require "spec.support.holds"
local pcapi = require "pcapi"
local raises = require "spec.support.raises"
local sign_in = require "spec.support.sign_in"

local in_nginx = rawget(_G, "ngx") ~= nil

describe("pcapi.new without a token", function()
  for name, call in pairs {
    ["an empty table"] = function() pcapi.new {} end,
    ["a table whose token is nil"] = function() pcapi.new { token = nil, timeout = 5 } end,
    ["nil"] = function() pcapi.new(nil) end,
  } do
    it("raises at the caller's line for " .. name, function()
      environment.set { PCAPI_TOKEN = "SECRETtoken" }
      finally(environment.restore)
      raises(call, 'pcapi.new: option "token" is missing or empty; check the variable that it '
        .. 'comes from, or give "auth" or "profile"')
    end)
  end
end)

describe("pcapi.new()", function()
  it("raises within nginx, whose workers run as another user", function()
    local ngx = rawget(_G, "ngx")
    rawset(_G, "ngx", ngx or {})
    finally(function()
      rawset(_G, "ngx", ngx)
    end)
    raises(function() pcapi.new() end, 'pcapi.new needs options within nginx: give "token", "auth" '
      .. 'or "profile"')
  end)
end)

if in_nginx then
  it("pcapi.nginx.new() raises as well", function()
    local nginx = require "pcapi.nginx"
    raises(function() nginx.new() end, 'pcapi.new: option "token" is missing or empty')
  end)
  return
end

describe("pcapi.new()", function()
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

  it("takes PCAPI_TOKEN, and the settings of the environment", function()
    set { PCAPI_TOKEN = " SECRETtoken\n", PCAPI_BASE_URL = "https://b.example",
          PCAPI_CLIENT_SECRET = "SECRETclient" }
    local client = assert(pcapi.new())
    assert.equal("pcapi.client (https://b.example)", tostring(client))
    assert.is_false(holds(client, "SECRET"))
  end)

  it("takes the settings of the profile that PCAPI_PROFILE names", function()
    set({ PCAPI_PROFILE = "work", PCAPI_TOKEN = "SECRETtoken" },
      "[work]\nbase_url = https://work.example\n")
    assert.equal("pcapi.client (https://work.example)", tostring(assert(pcapi.new())))
  end)

  it("takes PCAPI_REFRESH_TOKEN with tenant and application", function()
    set { PCAPI_REFRESH_TOKEN = "SECRETrefresh" }
    local client, err = pcapi.new()
    assert.is_nil(client)
    assert.same({ "config", "PCAPI_REFRESH_TOKEN needs PCAPI_TENANT and PCAPI_CLIENT_ID" },
      { err.kind, err.message })
    set { PCAPI_REFRESH_TOKEN = "SECRETrefresh", PCAPI_TENANT = "t.example",
          PCAPI_CLIENT_ID = "me" }
    assert(pcapi.new())
  end)

  it("returns an error that says what to run if nobody is signed in", function()
    set {}
    local client, err = pcapi.new()
    assert.is_nil(client)
    assert.same({ "sign_in_required", "not signed in as profile default",
                  "Run: pcapi login --tenant TENANT --client-id ID, or set PCAPI_TOKEN" },
      { err.kind, err.message, err.hint })
  end)

  it("returns an error for a PCAPI_TOKEN that cannot be sent, without showing it", function()
    for value, expected in pairs {
      ["SECRET token"] = "the token in PCAPI_TOKEN holds characters that no access token has",
      ["Bearer SECRET"] = 'the token in PCAPI_TOKEN begins with "Bearer"; omit this prefix',
      ["SECRET\ntoken"] = "the token in PCAPI_TOKEN holds a line break",
    } do
      set { PCAPI_TOKEN = value }
      local client, err = pcapi.new()
      assert.is_nil(client)
      assert.equal("unauthorized", err.kind)
      assert.matches(expected, err.message, 1, true)
      assert.is_false(holds(err, "SECRET"))
    end
  end)

  it("returns an error for a configuration that cannot be used", function()
    set({ PCAPI_TOKEN = "SECRETtoken" }, "base_url = http://x\n")
    local client, err = pcapi.new()
    assert.is_nil(client)
    assert.equal("config", err.kind)
    assert.matches("base_url", err.message, 1, true)
  end)
end)
