--- Tables and other output on a terminal: width, colours, and characters beyond ASCII.
local homes = require "spec.support.home"
local pty = require "spec.support.pty"
local sandbox = require "spec.support.sandbox"
local text = require "pcapi.text"

local RED, YELLOW, GREEN, PLAIN = "\27[31m", "\27[33m", "\27[32m", "\27[0m"

-- A shell command with variables and, on a terminal, a width.
local function command(words, settings)
  local columns = settings.columns and ("stty cols %d; "):format(settings.columns) or ""
  return ("%senv -u LC_ALL -u LC_CTYPE -u LANG PCAPI_TOKEN='%s' %s %s bin/pcapi %s"):format(columns,
    settings.token or sandbox.token { scenario = settings.scenario },
    settings.environment or "TERM=xterm LANG=en_US.UTF-8", sandbox.lua, words)
end

local function screen_of(words, settings)
  return pty.run(command(words, settings or {})).screen
end

local function lines_of(screen)
  local all = {}
  for line in screen:gsub("\r[^\n]-\27%[K", ""):gsub("\27%[%d*m", ""):gmatch "[^\n]+" do
    all[#all + 1] = line
  end
  return all
end

describe("a table", function()
  for _, columns in ipairs { 40, 80 } do
    for _, words in ipairs { "non-mfa", "requests", "adoption", "adoption --by application",
                             "config show" } do
      it(("of %s fits on a terminal of %d columns"):format(words, columns), function()
        local lines = lines_of(screen_of("-q " .. words, { columns = columns }))
        assert.is_true(#lines > 2)
        for _, line in ipairs(lines) do
          assert.is_true(text.width(line) <= columns, line)
        end
      end)
    end
  end

  it("has users and times whole on 80 columns, and cuts the ids", function()
    local lines = lines_of(screen_of("-q non-mfa", { columns = 80 }))
    for i = 2, #lines do
      assert.truthy(lines[i]:find "^%S+@[%w.]+%w +%d+%-%d%d%-%d%d %d%d:%d%d:%d%d +%x+%-[%x-]*…$",
        lines[i])
    end
  end)

  it("has no id on 40 columns, unless --columns names it", function()
    local screen = screen_of("-q non-mfa", { columns = 40 })
    assert.is_nil(screen:find("OBJECT", 1, true))
    screen = screen_of("-q non-mfa --columns upn,objectId", { columns = 40 })
    assert.truthy(screen:find("OBJECT", 1, true), screen)
  end)

  it("is not cut in a pipe", function()
    assert.truthy(sandbox.shell(command("-q non-mfa", {})).out:find "%x+%-%x+%-%x+%-%x+%-%x+\n")
  end)
end)

describe("a terminal without UTF-8", function()
  for _, environment in ipairs { "TERM=xterm", "LANG=C", "LC_ALL=POSIX LANG=en_US.UTF-8",
                                 "LC_CTYPE=de_DE@euro LANG=en_US.UTF-8" } do
    it("gets plain ASCII: " .. environment, function()
      for _, words in ipairs { "non-mfa", "--help", "non-mfa --help", "status",
                               "non-mfa --since " .. ("9"):rep(90) } do
        local screen = screen_of(words, { columns = 60, environment = environment })
        assert.is_nil(screen:find "[\128-\255]", screen)
      end
      assert.truthy(screen_of("non-mfa", { columns = 60, environment = environment })
        :find("...", 1, true))
    end)
  end

  it("still gets the names in the records", function()
    local token = sandbox.token { upn = "zoë@fabrikam.example" }
    assert.truthy(screen_of("status", { token = token, environment = "LANG=C" })
      :find("zoë@fabrikam.example", 1, true))
  end)
end)

describe("colours", function()
  it("mark requests without MFA", function()
    local screen = screen_of("-q requests", { columns = 120 })
    assert.truthy(screen:find("  " .. RED .. "no" .. PLAIN .. "   ", 1, true), screen)
    assert.truthy(screen:find("  yes  ", 1, true), screen)
  end)

  it("mark low shares", function()
    local count = 0
    for color, share in screen_of("-q adoption", { scenario = "seed=7; records=60" })
        :gmatch "(\27%[%d+m)(%d+)%%" do
      assert.equal(tonumber(share) < 50 and RED or tonumber(share) < 100 and YELLOW, color)
      count = count + 1
    end
    assert.is_true(count > 0)
  end)

  it("mark the steps of doctor", function()
    assert.truthy(screen_of("doctor"):find(GREEN .. "ok" .. PLAIN .. "          call: ", 1, true))
    local failed = screen_of("doctor", { scenario = "status=403" })
    assert.truthy(failed:find(RED .. "failed" .. PLAIN .. "      call, ", 1, true)
      or failed:find(RED .. "failed" .. PLAIN .. "      call: ", 1, true), failed)
  end)

  it("mark a sign-in without MFA", function()
    assert.truthy(screen_of("status", { token = sandbox.token { amr = { "pwd" } } })
      :find(RED .. "no" .. PLAIN, 1, true))
    assert.truthy(screen_of("status"):find(GREEN .. "yes" .. PLAIN, 1, true))
  end)

  it("mark a token that has expired, and no other", function()
    assert.truthy(screen_of("status", { token = sandbox.token { exp = os.time() - 60 } })
      :find("access token until  " .. RED, 1, true))
    assert.is_nil(screen_of("status"):find("access token until  \27", 1, true))
  end)

  for _, case in ipairs {
    { "NO_COLOR=1 TERM=xterm", "", false }, { "NO_COLOR= TERM=xterm", "", true },
    { "TERM=dumb", "", false }, { "NO_COLOR=1 TERM=xterm", "--color always ", true },
    { "TERM=xterm", "--color never ", false },
  } do
    it(("are %s with %s %s"):format(case[3] and "there" or "absent", case[1], case[2]), function()
      for _, words in ipairs { "doctor", "status", "-q requests" } do
        local screen = screen_of(case[2] .. words, { environment = case[1] })
        assert.equal(case[3], screen:find "\27%[3%dm" ~= nil, screen)
      end
    end)
  end

  it("are absent in a pipe, unless --color always is set", function()
    for _, words in ipairs { "doctor", "status", "-q requests" } do
      assert.is_nil(sandbox.shell(command(words, {})).out:find("\27", 1, true))
      assert.truthy(sandbox.shell(command("--color always " .. words, {})).out:find "\27%[3%dm")
    end
  end)

  it("are never in JSON and CSV", function()
    for _, words in ipairs { "doctor --json", "status --json", "config show --json",
                             "requests -o csv", "adoption -o json" } do
      assert.is_nil(sandbox.shell(command("--color always " .. words, {})).out:find("\27", 1, true))
    end
  end)
end)

describe("the status of several profiles", function()
  it("marks the end of a sign-in that is near or past", function()
    local home = homes.new()
    home:sign_in()
    local function shown()
      return home:run({ "--color", "always", "status", "--all-profiles" }).out
    end
    assert.is_nil(shown():find("\27[33m", 1, true))
    local path = home.path .. "/.local/state/pcapi/default.json"
    for age, color in pairs { [80] = YELLOW, [91] = RED } do
      local file = assert(io.open(path))
      local record = file:read "*a"
      file:close()
      record = record:gsub('("obtained_at":)%d+', "%1" .. os.time() - age * 86400)
      home:write(".local/state/pcapi/default.json", record)
      assert.truthy(shown():find(color:gsub("%[", "%%[") .. "%d%d%d%d%-%d%d%-%d%dT"), shown())
    end
    home:remove()
  end)
end)
