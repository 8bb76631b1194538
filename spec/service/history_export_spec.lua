--- `pcapi history export ROWS`: the rows of the history for a database.
local files = require "spec.support.files"
local history_lists = require "spec.support.history_lists"
local homes = require "spec.support.home"
local recorded = require "spec.support.recorded"

local NOW = 1795845600 -- 2026-11-28T06:00:00Z
local COLLECTOR = "%x+%-%x+%-4%x+%-%x+%-%x+"

local home

setup(function()
  home = homes.new()
end)

teardown(function()
  home:remove()
end)

local function observe(requests, operation)
  local records, history = {}, recorded.open(home)
  for i = 1, requests do
    records[i] = { id = ("5f0b3c1e-0003-4000-8000-%012d"):format(i), at = NOW - i,
                   application = "a", operation = operation, mfa = true }
  end
  assert(history:observe {
    tenant = recorded.TENANT, name = "fabrikam", now = NOW,
    users = history_lists.users(NOW, { { upn = "kim@fabrikam.example", at = NOW } }),
    requests = history_lists.requests(NOW, records),
  })
  history:close()
end

local function export(...)
  return home:run { "history", "export", ... }
end

describe("pcapi history export ROWS", function()
  it("writes CSV with the names of the columns, and the number of each row's run", function()
    observe(1, "Get \"a\",\0\n\\.\nb")
    local collector = export "collector".out
    local run = collector:match("^collector,run\n" .. COLLECTOR .. ",(%d+)\n$")
    assert.is_truthy(run, collector)
    local result = export "requests"
    assert.same({ 0, "" }, { result.status, result.err })
    local shown = "\239\191\189"
    assert.matches("^collector,run,tenant_id,at,request_id,person_id,application_id,operation,ip,"
      .. "mfa\n" .. COLLECTOR .. "," .. run, result.out)
    assert.matches(',,a,"Get ""a"",' .. shown .. shown .. "\\." .. shown .. 'b",,1\n', result.out,
      1, true)
    for _, kind in ipairs { "runs", "requests", "findings" } do
      local _, lines = export(kind).out:gsub("\n", "")
      assert.equal(2, lines, kind)
      _, lines = export(kind, "--after", run).out:gsub("\n", "")
      assert.equal(1, lines, kind)
    end
  end)

  it("refuses options that select findings", function()
    for option, value in pairs { state = "open", since = "7d", tenant = "fabrikam" } do
      local result = export("runs", "--" .. option, value)
      assert.same({ 2, "pcapi: --" .. option .. " selects findings, not rows for a database" },
        { result.status, result.err:match "^[^\n]*" })
    end
    assert.equal(2, export("runs", "-o", "jsonl").status)
    assert.equal(0, export("runs", "-o", "csv").status)
  end)

  it("refuses --after without ROWS, and what is no number of a run", function()
    assert.equal("pcapi: --after needs ROWS: runs, requests, findings or adoption",
      export("--after", "1").err:match "^[^\n]*")
    for _, value in ipairs { "-1", "1.5", "x", "", "1e3" } do
      assert.equal(2, export("runs", "--after", value).status, value)
    end
    assert.equal(2, export("people").status)
  end)

  it("reports that it cannot write", function()
    local result = home:shell "pcapi history export requests >/dev/full"
    assert.same({ 1, "" }, { result.status, result.out })
    assert.matches("cannot write to standard output: No space left", result.err, 1, true)
  end)

  it("needs no more memory for many rows", function()
    local function memory_of(rows)
      local result = home:shell(("/usr/bin/time -f %%M pcapi history export %s >out"):format(rows))
      assert.equal(0, result.status, result.err)
      return tonumber(result.err:match "(%d+)\n$") / 1024
    end
    observe(10000, "Get")
    local little, much = memory_of "runs", memory_of "requests"
    local _, lines = files.slurp(home.path .. "/out"):gsub("\n", "")
    assert.is_true(lines > 10000)
    assert.is_true(much < little + 5, ("%.1f MiB, not %.1f"):format(much, little))
  end)
end)
