local advice = require "pcapi.history.advice"
local applications = require "pcapi.history.applications"
local classes = require "pcapi.history.classes"
local usage = require "pcapi.history.usage"

local MONDAY = 1795420800 -- 2026-11-23T08:00:00Z
local HOUR, DAY = 3600, 86400
local CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
local OWN, VENDOR = "5f0b3c1e-0000-4000-8000-0000000000b1", "5f0b3c1e-0000-4000-8000-0000000000b2"

-- The usage of requests without MFA by an application: some a day from some addresses, until
-- the last of them.
local function used(application, at, count, pace, addresses)
  local left = count
  return usage.of(function()
    left = left - 1
    return left >= 0 and { at = at - left * pace, application = application, mfa = false,
                           ip = "192.0.2." .. left % addresses, operation = "Get" } or nil
  end)
end

local function of(upn, uses, facts, last_at)
  local found = classes.of({ upn = upn, finding = { last_at = last_at or MONDAY } }, uses,
    facts or { covered = true })
  local names = {}
  for i, entry in ipairs(found) do
    names[i] = entry.class .. " " .. entry.certainty
  end
  return names, found
end

describe("a user without MFA is classed as", function()
  it("a user of the portal, if no request explains the sign-in", function()
    assert.same({ "portal good" }, (of("kim@x", {})))
    assert.same({ "unknown unknown" }, (of("kim@x", {}, { covered = false })))
  end)

  it("a user of the portal, if the client is the portal's own", function()
    local portal = used("4990cffe-04e8-4e8b-808a-1175604b879f", MONDAY, 30, HOUR, 1)
    assert.same({ "portal inference" }, (of("kim@x", portal)))
  end)

  it("a program, if few addresses send requests around the clock", function()
    assert.same({ "program inference" }, (of("kim@x", used(OWN, MONDAY, 18, HOUR, 3))))
    assert.same({ "application inference" }, (of("kim@x", used(OWN, MONDAY, 8, HOUR, 3))))
    assert.same({ "application inference" }, (of("kim@x", used(OWN, MONDAY, 18, HOUR, 4))))
  end)

  it("a program, if it sends requests on a weekend", function()
    assert.same({ "program inference" }, (of("kim@x", used(CLI, MONDAY, 3, DAY, 1))))
    assert.same({ "tool inference" }, (of("kim@x", used(CLI, MONDAY, 2, DAY, 1))))
    assert.same({ "tool inference" }, (of("kim@x", used(CLI, MONDAY, 3, HOUR, 1))))
  end)

  it("a program of one's own, or of a vendor, if the own ones are known", function()
    local facts = { covered = true, own = { [OWN] = true } }
    assert.same({ "own_program inference" }, (of("kim@x", used(OWN, MONDAY, 1, HOUR, 1), facts)))
    assert.same({ "vendor inference" }, (of("kim@x", used(VENDOR, MONDAY, 20, HOUR, 1), facts)))
    assert.same({ "vendor inference" }, (of("kim@x", used(VENDOR, MONDAY, 1, HOUR, 1), facts)))
  end)

  it("pcapi itself, and as suspicious", function()
    local facts = { covered = true, client_id = OWN }
    assert.same({ "pcapi sure" }, (of("kim@x", used(OWN, MONDAY, 30, HOUR, 1), facts)))
    local office = "d3590ed6-52b3-4102-aeff-aad2292ab01c"
    assert.same({ "suspicious inference" }, (of("kim@x", used(office, MONDAY, 1, HOUR, 1))))
  end)

  it("a guest or a system account, beside the application", function()
    assert.same({ "guest sure", "tool inference" },
      (of("kim_y#EXT#@x", used(CLI, MONDAY, 1, HOUR, 1))))
    for _, upn in ipairs { "Sync_DC1_0a@x", "ADToAADSyncServiceAccount@x",
                           "package_5f0b3c1e-0000-4000-8000-0000000000b2@x" } do
      assert.equal("system inference", of(upn, {})[1])
    end
    assert.equal("portal good", of("sync@x", {})[1])
  end)

  it("both, if the portal was used after an application", function()
    local _, found = of("kim@x", used(OWN, MONDAY - HOUR, 18, HOUR, 1))
    assert.same({ "program", "portal" }, { found[1].class, found[2].class })
    assert.equal(OWN, found[1].application)
  end)

  it("what was used in the last week before the sign-in", function()
    assert.same({ "portal good" }, (of("kim@x", used(OWN, MONDAY - 8 * DAY, 3, HOUR, 1))))
  end)
end)

