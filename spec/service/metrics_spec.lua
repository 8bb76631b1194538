--- `pcapi metrics`, and the file that `pcapi watch` writes for node_exporter.
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local sandbox = require "spec.support.sandbox"
local watched = require "spec.support.watched"

-- Kim is in the baseline; Lee comes on the 12th.
local STORY = [[
  2026-11-10T09:00:00Z kim@fabrikam.example signs-in
  2026-11-12T09:00:00Z lee@fabrikam.example signs-in]]
local FIRST, SECOND = "2026-11-11T06:00:00Z", "2026-11-13T06:00:00Z"
local FIRST_EPOCH, SECOND_EPOCH = 1794376800, 1794549600

-- Root may write everywhere.
local AS_USER = sandbox.shell("id -u").out == "0\n"
  and "setpriv --bounding-set=-all --inh-caps=-all " or ""

local home, directory, path

before_each(function()
  home = watched.tell(STORY)
  directory = home.home .. "/prom"
  path = directory .. "/pcapi.prom"
  os.execute(("mkdir '%s'; chmod 755 '%s'"):format(directory, directory))
end)

after_each(folder.remove)

local function configure(more)
  home:configure((more or "") .. "\n[metrics]\ntextfile = prom")
end

-- The samples of a text, by name and labels.
local function samples(text)
  local found = {}
  for line in text:gmatch "[^\n]+" do
    local sample, value = line:match "^(pcapi[^%s]*.-) (%S+)$"
    found[sample or 1] = sample and tonumber(value)
  end
  found[1] = nil
  return found
end

local function written()
  return samples(files.slurp(path))
end

