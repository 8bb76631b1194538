--- The command with several tenants, each with its own sign-in, against the sandbox.
local cjson = require("cjson").new()
local core = require "pcapi.core"
local curl = require "spec.support.curl"
local folder = require "spec.support.folder"
local profiles = require "spec.support.profiles"
local sandbox = require "spec.support.sandbox"

local home, seed

setup(function()
  seed = profiles.refresh_token()
end)

before_each(function()
  home = folder.new()
end)

teardown(folder.remove)

local login_url = profiles.login_url

-- Stores the sign-in of a profile; the scenario sets what the sandbox returns for its tenant.
local function keep(...)
  profiles.keep(home, ...)
end

local function write_config(text)
  os.execute("mkdir -p " .. home .. "/.config/pcapi")
  folder.write(home .. "/.config/pcapi/config", text)
end

local function run(arguments, environment, input)
  return sandbox.pcapi(arguments, profiles.environment(home, environment), input)
end

local function all_profiles(...)
  return run { "non-mfa", "--all-profiles", ... }
end

local function lines(text)
  local all = {}
  for line in text:gmatch "[^\r\n]+" do
    all[#all + 1] = line
  end
  return all
end

-- How many records each tenant has in an output of JSON lines.
local function counts(result)
  local counted = {}
  for _, line in ipairs(lines(result.out)) do
    local tenant = cjson.decode(line).tenant
    counted[tenant] = (counted[tenant] or 0) + 1
  end
  return counted
end

local function list(text, ...)
  return run({ "non-mfa", "-o", "jsonl", "--tenants", "-", ... }, nil, text)
end

describe("--all-profiles", function()
  it("writes one list of all tenants, the newest first, with a tenant column", function()
    keep("contoso", "records=4; seed=1")
    keep("fabrikam", "records=3; seed=2")
    local result = all_profiles()
    assert.equal(0, result.status, result.err)
    local rows = lines(result.out)
    assert.truthy(rows[1]:find "^TENANT +USER +LAST WITHOUT MFA %(UTC%) +OBJECT ID$")
    local seen, last = {}, "9"
    for i = 2, #rows do
      local tenant, time = rows[i]:match "^(%S+) .-(%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d)"
      assert.is_true(time <= last)
      seen[tenant], last = (seen[tenant] or 0) + 1, time
    end
    assert.same({ contoso = 4, fabrikam = 3 }, seen)
    assert.equal("pcapi: 7 users signed in without MFA in the last 7 days, in 2 tenants.\n",
      result.err)
  end)

  it("writes the tenant as the first field in every format", function()
    keep("contoso", "records=1")
    keep("fabrikam", "records=1")
    assert.truthy(all_profiles("-o", "csv").out
      :find "^tenant,upn,[^\r]*\r\n%a+,[^\r]+\r\n%a+,[^\r]+\r\n$")
    local json = all_profiles("-o", "json").out
    assert.equal(2, #cjson.decode(json))
    assert.equal(2, select(2, json:gsub('\n  {"tenant":"%a+","upn":', "")))
    assert.equal(2, select(2, all_profiles("-o", "jsonl").out:gsub('{"tenant":"%a+","upn":', "")))
  end)

  it("writes the columns of --columns, with or without the tenant", function()
    keep("contoso", "records=1")
    assert.equal("objectId,tenant", lines(all_profiles("-o", "csv", "--columns",
      "objectId,tenant").out)[1])
    assert.equal("upn", lines(all_profiles("-o", "csv", "--columns", "upn").out)[1])
    assert.equal("TENANT\ncontoso\n", all_profiles("--columns", "tenant").out)
    local result = all_profiles("--columns", "tenants")
    assert.equal(2, result.status)
    assert.truthy(result.err:find("there are tenant, upn", 1, true), result.err)
  end)

  it("works with adoption and requests, too", function()
    keep("contoso")
    keep("fabrikam")
    local rows = lines(run({ "adoption", "--all-profiles" }).out)
    assert.truthy(rows[1]:find "^TENANT +DAY +APPLICATION +WITH MFA +ALL +SHARE$")
    assert.equal(43, #rows)
    rows = lines(run({ "requests", "--all-profiles", "--without-mfa", "-o", "csv" }).out)
    assert.truthy(rows[1]:find "^tenant,requestDateTime,upn,")
    assert.is_nil(table.concat(rows, "\n"):find ",true,")
  end)

  it("sends the requests of all tenants at the same time", function()
    for i = 1, 20 do
      keep("t" .. i, "records=1; delay=0.5")
    end
    local begun = core.now()
    local result = all_profiles("-o", "jsonl")
    assert.is_true(core.now() - begun < 8, core.now() - begun .. " s")
    assert.equal(20, #lines(result.out), result.err)
  end)

  it("reports the number of tenants if there are no records", function()
    keep("contoso", "records=0")
    keep("fabrikam", "records=0")
    local result = all_profiles()
    assert.same({ 0, "" }, { result.status, result.out })
    assert.equal("pcapi: No user signed in without MFA in the last 7 days, in 2 tenants.\n",
      result.err)
    assert.equal("", all_profiles("-q").err)
  end)

  it("includes the profiles of the configuration file", function()
    write_config("[shop]\ntenant = shop.example\nclient_id = client\nlogin_url = "
      .. login_url "records=2")
    keep("contoso", "records=1")
    local result = all_profiles("-o", "jsonl")
    assert.equal(3, result.status)
    assert.same({ contoso = 1 }, counts(result))
    assert.truthy(result.err:find("pcapi: shop: sign_in_required: nobody is signed in", 1, true),
      result.err)
    keep("shop", nil, { login_url = login_url "records=2" })
    assert.same({ contoso = 1, shop = 2 }, counts(all_profiles("-o", "jsonl")))
  end)

  it("uses the sign-in of each profile, not the account in the environment", function()
    keep("contoso", "records=1")
    local result = run({ "non-mfa", "--all-profiles", "-o", "jsonl" }, {
      PCAPI_TOKEN = sandbox.token { scenario = "records=9" }, PCAPI_TENANT = "other.example",
      PCAPI_REFRESH_TOKEN = "stale", PCAPI_PROFILE = "other",
    })
    assert.equal(0, result.status, result.err)
    assert.same({ contoso = 1 }, counts(result))
  end)

  it("needs a sign-in, and the message says how", function()
    local result = all_profiles()
    assert.same({ 4, "" }, { result.status, result.out })
    assert.truthy(result.err:find("pcapi login --profile NAME", 1, true), result.err)
  end)

  it("fails as a whole if the profiles cannot be listed", function()
    keep("contoso")
    os.execute("chmod 755 " .. home .. "/.local/state/pcapi")
    local result = all_profiles()
    assert.same({ 1, "" }, { result.status, result.out })
    assert.truthy(result.err:find("chmod 700", 1, true), result.err)
  end)
end)

describe("a tenant that fails", function()
  for what, case in pairs {
    ["is forbidden"] = { "status=403", "forbidden" },
    ["lacks MFA"] = { "mfa=900421", "pcapi login --profile bad" },
    ["returns no JSON"] = { "body=html", "not JSON" },
    ["hangs up"] = { "cut=headers", "network" },
    ["stays throttled"] = { "throttled-for-good", "throttled" },
  } do
    it("because it " .. what .. " does not stop the others", function()
      keep("bad", case[1])
      keep("good", "records=2")
      local result = run { "-q", "--timeout", "2", "non-mfa", "--all-profiles", "-o", "jsonl" }
      assert.equal(3, result.status, result.err)
      assert.same({ good = 2 }, counts(result))
      assert.truthy(result.err:find("pcapi: bad: ", 1, true), result.err)
      assert.truthy(result.err:find(case[2], 1, true), result.err)
      assert.truthy(result.err:find("1 of 2 tenants failed; the output does not include them", 1,
        true))
      assert.is_nil(result.err:find("bug in pcapi", 1, true))
    end)
  end

  for what, spoil in pairs {
    ["setting"] = function()
      write_config "[bad]\ncloud = mars\n"
      return "cloud must be"
    end,
    ["certificate"] = function()
      write_config "[bad]\ncertificate = /nowhere.pem\n"
      return "/nowhere.pem"
    end,
    ["file"] = function()
      os.execute("chmod 644 " .. home .. "/.local/state/pcapi/bad.json")
      return "chmod 600"
    end,
    ["link"] = function()
      os.execute("cd " .. home .. "/.local/state/pcapi && mv bad.json x && ln -s x bad.json")
      return "symbolic link"
    end,
  } do
    it("because of a wrong " .. what .. " does not stop the others", function()
      keep("bad")
      keep("good", "records=2")
      local expected = spoil()
      local result = all_profiles("-o", "jsonl")
      assert.equal(3, result.status, result.err)
      assert.same({ good = 2 }, counts(result))
      assert.truthy(result.err:find("pcapi: bad: ", 1, true), result.err)
      assert.truthy(result.err:find(expected, 1, true), result.err)
    end)
  end

  it("is reported in the order of names", function()
    for _, name in ipairs { "c", "a", "b" } do
      keep(name, "status=403")
    end
    assert.truthy(all_profiles().err:find "pcapi: a: .*\npcapi: b: .*\npcapi: c: ")
  end)

  it("decides the exit status if all fail alike, and nothing is written", function()
    keep("a", "status=403")
    keep("b", "mfa=900421")
    local result = all_profiles("-o", "json")
    assert.same({ 4, "" }, { result.status, result.out })
    assert.truthy(result.err:find("2 of 2 tenants failed; nothing was written", 1, true))
    keep("c", "body=html")
    result = all_profiles()
    assert.same({ 1, "" }, { result.status, result.out })
  end)

  it("does not delay the others while it is throttled", function()
    keep("bad", "throttled-for-good")
    for i = 1, 5 do
      keep("good" .. i, "records=1")
    end
    local begun = core.now()
    local result = run { "--timeout", "1", "non-mfa", "--all-profiles", "-o", "jsonl" }
    assert.is_true(core.now() - begun < 4)
    assert.equal(3, result.status)
    assert.equal(5, #lines(result.out))
  end)

  it("is named in warnings, too", function()
    keep("cut", "records=10000")
    keep("lax", "compliant=false; records=1")
    local result = all_profiles("-q", "-o", "csv")
    assert.equal(0, result.status)
    assert.truthy(result.err:find("pcapi: cut: the service returned only its newest records", 1,
      true))
    assert.truthy(result.err:find("pcapi: lax: the service reports that this token lacks", 1,
      true))
  end)
end)

describe("--tenants", function()
  it("takes the names of profiles, and tenants that one profile has", function()
    keep("contoso", "records=1")
    keep("fabrikam", "records=2", { tenant = "0f0b3c1e-0000-4000-8000-000000000000" })
    keep("unasked", "records=3")
    local result = list "CONTOSO.example\n0F0B3C1E-0000-4000-8000-000000000000 # fabrikam\r\n"
    assert.equal(0, result.status, result.err)
    assert.same({ ["CONTOSO.example"] = 1, ["0F0B3C1E-0000-4000-8000-000000000000"] = 2 },
      counts(result))
    assert.same({ contoso = 1 }, counts(list "\239\187\191contoso\r\n"))
  end)

  it("takes the id of the tenant from the stored sign-in", function()
    keep("contoso", "records=1")
    list "contoso"
    local status = run { "--profile", "contoso", "status", "--json" }
    local id = cjson.decode(status.out).profiles[1].tenant_id
    local result = list(id)
    assert.equal(0, result.status, result.err)
    assert.same({ [id] = 1 }, counts(result))
  end)

  it("queries a tenant once if the list has it twice, under any name", function()
    keep("contoso", "records=1")
    assert.same({ ["contoso.example"] = 1 },
      counts(list "contoso.example\ncontoso\nContoso.Example"))
  end)

  it("reads a file, and reports if it cannot be read", function()
    keep("contoso", "records=1")
    local path = folder.write(home .. "/list", "contoso\n")
    local result = run { "non-mfa", "--tenants", path, "-o", "jsonl" }
    assert.same({ contoso = 1 }, counts(result))
    for wrong, said in pairs { [home .. "/absent"] = "No such file", [home] = "directory",
                               ["/dev/null"] = "names no tenant" } do
      result = run { "non-mfa", "--tenants", wrong }
      assert.same({ 2, "" }, { result.status, result.out })
      assert.truthy(result.err:find("--tenants: " .. wrong, 1, true), result.err)
      assert.truthy(result.err:find(said, 1, true), result.err)
    end
    assert.truthy(list("").err:find("--tenants: standard input names no tenant", 1, true))
  end)

  it("uses PCAPI_CLIENT_ID only for tenants without a client id of their own",
     function()
    keep("contoso", "records=1")
    keep("fabrikam", "records=2")
    local result = run({ "non-mfa", "-o", "jsonl", "--tenants", "-" }, {
      PCAPI_REFRESH_TOKEN = curl.fetch { url = sandbox.url
        .. "/_sandbox/refresh_token?client_id=another" }.body,
      PCAPI_CLIENT_ID = "another",
    }, "contoso\nfabrikam.example\nunknown.example\n")
    assert.same({ contoso = 1, ["fabrikam.example"] = 2 }, counts(result))
    assert.is_nil(result.err:find("contoso", 1, true), result.err)
    assert.truthy(result.err:find("pcapi: unknown.example: ", 1, true), result.err)
    assert.is_nil(result.err:find("signed in", 1, true), result.err)
  end)

  it("suggests a similar name", function()
    keep("contoso", "records=1")
    assert.truthy(list "contso".err:find('did you mean "contoso"?', 1, true))
  end)

  it("reports a tenant without a profile, and queries the others", function()
    keep("contoso", "records=1")
    local result = list "contoso\nnobody.example\nwhat is\27[2Jthis?"
    assert.equal(3, result.status)
    assert.same({ contoso = 1 }, counts(result))
    assert.is_nil(result.err:find("\27", 1, true))
    assert.truthy(result.err:find("pcapi: nobody.example: sign_in_required: no profile has this "
      .. "name or tenant (line 2). Run: pcapi login", 1, true), result.err)
    assert.truthy(result.err:find([[pcapi: what is\x1b[2Jthis?: config: line 3 is neither ]]
      .. "a profile nor the ID or domain of a tenant. Correct the list", 1, true), result.err)
  end)

  it("refuses a tenant that two profiles use", function()
    keep("first", "records=1", { tenant = "both.example" })
    keep("second", "records=1", { tenant = "both.example" })
    local result = list "both.example"
    assert.same({ 1, "" }, { result.status, result.out })
    assert.truthy(result.err:find("several profiles use this tenant (line 1): first, second. "
      .. "Replace it", 1, true), result.err)
    assert.same({ second = 1 }, counts(list "second"))
  end)

  it("uses PCAPI_REFRESH_TOKEN for tenants without a profile, never a stored sign-in", function()
    keep("default", "records=9")
    local result = run({ "non-mfa", "-o", "jsonl", "--tenants", "-" }, {
      PCAPI_REFRESH_TOKEN = seed, PCAPI_CLIENT_ID = "client",
      PCAPI_LOGIN_URL = login_url "records=2", PCAPI_TOKEN = sandbox.token(),
    }, "a.example\nb.example\ndefault.example\n")
    assert.equal(0, result.status, result.err)
    assert.same({ ["a.example"] = 2, ["b.example"] = 2, ["default.example"] = 2 }, counts(result))
    local path = home .. "/.local/state/pcapi/"
    assert.equal("default.json\n", curl.shell("ls " .. path))
  end)
end)

describe("the output of several tenants", function()
  it("contains no commands for a terminal and no formulas for a spreadsheet", function()
    keep("contoso", "hostile")
    keep("fabrikam", "hostile")
    local out = all_profiles().out
    assert.is_nil(out:find "[%z\1-\9\11-\31\127]")
    for _, line in ipairs(lines(all_profiles("-o", "csv").out)) do
      assert.is_nil(line:find ',"?[=+@-]')
    end
    keep("@SUM", "records=1", { tenant = "sum.example" })
    out = run({ "non-mfa", "--tenants", "-", "-o", "csv" }, nil, "@SUM\n").out
    assert.truthy(out:find "\n'@SUM,", out)
  end)

  it("is requested within --parallel and --rate", function()
    local label = core.uuid()
    for i = 1, 8 do
      keep("t" .. i, ("records=1; delay=0.1; label=%s"):format(label))
    end
    local function gauge()
      local response = curl.fetch { url = sandbox.url .. "/_sandbox/gauge?label=" .. label }
      return cjson.decode(response.body)
    end
    assert.equal(0, all_profiles("--parallel", "2").status)
    local first = gauge()
    assert.same({ 8, 2 }, { first.requests, first.most_at_once })
    local begun = core.now()
    assert.equal(0, all_profiles("--rate", "8").status)
    assert.is_true(core.now() - begun > 0.8)
    assert.equal(16, gauge().requests)
  end)

  it("is traced with the name of each tenant", function()
    keep("contoso", "records=1")
    keep("fabrikam", "records=1")
    local err = run({ "--trace", "non-mfa", "--all-profiles" }).err
    for _, name in ipairs { "contoso", "fabrikam" } do
      assert.truthy(err:find("\n" .. name .. ": .*nonMfaCompliantPartnerPrincipals"), err)
    end
  end)

  it("is written after Ctrl-C, and the message says what is missing", function()
    keep("contoso", "records=1")
    keep("slow", "records=1; delay=20")
    local result = sandbox.shell(("export HOME=%s; unset PCAPI_TOKEN PCAPI_LOGIN_URL; "
      .. "%s bin/pcapi non-mfa --all-profiles -o csv & pid=$!; sleep 2; kill -INT $pid; wait $pid")
      :format(home, sandbox.lua))
    assert.equal(130, result.status, result.err)
    assert.truthy(result.out:find "\ncontoso,[^\r]*\r\n$", result.out)
    assert.truthy(result.err:find("interrupted; the output does not include 1 of 2 tenants", 1,
      true), result.err)
  end)

  it("is empty if Ctrl-C comes before the first response", function()
    keep("slow", "delay=20")
    local result = sandbox.shell(("export HOME=%s; unset PCAPI_TOKEN PCAPI_LOGIN_URL; "
      .. "%s bin/pcapi non-mfa --all-profiles & pid=$!; sleep 1; kill -INT $pid; wait $pid")
      :format(home, sandbox.lua))
    assert.same({ 130, "" }, { result.status, result.out })
    assert.truthy(result.err:find("interrupted; nothing was written", 1, true), result.err)
  end)

  it("is announced by progress on a terminal, unless --quiet is set", function()
    keep("contoso", "records=1")
    keep("fabrikam", "records=1")
    local function on_terminal(words)
      return sandbox.shell(("unset PCAPI_TOKEN PCAPI_LOGIN_URL; script -qec \"env HOME=%s %s "
        .. "bin/pcapi %s\" /dev/null </dev/null"):format(home, sandbox.lua, words)).out
    end
    local out = on_terminal "non-mfa --all-profiles"
    assert.truthy(out:find("of 2 tenants", 1, true), out)
    assert.is_nil(on_terminal("-q non-mfa --all-profiles"):find("of 2 tenants", 1, true))
  end)
end)

describe("conflicting options are refused:", function()
  for words, said in pairs {
    ["non-mfa --all-profiles --tenants x"] = "--tenants",
    ["--profile a non-mfa --all-profiles"] = "--profile is for one tenant",
    ["--tenant a.example non-mfa --tenants x"] =
      "--tenant is for one tenant, --tenants for several",
    ["--token-stdin non-mfa --all-profiles"] = "--token-stdin is for one tenant",
    ["--profile a status --all-profiles"] = "--profile is for one tenant",
    ["non-mfa --parallel 3"] = "--parallel needs --all-profiles or --tenants",
    ["non-mfa --all-profiles --limit 3"] = "--limit is now --parallel\n",
    ["requests --limit=20"] = "--limit is now --parallel\npcapi: try 'pcapi requests --help'",
    ["non-mfa --rate 3"] = "--rate needs",
    ["non-mfa --all-profiles --parallel 0"] = "--parallel must be a whole number",
    ["non-mfa --all-profiles --parallel 1.5"] = "--parallel must be a whole number",
    ["non-mfa --all-profiles --rate x"] = "--rate must be a positive number",
  } do
    it(words, function()
      local arguments = {}
      for word in words:gmatch "%S+" do
        arguments[#arguments + 1] = word
      end
      local result = run(arguments)
      assert.same({ 2, "" }, { result.status, result.out })
      assert.truthy(result.err:find(said, 1, true), result.err)
    end)
  end
end)

describe("pcapi status --all-profiles", function()
  it("shows the user of each profile, without any request", function()
    keep("contoso", "records=1")
    keep("fabrikam", "records=1")
    all_profiles()
    local result = run({ "status", "--all-profiles" }, { PCAPI_CA_FILE = "/nowhere.pem" })
    assert.equal(0, result.status, result.err)
    local rows = lines(result.out)
    assert.truthy(rows[1]:find "^PROFILE +SIGNED IN +USER +TENANT +MFA +SIGN%-IN UNTIL$")
    assert.truthy(rows[2]:find "^contoso +yes +admin@fabrikam.example +%S+ +yes +%d%d%d%d%-")
    assert.equal(3, #rows)
  end)

  it("ends with status 3 if one profile is not signed in, and names it", function()
    keep("contoso", "records=1")
    write_config "[shop]\ntenant = shop.example\nclient_id = client\n"
    local result = run { "status", "--all-profiles", "--json" }
    assert.equal(3, result.status)
    local shop = cjson.decode(result.out).profiles[2]
    assert.same({ "shop", false }, { shop.profile, shop.signed_in })
    assert.truthy(result.err:find("^pcapi: shop: sign_in_required"), result.err)
  end)
end)
