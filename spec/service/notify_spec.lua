--- `pcapi notify`, and `pcapi watch` with channels.
local cjson = require("cjson").new()
local database = require "spec.support.database"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local sandbox = require "spec.support.sandbox"
local time = require "pcapi.time"
local watched = require "spec.support.watched"

local STORY = [[
  2026-11-10T09:00:00Z kim@fabrikam.example signs-in
  2026-11-12T09:00:00Z lee@fabrikam.example signs-in
  2026-11-13T09:00:00Z max@fabrikam.example signs-in]]
local FIRST, SECOND, THIRD = "2026-11-11T06:00:00Z", "2026-11-13T06:00:00Z", "2026-11-14T06:00:00Z"

local FILE = "[notify file]\ntype = jsonl\npath = told.jsonl\n"
local MAIL = "[notify mail]\ntype = mail\nto = ops@x.example\nfrom = pcapi@x.example\n"
  .. "sendmail = %s/sendmail\n"

-- A history whose channels the text configures, and a program sendmail.
local function tell(config, story, sendmail)
  local tale = watched.tell(story or STORY)
  tale.config = folder.write(tale.home .. "/config", (config:gsub("%%s", tale.home)))
  tale:write("sendmail", "#!/bin/sh\n" .. (sendmail or "cat >>%s/mails"):gsub("%%s", tale.home)
    .. "\n")
  sandbox.shell("chmod 755 " .. tale.home .. "/sendmail")
  return tale
end

local function notify(tale, ...)
  return sandbox.pcapi({ "notify", ... }, tale:environment())
end

