local clean = require "pcapi.report.clean"
local json = require "pcapi.json"
local record = require "pcapi.service.record"

local DESCRIPTION = record.describe {
  { "upn", "string" }, { "count", "integer" }, { "mfaCompliant", "boolean" },
}

-- One clean record.
local function cleaned(fields)
  local records = clean.records({ fields }, DESCRIPTION)
  assert.equal(1, #records)
  return records[1]
end

describe("a text that is cleaned", function()
  for name, case in pairs {
    ["keeps ASCII, controls included"] = { "a\n\0b", "a\n\0b" },
    ["keeps every character of UTF-8"] = { "ä€😀", "ä€😀" },
    ["keeps characters that are invisible"] = { "a\226\128\174b", "a\226\128\174b" },
    ["keeps joiners"] = { "\224\164\149\226\128\141", "\224\164\149\226\128\141" },
    ["has U+FFFD for a single byte"] = { "a\255b", "a\239\191\189b" },
    ["has U+FFFD for each byte of a character that is cut"] = { "\226\130",
                                                              ("\239\191\189"):rep(2) },
    ["has U+FFFD for a surrogate"] = { "\237\160\128", ("\239\191\189"):rep(3) },
    ["has U+FFFD for an overlong form"] = { "\192\175", ("\239\191\189"):rep(2) },
  } do
    it(name, function()
      assert.equal(case[2], clean.text(case[1]))
    end)
  end
end)

describe("a count that is cleaned", function()
  it("is a number from 0 to 2^53", function()
    for _, value in ipairs { 0, 1, 0.5, 2 ^ 53 } do
      assert.equal(value, clean.count(value))
    end
  end)

  it("is missing for everything else", function()
    for _, value in ipairs { -1, 2 ^ 54, math.huge, -math.huge, 0 / 0, "5", true, {} } do
      assert.is_nil(clean.count(value))
    end
    assert.is_nil(clean.count(nil))
  end)
end)

describe("a described field of a record that is cleaned", function()
  it("of type string is a string", function()
    assert.equal("kim", cleaned({ upn = "kim" }).upn)
    assert.equal("k\239\191\189m", cleaned({ upn = "k\255m" }).upn)
    assert.equal("12", cleaned({ upn = 12 }).upn)
    assert.equal("0.5", cleaned({ upn = 0.5 }).upn)
    assert.equal("false", cleaned({ upn = false }).upn)
  end)

  it("of type string is missing if the value is no scalar", function()
    for _, value in ipairs { {}, { "kim" }, math.huge, 0 / 0, json.null } do
      assert.is_nil(cleaned({ upn = value }).upn)
    end
  end)

  it("of type integer is a count", function()
    assert.equal(7, cleaned({ count = 7 }).count)
    for _, value in ipairs { "7", -7, math.huge, 0 / 0, {}, true } do
      assert.is_nil(cleaned({ count = value }).count)
    end
  end)

  it("of type boolean is a boolean", function()
    assert.is_true(cleaned({ mfaCompliant = true }).mfaCompliant)
    assert.is_false(cleaned({ mfaCompliant = false }).mfaCompliant)
    for _, value in ipairs { "true", 1, {} } do
      assert.is_nil(cleaned({ mfaCompliant = value }).mfaCompliant)
    end
  end)
end)

describe("another field of a record that is cleaned", function()
  it("stays as it is", function()
    local more = { 1, "a", { b = true }, false }
    assert.same(more, cleaned({ more = more }).more)
  end)

  it("loses what JSON cannot hold, and arrays keep their positions", function()
    assert.same({ 1, json.null, json.null, { a = "x" } },
      cleaned({ more = { 1, math.huge, print, { a = "x", b = 0 / 0, c = json.null } } }).more)
    assert.is_nil(cleaned({ more = -math.huge }).more)
  end)

  it("has valid UTF-8 in its names and its strings", function()
    assert.same({ ["a\239\191\189"] = { ["b\239\191\189"] = { "\239\191\189" } } },
      cleaned { ["a\255"] = { ["b\254"] = { "\253" } } })
  end)

  it("loses what is nested more than 20 levels deep", function()
    local deepest = {}
    for _ = 1, 100 do
      deepest = { deepest }
    end
    local levels, level = 0, cleaned({ more = deepest }).more
    while type(level) == "table" do
      levels, level = levels + 1, level[1]
    end
    assert.equal(20, levels)
  end)

  it("may hold itself", function()
    local own = {}
    own.own = own
    assert.is_string(json.encode(cleaned { more = own }))
  end)
end)

describe("records that are cleaned", function()
  it("are copies, in their order", function()
    local records = { { upn = "a" }, { upn = "b\255" } }
    local copies = clean.records(records, DESCRIPTION)
    assert.same({ { upn = "a" }, { upn = "b\239\191\189" } }, copies)
    assert.equal("b\255", records[2].upn)
    assert.not_equal(records[1], copies[1])
  end)

  it("need no description", function()
    assert.same({ { upn = 5, more = { 1 } } }, clean.records { { upn = 5, more = { 1 } } })
  end)

  it("are as many as before, whatever they are", function()
    assert.same({ {}, {}, {} }, clean.records({ "x", 5, json.null }, DESCRIPTION))
    assert.same({}, clean.records({}, DESCRIPTION))
  end)
end)
