local exceptions = require "pcapi.history.exceptions"
local lists = require "spec.support.history_lists"
local observe = require "pcapi.history.observe"
local stores = require "spec.support.history_stores"

local NOW = 1795845600 -- 2026-11-28T06:00:00Z
local HOUR, DAY = 3600, 86400
local TENANT = "5f0b3c1e-0000-4000-8000-0000000000aa"
local KIM, LEE = "5f0b3c1e-0000-4000-8000-000000000001", "5f0b3c1e-0000-4000-8000-000000000002"
local SYNC = "5f0b3c1e-0000-4000-8000-0000000000b1"

local function user(id, at, upn)
  return { id = id, at = at, upn = upn or (id == KIM and "kim@x.example" or "lee@x.example") }
end

local requests_made = 0
local function request(person, at, mfa, fields)
  requests_made = requests_made + 1
  local made = { id = ("5f0b3c1e-0000-4000-8000-%012x"):format(requests_made), user = person,
                 at = at, mfa = mfa, application = SYNC, ip = "192.0.2.7", upn = "kim@x.example",
                 operation = "Get /v{version}/customers" }
  for name, value in pairs(fields or {}) do
    made[name] = value
  end
  return made
end

-- One run; without requests, that list failed.
local function run(store, at, users, requests, more)
  local options = {
    tenant = TENANT, name = "x", now = at, users = users and lists.users(at, users),
    requests = requests and lists.requests(at, requests), requests_error = { kind = "server" },
    adoption_error = { kind = "server" },
  }
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  return store:transaction(function()
    return observe.run(store, options)
  end)
end

-- The events of a run: kinds, with the end of the user's key.
local function events_of(summary)
  local kinds = {}
  for i, event in ipairs(summary.events) do
    kinds[i] = event.kind .. (event.person and " " .. event.person.upn:match "^[^@]*" or "")
  end
  return kinds
end

local function person_of(store, id)
  return store:person(store:tenant(TENANT), id)
end

local function state_of(store, id)
  local person = person_of(store, id)
  return person and person.finding and person.finding.state
end

