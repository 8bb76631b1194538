local cjson = require("cjson").new()
local files = require "spec.support.files"
local sandbox = require "spec.support.sandbox"

local function run(arguments, scenario, input)
  local environment = scenario and { PCAPI_TOKEN = sandbox.token { scenario = scenario } } or {}
  return sandbox.pcapi(arguments, environment, input)
end

local function lines(text)
  local all = {}
  for line in text:gmatch "[^\n]+" do
    all[#all + 1] = line
  end
  return all
end

describe("pcapi non-mfa", function()
  it("prints a table of users, the newest first, and a summary on standard error", function()
    local result = run({ "non-mfa" }, "records=7")
    assert.equal(0, result.status, result.err)
    local rows = lines(result.out)
    assert.equal(8, #rows)
    assert.truthy(rows[1]:find "^USER +LAST WITHOUT MFA %(UTC%) +OBJECT ID$")
    local times = {}
    for i = 2, #rows do
      times[#times + 1] = rows[i]:match "%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d"
    end
    assert.equal(7, #times)
    for i = 2, #times do
      assert.is_true(times[i] <= times[i - 1])
    end
    assert.equal("pcapi: 7 users signed in without MFA in the last 7 days.\n", result.err)
  end)

  it("says so when there are no users", function()
    local result = run({ "non-mfa" }, "records=0")
    assert.same({ 0, "", "pcapi: No user signed in without MFA in the last 7 days.\n" },
      { result.status, result.out, result.err })
  end)

  it("says so when no user matches", function()
    assert.equal("pcapi: None of 7 records matches.\n",
      run({ "non-mfa", "--user", "nobody@example" }, "records=7").err)
  end)

  it("warns of a list that may be cut even with -q", function()
    assert.truthy(run({ "-q", "non-mfa", "-o", "csv" }, "records=10000").err:find "may be more")
  end)

  it("prefers a flag to the environment, and ignores an empty variable", function()
    local result = sandbox.pcapi({ "--ca-path", sandbox.ca_path, "non-mfa" },
      { PCAPI_CA_FILE = "/nowhere.pem" })
    assert.equal(0, result.status, result.err)
    result = sandbox.pcapi({ "--ca-file", sandbox.ca_file, "--base-url", sandbox.url, "non-mfa" },
      { PCAPI_CA_FILE = "", PCAPI_CA_PATH = "", PCAPI_BASE_URL = "" })
    assert.equal(0, result.status, result.err)
  end)

  it("accepts as many records as PCAPI_MAX_RECORDS says, and no more", function()
    local function query(records)
      return sandbox.pcapi({ "-q", "non-mfa" }, { PCAPI_MAX_RECORDS = "7",
        PCAPI_TOKEN = sandbox.token { scenario = "records=" .. records } })
    end
    assert.equal(0, query(7).status)
    local result = query(8)
    assert.same({ 1, "" }, { result.status, result.out })
    assert.truthy(result.err:find("more than 7 records", 1, true), result.err)
    assert.truthy(result.err:find("Raise PCAPI_MAX_RECORDS (or max_records in the "
      .. "configuration file)", 1, true), result.err)
  end)

  it("names the limit of a response body, and its variable raises it", function()
    local result = sandbox.pcapi({ "-q", "non-mfa" }, { PCAPI_MAX_BODY = "100" })
    assert.same({ 1, "" }, { result.status, result.out })
    assert.truthy(result.err:find("larger than 100 bytes. Raise PCAPI_MAX_BODY (or max_body in "
      .. "the configuration file)", 1, true), result.err)
    assert.equal(0, sandbox.pcapi({ "-q", "non-mfa" }, { PCAPI_MAX_BODY = "1e6" }).status)
  end)

  it("names the flag that gives it more time", function()
    local result = sandbox.pcapi({ "--timeout", "0.5", "non-mfa" },
      { PCAPI_TOKEN = sandbox.token { scenario = "delay=5" } })
    assert.equal(6, result.status)
    assert.truthy(result.err:find("Raise --timeout (now 0.5 s), or try again later", 1, true),
      result.err)
  end)

  it("writes no summary with -q", function()
    assert.equal("", run({ "-q", "non-mfa" }, "records=0").err)
  end)

  it("prints JSON, JSON lines and CSV for programs", function()
    local json = cjson.decode(run({ "non-mfa", "-o", "json" }, "records=3").out)
    assert.equal(3, #json)
    assert.truthy(json[1].upn and json[1].tenantId)
    local jsonl = lines(run({ "non-mfa", "-o", "jsonl" }, "records=3").out)
    assert.equal(3, #jsonl)
    assert.equal(json[1].upn, cjson.decode(jsonl[1]).upn)
    local csv = run({ "non-mfa", "--output", "csv" }, "records=3").out
    assert.truthy(csv:find("^upn,lastNonMfaCompliantLoginDateTime,objectId,tenantId\r\n"))
    assert.equal(4, select(2, csv:gsub("\r\n", "")))
  end)

  it("writes only the columns in --columns", function()
    local csv = run({ "non-mfa", "-o", "csv", "--columns", "tenantId,upn" }, "records=1").out
    assert.truthy(csv:find("^tenantId,upn\r\n"))
    local json = cjson.decode(run({ "non-mfa", "-o", "json", "--columns", "upn" }, "records=1").out)
    local names = {}
    for name in pairs(json[1]) do
      names[#names + 1] = name
    end
    assert.same({ "upn" }, names)
  end)

  it("writes a column once that --columns names twice", function()
    for _, output in ipairs { "table", "json", "jsonl", "csv" } do
      local result = run({ "non-mfa", "-o", output, "--columns", "upn,upn" }, "records=1")
      assert.equal(0, result.status, result.err)
    end
  end)

  it("narrows by time and user", function()
    local all = lines(run({ "non-mfa", "-q" }, "records=25").out)
    local recent = lines(run({ "non-mfa", "-q", "--since", "24h" }, "records=25").out)
    assert.is_true(#recent > 1 and #recent < #all)
    local upn = all[2]:match "^%S+"
    assert.equal(2, #lines(run({ "non-mfa", "-q", "--user", upn }, "records=25").out))
  end)

  it("takes the token from standard input", function()
    local result = sandbox.pcapi({ "--token-stdin", "non-mfa", "-o", "json" },
      { PCAPI_TOKEN = false }, sandbox.token() .. "\n")
    assert.equal(0, result.status, result.err)
    result = sandbox.pcapi({ "--token-stdin", "non-mfa", "-o", "json" },
      { PCAPI_TOKEN = false }, "\239\187\191" .. sandbox.token() .. "\r\n")
    assert.equal(0, result.status, result.err)
    result = sandbox.pcapi({ "--token-stdin", "non-mfa" }, { PCAPI_TOKEN = false },
      "\255\254e y J")
    assert.equal(4, result.status)
    assert.truthy(result.err:find("the token on standard input is UTF-16 text", 1, true),
      result.err)
  end)

  describe("with the CA variables of other programs", function()
    local function query(environment, ...)
      environment.PCAPI_CA_FILE = false
      return sandbox.pcapi({ "-q", ... }, environment)
    end

    for _, variable in ipairs { "CURL_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE" } do
      it("trusts those of " .. variable, function()
        assert.equal(0, query({ [variable] = sandbox.ca_file }, "non-mfa").status)
        local shown = query({ [variable] = sandbox.ca_file }, "config", "show").out
        assert.truthy(shown:find("ca_file +/%S+ +environment " .. variable), shown)
      end)
    end

    it("trusts those of SSL_CERT_DIR", function()
      assert.equal(0, query({ SSL_CERT_DIR = sandbox.ca_path }, "non-mfa").status)
    end)

    it("trusts them from Lua, unless an option names others", function()
      local script = ([[%%s %s -e '
        local pcapi = require "pcapi"
        local function query(options)
          options.token, options.base_url = os.getenv "PCAPI_TOKEN", os.getenv "PCAPI_BASE_URL"
          local users, err = pcapi.new(options).security:non_mfa_principals()
          print(users and #users or err.kind .. ": " .. err.message)
        end
        query {}
        query { ca_file = os.getenv "PCAPI_SANDBOX_CA" }
        local response, err = pcapi.fetch(os.getenv "PCAPI_BASE_URL" .. "/_sandbox/health")
        print(response and response.status or err.kind)']]):format(sandbox.lua)
      assert.equal("25\n25\n200\n",
        sandbox.shell(script:format("SSL_CERT_FILE=" .. sandbox.ca_file)).out)
      assert.equal("config: SSL_CERT_FILE names /none: No such file or directory\n25\nconfig\n",
        sandbox.shell(script:format("SSL_CERT_FILE=/none")).out)
    end)

    it("names the variable whose file is absent", function()
      local result = query({ SSL_CERT_FILE = "/none" }, "non-mfa")
      assert.equal(1, result.status)
      assert.truthy(result.err:find("SSL_CERT_FILE names /none", 1, true), result.err)
      assert.equal(0, sandbox.pcapi({ "-q", "non-mfa" }, { SSL_CERT_FILE = "/none" }).status)
    end)
  end)

  it("writes no value that a terminal or a spreadsheet takes for a command", function()
    local result = run({ "non-mfa" }, "hostile")
    assert.equal(0, result.status, result.err)
    assert.is_nil(result.out:find "[%z\1-\9\11-\31\127]")
    assert.is_nil(result.out:find("\226\128\174", 1, true)) -- U+202E
    local csv = run({ "non-mfa", "-o", "csv" }, "hostile").out
    for _, line in ipairs(lines(csv)) do
      assert.is_nil(line:find '^"?[=+@-]')
      assert.is_nil(line:find ',"?[=+@-]')
    end
  end)

  it("warns that the list may be cut", function()
    assert.truthy(run({ "non-mfa", "-o", "csv" }, "records=10000").err:find "may be more")
  end)

  it("warns of a token that will be refused", function()
    assert.truthy(run({ "non-mfa" }, "compliant=false").err:find "lacks MFA")
  end)
end)

describe("the other commands", function()
  it("print adoption with shares", function()
    local rows = lines(run({ "adoption" }, "").out)
    assert.truthy(rows[1]:find "^DAY +APPLICATION +WITH MFA +ALL +SHARE$")
    assert.truthy(rows[2]:find "%%$")
  end)

  it("pass days to the service", function()
    local rows = lines(run({ "adoption", "-q", "--start-date", "2001-01-01",
                             "--end-date", "2001-01-02" }).out)
    assert.equal(0, #rows)
  end)

  it("print requests, with MFA or without", function()
    local all = lines(run({ "requests", "-q" }).out)
    local without = lines(run({ "requests", "-q", "--without-mfa" }).out)
    assert.is_true(#without > 1 and #without < #all)
    assert.is_nil(table.concat(without, "\n"):find "  yes ")
  end)

  it("print the version", function()
    local version = run({ "--version" }).out
    assert.truthy(version:find "^pcapi %d%S*\n$")
    assert.equal(version, run({ "version" }).out)
  end)
end)

describe("the exit status", function()
  local closed = sandbox.env "PCAPI_SANDBOX_CLOSED_URL"

  local cases = {
    { 2, { "--quiet" }, "command", "no command" },
    { 2, { "non-mfa", "--output", "xml" }, "table", "an unknown output" },
    { 2, { "non-mfa", "--since", "someday" }, "--since", "an invalid time" },
    { 2, { "non-mfa", "--colums", "upn" }, "--colums", "an unknown flag" },
    { 2, { "non-mfa", "--user", "" }, "empty", "an empty name" },
    { 2, { "non-mfa", "--columns", "upm" }, "upm", "an unknown field" },
    { 2, { "--timeout", "0", "non-mfa" }, "--timeout", "an invalid timeout" },
    { 2, { "--base-url", "http://example.com", "non-mfa" }, "--base-url", "a clear-text address" },
    { 2, { "adoption", "--start-date", "2024-02-10", "--end-date", "2024-02-01" },
      "--start-date", "days in the wrong order" },
    { 2, { "adoption", "--start-date", "1.2.2024" }, "2024-02-03", "an invalid day" },
    { 1, { "--ca-file", "/nowhere.pem", "non-mfa" }, "/nowhere.pem", "a missing CA file" },
    { 4, { "non-mfa" }, "900421", "a refusal for lack of MFA", "mfa=900421" },
    { 4, { "non-mfa" }, "role", "a missing role", "status=403; error=A; code=900308" },
    { 5, { "--timeout", "2", "non-mfa" }, "Try again in 57 s", "throttling",
      "status=429; retry_after=57" },
    { 6, { "--timeout", "1", "non-mfa" }, "timeout", "a silent service", "delay=30" },
    { 1, { "non-mfa" }, "not JSON", "a response that is not JSON", "body=html" },
    { 1, { "non-mfa" }, "max_body", "a response of 300 MB", "body=huge; bytes=300000000" },
    { 1, { "--prefix", "", "non-mfa" }, "not_found", "an address unknown to the service",
      "serve=pcapi" },
  }
  for _, case in ipairs(cases) do
    local status, arguments, said, what, scenario = case[1], case[2], case[3], case[4], case[5]
    it("is " .. status .. " for " .. what .. ", and the message names it", function()
      local result = run(arguments, scenario)
      assert.equal(status, result.status, result.err)
      assert.equal("", result.out)
      assert.truthy(result.err:find(said, 1, true), result.err)
      assert.is_nil(result.err:find("bug in pcapi", 1, true))
    end)
  end

  it("is 6 when no server listens", function()
    local result = run { "--timeout", "1", "--base-url", closed, "non-mfa" }
    assert.equal(6, result.status)
    assert.truthy(result.err:find("network", 1, true))
  end)

  it("is 4 without a token or with an invalid one", function()
    local result = sandbox.pcapi({ "non-mfa" }, { PCAPI_TOKEN = false })
    assert.equal(4, result.status)
    assert.truthy(result.err:find("PCAPI_TOKEN", 1, true))
    result = sandbox.pcapi({ "non-mfa" }, { PCAPI_TOKEN = "se cret" })
    assert.equal(4, result.status)
    assert.is_nil(result.err:find("se cret", 1, true))
    assert.truthy(result.err:find("Give one access token as plain text", 1, true), result.err)
  end)

  it("is 130 after Ctrl-C while it writes, and says that the output may be incomplete", function()
    local pid = files.temporary()
    local result = sandbox.shell((
      [[PCAPI_TOKEN='%s' sh -c 'echo $$ >%s; exec %s bin/pcapi non-mfa -o json' | ]]
      .. [[{ head -c 1 >/dev/null; kill -INT $(cat %s); sleep 1; cat >/dev/null; }]]):format(
      sandbox.token { scenario = "records=20000" }, pid, sandbox.lua, pid))
    os.remove(pid)
    assert.truthy(result.err:find("may be incomplete", 1, true), result.err)
  end)

  it("is 1 when the list cannot be written", function()
    local result = sandbox.shell(sandbox.lua .. " bin/pcapi non-mfa -o csv >/dev/full")
    assert.equal(1, result.status)
    assert.truthy(result.err:find("cannot write", 1, true))
  end)

  it("is 130 after Ctrl-C, with nothing written", function()
    local result = sandbox.shell(("PCAPI_TOKEN='%s' %s bin/pcapi non-mfa & pid=$!; sleep 1; "
      .. "kill -INT $pid; wait $pid"):format(sandbox.token { scenario = "delay=20" }, sandbox.lua))
    assert.equal(130, result.status, result.err)
    assert.equal("", result.out)
    assert.truthy(result.err:find("interrupted", 1, true))
  end)
end)

describe("a terminal", function()
  -- util-linux' script runs a command on a terminal of its own
  local function on_terminal(environment, scenario, arguments)
    local command = ("env PCAPI_TOKEN='%s' %s %s bin/pcapi %s"):format(
      sandbox.token { scenario = scenario }, environment, sandbox.lua, arguments)
    return sandbox.shell(("script -qec \"%s\" /dev/null </dev/null"):format(command)).out
  end

  it("gets a bold header unless NO_COLOR is set", function()
    assert.truthy(on_terminal("TERM=xterm", "records=2", "non-mfa"):find("\27[1m", 1, true))
    assert.is_nil(on_terminal("NO_COLOR=1 TERM=xterm", "records=2", "non-mfa")
      :find("\27[1m", 1, true))
  end)

  it("shows that the command waits", function()
    local out = on_terminal("TERM=xterm", "delay=1; records=2", "non-mfa")
    assert.truthy(out:find("waiting for the service, 1 s", 1, true))
    assert.is_nil(on_terminal("TERM=xterm", "delay=1; records=2", "-q non-mfa")
      :find("waiting", 1, true))
  end)
end)
