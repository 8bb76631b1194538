--- The command `pcapi`: arguments in, a list on standard output, messages on
-- standard error, and an exit status that scripts can rely on.
-- @module pcapi.cli
local arguments = require "pcapi.cli.arguments"
local client = require "pcapi.client"
local core = require "pcapi.core"
local pcapi = require "pcapi"
local reports = require "pcapi.cli.reports"

local M = {}

local STDOUT, STDERR = 1, 2

--- Exit statuses. They are frozen.
M.EXIT = { ok = 0, error = 1, usage = 2, sign_in = 4, throttled = 5, network = 6,
           interrupted = 130 }

local EXIT_OF_KIND = {
  mfa_required = M.EXIT.sign_in, unauthorized = M.EXIT.sign_in, forbidden = M.EXIT.sign_in,
  throttled = M.EXIT.throttled,
  timeout = M.EXIT.network, network = M.EXIT.network, tls = M.EXIT.network,
}

-- Any way out of a command but success is raised as one of these.
local Stop = {}

local function stop(status, message)
  error(setmetatable({ status = status, message = message }, Stop), 0)
end

local function say(text)
  io.stderr:write("pcapi: ", text, "\n")
end

-- The environment stands behind the flags, and an empty variable is none.
local function fill_from_environment(args)
  local function env(name)
    local value = os.getenv(name)
    return value ~= "" and value or nil
  end
  args.base_url = args.base_url or env "PCAPI_BASE_URL"
  if not args.ca_file and not args.ca_path then
    args.ca_file = env "PCAPI_CA_FILE"
    args.ca_path = not args.ca_file and env "PCAPI_CA_PATH" or nil
  end
end

local function read_token(args)
  local token, source
  if args.token_stdin then
    token, source = io.stdin:read("*a"), "the token on standard input"
  else
    token, source = os.getenv "PCAPI_TOKEN", "the token in PCAPI_TOKEN"
  end
  if not token then
    stop(M.EXIT.sign_in, "no token: set PCAPI_TOKEN, or give one to --token-stdin")
  end
  token = token:gsub("^%s+", ""):gsub("%s+$", "")
  local ok, why = client.is_token(token)
  if not ok then
    stop(M.EXIT.sign_in, source .. " " .. why)
  end
  return token
end

-- A line that counts the seconds, wiped when the answer is there.
local function progress(args)
  if args.quiet or not core.columns(STDERR) then
    return nil, function() end
  end
  local shown
  return function(seconds)
    shown = true
    io.stderr:write(("\rpcapi: waiting for the service, %.0f s\27[K"):format(seconds))
  end, function()
    io.stderr:write(shown and "\r\27[K" or "")
  end
end

-- pcapi.new speaks of options; here they are flags.
local function make_client(args, on_wait)
  local ok, made = pcall(pcapi.new, {
    token = read_token(args), base_url = args.base_url, prefix = args.prefix,
    ca_file = args.ca_file, ca_path = args.ca_path, timeout = args.timeout, on_wait = on_wait,
    user_agent = "pcapi-command",
  })
  if ok then
    return made
  end
  local message = tostring(made):gsub("^.-pcapi%.new: ", "")
    :gsub(" %(or set allow_http.-%)", ""):gsub('option "([%w_]+)"', "%1")
    :gsub("%f[%w]%l+_%l+%f[^%w_]", function(name)
      return "--" .. name:gsub("_", "-")
    end)
  stop(M.EXIT.usage, message)
end

local function ask(args, report)
  if args.start_date and args.end_date and args.start_date > args.end_date then
    stop(M.EXIT.usage, "--start-date is after --end-date")
  end
  local on_wait, wipe = progress(args)
  local made = make_client(args, on_wait)
  local options = {
    since = args.since, user = args.user, application = args.application,
    startDate = args.start_date, endDate = args.end_date,
  }
  if args.without_mfa then
    options.mfa_compliant = false
  end
  local list, err = made.security[report.call](made.security, options)
  made:close()
  wipe()
  if not list then
    stop(EXIT_OF_KIND[err.kind] or M.EXIT.error, tostring(err))
  end
  return list:newest_first()
end

