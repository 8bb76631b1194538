local list = require "pcapi.service.list"
local security = require "pcapi.service.resources.security"
local raises = require "spec.support.raises"
local time = require "pcapi.time"

local NOW = 1706944089 -- 2024-02-03T07:08:09Z

local function new(resource, records)
  return list.new(records, {
    resource = security[resource], clock = function() return NOW end, total_count = #records,
    request_id = "r-1",
  })
end

local function requests(records)
  return new("partner_requests", records)
end

-- The values of one field, in the order of the list.
local function column(of, field)
  local values = {}
  for i, record in ipairs(of) do
    values[i] = record[field]
  end
  return values
end

describe("pcapi.service.list", function()
  describe("a list", function()
    local records = requests { { upn = "a" }, { upn = "b" } }

    it("is a plain array to loops and JSON encoders", function()
      local keys = {}
      for key in pairs(records) do
        keys[#keys + 1] = key
      end
      assert.same({ 1, 2 }, keys)
      assert.equal(2, #records)
      assert.equal('[{"upn":"a"},{"upn":"b"}]', require("cjson").encode(records))
    end)

    it("has facts of its response", function()
      assert.equal(2, records.total_count)
      assert.equal("r-1", records.request_id)
    end)

    it("has no other fields", function()
      assert.is_nil(records.odd)
      assert.is_nil(records[3])
    end)
  end)

  describe("filter", function()
    local function users(criteria)
      return column(new("non_mfa_principals", {
        { upn = "kim@fabrikam.example", objectId = "5f0b-1" },
        { upn = "svc.app@fabrikam.example", objectId = "5f0b-2" },
        { upn = "Kim@Contoso.example", objectId = "77aa-3" },
        { objectId = "77aa-4" },
      }):filter(criteria), "objectId")
    end

    for _, case in ipairs {
      { "kim@fabrikam.example", { "5f0b-1" } },
      { "KIM@FABRIKAM.EXAMPLE", { "5f0b-1" } },
      { "kim*", { "5f0b-1", "77aa-3" } },
      { "*@fabrikam.example", { "5f0b-1", "5f0b-2" } },
      { "*", { "5f0b-1", "5f0b-2", "77aa-3", "77aa-4" } },
      { "*i*.*", { "5f0b-1", "5f0b-2", "77aa-3" } },
      { "kim", {} }, { "im@contoso.example", {} },
      { "svc.app@*", { "5f0b-2" } }, { "svcxapp@*", {} }, { "svc%.app@*", {} }, { "[ks]*", {} },
      { "77AA-4", { "77aa-4" } }, { "5f0b-*", { "5f0b-1", "5f0b-2" } }, { "^kim*", {} },
      { "k?m*", {} }, { "kim@fabrikam.example$", {} },
    } do
      it(("by user %q returns %d"):format(case[1], #case[2]), function()
        assert.same(case[2], users { user = case[1] })
      end)
    end

    it("raises for an empty name, which no user has", function()
      raises(function() requests({}):filter { user = "" } end, "user is empty")
    end)

    it("by application compares id and name", function()
      local apps = new("application_mfa_adoption_status", {
        { applicationId = "a-1", applicationName = "Billing" }, { applicationId = "b-2" },
      })
      assert.same({ "a-1" }, column(apps:filter { application = "bill*" }, "applicationId"))
      assert.same({ "b-2" }, column(apps:filter { application = "B-2" }, "applicationId"))
    end)

    it("by mfa_compliant does not take a missing value for false", function()
      local some = requests { { upn = "yes", mfaCompliant = true }, { upn = "none" },
                              { upn = "no", mfaCompliant = false } }
      assert.same({ "no" }, column(some:filter { mfa_compliant = false }, "upn"))
      assert.same({ "yes" }, column(some:filter { mfa_compliant = true }, "upn"))
    end)

    describe("by since", function()
      local some = requests {
        { upn = "at", requestDateTime = "2024-02-02T07:08:09" },
        { upn = "before", requestDateTime = "2024-02-02T07:08:08.999" },
        { upn = "after", requestDateTime = "2024-02-02T09:08:10+02:00" },
        { upn = "unread", requestDateTime = "lately" },
        { upn = "without" },
      }
      local found = { "at", "after", "unread", "without" }

      for _, since in ipairs { "24h", "1d", "2024-02-02T07:08:09Z", NOW - 86400 } do
        it(("%s returns later records, and those without a time"):format(tostring(since)),
          function()
            assert.same(found, column(some:filter { since = since }, "upn"))
          end)
      end

      it("returns a day until its end", function()
        local days = new("application_mfa_adoption_status", {
          { loginDate = "2024-02-01" }, { loginDate = "2024-02-02" }, { loginDate = "2024-02-03" },
        })
        assert.same({ "2024-02-02", "2024-02-03" },
          column(days:filter { since = "24h" }, "loginDate"))
        assert.same({ "2024-02-03" }, column(days:filter { since = "today" }, "loginDate"))
        assert.same({ "2024-02-02", "2024-02-03" },
          column(days:filter { since = "2024-02-02T23:59:59Z" }, "loginDate"))
      end)
    end)

    it("returns the records that meet all criteria", function()
      local some = requests {
        { upn = "kim", mfaCompliant = false }, { upn = "kim", mfaCompliant = true },
        { upn = "lee", mfaCompliant = false },
      }
      assert.equal(1, #some:filter { user = "kim", mfa_compliant = false })
    end)

    it("without criteria returns all records", function()
      assert.equal(2, #requests { { upn = "a" }, { upn = "b" } }:filter {})
      assert.equal(2, #requests { { upn = "a" }, { upn = "b" } }:filter())
    end)

    it("returns a new list of the same records, with the same facts", function()
      local all = requests { { upn = "a" }, { upn = "b" } }
      local some = all:filter { user = "b" }
      assert.equal(2, #all)
      assert.equal(all[2], some[1])
      assert.equal("r-1", some.request_id)
      assert.equal(1, #some:filter({ user = "b" }):newest_first())
    end)

    it("raises at the caller's line for a wrong criterion", function()
      local some = requests {}
      raises(function() some:filter { usr = "x" } end,
        'filter has no option "usr"; did you mean "user"?')
      raises(function() some:filter { user = 5 } end, 'option "user" must be string')
      raises(function() some:filter { since = "24" } end, "filter: since: '24' is not a time")
      raises(function() some:filter "kim" end, "filter takes a table of options")
    end)

    it("raises for a criterion that the records have no field for", function()
      local principals = new("non_mfa_principals", {})
      raises(function() principals:filter { application = "*" } end,
        "filter: these records have no application")
      raises(function() principals:filter { mfa_compliant = false } end,
        "filter: these records have no field for mfa_compliant")
      local days = new("application_mfa_adoption_status", {})
      raises(function() days:filter { user = "*" } end, "filter: these records have no user")
    end)
  end)

  it("knows the time of a record in epoch seconds", function()
    local some = requests {}
    assert.equal(NOW, some:time_of { requestDateTime = "2024-02-03T07:08:09" })
    assert.is_nil(some:time_of { requestDateTime = "lately" })
    assert.is_nil(some:time_of {})
    assert.equal(1, select("#", some:time_of {}))
    for _, text in ipairs { "2024-02-03T07:08:09.5", "2024-02-03 07:08:09.9999999+02:00",
                            "2024-02-03", "Sat, 03 Feb 2024 07:08:09 GMT",
                            "2999-12-31T23:59:59z" } do
      local at = time.parse_logged(text)
      assert.equal(at, some:time_of { requestDateTime = text })
      assert.equal(tostring(at), tostring(some:time_of { requestDateTime = text }))
    end
  end)

  describe("sort_by", function()
    it("raises for a field that is not documented and that no record has", function()
      raises(function() requests({ { odd = 1 } }):sort_by "upm" end, "upm")
      assert.equal(1, #requests({ { odd = 1 } }):sort_by "odd")
    end)

    local function sorted(values, descending)
      local records = {}
      for i, value in ipairs(values) do
        records[i] = { x = value ~= "none" and value or nil, at = i }
      end
      return column(requests(records):sort_by("x", descending), "at")
    end

    it("sorts up, or down with descending", function()
      assert.same({ 2, 3, 1 }, sorted { 30, 4, 5 })
      assert.same({ 1, 3, 2 }, sorted({ 30, 4, 5 }, true))
      assert.same({ 3, 2, 1 }, sorted { "c", "b", "a" })
    end)

    it("keeps the order of equal records in both directions", function()
      local values, up = {}, {}
      for i = 1, 100 do
        values[i], up[i] = 7, i
      end
      assert.same(up, sorted(values))
      assert.same(up, sorted(values, true))
    end)

    it("puts records without the field last in both directions", function()
      assert.same({ 3, 2, 1 }, sorted { "none", "b", "a" })
      assert.same({ 2, 3, 1 }, sorted({ "none", "b", "a" }, true))
    end)

    it("puts false before true, and numbers before texts", function()
      local records = requests {
        { at = 1, ok = true }, { at = 2, ok = false }, { at = 3, ok = true },
      }
      assert.same({ 2, 1, 3 }, column(records:sort_by "ok", "at"))
      assert.same({ 2, 3, 1 }, sorted { "5", 6, 7 })
    end)

    it("keeps the order of values that cannot be compared", function()
      assert.same({ 2, 1, 3 }, sorted { {}, 5, {} })
    end)

    it("raises at the caller's line without the name of a field", function()
      local records = requests {}
      raises(function() records:sort_by() end, "sort_by takes the name of a field, not a nil")
      raises(function() records:sort_by(true) end, "not a boolean")
    end)

    it("returns a new list and does not change this one", function()
      local records = requests { { upn = "b" }, { upn = "a" } }
      local by_name = records:sort_by "upn"
      assert.same({ "b", "a" }, column(records, "upn"))
      assert.same({ "a", "b" }, column(by_name, "upn"))
      assert.equal("r-1", by_name.request_id)
    end)
  end)

  describe("newest_first", function()
    it("compares times, not texts", function()
      local records = requests {
        { upn = "3", requestDateTime = "2024-02-03T07:08:09.12" },
        { upn = "4", requestDateTime = "2024-02-03T07:08:09" },
        { upn = "1", requestDateTime = "2024-02-03T00:08:09-08:00" },
        { upn = "2", requestDateTime = "2024-02-03T07:08:09.123" },
        { upn = "5", requestDateTime = "lately" },
        { upn = "6" },
      }
      assert.same({ "1", "2", "3", "4", "5", "6" }, column(records:newest_first(), "upn"))
    end)
  end)

  describe("group_by", function()
    local records = requests {
      { upn = "a", applicationId = "x", requestDateTime = "2024-02-03T07:08:08" },
      { upn = "b", applicationId = "y" },
      { upn = "c", applicationId = "z", requestDateTime = "2024-02-03T07:08:09" },
      { upn = "d" },
      { upn = "e", applicationId = "z", requestDateTime = "2024-02-01T00:00:00" },
      { upn = "f" },
    }

    it("puts the largest group first, equal ones in order of appearance", function()
      local keys = {}
      for i, group in ipairs(records:group_by "applicationId") do
        keys[i] = tostring(group.key) .. #group
      end
      assert.same({ "z2", "nil2", "x1", "y1" }, keys)
    end)

    it("keeps the order of the records in a group", function()
      assert.same({ "c", "e" }, column(records:group_by("applicationId")[1], "upn"))
    end)

    it("knows the newest time of a group, if any", function()
      local groups = records:group_by "applicationId"
      assert.equal(NOW, groups[1].newest)
      assert.is_nil(groups[2].newest)
      assert.equal(NOW - 1, groups[3].newest)
    end)

    it("takes a function of a record", function()
      local groups = records:group_by(function(record)
        return record.applicationId ~= nil
      end)
      assert.equal(2, #groups)
      assert.is_true(groups[1].key)
      assert.equal(4, #groups[1])
      assert.is_false(groups[2].key)
    end)

    it("raises at the caller's line for anything else", function()
      raises(function() records:group_by() end,
        "group_by takes the name of a field or a function, not a nil")
      raises(function() records:group_by { "upn" } end, "not a table")
      raises(function() records:group_by "unp" end, "there is no field")
    end)

    it("returns lists, which can be filtered and sorted", function()
      local group = records:group_by("applicationId")[1]
      assert.equal("e", group:filter({ user = "e" })[1].upn)
      assert.equal(2, #group:newest_first())
      assert.equal("r-1", group.request_id)
    end)

    it("returns no group for no records", function()
      assert.same({}, requests({}):group_by "upn")
    end)
  end)
end)
