--- Kills `pcapi watch --notify` at random moments, above all between decision and delivery: a slow
-- sendmail makes that time long. A second history is never disturbed, and says what is to be told.
local cjson = require("cjson").new()
local core = require "pcapi.core"
local database = require "spec.support.database"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local sandbox = require "spec.support.sandbox"
local watched = require "spec.support.watched"

local DAY, START = 86400, 1793491200 -- 2026-11-01

local function moment(day, hour)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", START + day * DAY + hour * 3600)
end

-- Each day a user comes, and every third day one from ten days before comes back.
local function story_of(days)
  local lines = {}
  for day = 0, days do
    lines[#lines + 1] = ("%s kim%d@x.example signs-in"):format(moment(day, 3), day)
    if day % 3 == 0 and day >= 12 then
      lines[#lines + 1] = ("%s kim%d@x.example signs-in"):format(moment(day, 4), day - 12)
    end
  end
  return table.concat(lines, "\n")
end

local CONFIG = [[
[history]
remind = 0
[notify file]
type = jsonl
path = told.jsonl
[notify mail]
type = mail
to = ops@x.example
from = pcapi@x.example
sendmail = %s/sendmail
]]

-- A killed process may have written nothing, which no sendmail sends. Process ids come again.
local SENDMAIL = [[#!/bin/sh
mail=$(mktemp %s/mail.XXXXXXXXXX) && cat >"$mail" && sleep 0.1 && test -s "$mail" &&
mv "$mail" "%s/mails"
]]

local function told(text)
  local tale = watched.tell(text)
  tale.config = folder.write(tale.home .. "/config", CONFIG:format(tale.home))
  tale:write("sendmail", SENDMAIL:format(tale.home, tale.home))
  sandbox.shell(("chmod 755 %s/sendmail; mkdir %s/mails"):format(tale.home, tale.home))
  return tale
end

-- The events in the file: key to array of the ids of notices.
local function events_of(tale)
  local found = {}
  for line in files.slurp(tale.home .. "/told.jsonl"):gmatch "([^\n]*)\n" do
    local row = cjson.decode(line)
    if row.event ~= "warning" then
      local key = ("%s %s %s %s"):format(row.event, row.upn or row.count, row.episode or "", row.at)
      found[key] = found[key] or {}
      table.insert(found[key], row.notice)
    end
  end
  return found
end

-- The mails: id of the notice to array of texts.
local function mails_of(tale)
  local found = {}
  for _, path in ipairs(files.lines_of(("ls %s/mails/*"):format(tale.home))) do
    local text = files.slurp(path)
    local id = text:match "\nX%-Pcapi%-Dedup: (%x+)"
    found[id] = found[id] or {}
    table.insert(found[id], text)
  end
  return found
end

local function keys(set)
  local list = {}
  for key in pairs(set) do
    list[#list + 1] = key
  end
  table.sort(list)
  return list
end

local function count(tale, where)
  local db = tale:open_database()
  local row = database.row(db, "SELECT count(*) AS n FROM notice WHERE " .. where)
  db:close()
  return row.n
end

-- As if two minutes had gone by: what a killed run held may be tried.
local function wait_for_leases(tale)
  local db = tale:open_database()
  database.run(db, "UPDATE notice SET held_until = held_until - 121 WHERE sent IS NULL")
  db:close()
end

describe("pcapi watch --notify that is killed", function()
  teardown(folder.remove)

  -- KILLS: how many; `make kill` sets 1,000
  it("loses no notice, and repeats one under the same id", function()
    local kills = tonumber(os.getenv "KILLS") or 50
    local text = story_of(kills)
    local tale, calm = told(text), told(text)
    for _, each in ipairs { tale, calm } do
      assert.equal(0, each:run(moment(0, 6), { "--notify" }).status)
    end
    local killed, decided = 0, 0
    for day = 1, kills do
      local began = core.now()
      calm:run(moment(day, 6), { "--notify" })
      local took = core.now() - began
      killed = killed + (tale:at(moment(day, 6)):run_killed(took * (0.4 + 0.7 * core.random()),
        { "watch", "--notify" }) and 1 or 0)
      decided = decided + (count(tale, "sent IS NULL") > 0 and 1 or 0)
      wait_for_leases(tale)
      local result = tale:run(nil, { "--notify" })
      assert.same({ 0, "", "" }, { result.status, result.out, result.err })
      assert.equal(0, count(tale, "sent IS NULL"))
    end
    local wanted, found, repeated = events_of(calm), events_of(tale), 0
    assert.same(keys(wanted), keys(found))
    for key, ids in pairs(found) do
      for _, id in ipairs(ids) do
        assert.equal(ids[1], id, key)
      end
      repeated = repeated + #ids - 1
    end
    local mails = mails_of(tale)
    assert.equal(count(tale, "channel = 'mail'"), #keys(mails))
    for _, texts in pairs(mails) do
      for _, each in ipairs(texts) do
        assert.equal(texts[1], each)
      end
      repeated = repeated + #texts - 1
    end
    assert.is_true(killed >= kills / 3, ("only %d were killed"):format(killed))
    assert.is_true(decided > 0)
    if kills >= 200 then
      assert.is_true(repeated > 0)
    end
    if os.getenv "KILLS_REPORT" then
      print(killed, decided, repeated)
    end
  end)
end)
