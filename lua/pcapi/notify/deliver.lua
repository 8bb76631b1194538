--- Delivers notices: after the transaction that decided them, and in later runs until they are
-- sent, or given up.
--
-- A **notice** of the store has, beside what `pcapi.notify.outbox` decides, `tries`, `tried` (when
-- it was last tried), `delivered` (ids of its messages that were delivered), `error` (of the last
-- try), `sent` and `given_up` (times), and while somebody tries it, `holder` and `held_until`.
--
-- A **channel** of the store has `failure` (see `pcapi.history.failures`), `next_at` (when the
-- receiver accepts messages again), and `stopped` (since when it has no receiver any more).
-- @module pcapi.notify.deliver
local core = require "pcapi.core"
local digests = require "pcapi.notify.digest"
local errors = require "pcapi.error"
local failures = require "pcapi.history.failures"
local outbox = require "pcapi.notify.outbox"
local time = require "pcapi.time"

local M = {}

local MOST_TRIES = 2 -- that fail, of a channel in a run
local PAUSE, LONGEST_PAUSE = 5, 30 -- seconds between two tries
local LEASE = 120 -- seconds that a try may take

--- How long a notice is tried, in seconds.
M.PATIENCE = 3 * 24 * 60 * 60

-- Runs a function in a transaction; raises an error object if the store fails.
local function store_in(run, f)
  local result, err = run.store:transaction(f)
  if result == nil then
    error(err, 0)
  end
  return result
end

-- Takes a notice, so that no other process tries it meanwhile. Returns false if another one has it.
local function hold(run, key)
  return store_in(run, function()
    local now, notice = run.context.now(), run.store:notice(key)
    local is_taken = notice and notice.holder ~= run.holder and notice.held_until
      and notice.held_until > now
    if not notice or notice.sent or notice.given_up or is_taken then
      return false
    end
    notice.holder, notice.held_until = run.holder, now + LEASE
    run.store:save_notice(notice)
    return notice
  end)
end

-- Calls a function of a channel. What it raises is a defect, which must not stop other channels.
local function guarded(f, ...)
  local results = { pcall(f, ...) }
  if results[1] then
    return results[2], results[3]
  elseif errors.is_interruption(results[2]) then
    error(results[2], 0)
  end
  return errors.fail { kind = "protocol", is_final = true,
                       message = "this is a bug in pcapi: " .. tostring(results[2]) }
end

local function has(list, value)
  for _, each in ipairs(list) do
    if each == value then
      return true
    end
  end
  return false
end

