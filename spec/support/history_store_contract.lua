--- The contract of every store of the history (see `pcapi.history.store`): names of specs, to
-- functions that take a new, empty store.
local assert = require "luassert"
local stored = require "spec.support.history_stored"

local NOW = 1795845600 -- 2026-11-28T06:00:00Z
local DAY = 86400

local tenant_in, person_in = stored.tenant_in, stored.person_in

local function finding(fields)
  local made = { episode = 1, state = "open", first_at = 1, last_at = 2, is_exact = true,
                 times = 3, opened = 4, seen = 5, is_visible = true }
  for name, value in pairs(fields or {}) do
    made[name] = value
  end
  return made
end

local next_id = 0
local function request(at, person, fields)
  next_id = next_id + 1
  local made = { at = at, id = ("%016d"):format(next_id), person = person, application = "a",
                 operation = "Get", ip = person and "192.0.2.7", mfa = false }
  for name, value in pairs(fields or {}) do
    made[name] = value
  end
  return made
end

local function collected(iterator)
  local rows = {}
  for row in iterator do rows[#rows + 1] = row end
  return rows
end

local function event(store, tenant, fields)
  local made = { kind = "new", at = NOW, excepted = false }
  for name, value in pairs(fields or {}) do
    made[name] = value
  end
  return store:add_event(tenant, made)
end

local LIMITS = { requests = NOW - 90 * DAY, findings = NOW - 400 * DAY, runs = NOW - 400 * DAY,
                 events = NOW - 30 * DAY, events_untold = NOW - 400 * DAY }

return {
  ["gives a tenant as it was saved, and no other"] = function(store)
    assert.is_nil(store:tenant "t")
    local tenant = tenant_in(store)
    tenant_in(store, "a")
    assert.same(tenant, store:tenant "t")
    tenant.name, tenant.at, tenant.asked, tenant.has_baseline = "F", NOW, NOW + 1, true
    tenant.coverage = { from = 1, to = 2, newest = 3 }
    tenant.failure = { kind = "network", since = 4, reported = 5 }
    store:save_tenant(tenant)
    assert.same(tenant, store:tenant "t")
    tenant.coverage, tenant.failure = { from = 1, to = 2 }, nil
    store:save_tenant(tenant)
    assert.same(tenant, store:tenant "t")
    assert.same({ "a", "t" }, { store:tenants()[1].id, store:tenants()[2].id })
  end,

  ["gives a person with the newest finding"] = function(store)
    local tenant = tenant_in(store)
    assert.is_nil(store:person(tenant, "p"))
    local person = person_in(store, tenant)
    assert.same({ key = person.key, id = "p", upn = "Kim@x.example" }, store:person(tenant, "p"))
    local first = finding { state = "fixed", closed = 9, mfa_at = 8 }
    local second = finding { episode = 2, is_exact = false, is_visible = false,
      exception = { who = "w", tenant = "*", ends = "2026-12-01", why = "y" } }
    store:save_finding(tenant, person, first)
    assert.same(first, store:person(tenant, "p").finding)
    store:save_finding(tenant, person, second)
    assert.same(second, store:person(tenant, "p").finding)
    assert.same({ first, second }, store:findings(person))
    second.exception = nil
    store:save_finding(tenant, person, second)
    assert.same(second, store:person(tenant, "p").finding)
  end,

  ["keeps people of tenants apart"] = function(store)
    local one, two = tenant_in(store, "t"), tenant_in(store, "u")
    person_in(store, one)
    assert.is_nil(store:person(two, "p"))
    local person = person_in(store, two)
    store:save_finding(two, person, finding())
    assert.same({}, store:open_people(one))
    assert.same({}, store:people_named(one, "nobody@x.example"))
    assert.equal(1, #store:people(one))
    local each = store:each_person(two)
    assert.same({ store:people(two)[1] }, { each(), each() })
    person_in(store, two, "q")
    each = store:each_person(two, true)
    assert.same({ store:people(two)[1] }, { each(), each() })
  end,

  ["changes name and id of a person"] = function(store)
    local tenant = tenant_in(store)
    local person = person_in(store, tenant, "upn:kim@x.example")
    store:save_finding(tenant, person, finding())
    person.id, person.upn, person.tenant_id = "p", "kimberly@x.example", "h"
    store:save_person(tenant, person)
    assert.is_nil(store:person(tenant, "upn:kim@x.example"))
    assert.same(person, store:person(tenant, "p"))
  end,

  ["finds people by name, in any case"] = function(store)
    local tenant = tenant_in(store)
    person_in(store, tenant, "b", "KIM@x.example")
    person_in(store, tenant, "a", "kim@X.example")
    person_in(store, tenant, "c", "lee@x.example")
    local found = store:people_named(tenant, "Kim@x.example")
    assert.same({ "a", "b" }, { found[1].id, found[2].id })
    assert.equal(2, #found)
  end,

  ["lists people with an open finding, in a fixed order"] = function(store)
    local tenant = tenant_in(store)
    for i, id in ipairs { "c", "a", "b", "d" } do
      local person = person_in(store, tenant, id)
      store:save_finding(tenant, person, finding { state = i == 1 and "healing" or "open" })
      if id == "b" then
        store:save_finding(tenant, person, finding { state = "quiet", closed = 1 })
      elseif id == "d" then
        store:save_finding(tenant, person, finding { state = "lost", closed = 1 })
        store:save_finding(tenant, person, finding { episode = 2 })
      end
    end
    local found = store:open_people(tenant)
    assert.same({ "a", "c", "d" }, { found[1].id, found[2].id, found[3].id })
    assert.equal(3, #found)
    assert.equal(2, found[3].finding.episode)
  end,

  ["gives requests and events of a person to another"] = function(store)
    local tenant = tenant_in(store)
    local old, into = person_in(store, tenant, "upn:kim"), person_in(store, tenant, "p")
    store:save_finding(tenant, old, finding())
    store:add_request(tenant, request(NOW, old))
    event(store, tenant, { person = old })
    store:absorb(tenant, old, into)
    assert.is_nil(store:person(tenant, "upn:kim"))
    assert.equal(1, #collected(store:requests_of(into)))
    assert.equal("p", store:events(tenant, 0)[1].person.id)
    assert.same({}, store:findings(into))
  end,

  ["stores a request once"] = function(store)
    local tenant = tenant_in(store)
    local person, other = person_in(store, tenant), person_in(store, tenant, "q")
    local anonymous = request(NOW, nil)
    store:add_request(tenant, anonymous)
    store:add_request(tenant, anonymous)
    assert.equal(1, store:received(tenant, 0)[1].received)
    anonymous.person, anonymous.ip = person, "192.0.2.7"
    store:add_request(tenant, anonymous) -- now the person is known
    anonymous.person, anonymous.ip = other, "192.0.2.8"
    store:add_request(tenant, anonymous)
    assert.same({ { at = NOW, application = "a", operation = "Get", ip = "192.0.2.7",
                    mfa = false } }, collected(store:requests_of(person)))
    assert.same({}, collected(store:requests_of(other)))
  end,

  ["tells requests of one id but another time apart, and those of tenants"] = function(store)
    local tenant, other = tenant_in(store), tenant_in(store, "u")
    local one = request(NOW, nil)
    store:add_request(tenant, one)
    store:add_request(other, one)
    one.at = NOW + 1
    store:add_request(tenant, one)
    assert.equal(2, store:received(tenant, 0)[1].received)
    assert.equal(1, store:received(other, 0)[1].received)
  end,

  ["lists the requests of a person, the newest first"] = function(store)
    local tenant = tenant_in(store)
    local person = person_in(store, tenant)
    for _, mfa in ipairs { "none", true, false } do
      store:add_request(tenant, request(NOW + next_id, person, { mfa = mfa }))
    end
    local rows = collected(store:requests_of(person))
    assert.is_true(rows[1].at > rows[2].at and rows[2].at > rows[3].at)
    assert.same({ false, true }, { rows[1].mfa, rows[2].mfa })
  end,

  ["gives the evidence of a person by application"] = function(store)
    local tenant = tenant_in(store)
    local person, other = person_in(store, tenant), person_in(store, tenant, "q")
    for _, row in ipairs {
      { 9, "a", false }, { 10, "a", false }, { 12, "a", false }, { 14, "a", true },
      { 13, "a", true }, { 11, "a", true }, { 30, "b", true }, { 20, "c", "unknown" },
      { 8, "d", false },
    } do
      store:add_request(tenant, request(row[1], person, { application = row[2], mfa = row[3] }))
    end
    store:add_request(tenant, request(50, other))
    assert.same({
      { application = "a", without = 12, with = 14, with_after = 13 },
      { application = "b", with = 30, with_after = 30 }, { application = "c" },
    }, store:evidence(person, 10, 12))
    assert.same({}, store:evidence(person, 31, 0))
    assert.is_nil(store:evidence(person, 30, 30)[1].with_after)
  end,

  ["gives what people with an open finding, or one that was closed lately, did"] = function(store)
    local tenant = tenant_in(store)
    local kim, lee = person_in(store, tenant, "kim"), person_in(store, tenant, "lee")
    store:save_finding(tenant, kim, finding())
    store:save_finding(tenant, lee, finding { state = "fixed", closed = NOW })
    store:add_request(tenant, request(NOW, lee))
    local saturday = NOW - NOW % DAY
    for _, row in ipairs { { saturday, "a", false }, { saturday + DAY + 3600, "a", false },
                           { NOW - 9 * DAY, "a", true }, { NOW + 2 * DAY, "b", "unknown" } } do
      store:add_request(tenant, request(row[1], kim, { application = row[2], mfa = row[3],
                                                       ip = row[2] .. tostring(row[3]) }))
    end
    assert.same({
      { person = "kim", application = "b", last = NOW + 2 * DAY, without_count = 0, hours = 0,
        address_count = 1, is_weekend = false },
      { person = "kim", application = "a", last = saturday + DAY + 3600, without_count = 2,
        without = saturday + DAY + 3600, hours = 2, address_count = 2, is_weekend = true },
    }, collected(store:uses(tenant, NOW + 1)))
    assert.equal("lee", collected(store:uses(tenant, NOW))[3].person)
  end,

  ["gives the requests that prove a finding, with their ids"] = function(store)
    local tenant = tenant_in(store)
    local person, ids = person_in(store, tenant), {}
    for i, row in ipairs { { 8, "a", false }, { 10, "a", false }, { 11, "a", false },
                           { 12, "a", true }, { 13, "a", true }, { 11, "b", false },
                           { 20, "b", false }, { 20, "b", true } } do
      ids[i] = request(row[1], person, { application = row[2], mfa = row[3] })
      store:add_request(tenant, ids[i])
    end
    assert.same({
      { application = "a", at = 11, mfa = false, id = ids[3].id },
      { application = "b", at = 11, mfa = false, id = ids[6].id },
      { application = "a", at = 12, mfa = true, id = ids[4].id },
    }, store:proofs(person, 9, 11, 19))
    assert.same({}, store:proofs(person, 21, 21, 99))
  end,

  ["counts requests by day and application, beside adoption"] = function(store)
    local tenant = tenant_in(store)
    local day = NOW - NOW % DAY
    store:add_request(tenant, request(day, nil))
    store:add_request(tenant, request(day + DAY - 1, nil))
    store:add_request(tenant, request(day + DAY, nil))
    store:add_request(tenant, request(day, nil, { application = "b" }))
    store:save_adoption(tenant, { day = day, application = "a", with_mfa = 1, total = 5 })
    store:save_adoption(tenant, { day = day, application = "a", with_mfa = 2, total = 7 })
    store:save_adoption(tenant, { day = day, application = "c", with_mfa = 0, total = 1 })
    assert.same({
      { day = day, application = "a", received = 2, with_mfa = 2, total = 7 },
      { day = day, application = "b", received = 1 },
      { day = day, application = "c", received = 0, with_mfa = 0, total = 1 },
      { day = day + DAY, application = "a", received = 1 },
    }, store:received(tenant, day))
    assert.equal(1, #store:received(tenant, day + DAY))
  end,

  ["names applications; the newest name counts"] = function(store)
    tenant_in(store)
    store:name_application("a", "One")
    store:name_application("a", "Two")
    store:name_application("b", "Other")
    store:read(function()
      local names = store:application_names()
      assert.same({ "Two", "Other" }, { names.a, names.b })
      assert.is_nil(names.c)
    end)
  end,

  ["gives bindings as they were saved"] = function(store)
    local tenant, other = tenant_in(store), tenant_in(store, "u")
    assert.same({}, store:bindings(tenant))
    store:save_bindings(tenant, { kim = "p", lee = "q" })
    store:save_bindings(tenant, { kim = "r", pat = "s" })
    assert.same({ kim = "r", pat = "s" }, store:bindings(tenant))
    assert.same({}, store:bindings(other))
  end,

  ["gives runs in their order; one of the same time replaces the other"] = function(store)
    local tenant = tenant_in(store)
    store:add_run(tenant, { at = 2, users = "failed", users_error = "network" })
    store:add_run(tenant, { at = 2, users = "whole", users_from = 1, unidentified = 0 })
    local full = { at = 3, users = "cut", users_from = 1, unidentified = 2, requests = "cut",
                   requests_from = 4, requests_without_time = 5, gap_from = 6, gap_to = 7,
                   next_at = 8, adoption = "failed", adoption_error = "server" }
    store:add_run(tenant, full)
    assert.same({ { at = 2, users = "whole", users_from = 1, unidentified = 0 }, full },
      store:runs(tenant))
  end,

  ["gives the oldest run, and the newest one until a time that did not fail"] = function(store)
    local tenant, other = tenant_in(store), tenant_in(store, "u")
    assert.is_nil(store:first_run(tenant))
    assert.is_nil(store:last_run(tenant, NOW))
    for at, users in ipairs { "failed", "whole", "cut", "failed" } do
      store:add_run(tenant, { at = at, users = users })
    end
    store:add_run(other, { at = 0, users = "whole" })
    assert.equal(1, store:first_run(tenant))
    assert.same({ at = 3, users = "cut" }, store:last_run(tenant, NOW))
    assert.same({ at = 2, users = "whole" }, store:last_run(tenant, 2))
    assert.is_nil(store:last_run(tenant, 1))
  end,

  ["gives the newest run in which one of the other lists did not fail"] = function(store)
    local tenant = tenant_in(store)
    store:add_run(tenant, { at = 1, users = "whole", requests = "cut", adoption = "whole" })
    store:add_run(tenant, { at = 2, users = "whole", requests = "failed", adoption = "whole" })
    store:add_run(tenant, { at = 3, users = "failed" })
    assert.equal(1, store:last_run(tenant, NOW, "requests").at)
    assert.equal(2, store:last_run(tenant, NOW, "adoption").at)
    assert.is_nil(store:last_run(tenant_in(store, "u"), NOW, "adoption"))
  end,

  ["counts the requests without MFA since a time"] = function(store)
    local tenant, other = tenant_in(store), tenant_in(store, "u")
    for at, mfa in ipairs { false, true, false, "unknown", false } do
      store:add_request(tenant, request(at, nil, { mfa = mfa }))
    end
    store:add_request(other, request(9, nil))
    assert.same({ 3, 2, 0 }, { store:count_without_mfa(tenant, 1),
      store:count_without_mfa(tenant, 2), store:count_without_mfa(tenant, 6) })
  end,

  ["gives the adoption since a day, by day and application"] = function(store)
    local tenant, other = tenant_in(store), tenant_in(store, "u")
    for _, row in ipairs { { DAY, "b", 1 }, { DAY, "a", 2 }, { 0, "a", 3 }, { 2 * DAY, "a", 4 } } do
      store:save_adoption(tenant, { day = row[1], application = row[2], with_mfa = 1,
                                    total = row[3] })
    end
    store:save_adoption(other, { day = DAY, application = "c", with_mfa = 0, total = 1 })
    assert.same({ { day = DAY, application = "a", with_mfa = 1, total = 2 },
                  { day = DAY, application = "b", with_mfa = 1, total = 1 },
                  { day = 2 * DAY, application = "a", with_mfa = 1, total = 4 } },
      store:adoption(tenant, DAY))
  end,

  ["gives the episodes that were open at a time or later"] = function(store)
    local tenant, other = tenant_in(store), tenant_in(store, "u")
    local person = person_in(store, tenant)
    store:save_finding(tenant, person, finding { state = "lost", closed = 9 })
    store:save_finding(tenant, person, finding { episode = 2, state = "fixed", closed = 10 })
    store:save_finding(tenant, person, finding { episode = 3, opened = 11 })
    store:save_finding(other, person_in(store, other), finding())
    local found = store:episodes(tenant, 10)
    table.sort(found, function(a, b) return a.opened < b.opened end)
    assert.same({ { opened = 4, closed = 10, state = "fixed" }, { opened = 11, state = "open" } },
      found)
  end,

  ["gives the news after an id or a time, without those of excepted users"] = function(store)
    local tenant, other = tenant_in(store), tenant_in(store, "u")
    local person = person_in(store, tenant)
    local early = event(store, tenant, { person = person, at = NOW - DAY })
    event(store, tenant, { kind = "baseline", count = 1 })
    event(store, tenant, { kind = "quiet", person = person })
    event(store, tenant, { kind = "back", person = person, excepted = true })
    event(store, other, { person = person_in(store, other) })
    local late = event(store, tenant, { kind = "ended", person = person, at = NOW - DAY })
    local one = { id = early, kind = "new", person = "p" }
    local two = { id = late, kind = "ended", person = "p" }
    assert.same({ one, two }, store:news(tenant, 0, NOW))
    assert.same({ two }, store:news(tenant, early, NOW))
    assert.same({ one, two }, store:news(tenant, late, NOW - DAY - 1))
    assert.same({}, store:news(tenant, late, NOW - DAY))
  end,

  ["gives the events after an id, with the person as it is now"] = function(store)
    local tenant, other = tenant_in(store), tenant_in(store, "u")
    local person = person_in(store, tenant)
    assert.equal(0, store:newest_event(tenant))
    local first = event(store, tenant, { kind = "baseline", count = 2, excepted_count = 1 })
    local fields = { kind = "back", person = person, episode = 2, last_at = 3, mfa_at = 4,
                     closed_at = 5, was = "fixed", known_as = "q", excepted = true }
    local second = event(store, tenant, fields)
    event(store, other)
    assert.is_true(second > first)
    assert.equal(second, store:newest_event(tenant))
    person.upn = "kimberly@x.example"
    store:save_person(tenant, person)
    fields.id, fields.at, fields.person = second, NOW, person
    assert.same({ fields }, store:events(tenant, first))
    assert.same({ id = first, at = NOW, kind = "baseline", count = 2, excepted_count = 1,
                  excepted = false }, store:events(tenant, 0)[1])
  end,

  ["gives the events of a person, and those that name the person"] = function(store)
    local tenant = tenant_in(store)
    local person, other = person_in(store, tenant), person_in(store, tenant, "q")
    local own = event(store, tenant, { person = person })
    event(store, tenant, { person = other })
    local naming = event(store, tenant, { person = other, known_as = "p" })
    local events = store:events_of(tenant, person)
    assert.same({ own, naming, "q" }, { events[1].id, events[2].id, events[2].person.id })
    assert.equal(2, #events)
  end,

  ["counts what it holds"] = function(store)
    local tenant = tenant_in(store)
    local person = person_in(store, tenant)
    store:save_finding(tenant, person, finding())
    person_in(store, tenant, "q")
    event(store, tenant, { person = person })
    local counts = store:facts().counts
    assert.same({ 1, 2, 1, 1 }, { counts.tenants, counts.people, counts.findings, counts.events })
  end,

  ["uses no id of an event twice, also after it deleted events"] = function(store)
    local tenant = tenant_in(store)
    event(store, tenant, { at = NOW - 500 * DAY })
    local last = event(store, tenant, { at = NOW - 500 * DAY })
    store:prune(tenant, LIMITS)
    assert.same({}, store:events(tenant, 0))
    assert.is_true(event(store, tenant) > last)
  end,

  ["gives a reader as it was saved"] = function(store)
    local tenant = tenant_in(store)
    assert.is_nil(store:reader(tenant, "r"))
    local reader = { name = "r", told = 1, claimed = 2, reminded = 3, reminding = 4,
                     is_late = true, warned = { gap = 5, ["silent: a b"] = 2 ^ 40 } }
    store:save_reader(tenant, reader)
    assert.same(reader, store:reader(tenant, "r"))
    reader = { name = "r", told = 2, reminded = 4, is_late = false }
    store:save_reader(tenant, reader)
    assert.same(reader, store:reader(tenant, "r"))
    assert.is_nil(store:reader(tenant, "s"))
    local other = { name = "a", told = 0, reminded = 0, is_late = true }
    store:save_reader(tenant, other)
    assert.same({ other, reader }, store:readers(tenant))
    assert.is_nil(store:reader(tenant_in(store, "u"), "r"))
  end,

  ["stores texts that are not UTF-8, as U+FFFD"] = function(store)
    local tenant = tenant_in(store)
    local person = person_in(store, tenant, "upn:\255\0", "\255\0")
    store:save_finding(tenant, person, finding())
    store:add_request(tenant, request(NOW, person, { operation = "\255", ip = "\255",
                                                     application = "\255" }))
    store:name_application("\255", "\255")
    event(store, tenant, { person = person })
    assert.equal(1, #store:open_people(tenant))
    assert.truthy(store:person(tenant, "upn:\255\0"))
    assert.equal(1, #store:people_named(tenant, "\255\0"))
  end,

  ["deletes what is over, and nothing else"] = function(store)
    local tenant, other = tenant_in(store), tenant_in(store, "u")
    tenant.coverage = { from = NOW - 99 * DAY, to = NOW }
    for _, of in ipairs { tenant, other } do
      for i, age in ipairs { 401, 91, 1 } do
        local person = person_in(store, of, "p" .. i)
        store:add_request(of, request(NOW - age * DAY, person))
        store:save_finding(of, person, finding { closed = NOW - age * DAY, state = "quiet" })
        store:add_run(of, { at = NOW - age * DAY, users = "whole" })
        event(store, of, { at = NOW - age * DAY })
      end
      store:save_finding(of, person_in(store, of, "open"), finding())
      store:save_reader(of, { name = "r", told = 2 ^ 40, reminded = 0, is_late = false })
      store:save_reader(of, { name = "s", told = 2 ^ 40, reminded = 0, is_late = false })
    end
    assert.same({ requests = 2, findings = 1, runs = 1, events = 2, people = 1, notices = 0 },
      store:prune(tenant, LIMITS))
    assert.equal(3, #store:people(tenant))
    assert.equal(4, #store:people(other))
    assert.equal(3, #store:events(other, 0))
    assert.equal(1, #store:received(tenant, 0))
    assert.same({ from = NOW - 90 * DAY, to = NOW }, store:tenant("t").coverage)
    store:save_reader(tenant, { name = "s", told = 0, reminded = 0, is_late = false })
    event(store, tenant, { at = NOW - 91 * DAY })
    assert.equal(0, store:prune(tenant, LIMITS).events) -- a reader was not told
  end,

  ["forgets a person: nothing names the person any more"] = function(store)
    local tenant = tenant_in(store)
    local person, other = person_in(store, tenant), person_in(store, tenant, "q")
    store:save_finding(tenant, person, finding())
    store:add_request(tenant, request(NOW, person))
    store:add_request(tenant, request(NOW, other))
    event(store, tenant, { person = person })
    event(store, tenant, { person = other, known_as = "p" })
    store:save_bindings(tenant, { kim = "p", lee = "q" })
    store:forget(tenant, person)
    assert.is_nil(store:person(tenant, "p"))
    assert.same({ lee = "q" }, store:bindings(tenant))
    local events = store:events(tenant, 0)
    assert.equal(1, #events)
    assert.is_nil(events[1].known_as)
    assert.equal(2, store:received(tenant, 0)[1].received) -- for the coverage
    assert.equal(1, #collected(store:requests_of(other)))
    local again = person_in(store, tenant)
    assert.same({}, collected(store:requests_of(again)))
    assert.same({}, store:findings(again))
  end,

  ["returns what the function of a transaction returns"] = function(store)
    assert.same({ 1, "two" }, { store:transaction(function() return 1, "two" end) })
  end,

  ["stores nothing of a transaction that raises or returns an error"] = function(store)
    local err = {}
    local value, same = store:transaction(function()
      local tenant = tenant_in(store)
      store:add_request(tenant, request(NOW, nil))
      return nil, err
    end)
    assert.is_nil(value)
    assert.equal(err, same)
    assert.is_false(pcall(store.transaction, store, function()
      local tenant = tenant_in(store)
      store:add_request(tenant, request(NOW, nil))
      error "own"
    end))
    assert.is_nil(store:tenant "t")
    -- numbers that were given in it mean nothing any more
    local tenant = tenant_in(store)
    store:name_application("other", "Other")
    store:add_request(tenant, request(NOW, nil))
    assert.equal("a", store:received(tenant, 0)[1].application)
  end,
}
