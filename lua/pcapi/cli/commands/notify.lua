--- `pcapi notify`: tests channels, and shows and delivers what waits.
-- @module pcapi.cli.commands.notify
local check = require "pcapi.check"
local exit = require "pcapi.cli.exit"
local options = require "pcapi.cli.options"
local time = require "pcapi.time"

local COMMON = { "--config", "--ca-file", "--ca-path", "--trace", "--quiet", "--verbose",
                 "--color", "--help" }

local PENDING = {
  { "channel", "name of the channel" },
  { "notice", "id of the notice, the same at each try" },
  { "kind", "changes, open (what is open, or reminders), or operator (about pcapi itself)" },
  { "title", "what it tells, in short" },
  { "decided", "when the notice was decided" },
  { "tries", "how often it was tried" },
  { "tried", "when it was last tried" },
  { "error", "why the last try failed" },
}

local M = {
  summary = "Test channels; show and deliver the notices that wait",
  about = {
    "pcapi watch decides what each channel is told: the sections [notify NAME] of the "
      .. "configuration file. With --notify, it also delivers it. No subcommand asks the service.",
    "A notice is tried twice in a run, and again in later runs; it is given up after 3 days, and "
      .. "another channel tells so.",
  },
  common = COMMON,
  subcommands = {
    {
      name = "test", summary = "Send a test by a channel",
      about = "Send a test by a channel. Look whether it arrived: some receivers accept a message "
        .. "and lose it. If the channel was stopped, it is tried again from now on.",
      arguments = { { "channel", value = "NAME", check = options.filled "NAME",
                      about = "Name of the channel" } },
      common = COMMON,
      examples = {
        { "Test the channel ops", "pcapi notify test ops" },
        { "See each request; its address is not shown", "pcapi notify test ops --trace" },
      },
    },
    {
      name = "pending", summary = "List the notices that wait",
      about = "List the notices that are neither delivered nor given up, and why.",
      options = { options.json '{"notices": [ ... ]}' },
      common = COMMON,
      fields = PENDING,
      examples = {
        { "What waits", "pcapi notify pending" },
        { "For a program", "pcapi notify pending --json" },
      },
    },
    {
      name = "send", summary = "Deliver the notices that wait",
      about = "Deliver the notices that wait, by their channels. The status is 1 if a channel "
        .. "fails.",
      common = COMMON,
      examples = {
        { "Deliver what waits", "pcapi notify send" },
        { "Often, from cron: nothing is printed but failures", "pcapi notify send --quiet" },
      },
    },
  },
  examples = {
    { "Test the channel ops", "pcapi notify test ops" },
    { "What waits", "pcapi notify pending" },
  },
}

local RUN = {}

-- The history; nil if there is none.
local function optional_history(args)
  local history_file = require "pcapi.cli.history_file"
  local settings = history_file.settings(args)
  local file = io.open(settings.path, "rb")
  if not file then
    return nil
  end
  file:close()
  return history_file.open(settings, { create = false })
end

local function channel_of(notify, name)
  local names = {}
  for _, channel in ipairs(notify.channels) do
    if channel.name == name then
      return channel.problem and exit.fail(channel.problem) or channel
    end
    names[channel.name] = true
  end
  exit.stop(exit.EXIT.usage, ("there is no channel '%s'%s"):format(options.shown(name),
    check.suggest(name, names)))
end

function RUN.test(args)
  local notify_file = require "pcapi.cli.notify_file"
  local channel = channel_of(notify_file.require(args, "notify test"), args.channel)
  local history = optional_history(args)
  local ok, err = require("pcapi.notify.deliver").test(history and history.store, channel,
    notify_file.context(args), require "pcapi.version")
  if history then
    history:close()
  end
  if not ok then
    exit.fail(err)
  elseif not args.quiet then
    exit.say(("the channel %s (%s) took the test; look whether it arrived%s"):format(channel.name,
      channel.type, channel.module.proof and ". " .. channel.module.proof or ""))
  end
end

local function open_history(args)
  local history_file = require "pcapi.cli.history_file"
  return history_file.open(history_file.settings(args), { create = false })
end

local VIEW = {
  columns = { "channel", "title", "decided", "tries", "error" },
  titles = { channel = "CHANNEL", title = "NOTICE", decided = "DECIDED (UTC)", tries = "TRIES",
             error = "ERROR" },
  narrow = { { "error", 20 }, { "title", 20 } },
}

local function row_of(store, notice)
  local digest = require("pcapi.notify.digest").read(notice, store:notice_content(notice))
  return { channel = notice.channel, notice = notice.id, kind = notice.kind,
           title = require("pcapi.notify.words").title(digest), decided = time.format(notice.at),
           tries = notice.tries, tried = notice.tried and time.format(notice.tried),
           error = notice.error }
end

local function rows_of(store)
  local rows = {}
  for i, notice in ipairs(store:notices()) do
    rows[i] = row_of(store, notice)
  end
  return rows
end

local function report_pending(args, rows)
  for _, row in ipairs(rows) do
    row.tries, row.decided = tostring(row.tries), row.decided:gsub("T", " "):sub(1, 16)
  end
  if #rows > 0 then
    require("pcapi.cli.output").table(args, rows, VIEW)
  end
  if not args.quiet then
    exit.say(#rows == 1 and "1 notice waits" or ("%d notices wait"):format(#rows))
  end
end

function RUN.pending(args)
  local history = open_history(args)
  local rows, err = history.store:read(function()
    return rows_of(history.store)
  end)
  history:close()
  if not rows then
    exit.fail(err)
  end
  if args.json then
    local names = {}
    for i, field in ipairs(PENDING) do
      names[i] = field[1]
    end
    return require("pcapi.cli.output").json("notices", rows, names)
  end
  report_pending(args, rows)
end

function RUN.send(args)
  local notify = require("pcapi.cli.notify_file").require(args, "notify send")
  local delivery = require "pcapi.cli.notify_delivery"
  local history = open_history(args)
  local works, sent = delivery.run(args, history.store, notify, true)
  history:close()
  if not args.quiet then
    exit.say("sent " .. delivery.count(sent))
  end
  if not works then
    exit.stop(exit.EXIT.error)
  end
end

--- Runs the command.
-- @tparam table args
function M.run(args)
  RUN[args.notify_command](args)
end

return M
