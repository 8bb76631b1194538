--- No text from outside moves the cursor of a terminal, changes its colours or reorders a line, in
-- any output of the command.
local auth = require "pcapi.auth"
local cjson = require("cjson").new()
local curl = require "spec.support.curl"
local folder = require "spec.support.folder"
local sandbox = require "spec.support.sandbox"
local url = require "pcapi.url"

-- Clears the screen, sets its title, goes back to the start of the line, reorders, hides.
local HOSTILE = "x\27[2J\27]0;title\7\rpcapi: all is well\nrow\194\1551m\226\128\174"
  .. "\226\128\139\255"
local MARK = "x\\x1b[2J" -- the beginning of HOSTILE in the output

local home, seed

setup(function()
  seed = curl.fetch { url = sandbox.url .. "/_sandbox/refresh_token?client_id=client" }.body
end)

before_each(function()
  home = folder.new()
end)

teardown(folder.remove)

local function run(arguments, environment)
  return sandbox.pcapi(arguments, sandbox.merged({ HOME = home }, environment))
end

local function assert_harmless(text, has_layout)
  local controls = has_layout and "[%z\1-\8\11\12\14-\31\127]" or "[%z\1-\9\11-\31\127]"
  assert.is_nil(text:find(controls), text)
  assert.is_nil(text:find "\194[\128-\159]", text)
  assert.is_nil(text:find "\226\128[\139\142\143\168-\174]", text)
  assert.is_nil(text:find("\255", 1, true), text)
end

-- Both outputs are harmless, and one of them contains the hostile text.
local function assert_repeats(result, mark)
  assert_harmless(result.out)
  assert_harmless(result.err)
  assert.truthy((result.out .. result.err):find(mark or MARK, 1, true), result.out .. result.err)
end

local function claims(more)
  return { PCAPI_TOKEN = sandbox.token(more) }
end

-- HOSTILE as a setting of the sandbox.
local function setting(name)
  return name .. "=" .. url.escape(HOSTILE)
end

