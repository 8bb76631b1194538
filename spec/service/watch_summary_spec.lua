--- The summary file that `pcapi watch` writes for nginx.
local cjson = require("cjson").new()
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local watched = require "spec.support.watched"

-- Kim is in the baseline; Lee comes on the 12th.
local STORY = [[
  2026-11-10T09:00:00Z kim@fabrikam.example signs-in
  2026-11-12T09:00:00Z lee@fabrikam.example signs-in]]
local FIRST, SECOND = "2026-11-11T06:00:00Z", "2026-11-13T06:00:00Z"

local home, path

before_each(function()
  home = watched.tell(STORY)
  path = home.home .. "/out/summary.json"
  os.execute(("mkdir %s/out; chmod 750 %s/out"):format(home.home, home.home))
  home:configure("summary = out/summary.json")
end)

after_each(folder.remove)

local function summary()
  return cjson.decode(files.slurp(path))
end

describe("the summary file of pcapi watch", function()
  it("has what the run recorded, and who was reported as new", function()
    local result = home:run(FIRST)
    assert.same({ 0, "" }, { result.status, result.err })
    assert.is_nil(summary().tenants[1].people[1].news)
    home:run(SECOND)
    local found = summary()
    local lee, kim = found.tenants[1].people[1], found.tenants[1].people[2]
    assert.same({ "2026-11-13T06:00:00Z", "lee@fabrikam.example", "new", true },
      { found.at, lee.user, lee.news, lee.told })
    assert.same({ "kim@fabrikam.example", "Require MFA for all cloud apps, then sign in anew" },
      { kim.user, kim.step })
    assert.is_nil(kim.news)
    assert.equal("640", files.lines_of("stat -c %a " .. path)[1])
  end)

  it("says that the tenant failed, with what was known before", function()
    home:run(FIRST)
    local result = home:run(SECOND, nil, { PCAPI_TOKEN = require("spec.support.sandbox").token {
      scenario = "story=" .. home.label .. "; status=500" } })
    assert.is_true(result.status ~= 0)
    local tenant = summary().tenants[1]
    assert.same({ "server", "2026-11-11T06:00:00Z", 1 },
      { tenant.failure.kind, tenant.last_success, #tenant.people })
  end)

  it("is written by no dry run", function()
    home:run(FIRST, { "--dry-run" })
    assert.is_nil(files.exists(path) or nil)
  end)

  it("is an error with the status 1 if it cannot be written; all else is done", function()
    os.execute(("chmod 777 %s/out"):format(home.home))
    for _, case in ipairs { { FIRST, "--fail-on", "open" }, { SECOND, "--baseline" } } do
      local result = home:run(case[1], { case[2], case[3] })
      assert.equal(1, result.status)
      assert.matches("^pcapi: store: the summary: other users can write to .*/out %(mode 0777%)",
        result.err)
    end
    home:configure("summary = state/pcapi/summary.json")
    os.execute(("chmod 755 %s/state/pcapi"):format(home.home))
    assert.matches("is the folder of sign-ins, where each file is taken for one",
      home:run().err, 1, true)
  end)
end)
