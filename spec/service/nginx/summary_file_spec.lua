--- The summary file of a history in nginx: when it is read, and what happens if it cannot be.
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local nginx = require "spec.support.nginx"
local summaries = require "spec.support.summaries"
local workers = require "spec.support.workers"

local DAY = 86400

-- only root can start workers of another user
local it_as_root = files.lines_of "id -u"[1] == "0" and it or pending

local place, path, now

local function sh(command)
  assert(os.execute(command))
end

before_each(function()
  now = os.time()
  place = folder.new()
  path = place .. "/summary.json"
  sh("chmod 755 " .. place)
end)

after_each(function()
  nginx.stop_all()
  folder.remove()
end)

local function user(number)
  return { id = ("5f0b3c1e-0000-4000-8000-%012d"):format(number), at = now - number,
           upn = ("Firstname.Lastname%d@fabrikam.example"):format(number) }
end

-- Writes a file with so many people; those after the first ones are new.
local function write(count, known)
  local users, before = {}, {}
  for i = 1, count do
    users[i] = user(i)
    before[i] = i <= (known or 0) and users[i] or nil
  end
  summaries.write(path, { { at = now - DAY, users = before }, { at = now, users = users } }, now)
end

local function start(options)
  options = options or {}
  options.init = ("summary = pcapi.summary { path = %q } %s"):format(path, options.init or "")
  return workers.start(options)
end

-- The number of people, the error and the age.
local GET = [[
  local document, state = summary:get()
  if not document then
    return nil, state
  end
  return #document.tenants[1].people, state.err, state.age
]]

-- The file is examined once a second.
local function wait()
  os.execute "sleep 1.1"
end

