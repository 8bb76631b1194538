-- A new resource is one data file: here it is added at run time, and nothing else knows it.
local fake = require "spec.support.fake_transport"
local lines_of = require("spec.support.files").lines_of
local pages = require "spec.support.pages"
local raises = require "spec.support.raises"
local resource = require "pcapi.service.resource"

local WIDGETS = "pcapi.service.resources.widgets"
local ITEMS = { items = {
  { Id = "W-1", Vendor = "Contoso", madeAt = "2024-02-03T07:00:00", size = "5",
    owner = "kim@x.example" },
  { id = "W-2", maker = "Fabrikam", madeAt = "2024-01-20T00:00:00", size = 7,
    owner = "lee@x.example" },
} }

local function declare()
  local record = require "pcapi.service.record"
  return {
    all = {
      path = "widgets/all", version = "v3", time = "madeAt", user = { "owner" }, days = 7, cap = 3,
      query = { colour = "string", day = "date", few = "boolean" },
      identity = { "maker", "id" },
      description = record.describe {
        { "id", "string" }, { "maker", "string", "vendor" }, { "madeAt", "time" },
        { "size", "integer" }, { "owner", "string" },
      },
    },
    plain = { path = "widgets/plain", description = record.describe { { "id", "string" } } },
  }
end

local function column(records, name)
  local values = {}
  for i, record in ipairs(records) do
    values[i] = record[name]
  end
  return values
end