describe("a terminal is safe from", function()
  for _, command in ipairs { "non-mfa", "adoption", "requests" } do
    for _, format in ipairs { "table", "json", "jsonl", "csv" } do
      it("the records of " .. command .. " as " .. format, function()
        local result = run({ command, "-o", format }, claims { scenario = "hostile" })
        assert.equal(0, result.status, result.err)
        assert_harmless(result.out, format == "csv")
        assert_harmless(result.err)
        assert.truthy(result.out:find(command == "non-mfa" and "fabrikam" or "", 1, true))
      end)
    end
  end

  for _, shape in ipairs { "A", "B", "C", "F" } do
    it("a refusal in the shape " .. shape .. ", and its trace", function()
      local scenario = ("status=403; error=%s; %s; %s"):format(shape, setting "text",
        setting "code")
      for _, command in ipairs { "non-mfa", "doctor" } do
        local result = run({ "--trace", command }, claims { scenario = scenario })
        assert.equal(4, result.status, result.err)
        assert_harmless(result.out)
        assert_harmless(result.err)
        local shown = result.out .. result.err
        assert.truthy(shape == "F" or shown:find(MARK, 1, true), shown)
      end
    end)
  end

  it("the headers of a response, in a trace and an error", function()
    -- nginx sends no byte below 32
    local text = url.escape "\194\155\226\128\174"
    for _, scenario in ipairs { "type=text/" .. text, "redirect=https://localhost/" .. text } do
      assert_repeats(run({ "--trace", "non-mfa" }, claims { scenario = scenario }),
        "/\\u{9b}\\u{202e}")
    end
  end)

  it("the claims of a token", function()
    local environment = claims { upn = HOSTILE, tid = HOSTILE, appid = HOSTILE,
                                 unique_name = HOSTILE }
    assert_repeats(run({ "status" }, environment))
    assert_repeats(run({ "doctor" }, environment))
    environment = claims { aud = HOSTILE, upn = HOSTILE, amr = { "pwd" } }
    assert_repeats(run({ "status" }, environment))
    assert_repeats(run({ "doctor" }, environment))
    assert_harmless(run({ "status", "--json" }, environment).out)
    assert_harmless(run({ "doctor", "--json" }, environment).out)
  end)

  it("the settings and the path of their file", function()
    local hostile = HOSTILE:gsub("[\r\n]", "")
    local path = home .. "/" .. hostile
    folder.write(path, "[default]\ntenant = contoso.example\n")
    local unseen, mark = hostile:gsub("%c", ""), "x[2J]0;titlepcapi"
    assert_repeats(run({ "--config", path, "config", "show" }, { PCAPI_CA_FILE = unseen }), mark)
    assert_repeats(run({ "--config", path, "config", "show" }, { PCAPI_CA_FILE = hostile }),
      "ca_file holds a line break or another control character (environment PCAPI_CA_FILE)")
    folder.write(path, hostile .. " = 1\n")
    assert_repeats(run({ "--config", path, "config", "show" }))
    folder.write(path, "[" .. hostile .. "]\n")
    assert_repeats(run({ "--config", path, "status" }))
    assert_repeats(run({ "non-mfa" }, { PCAPI_CA_FILE = unseen }), mark)
    assert_repeats(run({ "doctor" }, { PCAPI_CA_PATH = false, PCAPI_CA_FILE = unseen }), mark)
    for _, name in ipairs { "PCAPI_BASE_URL", "PCAPI_TENANT", "PCAPI_PROFILE", "PCAPI_TIMEOUT" } do
      for _, command in ipairs { "status", "doctor", "logout" } do
        local result = run({ "--trace", command }, { PCAPI_TOKEN = false, [name] = HOSTILE })
        assert.is_true(result.status ~= 0 or command == "logout", result.err)
        assert_harmless(result.out)
        assert_harmless(result.err)
      end
    end
  end)

  it("the responses of the sign-in service", function()
    local environment = { PCAPI_TOKEN = false, PCAPI_TENANT = "contoso.example",
                          PCAPI_CLIENT_ID = "client" }
    for _, where in ipairs { "error=%s", "error=%s;on=devicecode", "body=html;status=500" } do
      environment.PCAPI_LOGIN_URL = sandbox.url .. "/login/" .. where:format(url.escape(HOSTILE))
      local result = run({ "--trace", "--timeout", "10", "login" }, environment)
      assert.is_true(result.status ~= 0, result.err)
      assert_harmless(result.err)
      environment.PCAPI_REFRESH_TOKEN = seed
      result = run({ "--trace", "doctor" }, environment)
      assert_harmless(result.out)
      assert_harmless(result.err)
      environment.PCAPI_REFRESH_TOKEN = nil
    end
  end)

  it("the settings in the checklist of the registration", function()
    local result = run({ "login", "--checklist" }, {
      PCAPI_TENANT = "a\194\155b", PCAPI_LOGIN_URL = "https://e.example/\194\1551m" })
    assert.equal(0, result.status, result.err)
    assert_harmless(result.out)
    assert.matches("https://e.example/\\u{9b}1m/a%C2%9Bb/adminconsent", result.out, 1, true)
  end)

  it("the names of tenants, in the list, the messages and the trace", function()
    local name = HOSTILE:gsub("[\r\n]", "")
    folder.write(home .. "/list", name .. "\ncontoso.example\n")
    for _, format in ipairs { "table", "json", "csv" } do
      local result = run({ "--trace", "non-mfa", "--tenants", home .. "/list", "-o", format },
        { PCAPI_TOKEN = false, PCAPI_REFRESH_TOKEN = seed, PCAPI_CLIENT_ID = "client" })
      assert.equal(3, result.status, result.err)
      assert_harmless(result.out, format == "csv")
      assert_repeats { out = "", err = result.err }
    end
  end)

  it("a stored sign-in, with one profile and with --all-profiles", function()
    local store = auth.file_store(home .. "/.local/state/pcapi")
    assert(store:set("default", cjson.encode {
      version = 1, client_id = "client", tenant = "contoso.example", refresh_token = seed,
      access_token = sandbox.token { upn = HOSTILE, tid = HOSTILE }, expires_at = os.time() + 3600,
      obtained_at = os.time(), settings = { tenant = "contoso.example", client_id = "client",
                                            base_url = sandbox.url },
    }))
    local environment = { PCAPI_TOKEN = false, PCAPI_LOGIN_URL = false }
    for _, words in ipairs { { "status" }, { "status", "--all-profiles" } } do
      assert_repeats(run(words, environment))
    end
    assert_harmless(run({ "status", "--json" }, environment).out)
  end)

  it("a stored sign-in that cannot be read", function()
    os.execute("mkdir -p " .. home .. "/.local/state/pcapi && chmod -R 700 " .. home)
    for _, text in ipairs { HOSTILE, ('{"version":1,"tenant":"%s"}'):format((HOSTILE
        :gsub("%c", "?"))) } do
      folder.write(home .. "/.local/state/pcapi/default.json", text)
      os.execute("chmod 600 " .. home .. "/.local/state/pcapi/default.json")
      for _, words in ipairs { { "status" }, { "doctor" }, { "config", "show" }, { "logout" } } do
        local result = run(words, { PCAPI_TOKEN = false })
        assert_harmless(result.out)
        assert_harmless(result.err)
      end
    end
  end)
end)
