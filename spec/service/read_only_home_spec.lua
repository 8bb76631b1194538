--- The command in a container or a CI job: a refresh token in the environment, and no place to
-- write.
local curl = require "spec.support.curl"
local homes = require "spec.support.home"
local sandbox = require "spec.support.sandbox"

local home, environment

-- Root may write and read everywhere, so it gives this right up.
local AS_USER = curl.shell("id -u") == "0\n"
  and "setpriv --bounding-set=-dac_override,-dac_read_search " or ""

before_each(function()
  home = homes.new()
  environment = {
    HOME = home.path, PCAPI_TOKEN = false, PCAPI_TENANT = home.tenant, PCAPI_CLIENT_ID = "client",
    PCAPI_REFRESH_TOKEN = curl.fetch { url = sandbox.url
      .. "/_sandbox/refresh_token?client_id=client" }.body,
  }
end)

after_each(function()
  os.execute("chmod -R u+w " .. home.path)
  home:remove()
end)

local function make_read_only()
  os.execute(("find %s -type d -exec chmod a-w {} +"):format(home.path))
  local refused = sandbox.shell(AS_USER .. "touch " .. home.path .. "/written")
  assert(refused.status ~= 0, "the home folder can be written")
end

-- Runs each command that a job uses, and asserts that it succeeds without a word.
local function assert_works(more)
  for _, words in ipairs { { "-q", "non-mfa" }, { "-q", "status" }, { "token" }, { "doctor" },
                           { "token", "--refresh-token" }, { "-q", "profiles", "list" } } do
    local result = sandbox.shell(AS_USER
      .. sandbox.command_line(words, sandbox.merged(environment, more)) .. " </dev/null")
    assert.same({ 0, "" }, { result.status, result.err }, table.concat(words, " "))
  end
end

describe("with PCAPI_REFRESH_TOKEN every command works", function()
  it("in an empty home that cannot be written", function()
    make_read_only()
    assert_works()
  end)

  it("beside a stored sign-in that cannot be written", function()
    home:sign_in()
    make_read_only()
    assert_works()
  end)

  it("beside a folder of sign-ins that other users can read, as images have them", function()
    local folder = home.path .. "/.local/state/pcapi"
    os.execute("mkdir -p " .. folder .. " && chmod 755 " .. folder)
    make_read_only()
    for _, words in ipairs { { "-q", "non-mfa" }, { "token" } } do
      local result = sandbox.shell(AS_USER .. sandbox.command_line(words, environment))
      assert.same({ 0, "" }, { result.status, result.err })
    end
  end)

  it("without a home", function()
    assert_works { HOME = "/nonexistent" }
    assert_works { HOME = false }
  end)

  it("but in the home of another user, whose configuration it cannot read", function()
    home:write_config("")
    os.execute("chmod a-x " .. home.path .. "/.config")
    finally(function()
      os.execute("chmod u+x " .. home.path .. "/.config")
    end)
    local result = sandbox.shell(AS_USER .. sandbox.command_line({ "non-mfa" }, environment))
    assert.equal(1, result.status)
    assert.matches("Permission denied. If HOME is the folder of another user, set HOME", result.err,
      1, true)
  end)

  it("in a script that calls pcapi.new()", function()
    make_read_only()
    local line = sandbox.command_line({ "non-mfa" }, environment):gsub(" bin/pcapi .*$", "")
    local result = sandbox.shell(("%s%s -e '%s'"):format(AS_USER, line, [[
      local client = assert(require("pcapi").new())
      print(#assert(client.security:non_mfa_principals()))
      print(#assert(client.security:non_mfa_principals()))]]))
    assert.same({ "25\n25\n", "" }, { result.out, result.err })
  end)
end)

describe("a stored sign-in in a folder that cannot be written", function()
  it("serves until its access token has expired, then is an error before it is used", function()
    home:sign_in()
    make_read_only()
    for _, name in ipairs { "REFRESH_TOKEN", "TENANT", "CLIENT_ID" } do
      environment["PCAPI_" .. name] = false
    end
    local line = AS_USER .. sandbox.command_line({ "non-mfa" }, environment)
    assert.equal(0, sandbox.shell(line).status)
    os.execute(("sed -i 's/\"expires_at\":[0-9]*/\"expires_at\":1/' %s/.local/state/pcapi/*.json")
      :format(home.path))
    local result = sandbox.shell(line)
    assert.equal(1, result.status)
    assert.matches("store: the token store: .* could not be written: Permission denied", result.err)
  end)
end)
