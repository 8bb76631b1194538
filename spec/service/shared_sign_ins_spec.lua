--- Two machines that share the folder of sign-ins, each with a home, settings and a history of its
-- own. bench/share does the same on file systems of a network.
local auth = require "pcapi.auth"
local cjson = require("cjson").new()
local folder = require "spec.support.folder"
local sandbox = require "spec.support.sandbox"
local watched = require "spec.support.watched"

local STORY = [[
  2026-11-10T09:00:00Z kim@fabrikam.example signs-in
  2026-11-12T09:00:00Z lee@fabrikam.example signs-in]]
local FIRST, SECOND = "2026-11-11T06:00:00Z", "2026-11-13T06:00:00Z"
local TENANTS = {}
for number = 1, 4 do
  TENANTS[number] = ("5f0b3c1e-0000-4000-8000-0000000000%d%d"):format(number, number)
end

local server, store, a, b

local function record_of(name)
  return cjson.decode((auth.file_store(store):get(name)))
end

-- Stores the sign-in of a tenant. The sign-in service takes its time, so that both machines come.
local function sign_in(name, tenant)
  server:sign_in(name, tenant)
  local record = record_of(name)
  record.settings.login_url = record.settings.login_url .. ";delay=0.3"
  assert(auth.file_store(store):set(name, cjson.encode(record)))
end

-- The folder is that of a third machine, as of a file server.
before_each(function()
  server, a, b = watched.tell(STORY), watched.tell "", watched.tell ""
  store = server.home .. "/state/pcapi"
  for number, tenant in ipairs(TENANTS) do
    sign_in("t" .. number, tenant)
  end
end)

after_each(folder.remove)

local function environment(more)
  return sandbox.merged({ PCAPI_TOKEN = false, PCAPI_STORE = store }, more)
end

-- The arguments of pcapi watch for a list of these tenants.
local function list_of(machine, ...)
  local path = machine:write("tenants", table.concat({ ... }, "\n") .. "\n")
  return { "--tenants", path, "-o", "jsonl" }
end

-- The number of refresh requests for each tenant.
local function renewals()
  local counts = {}
  for number, tenant in ipairs(TENANTS) do
    local login = record_of("t" .. number).settings.login_url:match "/login/(.*)$"
    local log = sandbox.fetch("/_sandbox/log?login=" .. login .. "/" .. tenant).json
    counts[number] = 0
    for _, entry in ipairs(log) do
      counts[number] = counts[number] + (entry.grant_type == "refresh_token" and 1 or 0)
    end
  end
  return counts
end

-- Makes all access tokens expire.
local function expire()
  for number in ipairs(TENANTS) do
    local text = auth.file_store(store):get("t" .. number)
    assert(auth.file_store(store):set("t" .. number, (text:gsub('"expires_at":%d+',
      '"expires_at":1000'))))
  end
end

-- Runs pcapi watch on both machines at the same moment. Returns their results.
local function run_both(arguments_of_a, arguments_of_b)
  local lines, results = {}, {}
  for i, machine in ipairs { a, b } do
    local words = { "watch", (table.unpack or unpack)(i == 1 and arguments_of_a or arguments_of_b) }
    lines[i] = ("{ %s >%s/out 2>%s/err; echo $? >%s/status; } &"):format(
      sandbox.command_line(words, machine:environment(environment())), machine.home, machine.home,
      machine.home)
  end
  sandbox.shell(table.concat(lines, " ") .. " wait")
  for i, machine in ipairs { a, b } do
    results[i] = sandbox.shell(("cat %s/out; cat %s/err >&2; exit $(cat %s/status)"):format(
      machine.home, machine.home, machine.home))
    results[i].err = results[i].err:gsub("pcapi: this machine's clock is [^\n]*\n", "")
  end
  return results
end

