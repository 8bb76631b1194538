--- `pcapi history forget`: erases a user.
-- @module pcapi.cli.history_forget
local core = require "pcapi.core"
local coverage = require "pcapi.history.coverage"
local errors = require "pcapi.error"
local exit = require "pcapi.cli.exit"
local formats = require "pcapi.format"
local history_query = require "pcapi.cli.history_query"
local history_rows = require "pcapi.cli.history_rows"
local prompt = require "pcapi.cli.prompt"
local time = require "pcapi.time"

local M = {}

-- What is stored, by kind: one, and many.
local KINDS = {
  { "finding", "1 finding", "%d findings" }, { "request", "1 request", "%d requests" },
  { "event", "1 event", "%d events" }, { "binding", "1 exception", "%d exceptions" },
  { "mention", "1 mention as an earlier user", "%d mentions as an earlier user" },
  { "notice", "1 notice to a channel", "%d notices to channels" },
}

-- Passes all that is stored of a user to a function.
local function each_fact(opened, user, visit)
  history_query.required(opened.history:each_fact(user.person.id, { tenant = user.tenant.id },
    visit))
end

local function contents_of(opened, user)
  local counts, words = {}, {}
  each_fact(opened, user, function(kind)
    counts[kind] = (counts[kind] or 0) + 1
  end)
  for _, kind in ipairs(KINDS) do
    local count = counts[kind[1]]
    words[#words + 1] = count and (count == 1 and kind[2] or kind[3]:format(count)) or nil
  end
  return #words > 0 and table.concat(words, ", ") or "nothing but the name"
end

local at = history_rows.at

local function event_row(event)
  return {
    event = event.kind, at = at(event.at), objectId = event.person and event.person.id,
    episode = event.episode, was = event.was, excepted = event.excepted, knownAs = event.known_as,
    lastNonMfaCompliantLoginDateTime = at(event.last_at), mfaSince = at(event.mfa_at),
    closedAt = at(event.closed_at),
  }
end

-- The fields of a fact, by its kind.
local ROW = {
  user = history_rows.person, finding = history_rows.episode, event = event_row,
  mention = event_row,
  request = function(request)
    return { requestDateTime = at(request.at), applicationId = request.application,
             operationName = request.operation, ipAddress = request.ip,
             mfaCompliant = request.mfa }
  end,
  binding = function(binding)
    return binding
  end,
  notice = function(notice)
    return { channel = notice.channel, at = at(notice.at), sent = at(notice.sent),
             givenUp = at(notice.given_up), text = notice.text }
  end,
}

local function exported(kind, fact, user)
  local row = ROW[kind](fact)
  row.kind, row.tenantId = kind, user.tenant.id
  row.tenant = user.tenant.name or user.tenant.id
  return row
end

local function fail(message, hint)
  exit.fail(errors.new { kind = "store", message = message, hint = hint })
end

-- Writes all that is stored of the user, one JSON object a line.
local function write_rows(file, opened, user)
  local writer = formats.get("jsonl").open(function(text)
    return file:write(text)
  end, { columns = { "kind", "tenant", "tenantId" } })
  local ok, why = true, nil
  each_fact(opened, user, function(kind, fact)
    if ok then
      ok, why = writer:rows { exported(kind, fact, user) }
    end
  end)
  if ok then
    ok, why = writer:close()
  end
  local closed, problem = file:close()
  return ok and closed, why or problem
end

-- Writes the file of --export: 0600, and whole or not at all. It replaces no file.
local function export(path, opened, user)
  local folder, name = path:match "^(.*/)([^/]+)$"
  folder, name = folder or "./", name or path
  local made, why = nil, "must be the name of a file"
  if name:find "^[^/]+$" and name ~= "." and name ~= ".." then
    made, why = core.file_begin(folder, name)
  end
  if not made then
    return fail("--export: " .. why, "Choose a file that does not exist, in a folder that no other "
      .. "user can write")
  end
  local file, ok
  file, why = io.open(folder .. made, "wb")
  if file then
    ok, why = write_rows(file, opened, user)
  end
  if ok then
    ok, why = core.file_end(folder, name)
  end
  if not ok then
    core.file_abandon(folder, name)
    fail(("--export: %s: %s"):format(path, why), "Nothing was erased")
  end
end

local function require_answer(args)
  if not args.yes and not prompt.can_ask() then
    exit.stop(exit.EXIT.usage, "history forget needs --yes where nobody can be asked")
  end
end

local function confirm(args)
  if not args.yes and not prompt.confirm "Erase this user from the history?" then
    exit.stop(exit.EXIT.usage, "nothing was erased")
  end
end

-- Until when the service lists the user; nil: no more.
local function listed_until(person)
  local finding = person.finding
  local ends = finding and finding.last_at + coverage.WINDOW
  return ends and ends > os.time() and ends or nil
end

-- The summary of nginx names users, and nginx keeps what it read until there is a new one. So it is
-- written anew; one that cannot be written is removed.
local function renew_summary(opened)
  local settings = opened.settings
  if not settings.summary then
    return
  end
  if require("pcapi.history.summary").write(opened.history, settings.summary, os.time(), {
    names = require("pcapi.cli.history_file").names(settings), own = settings.own,
  }) then
    return ("wrote %s anew, without the user"):format(settings.summary)
  end
  local ok, why, code = os.remove(settings.summary)
  if not ok and code ~= 2 then -- ENOENT
    fail(("the summary still names the user: %s"):format(why), "Remove it")
  end
  return ok and ("removed %s, which pcapi watch writes anew"):format(settings.summary) or nil
end

local function report(args, user, renewed)
  if args.quiet then
    return
  end
  exit.say(("erased %s"):format(history_query.name_of(user)))
  if renewed then
    exit.say(renewed)
  end
  exit.say("not reached: backups and exports of the history, reports, mails, and what other "
    .. "programs got; erase the user there")
  local ends = listed_until(user.person)
  if ends then
    exit.say(("the service lists this user until about %s: a pcapi watch before then records the "
      .. "user again"):format(time.format(ends)))
  end
end

-- Erases the user. While another process reads the history, the bytes stay in its files.
local function erase(opened, user)
  local which = { tenant = user.tenant.id }
  local erased, err = opened.history:forget(user.person.id, which)
  if not erased and #(opened.history:users(user.person.id, which) or { user }) == 0 then
    fail(("the user is erased, but may still be found in the files of the history: %s"):format(
      err.message), "Run pcapi history prune when no other process reads the history")
  end
  history_query.required(erased, err)
end

--- Runs the command.
-- @tparam table args
function M.run(args)
  local opened = history_query.open(args)
  local user = history_query.user(args, opened)
  if not args.quiet or not args.yes then
    exit.say(("%s: %s"):format(history_query.name_of(user), contents_of(opened, user)))
  end
  require_answer(args)
  if args.export then
    export(args.export, opened, user)
  end
  confirm(args)
  erase(opened, user)
  local renewed = renew_summary(opened)
  opened.history:close()
  report(args, user, renewed)
end

return M
