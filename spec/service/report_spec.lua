--- `pcapi report`: files, options, sizes, and parsers on the other side.
local files = require "spec.support.files"
local homes = require "spec.support.home"
local mail = require "pcapi.report.mail"
local recorded = require "spec.support.recorded"
local reports = require "spec.support.report_history"
local plain_words = require "spec.support.plain_words"

local AT = "2026-11-28T06:00:00Z"

local home

setup(function()
  home = homes.new()
  recorded.open(home):close()
  os.remove(recorded.path(home))
  reports.full(recorded.path(home))
  os.execute("chmod 700 " .. home.path)
end)

teardown(function()
  home:remove()
end)

local function run(...)
  return home:run { "report", "--now", AT, ... }
end

-- The report on standard output.
local function text_of(...)
  local result = run("--html", "-", ...)
  assert.same({ 0, "" }, { result.status, result.err })
  return result.out
end

-- What the parser xmllint says of a text.
local function complaints_of(text, mode)
  home:write("parsed.html", text)
  local result = home:shell("xmllint --noout " .. mode .. " parsed.html 2>&1")
  return result.out
end

describe("pcapi report", function()
  it("writes a file for its owner alone, and says so", function()
    local path = home.path .. "/report.html"
    local result = run("--html", path)
    assert.same({ 0, "", "pcapi: wrote " .. path .. "; it holds personal data\n" },
      { result.status, result.out, result.err })
    assert.equal("600", files.lines_of("stat -c %a " .. path)[1])
    assert.truthy(files.slurp(path):find("<bdi>kim@fabrikam.example</bdi>", 1, true))
    assert.equal("", run("--html", path, "--quiet").err)
  end)

  it("replaces the file as a whole", function()
    local path = home:write("old.html", "old")
    os.execute("chmod 644 " .. path)
    local opened = io.open(path)
    assert.equal(0, run("--html", path).status)
    assert.equal("old", opened:read "*a") -- whoever reads it has the old one
    opened:close()
    assert.equal("600", files.lines_of("stat -c %a " .. path)[1])
    assert.same({}, files.lines_of(("ls -A %s | grep pcapi$ || true"):format(home.path)))
  end)

  it("keeps the old file if it cannot write the new one", function()
    os.execute(("mkdir -p %s/open; chmod 777 %s/open"):format(home.path, home.path))
    local path = home:write("open/old.html", "old")
    for case, why in pairs { [path] = "other users can write to",
                             [home.path] = "not a regular file",
                             [home.path .. "/absent/x.html"] = "absent",
                             [home.path .. "/" .. ("x"):rep(255)] = "cannot be the name of a file",
                             ["/dev/null"] = "not a regular file" } do
      local result = run("--html", case)
      assert.same({ 1, "" }, { result.status, result.out })
      assert.matches("^pcapi: %-%-html: .*" .. why, result.err)
      assert.matches("; choose a file in a folder that exists", result.err, 1, true)
    end
    assert.equal("old", files.slurp(path))
  end)

  it("writes the same bytes for the same history and time", function()
    local one = text_of("--from", "2026-09-01")
    assert.is_true(one == text_of("--from", "2026-09-01"))
    assert.is_true(one ~= home:run({ "report", "--now", "2026-11-28T07:00:00Z", "--html", "-",
                                     "--from", "2026-09-01" }).out)
  end)

  it("is of one tenant, if it is named", function()
    local text = text_of("--tenant", "contoso")
    assert.truthy(text:find("ada@contoso.example", 1, true))
    assert.is_nil(text:find("fabrikam", 1, true))
    assert.equal(2, run("--html", "-", "--tenant", "absent").status)
  end)

  it("names nobody with --anonymous", function()
    local text = text_of("--anonymous", "--from", "2026-09-01")
    for _, name in ipairs { "kim", "@fabrikam", "contoso", "break-glass", "Billing",
                            reports.id(1):sub(1, 8) } do
      assert.is_nil(text:find(name, 1, true), name)
    end
    assert.truthy(text:find("Names are replaced by numbers", 1, true))
    assert.equal(("pcapi: wrote %s/a.html\n"):format(home.path),
      run("--anonymous", "--html", home.path .. "/a.html").err)
  end)

  it("has the evidence of a period, with its last day", function()
    local text = text_of("--from", "2026-11-26", "--to", "2026-11-27")
    assert.truthy(text:find("Evidence from 2026-11-26 to 2026-11-27", 1, true))
    assert.truthy(text:find("2 days, 0 days without a successful run", 1, true))
    assert.truthy(text_of("--from", "2026-11-26"):find("to 2026-11-28</h3>", 1, true))
  end)

  it("says what is wrong with its options", function()
    for message, words in pairs {
      ["report needs --html FILE"] = {},
      ["--to needs --from"] = { "--html", "-", "--to", "2026-11-28" },
      ["--from is later than --to"] = { "--html", "-", "--from", "2026-11-28",
                                        "--to", "2026-11-27" },
      ["--from must be a day"] = { "--html", "-", "--from", "yesterday" },
      ["--html must not be empty"] = { "--html", "" },
    } do
      local result = home:run { "report", words[1], words[2], words[3], words[4], words[5],
                                words[6] }
      assert.same({ 2, "" }, { result.status, result.out })
      assert.truthy(result.err:find(message, 1, true), result.err)
    end
    local result = home:run { "report", "--html", "-", "--now", "24h" }
    assert.truthy(result.err:find("--now must be a time such as 2024-02-03T07:08:09Z", 1, true))
  end)

  it("needs a history", function()
    local result = home:run({ "report", "--html", "-" }, { PCAPI_HISTORY = home.path .. "/none" })
    assert.equal(1, result.status)
    assert.matches("there is no history at .*; run pcapi watch first", result.err)
  end)

  it("changes nothing in the history", function()
    local before = recorded.bytes(home)
    text_of("--from", "2026-09-01")
    assert.is_true(recorded.bytes(home) == before)
  end)
end)