describe("a summary file in nginx", function()
  it("is read, and read again once it was replaced", function()
    write(3, 2)
    local machine = start()
    local count, err, age = machine:run(GET)
    assert.same({ 3, nil }, { count, err })
    assert.is_true(age >= 0 and age < 10)
    assert.same({ "new", "open", "Firstname.Lastname3@fabrikam.example" }, { machine:run [[
      local tenant = summary:get().tenants[1]
      local person = tenant.by_id["5f0b3c1e-0000-4000-8000-000000000003"]
      assert(person == tenant.by_user["firstname.lastname3@fabrikam.example"])
      return person.news, person.state, person.user ]] })
    write(4)
    assert.equal(3, (machine:run(GET)))
    wait()
    assert.equal(4, (machine:run(GET)))
    assert.equal(0, machine:count_in_log "[error]")
  end)

  it("is read once by a worker that many requests find it with", function()
    write(2000)
    local machine = start { init = [[
      local json_body, count = require "pcapi.http.json_body", 0
      local decode_text = json_body.decode_text
      function json_body.decode_text(...) count = count + 1 return decode_text(...) end
      function reads() return count end ]] }
    workers.all_return(2000, machine:run_all(30, GET))
    assert.equal(1, machine:run "return reads()")
    wait()
    workers.all_return(2000, machine:run_all(30, GET))
    assert.equal(1, machine:run "return reads()")
  end)

  it("is read also if the browser does not wait for it", function()
    write(10000)
    local machine = start { main = "", http = "lua_check_client_abort on;" }
    machine:get("/run", { body = GET, timeout = 0.01 })
    assert.is_true(nginx.wait_for(function()
      return machine:run(GET) == 10000
    end))
  end)

  it("of 10,000 people does not stop the worker", function()
    write(10000)
    local machine = start()
    local longest, rounds, count = machine:run [[
      local core = require "pcapi.core"
      local is_done, longest, rounds = false, 0, 0
      local watcher = ngx.thread.spawn(function()
        local before = core.now()
        while not is_done do
          ngx.sleep(0.001)
          local now = core.now()
          longest, before, rounds = math.max(longest, now - before), now, rounds + 1
        end
      end)
      local document = assert(summary:get())
      is_done = true
      ngx.thread.wait(watcher)
      return longest, rounds, #document.tenants[1].people ]]
    assert.equal(10000, count)
    assert.is_true(rounds > 20, rounds .. " rounds")
    assert.is_true(longest < 0.05, longest .. " s")
    if os.getenv "PCAPI_SHOW" then
      print(("longest stop %.1f ms, %d rounds"):format(1000 * longest, rounds))
    end
  end)

  it("is read in phases that cannot wait, and later replaced in a timer", function()
    write(3)
    local machine = start { server = [[
      location = /set { set_by_lua_block $count { return #summary:get().tenants[1].people }
                        return 200 $count; }
    ]] }
    assert.equal("3", machine:get("/set").body)
    write(4)
    wait()
    machine:get "/set"
    assert.is_true(nginx.wait_for(function()
      return machine:get("/set").body == "4"
    end))
  end)

  it("has an absolute path", function()
    local machine = start()
    for _, options in ipairs { "", "path = 'summary.json'", "file = '/x'" } do
      assert.is_false((machine:run(("return (pcall(pcapi.summary, { %s }))"):format(options))))
    end
    assert.matches("absolute path", machine:run [[
      return select(2, pcall(pcapi.summary, { path = "x" })) ]], 1, true)
    assert.matches("with a colon", machine:run "return select(2, pcall(summary.get))", 1, true)
  end)
end)

describe("a summary file that cannot be read", function()
  local SEVERAL = { -- what it holds: name to text, message and hint
    ["is empty"] = { "", "is empty", "Run pcapi watch again" },
    ["is another program's"] = { '{"tenants":[]}', "is not one that pcapi watch wrote",
                                 "to the same file" },
    ["has a newer schema"] = { '{"format":"pcapi summary","schema":2,"at":""}',
      "has the schema 2, of a newer pcapi; this one knows up to 1", "make install-nginx" },
    ["lacks a member"] = { '{"format":"pcapi summary","schema":1,"at":"2026-11-28"}',
                           "is damaged: a member is missing", "Run pcapi watch again" },
    ["has a member of another type"] = { '{"format":"pcapi summary","schema":1,"at":"2026-11-28",'
      .. '"tenants":[{"people":[{"user":[],"objectId":7},5]}]}', "is damaged",
      "Run pcapi watch again" },
  }

  for name, case in pairs(SEVERAL) do
    it("because it " .. name .. " is an error with the next step, logged once", function()
      folder.write(path, case[1])
      local machine = start()
      for _ = 1, 2 do
        local count, err = machine:run(GET)
        assert.is_nil(count)
        assert.matches("^store: the summary " .. path:gsub("%p", "%%%0"), err)
        assert.matches(case[2], err, 1, true)
        assert.matches(case[3], err, 1, true)
        wait()
      end
      assert.equal(1, machine:count_in_log(case[2]))
    end)
  end

  it("because it is half written leaves the last one, with its age, until it is whole", function()
    write(3)
    local machine = start()
    assert.equal(3, (machine:run(GET)))
    write(5)
    local text = files.slurp(path)
    folder.write(path, text:sub(1, math.floor(#text / 2)))
    wait()
    local count, err, age = machine:run(GET)
    assert.equal(3, count)
    assert.matches("is damaged or half written", err, 1, true)
    assert.is_true(age >= 1)
    folder.write(path, text)
    wait()
    assert.same({ 5, nil }, { machine:run "return #summary:get().tenants[1].people" })
    assert.equal(1, machine:count_in_log "can be read again")
  end)

  it("because it is missing, a folder, a FIFO or too large leaves the last one", function()
    local machine = start()
    local _, err = machine:run(GET)
    assert.matches("cannot be read: No such file or directory. Set [history] summary", err, 1, true)
    write(3)
    wait()
    assert.equal(3, (machine:run(GET)))
    for command, message in pairs {
      ["rm " .. path] = "cannot be read: No such file or directory",
      ["mkdir " .. path] = "is not a file", ["mkfifo " .. path] = "is not a file",
      [("head -c 33M /dev/zero >%s"):format(path)] = "is not one that pcapi watch wrote",
      [([[{ printf '{"format":"pcapi summary","schema":1,'; head -c 33M /dev/zero; } >%s]]):format(
        path)] = "is larger than 32 MiB",
    } do
      sh("rm -rf " .. path .. "; " .. command:gsub("^rm .*", "true"))
      wait()
      local count, why = machine:run(GET)
      assert.equal(3, count)
      assert.matches(message, why, 1, true)
    end
    sh("rm -rf " .. path)
    write(4)
    wait()
    assert.same({ 4, nil }, { machine:run "return #summary:get().tenants[1].people" })
  end)
end)

describe("a summary file of another user", function()
  local READABLE = 'let its group enter the folder and read the file: chgrp GROUP FOLDER FILE'

  it_as_root("is read by workers that are in its group", function()
    sh(("chgrp www-data %s; chmod 750 %s"):format(place, place))
    write(3)
    assert.equal("root www-data 640", files.lines_of("stat -c '%U %G %a' " .. path)[1])
    assert.equal(3, (start { user = "www-data" }:run(GET)))
  end)

  it_as_root("is an error with the next step for workers that are not, until they may", function()
    write(3)
    local machine = start { user = "www-data" }
    local count, err = machine:run(GET)
    assert.is_nil(count)
    assert.matches("cannot be opened: Permission denied", err, 1, true)
    assert.matches(READABLE, err, 1, true)
    sh("chgrp www-data " .. path)
    wait()
    assert.equal(3, (machine:run(GET)))
    sh("chmod 700 " .. place)
    wait()
    count, err = machine:run(GET)
    assert.equal(3, count)
    assert.matches("cannot be read: Permission denied", err, 1, true)
    assert.matches(READABLE, err, 1, true)
    assert.equal(2, machine:count_in_log(READABLE))
  end)
end)