describe("the usage of a user", function()
  it("is by application, address and operation, the newest first", function()
    local requests = {
      { at = 10, application = "a", ip = "1", operation = "Get", mfa = false },
      { at = 30, application = "a", ip = "2", operation = "Get", mfa = true },
      { at = 20, application = "b", ip = "1", operation = "Put" },
      { at = 40, application = "a", ip = "1", operation = "Put", mfa = false },
    }
    local i = 0
    local found = usage.of(function()
      i = i + 1
      return requests[i]
    end)
    assert.same({ "a", "b" }, { found[1].application, found[2].application })
    local a = found[1]
    assert.same({ 3, 2, 1 }, { a.count, a.without_count, a.with_count })
    assert.same({ 10, 40, 40, 30 }, { a.first, a.last, a.without, a.with })
    assert.same({ "1", "2" }, { a.addresses[1].ip, a.addresses[2].ip })
    assert.same({ "Put", "Get" }, { a.addresses[1].operations[1].operation,
                                    a.addresses[1].operations[2].operation })
    assert.equal(1, a.hours)
    assert.is_false(a.is_weekend)
    assert.is_nil(found[2].without)
  end)

  it("knows weekends in UTC", function()
    local midnight = MONDAY - 8 * HOUR
    local function is_weekend(at, pace)
      return used("a", at, 2, pace, 1)[1].is_weekend
    end
    assert.is_true(is_weekend(midnight - 1, DAY))
    assert.is_true(is_weekend(midnight - DAY, 1))
    assert.is_false(is_weekend(midnight, DAY))
    assert.is_false(is_weekend(midnight - 1, DAY - 1))
    assert.is_false(is_weekend(midnight - 1, 2 * DAY))
  end)
end)

describe("the name of an application", function()
  it("comes from the user's file, then from the known ones, then from adoption", function()
    assert.equal("Mine", applications.name(CLI, { [CLI] = "Mine" }, { [CLI] = "x" }))
    assert.truthy(applications.name(CLI, {}, { [CLI] = "x" }):find "^Azure CLI")
    assert.equal("x", applications.name(OWN, {}, { [OWN] = "x" }))
    assert.equal(OWN, applications.name(OWN))
    assert.equal("(no application)", applications.name "")
  end)

  it("is read from a CSV", function()
    local names = assert(applications.read_csv(table.concat({
      "\239\187\191AppId,AppDisplayName,AppOwnerOrganizationId,Source",
      OWN:upper() .. ',"Sync, ""the"" one",x,Graph', VENDOR .. ",Weak,x,EntraDocs",
      OWN .. ",Weak,x,EntraDocs", "not-a-guid,No,x,Graph", CLI .. ",,x,Graph", "",
      'short', '"two\nlines",' .. "x",
    }, "\r\n")))
    assert.same({ [OWN] = 'Sync, "the" one', [VENDOR] = "Weak" }, names)
  end)

  it("is read from columns in any order", function()
    assert.same({ [OWN] = "Sync" }, applications.read_csv('"appDisplayName","appId"\nSync,' .. OWN))
  end)

  for name, case in pairs {
    ["without the columns"] = { "Id,Name\n1,2", "has no columns AppId and AppDisplayName" },
    ["that is empty"] = { "", "has no columns" },
    ["with an open quote"] = { 'AppId,AppDisplayName\n"x', "has a quote that is not closed" },
    ["with an open quote in its first line"] = { '"AppId', "has no columns" },
    ["that is binary"] = { "\0", "binary" },
  } do
    it("is not read from a CSV " .. name, function()
      local names, problem = applications.read_csv(case[1])
      assert.is_nil(names)
      assert.truthy(problem:find(case[2]), problem)
    end)
  end

  it("is read from random bytes without an error", function()
    math.randomseed(3)
    local PARTS = { '"', ",", "\n", "\r\n", OWN, "AppId", "AppDisplayName", "\255", "x" }
    for _ = 1, 5000 do
      local text = { math.random(2) == 1 and "AppId,AppDisplayName\n" or "" }
      for i = 2, math.random(2, 14) do
        text[i] = PARTS[math.random(#PARTS)]
      end
      local names, problem = applications.read_csv(table.concat(text))
      assert(type(names) == "table" or type(problem) == "string")
    end
  end)
end)

describe("the next step", function()
  local NAMES = { user = "kim@x", application = "Billing Sync 100%" }

  it("is known for each class", function()
    for _, class in ipairs { "guest", "system", "portal", "program", "own_program", "tool",
                             "vendor", "application", "suspicious", "pcapi", "unknown",
                             "third_party" } do
      local found = advice.of(class, NAMES)
      assert.is_nil((found.step .. found.text):find "[{}]")
      assert.is_true(#found.step <= 80, found.step)
    end
    assert.equal("Renew the token of Billing Sync 100% by a sign-in with MFA",
      advice.of("program", NAMES).step)
    assert.equal("Renew the token of the application by a sign-in with MFA",
      advice.of("program", {}).step)
  end)

  for name, case in pairs {
    ["of an open finding is that of its class"] = { { state = "open" },
                                                   "Run pcapi login with MFA" },
    ["of a healing finding is none"] = { { state = "healing", mfa_at = MONDAY, last_at = MONDAY },
      "none: with MFA since 2026-11-23; leaves the list about 2026-11-30" },
    ["of a fixed finding is none"] = { { state = "fixed", mfa_at = MONDAY },
                                       "none: with MFA since 2026-11-23" },
    ["of a quiet finding is to ask"] = { { state = "quiet" },
      "ask the user: not seen for 7 days, and nothing proves a repair" },
    ["of a lost finding is to look"] = { { state = "lost" },
      "check whether the user was deleted: left the list early" },
    ["of an excepted finding is none"] = { { state = "open", exception = { ends = "2026-12-01" } },
                                           "none: excepted until 2026-12-01" },
  } do
    it(name, function()
      assert.equal(case[2], advice.step(case[1], "pcapi", NAMES))
    end)
  end
end)
