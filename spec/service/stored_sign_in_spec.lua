--- A sign-in that `pcapi login` has stored: `pcapi status`, later commands and scripts.
local cjson = require("cjson").new()
local curl = require "spec.support.curl"
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

describe("pcapi status", function()
  it("shows the user, the tenant, the expiry and MFA", function()
    home:sign_in()
    local result = home:run { "status" }
    assert.equal(0, result.status, result.err)
    for _, text in ipairs { "admin@fabrikam.example", "MFA +yes", "token until +%d%d%d%d%-" } do
      assert.truthy(result.out:find(text), result.out)
    end
  end)

  it("shows the same as JSON", function()
    home:sign_in "amr=pwd"
    local facts = cjson.decode(home:run({ "status", "--json" }).out).profiles[1]
    assert.same({ true, "no", "admin@fabrikam.example", homes.CLIENT, "default" },
      { facts.signed_in, facts.mfa, facts.user, facts.client_id, facts.profile })
    assert.truthy(facts.expires_at:find "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$")
  end)

  it("shows MFA as unknown for a token that cannot be read", function()
    local result = home:run({ "status", "--json" }, { PCAPI_TOKEN = "opaque" })
    assert.equal(0, result.status, result.err)
    assert.equal("unknown", cjson.decode(result.out).profiles[1].mfa)
  end)

  it("ends with status 4 and the next command if nobody is signed in", function()
    local result = home:run { "status", "--json" }
    assert.equal(4, result.status)
    assert.is_false(cjson.decode(result.out).profiles[1].signed_in)
    assert.truthy(result.err:find("pcapi login", 1, true))
  end)

  it("sends no request", function()
    home:sign_in()
    local result = home:run({ "status" }, { PCAPI_CA_FILE = "/nowhere.pem",
                                       PCAPI_BASE_URL = "https://localhost:1" })
    assert.equal(0, result.status, result.err)
  end)
end)

describe("a stored sign-in", function()
  it("serves no other tenant", function()
    home:sign_in()
    for _, command in ipairs { "non-mfa", "status" } do
      local result = home:run { "--tenant", "other.example", "--client-id", homes.CLIENT, command }
      assert.equal(4, result.status, result.out)
      assert.truthy(result.err:find("belongs to tenant " .. home.tenant, 1, true), result.err)
    end
  end)

  it("is sent to no other sign-in service", function()
    home:sign_in()
    local result = home:run({ "non-mfa" }, { PCAPI_LOGIN_URL = "https://elsewhere.example" })
    assert.equal(4, result.status, result.out)
    assert.truthy(result.err:find("https://elsewhere.example", 1, true), result.err)
  end)

  for name, case in pairs {
    ["whose file other users can read"] = { "chmod 644 default.json", "chmod 600" },
    ["whose folder other users can read"] = { "chmod 755 .", "chmod 700" },
    ["that is damaged"] = { "echo '{' >default.json", "cannot be read" },
    ["that is empty"] = { ": >default.json", "cannot be read" },
    ["behind a symbolic link"] = { "mv default.json x && ln -s x default.json", "symbolic link" },
  } do
    it(name .. " is an error of its own, not a missing sign-in", function()
      home:sign_in()
      os.execute("cd " .. home.path .. "/.local/state/pcapi && " .. case[1])
      for _, command in ipairs { "non-mfa", "status", "doctor" } do
        local result = home:run { command }
        assert.equal(1, result.status, result.out .. result.err)
        assert.truthy((result.out .. result.err):find(case[2], 1, true), result.out .. result.err)
      end
      assert.truthy(home:run({ "config", "show" }).err:find(case[2], 1, true))
    end)
  end

  it("that is refused with a claims challenge has the command for it as hint", function()
    home:sign_in "scenario=mfa%3Dclaims401"
    local result = home:run({ "non-mfa" },
      { PCAPI_LOGIN_URL = login_url "scenario=mfa%3Dclaims401" })
    assert.equal(4, result.status)
    assert.truthy(result.err:find("pcapi login --browser --claims '{\"access_token\":", 1, true),
      result.err)
  end)

  it("of a profile overrides the refresh token of the environment", function()
    home:sign_in(nil, "--profile", "contoso")
    local result = home:run({ "--profile", "contoso", "non-mfa" },
      { PCAPI_REFRESH_TOKEN = "stale" })
    assert.equal(0, result.status, result.err)
  end)
end)

describe("a script", function()
  it("uses a profile of the command", function()
    home:sign_in()
    local result = sandbox.shell(("HOME=%s %s -e '%s'"):format(home.path, sandbox.lua, [[
      local client = assert(require("pcapi").new { profile = "default" })
      print(#assert(client.security:non_mfa_principals()))]]))
    assert.same({ "25\n", "" }, { result.out, result.err })
  end)

  it("acts as the command does without an argument", function()
    home:sign_in()
    home:sign_in(nil, "--profile", "work")
    local seed = curl.fetch { url = sandbox.url .. "/_sandbox/refresh_token?client_id=client" }.body
    for _, variables in ipairs {
      "", "PCAPI_PROFILE=work", "HOME=/nonexistent PCAPI_TOKEN=" .. sandbox.token(),
      ("HOME=/nonexistent PCAPI_REFRESH_TOKEN=%s PCAPI_TENANT=t.example PCAPI_CLIENT_ID=client")
        :format(curl.quote(seed)),
    } do
      local result = sandbox.shell(("env -u PCAPI_TOKEN HOME=%s %s %s -e '%s'"):format(home.path,
        variables, sandbox.lua, [[
          local client = assert(require("pcapi").new())
          print(#assert(client.security:non_mfa_principals()))]]))
      assert.same({ "25\n", "" }, { result.out, result.err })
    end
  end)

  it("gets an error if a profile is not signed in", function()
    local result = sandbox.shell(("HOME=%s %s -e '%s'"):format(home.path, sandbox.lua, [[
      local client, err = require("pcapi").new { profile = "nobody" }
      print(client, err.kind, err.hint)]]))
    assert.truthy(result.out:find("^nil\tsign_in_required\tRun: pcapi login %-%-profile nobody"),
      result.out .. result.err)
  end)

  it("signs in with a refresh token of the environment, as in CI", function()
    local seed = curl.fetch { url = sandbox.url .. "/_sandbox/refresh_token?client_id=client" }.body
    local result = home:run({ "non-mfa", "-o", "jsonl" }, {
      PCAPI_REFRESH_TOKEN = seed, PCAPI_TENANT = home.tenant, PCAPI_CLIENT_ID = "client",
    })
    assert.equal(0, result.status, result.err)
    assert.equal("", curl.shell("ls -A " .. home.path))
    -- with a byte order mark and line ends, as from a file of another system
    result = home:run({ "non-mfa", "-o", "jsonl" }, {
      PCAPI_REFRESH_TOKEN = seed .. "\r\n", PCAPI_TENANT = home.tenant .. "\r",
      PCAPI_CLIENT_ID = "\239\187\191client\n",
    })
    assert.equal(0, result.status, result.err)
    result = home:run({ "non-mfa" }, {
      PCAPI_REFRESH_TOKEN = "SECRET\nSECRET", PCAPI_TENANT = home.tenant,
      PCAPI_CLIENT_ID = "client",
    })
    assert.equal(1, result.status)
    assert.truthy(result.err:find("holds a line break", 1, true), result.err)
    assert.truthy(result.err:find("(environment PCAPI_REFRESH_TOKEN)", 1, true), result.err)
  end)
end)