-- Delivers the messages of a notice that were not delivered yet.
local function attempt(run, channel, notice)
  if channel.problem then
    return nil, channel.problem
  end
  local content = store_in(run, function()
    return run.store:notice_content(notice)
  end)
  local messages, err = guarded(channel.module.messages, digests.read(notice, content),
    channel.settings)
  if not messages then
    return nil, err
  end
  for _, message in ipairs(messages) do
    if not has(notice.delivered, message.id) then
      local held = hold(run, notice.key)
      local ok
      ok, err = held, nil
      if held then
        ok, err = guarded(channel.module.deliver, message, channel.settings, run.context)
      end
      if not ok then
        return nil, err
      end
      notice.delivered[#notice.delivered + 1] = message.id
      held.delivered = notice.delivered
      store_in(run, function()
        run.store:save_notice(held)
        return true
      end)
    end
  end
  return true
end

local function give_up(notice, why, now)
  notice.given_up, notice.error = now, why
end

-- Stores how a try ended. Returns the notice.
local function settle(run, channel, notice, ok, err)
  return store_in(run, function()
    local now, known = run.context.now(), run.store:channel(channel.name)
    notice.tries, notice.tried, notice.holder, notice.held_until = notice.tries + 1, now, nil, nil
    known.failure, channel.is_reported = failures.update(known.failure, err and err.kind, now)
    if ok then
      notice.sent, notice.error, known.stopped, known.next_at = now, nil, nil, nil
    else
      notice.error = tostring(err)
      known.next_at = err.retry_after and now + err.retry_after or known.next_at
      known.stopped = err.stops_channel and now or known.stopped
      if err.is_final or now - notice.at >= M.PATIENCE then
        give_up(notice, notice.error, now)
      end
    end
    run.store:save_notice(notice)
    run.store:save_channel(known)
    return notice
  end)
end

-- The seconds before another try in this run; nil: the rest waits for a later run.
local function pause_before(run, channel, err)
  if run.failed[channel.name] >= MOST_TRIES or err.stops_channel or channel.problem then
    return nil
  end
  local pause = err.is_final and 0 or math.max(err.retry_after or PAUSE, 0)
  return pause <= LONGEST_PAUSE and pause or nil
end

local function add_outcome(run, result, notice, err)
  if notice.sent then
    result.sent, result.err = result.sent + 1, nil
  else
    result.err = err
    run.failed[result.name] = run.failed[result.name] + 1
    if notice.given_up then
      result.given_up, result.loss = result.given_up + 1, notice.error
    end
    result.is_stopped = result.is_stopped or err.stops_channel
  end
end

-- Tries a notice, at most twice. Returns whether the next one of the channel may be tried.
local function try(run, channel, result, key)
  while true do
    local notice = hold(run, key)
    if not notice then
      return true -- another process tries it
    end
    local ok, err = attempt(run, channel, notice)
    if not ok and not err then
      return true -- another process took it over
    end
    notice = settle(run, channel, notice, ok, err)
    result.is_reported = result.is_reported or channel.is_reported
    add_outcome(run, result, notice, err)
    local pause = not notice.sent and pause_before(run, channel, err)
    if notice.sent then
      return true
    elseif not pause then
      return false
    elseif notice.given_up then
      return true
    end
    run.context.sleep(pause)
  end
end

-- Gives up what is too old of a channel that is not tried.
local function expire(run, name, notices, why)
  local now, count = run.context.now(), 0
  for _, notice in ipairs(notices) do
    if now - notice.at >= M.PATIENCE then
      count = count + 1
      store_in(run, function()
        give_up(notice, why, now)
        run.store:save_notice(notice)
        return true
      end)
    end
  end
  return { name = name, sent = 0, given_up = count, waiting = #notices - count }
end

local function waiting(run, name)
  return store_in(run, function()
    return run.store:notices(name)
  end)
end

local function deliver_of(run, channel)
  local notices = waiting(run, channel.name)
  local known = store_in(run, function() return run.store:channel(channel.name) end)
  if known.stopped then
    local result = expire(run, channel.name, notices, "the channel has no receiver any more")
    result.is_stopped = true
    return result
  end
  local result = { name = channel.name, sent = 0, given_up = 0 }
  local may_go_on = not known.next_at or known.next_at <= run.context.now()
  run.failed[channel.name] = run.failed[channel.name] or 0
  for _, notice in ipairs(notices) do
    if not may_go_on or run.failed[channel.name] >= MOST_TRIES then
      break
    end
    may_go_on = try(run, channel, result, notice.key)
  end
  result.waiting = #waiting(run, channel.name)
  return result
end

-- What the operator is told of a channel that lost notices.
local function loss_of(run, channel, result)
  local failed = store_in(run, function() return run.store:channel(channel.name) end).failure
  local count = result.given_up == 1 and "1 notice was given up"
    or ("%d notices were given up"):format(result.given_up)
  return ("The channel %s %s: %s. %s. Who is open: pcapi history show. Test the channel: pcapi "
    .. "notify test %s"):format(channel.name, failed and "has failed since "
    .. time.format(failed.since) or "refused a message", count, result.loss
    or "It has no receiver any more", channel.name)
end

-- What the operator has to know of a channel: that it lost notices, or works again.
local function concern_of(run, channel, result)
  local concern = { key = "channel " .. channel.name }
  if result.given_up > 0 or result.is_stopped then
    concern.text = loss_of(run, channel, result)
    return concern
  end
  return result.sent > 0 and not result.err and concern or nil
end

-- Tells of dead channels by others. Returns the number of notices.
local function tell_of_dead(run, results)
  local concerns = {}
  for i, channel in ipairs(run.channels) do
    concerns[#concerns + 1] = concern_of(run, channel, results[i])
  end
  return #concerns > 0 and store_in(run, function()
    local now = run.context.now()
    return outbox.tell_operator(run.store, concerns, {
      channels = run.channels, routes = run.routes, at = now, now = now,
    })
  end) or 0
end

-- Adds what a second pass did.
local function merge(first, second)
  first.sent, first.given_up = first.sent + second.sent, first.given_up + second.given_up
  first.err, first.waiting = second.err or first.err, second.waiting
  first.is_reported = first.is_reported or second.is_reported
  first.is_stopped = first.is_stopped or second.is_stopped
end

-- Gives up what waits for channels that do not exist any more.
local function expire_unknown(run)
  local names, of_unknown = {}, {}
  for _, channel in ipairs(run.channels) do
    names[channel.name] = true
  end
  for _, notice in ipairs(waiting(run)) do
    of_unknown[#of_unknown + 1] = not names[notice.channel] and notice or nil
  end
  expire(run, nil, of_unknown, "the channel is not in the configuration")
end

local function deliver_all(run)
  local results = {}
  for i, channel in ipairs(run.channels) do
    results[i] = deliver_of(run, channel)
  end
  if tell_of_dead(run, results) > 0 then
    for i, channel in ipairs(run.channels) do
      merge(results[i], deliver_of(run, channel))
    end
  end
  expire_unknown(run)
  return results
end

--- Delivers what waits: the oldest notice of each channel first. After two tries that failed, the
-- rest of a channel waits for the next call.
-- @tparam table store see `pcapi.history.store`
-- @tparam table options
-- @tparam table options.channels array of `name`, `module` (of `pcapi.notify.channels`),
-- `settings`, and `problem` (a pcapi.error: it cannot be used now)
-- @tparam table options.routes of `pcapi.notify.routes`
-- @tparam table options.context `fetch` and `run` as the channels need them, `now` (function that
-- returns UTC epoch seconds), and `sleep` (function of seconds)
-- @treturn[1] table array of one a channel: `name`, `sent`, `given_up` and `waiting` (numbers of
-- notices), `err` (of the last try), `is_reported` (the failure is worth a line: it began, changed,
-- or lasts for 7 days), `is_stopped`
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function M.run(store, options)
  local run = { store = store, channels = options.channels, routes = options.routes,
                context = options.context, holder = core.uuid(), failed = {} }
  local ok, results = pcall(deliver_all, run)
  if not ok and errors.is(results) then
    return nil, results
  elseif not ok then
    error(results, 0)
  end
  return results
end

--- Sends a test by one channel. If it arrives, a channel that was stopped is tried again.
-- @tparam table store see `pcapi.history.store`; nil: there is no history
-- @tparam table channel as for @{run}
-- @tparam table context as for @{run}
-- @tparam string version of pcapi
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function M.test(store, channel, context, version)
  local digest = { id = digests.hash("test", core.uuid()), kind = "test", at = context.now(),
                   counts = digests.no_counts(), tenants = {}, notes = {}, version = version }
  local messages, err = guarded(channel.module.messages, digest, channel.settings)
  for _, message in ipairs(messages or {}) do
    local ok
    ok, err = guarded(channel.module.deliver, message, channel.settings, context)
    if not ok then
      return nil, err
    end
  end
  if not messages then
    return nil, err
  end
  if not store then
    return true
  end
  return store:transaction(function()
    store:save_channel { name = channel.name }
    local known = store:concerns()
    known["channel " .. channel.name] = nil
    store:save_concerns(known)
    return true
  end)
end

return M