for kind, make in pairs(stores.kinds()) do
  after_each(stores.remove)

  describe(kind .. ": a run of a tenant", function()
    local store
    before_each(function()
      store = make()
      run(store, NOW - 2 * DAY, {}, {})
    end)

    it("tells the first whole list as one number", function()
      store = make()
      local summary = run(store, NOW, { user(KIM, NOW - DAY), user(LEE, NOW - DAY) })
      assert.same({ "baseline" }, events_of(summary))
      assert.equal(2, summary.events[1].count)
      assert.equal("open", state_of(store, KIM))
    end)

    it("tells users of the first list as one number also if it is cut", function()
      store = make()
      local cut = { users = lists.users(NOW, { user(KIM, NOW - DAY) }, { truncated = true }) }
      assert.same({ "baseline" }, events_of(run(store, NOW, nil, {}, cut)))
      local summary = run(store, NOW + HOUR, { user(KIM, NOW - DAY), user(LEE, NOW - 2 * DAY) })
      assert.same({ "baseline" }, events_of(summary))
    end)

    it("tells who signed in since, even before there is a whole list", function()
      store = make()
      run(store, NOW, nil, {}, { users = lists.users(NOW, {}, { truncated = true }) })
      local cut = { users = lists.users(NOW + DAY, { user(KIM, NOW), user(LEE, NOW + 1) },
        { truncated = true }) }
      assert.same({ "new lee", "baseline" }, events_of(run(store, NOW + DAY, nil, {}, cut)))
    end)

    it("tells users of later lists as new", function()
      assert.same({ "new kim" }, events_of(run(store, NOW, { user(KIM, NOW - HOUR) })))
    end)

    it("changes nothing if it is older than the newest run", function()
      run(store, NOW, { user(KIM, NOW - DAY) })
      local summary = run(store, NOW - 1, {})
      assert.is_true(summary.ignored)
      assert.equal("open", state_of(store, KIM))
      assert.equal(2, #store:runs(store:tenant(TENANT)))
    end)

    it("changes nothing if the answer is the same", function()
      local users = { user(KIM, NOW - DAY) }
      local requests = { request(KIM, NOW - DAY, false), request(KIM, NOW - HOUR, true) }
      assert.same({ "new kim", "healing kim" }, events_of(run(store, NOW, users, requests)))
      local received = store:received(store:tenant(TENANT), 0)
      assert.same({}, events_of(run(store, NOW, users, requests)))
      assert.same({}, events_of(run(store, NOW + HOUR, users, requests)))
      assert.same(received, store:received(store:tenant(TENANT), 0))
    end)

    it("goes on after a run that was stored with a time in the future, and says so", function()
      run(store, NOW + 9 * DAY, { user(KIM, NOW - DAY) }, { request(KIM, NOW - DAY, false) })
      assert.is_true(run(store, NOW, {}, {}, { now = NOW + 8 * DAY }).ignored) -- a day is normal
      local summary = run(store, NOW, { user(KIM, NOW - HOUR) }, {})
      assert.is_nil(summary.ignored)
      assert.same({ "the newest run of this tenant says 2026-12-07T06:00:00Z, which is in the "
        .. "future; what it changed stays" }, summary.warnings)
      assert.equal(1, summary.counts.again)
      assert.equal(NOW - 6 * DAY, store:tenant(TENANT).coverage.from)
      assert.same({}, run(store, NOW + DAY, {}, {}).warnings)
    end)

    it("deletes what is over by the earlier of both clocks", function()
      local periods = { keep_requests = 90, keep_findings = 400, keep_notices = 30 }
      run(store, NOW, {}, { request(LEE, NOW - DAY, true) })
      local later = { retention = periods, now = NOW + DAY }
      assert.equal(0, run(store, NOW + 91 * DAY, {}, {}, later).deleted.requests)
      later.now = NOW + 92 * DAY
      assert.equal(1, run(store, NOW + 91 * DAY, {}, {}, later).deleted.requests)
    end)

    it("closes nobody if the list is cut, or an element of it cannot be read", function()
      run(store, NOW, { user(KIM, NOW - DAY) })
      for i, list in ipairs {
        lists.users(NOW + DAY, {}, { truncated = true }),
        lists.users(NOW + DAY, {}, { unreadable = 1 }),
        lists.users(NOW + DAY, { { at = NOW } }),
      } do
        local summary = run(store, NOW + DAY, nil, {}, { users = list })
        assert.equal("open", state_of(store, KIM))
        assert.equal("cut", summary.row.users)
        assert.equal(i == 1 and 1 or nil, summary.counts.not_visible)
      end
      assert.same({ "lost kim" }, events_of(run(store, NOW + DAY, {}, {})))
    end)

    it("changes nothing if the users failed", function()
      run(store, NOW, { user(KIM, NOW - DAY) })
      local failed = { users_error = { kind = "network" } }
      failed.tenant, failed.now = TENANT, NOW + DAY
      local summary = observe.run(store, failed)
      assert.equal("open", state_of(store, KIM))
      assert.equal("network", summary.failure.kind)
      assert.is_true(summary.is_reported)
      failed.now = NOW + 2 * DAY
      assert.is_false(observe.run(store, failed).is_reported)
      assert.is_true(run(store, NOW + 3 * DAY, {}, {}).is_reported) -- it responds again
    end)

    it("stores findings without evidence if the requests failed", function()
      local summary = run(store, NOW, { user(KIM, NOW - DAY) })
      assert.equal("failed", summary.row.requests)
      assert.equal("server", summary.row.requests_error)
      assert.equal("open", state_of(store, KIM))
    end)

    it("uses this machine's clock if the service says no time", function()
      local list = lists.users(NOW, { user(KIM, NOW - DAY) })
      getmetatable(list).__index.date = nil
      local summary = run(store, NOW + 5, nil, {}, { users = list })
      assert.is_true(summary.is_own_clock)
      assert.equal(NOW + 5, summary.row.at)
    end)

    it("keeps tenants apart", function()
      local other = "5f0b3c1e-0000-4000-8000-0000000000ab"
      run(store, NOW, { user(KIM, NOW - DAY) })
      local summary = run(store, NOW, { user(KIM, NOW - DAY) }, {}, { tenant = other })
      assert.same({ "baseline" }, events_of(summary))
      assert.equal("open", state_of(store, KIM))
    end)

    it("takes a guest as a user of the tenant that was asked", function()
      local guest = user(KIM, NOW - DAY)
      guest.tenant = "5f0b3c1e-0000-4000-8000-0000000000ff"
      assert.same({ "new kim" }, events_of(run(store, NOW, { guest })))
      assert.equal(guest.tenant, person_of(store, KIM).tenant_id)
      assert.same({}, events_of(run(store, NOW + HOUR, { user(KIM, NOW - DAY) })))
    end)
  end)

  describe(kind .. ": a user", function()
    local store
    before_each(function()
      store = make()
      run(store, NOW - 2 * DAY, {}, {})
      run(store, NOW, { user(KIM, NOW - DAY) }, {})
    end)

    it("who is renamed is the same user", function()
      local renamed = user(KIM:upper(), NOW - DAY, "kimberly@x.example")
      assert.same({}, events_of(run(store, NOW + DAY, { renamed })))
      assert.equal("kimberly@x.example", person_of(store, KIM).upn)
    end)

    it("keeps the upn if a list lacks it", function()
      for _, upn in ipairs { "", false } do
        local nameless = user(KIM, NOW - DAY)
        nameless.upn = upn or nil
        run(store, NOW + 1, { nameless })
        assert.equal("kim@x.example", person_of(store, KIM).upn)
      end
    end)

    it("who is deleted and created anew is lost and new; the name was known", function()
      local anew = user(LEE, NOW + HOUR, "KIM@x.example")
      local summary = run(store, NOW + DAY, { anew })
      assert.same({ "new KIM", "lost kim" }, events_of(summary))
      assert.equal(KIM, summary.events[1].known_as)
      assert.is_nil(summary.events[2].known_as)
    end)

    it("who is back is told with the day on which the finding was closed", function()
      run(store, NOW + 10 * DAY, {}, {})
      assert.equal("quiet", state_of(store, KIM))
      local summary = run(store, NOW + 11 * DAY, { user(KIM, NOW + 10 * DAY + HOUR) })
      assert.same({ "back kim" }, events_of(summary))
      assert.equal(NOW + 10 * DAY, summary.events[1].closed_at)
      assert.equal(2, summary.events[1].episode)
    end)

    it("without an objectId is recognised by the upn", function()
      assert.same({}, events_of(run(store, NOW + HOUR, { user(nil, NOW - DAY, "KIM@x.example") })))
      assert.equal(NOW + HOUR, person_of(store, KIM).finding.seen)
    end)

    it("who comes with and without an objectId in one list is one user", function()
      local summary = run(store, NOW + DAY, { user(nil, NOW + HOUR, "kim@x.example"),
                                              user(KIM, NOW - DAY) })
      assert.equal(1, summary.counts.again)
      assert.equal(NOW + HOUR, person_of(store, KIM).finding.last_at)
    end)

    it("who was known by upn keeps the finding when the objectId appears", function()
      run(store, NOW + HOUR, { user(KIM, NOW - DAY), user(nil, NOW, "Lee@x.example") })
      assert.equal("open", state_of(store, "upn:lee@x.example"))
      local users = { user(KIM, NOW - DAY), user(LEE, NOW) }
      assert.same({}, events_of(run(store, NOW + DAY, users)))
      assert.equal("open", state_of(store, LEE))
      assert.is_nil(person_of(store, "upn:lee@x.example"))
    end)

    it("who was known by upn and by objectId is one user when both come together", function()
      -- Kim gets a name that was never seen, and the list lacks the objectId for a day
      local by_name = request(nil, NOW + HOUR, false, { upn = "kimberly@x.example" })
      run(store, NOW + DAY, { user(KIM, NOW - DAY), user(nil, NOW + HOUR, "kimberly@x.example") },
        { by_name })
      local summary = run(store, NOW + 2 * DAY, { user(KIM, NOW + HOUR, "kimberly@x.example") })
      assert.same({}, summary.counts)
      assert.is_nil(person_of(store, "upn:kimberly@x.example"))
      local person = person_of(store, KIM)
      assert.equal(NOW + HOUR, person.finding.last_at)
      assert.equal(NOW - DAY, person.finding.first_at)
      assert.equal(NOW + HOUR, store:evidence(person, 0, 0)[1].without)
    end)

    it("who was closed keeps the open finding of the upn as the next episode", function()
      run(store, NOW + 10 * DAY, {}, {})
      run(store, NOW + 11 * DAY, { user(nil, NOW + 10 * DAY + HOUR, "kimberly@x.example") }, {})
      local summary = run(store, NOW + 12 * DAY, { user(KIM, NOW + 10 * DAY + HOUR,
        "kimberly@x.example") })
      assert.same({}, events_of(summary))
      assert.equal(2, person_of(store, KIM).finding.episode)
      assert.equal("open", state_of(store, KIM))
    end)
  end)

  describe(kind .. ": the requests of a run", function()
    local store
    before_each(function()
      store = make()
      run(store, NOW - 2 * DAY, {}, {})
    end)

    -- How many requests are stored.
    local function count()
      local sum = 0
      for _, row in ipairs(store:received(store:tenant(TENANT), 0)) do
        sum = sum + row.received
      end
      return sum
    end

    local function requests_of(id)
      local rows = {}
      for row in store:requests_of(person_of(store, id)) do
        rows[#rows + 1] = row
      end
      return rows
    end

    it("are stored without user and address if the user has no finding", function()
      run(store, NOW, {}, { request(KIM, NOW - HOUR, true) })
      assert.equal(1, count())
      assert.is_nil(person_of(store, KIM))
      local given
      store.add_request = function(_, _, row) given = row end
      run(store, NOW + 1, {}, { request(KIM, NOW - HOUR, true) })
      store.add_request = nil
      assert.is_nil(given.person)
      assert.is_nil(given.ip)
      run(store, NOW + HOUR, { user(KIM, NOW) }, {})
      assert.same({}, requests_of(KIM))
    end)

    it("are summed up with the run, but not if their list failed", function()
      local adoption = lists.adoption(NOW, { { day = "2026-11-27", application = SYNC,
                                               with_mfa = 1, total = 4 } })
      run(store, NOW, {}, { request(KIM, NOW - HOUR, false), request(KIM, NOW - DAY, true),
        request(KIM, NOW - 8 * DAY, false) }, { adoption = adoption })
      run(store, NOW + HOUR, {}, nil)
      local runs = store:runs(store:tenant(TENANT))
      assert.same({ 1, 0.25 }, { runs[2].without_mfa, runs[2].share })
      assert.is_nil(runs[3].without_mfa)
      assert.equal(0.25, runs[3].share)
    end)

    it("get user and address once the user has a finding, and lose them no more", function()
      local seen = request(KIM, NOW - HOUR, false)
      run(store, NOW, {}, { seen })
      run(store, NOW + HOUR, { user(KIM, NOW - HOUR) }, { seen })
      run(store, NOW + 10 * DAY, {}, { seen })
      assert.equal(1, count())
      assert.same({ { at = NOW - HOUR, application = SYNC, ip = "192.0.2.7", mfa = false,
                      operation = "Get /v{version}/customers" } }, requests_of(KIM))
    end)

    it("are all stored with user and address on request", function()
      run(store, NOW, {}, { request(KIM, NOW - HOUR, true), request(nil, NOW, true, { upn = "" }) },
        { keep_all = true })
      assert.equal("192.0.2.7", requests_of(KIM)[1].ip)
      assert.is_nil(state_of(store, KIM))
      assert.same({ "new kim" }, events_of(run(store, NOW + HOUR, { user(KIM, NOW) })))
    end)

    it("of a user who is known by upn count for this user", function()
      local by_upn = { user(nil, NOW - DAY, "kim@x.example") }
      run(store, NOW, by_upn, { request(KIM, NOW - DAY, false), request(KIM, NOW - HOUR, true) })
      assert.equal("healing", state_of(store, "upn:kim@x.example"))
    end)

    it("without an id count once", function()
      local nameless = request(KIM, NOW - HOUR, true, { id = "" })
      nameless.id = nil
      run(store, NOW, {}, { nameless, request(KIM, NOW - HOUR, true) })
      run(store, NOW + HOUR, {}, { nameless })
      assert.equal(2, count())
    end)

    it("without a readable time are counted", function()
      assert.equal(1, run(store, NOW, {}, { request(KIM, "soon", true) }).row.requests_without_time)
    end)

    it("tell the gap behind the last run, and when to run again", function()
      run(store, NOW, {}, { request(KIM, NOW - HOUR, true) })
      local cut = lists.requests(NOW + DAY, { request(KIM, NOW + 23 * HOUR, true),
                                              request(KIM, NOW + 19 * HOUR, true) },
        { truncated = true })
      local row = run(store, NOW + DAY, {}, nil, { requests = cut }).row
      assert.same({ NOW, NOW + 19 * HOUR }, { row.gap_from, row.gap_to })
      assert.equal(NOW + 26 * HOUR, row.next_at)
      assert.equal(NOW + 19 * HOUR, store:tenant(TENANT).coverage.from)
    end)
  end)

  describe(kind .. ": adoption in a run", function()
    it("is stored by day and application; the newest answer counts", function()
      local store = make()
      for i, total in ipairs { 4, 9 } do
        local list = lists.adoption(NOW, { { day = "2026-11-28", application = SYNC:upper(),
                                             name = "Billing Sync", with_mfa = 3, total = total } })
        run(store, NOW + i, {}, {}, { adoption = list })
      end
      assert.same({ { day = 1795824000, application = SYNC, received = 0, with_mfa = 3,
                      total = 9 } }, store:received(store:tenant(TENANT), 0))
      assert.equal("Billing Sync", store:read(function()
        return store:application_names()[SYNC]
      end))
    end)
  end)

  describe(kind .. ": an exception in a run", function()
    local store
    before_each(function()
      store = make()
      run(store, NOW - 2 * DAY, {}, {})
    end)

    local function except(text)
      return { exceptions = assert(exceptions.parse(text, NOW)) }
    end

    local UNTIL = except "kim@x.example * 2026-11-29 break-glass"

    it("is stored with the finding and its events", function()
      local summary = run(store, NOW, { user(KIM, NOW - DAY) }, {}, UNTIL)
      assert.same({ "new kim" }, events_of(summary))
      assert.is_true(summary.events[1].excepted)
      assert.equal(1, summary.counts.excepted)
      assert.equal("break-glass", person_of(store, KIM).finding.exception.why)
    end)

    it("that ends is told", function()
      run(store, NOW, { user(KIM, NOW - DAY) }, {}, UNTIL)
      local summary = run(store, NOW + 2 * DAY, { user(KIM, NOW - DAY) }, {}, UNTIL)
      assert.same({ "ended kim" }, events_of(summary))
      assert.is_false(summary.events[1].excepted)
      assert.is_nil(person_of(store, KIM).finding.exception)
      assert.same({}, events_of(run(store, NOW + 3 * DAY, { user(KIM, NOW - DAY) }, {}, UNTIL)))
    end)

    it("that ends while the user is not listed is told too", function()
      run(store, NOW, { user(KIM, NOW - 4 * DAY) }, {}, UNTIL)
      local summary = run(store, NOW + 2.5 * DAY, {}, {}, UNTIL)
      assert.same({ "ended kim" }, events_of(summary))
    end)

    it("stays with a finding that is closed while it holds", function()
      run(store, NOW, { user(KIM, NOW - DAY) }, {}, UNTIL)
      local summary = run(store, NOW + HOUR, {}, {}, UNTIL)
      assert.is_true(summary.events[1].excepted)
      assert.equal("break-glass", person_of(store, KIM).finding.exception.why)
    end)

    it("that ended by the run that closes the finding is not told", function()
      run(store, NOW, { user(KIM, NOW - DAY) }, {}, UNTIL)
      local summary = run(store, NOW + 8 * DAY, {}, {}, UNTIL)
      assert.same({ "quiet kim" }, events_of(summary))
      assert.is_true(summary.events[1].excepted)
    end)

    it("is bound to the user, also when the objectId appears", function()
      run(store, NOW, { user(nil, NOW - DAY, "kim@x.example") }, {}, UNTIL)
      run(store, NOW + 1, { user(KIM, NOW - DAY) }, {}, UNTIL)
      run(store, NOW + 2, { user(KIM, NOW - DAY, "kimberly@x.example") }, {}, UNTIL)
      assert.equal("break-glass", person_of(store, KIM).finding.exception.why)
      local summary = run(store, NOW + 3, { user(KIM, NOW - DAY, "kimberly@x.example"),
                                            user(LEE, NOW, "kim@x.example") }, {}, UNTIL)
      assert.equal(1, #summary.warnings)
      assert.is_nil(person_of(store, LEE).finding.exception)
    end)

    it("of an application holds if all sign-ins came through it", function()
      local of_application = except("app:" .. SYNC .. " * 2026-12-29 vendor")
      local requests = { request(KIM, NOW - DAY, false) }
      run(store, NOW, { user(KIM, NOW - DAY), user(LEE, NOW - DAY) }, requests, of_application)
      assert.equal("vendor", person_of(store, KIM).finding.exception.why)
      assert.is_nil(person_of(store, LEE).finding.exception)
      run(store, NOW + DAY, { user(KIM, NOW + HOUR) }, requests, of_application) -- by the portal
      assert.is_nil(person_of(store, KIM).finding.exception)
    end)

    it("counts in the number of a baseline", function()
      store = make()
      local summary = run(store, NOW, { user(KIM, NOW - DAY), user(LEE, NOW - DAY) }, {}, UNTIL)
      assert.equal(2, summary.events[1].count)
      assert.equal(1, summary.events[1].excepted_count)
    end)
  end)
end