-- Rows as people read them: names and shares in place of ids and counts.
local function rows_of(list, report)
  local rows = {}
  for i, record in ipairs(list) do
    local row = {}
    for name, value in pairs(record) do
      row[name] = report.shown and report.shown[name] and report.shown[name](value) or value
    end
    for name, compute in pairs(report.computed or {}) do
      row[name] = compute(record)
    end
    rows[i] = row
  end
  return rows
end

local function wants_color(args, width)
  if args.color ~= "auto" then
    return args.color == "always"
  end
  local no_color = os.getenv "NO_COLOR"
  return width ~= nil and (no_color == nil or no_color == "") and os.getenv "TERM" ~= "dumb"
end

local function check_columns(columns, list)
  for _, name in ipairs(columns) do
    if not list:has_field(name) then
      stop(M.EXIT.usage, ("--columns: there is no field '%s'; there are %s"):format(
        name, table.concat(list.columns, ", ")))
    end
  end
end

local function only(columns, list)
  local rows = {}
  for i, record in ipairs(list) do
    rows[i] = {}
    for _, name in ipairs(columns) do
      rows[i][name] = record[name]
    end
  end
  return rows
end

local function render(args, report, list)
  local format = require("pcapi.format." .. args.output)
  if args.columns then
    check_columns(args.columns, list)
  end
  if args.output == "table" then
    local width = core.columns(STDOUT)
    return format.encode(args.columns and list or rows_of(list, report), {
      columns = args.columns or report.columns, titles = report.titles,
      width = width, color = wants_color(args, width),
    })
  end
  return format.encode(args.columns and only(args.columns, list) or list, {
    columns = args.columns or list.columns,
  })
end

local writing = false

-- All at once, so that a failure before leaves nothing written by halves.
local function write(text)
  writing = true
  local ok, message = io.stdout:write(text)
  if ok then
    ok, message = io.stdout:flush()
  end
  if not ok then
    stop(M.EXIT.error, "cannot write the list: " .. tostring(message))
  end
end

local function count_of(report, list)
  if #list == 0 and list.total_count > 0 then
    return ("None of %.0f records matches."):format(list.total_count)
  elseif #list < list.total_count then
    return ("%d of %.0f records match."):format(#list, list.total_count)
  end
  return #list == 0 and report.none or #list == 1 and report.one or report.many:format(#list)
end

local function summarize(args, report, list)
  if args.output == "table" and not args.quiet then
    say(count_of(report, list))
  end
  if list.truncated then
    say "the service gave its newest records only; there may be more"
  end
  if list.is_mfa_compliant == false then
    say("the service says that this token lacks MFA; sign in again with MFA before it is refused")
  end
end

local function command(argv)
  local parser = arguments.parser()
  local ok, args = parser:pparse(argv)
  if not ok then
    stop(M.EXIT.usage, args .. "\npcapi: try 'pcapi --help'")
  end
  fill_from_environment(args)
  local report = reports[args.command]
  local list = ask(args, report)
  write(render(args, report, list))
  summarize(args, report, list)
end

-- Lua has no error objects for these two.
local function is_interruption(failure)
  return type(failure) == "string" and failure:find("interrupted!", 1, true) ~= nil
end

local function is_lack_of_memory(failure)
  return type(failure) == "string" and failure:find("not enough memory", 1, true) ~= nil
end

local function status_of(failure)
  if getmetatable(failure) == Stop then
    say(failure.message)
    return failure.status
  elseif is_interruption(failure) then
    io.stderr:write("\n") -- below the terminal's ^C and the line of progress
    say(writing and "interrupted while writing; the output may be incomplete"
      or "interrupted; nothing was written")
    return M.EXIT.interrupted
  elseif is_lack_of_memory(failure) then
    say("not enough memory for the answer; free some of it")
    return M.EXIT.error
  end
  say("this is a fault of pcapi, please report it: " .. tostring(failure))
  return M.EXIT.error
end

--- Runs the command.
-- @tparam table argv array of arguments, as Lua's `arg`
-- @treturn number exit status
function M.main(argv)
  local ok, failure = xpcall(function()
    command(argv)
  end, function(failure)
    if type(failure) ~= "string" or is_interruption(failure) or is_lack_of_memory(failure) then
      return failure
    end
    return debug.traceback(failure, 2)
  end)
  return ok and M.EXIT.ok or status_of(failure)
end

return M
