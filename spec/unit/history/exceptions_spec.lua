local exceptions = require "pcapi.history.exceptions"
local time = require "pcapi.time"

local NOW = time.parse "2026-11-28T06:00:00Z"
local TENANT = "5f0b3c1e-0000-4000-8000-0000000000aa"
local KIM, LEE = "5f0b3c1e-0000-4000-8000-000000000001", "5f0b3c1e-0000-4000-8000-000000000002"
local SYNC, REPORT = "5f0b3c1e-0000-4000-8000-0000000000b1", "5f0b3c1e-0000-4000-8000-0000000000b2"

local function parsed(text)
  return assert(exceptions.parse(text, NOW))
end

local function kim(fields)
  local subject = { tenant = TENANT, names = { "fabrikam", "fabrikam.example" }, id = KIM,
                    upn = "Kim@Fabrikam.example" }
  for name, value in pairs(fields or {}) do
    subject[name] = value
  end
  return subject
end

-- The reason of the exception that holds.
local function why(text, subject, now, bindings)
  local found = parsed(text):find(subject or kim(), bindings or {}, now or NOW)
  return found and found.why
end

describe("an exception", function()
  for name, who in pairs {
    ["names a user by objectId, in any case"] = KIM:upper(),
    ["names a user by upn, in any case"] = "kim@FABRIKAM.example",
    ["names users by a pattern"] = "*@fabrikam.example",
    ["names users by a pattern with several *"] = "k*m@*.ex*le",
  } do
    it(name, function()
      assert.equal("because", why(who .. " * 2026-12-01 because"))
    end)
  end

  for name, who in pairs {
    ["of another objectId"] = LEE, ["of another upn"] = "lee@fabrikam.example",
    ["of a pattern that does not fit"] = "*@contoso.example",
    ["of a pattern whose ends overlap in the upn"] = "kim@fabrikam.example*kim@fabrikam.example",
    ["of a pattern with a magic character"] = "ki.@*",
    ["of a pattern whose middle is missing"] = "k*z*m@fabrikam.example",
    ["of a pattern whose middle is in its end"] = "k*fabrikam*m@fabrikam.example",
    ["of an application that is not known to be the only one"] = "app:" .. SYNC,
  } do
    it(name .. " does not hold", function()
      assert.is_nil(why(who .. " * 2026-12-01 because"))
    end)
  end

  it("holds for the tenant by its id or any name, in any case", function()
    for _, tenant in ipairs { TENANT, TENANT:upper(), "Fabrikam", "fabrikam.EXAMPLE", "*" } do
      assert.equal("because", why("kim@fabrikam.example " .. tenant .. " 2026-12-01 because"))
    end
    assert.is_nil(why "kim@fabrikam.example contoso 2026-12-01 because")
  end)

  it("holds until the end of its last day in UTC", function()
    local text = "kim@fabrikam.example * 2026-12-01 because"
    assert.equal("because", why(text, kim(), time.parse "2026-12-01T23:59:59Z"))
    assert.is_nil(why(text, kim(), time.parse "2026-12-02T00:00:00Z"))
  end)

  it("is stored as it was written", function()
    local found = parsed("kim@Fabrikam.example Fabrikam 2026-12-01  two  words "):find(kim(), {},
      NOW)
    assert.same({ who = "kim@Fabrikam.example", tenant = "fabrikam", ends = "2026-12-01",
                  why = "two  words" }, found)
  end)

  it("of a line that ended makes room for a later line", function()
    assert.equal("new", why(table.concat({ "kim@fabrikam.example * 2026-11-01 old",
                                           KIM .. " * 2026-12-01 new" }, "\n")))
  end)

  it("with #EXT# is no comment, and a # in the reason neither", function()
    local guest = kim { upn = "kim_contoso.example#EXT#@fabrikam.onmicrosoft.com" }
    assert.equal("ticket #7", why("*#EXT#@fabrikam.onmicrosoft.com * 2026-12-01 ticket #7", guest))
  end)

  it("matches a long upn in no time", function()
    local long = ("a"):rep(100000) .. "@x"
    assert.is_nil(why(("*a"):rep(30) .. "b * 2026-12-01 x", kim { upn = long }))
  end)
end)

describe("an exception of an application", function()
  local BOTH = ("app:%s * 2026-12-05 one\napp:%s * 2026-12-01 two"):format(SYNC, REPORT:upper())

  it("holds for a user who came without MFA through it alone", function()
    assert.equal("one", why(BOTH, kim { applications = { SYNC } }))
    assert.is_nil(why(BOTH, kim { applications = { SYNC, KIM } }))
    assert.is_nil(why(BOTH, kim { applications = {} }))
  end)

  it("holds for several applications until the first of them ends", function()
    assert.equal("two", why(BOTH, kim { applications = { SYNC, REPORT } }))
    assert.is_nil(why(BOTH, kim { applications = { SYNC, REPORT } },
      time.parse "2026-12-02T00:00:00Z"))
  end)

  it("is asked for only if a line names one", function()
    assert.is_true(parsed(BOTH):needs_applications())
    assert.is_false(parsed("kim@x * 2026-12-01 x"):needs_applications())
  end)
end)

