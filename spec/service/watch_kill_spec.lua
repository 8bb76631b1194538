--- Kills `pcapi watch` at random moments. Each day has a run that is killed and one that is not; a
-- second history is never disturbed, and says what both together have to tell.
local cjson = require("cjson").new()
local core = require "pcapi.core"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local history = require "pcapi.history"
local watched = require "spec.support.watched"

local DAY, START = 86400, 1793491200 -- 2026-11-01

local function moment(day, hour)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", START + day * DAY + hour * 3600)
end

-- Each day a user of the portal comes, and every third day one from ten days before comes back. A
-- program comes without MFA, and from the next day on with MFA for two weeks.
local function story_of(days)
  local lines = {}
  local function add(format, ...)
    lines[#lines + 1] = format:format(...)
  end
  for day = 0, days do
    add("%s kim%d@x.example signs-in", moment(day, 3), day)
    add("%s svc%d@x.example requests app=App%d; every=1h; count=2", moment(day, 1), day, day % 5)
    add("%s svc%d@x.example requests app=App%d; every=6h; count=50; mfa=1", moment(day + 1, 1),
      day, day % 5)
    if day % 3 == 0 and day >= 12 then
      add("%s kim%d@x.example signs-in", moment(day, 4), day - 12)
    end
  end
  return table.concat(lines, "\n")
end

-- Splits an output into the events that are new in it and those that are repeated. A line that the
-- kill cut off was not told.
local function read(text, fresh, repeated)
  for line in text:gmatch "([^\n]*)\n" do
    local row = cjson.decode(line)
    local key = ("%s %s %s"):format(row.event, row.upn or row.count, row.episode or "")
    local found = row.repeated and repeated or fresh
    found[key] = (found[key] or 0) + 1
  end
end

local function keys(...)
  local all, list = {}, {}
  for _, set in ipairs { ... } do
    for key in pairs(set) do
      all[key] = true
    end
  end
  for key in pairs(all) do
    list[#list + 1] = key
  end
  table.sort(list)
  return list
end

local ARGUMENTS = { "-o", "jsonl" }

-- Starts a run and kills it after some time. Returns what it printed, and whether it was killed.
local function run_killed(home, seconds)
  local out = home.home .. "/out"
  local is_killed = home:run_killed(seconds, { "watch", "-o", "jsonl" }, out)
  return files.slurp(out), is_killed
end

describe("pcapi watch that is killed", function()
  teardown(folder.remove)

  -- KILLS: how many; `make kill` sets 1,000
  it("loses nothing, and calls nothing new twice", function()
    local kills = tonumber(os.getenv "KILLS") or 50
    local text = story_of(kills)
    local home, calm = watched.tell(text), watched.tell(text)
    for _, each in ipairs { home, calm } do
      each:configure "remind = 0"
      each:run(moment(0, 6))
    end
    local killed, in_doubt = 0, 0
    for day = 1, kills do
      local now, fresh, repeated, wanted = moment(day, 6), {}, {}, {}
      local began = core.now()
      read(calm:run(now, ARGUMENTS).out, wanted, {})
      local took = core.now() - began
      local output, is_killed = run_killed(home:at(now), took * (0.3 + 0.8 * core.random()))
      read(output, fresh, repeated)
      killed = killed + (is_killed and 1 or 0)
      assert.same({}, keys(repeated)) -- the run before was not killed
      if day % 2 == 0 then -- on the other days, the next run finds the log of the killed one
        local opened = assert(history.open(home.history))
        assert.is_true(opened:check())
        opened:close()
      end
      local result = home:run(nil, ARGUMENTS)
      assert.same({ 0, "" }, { result.status, result.err })
      read(result.out, fresh, repeated)
      assert.same(keys(wanted), keys(fresh, repeated), now)
      for key, count in pairs(fresh) do
        assert.equal(1, count, key)
      end
      in_doubt = in_doubt + #keys(repeated)
      assert.equal("", home:run(nil, ARGUMENTS).out)
    end
    assert.is_true(killed >= kills / 3, ("only %d were killed"):format(killed))
    if kills >= 200 then
      assert.is_true(in_doubt > 0)
    end
  end)
end)
