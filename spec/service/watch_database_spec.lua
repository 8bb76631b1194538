--- `pcapi watch` and a history that cannot be opened, read or written: a clear message, status 1,
-- and nothing is lost.
local database = require "spec.support.database"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local sandbox = require "spec.support.sandbox"
local sqlite = require "pcapi.sqlite"
local tables = require "pcapi.history.tables"
local watched = require "spec.support.watched"

local STORY = [[
  2026-11-10T09:00:00Z kim@fabrikam.example signs-in
  2026-11-12T09:00:00Z lee@fabrikam.example signs-in]]
local FIRST, SECOND = "2026-11-11T06:00:00Z", "2026-11-13T06:00:00Z"
local SETTING = "[history] path (or PCAPI_HISTORY)"

-- Root may write everywhere.
local AS_USER = sandbox.shell("id -u").out == "0\n"
  and "setpriv --bounding-set=-all --inh-caps=-all " or ""

local function begun()
  local home = watched.tell(STORY)
  assert(home:run(FIRST).status == 0)
  return home
end

-- Asserts a message of status 1 with these parts, and no output.
local function refuses(result, ...)
  assert.same({ 1, "" }, { result.status, result.out }, result.err)
  for _, part in ipairs { ... } do
    assert.truthy(result.err:find(part, 1, true), result.err)
  end
  assert.truthy(result.err:find "^pcapi: store: [^\n]*\n$", result.err)
end

-- Runs the command by a line of a shell, in which %s is the command.
local function run_by(home, line, arguments)
  local words = { "watch" }
  for _, word in ipairs(arguments or {}) do
    words[#words + 1] = word
  end
  local result = sandbox.shell(line:format(sandbox.command_line(words, home:environment())))
  result.err = result.err:gsub("pcapi: this machine's clock is [^\n]*\n", "")
  return result
end

describe("pcapi watch with a history", function()
  teardown(folder.remove)

  it("that is another program's database leaves it as it is", function()
    local home = watched.tell(STORY)
    os.execute("mkdir -p -m 700 " .. home.history:match "^(.*)/")
    local db = assert(sqlite.open(home.history, { application_id = 5, busy_timeout = 1,
                                                  create = true }))
    db:close()
    local before = files.slurp(home.history)
    refuses(home:run(FIRST), home.history, SETTING)
    assert.is_true(files.slurp(home.history) == before)
    folder.write(home.history, "no database, but some text that is long enough for a header")
    refuses(home:run(FIRST), home.history, "is not an SQLite database", SETTING)
  end)

  it("of a newer pcapi says so", function()
    local home = begun()
    local db = home:open_database()
    database.run(db, ("PRAGMA user_version = %d"):format(tables.VERSION + 1))
    db:close()
    refuses(home:run(SECOND), "made by a newer pcapi", "Use the pcapi that made it")
  end)

  it("that is damaged says what to do", function()
    local home = begun()
    local text = files.slurp(home.history)
    folder.write(home.history, text:sub(1, 4096) .. ("\255"):rep(#text - 4096))
    refuses(home:run(SECOND), home.history .. " is damaged", "Restore a backup, or move it away")
  end)

  it("that others may read is refused", function()
    local home = begun()
    os.execute("chmod 0644 " .. home.history)
    refuses(home:run(SECOND), home.history, "Run: chmod 600")
    os.execute("chmod 0600 " .. home.history .. "; chmod 0755 " .. home.history:match "^(.*)/")
    refuses(home:run(SECOND), "Run: chmod 700")
  end)

  it("that this user may not write says so, and loses nothing", function()
    local home = begun()
    os.execute("chmod -R a-w " .. home.history:match "^(.*)/")
    local result = run_by(home, AS_USER .. "%s")
    refuses(result, home.history, SETTING)
    os.execute("chmod -R u+w " .. home.history:match "^(.*)/")
    assert.same({ "new lee" }, home:events(SECOND))
  end)

  it("that another process writes waits for it", function()
    local home = begun():at(SECOND)
    local line = sandbox.command_line({ "watch", "-o", "jsonl" }, home:environment())
    local db = home:open_database()
    assert(db:transaction(function()
      os.execute(("{ %s >%s/out 2>&1; touch %s/done; } &"):format(line, home.home, home.home))
      os.execute "sleep 2"
      assert.is_false(files.exists(home.home .. "/done"))
      return true
    end))
    db:close()
    os.execute(("until [ -e %s/done ]; do sleep 0.05; done"):format(home.home))
    assert.truthy(files.slurp(home.home .. "/out"):find('"event":"new"', 1, true))
    assert.same({}, home:events(SECOND))
  end)

  it("on a full disk loses nothing", function()
    -- the limit of a file's size stands for a full disk
    local home = begun():at(SECOND)
    local result = run_by(home, "(ulimit -f 8; trap '' XFSZ; %s)")
    refuses(result, home.history, "ulimit")
    assert.same({ "new lee" }, home:events(SECOND))
  end)

  it("whose log a killed process left has all that was stored", function()
    local home = begun():at(SECOND)
    -- the reader of the output takes nothing, so the command waits after "being told" was stored
    local events = {}
    for i = 1, 3000 do
      events[i] = ("2026-11-12T10:00:00Z u%d@fabrikam.example signs-in"):format(i)
    end
    home:retell(STORY .. "\n" .. table.concat(events, "\n"))
    home:at(SECOND)
    local fifo = home.home .. "/fifo"
    local result = run_by(home, ("mkfifo %s; exec 9<>%s; %%s -o csv >%s & until [ -s %s-wal ]; do "
      .. "sleep 0.01; done; sleep 3; kill -9 $!; wait $!"):format(fifo, fifo, fifo, home.history))
    assert.equal(137, result.status, result.err)
    assert.is_true(files.exists(home.history .. "-wal"))
    local rows = home:rows(SECOND)
    assert.equal(3001, #rows)
    for _, row in ipairs(rows) do
      assert.same({ "new", true }, { row.event, row.repeated })
    end
    assert.same({}, home:rows(SECOND))
  end)

  it("is used by two runs at once: each change is told by one of them", function()
    local home = begun():at(SECOND)
    local line = sandbox.command_line({ "watch", "-o", "jsonl" }, home:environment())
    local out = home.home .. "/out"
    local result = sandbox.shell(("for i in 1 2 3 4; do { %s >%s.$i || echo failed; } & done; wait")
      :format(line, out))
    assert.equal("", result.out)
    local told, repeated = 0, 0
    for i = 1, 4 do
      local text = files.slurp(out .. "." .. i)
      told = told + select(2, text:gsub('"event":"new"[^\n]*"repeated":false', ""))
      repeated = repeated + select(2, text:gsub('"repeated":true', ""))
    end
    assert.equal(1, told)
    assert.is_true(repeated <= 3) -- by a run that began before the first one was done
    assert.same({}, home:events(SECOND))
  end)

  it("needs a folder", function()
    local result = watched.tell(STORY):run(FIRST, nil, { HOME = "", XDG_STATE_HOME = false })
    assert.same({ 2, "" }, { result.status, result.out })
    assert.truthy(result.err:find("PCAPI_HISTORY", 1, true), result.err)
  end)
end)
