-- measure.lua KIND FOLDER-OF-A FOLDER-OF-B: measures one store of sign-ins that two machines mount,
-- by the real command against the sandbox. Run by: bench/share/run KIND
--   KILLS=200           so many processes are killed while both machines renew
--   ROUNDS=5            so many times, processes of both machines need one sign-in at once
--   PARTS="calls rush"  these parts only, of calls, rush, death, loss, outage and kills
local auth = require "pcapi.auth"
local cjson = require("cjson").new()
local core = require "pcapi.core"
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local sandbox = require "spec.support.sandbox"

local KIND, A, B = arg[1], arg[2], arg[3]
local KILLS = tonumber(os.getenv "KILLS") or 200
local ROUNDS = tonumber(os.getenv "ROUNDS") or 5
local PROCESSES, CALLS = 25, 100
local HAS_LOCKS = KIND ~= "sshfs"
local HOLD = 1 -- seconds that the sign-in service takes, so that all processes are there

-- Machine B has a host name of its own.
local AS_B = [[unshare --uts sh -c 'hostname b && exec "$@"' - ]]

local stores = { auth.file_store(A), auth.file_store(B) }
local homes = { folder.new(), folder.new() }
local has_failed = false

local function report(what, value, ...)
  print(("%-62s %s"):format(what, value:format(...)))
  io.stdout:flush()
end

local function must(is_so, what, ...)
  if not is_so then
    has_failed = true
    report("FAILED", what, ...)
  end
end

