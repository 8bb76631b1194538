--- `pcapi watch`: tenants that fail, several tenants, and which tenant was asked.
local cjson = require("cjson").new()
local database = require "spec.support.database"
local folder = require "spec.support.folder"
local sandbox = require "spec.support.sandbox"
local time = require "pcapi.time"
local watched = require "spec.support.watched"

local tell = watched.tell

local STORY = [[
  2026-11-10T09:00:00Z kim@fabrikam.example signs-in
  2026-11-12T09:00:00Z lee@fabrikam.example signs-in]]
local FIRST, SECOND, THIRD = "2026-11-11T06:00:00Z", "2026-11-13T06:00:00Z", "2026-11-14T06:00:00Z"
local A = "5f0b3c1e-0000-4000-8000-0000000000aa"
local B = "5f0b3c1e-0000-4000-8000-0000000000bb"

describe("a tenant that fails, to pcapi watch,", function()
  teardown(folder.remove)

  it("is named when it begins to fail and when the error changes, the status stays", function()
    local home = tell(STORY .. [[

      2026-11-13 service sends status=403; only=principals; until=2026-11-16
      2026-11-16 service sends status=400; only=principals; until=2026-11-17]])
    home:run(FIRST)
    local result = home:run(SECOND)
    assert.same({ 4, "" }, { result.status, result.out })
    assert.truthy(result.err:find("^pcapi: forbidden: "), result.err)
    for day = 14, 15 do
      result = home:run(("2026-11-%dT06:00:00Z"):format(day))
      assert.same({ 4, "", "" }, { result.status, result.out, result.err })
    end
    result = home:run "2026-11-16T06:00:00Z"
    assert.equal(1, result.status)
    assert.truthy(result.err:find "^pcapi: bad_request: ", result.err)
    local events
    events, result = home:events "2026-11-17T06:00:00Z"
    assert.same({ "new lee" }, events)
    assert.same({ 0, "pcapi: the tenant responds again\n" }, { result.status, result.err })
    assert.equal("", home:run("2026-11-17T07:00:00Z").err)
  end)

  it("is named again after 7 days, and since when it fails", function()
    local home = tell(STORY .. "\n2026-11-11 service sends status=403; only=principals")
    assert.equal(4, home:run(FIRST).status)
    local began, reported = home:failing_since(), {}
    for _, days in ipairs { 6, 1, 1 } do -- in all 6, 7 and 8
      local db = home:open_database()
      database.run(db, ("UPDATE tenant SET failure_since = failure_since - %d, "
        .. "failure_reported = failure_reported - %d"):format(days * 86400, days * 86400))
      db:close()
      local result = home:run(FIRST)
      assert.same({ 4, "" }, { result.status, result.out })
      reported[#reported + 1] = result.err:match "^pcapi: forbidden: .*it has failed since (%S+)%)"
        or result.err
    end
    assert.same({ "", time.format(began - 7 * 86400), "" }, reported)
  end)

  it("closes nobody", function()
    local home = tell(STORY .. "\n2026-11-14 service sends status=403; only=principals")
    home:run(FIRST)
    home:run(SECOND)
    assert.same({}, home:events "2026-11-25T06:00:00Z")
  end)

  it("is named each time with --verbose", function()
    local home = tell(STORY .. "\n2026-11-13 service sends status=403; only=principals")
    home:run(SECOND)
    assert.truthy(home:run(SECOND, { "--verbose" }).err:find("forbidden: ", 1, true))
  end)

  it("gives its events of before to the reader", function()
    local home = tell(STORY .. "\n2026-11-14 service sends status=403; only=principals")
    home:run(FIRST)
    local line = sandbox.command_line({ "watch" }, home:at(SECOND):environment())
    assert.equal(1, sandbox.shell(line .. " >/dev/full").status)
    local events, result = home:events(THIRD)
    assert.same({ "new lee*" }, events)
    assert.equal(4, result.status)
  end)
end)

describe("a list that fails, to pcapi watch,", function()
  teardown(folder.remove)

  it("is no evidence: the others are stored, and the status is that of its error", function()
    for list, word in pairs { requests = "requests", adoption = "adoption" } do
      local home = tell([[
        2026-11-10 svc@fabrikam.example requests app=Billing; every=1h; until=2026-11-12
        2026-11-12 svc@fabrikam.example requests app=Billing; every=1h; until=2026-12-01; mfa=1
        2026-11-12 lee@fabrikam.example signs-in
        2026-11-13 service sends status=403; until=2026-11-14; only=]] .. list)
      home:run(FIRST)
      local events, result = home:events(SECOND)
      assert.equal(4, result.status)
      assert.truthy(result.err:find(("pcapi: the list of %s failed, so it is no evidence now: "
        .. "forbidden: "):format(word), 1, true), result.err)
      assert.same(list == "requests" and { "new lee" } or { "healing svc", "new lee" }, events)
      events, result = home:events(THIRD)
      assert.equal(0, result.status)
      assert.same(list == "requests" and { "healing svc" } or {}, events)
    end
  end)
end)

describe("pcapi watch with several tenants", function()
  teardown(folder.remove)

  it("reports them in one output, with the name of each", function()
    local home = tell(STORY)
    home:sign_in("contoso", A)
    home:sign_in("fabrikam", B)
    local result = home:run_all(FIRST)
    assert.same({ 0, "" }, { result.status, result.err })
    assert.truthy(result.out:find("^TENANT +USER +WHAT HAPPENED .*\ncontoso +1 user +first list .*"
      .. "\nfabrikam +1 user +first list "), result.out)
    result = home:run_all(SECOND, { "-o", "json" })
    local document = cjson.decode(result.out)
    assert.equal(2, #document.changes)
    assert.same({ "contoso", A, "new" }, { document.changes[1].tenant,
      document.changes[1].tenantId, document.changes[1].event })
    assert.same({ "contoso", "fabrikam" }, { document.tenants[1].tenant,
                                             document.tenants[2].tenant })
    result = home:run_all(SECOND)
    assert.same({ 0, "", "" }, { result.status, result.out, result.err })
  end)

  it("ends with 3 if one fails, names it once, and reports the others", function()
    local home = tell(STORY)
    home:sign_in("contoso", A, "status=403")
    home:sign_in("fabrikam", B)
    local result = home:run_all(FIRST)
    assert.equal(3, result.status)
    assert.truthy(result.out:find("\nfabrikam +1 user +first list "), result.out)
    assert.truthy(result.err:find("^pcapi: contoso: forbidden: .*\npcapi: 1 of 2 tenants "
      .. "failed\n$"), result.err)
    result = home:run_all(SECOND)
    assert.equal(3, result.status)
    assert.truthy(result.out:find("\nfabrikam +lee@fabrikam.example +new "), result.out)
    assert.equal("", result.err)
    result = home:run_all(SECOND, { "--fail-on", "open" })
    assert.same({ 3, "" }, { result.status, result.out })
  end)

  it("ends with 3 if a list but the users' fails", function()
    local home = tell(STORY)
    home:sign_in("contoso", A, "status=403; only=adoption")
    home:sign_in("fabrikam", B)
    local result = home:run_all(FIRST)
    assert.equal(3, result.status)
    assert.truthy(result.err:find("^pcapi: contoso: the list of adoption failed"), result.err)
    assert.truthy(result.out:find("\ncontoso +1 user"), result.out)
  end)

  it("makes a baseline of a tenant that is added, and closes nobody of one that is not asked",
    function()
      local home = tell(STORY)
      home:sign_in("contoso", A)
      assert.same({ "baseline 1" }, home:events(FIRST, { "--profile", "contoso" },
        { PCAPI_TOKEN = false }))
      home:sign_out "contoso"
      home:sign_in("fabrikam", B)
      local result = home:run_all(SECOND, { "-o", "jsonl" })
      assert.truthy(result.out:find '^{"tenant":"fabrikam","event":"baseline".-\n$', result.out)
      assert.equal("", home:run_all("2026-11-14T06:00:00Z").out)
      home:sign_in("contoso", A)
      result = home:run_all("2026-11-15T06:00:00Z", { "-o", "jsonl" })
      assert.truthy(result.out:find '^{"tenant":"contoso","event":"new","upn":"lee@', result.out)
    end)

  it("asks those of a file, and tells those alone", function()
    local home = tell(STORY)
    home:sign_in("contoso", A)
    home:sign_in("fabrikam", B)
    home:run_all(FIRST)
    local list = home:write("tenants", "contoso\nnobody.example\n")
    local result = home:run(SECOND, { "--tenants", list, "--parallel", "1", "--rate", "100" },
      { PCAPI_TOKEN = false })
    assert.equal(3, result.status)
    assert.truthy(result.out:find("\ncontoso +lee@fabrikam.example +new [^\n]*\n$"), result.out)
    assert.truthy(result.err:find("^pcapi: nobody.example: sign_in_required: "), result.err)
    assert.truthy(home:run_all(SECOND).out:find("\nfabrikam +lee@fabrikam.example +new [^\n]*\n$"))
  end)

  it("finds nothing new after a profile was renamed", function()
    local home = tell(STORY)
    home:sign_in("contoso", A)
    home:run_all(FIRST)
    home:sign_out "contoso"
    home:sign_in("renamed", A)
    local result = home:run_all(FIRST)
    assert.same({ 0, "", "" }, { result.status, result.out, result.err })
    assert.truthy(home:run_all(SECOND).out:find("\nrenamed +lee@"))
  end)

  it("reports a tenant of two profiles once, and an exception may name either", function()
    local home = tell(STORY, { config = "exceptions = e.txt" })
    home:write("e.txt", "lee@fabrikam.example second 2027-02-01 break-glass\n")
    for _, name in ipairs { "first", "second", "third" } do
      home:sign_in(name, name == "third" and B or A)
    end
    local out = home:run_all(FIRST, { "-o", "jsonl" }).out
    assert.truthy(out:find('^{"tenant":"first","event":"baseline"[^\n]*\n'
      .. '{"tenant":"third","event":"baseline"[^\n]*\n$'), out)
    local result = home:run_all(SECOND, { "-o", "jsonl" })
    assert.truthy(result.out:find '^{"tenant":"third","event":"new",[^\n]*\n$', result.out)
    for _ = 1, 2 do
      assert.equal("", home:run_all(SECOND).out)
    end
  end)
end)

describe("pcapi watch with two profiles of one tenant that fail", function()
  teardown(folder.remove)

  it("gives its events of before once", function()
    local home = tell(STORY .. "\n2026-11-14 service sends status=403; only=principals")
    home:sign_in("first", A)
    home:sign_in("second", A)
    home:run_all(FIRST)
    local line = sandbox.command_line({ "watch", "--all-profiles" },
      home:at(SECOND):environment { PCAPI_TOKEN = false })
    assert.equal(1, sandbox.shell(line .. " >/dev/full").status)
    local result = home:run_all(THIRD, { "-o", "jsonl" })
    assert.equal(4, result.status)
    assert.truthy(result.out:find '^{[^\n]*"upn":"lee@[^\n]*"repeated":true[^\n]*\n$', result.out)
    assert.equal("", home:run_all(THIRD, { "-o", "jsonl" }).out)
  end)
end)

describe("the tenant that pcapi watch asks", function()
  teardown(folder.remove)

  it("is that of the token", function()
    local home = tell(STORY, { tenant = A:upper() })
    assert.equal(A, home:rows(FIRST)[1].tenantId)
    assert.same({}, home:events(FIRST, { "--tenant", B }))
  end)

  it("is that of --tenant if the token does not say it, or else an error with the cure", function()
    local home = tell(STORY)
    local without = { PCAPI_TOKEN = sandbox.token { scenario = "story=" .. home.label,
                                                    tid = false } }
    for _, arguments in ipairs { {}, { "--tenant", "fabrikam.onmicrosoft.com" } } do
      local result = home:run(FIRST, arguments, without)
      assert.same({ 1, "" }, { result.status, result.out })
      assert.truthy(result.err:find("^pcapi: config: the token does not say which tenant it is "
        .. "for, .* a GUID%. Give the GUID by %-%-tenant"), result.err)
    end
    assert.equal(A, home:rows(FIRST, { "--tenant", A }, without)[1].tenantId)
  end)
end)
