--- The rows of several tenants: when they are written, in which order, and in how much memory.
local cjson = require("cjson").new()
local core = require "pcapi.core"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local profiles = require "spec.support.profiles"
local sandbox = require "spec.support.sandbox"

local home

before_each(function()
  home = folder.new()
end)

teardown(folder.remove)

local function keep(...)
  profiles.keep(home, ...)
end

local function run(command, ...)
  return sandbox.pcapi({ command, "--all-profiles", ... }, profiles.environment(home))
end

local function command_line(...)
  return sandbox.command_line({ "non-mfa", "--all-profiles", ... }, profiles.environment(home))
end

local function records(text)
  local all = {}
  for line in text:gmatch "[^\n]+" do
    all[#all + 1] = cjson.decode(line)
  end
  return all
end

-- Checks that the records of a tenant stand together, the newest first. Returns how many each has.
local function grouped(list)
  local counts, tenant, last = {}, nil, nil
  for _, record in ipairs(list) do
    local time = record.lastNonMfaCompliantLoginDateTime
    if record.tenant ~= tenant then
      assert.is_nil(counts[record.tenant], record.tenant .. " comes twice")
      tenant, last, counts[record.tenant] = record.tenant, "9", 0
    end
    assert.is_true(time:sub(1, 19) <= last:sub(1, 19))
    last, counts[tenant] = time, counts[tenant] + 1
  end
  return counts
end

local function is_sorted(list)
  for i = 2, #list do
    if list[i].lastNonMfaCompliantLoginDateTime:sub(1, 19)
      > list[i - 1].lastNonMfaCompliantLoginDateTime:sub(1, 19) then
      return false
    end
  end
  return true
end

-- Tenant and user of each record.
local function users_of(list)
  local users = {}
  for i, record in ipairs(list) do
    users[i] = record.tenant .. " " .. record.upn
  end
  return users
end

describe("the rows of a tenant", function()
  it("are written while another tenant still waits", function()
    keep("fast", "records=3")
    keep("slow", "records=2; delay=4")
    local out = home .. "/out"
    local begun, rows = core.now(), {}
    local pid = sandbox.shell(("{ %s >%s 2>%s/err & } ; echo $!"):format(
      command_line("-o", "jsonl"), out, home)).out:match "%d+"
    while #rows < 3 and core.now() < begun + 3.5 do
      core.sleep(0.05)
      rows = records(files.slurp(out))
    end
    assert.same({ fast = 3 }, grouped(rows))
    while sandbox.shell("kill -0 " .. pid).status == 0 and core.now() < begun + 20 do
      core.sleep(0.1)
    end
    assert.same({ fast = 3, slow = 2 }, grouped(records(files.slurp(out))))
  end)

  it("stand together, the newest first", function()
    for i = 1, 5 do
      keep("t" .. i, ("records=40; seed=%d"):format(i))
    end
    local result = run("non-mfa", "-o", "jsonl")
    assert.equal(0, result.status, result.err)
    assert.same({ t1 = 40, t2 = 40, t3 = 40, t4 = 40, t5 = 40 }, grouped(records(result.out)))
  end)

  it("are sorted over all tenants with --sorted, as in a table and in JSON", function()
    for i = 1, 3 do
      keep("t" .. i, ("records=40; seed=%d"):format(i))
    end
    local sorted = run("non-mfa", "-o", "jsonl", "--sorted")
    local rows = records(sorted.out)
    assert.equal(120, #rows, sorted.err)
    assert.is_true(is_sorted(rows))
    assert.same(users_of(cjson.decode(run("non-mfa", "-o", "json").out)), users_of(rows))
    assert.is_false(is_sorted(records(run("non-mfa", "-o", "jsonl").out)))
    local _, count = run("non-mfa", "-o", "csv", "--sorted").out:gsub("\r\n", "")
    assert.equal(121, count)
  end)

  it("are written once if its response was cut and requested again", function()
    keep("cut", "records=200; cut=body; times=1")
    keep("fine", "records=100")
    local result = run("non-mfa", "-o", "jsonl")
    assert.equal(0, result.status, result.err)
    assert.same({ cut = 200, fine = 100 }, grouped(records(result.out)))
  end)

  it("are not written if a later page fails", function()
    keep("cut", "records=30; page=10; on_page=3; status=403")
    keep("fine", "records=10")
    local result = run("non-mfa", "-o", "jsonl")
    assert.same({ 3, { fine = 10 } }, { result.status, grouped(records(result.out)) })
    assert.truthy(result.err:find("1 of 2 tenants failed; the output does not include them", 1,
      true))
  end)

  it("have one header, also if no tenant has a record", function()
    keep("a", "records=0")
    keep("b", "records=0")
    local result = run("non-mfa", "-o", "csv")
    assert.equal(0, result.status, result.err)
    assert.truthy(result.out:find "^tenant,upn,[^\r\n]*\r\n$")
    keep("c", "records=2")
    result = run("non-mfa", "-o", "csv")
    assert.equal(1, select(2, result.out:gsub("tenant,upn", "")))
    assert.equal(3, select(2, result.out:gsub("\r\n", "")))
  end)

  it("are not written at all, nor a header, if all tenants fail", function()
    keep("a", "status=403")
    keep("b", "mfa=900421")
    for _, format in ipairs { "csv", "jsonl" } do
      local result = run("non-mfa", "-o", format)
      assert.same({ 4, "" }, { result.status, result.out })
      assert.truthy(result.err:find("2 of 2 tenants failed; nothing was written", 1, true))
    end
  end)

  it("have the fields of adoption, grouped or not", function()
    keep("a")
    keep("b")
    local result = run("adoption", "-o", "csv", "--columns", "tenant,application,share")
    assert.truthy(result.out:find "^tenant,application,share\r\n%l,[^\r\n]+,%d+\r\n", result.err)
    result = run("adoption", "-o", "csv", "--by", "day")
    assert.truthy(result.out:find "^tenant,loginDate,mfa%w+,total%w+,share\r\n%l,%d", result.err)
    result = run("adoption", "-o", "csv", "--by", "application")
    local last = -1
    for share in result.out:gmatch ",(%d+)\r\n" do -- the lowest share of all tenants first
      assert.is_true(tonumber(share) >= last)
      last = tonumber(share)
    end
    assert.is_true(last >= 0, result.err)
  end)

  it("may have a field that only records know", function()
    keep("a", "records=2; extra=1")
    keep("b", "records=1")
    local result = run("non-mfa", "-o", "csv", "--columns", "tenant,riskScore")
    assert.equal(0, result.status, result.err)
    assert.truthy(result.out:find("tenant,riskScore\r\n", 1, true), result.out)
    result = run("non-mfa", "-o", "csv", "--columns", "upn,nowhere")
    assert.same({ 2, "" }, { result.status, result.out })
    assert.truthy(result.err:find("there is no field 'nowhere'; there are tenant, upn", 1, true))
  end)
end)

describe("Ctrl-C while tenants wait", function()
  it("leaves the rows of those that are done, and says what is missing", function()
    keep("fast", "records=3")
    keep("slow", "records=2; delay=20")
    local result = sandbox.shell("timeout --foreground --preserve-status -s INT 4 "
      .. command_line("-o", "jsonl"))
    assert.equal(130, result.status)
    assert.same({ fast = 3 }, grouped(records(result.out)))
    assert.equal("pcapi: interrupted; the output does not include 1 of 2 tenants\n", result.err)
  end)
end)

describe("standard output that is full", function()
  it("ends the command at the first tenant", function()
    keep("fast", "records=3")
    keep("slow", "records=2; delay=20")
    local begun = core.now()
    local result = sandbox.shell(command_line("-o", "jsonl") .. " >/dev/full")
    assert.is_true(core.now() < begun + 15)
    assert.same({ 1, "pcapi: cannot write to standard output: No space left on device\n" },
      { result.status, result.err })
  end)
end)

describe("the memory of the command", function()
  local PRINT_PEAK = [[
    local exit = os.exit
    os.exit = function(...)
      for line in io.lines "/proc/self/status" do
        if line:find "^VmHWM" then
          io.stderr:write(line, "\n")
        end
      end
      exit(...)
    end]]

  -- Lists the requests of so many tenants, 10,000 each. Returns the most memory in MB.
  local function peak_of(count, ...)
    local list = {}
    for i = 1, count do
      list[i] = ("t%d.example\n"):format(i)
    end
    local result = sandbox.shell(("printf %%s '%s' | %s | wc -l"):format(table.concat(list),
      sandbox.command_line({ "-q", "requests", "--tenants", "-", "-o", "jsonl", ... }, {
        HOME = home, PCAPI_TOKEN = false, PCAPI_CLIENT_ID = "client", LUA_INIT = PRINT_PEAK,
        PCAPI_REFRESH_TOKEN = profiles.refresh_token(),
        PCAPI_LOGIN_URL = profiles.login_url "records=10000",
      })))
    assert.equal(count * 10000, tonumber(result.out), result.err)
    return tonumber(result.err:match "VmHWM:%s*(%d+) kB") / 1024
  end

  it("does not grow with the number of tenants", function()
    local few, many = peak_of(2), peak_of(10)
    assert.is_true(many < few + 60, ("%.0f MB, then %.0f MB"):format(few, many)) -- not 28 for each
  end)
end)
