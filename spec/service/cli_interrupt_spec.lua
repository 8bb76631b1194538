--- Ctrl-C at any moment in the life of the command, by real signals to real processes.
local core = require "pcapi.core"
local sandbox = require "spec.support.sandbox"

-- timeout(1) sends SIGINT after so many seconds; without --foreground it would send a second one.
-- Its status is that of the command: 128 and the number of the signal, if that killed it.
local function interrupted_after(seconds, words, token)
  return sandbox.shell(("%s timeout --foreground --preserve-status -s INT %.4f %s %s"):format(
    token and "PCAPI_TOKEN=" .. token or "", seconds, sandbox.lua, words))
end

local function lines_in(text)
  return select(2, text:gsub("\n", "\n"))
end

-- For a microsecond the interpreter handles the signal, and has not begun to run bin/pcapi.
local function is_too_early(result)
  return result.status == 1 and result.err:find "interrupted!\nstack traceback:\n" ~= nil
    and not result.err:find("require", 1, true)
end

-- Interrupts a command at moments from `first` to `last` milliseconds. Returns how many of its
-- processes had each status.
local function interrupt(words, first, last, step)
  local counts = { [0] = 0, [1] = 0, [130] = 0 }
  for delay = first, last, step do
    local result = interrupted_after(delay / 1000, "bin/pcapi " .. words)
    local shown = ("after %.1f ms: status %d\n%s"):format(delay, result.status, result.err)
    if not is_too_early(result) then
      assert.is_true(result.status == 0 or result.status == 130, shown)
      assert.is_true(lines_in(result.err) <= 1, shown)
    end
    counts[result.status] = counts[result.status] + 1
  end
  assert.is_true(counts[1] <= 1)
  return counts
end

describe("Ctrl-C", function()
  it("in the first 40 ms ends the command with 130 and at most one line", function()
    local counts = interrupt("non-mfa", 0.1, 40, 0.5)
    assert.is_true(counts[130] > 20, counts[130] .. " of 80")
  end)

  it("while the command ends has no other status than 0 and 130", function()
    local started = core.now()
    sandbox.pcapi { "--version" }
    local duration = 1000 * (core.now() - started)
    local counts = interrupt("--version", duration / 4, duration, duration / 60)
    assert.is_true(counts[130] > 0)
  end)

  it("while modules load writes nothing", function()
    local endless = "if jit then jit.off() end " -- compiled loops do not look for an interruption
      .. "package.preload.argparse = function() while true do end end"
    local result = interrupted_after(0.3, ("-e '%s' bin/pcapi non-mfa"):format(endless))
    assert.same({ 130, "", "" }, { result.status, result.out, result.err })
  end)

  it("kills a program that has restored its default action", function()
    local result = interrupted_after(0.3,
      [[-e 'require("pcapi.core").default_interrupt() while true do end']])
    assert.same({ 130, "" }, { result.status, result.err })
  end)

  it("while the command waits ends it with 130 and one line", function()
    local result = interrupted_after(2, "bin/pcapi non-mfa",
      sandbox.token { scenario = "delay=20" })
    assert.same({ 130, "", "pcapi: interrupted; nothing was written\n" },
      { result.status, result.out, result.err })
  end)
end)