describe("a resource that is added as a data file", function()
  setup(function()
    package.preload[WIDGETS] = declare
  end)

  teardown(function()
    package.preload[WIDGETS], package.loaded[WIDGETS] = nil, nil
  end)

  local function all(options, ...)
    local client, transport = fake.client { pages.json(ITEMS), ... }
    return assert(client.widgets:all(options)), transport
  end

  it("is loaded at first use, once for each client", function()
    local client, transport = fake.client {}
    assert.equal(client.widgets, client.widgets)
    assert.not_equal(client.widgets, fake.client({}).widgets)
    assert.equal(0, #transport.sent)
  end)

  it("has calls that return normalised records from the declared path", function()
    local list, transport = all()
    assert.equal("https://api.partnercenter.microsoft.com/v3/widgets/all", transport.sent[1].url)
    assert.same({ id = "W-1", maker = "Contoso", madeAt = "2024-02-03T07:00:00", size = 5,
                  owner = "kim@x.example" }, list[1])
  end)

  it("sends the declared query", function()
    local _, transport = all { colour = "red", day = "2024-02-03", few = false }
    assert.matches("?colour=red&day=2024-02-03&few=false", transport.sent[1].url, 1, true)
  end)

  it("takes the criteria that it has fields for, and raises for others", function()
    assert.same({ "W-1" }, column(all { since = "24h" }, "id"))
    assert.same({ "W-2" }, column(all { user = "LEE@*" }, "id"))
    local client = fake.client {}
    raises(function() client.widgets:all { application = "x" } end,
      "all: these records have no application")
    raises(function() client.widgets:all { day = "today" } end, 'option "day" must be a day')
    raises(function() client.widgets:all { color = "red" } end,
      'all has no option "color"; did you mean "colour"?')
    raises(function() client.widgets:plain { since = "24h" } end,
      "plain: these records have no time, which since needs")
  end)

  it("reads all pages", function()
    local client, transport = fake.client {
      pages.json { items = { { id = "1" } }, links = { next = { uri = "widgets/all?page=2" } } },
      pages.json { items = { { id = "2" } }, continuationToken = "t" },
      pages.json { { id = "3" } },
    }
    local list = assert(client.widgets:all())
    assert.same({ "1", "2", "3" }, column(list, "id"))
    assert.equal("https://api.partnercenter.microsoft.com/v3/widgets/all?page=2",
      transport.sent[2].url)
    assert.equal("t", transport.sent[3].header["ms-continuationtoken"])
    assert.is_true(list.truncated) -- its cap is 3
  end)

  it("returns lists with facts, which sort, filter and group", function()
    local list = all { since = "30d" }
    assert.same({ 2, 0, false }, { list.total_count, list.unreadable, list.truncated })
    assert.same({ "id", "maker", "madeAt", "size", "owner" }, list.columns)
    assert.equal(fake.NOW - 7 * 86400, list.covered_since)
    assert.same({ "W-1", "W-2" }, column(list:newest_first(), "id"))
    assert.same({ "W-2", "W-1" }, column(list:sort_by("size", true), "id"))
    assert.same({ "W-2" }, column(list:filter { user = "lee*" }, "id"))
    assert.equal(2, #list:group_by "maker")
  end)

  it("identifies its records", function()
    local list = all()
    assert.equal("Contoso/W-1", list:identity_of(list[1]))
    local client = fake.client { pages.json { { id = "1" } } }
    local plain = client.widgets:plain()
    assert.is_nil((plain:identity_of(plain[1])))
  end)

  it("needs no time: its lists keep their order", function()
    local client = fake.client { pages.json { { id = "2" }, { id = "1" } } }
    local list = assert(client.widgets:plain())
    assert.same({ "2", "1" }, column(list:newest_first(), "id"))
    assert.is_nil(list:time_of(list[1]))
    assert.equal(2, #list:group_by "id")
  end)

  it("is written in any format", function()
    local list = all()
    assert.equal("id,maker,madeAt,size,owner\r\n"
      .. "W-1,Contoso,2024-02-03T07:00:00,5,kim@x.example\r\n"
      .. "W-2,Fabrikam,2024-01-20T00:00:00,7,lee@x.example\r\n",
      require("pcapi.format.csv").encode(list, { columns = list.columns }))
    assert.matches('"maker": ?"Contoso"',
      require("pcapi.format.jsonl").encode(list, { columns = list.columns }))
  end)

  it("raises at the caller's line for a call that it does not have", function()
    local client = fake.client {}
    raises(function() client.widgets:al() end, 'widgets has no call "al"; did you mean "all"?')
    raises(function() client.widgets.all {} end, "call it with a colon: client.widgets:all{…}")
  end)

  it("is found by the name of a call", function()
    assert.equal("widgets.all", resource.find("widgets.all").name)
    for _, name in ipairs { "widgets", "widgets.", "widgets.none", "none.all", "x.widgets.all",
                            "../widgets.all", "", "widgets.all.all", 5, false, {} } do
      assert.is_nil(resource.find(name))
    end
    assert.is_nil(resource.find(nil))
  end)

  describe("in a cache of nginx", function()
    -- Outside nginx the codec has no other requests to give way to.
    local function cache_codec()
      local slots = package.loaded["pcapi.nginx.slots"]
      package.loaded["pcapi.nginx.slots"] = slots or { breathe = function() end }
      local codec = require "pcapi.nginx.cache_codec"
      if not slots then
        package.loaded["pcapi.nginx.slots"], package.loaded["pcapi.nginx.cache_codec"] = nil, nil
      end
      return codec
    end

    it("is restored as the same list", function()
      local list = all { since = "30d" }
      local codec = cache_codec()
      local restored = codec.read((codec.write(list, 1000))).value
      assert.same({ "W-1", "W-2" }, column(restored, "id"))
      assert.same(list.columns, restored.columns)
      assert.equal(list.request_id, restored.request_id)
      assert.equal(list.covered_since, restored.covered_since)
      assert.equal("Contoso/W-1", restored:identity_of(restored[1]))
      assert.same({ "W-2" }, column(restored:filter { user = "lee*" }, "id"))
    end)

    it("is not restored, and so loaded again, if its call is unknown", function()
      for _, call in ipairs { '"nonMfaCompliantPartnerPrincipals"', '"gadgets.all"', '"widgets.no"',
                              '"..widgets"', '"widgets"', "5", "null", "{}" } do
        assert.is_nil(cache_codec().read('{"at":1000,"facts":{"call":' .. call
          .. '},"items":[]}'))
      end
    end)
  end)
end)

describe("a client", function()
  it("raises at the caller's line for a resource that does not exist", function()
    local client = fake.client {}
    raises(function() return client.gadgets end,
      'a client has no method and no resource "gadgets"')
    raises(function() client:reqest("GET", "/v1/x") end,
      'no resource "reqest"; did you mean "request"?')
    raises(function() return client.init end, 'no resource "init"')
  end)

  it("raises the error of a data file that fails", function()
    local module = "pcapi.service.resources.broken"
    package.preload[module] = function() error("the file is broken", 0) end
    local ok, message = pcall(function() return fake.client({}).broken end)
    package.preload[module] = nil
    assert.is_false(ok)
    assert.matches("the file is broken", message, 1, true)
  end)

  it("has no field with the name of a resource", function()
    local client = fake.client {}
    for _, path in ipairs(lines_of "ls lua/pcapi/service/resources/*.lua") do
      assert.is_nil(rawget(client, path:match "([%w_]+)%.lua$"))
    end
  end)

  it("has nil for a key that cannot name a resource", function()
    local client = fake.client {}
    for _, key in ipairs { 1, "_private", "__index", "Upper", true } do
      assert.is_nil(client[key])
    end
    assert.equal(0, select("#", (table.unpack or unpack)(client))) -- luacheck: ignore
  end)

  it("looks nothing up for an option that was not given", function()
    local client = fake.client { {}, pages.json {} }
    setmetatable(client, { __index = function(_, name) error("looked up " .. name, 2) end })
    assert.is_table(client:request("GET", "/v1/x", { headers = { A = "b" } }))
    assert.is_table(require("pcapi.service.paging").list(client, resource.find(
      "security.partner_requests"), {}))
  end)
end)
