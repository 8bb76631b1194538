--- A loop with little memory: bodies that do not fit wait, and all of them arrive.
local core = require "pcapi.core"
local curl = require "spec.support.curl"
local pcapi = require "pcapi"
local sandbox = require "spec.support.sandbox"

local KB, VERSIONS = 1000, { "1.1", "2" }
local LARGE = "records=2000; encoding=none" -- 400 KB
local LARGEST = "records=10000; encoding=none" -- 2 MB

local function tasks_of(count, settings, options)
  local tasks = {}
  for i = 1, count do
    local client = sandbox.client(settings, options)
    tasks[i] = function()
      local list, err = client.security:non_mfa_principals()
      return list and #list, err
    end
  end
  return tasks
end

local function counts_of(results)
  local counts = {}
  for _, result in ipairs(results) do
    local outcome = result.value or result.err.kind
    counts[outcome] = (counts[outcome] or 0) + 1
  end
  return counts
end

for _, version in ipairs(VERSIONS) do
  describe("a loop with less memory than one body has, over HTTP/" .. version, function()
    local options = { http_version = version }

    it("returns all lists, and leaves nothing open", function()
      sandbox.leaves_nothing(function()
        assert.same({ [2000] = 20 }, counts_of(pcapi.concurrent(tasks_of(20, LARGE, options),
          { memory = 50 * KB })))
      end)
    end)

    it("returns them after cuts and retries, too", function()
      local results = pcapi.concurrent(tasks_of(20, LARGE .. "; cut=body; times=1", options),
        { memory = 50 * KB })
      assert.same({ [2000] = 20 }, counts_of(results))
    end)

    it("stops at once, and runs again", function()
      local loop = assert(pcapi.concurrent.new { memory = 300 * KB })
      for _ = 1, 3 do
        local begun = core.now()
        local results = loop:run(tasks_of(20, LARGE .. "; stall=3", options), {
          on_wait = function() loop:stop() end,
        })
        assert.equal("stopped", results.stopped)
        assert.is_true(core.now() - begun < 2)
      end
      assert.same({ [2000] = 20 }, counts_of(loop:run(tasks_of(20, LARGE, options))))
      loop:close()
    end)

    it("returns errors within the timeouts", function()
      local begun = core.now()
      local results = pcapi.concurrent(tasks_of(10, LARGE .. "; stall=10",
        sandbox.merged(options, { timeout = 1, retry = { attempts = 1 } })), { memory = 50 * KB })
      assert.same({ timeout = 10 }, counts_of(results))
      assert.is_true(core.now() - begun < 20)
    end)
  end)
end

describe("a loop over HTTP/1.1", function()
  it("is not stopped by a body that stalls while others wait for its memory", function()
    local ended, tasks = {}, {}
    for i, act in ipairs(tasks_of(10, LARGEST, { http_version = "1.1" })) do
      tasks[i] = act
    end
    tasks[1] = tasks_of(1, LARGEST .. "; stall=10", { http_version = "1.1" })[1]
    for i, act in ipairs(tasks) do
      tasks[i] = function()
        local count, err = act()
        ended[#ended + 1] = i
        return count, err
      end
    end
    local results = pcapi.concurrent(tasks, { memory = 11000 * KB })
    assert.same({ [10000] = 10 }, counts_of(results))
    assert.equal(1, ended[10])
  end)

  -- Sends requests of 2 MB each through a pool of the core. Returns the bytes that have come,
  -- and whether there is room while nobody reads them.
  local function stored(memory)
    local pool = assert(core.pool { watched = true, memory = memory })
    local sessions = {}
    for i = 1, 8 do
      sessions[i] = assert(pool:http { allow_http = true, proxy = "" })
      assert(sessions[i]:start({
        method = "GET", url = sandbox.http_url .. "/v1/nonMfaCompliantPartnerPrincipals",
        timeout = 60, connect_timeout = 5, max_body = 1e8, max_headers = 1e5,
        headers = { "Accept: application/json", "Authorization: Bearer " .. sandbox.token(),
                    "X-Sandbox: " .. LARGEST },
      }, true))
    end
    local bytes, count = 0, 0
    while count < 8 do
      pool:wait(0.05)
      local _, more = pool:next()
      bytes, count = bytes + (more or 0), count + (more and 1 or 0)
    end
    local has_room = pool:has_room()
    for _, session in ipairs(sessions) do
      session:close()
    end
    assert.is_true(pool:has_room())
    pool:close()
    return bytes, has_room
  end

  it("has no room while much waits to be read, and has it again once that is closed", function()
    local bytes, has_room = stored(200e6)
    assert.is_true(bytes > 8 * 2e6 and has_room)
    bytes, has_room = stored(40e6)
    assert.is_true(bytes > 8 * 2e6 and not has_room)
  end)
end)

describe("the requests of a loop", function()
  local function most_at_once(count, settings, options)
    local label = core.uuid()
    local results = pcapi.concurrent(tasks_of(count, settings .. "; label=" .. label), options)
    assert.equal(0, results.failed)
    return curl.fetch { url = sandbox.url .. "/_sandbox/gauge?label=" .. label }.body
      :match '"most_at_once":(%d+)' + 0
  end

  it("are fewer than its limit while there is no memory for their responses", function()
    assert.equal(1, most_at_once(10, "delay=0.02; records=1", { memory = 100 * KB }))
    local most = most_at_once(10, "delay=0.1; records=1", { memory = 5200 * KB })
    assert.is_true(most >= 4 and most <= 6, "at most " .. most)
  end)

  it("are as many as its limit with the memory that it has by default", function()
    assert.equal(30, most_at_once(30, "delay=0.3; records=1"))
  end)
end)