-- What the file was told, without warnings: `event user`.
local function told(tale)
  local lines = {}
  for line in files.slurp(tale.home .. "/told.jsonl"):gmatch "([^\n]*)\n" do
    local row = cjson.decode(line)
    if row.event == "operator" then
      lines[#lines + 1] = row.text
    elseif row.event ~= "warning" then
      lines[#lines + 1] = row.event .. " " .. (row.upn and row.upn:match "^[^@]*"
        or row.count and ("%d"):format(row.count) or "")
    end
  end
  return lines
end

local function count_mails(tale)
  return select(2, files.slurp(tale.home .. "/mails"):gsub("\nX%-Pcapi%-Dedup: ", ""))
end

describe("pcapi watch with channels", function()
  teardown(folder.remove)

  it("is silent with --notify, and tells the channels", function()
    local tale = tell(FILE .. MAIL)
    for _, now in ipairs { FIRST, SECOND, THIRD, THIRD } do
      local result = tale:run(now, { "--notify" })
      assert.same({ 0, "", "" }, { result.status, result.out, result.err })
    end
    assert.same({ "baseline 1", "new lee", "new max" }, told(tale))
    assert.equal(3, count_mails(tale))
  end)

  it("writes also with --notify if --output is given", function()
    local tale = tell(FILE)
    tale:run(FIRST, { "--notify" })
    assert.truthy(tale:run(SECOND, { "--notify", "-o", "jsonl" }).out:find("lee@", 1, true))
    assert.same({ "baseline 1", "new lee" }, told(tale))
    assert.equal(10, tale:run(THIRD, { "--notify", "--fail-on", "new" }).status)
  end)

  it("decides without --notify, and says what waits", function()
    local tale = tell(FILE)
    tale:run(FIRST, { "--notify" })
    local result = tale:run(SECOND)
    assert.truthy(result.out:find("lee@", 1, true))
    assert.equal("pcapi: 1 notice to deliver: add --notify, or run pcapi notify send\n",
      result.err)
    result = notify(tale, "pending", "--json")
    local row = cjson.decode(result.out).notices[1]
    assert.same({ "file", "changes", 0 }, { row.channel, row.kind, row.tries })
    assert.truthy(row.title:find ": 1 new user without MFA$", row.title)
    assert.truthy(notify(tale, "pending").out:find "^CHANNEL +NOTICE +DECIDED")
    result = notify(tale, "send")
    assert.same({ 0, "", "pcapi: sent 1 notice\n" }, { result.status, result.out, result.err })
    assert.same({ "baseline 1", "new lee" }, told(tale))
    assert.equal('{"notices":[]}\n', notify(tale, "pending", "--json").out)
  end)

  it("stores and sends nothing in a dry run, nor of a baseline", function()
    local tale = tell(FILE)
    tale:run(FIRST, { "--dry-run", "--notify" })
    assert.is_false(files.exists(tale.home .. "/told.jsonl"))
    tale:run(FIRST, { "--baseline", "--notify" })
    assert.is_false(files.exists(tale.home .. "/told.jsonl"))
    tale:run(SECOND, { "--notify" })
    assert.same({ "new lee" }, told(tale))
  end)

  it("needs a channel for --notify", function()
    local result = tell "":run(FIRST, { "--notify" })
    assert.equal(2, result.status)
    assert.truthy(result.err:find("--notify needs a channel: write a section [notify NAME]", 1,
      true))
  end)

  it("names a failing channel once, ends with status 1, and delivers later", function()
    local tale = tell(FILE .. MAIL, nil, "test -e %s/works || { echo no route; exit 75; }\n"
      .. "cat >>%s/mails")
    local result = tale:run(FIRST, { "--notify" })
    assert.same({ 1, "" }, { result.status, result.out })
    assert.equal(("pcapi: channel mail: server: %s/sendmail ended with status 75: no route; "
      .. "1 notice will be tried again\n"):format(tale.home), result.err)
    result = tale:run(SECOND, { "--notify" })
    assert.same({ 1, "" }, { result.status, result.err })
    tale:write("works", "")
    assert.equal(0, tale:run(THIRD, { "--notify" }).status)
    assert.equal(3, count_mails(tale))
    assert.same({ "baseline 1", "new lee", "new max" }, told(tale))
  end)

  it("gives up after 3 days, and another channel tells so", function()
    local tale = tell(FILE .. MAIL, nil, "exit 75")
    tale:run(FIRST, { "--notify" })
    local db = tale:open_database()
    database.run(db, "UPDATE notice SET at = at - 3 * 86400")
    db:close()
    local result = notify(tale, "send")
    assert.equal(1, result.status)
    assert.truthy(result.err:find("1 notice given up", 1, true), result.err)
    assert.truthy(told(tale)[2]:find
      "^The channel mail has failed since .*: 1 notice was given up")
    notify(tale, "send")
    assert.equal(2, #told(tale))
  end)

  it("tells the operator of a tenant that failed three runs in a row", function()
    local tale = tell(FILE, STORY .. "\n2026-11-12 service sends status=403; only=principals")
    tale:run(FIRST, { "--notify" })
    for i = 1, 4 do
      local db = tale:open_database()
      database.run(db, "UPDATE run SET at = at - 86400 WHERE users = 'failed'")
      db:close()
      assert.equal(4, tale:run(SECOND, { "--notify" }).status)
      assert.equal(i < 3 and 1 or 2, #told(tale), i)
    end
    assert.truthy(told(tale)[2]:find "has failed 3 runs in a row %(forbidden%)")
  end)

  it("tells the operator of a sign-in that ends in 14 days", function()
    local tale = tell(FILE)
    tale:sign_in("default", "9d9f3c52-5a64-4b2c-8c35-0e6d2f1b7a10")
    local path = tale.home .. "/state/pcapi/default.json"
    local record = cjson.decode(files.slurp(path))
    record.settings.login_url = "https://127.0.0.1:1"
    record.access_token, record.resource, record.scope = "x", "r", "s"
    record.expires_at, record.obtained_at = 1, os.time() - 80 * 86400
    folder.write(path, cjson.encode(record))
    sandbox.shell("chmod 600 " .. path)
    for _ = 1, 2 do
      tale:run(FIRST, { "--notify" }, { PCAPI_TOKEN = false })
    end
    assert.same({ ("The sign-in of the profile default ends on %s, and could not be renewed. Sign "
      .. "in again: pcapi login"):format(time.format(os.time() + 10 * 86400):sub(1, 10)) },
      told(tale))
  end)

  it("routes what it tells", function()
    local tale = tell(FILE .. MAIL .. "[route lee]\nuser = lee@*\nchannels = mail\n")
    for _, now in ipairs { FIRST, SECOND, THIRD } do
      tale:run(now, { "--notify" })
    end
    assert.same({ "baseline 1", "new lee", "new max" }, told(tale))
    assert.equal(1, count_mails(tale))
  end)
end)

describe("two processes that deliver at once", function()
  teardown(folder.remove)

  it("send each notice once", function()
    local tale = tell(MAIL, nil, "cat >>%s/mails; sleep 1")
    tale:run(FIRST)
    local line = sandbox.command_line({ "notify", "send" }, tale:environment())
    local result = sandbox.shell(("%s & %s & %s & wait"):format(line, line, line))
    assert.equal(1, select(2, result.err:gsub("sent 1 notice\n", "")), result.err)
    assert.equal(2, select(2, result.err:gsub("sent 0 notices\n", "")))
    assert.equal(1, count_mails(tale))
  end)
end)

describe("a user who is forgotten", function()
  teardown(folder.remove)

  it("is in no notice any more, also not in one that waits", function()
    local tale = tell(FILE)
    tale:run(FIRST, { "--notify" })
    tale:run(SECOND)
    tale:run(THIRD)
    local result = sandbox.pcapi({ "history", "forget", "lee@fabrikam.example", "--yes",
                                   "--export", tale.home .. "/lee.jsonl" }, tale:environment())
    assert.equal(0, result.status, result.err)
    assert.truthy(result.err:find("1 notice to a channel", 1, true), result.err)
    assert.truthy(files.slurp(tale.home .. "/lee.jsonl"):find('"kind":"notice"', 1, true))
    notify(tale, "send")
    assert.same({ "baseline 1", "new max" }, told(tale))
    for _, path in ipairs(files.lines_of(("ls %s*"):format(tale.history))) do
      assert.is_nil(files.slurp(path):find("lee@", 1, true), path)
    end
  end)
end)

describe("pcapi notify", function()
  teardown(folder.remove)

  it("tests a channel, also without a history", function()
    local tale = tell(FILE .. MAIL)
    local result = notify(tale, "test", "file")
    assert.same({ 0, "pcapi: the channel file (jsonl) took the test; look whether it arrived\n" },
      { result.status, result.err })
    assert.same({ "test " }, told(tale))
    assert.is_false(files.exists(tale.history))
    assert.truthy(notify(tale, "test", "mail").err:find("look at the queue", 1, true))
  end)

  it("says what is wrong with a channel, its name, or its settings", function()
    local tale = tell(FILE .. MAIL, nil, "echo no; exit 1")
    local result = notify(tale, "test", "mial")
    assert.same({ 2, "pcapi: there is no channel 'mial'; did you mean \"mail\"?\n" },
      { result.status, result.err })
    result = notify(tale, "test", "mail")
    assert.equal(1, result.status)
    assert.truthy(result.err:find("ended with status 1: no", 1, true))
    result = notify(tell "", "send")
    assert.equal(2, result.status)
    tale:write("config", "[notify mail]\ntype = mail\n")
    result = notify(tale, "send")
    assert.equal(1, result.status)
    assert.truthy(result.err:find("config:1: [notify mail] needs to", 1, true), result.err)
  end)

  it("needs a history to show or send what waits", function()
    local tale = tell(FILE)
    for _, name in ipairs { "pending", "send" } do
      local result = notify(tale, name)
      assert.equal(1, result.status)
      assert.truthy(result.err:find("there is no history at", 1, true))
    end
  end)

  it("has its settings shown without secrets, and tested by doctor", function()
    local tale = tell("[notify ops]\ntype = slack\nurl_file = secret\n"
      .. "[route all]\nchannels = ops\n")
    tale:write("secret", "https://hooks.example/S3CRET")
    local result = sandbox.pcapi({ "config", "show" }, tale:environment())
    assert.truthy(result.out:find("[notify ops] type", 1, true), result.err)
    assert.truthy(result.out:find("%[notify ops%] url +%(not shown%)"))
    assert.truthy(result.out:find("%[route all%] channels +ops"))
    assert.is_nil(result.out:find("S3CRET", 1, true))
    result = sandbox.pcapi({ "doctor" }, tale:environment())
    assert.truthy(result.out:find("channels: ops (slack)", 1, true), result.out)
    assert.is_nil(result.out:find("S3CRET", 1, true))
    os.remove(tale.home .. "/secret")
    result = sandbox.pcapi({ "doctor" }, tale:environment())
    assert.equal(1, result.status)
    assert.truthy(result.out:find("failed      channels: config: [notify ops] url_file", 1, true))
  end)
end)
