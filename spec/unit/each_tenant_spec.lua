local core = require "pcapi.core"
local fake = require "spec.support.fake_transport"
local folder = require "spec.support.folder"
local pcapi = require "pcapi"
local raises = require "spec.support.raises"

describe("pcapi.each_tenant", function()
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

  it("calls a function with each client and name, and returns its values with the names", function()
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

  it("returns the error of one tenant, and the values of the others", function()
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
    assert.matches("each_tenant_spec.lua:%d+: mine", results[3].err)
    assert.equal(2, results.failed)
  end)

  it("opens each profile by its name, and returns which is not signed in", function()
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

  it("opens a client when its task begins, and returns the error if that fails", function()
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

  it("takes the options of pcapi.concurrent", function()
    local shown = {}
    local results = pcapi.each_tenant(tenants_of("a", "b", "c"), function(_, name)
      return nil, name
    end, { limit = 1, rate = 1000, stop_on_error = true,
           progress = function(done, total) shown[#shown + 1] = done .. "/" .. total end })
    assert.equal("a", results[1].err)
    assert.equal("stopped", results[3].err.kind)
    assert.equal("stopped", results.stopped)
    assert.equal("c", results[3].name)
    assert.same({ "1/3", "2/3", "3/3" }, shown)
  end)

  it("returns nothing for no tenants, and leaves no connection open", function()
    local before = core.live()
    assert.same({ failed = 0 }, pcapi.each_tenant({}, ask))
    assert.equal(before, core.live())
  end)

  describe("raises at the caller's line for", function()
    local one = { name = "a", client = fake.client {} }

    for name, case in pairs {
      ["no tenants"] = { nil, print, nil, "takes an array of tenants and a function" },
      ["one tenant in place of an array"] = { "a", print, nil, "takes an array of tenants" },
      ["no function"] = { { one }, nil, nil, "takes an array of tenants and a function" },
      ["a number as a tenant"] = { { one, 5 }, print, nil,
        "tenant 2 must be the name of a profile, or a table with a name and a client" },
      ["a hole among tenants"] = { { one, nil, one }, print, nil, "tenant 2 must be the name" },
      ["a tenant under a name"] = { { one, b = one }, print, nil,
        'the tenants must be an array, without the key "b"' },
      ["an empty name"] = { { "" }, print, nil, "tenant 1 must be the name" },
      ["a tenant without a name"] = { { { client = one.client } }, print, nil,
        "tenant 1 must be the name" },
      ["a tenant without a client"] = { { one, { name = "b" } }, print, nil,
        "tenant 2 (b) must have a client, made by pcapi.new" },
      ["a client without methods"] = { { { name = "b", client = {} } }, print, nil,
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
