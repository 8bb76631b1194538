--- Reports the specs that busted runs: on a terminal, one line for each file; then each failure in
-- full, and the totals. In `make test`, dev/suite reads the totals.
local base = require "busted.outputHandlers.base"
local busted = require "busted"
local pretty = require "pl.pretty"

-- dev/suite reads the output from a pipe, and sets the variable if it writes to a terminal.
local function is_terminal()
  local ok = os.execute "test -t 1"
  return ok == true or ok == 0 or os.getenv "PCAPI_PROGRESS" == "yes"
end

local function counted(passed, failed, skipped)
  return ("%d passed, %d failed"):format(passed, failed)
    .. (skipped > 0 and (", %d skipped"):format(skipped) or "")
end

local function place_of(trace)
  return trace and trace.short_src and ("%s:%d"):format(trace.short_src, trace.currentline)
    or "no place"
end

local function described(what, result, verbose)
  local message = result.message
  local lines = { ("%s: %s: %s"):format(what, place_of(result.element.trace), result.name) }
  if message ~= nil then
    lines[2] = type(message) == "string" and message or pretty.write(message)
  end
  if verbose and result.trace then
    lines[#lines + 1] = result.trace.traceback
  end
  return table.concat(lines, "\n") .. "\n"
end

return function(options)
  local handler = base()
  local shows_files = is_terminal()
  local before -- the counts when the file began
  local file_count = 0

  local function counts()
    return { handler.successesCount, handler.failuresCount + handler.errorsCount,
             handler.pendingsCount }
  end

  function handler.file_start()
    before, file_count = counts(), file_count + 1
    return nil, true
  end

  function handler.file_end(file)
    local now = counts()
    for i = 1, 3 do
      now[i] = now[i] - before[i]
    end
    if shows_files then
      io.write(("%s: %s in %.1f s\n"):format(file.name, counted(now[1], now[2], now[3]),
        file.duration or 0))
      io.flush()
    end
    return nil, true
  end

  function handler.suite_end()
    local parts = {}
    for _, kind in ipairs { { "failure", handler.failures }, { "error", handler.errors },
                            { "skipped", handler.pendings } } do
      for _, result in ipairs(kind[2]) do
        parts[#parts + 1] = "\n" .. described(kind[1], result, options.verbose)
      end
    end
    local now = counts()
    parts[#parts + 1] = ("%s%d spec files, %.1f s\n%s\n"):format(parts[1] and "\n" or "",
      file_count, handler.getDuration(), counted(now[1], now[2], now[3]))
    io.write(table.concat(parts)) -- at once, as other suites write, too
    io.flush()
    return nil, true
  end

  -- Ctrl-C raises an error, which busted takes for one of the spec that runs.
  function handler.interrupted(_, _, message)
    if tostring(message):find("interrupted!", 1, true) then
      io.write "interrupted\n"
      os.exit(130)
    end
    return nil, true
  end

  busted.subscribe({ "error" }, handler.interrupted)
  busted.subscribe({ "file", "start" }, handler.file_start)
  busted.subscribe({ "file", "end" }, handler.file_end)
  busted.subscribe({ "suite", "end" }, handler.suite_end)
  return handler
end
