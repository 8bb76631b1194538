--- `pcapi doctor`, against the sandbox.
local cjson = require("cjson").new()
local clock = require "spec.support.clock"
local files = require "spec.support.files"
local homes = require "spec.support.home"
local sandbox = require "spec.support.sandbox"

local home

before_each(function()
  home = homes.new()
end)

after_each(function()
  home:remove()
end)

local login_url = homes.login_url

describe("pcapi doctor", function()
  local STEPS = { "configuration", "sign-in", "sign-in name", "sign-in connection", "sign-in TLS",
                  "clock", "token endpoint", "token claims", "service name", "service connection",
                  "service TLS", "call" }

  local function statuses(result)
    local all, steps = {}, {}
    for _, row in ipairs(cjson.decode(result.out).steps) do
      steps[#steps + 1] = row.step
      all[#all + 1] = row.status
    end
    return all, steps
  end

  it("tests each step in order", function()
    home:sign_in()
    local result = home:run { "doctor", "--json" }
    assert.equal(0, result.status, result.err .. result.out)
    local all, steps = statuses(result)
    assert.same(STEPS, steps)
    for _, status in ipairs(all) do
      assert.equal("ok", status)
    end
    assert.equal(12, select(2, home:run({ "doctor" }).out:gsub("ok  ", "")))
  end)

  it("finds the first failed step, and tests nothing that depends on it", function()
    local result = home:run { "doctor" }
    assert.equal(4, result.status)
    assert.truthy(result.out:find("failed      configuration", 1, true), result.out)
    assert.truthy(result.out:find("pcapi login --tenant", 1, true))
    local all, steps = statuses(home:run { "doctor", "--json" })
    assert.same(STEPS, steps)
    assert.equal("not tested", all[2])
    assert.equal("not tested", all[12])
  end)

  it("distinguishes name lookup, connection and TLS", function()
    home:sign_in()
    for url, expected in pairs {
      ["https://nowhere.invalid"] = "failed +service name: nowhere%.invalid:443, ",
      [sandbox.env "PCAPI_SANDBOX_CLOSED_URL"] = "failed +service connection: localhost:",
      [sandbox.env "PCAPI_SANDBOX_UNTRUSTED_URL"] = "failed +service TLS: localhost:",
    } do
      local result = home:run({ "doctor" }, { PCAPI_BASE_URL = url })
      assert.equal(6, result.status, result.out)
      assert.truthy(result.out:find(expected), result.out)
      assert.truthy(result.out:find("not tested  call", 1, true))
    end
  end)

  -- The row of a step.
  local function row_of(result, step)
    for _, row in ipairs(cjson.decode(result.out).steps) do
      if row.step == step then
        return row
      end
    end
  end

  it("distinguishes the causes of a TLS failure, each with its next step", function()
    for name, expected in pairs {
      UNTRUSTED = { "not trusted here: pcapi sandbox stranger",
                    "which --ca-file (PCAPI_CA_FILE) names" },
      OTHER_HOST = { "is for other.example, not for localhost", "Check the address" },
      EXPIRED = { "the clock of this machine says " .. os.date "!%Y-%m-%d", "Set the clock" },
      TLS11 = { "does not speak TLS 1.2", "must offer TLS 1.2" },
    } do
      local result = home:run({ "doctor", "--json" }, { PCAPI_TOKEN = sandbox.token(),
        PCAPI_BASE_URL = sandbox.env("PCAPI_SANDBOX_" .. name .. "_URL") })
      assert.equal(6, result.status, result.out)
      local row = row_of(result, "service TLS")
      assert.equal("failed", row.status)
      assert.matches(expected[1], row.detail, 1, true)
      assert.matches(expected[2], row.next_step, 1, true)
    end
  end)

  it("warns of a file that TLS keys are written to", function()
    local keys = home.path .. "/keys"
    local environment = { PCAPI_TOKEN = sandbox.token(), SSLKEYLOGFILE = keys }
    local result = home:run({ "doctor" }, environment)
    assert.equal(0, result.status, result.out)
    assert.truthy(result.err:find("SSLKEYLOGFILE is set", 1, true), result.err)
    assert.truthy(result.err:find(keys, 1, true), result.err)
    assert.is_true(#files.slurp(keys) > 0) -- libcurl does write there
    environment.SSLKEYLOGFILE = ""
    assert.equal("", home:run({ "doctor" }, environment).err)
  end)

  for skew, said in pairs { ["600"] = "behind", ["-600"] = "ahead" } do
    it("finds a clock that is " .. said, function()
      home:sign_in()
      local result = home:run({ "doctor" }, { PCAPI_LOGIN_URL = login_url("skew=" .. skew) })
      assert.equal(1, result.status)
      assert.truthy(result.out:find("failed +clock: .* %d+ s " .. said), result.out)
      assert.truthy(result.out:find("ok +call"), result.out)
    end)
  end

  describe("checks the clock", function()
    local function clock_row(environment)
      return row_of(home:run({ "doctor", "--json" }, environment), "clock")
    end

    local SIGNED_IN = { PCAPI_REFRESH_TOKEN = "r", PCAPI_TENANT = "t.example",
                        PCAPI_CLIENT_ID = homes.CLIENT }

    local function with_sign_in_at(name)
      return sandbox.merged(SIGNED_IN, { PCAPI_LOGIN_URL =
        sandbox.env("PCAPI_SANDBOX_" .. name .. "_URL") .. "/login/-" })
    end

    it("by the service if there is no sign-in, or if TLS of the sign-in service fails", function()
      for _, environment in ipairs { {}, { PCAPI_TOKEN = sandbox.token() },
                                     with_sign_in_at "EXPIRED", with_sign_in_at "CLOSED" } do
        local row = clock_row(environment)
        assert.equal("ok", row.status)
        assert.matches("^differs by %d s$", row.detail) -- Date has whole seconds
      end
    end)

    it("by the certificate if TLS fails everywhere", function()
      local expired = sandbox.env "PCAPI_SANDBOX_EXPIRED_URL"
      local row = clock_row(sandbox.merged(with_sign_in_at "EXPIRED",
        { PCAPI_BASE_URL = expired }))
      assert.equal("not tested", row.status) -- the clock may be right
      assert.matches("certificate of localhost:%d+ was valid until %d%d%d%d%-", row.detail)
      assert.matches("^Set the clock if it is wrong", row.next_step)
      row = clock_row { PCAPI_TOKEN = sandbox.token(),
                        PCAPI_BASE_URL = sandbox.env "PCAPI_SANDBOX_UNTRUSTED_URL" }
      assert.equal("not tested", row.status)
      assert.matches("fits the certificate; but that was not verified", row.detail, 1, true)
    end)

    for time, expected in pairs {
      ["2019-01-01 10:00:00"] =
        "^this machine's clock says 2019%-01%-01T10:00:0%dZ, before pcapi was made$",
      [os.date("!%Y-%m-%d %H:%M:%S", os.time() - 5 * 86400)] =
        "^this machine's clock says %S+Z, and the certificate of localhost:%d+ is valid from %S+Z$",
    } do
      it("of a machine that is behind, at " .. (time:find "2019" and "2019" or "last week"),
        function()
          for _, more in ipairs { { PCAPI_TOKEN = sandbox.token() }, SIGNED_IN } do
            local result = home:run({ "doctor", "--json" }, sandbox.merged(clock.at(time), more))
            assert.is_true(result.status ~= 0)
            local row = row_of(result, "clock")
            assert.equal("failed", row.status, result.out)
            assert.matches(expected, row.detail)
            assert.equal("Set the clock, for example by NTP", row.next_step)
          end
        end)
    end

    it("not at all if no server responds", function()
      local closed = sandbox.env "PCAPI_SANDBOX_CLOSED_URL"
      local row = clock_row { PCAPI_TOKEN = sandbox.token(), PCAPI_BASE_URL = closed }
      assert.equal("not tested", row.status)
      assert.is_nil(row.detail)
    end)
  end)

  for settings, expected in pairs {
    ["aadsts=700082"] = { "failed +token endpoint", "Sign in again: pcapi login" },
    ["amr=pwd"] = { "failed +token claims", "Sign in again with MFA: pcapi login" },
    ["app_only=1"] = { "failed +token claims", "Sign in as a user" },
    ["scenario=status%3D403"] = { "failed +call", "role" },
    ["scenario=compliant%3Dfalse"] = { "failed +call", "Sign in again with MFA: pcapi login" },
    ["body=html"] = { "failed +token endpoint", "proxy" },
  } do
    it("finds the failed step with " .. settings, function()
      home:sign_in()
      local result = home:run({ "doctor" }, { PCAPI_LOGIN_URL = login_url(settings) })
      assert.is_true(result.status ~= 0)
      assert.truthy(result.out:find(expected[1]), result.out)
      assert.truthy(result.out:find(expected[2], 1, true), result.out)
    end)
  end

  it("tests a given token", function()
    local result = home:run({ "doctor" }, { PCAPI_TOKEN = sandbox.token { amr = { "pwd" } } })
    assert.equal(4, result.status)
    assert.truthy(result.out:find "failed +token claims", result.out)
  end)
end)
