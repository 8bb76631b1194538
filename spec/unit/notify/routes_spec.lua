local routes = require "pcapi.notify.routes"

local TENANT = { id = "5f0b3c1e-0000-4000-8000-0000000000aa", name = "Fabrikam" }
local ROW = { upn = "Kim@fabrikam.example", objectId = "5f0b3c1e-0000-4000-8000-000000000001",
              application = "Billing Sync, Backup", applicationId = "b1, b2" }

local function reached(row, ...)
  local list, found = {}, {}
  for i, route in ipairs { ... } do
    list[i] = route
    route.channels = { ["c" .. i] = true }
  end
  local table_of_routes = routes.new(list)
  for i = 1, #list do
    found[i] = table_of_routes:reaches("c" .. i, TENANT, row)
  end
  return found
end

describe("routes", function()
  it("match names and ids without regard to case, by *", function()
    for _, route in ipairs {
      { tenant = { "fabrikam" } }, { tenant = { "fab*" } }, { tenant = { "x", "*aa" } },
      { user = { "kim@*" } }, { user = { "*0001" } }, { application = { "billing sync" } },
      { application = { "b2" } }, { application = { "*backup*" } }, { user = { "*" } }, {},
    } do
      assert.same({ true }, reached(ROW, route))
    end
    for _, route in ipairs {
      { tenant = { "fabrika" } }, { user = { "kim" } }, { application = { "sync" } },
      { tenant = { "fabrikam" }, user = { "lee@*" } },
    } do
      assert.same({ false }, reached(ROW, route))
    end
  end)

  it("end at the first one that matches, unless it is continued", function()
    assert.same({ true, false }, reached(ROW, {}, {}))
    assert.same({ true, true, false }, reached(ROW, { is_continued = true }, {}, {}))
    assert.same({ false, true }, reached(ROW, { tenant = { "x" } }, {}))
  end)

  it("give what concerns a whole tenant to routes of any user", function()
    assert.same({ false, true }, reached({}, { user = { "kim@*" } }, { user = { "*" } }))
    assert.same({ false, true }, reached({ application = nil }, { application = { "sync" } },
      { tenant = { "fabrikam" } }))
  end)

  it("leave a channel that none names with everything", function()
    local found = routes.new { { channels = { a = true }, tenant = { "x" } } }
    assert.is_false(found:reaches("a", TENANT, ROW))
    assert.is_true(found:reaches("b", TENANT, ROW))
    assert.same({ { name = "b" } }, found:of_operator { { name = "a" }, { name = "b" } })
    assert.same({ { name = "a" } }, found:of_operator { { name = "a" } })
  end)
end)
