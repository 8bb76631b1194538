local core = require "pcapi.core"
local record = require "pcapi.service.record"

local DESCRIPTION = record.describe {
  { "upn", "string" },
  { "loginTime", "time", "requestTime", "seenTime" },
  { "count", "integer" },
  { "compliant", "boolean" },
}

local function normalised(fields)
  return assert(record.normalise({ fields }, DESCRIPTION))[1]
end

describe("pcapi.service.record", function()
  describe("describe", function()
    it("returns the names in their order", function()
      assert.same({ "upn", "loginTime", "count", "compliant" }, DESCRIPTION.columns)
    end)

    it("returns the column of each spelling", function()
      for _, name in ipairs { "loginTime", "LOGINTIME", "requestTime", "SeenTime" } do
        assert.equal(2, DESCRIPTION.numbers[name])
      end
      assert.is_nil(DESCRIPTION.numbers.odd)
      assert.is_nil(DESCRIPTION.numbers[1])
    end)
  end)

  describe("is_known", function()
    for _, name in ipairs { "upn", "UPN", "loginTime", "requestTime", "RequestTime" } do
      it("knows an object by its field " .. name, function()
        assert.is_true(record.is_known({ odd = 1, [name] = "x" }, DESCRIPTION))
      end)
    end

    it("knows no object without such a field", function()
      assert.is_false(record.is_known({}, DESCRIPTION))
      assert.is_false(record.is_known({ odd = 1, items2 = 2 }, DESCRIPTION))
      assert.is_false(record.is_known({ "upn" }, DESCRIPTION))
    end)
  end)

  describe("normalise", function()
    it("works in place", function()
      local records = { { upn = "a" } }
      local first = records[1]
      assert.equal(records, record.normalise(records, DESCRIPTION))
      assert.equal(first, records[1])
    end)

    it("leaves a record alone that is as documented", function()
      assert.same({ upn = "a", loginTime = "t", count = 5, compliant = false },
        normalised { upn = "a", loginTime = "t", count = 5, compliant = false })
    end)

    it("gives a field its documented name, whatever its alias and case", function()
      for _, name in ipairs { "loginTime", "LoginTime", "requestTime", "REQUESTTIME" } do
        assert.same({ loginTime = "t" }, normalised { [name] = "t" })
      end
    end)

    it("keeps a field under its own name, and an alias beside it", function()
      for _, other in ipairs { "requestTime", "LoginTime" } do
        for _, gap in ipairs { "a", "" } do -- a record with a gap takes another way
          local both = normalised { loginTime = "own", [other] = "other", upn = gap }
          assert.same({ "own", "other" }, { both.loginTime, both[other] })
        end
      end
    end)

    it("fills a gap from an alias", function()
      assert.same({ loginTime = "other" }, normalised { loginTime = "", requestTime = "other" })
    end)

    it("removes empty texts of described fields", function()
      assert.same({ upn = "a", odd = "" }, normalised {
        upn = "a", loginTime = "", count = "", compliant = "", odd = "", RequestTime = "" })
    end)

    it("keeps the name of an unknown field", function()
      assert.same({ FooBar = "x", ["1"] = 2 }, normalised { FooBar = "x", ["1"] = 2 })
    end)

    for given, expected in pairs { ["5"] = 5, ["-7"] = -7, ["0"] = 0,
                                   ["9007199254740991"] = 9007199254740991 } do
      it(("turns the count %q into a number"):format(given), function()
        assert.same({ count = expected }, normalised { count = given })
        assert.same({ count = expected }, normalised { Count = given })
      end)
    end

    -- Code that adds counts or formats them with %d would fail.
    for _, given in ipairs { "5.5", "0x10", "1e3", "many", " 5", "9007199254740993", ("9"):rep(400),
                             5.5, 1e308, -1e300, 2 ^ 53, math.huge, -math.huge, 0 / 0, true, {},
                             { 1 } } do
      local shown = type(given) == "table" and "table" or tostring(given):sub(1, 20)
      it(("removes the count %s (%s)"):format(shown, type(given)), function()
        assert.same({ upn = "a" }, normalised { upn = "a", count = given })
        assert.same({ upn = "a" }, normalised { upn = "a", Count = given })
        assert.same({ upn = "a", count = 7 }, normalised { upn = "a", count = given, Count = 7 })
      end)
    end

    for given, expected in pairs { ["true"] = true, False = false, TRUE = true, yes = "yes" } do
      it(("returns %s for the boolean %q"):format(tostring(expected), given), function()
        assert.same({ compliant = expected }, normalised { compliant = given })
      end)
    end

    it("converts by the type of the field, not by the looks of the text", function()
      assert.same({ upn = "true", loginTime = "5" }, normalised { upn = "true", loginTime = "5" })
    end)

    it("keeps nested values", function()
      assert.same({ upn = { 1 }, odd = {} }, normalised { upn = { 1 }, odd = {} })
    end)

    it("renames many fields of another case at once", function()
      local fields, expected = {}, {}
      for i = 1, 50 do
        fields["odd" .. i], expected["odd" .. i] = i, i
      end
      fields.UPN, fields.RequestTime, fields.COUNT, fields.Compliant = "a", "t", "5", "true"
      expected.upn, expected.loginTime, expected.count, expected.compliant = "a", "t", 5, true
      assert.same(expected, normalised(fields))
    end)

    for _, odd in ipairs { 5, "x", true, core.null, { "upn" } } do
      it("removes a record that is a " .. type(odd) .. ", and counts it", function()
        local a, b = { upn = "a" }, { UPN = "b" }
        for expected, records in pairs { { a, odd, b }, { odd, a, b }, { a, b, odd },
                                         { odd, odd, a, odd, b } } do
          local count = #records - 2
          local found, unreadable = record.normalise(records, DESCRIPTION)
          assert.equal(records, found, expected)
          assert.same({ { upn = "a" }, { upn = "b" } }, found)
          assert.equal(count, unreadable)
        end
        assert.same({ {}, 2 }, { record.normalise({ odd, odd }, DESCRIPTION) })
      end)
    end

    it("counts 0 if it removes none", function()
      assert.equal(0, (select(2, record.normalise({ { upn = "a" } }, DESCRIPTION))))
    end)

    it("takes the same of several aliases, whatever their order", function()
      local WAYS = { { "requestTime", "LoginTime", "seenTime" }, { "seenTime", "LoginTime" },
                     { "LOGINTIME", "LoginTime", "RequestTime" }, { "loginTime", "requestTime" } }
      local TAKEN = { "requestTime", "seenTime", "LOGINTIME", "loginTime" }
      for i, names in ipairs(WAYS) do
        for first = 1, #names do
          local fields = {}
          for k = 0, #names - 1 do
            local name = names[(first + k - 1) % #names + 1]
            fields[name] = name
          end
          assert.equal(TAKEN[i], normalised(fields).loginTime)
        end
      end
    end)

    it("calls checkpoint during long work, and ends with its message", function()
      local records, count = {}, 0
      for i = 1, 1000 do
        records[i] = { UPN = "a" }
      end
      local found, message = record.normalise(records, DESCRIPTION, { checkpoint = function()
        count = count + 1
        return count == 5 and "enough" or nil
      end })
      assert.same({ nil, "enough", 5 }, { found, message, count })
    end)

    it("normalises only the records that it is told to", function()
      local records = { { UPN = "a" }, { UPN = "b" }, 5, { UPN = "c" } }
      local found, unreadable = record.normalise(records, DESCRIPTION, { only = { 2, 3 } })
      assert.same({ { UPN = "a" }, { upn = "b" }, { UPN = "c" } }, found)
      assert.equal(1, unreadable)
    end)

    it("removes those of them that are not to be kept", function()
      local records = { { UPN = "a" }, { UPN = "b" }, { UPN = "a" }, {} }
      local found, unreadable = record.normalise(records, DESCRIPTION, {
        only = { 2, 3, 4 }, keeps = function(one) return one.upn == "b" end })
      assert.same({ { UPN = "a" }, { upn = "b" } }, found)
      assert.equal(0, unreadable)
    end)

    it("takes an empty list", function()
      assert.same({}, record.normalise({}, DESCRIPTION))
    end)
  end)
end)
