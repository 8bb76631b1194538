local list = require "pcapi.service.list"
local record = require "pcapi.service.record"

local GUID = "5f0b3c1e-0000-4000-8000-0000000000aa"

local function new(changes)
  local call = {
    name = "widgets.all", identity = { "maker", "id" }, time = "day", time_type = "date",
    description = record.describe { { "maker", "string" }, { "id", "string" }, { "day", "date" } },
  }
  for name, value in pairs(changes or {}) do
    call[name] = value
  end
  return list.new({}, { resource = call, clock = os.time })
end

local function identity(maker, id)
  return (new():identity_of { maker = maker, id = id })
end

describe("the identity of a record", function()
  it("is made of the declared fields, in their order", function()
    assert.equal("Contoso/W-1", identity("Contoso", "W-1"))
    assert.equal("W-1", (new({ identity = { "id" } }):identity_of { maker = "x", id = "W-1" }))
  end)

  it("does not depend on the other fields", function()
    assert.equal(new():identity_of { maker = "a", id = "b", size = 1 },
      new():identity_of { maker = "a", id = "b", day = "2024-02-03" })
  end)

  it("is nil if one of the fields is missing, or no text and no number", function()
    for _, value in ipairs { "", {}, true } do
      assert.is_nil(identity("a", value))
      assert.is_nil(identity(value, "b"))
    end
    assert.is_nil(identity("a", nil))
    assert.is_nil(identity(nil, "b"))
  end)

  it("is nil if the call declares none", function()
    local plain = new()
    plain.resource.identity = nil
    assert.is_nil((plain:identity_of { maker = "a", id = "b" }))
    assert.is_nil((new({ identity = {} }):identity_of { maker = "a", id = "b" }))
  end)

  it("takes a number like its text", function()
    assert.equal("7/8", identity(7, "8"))
  end)

  it("is the same for a GUID in any case, and for no other text", function()
    assert.equal("a/" .. GUID, identity("a", GUID:upper()))
    assert.equal(identity("a", GUID), identity("a", GUID:upper()))
    for _, text in ipairs { "AbC", GUID:upper() .. "0", GUID:upper():gsub("%-", ""),
                            GUID:upper():gsub("A", "G") } do
      assert.equal("a/" .. text, identity("a", text))
    end
  end)

  it("is the same for a day that comes as a time", function()
    local days = new { identity = { "day", "id" } }
    for _, day in ipairs { "2024-02-03", "2024-02-03T00:00:00", "2024-02-03T00:00:00Z" } do
      assert.equal("2024-02-03/a", (days:identity_of { day = day, id = "a" }))
    end
    assert.equal("3 Feb/a", (days:identity_of { day = "3 Feb", id = "a" }))
  end)

  it("differs for different parts, whatever they hold", function()
    local seen = {}
    for _, parts in ipairs { { "a", "b/c" }, { "a/b", "c" }, { "a%2Fb", "c" }, { "a", "b%2Fc" },
                             { "a%", "2Fb" }, { "a\n", "b" }, { "a%0A", "b" }, { "a\0", "b" } } do
      local text = identity(parts[1], parts[2])
      assert.is_nil(seen[text])
      seen[text] = true
    end
  end)

  it("is one line", function()
    assert.equal("a%0Ab%25%2F/c%00%7F", identity("a\nb%/", "c\0\127"))
    assert.equal("J\195\188rgen/1", identity("J\195\188rgen", "1"))
  end)
end)
