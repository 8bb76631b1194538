local files = require "spec.support.files"
local history = require "pcapi.history"
local lists = require "spec.support.history_lists"
local news = require "pcapi.history.news"
local outbox = require "pcapi.notify.outbox"
local private_folder = require "spec.support.private_folder"

local NOW = 1795845600 -- 2026-11-28T06:00:00Z
local DAY = 86400
local TENANT = "5f0b3c1e-0000-4000-8000-0000000000aa"
local APPLICATION = "5f0b3c1e-0000-4000-8000-0000000000b1"
local KIM = { id = "5f0b3c1e-0000-4000-8000-000000000001", upn = "kim@x.example",
              at = NOW - DAY }

describe("a large history", function()
  local path, found
  before_each(function()
    private_folder.new()
    path = private_folder.path "history.sqlite"
    found = assert(history.open(path))
  end)
  after_each(function() found:close() end)

  -- Records a run with some requests, the newest first.
  local function run(count)
    local requests = {}
    for i = 1, count do
      requests[i] = { id = ("5f0b3c1e-0000-4000-8000-%012d"):format(i), at = NOW - i,
                      user = i % 10 == 0 and KIM.id or nil, mfa = i % 10 > 0, ip = "192.0.2.7",
                      application = APPLICATION, operation = "Get /v{version}/customers" }
    end
    return assert(found:observe {
      tenant = TENANT, now = NOW, users = lists.users(NOW, { KIM }), readers = { "watch" },
      requests = lists.requests(NOW, requests), retention = {},
      adoption = lists.adoption(NOW, { { day = "2026-11-27", application = APPLICATION,
                                         name = "Sync", with_mfa = 1, total = 2 } }),
    })
  end

  it("takes less than 60 bytes for a request, though lists have the newest first", function()
    found:close()
    local empty = #files.slurp(path)
    found = assert(history.open(path))
    run(10000)
    found:close()
    assert.is_true(#files.slurp(path) - empty < 60 * 10000)
    found = assert(history.open(path))
  end)

  -- Calls a function, and returns the statements that it ran, with their plans, that read all rows
  -- of a table.
  local function scans_of(act)
    local db, scans = found.store.db, {}
    local function look(sql, ...)
      if sql:find "^%s*%u+ " and not sql:find "^%s*PRAGMA" then
        for row in db:rows("EXPLAIN QUERY PLAN " .. sql, ...) do
          local name = row.detail:match "^SCAN (%w+)"
          scans[#scans + 1] = name and name ~= "collector" and name ~= "concern" and name ~= "c"
            and name ~= "channel" and row.detail .. ": " .. sql or nil
        end
      end
    end
    found.store.db = setmetatable({}, { __index = function(_, name)
      return function(_, first, ...)
        if name == "run" or name == "row" or name == "rows" then
          look(first, ...)
        end
        return db[name](db, first, ...)
      end
    end })
    act()
    found.store.db = db
    return scans
  end

  it("is never read as a whole when a tenant is recorded and reported", function()
    local summary = run(100)
    local function report()
      summary = run(110)
      found.store:read(function()
        news.warnings(found.store, found.store:tenant(TENANT), summary.row,
          { adoption = found.store:application_names() })
      end)
      assert(found:changes { reader = "watch", tenants = { TENANT }, write = function(plans)
        return news.of(found.store, plans, { client_ids = {} })
      end })
      assert(outbox.decide(found.store, {
        channels = { { name = "ops", group = "run" } }, tenants = { TENANT }, at = NOW, now = NOW,
        routes = { reaches = function() return true end, of_operator = function() return {} end },
        remind = 7,
      }))
    end
    assert.same({}, scans_of(report))
  end)
end)