describe("a report", function()
  it("is XML and HTML for a parser, also of a hostile tenant", function()
    local other = homes.new()
    finally(function() other:remove() end)
    os.execute("chmod 700 " .. other.path)
    reports.hostile(other.path .. "/history.sqlite")
    local hostile = other:run({ "report", "--html", "-", "--now", AT, "--from", "2026-09-01" },
      { PCAPI_HISTORY = other.path .. "/history.sqlite" })
    assert.same({ 0, "" }, { hostile.status, hostile.err })
    for _, text in ipairs { text_of("--from", "2026-09-01"), hostile.out } do
      assert.equal("", complaints_of(text, ""))
      -- it knows HTML 4: neither section nor svg
      local html = complaints_of(text, "--html")
        :gsub("[^\n]*Tag %l+ invalid\n[^\n]*\n[^\n]*\n", "")
      assert.equal("", html)
    end
    assert.matches("parser error", complaints_of(hostile.out:gsub("</h1>", "", 1), "")) -- it judges
  end)
end)

describe("the HTML part of a mail", function()
  it("is XML and HTML for a parser, also of a hostile tenant", function()
    local rows = {}
    for i, text in ipairs(reports.HOSTILE) do
      rows[i] = { upn = text, event = text, nextStep = text }
    end
    local text = mail.html({ title = reports.HOSTILE[3], notes = reports.HOSTILE, tenants = { {
      name = "x", rows = rows, more = 1, warnings = reports.HOSTILE, counts = { open = 9 },
    } } }, plain_words, { link = "https://x.example/?a=1&b=2" })
    assert.equal("", complaints_of(text, ""))
    assert.equal("", complaints_of(text, "--html"))
  end)
end)

describe("a report of 10,000 users", function()
  it("takes at most 2 seconds of CPU and 60 MB, and 300 KB", function()
    local path = home.path .. "/many.sqlite"
    reports.many(path, 10000)
    local result = home:shell(("PCAPI_HISTORY=%s /usr/bin/time -f '%%U %%S %%M' pcapi -q report "
      .. "--html many.html --now %s"):format(path, AT))
    assert.equal(0, result.status, result.err)
    local user, system, memory = result.err:match "([%d.]+) ([%d.]+) (%d+)\n$"
    assert.is_true(user + system <= 2, user .. " s and " .. system .. " s")
    assert.is_true(memory * 1024 <= 60e6, memory .. " KiB")
    local text = files.slurp(home.path .. "/many.html")
    assert.is_true(#text <= 300 * 1000, #text)
    assert.truthy(text:find("And 9,000 users more.", 1, true))
    assert.truthy(text:find("<strong>10,000</strong> open", 1, true))
  end)
end)
