local core = require "pcapi.core"
local exceptions = require "pcapi.history.exceptions"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local history = require "pcapi.history"
local lists = require "spec.support.history_lists"
local memory = require "spec.support.history_store"
local private_folder = require "spec.support.private_folder"
local sqlite = require "pcapi.sqlite"
local summary = require "pcapi.history.summary"

local NOW = 1795845600 -- 2026-11-28T06:00:00Z
local HOUR, DAY = 3600, 86400
local TENANT = "5f0b3c1e-0000-4000-8000-0000000000aa"
local OTHER = "5f0b3c1e-0000-4000-8000-0000000000ab"
local SYNC = "5f0b3c1e-0000-4000-8000-0000000000b1"

local path, sh = private_folder.path, private_folder.sh

local opened

before_each(function()
  private_folder.new()
  opened = assert(history.open(path "history.sqlite"))
end)

after_each(function()
  opened:close()
  folder.remove()
end)

local function id(number)
  return ("5f0b3c1e-0000-4000-8000-%012d"):format(number)
end

-- A user of that number.
local function user(number, at)
  return { id = id(number), upn = ("user%d@x.example"):format(number), at = at }
end

-- Records a run. A field that is false is missing.
local function observe(at, users, fields, into)
  local options = { tenant = TENANT, name = "Fabrikam", now = at, users = lists.users(at, users),
                    requests = lists.requests(at, {}), adoption = lists.adoption(at, {}) }
  for name, value in pairs(fields or {}) do
    options[name] = value or nil
  end
  return assert((into or opened):observe(options))
end

local function read(at, options)
  return core.decode(assert(summary.text(opened, at or NOW, options)))
end

-- The values of a field of people, in their order.
local function values(tenant, name)
  local found = {}
  for i, person in ipairs(tenant.people) do
    found[i] = person[name] or false
  end
  return found
end