local function metrics(arguments, environment)
  local words = { "metrics" }
  for _, word in ipairs(arguments or {}) do
    words[#words + 1] = word
  end
  return sandbox.pcapi(words, home:environment(environment))
end

-- The value of a metric of the only tenant.
local function value(found, name, list)
  for sample, number in pairs(found) do
    if sample:match "^[^{]+" == name and (not list or sample:find('list="' .. list .. '"', 1, true))
    then
      return number
    end
  end
end

describe("pcapi metrics", function()
  it("prints what the history knows, and names no user", function()
    assert.equal(0, home:run(FIRST).status)
    assert.equal(0, home:run(SECOND).status)
    local result = metrics()
    assert.same({ 0, "" }, { result.status, result.err })
    local found = samples(result.out)
    for _, case in ipairs {
      { "pcapi_up", "users", 1 }, { "pcapi_up", "requests", 1 }, { "pcapi_up", "adoption", 1 },
      { "pcapi_list_timestamp_seconds", "users", SECOND_EPOCH },
      { "pcapi_list_truncated", "users", 0 }, { "pcapi_non_mfa_users", nil, 2 },
      { "pcapi_non_mfa_new_users", nil, 1 }, { "pcapi_non_mfa_healing_users", nil, 0 },
      { "pcapi_non_mfa_excluded_users", nil, 0 }, { "pcapi_non_mfa_requests", nil, 0 },
      { "pcapi_non_mfa_oldest_open_timestamp_seconds", nil, 1794301200 },
      { "pcapi_run_last_success_timestamp_seconds", nil, SECOND_EPOCH },
    } do
      assert.equal(case[3], value(found, case[1], case[2]), case[1])
    end
    assert.is_nil(result.out:find("kim", 1, true) or result.out:find("lee", 1, true)
      or result.out:find("@", 1, true))
    assert.same({}, files.lines_of("ls -A " .. directory))
  end)

  it("needs a history, and asks no service", function()
    local result = metrics()
    assert.same({ 1, "" }, { result.status, result.out })
    assert.matches("there is no history at", result.err, 1, true)
    home:run(FIRST)
    result = metrics({}, { PCAPI_BASE_URL = "https://localhost:1", PCAPI_TOKEN = false })
    assert.same({ 0, "" }, { result.status, result.err })
  end)

  it("writes a file for all users, by its name at once", function()
    home:run(FIRST)
    local result = metrics { "--textfile", directory .. "/" }
    assert.same({ 0, "", ("pcapi: wrote %s\n"):format(path) },
      { result.status, result.out, result.err })
    assert.equal("", metrics({ "--textfile", directory, "--quiet" }).err)
    assert.equal(metrics().out, files.slurp(path))
    assert.same({ "pcapi.prom" }, files.lines_of("ls -A " .. directory))
    assert.equal("644", files.lines_of("stat -c %a " .. path)[1])
  end)

  it("says when the sign-in of a tenant ends, the latest of several profiles", function()
    local tid = "5f0b3c1e-0000-4000-8000-0000000000aa"
    home.tid = tid
    for days, name in ipairs { "newer", "older" } do
      home:sign_in(name, tid, nil, { access_token = sandbox.token { tid = tid },
                                     obtained_at = FIRST_EPOCH - days * 86400,
                                     expires_at = FIRST_EPOCH })
    end
    assert.equal(0, home:run(FIRST).status)
    assert.equal(FIRST_EPOCH + 89 * 86400,
      value(samples(metrics().out), "pcapi_sign_in_expires_timestamp_seconds"))
    home:sign_out "newer"
    home:sign_out "older"
    assert.is_nil(value(samples(metrics().out), "pcapi_sign_in_expires_timestamp_seconds"))
  end)

  it("leaves out a tenant that runs have not asked for 30 days", function()
    local other = "5f0b3c1e-0000-4000-8000-0000000000ab"
    home:run("2026-11-02T06:00:00Z", nil, { PCAPI_TOKEN = sandbox.token {
      scenario = "story=" .. home.label, tid = other } })
    home:run("2026-12-02T05:00:00Z")
    assert.matches(other, metrics().out, 1, true)
    home:run("2026-12-02T07:00:00Z")
    assert.is_nil(metrics().out:find(other, 1, true))
  end)
end)

describe("a folder of metrics is refused with its cure if it", function()
  local function refuses(message, cure, run)
    local result = (run or metrics) { "--textfile", directory }
    assert.same({ 1, "" }, { result.status, result.out })
    assert.matches("pcapi: store: the metrics: " .. message, result.err, 1, true)
    assert.matches(cure, result.err, 1, true)
  end

  before_each(function()
    home:run(FIRST)
  end)

  it("is missing, or no folder", function()
    os.remove(directory)
    refuses(directory .. " is missing", "Make it, or name the folder that node_exporter reads")
    folder.write(directory, "")
    refuses(directory .. " is no folder", "Make it, or name the folder")
  end)

  it("cannot be written to", function()
    os.execute(("chmod 555 '%s'; chmod 755 '%s'"):format(directory, home.home))
    refuses(path .. " could not be written: Permission denied",
      "Grant this user the permission, or set the folder of metrics to", function(arguments)
        table.insert(arguments, 1, "metrics")
        return sandbox.shell(AS_USER .. sandbox.command_line(arguments, home:environment()))
      end)
  end)

  it("cannot be read by others", function()
    os.execute(("chmod 700 '%s'"):format(directory))
    refuses("no other user can enter " .. directory, "Choose a directory with mode 0750")
  end)

  it("has a file of another history, such as of another user", function()
    metrics { "--textfile", directory }
    local before = files.slurp(path)
    local other = home.home .. "/other/history.sqlite"
    home:run(FIRST, nil, { PCAPI_HISTORY = other })
    refuses(path .. " is of another history, " .. home.history,
      "Set the folder of metrics to another one for one of them", function(arguments)
        return metrics(arguments, { PCAPI_HISTORY = other })
      end)
    assert.equal(before, files.slurp(path))
  end)

  it("has a file of that name that pcapi did not write", function()
    folder.write(path, "mine 1\n")
    refuses(path .. " is not one that pcapi wrote", "Remove " .. path)
    assert.equal("mine 1\n", files.slurp(path))
  end)
end)

describe("the metrics of pcapi watch", function()
  it("are written after each run, with how long it took", function()
    configure()
    assert.same({ 0, "" }, { home:run(FIRST).status, home:run(FIRST).err })
    assert.equal(1, value(written(), "pcapi_non_mfa_users"))
    local duration = value(written(), "pcapi_run_duration_seconds")
    assert.is_true(duration > 0 and duration < 60)
    home:run(SECOND)
    assert.same({ 2, 1 }, { value(written(), "pcapi_non_mfa_users"),
                            value(written(), "pcapi_non_mfa_new_users") })
  end)

  it("say how many notices wait for a channel", function()
    configure("[notify ops]\ntype = jsonl\npath = missing/ops.jsonl")
    local pending = 'pcapi_notices_pending{channel="ops"}'
    assert.equal(1, home:run(FIRST, { "--notify" }).status)
    assert.equal(1, written()[pending])
    os.execute(("mkdir -m 700 '%s/missing'"):format(home.home))
    assert.equal(0, home:run(SECOND, { "--notify" }).status)
    assert.equal(0, written()[pending])
  end)

  it("say that the tenant is down, and keep the last success and the figures", function()
    configure()
    home:run(FIRST)
    local result = home:run(SECOND, nil, { PCAPI_TOKEN = sandbox.token {
      scenario = "story=" .. home.label .. "; status=500" } })
    assert.is_true(result.status ~= 0)
    for _, list in ipairs { "users", "requests", "adoption" } do
      assert.equal(0, value(written(), "pcapi_up", list))
      assert.equal(FIRST_EPOCH, value(written(), "pcapi_list_timestamp_seconds", list))
    end
    assert.same({ 1, FIRST_EPOCH }, { value(written(), "pcapi_non_mfa_users"),
      value(written(), "pcapi_run_last_success_timestamp_seconds") })
    home:run(SECOND)
    assert.equal(1, value(written(), "pcapi_up", "users"))
  end)

  it("say which list is down", function()
    configure()
    home:run(FIRST)
    home:run(SECOND, nil, { PCAPI_TOKEN = sandbox.token { scenario = "story=" .. home.label
      .. "; status=500; only=requests" } })
    assert.same({ 1, 0, 1 }, { value(written(), "pcapi_up", "users"),
      value(written(), "pcapi_up", "requests"), value(written(), "pcapi_up", "adoption") })
    assert.same({ SECOND_EPOCH, FIRST_EPOCH },
      { value(written(), "pcapi_list_timestamp_seconds", "users"),
        value(written(), "pcapi_list_timestamp_seconds", "requests") })
  end)

  it("say that a tenant is down that never succeeded", function()
    configure()
    local result = home:run(FIRST, nil, { PCAPI_TOKEN = "no-token",
                                          PCAPI_TENANT = "fabrikam.example" })
    assert.is_true(result.status ~= 0)
    assert.same({ ['pcapi_up{tenant="fabrikam.example",list="users"}'] = 0 },
      (function()
        local found = written()
        found.pcapi_run_duration_seconds = nil
        return found
      end)())
  end)

  it("say that all is down if the run failed before it asked anybody", function()
    configure()
    home:run(FIRST)
    local before = written()
    configure "exceptions = missing.txt"
    assert.is_true(home:run(SECOND).status ~= 0)
    for sample, number in pairs(written()) do
      assert.equal(sample:find "^pcapi_up" and 0 or before[sample], number, sample)
    end
    configure()
    folder.write(home.history, ("no database "):rep(100))
    home:run(SECOND)
    assert.equal(0, value(written(), "pcapi_up", "users"))
    os.remove(path)
    home:run(SECOND)
    assert.same({ ['pcapi_up{list="users"}'] = 0 }, written())
  end)

  it("are written by no dry run and by no wrong command line", function()
    configure()
    home:run(FIRST, { "--dry-run" })
    home:run(FIRST, { "--tenants", "/missing" }, { PCAPI_TOKEN = false })
    assert.same({}, files.lines_of("ls -A " .. directory))
  end)

  it("that cannot be written are an error with the status 1; all else is done", function()
    configure()
    os.remove(directory)
    for _, arguments in ipairs { { "--fail-on", "open" }, {} } do
      local result = home:run(FIRST, arguments)
      assert.equal(1, result.status)
      assert.matches("the metrics: " .. directory .. " is missing", result.err, 1, true)
    end
    assert.equal(1, value(samples(metrics().out), "pcapi_non_mfa_users"))
  end)

  it("are whole when processes write at the same time", function()
    configure()
    home:run(FIRST)
    local command = sandbox.command_line({ "metrics", "--quiet", "--textfile", directory },
      home:environment())
    local result = sandbox.shell(("for i in 1 2 3 4; do (%s && %s) & pids=\"$pids $!\"; done; "
      .. "for pid in $pids; do wait $pid || exit 7; done"):format(command, command))
    assert.same({ 0, "", "" }, { result.status, result.out, result.err })
    assert.equal(metrics().out, files.slurp(path))
    assert.same({ "pcapi.prom" }, files.lines_of("ls -A " .. directory))
  end)
end)