-- Reports each line once, with the number of times that it comes.
local function report_lines(text)
  local times, lines = {}, {}
  for line in text:gsub("rush%d", "rush"):gmatch "[^\n]+" do
    times[line] = (times[line] or 0) + 1
    lines[#lines + 1] = times[line] == 1 and line or nil
  end
  for _, line in ipairs(lines) do
    report(("  %d times"):format(times[line]), "%s", line)
  end
end

local function login_url(settings)
  return sandbox.url .. "/login/" .. (settings or "-")
end

-- Stores a sign-in whose access token has expired. Returns its tenant.
local function sign_in(name, settings)
  local tenant = "t" .. core.uuid() .. ".example"
  local seed = curl.fetch { url = sandbox.url .. "/_sandbox/refresh_token?client_id=client" }.body
  assert(stores[1]:set(name, cjson.encode {
    version = 1, client_id = "client", tenant = tenant, refresh_token = seed,
    settings = { tenant = tenant, client_id = "client", login_url = login_url(settings) },
  }))
  return tenant
end

-- The number of refresh requests.
local function refreshes(tenant, settings)
  local count = 0
  for _, entry in ipairs(sandbox.fetch("/_sandbox/log?login=" .. (settings or "-") .. "/"
      .. tenant).json) do
    count = count + (entry.grant_type == "refresh_token" and 1 or 0)
  end
  return count
end

-- The command line of pcapi on a machine.
local function line_of(machine, words)
  return (machine == 2 and AS_B or "") .. sandbox.command_line(words, {
    HOME = homes[machine], PCAPI_STORE = machine == 1 and A or B, PCAPI_TOKEN = false,
    PCAPI_LOGIN_URL = false,
  })
end

-- Runs a command line. Returns its result and the seconds that it took.
local function run(line)
  local began = core.now()
  local result = sandbox.shell(line)
  return result, core.now() - began
end

local function median(values)
  table.sort(values)
  return values[math.ceil(#values / 2)]
end

local function microseconds(act)
  local all = {}
  for i = 1, CALLS do
    local began = core.now()
    act()
    all[i] = (core.now() - began) * 1e6
  end
  return median(all)
end

local function measure_operations()
  sign_in "calls"
  local text = stores[1]:get "calls"
  text = text .. (" "):rep(4000 - #text) -- a sign-in of Entra has 4 KB
  report("lock and unlock", "%.0f µs", microseconds(function()
    assert(stores[1]:lock "calls")()
  end))
  report("read", "%.0f µs", microseconds(function()
    assert(stores[1]:get "calls")
  end))
  report("replace", "%.0f µs", microseconds(function()
    assert(stores[1]:set("calls", text))
  end))
end

-- Processes of both machines need one expired sign-in at the same moment.
local function measure_rush()
  local sent, seconds, problems = {}, {}, {}
  local settings = "delay=" .. HOLD
  for round = 1, ROUNDS do
    local name = "rush" .. round
    local tenant = sign_in(name, settings)
    local words = { "token", "--profile", name }
    local result, took = run(("for i in $(seq %d); do %s >>%s/out & %s >>%s/out & done; wait")
      :format(PROCESSES, line_of(1, words), homes[1], line_of(2, words), homes[2]))
    problems[round] = result.err
    sent[round], seconds[round] = refreshes(tenant, settings), took
  end
  local tokens = #files.lines_of(("cat %s/out %s/out"):format(homes[1], homes[2]))
  report(("%d processes on each, %d times: tokens"):format(PROCESSES, ROUNDS), "%d", tokens)
  must(not HAS_LOCKS or tokens == 2 * PROCESSES * ROUNDS, "a process got none")
  report_lines(table.concat(problems))
  report("the same: refresh requests each time", "%s", table.concat(sent, " "))
  report(("the same, %d s of it the sign-in service: median"):format(HOLD), "%.1f s",
    median(seconds))
  must(sent[#sent] >= 1 and (not HAS_LOCKS or math.max((table.unpack or unpack)(sent)) == 1),
    "more than one refresh request")
end

-- Starts a process of machine A that holds the lock of an account. Returns its id.
local function start_holder(name)
  local started = homes[1] .. "/" .. name
  return files.lines_of(([[%s -e 'local auth = require "pcapi.auth"
    assert(auth.file_store(%q):lock(%q)) io.open(%q, "w"):close() os.execute "exec sleep 600"' \
    >/dev/null 2>&1 & echo $!; until [ -e %s ]; do sleep 0.01; done]]):format(sandbox.lua, A, name,
    started, started))[1]
end

-- Seconds until machine B gets the lock.
local function wait_for_lock(name)
  local began = core.now()
  local unlock
  repeat
    unlock = stores[2]:lock(name)
    if not unlock then
      os.execute "sleep 0.01"
    end
  until unlock or core.now() - began > 300
  must(unlock, "the lock of a dead process stays")
  unlock()
  return core.now() - began
end

local function measure_death()
  local holder = start_holder "death"
  local is_locked = not stores[2]:lock "death"
  report("a lock of A, seen from B", is_locked and "held" or "FREE")
  must(is_locked == HAS_LOCKS, "the lock of the other machine")
  if not is_locked then
    return os.execute("kill -9 " .. holder)
  end
  os.execute("kill -9 " .. holder)
  report("after kill -9 of its holder on A, B has the lock in", "%.0f ms",
    wait_for_lock "death" * 1000)
  if os.getenv "SHARE_CUT_A" then
    holder = start_holder "cut"
    assert(os.execute(os.getenv "SHARE_CUT_A"))
    report("after A lost its network, B has the lock in", "%.0f s", wait_for_lock "cut")
    os.execute("kill -9 " .. holder)
    assert(os.execute(os.getenv "SHARE_MEND_A"))
  end
end

local function report_run(what, words, machine, before)
  local result, seconds = run((before or "") .. "timeout 600 " .. line_of(machine, words))
  report(("%s: pcapi %s, status %d"):format(what, words[1], result.status), "%.1f s", seconds)
  report_lines(result.err)
  return result.status
end

-- Machine B loses the share while it asks ten tenants, one after the other.
local function measure_loss()
  if not os.getenv "SHARE_CUT" then
    return
  end
  local names = {}
  for i = 1, 10 do
    names[i] = "loss" .. i
    sign_in(names[i], "delay=1")
  end
  local list = folder.write(homes[2] .. "/tenants", table.concat(names, "\n") .. "\n")
  must(report_run("B loses the share", { "watch", "--parallel", "1", "--tenants", list }, 2,
    ("(sleep 7; %s) & "):format(os.getenv "SHARE_CUT")) == 3, "another status")
  assert(os.execute(os.getenv "SHARE_MEND"))
end

local function measure_outage()
  local token = { "token", "--profile", "outage" }
  local tenant = sign_in "outage"
  for _, name in ipairs { "one", "two", "three" } do
    sign_in(name)
  end
  if not os.getenv "SHARE_CUT" then
    return
  end
  assert(os.execute(os.getenv "SHARE_CUT"))
  local list = folder.write(homes[2] .. "/tenants", "one\ntwo\nthree\n")
  for _, words in ipairs { { "status" }, token, { "watch", "--tenants", list } } do
    must(report_run("B lost the share", words, 2) == 1, "another status")
  end
  must(refreshes(tenant) == 0, "a refresh token was sent")
  assert(os.execute(os.getenv "SHARE_MEND"))
  must(report_run("B has the share again", token, 2) == 0, "another status")
  must(refreshes(tenant) == 1, "the sign-in was lost")
end

-- Starts a process that renews without end. Returns its id, once it has renewed.
local function start_renewing(machine, tenant)
  local begun = homes[machine] .. "/begun"
  os.remove(begun)
  return files.lines_of(([[PCAPI_CLIENT_ID=client PCAPI_LOGIN_URL=%s %s %s spec/support/renew.lua \
    %s %s for-ever >%s 2>&1 & echo $!; n=0
    until [ -s %s ] || [ $((n+=1)) -gt 3000 ]; do sleep 0.01; done]]):format(login_url(),
    machine == 2 and AS_B or "", sandbox.lua, machine == 1 and A or B, tenant, begun, begun))[1]
end

-- Kills a process at a random moment. The sign-in must then be whole on both machines, and renew.
local function kill_one(running, tenant, problems)
  local victim = core.random() < 0.5 and 1 or 2
  os.execute(("sleep %.4f; kill -9 %s 2>/dev/null"):format(0.2 * core.random(), running[victim]))
  for _, store in ipairs(stores) do
    local text, why = store:get "spec"
    local ok, json = pcall(cjson.decode, text)
    if not ok or not json.refresh_token then
      problems[#problems + 1] = ("%s %s\n"):format(text or "no text", tostring(why))
    end
  end
  running[victim] = start_renewing(victim, tenant)
  local begun = files.slurp(homes[victim] .. "/begun")
  problems[#problems + 1] = begun ~= "ok\n" and begun .. "\n" or nil
end

local function measure_kills()
  local tenant, problems = sign_in "spec", {}
  local running = { start_renewing(1, tenant), start_renewing(2, tenant) }
  for _ = 1, KILLS do
    kill_one(running, tenant, problems)
  end
  for _, id in ipairs(running) do
    os.execute(("kill -9 %s 2>/dev/null"):format(id))
  end
  report(("%d kills while both renew: renewals"):format(KILLS), "%d", refreshes(tenant))
  must(not HAS_LOCKS or #problems == 0, "%d problems", #problems)
  report_lines(table.concat(problems))
  for machine = 1, 2 do
    os.execute "sleep 2" -- for the caches of a share without locks
    local id = start_renewing(machine, tenant)
    must(files.slurp(homes[machine] .. "/begun") == "ok\n", "the sign-in is lost")
    os.execute(("kill -9 %s 2>/dev/null"):format(id))
  end
end

local PARTS = { calls = measure_operations, rush = measure_rush, death = measure_death,
                loss = measure_loss, outage = measure_outage, kills = measure_kills }
for name in (os.getenv "PARTS" or "calls rush death loss outage kills"):gmatch "%S+" do
  PARTS[name]()
end
folder.remove()
os.exit(not has_failed)
