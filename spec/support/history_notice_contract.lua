--- The part of the contract of `spec.support.history_store_contract` that is about notices.
local assert = require "luassert"
local stored = require "spec.support.history_stored"

local NOW = 1795845600 -- 2026-11-28T06:00:00Z
local DAY = 86400

local tenant_in, person_in = stored.tenant_in, stored.person_in

local function notice(fields)
  local made = { channel = "ops", id = "1", kind = "changes", at = NOW, head = "{}", parts = {} }
  for name, value in pairs(fields or {}) do
    made[name] = value
  end
  return made
end

local function added(store, fields)
  local made = notice(fields)
  assert.is_true(store:add_notice(made))
  return made
end

local function texts_of(store, of)
  local texts, known_as = {}, {}
  for i, part in ipairs(store:notice_content(of).parts) do
    texts[i] = part.place .. " " .. part.text
    known_as[#known_as + 1] = part.known_as
  end
  return texts, known_as
end

return {
  ["stores a notice of each channel once"] = function(store)
    local tenant = tenant_in(store)
    local person = person_in(store, tenant)
    local first = added(store, { head = "head", parts = {
      { place = 1, tenant = tenant, person = person, known_as = "q", text = '{"a":1}' },
      { place = 2, tenant = tenant, text = '"warning"' } } })
    assert.is_false(store:add_notice(notice { head = "other" }))
    added(store, { channel = "mail" })
    added(store, { id = "2" })
    assert.equal("head", store:notice_content(first).head)
    local texts, known_as = texts_of(store, first)
    assert.same({ '1 {"a":1}', '2 "warning"' }, texts)
    assert.same({ "q" }, known_as)
    assert.equal(3, #store:notices())
    local of_ops = store:notices "ops"
    assert.same({ "1", "2" }, { of_ops[1].id, of_ops[2].id })
    assert.same({ key = first.key, channel = "ops", id = "1", kind = "changes", at = NOW, tries = 0,
                  delivered = {} }, of_ops[1])
    assert.same(of_ops[1], store:notice(first.key))
  end,

  ["stores how far a notice is"] = function(store)
    local one = added(store)
    one.tries, one.tried, one.delivered = 2, NOW, { "a", "b" }
    one.error, one.holder, one.held_until = "network: no", "me", NOW + 120
    store:save_notice(one)
    local found = store:notices()[1]
    for _, name in ipairs { "tries", "tried", "delivered", "error", "holder",
                            "held_until" } do
      assert.same(one[name], found[name], name)
    end
    found.sent, found.holder, found.held_until = NOW + 1, nil, nil
    store:save_notice(found)
    assert.same({}, store:notices())
    assert.equal(NOW + 1, store:notice(one.key).sent)
    assert.is_nil(store:notice(one.key).holder)
    local other = added(store, { id = "2" })
    other.given_up = NOW
    store:save_notice(other)
    assert.same({}, store:notices())
  end,

  ["forgets a person in notices: parts, earlier names, and warnings that name the person"] =
  function(store)
    local tenant, elsewhere = tenant_in(store), tenant_in(store, "u")
    local person, other = person_in(store, tenant), person_in(store, tenant, "q", "lee@x.example")
    local one = added(store, { parts = {
      { place = 1, tenant = tenant, person = person, text = '{"upn":"Kim@x.example"}' },
      { place = 1, tenant = tenant, person = other, known_as = "p", text = '{"upn":"lee"}' },
      { place = 1, tenant = tenant, text = '"KIM@x.example has the name"' },
      { place = 1, tenant = tenant, text = '"another warning"' },
      { place = 2, tenant = elsewhere, text = '"kim@x.example of another tenant"' } } })
    assert.equal(2, #store:notices_of(tenant, person))
    assert.same({ channel = "ops", at = NOW, text = '{"upn":"Kim@x.example"}' },
      store:notices_of(tenant, person)[1])
    store:forget(tenant, person)
    local texts, known_as = texts_of(store, one)
    assert.same({ '1 {"upn":"lee"}', '1 "another warning"', '2 "kim@x.example of another tenant"' },
      texts)
    assert.same({}, known_as)
  end,

  ["gives the notices of one person to another who absorbs it"] = function(store)
    local tenant = tenant_in(store)
    local old, into = person_in(store, tenant, "upn:kim@x.example"), person_in(store, tenant, "q")
    local one = added(store, { parts = {
      { place = 1, tenant = tenant, person = old, text = "{}" } } })
    store:absorb(tenant, old, into)
    assert.equal(1, #store:notices_of(tenant, into))
    store:forget(tenant, into)
    assert.same({}, (texts_of(store, one)))
  end,

  ["prunes notices some days after they were sent or given up"] = function(store)
    local tenant = tenant_in(store)
    for i, fields in ipairs { { sent = NOW - 31 * DAY }, { sent = NOW - 29 * DAY },
                              { given_up = NOW - 31 * DAY }, {} } do
      local made = added(store, { id = tostring(i), at = NOW - 40 * DAY })
      for name, value in pairs(fields) do
        made[name] = value
      end
      store:save_notice(made)
    end
    local limits = { requests = 0, findings = 0, runs = 0, events = NOW - 30 * DAY,
                     events_untold = NOW - 400 * DAY }
    assert.equal(2, store:prune(tenant, limits).notices)
    assert.equal("4", store:notices()[1].id)
    limits.events_untold = NOW
    assert.equal(2, store:prune(tenant, limits).notices)
  end,

  ["stores what is known of a channel"] = function(store)
    assert.same({ name = "ops" }, store:channel "ops")
    local failing = { name = "ops", stopped = NOW, next_at = NOW + 60,
                      failure = { kind = "network", since = 1, reported = 2 } }
    store:save_channel(failing)
    assert.same(failing, store:channel "ops")
    store:save_channel { name = "ops" }
    assert.same({ name = "ops" }, store:channel "ops")
  end,

  ["counts what waits, by channel"] = function(store)
    assert.same({}, store:waiting())
    store:save_channel { name = "pager" }
    local first = added(store, { id = "1" })
    added(store, { id = "2" })
    assert.same({ ops = 2, pager = 0 }, store:waiting())
    first.sent = NOW
    store:save_notice(first)
    assert.same({ ops = 1, pager = 0 }, store:waiting())
  end,

  ["stores concerns"] = function(store)
    assert.same({}, store:concerns())
    store:save_concerns { ["channel ops"] = NOW, other = 1 }
    store:save_concerns { ["channel ops"] = NOW }
    assert.same({ ["channel ops"] = NOW }, store:concerns())
  end,

  ["counts the runs in a row that failed"] = function(store)
    local tenant = tenant_in(store)
    assert.equal(0, store:failed_runs(tenant))
    for i, users in ipairs { "failed", "whole", "failed", "failed" } do
      store:add_run(tenant, { at = NOW + i, users = users })
    end
    assert.equal(2, store:failed_runs(tenant))
    store:add_run(tenant, { at = NOW + 9, users = "cut" })
    assert.equal(0, store:failed_runs(tenant))
  end,

  ["stores the thread of a reader"] = function(store)
    local tenant = tenant_in(store)
    local reader = { name = "notify ops", told = 1, reminded = 2, is_late = false, thread = "abc" }
    store:save_reader(tenant, reader)
    assert.same(reader, store:reader(tenant, "notify ops"))
  end,
}