describe("a summary of a history", function()
  it("has nothing of an empty one", function()
    assert.equal('{"format":"pcapi summary","schema":1,"at":"2026-11-28T06:00:00Z","people":0,'
      .. '"more_people":0,"tenants":[]}\n', summary.text(opened, NOW))
  end)

  it("says of each person what is known, and what to do", function()
    observe(NOW - DAY, {})
    observe(NOW, { user(1, NOW - HOUR), { id = id(2), at = NOW - 2 * HOUR },
                   { upn = "guest#EXT#@x.example", at = NOW - 3 * HOUR } }, {
      requests = lists.requests(NOW, { { id = id(9), user = id(1), at = NOW - HOUR, mfa = false,
                                         application = SYNC } }),
      adoption = lists.adoption(NOW, { { day = "2026-11-28", application = SYNC, total = 1,
                                         with_mfa = 0, name = "Billing Sync" } }),
    })
    local tenant = read(NOW).tenants[1]
    assert.same({
      objectId = id(1), user = "user1@x.example", state = "open", since = "2026-11-28T05:00:00Z",
      last = "2026-11-28T05:00:00Z", episode = 1, class = "application", certainty = "inference",
      application = { id = SYNC, name = "Billing Sync" }, news = "new",
      step = "Find out who runs Billing Sync, and sign in there with MFA",
    }, tenant.people[1])
    assert.same({ id(1), id(2), false }, values(tenant, "objectId"))
    assert.same({ "user1@x.example", false, "guest#EXT#@x.example" }, values(tenant, "user"))
    assert.equal("guest", tenant.people[3].class)
    assert.equal("Renew the token of Billing Sync by a sign-in with MFA",
      read(NOW, { own = { [SYNC] = true } }).tenants[1].people[1].step)
  end)

  it("says of each tenant how its runs went", function()
    observe(NOW - DAY, { user(1, NOW - 2 * DAY) })
    observe(NOW, { user(1, NOW - HOUR) }, { users = lists.users(NOW, { user(1, NOW - HOUR) },
      { truncated = true }), requests = false, requests_error = { kind = "server" } })
    observe(NOW + HOUR, {}, { users = false, users_error = { kind = "network" } })
    local tenant = read(NOW + HOUR).tenants[1]
    local people, trend = tenant.people, tenant.trend
    tenant.people, tenant.trend = nil, nil
    assert.same({
      id = TENANT, label = "Fabrikam", last_run = "2026-11-28T07:00:00Z",
      last_success = "2026-11-28T06:00:00Z", new_since = "2026-11-27T06:00:00Z",
      lists = { users = "cut", requests = "failed", adoption = "whole" },
      oldest_open = "2026-11-26T06:00:00Z",
      failure = { kind = "network", since = "2026-11-28T07:00:00Z" }, more_people = 0,
      counts = { open = 1, healing = 0, fixed = 0, quiet = 0, lost = 0, excepted = 0, new = 0 },
    }, tenant)
    assert.equal(1, #people)
    assert.same({ from = "2026-11-27", open = { 1, 1 }, opened = { 1, 0 }, fixed = { 0, 0 },
                  gone = { 0, 0 } }, trend)
  end)

  it("names a tenant that only failed", function()
    observe(NOW, {}, { users = false, users_error = { kind = "network" } })
    local tenant = read(NOW).tenants[1]
    assert.same({ nil, nil, 0 }, { tenant.last_success, tenant.lists, #tenant.people })
    assert.equal("network", tenant.failure.kind)
  end)

  it("shows open findings first, then those closed within 30 days, the newest first", function()
    observe(NOW - 40 * DAY, { user(1, NOW - 40 * DAY), user(2, NOW - 40 * DAY) })
    observe(NOW - 39 * DAY, { user(2, NOW - 40 * DAY) }) -- the first one is lost
    observe(NOW - 29 * DAY, { user(3, NOW - 30 * DAY) }) -- the second one is quiet
    observe(NOW, { user(4, NOW - HOUR), user(5, NOW) })
    local tenant = read(NOW).tenants[1]
    assert.same({ id(5), id(4), id(3), id(2) }, values(tenant, "objectId"))
    assert.same({ "open", "open", "quiet", "quiet" }, values(tenant, "state"))
    assert.equal("2026-10-30T06:00:00Z", tenant.people[4].closed)
    assert.same({ open = 2, healing = 0, fixed = 0, quiet = 2, lost = 1, excepted = 0, new = 2 },
      tenant.counts)
  end)

  it("has the end of an exception, and its users are no news", function()
    observe(NOW - DAY, {})
    observe(NOW, { user(1, NOW), user(2, NOW) }, { exceptions = assert(exceptions.parse(
      "user1@x.example * 2026-12-31 break-glass", NOW)) })
    local tenant = read(NOW).tenants[1]
    assert.same({ ["until"] = "2026-12-31", who = "user1@x.example", why = "break-glass" },
      tenant.people[1].exception)
    assert.same({ false, "new" }, values(tenant, "news"))
    assert.same({ 1, 1 }, { tenant.counts.excepted, tenant.counts.new })
  end)

  it("gives the same bytes from another store with the same history", function()
    local other = history.new(memory.new())
    for _, into in ipairs { opened, other } do
      for _, tenant in ipairs { TENANT, OTHER } do
        local users = {}
        for day = 1, 12 do
          users[day] = user(day, NOW - (13 - day) * DAY)
          observe(NOW - (12 - day) * DAY, { users[day], users[day - 1], users[day - 2] },
            { tenant = tenant, requests = lists.requests(NOW - (12 - day) * DAY, {
              { id = id(day), user = id(day), application = SYNC, mfa = day % 2 == 0,
                at = NOW - (13 - day) * DAY } }) }, into)
        end
      end
    end
    local text = assert(summary.text(opened, NOW))
    assert.equal(text, summary.text(other, NOW))
    assert.equal(text, summary.text(opened, NOW))
  end)

  it("escapes what a terminal or a page might take amiss", function()
    observe(NOW, { { id = id(1), upn = "<b>\226\128\174\27[2J\"", at = NOW } })
    local text = assert(summary.text(opened, NOW))
    assert.truthy(text:find([["<b>\u202e\u001b[2J\""]], 1, true), text)
    assert.equal("<b>\226\128\174\27[2J\"", core.decode(text).tenants[1].people[1].user)
  end)
end)

describe("news in a summary", function()
  it("is what was recorded since the last run that was 20 hours earlier", function()
    observe(NOW - 3 * DAY, {})
    observe(NOW - 2 * DAY, { user(1, NOW - 2 * DAY) })
    observe(NOW, { user(1, NOW - 2 * DAY), user(2, NOW - DAY) }) -- a day was missed
    for hour = 1, 19 do
      local at = NOW + hour * HOUR
      observe(at, { user(1, NOW - 2 * DAY), user(2, NOW - DAY), user(3, NOW + HOUR) })
      assert.same({ "new", "new", false }, values(read(at).tenants[1], "news"))
    end
    local at = NOW + 23 * HOUR -- of a day of 23 hours
    observe(at, { user(1, NOW - 2 * DAY), user(2, NOW - DAY), user(3, NOW + HOUR) })
    local tenant = read(at).tenants[1]
    assert.same({ false, false, false }, values(tenant, "news"))
  end)

  it("is not a tenant's baseline", function()
    observe(NOW, { user(1, NOW) })
    local tenant = read(NOW).tenants[1]
    assert.same({ false }, values(tenant, "news"))
    assert.is_nil(tenant.new_since)
    assert.equal(0, tenant.counts.new)
  end)

  it("stays until a reader was told", function()
    observe(NOW - 5 * DAY, {})
    assert(opened:changes { now = NOW - 5 * DAY })
    for day = 4, 1, -1 do
      observe(NOW - day * DAY, { user(1, NOW - 4 * DAY) })
    end
    local tenant = read(NOW).tenants[1]
    assert.same({ { "new" }, { false } }, { values(tenant, "news"), values(tenant, "told") })
    assert.is_false(tenant.people[1].told)
    assert(opened:changes { now = NOW })
    assert.same({ false }, values(read(NOW).tenants[1], "news"))
    observe(NOW, { user(1, NOW - 4 * DAY), user(2, NOW) })
    assert(opened:changes { now = NOW })
    tenant = read(NOW).tenants[1]
    assert.same({ "new", false }, values(tenant, "news"))
    assert.is_true(tenant.people[1].told)
  end)

  it("names those who are back", function()
    observe(NOW - 20 * DAY, { user(1, NOW - 20 * DAY) })
    observe(NOW - 10 * DAY, {})
    observe(NOW, { user(1, NOW) })
    local person = read(NOW).tenants[1].people[1]
    assert.same({ "back", 2, "2026-11-28T06:00:00Z" }, { person.news, person.episode,
                                                        person.since })
  end)
end)

describe("a summary with too many people", function()
  local most, bytes = summary.MOST_PEOPLE, summary.MOST_BYTES

  after_each(function()
    summary.MOST_PEOPLE, summary.MOST_BYTES = most, bytes
  end)

  local function add(tenant, count)
    local users = {}
    for i = 1, count do
      users[i] = user(i, NOW - i)
    end
    observe(NOW, users, { tenant = tenant })
  end

  it("has the newest of each tenant, and counts the others", function()
    add(TENANT, 30)
    add(OTHER, 4)
    add(id(7), 20)
    summary.MOST_PEOPLE = 20
    local found = read(NOW)
    assert.same({ 20, 34 }, { found.people, found.more_people })
    local shown = {}
    for i, tenant in ipairs(found.tenants) do
      shown[i] = { #tenant.people, tenant.more_people, tenant.counts.open }
      assert.equal(id(1), tenant.people[1].objectId)
    end
    assert.same({ { 8, 12, 20 }, { 8, 22, 30 }, { 4, 0, 4 } }, shown)
  end)

  it("has room for all if they fit exactly", function()
    add(TENANT, 3)
    add(OTHER, 4)
    summary.MOST_PEOPLE = 7
    local found = read(NOW)
    assert.same({ 7, 0 }, { found.people, found.more_people })
  end)

  it("ends at a number of bytes too", function()
    observe(NOW, { { id = id(1), upn = "a", at = NOW },
                   { id = id(2), upn = ("b"):rep(5000), at = NOW - 1 } })
    summary.MOST_BYTES = 5000
    local found = read(NOW)
    assert.same({ 1, 1 }, { found.people, found.more_people })
    assert.equal("a", found.tenants[1].people[1].user)
  end)
end)

describe("the file of a summary", function()
  local place

  before_each(function()
    place = path "out"
    sh("mkdir '%s'; chmod 755 '%s'", place, place)
  end)

  local function refused(where, message, cure, options)
    local ok, err = summary.write(opened, where, NOW, options)
    assert.is_nil(ok)
    assert.equal("store", err.kind)
    assert.matches(message, err.message, 1, true)
    assert.matches(cure, err.hint, 1, true)
    assert.equal("", sh("ls -A '%s'", place))
  end

  it("is replaced as a whole, for its group to read", function()
    for day = 0, 1 do
      observe(NOW + day * DAY, { user(1, NOW) })
      assert.is_true(summary.write(opened, place .. "/summary.json", NOW + day * DAY))
      assert.equal(summary.text(opened, NOW + day * DAY), files.slurp(place .. "/summary.json"))
      assert.equal("640", private_folder.mode(place .. "/summary.json"))
    end
    assert.equal("summary.json", sh("ls -A '%s'", place))
  end)

  it("is not in the folder of the history, by whatever path", function()
    sh("ln -s . '%s'", path "link")
    for _, where in ipairs { path "s.json", path "out/../s.json", path "link/./s.json" } do
      refused(where, "is the folder of the history", "Choose a folder of its own")
    end
  end)

  it("is not in a folder of sign-ins, where it would be taken for one", function()
    sh("mkdir '%s' '%s'", path "more", path "store")
    local read_environment = os.getenv
    finally(function() os.getenv = read_environment end) -- luacheck: ignore
    os.getenv = function(name) -- luacheck: ignore
      return name == "PCAPI_STORE" and path "store" or nil
    end
    refused(path "store/s.json", "is the folder of sign-ins", "Choose a folder of its own")
    refused(path "more/s.json", "is the folder of sign-ins", "Choose a folder of its own",
      { stores = { path "more" } })
  end)

  it("is not where nobody else can read it, or others can replace it", function()
    sh("mkdir '%s'; chmod 700 '%s'", path "private", path "private")
    refused(path "private/s.json", "no other user can enter", "mode 0750")
    sh("chmod 777 '%s'", path "private")
    refused(path "private/s.json", "other users can write to", "that no other user can write to")
    refused(path "absent/s.json", "No such file or directory", "[history] summary")
  end)

  it("has a name that can name a file", function()
    refused(place .. "/", "is not the path of a file", "Set [history] summary")
    refused(place, "is not the path of a file", "Set [history] summary")
    refused(place .. "/.s.new", "cannot be named .s.new", "Name it summary.json")
    refused(place .. "/" .. ("x"):rep(300), "cannot be named", "Name it summary.json")
  end)

  it("stays as it is if the history cannot be read", function()
    assert.is_true(summary.write(opened, place .. "/summary.json", NOW))
    local before = files.slurp(place .. "/summary.json")
    local broken = history.new(setmetatable({ read = function()
      return nil, { kind = "store" }
    end }, { __index = opened.store }))
    assert.is_nil((summary.write(broken, place .. "/summary.json", NOW + DAY)))
    assert.equal(before, files.slurp(place .. "/summary.json"))
  end)

  it("is replaced by one process at a time", function()
    local publish, other = core.file_publish, nil
    finally(function() core.file_publish = publish end)
    core.file_publish = function(...)
      local db = assert(sqlite.open(path "history.sqlite", { busy_timeout = 0.01, create = false,
                                                             application_id = 0x50434150 }))
      other = { db:transaction(function() return true end) }
      db:close()
      return publish(...)
    end
    assert.is_true(summary.write(opened, place .. "/summary.json", NOW))
    assert.is_nil(other[1])
    assert.matches("another process", other[2], 1, true)
  end)
end)
