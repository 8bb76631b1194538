--- share/postgresql: loads that are killed, against a real PostgreSQL.
local collectors = require "spec.support.collectors"
local core = require "pcapi.core"
local folder = require "spec.support.folder"
local postgres = require "spec.support.postgres"
local sandbox = require "spec.support.sandbox"

local NOW = collectors.NOW
local request, user = collectors.request, collectors.user

local server

setup(function()
  server = postgres.start()
  server:empty()
end)

teardown(function()
  server:stop()
  folder.remove()
end)

-- Returns the seconds that the load took.
local function load(collector)
  local began = core.now()
  local result = collector:load()
  assert.same({ 0, "", "" }, { result.status, result.out, result.err })
  return core.now() - began
end

local function count(what)
  return tonumber(server:sql("SELECT count(*) FROM pcapi." .. what))
end

describe("a load that is killed at random moments", function()
  -- KILLS: how many; `make kill` sets 1,000
  it("is made up by the next", function()
    local kills, killed, requests = tonumber(os.getenv "KILLS") or 12, 0, 0
    local one = collectors.new(server, collectors.program())
    one:observe(NOW, {})
    local took = load(one)
    for i = 1, kills do
      local found = {}
      for number = 1, 100 do
        found[number] = request(i * 1000 + number, NOW - number * 997)
      end
      one:observe(NOW + i, { user(i % 5, NOW) }, found)
      requests = requests + #found
      local after = took * (0.1 + 0.9 * core.random())
      local result = sandbox.shell(("( %s ) >/dev/null 2>&1 & sleep %.4f; kill -9 $! 2>/dev/null; "
        .. "wait $!"):format(one:line(), after))
      if result.status == 137 then
        killed = killed + 1
      else -- the machine became faster
        took = after
      end
      if i % 3 == 0 then -- at other times, several loads that were killed are made up at once
        took = load(one)
        assert.equal(requests, count "request")
        assert.equal(i + 1, count "run")
      end
    end
    load(one)
    assert.equal(requests, count "request")
    assert.equal(tostring(requests), server:sql(
      "SELECT sum(without_mfa + with_mfa + unknown) FROM pcapi.request_count"))
    assert.is_true(killed >= kills / 3, ("only %d were killed"):format(killed))
    local before = collectors.all(server)
    server:sql "UPDATE pcapi.collector SET run = 0"
    load(one)
    assert.equal(before, collectors.all(server))
    one.history:close()
  end)
end)