describe("the upn of an exception", function()
  local TEXT = "kim@fabrikam.example * 2026-12-01 because"

  it("is bound to the user who had it first, so a rename keeps the exception", function()
    local bindings = {}
    assert.equal("because", why(TEXT, kim(), NOW, bindings))
    assert.same({ ["kim@fabrikam.example"] = KIM }, bindings)
    assert.equal("because", why(TEXT, kim { upn = "kimberly@fabrikam.example" }, NOW, bindings))
  end)

  it("excepts no new user who gets it, and says so", function()
    local bindings = { ["kim@fabrikam.example"] = KIM }
    local found, warning = parsed(TEXT):find(kim { id = LEE }, bindings, NOW)
    assert.is_nil(found)
    assert.equal("line 1: kim@fabrikam.example is another user now, who has no exception: it was "
      .. "made for the objectId " .. KIM .. ". If it is meant for the new user, write the objectId "
      .. LEE .. " in its place", warning)
    assert.same({ ["kim@fabrikam.example"] = KIM }, bindings)
  end)

  it("warns of nothing if another line excepts the new user", function()
    local found, warning = parsed(TEXT .. "\n" .. LEE .. " * 2026-12-01 too"):find(kim { id = LEE },
      { ["kim@fabrikam.example"] = KIM }, NOW)
    assert.equal("too", found.why)
    assert.is_nil(warning)
  end)

  it("is free again once its line is gone", function()
    assert.same({ ["kim@fabrikam.example"] = KIM }, parsed(TEXT):still_bound {
      ["kim@fabrikam.example"] = KIM, ["lee@fabrikam.example"] = LEE })
  end)
end)

describe("a file of exceptions", function()
  it("may have comments, blank lines, tabs, CRLF and a byte order mark", function()
    local found = parsed("\239\187\191# who\r\n\r\n  # more\r\n kim@x\t*\t2026-12-01\twhy\tso\r\n")
    assert.equal(1, #found)
    assert.equal(4, found[1].line)
    assert.equal("why so", found[1].why)
  end)

  it("may be empty", function()
    assert.equal(0, #parsed "")
  end)

  it("may have a reason that is not UTF-8", function()
    assert.equal("f\239\191\189r", why "kim@fabrikam.example * 2026-12-01 f\252r")
  end)

  for name, case in pairs {
    ["a missing reason"] = { "kim@x * 2026-12-01", "needs four fields: who, tenant or %*, until" },
    ["a blank reason"] = { "kim@x * 2026-12-01 \1", "why is empty" },
    ["a missing end"] = { "kim@x * because it is so", "until must be a date such as 2027%-01%-31" },
    ["a day that does not exist"] = { "kim@x * 2026-02-30 x", "until must be a date" },
    ["a time"] = { "kim@x * 2026-12-01T00:00:00Z x", "until must be a date" },
    ["an end after 400 days"] = { "kim@x * 2028-01-03 x",
                                  "400 days ahead; the latest is 2028%-01%-02" },
    ["everyone"] = { "* * 2026-12-01 x", "%* would except everyone" },
    ["everyone by a longer pattern"] = { "*@* * 2026-12-01 x", "would except everyone" },
    ["a name"] = { "kim * 2026-12-01 x", "who must be an objectId, a upn, a pattern" },
    ["an application by name"] = { "app:sync * 2026-12-01 x", "app: must be followed by the id" },
    ["who in another encoding"] = { "k\252m@x * 2026-12-01 x", "save the file as UTF%-8" },
    ["who with a control character"] = { "k\1m@x * 2026-12-01 x", "control characters" },
    ["a long line"] = { "kim@x * 2026-12-01 " .. ("x"):rep(4100), "longer than 4096 bytes" },
    ["a long reason"] = { "kim@x * 2026-12-01 " .. ("x"):rep(501), "why is longer than 500 bytes" },
    ["one word"] = { "kim@x", "needs four fields" },
  } do
    it("is refused for " .. name .. ", with the line and the cure", function()
      local found, line, problem = exceptions.parse("# comment\n" .. case[1] .. "\n", NOW)
      assert.is_nil(found)
      assert.equal(2, line)
      assert.truthy(problem:find(case[2]), problem)
    end)
  end

  it("is refused if it is binary", function()
    local _, line, problem = exceptions.parse("kim@x\0", NOW)
    assert.equal(1, line)
    assert.truthy(problem:find "^the file is UTF%-16 text or binary")
  end)

  it("of random bytes is read or refused, with a line", function()
    math.randomseed(7)
    local PARTS = { "\r", "\n", " ", "\t", "#", "*", "@", "app:", KIM, "2026-12-01", "\255",
                    "\239\187\191", "\226\128", "x", "kim@x * 2026-12-01 why\n" }
    for _ = 1, 20000 do
      local text = {}
      for i = 1, math.random(0, 12) do
        text[i] = PARTS[math.random(#PARTS)]
      end
      text = table.concat(text)
      local found, line, problem = exceptions.parse(text, NOW)
      if found then
        found:find(kim(), {}, NOW)
        found:warnings(NOW)
      else
        local _, breaks = text:gsub("\r\n?", "\n"):gsub("\n", "")
        assert(line >= 1 and line <= breaks + 1 and type(problem) == "string", text)
      end
    end
  end)
end)

describe("the warnings of exceptions", function()
  it("name lines that ended, and lines that end within 14 days", function()
    assert.same({
      "line 1: the exception of a@x ended on 2026-11-27; remove the line, or extend it",
      "line 2: the exception of b@x ends on 2026-11-28",
      "line 3: the exception of c@x ends on 2026-12-12",
    }, parsed("a@x * 2026-11-27 x\nb@x * 2026-11-28 x\nc@x * 2026-12-12 x\nd@x * 2026-12-13 x")
      :warnings(NOW))
  end)
end)