local function tenants_in(result)
  local names = {}
  for line in result.out:gmatch "[^\n]+" do
    names[#names + 1] = cjson.decode(line).tenant
  end
  table.sort(names)
  return names
end

describe("two collectors that share sign-ins", function()
  it("each ask the tenants of their own list, with one renewal of each", function()
    server:at(FIRST)
    local results = run_both(list_of(a, "t1", "t2"), list_of(b, "t3", "t4"))
    assert.same({ 0, "", 0, "" },
      { results[1].status, results[1].err, results[2].status, results[2].err })
    assert.same({ "t1", "t2" }, tenants_in(results[1]))
    assert.same({ "t3", "t4" }, tenants_in(results[2]))
    assert.same({ 1, 1, 1, 1 }, renewals())
  end)

  it("renew a sign-in once if both need it at the same moment", function()
    server:at(FIRST)
    for round = 1, 2 do
      local results = run_both(list_of(a, "t1", "t2"), list_of(b, "t2", "t1"))
      assert.same({ 0, "", 0, "" },
        { results[1].status, results[1].err, results[2].status, results[2].err })
      assert.same({ round, round, 0, 0 }, renewals())
      expire()
    end
  end)

  it("lose no sign-in with a machine: the other takes its list over", function()
    server:at(FIRST)
    run_both(list_of(a, "t1", "t2"), list_of(b, "t3", "t4"))
    local backup = server.home .. "/a.sqlite"
    assert.equal(0, sandbox.pcapi({ "history", "backup", backup }, a:environment()).status)
    os.execute("rm -rf " .. a.home)
    for _, name in ipairs { "t1", "t2" } do
      local result = sandbox.pcapi({ "history", "import", backup, "--tenant", name },
        b:environment())
      assert.equal(0, result.status, result.err)
    end
    expire()
    server:at(SECOND)
    local result = b:run(nil, list_of(b, "t1", "t2", "t3", "t4"), environment())
    assert.same({ 0, "" }, { result.status, result.err })
    assert.same({ "t1", "t2", "t3", "t4" }, tenants_in(result))
    assert.is_nil(result.out:find('"event":"baseline"', 1, true), result.out)
    assert.same({ 2, 2, 2, 2 }, renewals())
  end)
end)

describe("a folder of sign-ins that two machines write at once, as on a share without locks,",
  function()
    local WRITE = [[local core = require "pcapi.core"
      for i = 1, 300 do assert(core.file_replace(%q, "token", (%q):rep(5000 + i))) end]]

    -- Writes as a machine with that name. No process takes the lock.
    local function write_as(name, letter)
      return ("unshare --uts sh -c 'hostname %s && exec %s %s'"):format(name, sandbox.lua,
        folder.write(server.home .. "/" .. name, WRITE:format(store, letter)))
    end

    it("holds a whole text of one of them at any time", function()
      if sandbox.shell("unshare --uts hostname other").status ~= 0 then
        return pending "needs root, to give a process another host name"
      end
      local done = server.home .. "/done"
      local result = sandbox.shell(("(%s & %s & wait; touch %s) & %s -e '%s'; wait"):format(
        write_as("first", "a"), write_as("second", "b"), done, sandbox.lua, ([[
          local core, seen = require "pcapi.core", {}
          repeat
            local text, why = core.file_read(%q, "token")
            assert(not why, why)
            local letter = text and text:sub(1, 1)
            assert(not text or #text > 5000 and text == letter:rep(#text), "it is torn")
            seen[letter or "none"] = true
          until io.open(%q)
          print(seen.a and seen.b and "both")]]):format(store, done)))
      assert.same({ 0, "both\n", "" }, { result.status, result.out, result.err })
    end)
  end)

describe("a share whose server goes away while a command runs", function()
  it("is waited for once, not by each step of each tenant", function()
    if sandbox.shell("strace -qq -o /dev/null true").status ~= 0 then
      return pending "this machine forbids strace"
    end
    server:at(FIRST)
    local calls = server.home .. "/calls"
    local words = { "watch", (table.unpack or unpack)(list_of(a, "t1", "t2", "t3", "t4")) }
    local result = sandbox.shell(("strace -f -qq -o %s -P %s -e trace=openat -e inject=openat:"
      .. "error=ETIMEDOUT:delay_enter=5200ms:when=9+ "):format(calls, store)
      .. sandbox.command_line(words, a:environment(environment())))
    assert.equal(1, result.status)
    for number in ipairs(TENANTS) do
      assert.matches("pcapi: t" .. number .. ": store: the token store: " .. store, result.err, 1,
        true)
    end
    assert.matches("Connection timed out. Check the server of that share", result.err, 1, true)
    assert.equal("1", sandbox.shell("grep -c INJECTED " .. calls).out:match "%d+")
  end)
end)
