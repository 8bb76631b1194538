--- The sections of one tenant in the report: what is known, the trend, what to fix first, users and
-- exceptions. Pure.
-- @module pcapi.report.tenant_section
local adoption = require "pcapi.report.adoption"
local charts = require "pcapi.report.charts"
local markup = require "pcapi.report.markup"
local time = require "pcapi.time"

local M = {}

local DAY = 24 * 60 * 60
local NAME, STEP, WHY = 100, 200, 300 -- columns of a text
local BARS, BAR_NAME = 10, 34 -- bars of a chart, columns of a name beside one

local count, day, moment, number, text = markup.count, markup.day, markup.time, markup.number,
  markup.text

local function add(out, format, ...)
  out[#out + 1] = select("#", ...) > 0 and format:format(...) or format
end

-- A table that may be wider than the page.
local function add_table(out, label, class, caption, columns, next_row)
  add(out, '<div class="%s" role="region" tabindex="0" aria-label="%s">\n', class, label)
  local written = markup.table(out, caption, columns, next_row)
  add(out, "</div>\n")
  return written
end

M.add_table = add_table

--- Writes a trend: the picture, and the numbers of the days on which something changed.
-- @tparam table out array of pieces, which grows
-- @tparam string id within the page
-- @tparam table trend see `pcapi.history.trend`
-- @tparam string of whom, markup
function M.trend(out, id, trend, of)
  local days, first = #trend.open, time.parse(trend.from)
  local last = first + (days - 1) * DAY
  add(out, '<p class="soft"><span class="key k-open"></span>open or healing at the end of the day'
    .. '<span class="key k-new"></span>became open on that day</p>\n')
  add(out, charts.trend(id, trend, day(last)))
  local at, before = 0, nil
  add_table(out, "Numbers of the trend of " .. of, "scroll short", "The same numbers: the first "
    .. "day, the last one, and each on which something changed", { { "Day" },
    { "Open or healing", is_number = true }, { "Became open", is_number = true },
    { "Fixed", is_number = true }, { "Gone without proof", is_number = true } }, function()
    while at < days do
      at = at + 1
      local open, opened, fixed, gone = trend.open[at], trend.opened[at], trend.fixed[at],
        trend.gone[at]
      if at == days or open ~= before or opened + fixed + gone > 0 then
        before = open
        return { day(first + (at - 1) * DAY), number(open), number(opened), number(fixed),
                 number(gone) }
      end
    end
  end)
end

-- What a list that failed means. The warnings say what a cut one means.
local FAILED = {
  requests = "The list of requests failed, so nothing is known of the requests of the last run.",
  adoption = "The list of adoption failed, so nothing says how many requests there are.",
}

local function share_text(share)
  if share > 199 / 200 then
    return "All of the requests that adoption counts in the last days are known."
  end
  return ("%d %% of the requests that adoption counts in the last days are known. Who comes by "
    .. "which application may be incomplete."):format(math.floor(100 * share))
end

-- What is known of a tenant, and what is not.
local function add_knowledge(out, tenant, is_anonymous)
  local reach, problems = tenant.reach, {}
  if tenant.failure then
    problems[1] = ("It fails since %s (%s): all below is as it was on %s."):format(
      moment(tenant.failure.since), text(tenant.failure.kind, 40), moment(tenant.at))
  elseif not tenant.is_asked then
    problems[1] = ("It is not asked any more since %s: all below stays as it was."):format(
      moment(tenant.asked))
  end
  for _, list in ipairs { "requests", "adoption" } do
    problems[#problems + 1] = tenant.lists and tenant.lists[list] == "failed" and FAILED[list]
      or nil
  end
  for _, warning in ipairs(tenant.warnings) do
    if warning.key ~= "coverage" then -- the text above has it
      problems[#problems + 1] = "At the last run: " .. text(warning.text, STEP) .. "."
    end
  end
  add(out, "<p>%sLast response: %s. Recorded since %s. %s%s</p>\n",
    is_anonymous and "" or "Tenant <code>" .. text(tenant.id, 40) .. "</code>. ",
    moment(tenant.at), day(tenant.since), reach.from and ("Requests are complete from %s to %s. ")
      :format(moment(reach.from), moment(reach.to)) or "No request was received. ",
    reach.share and share_text(reach.share) or "")
  if #problems > 0 then
    add(out, '<ul class="warn">\n<li>%s</li>\n</ul>\n', table.concat(problems, "</li>\n<li>"))
  end
end

local function facts_of(counts, trend)
  local fixed, gone = 0, 0
  for i = 1, trend and #trend.open or 0 do
    fixed, gone = fixed + trend.fixed[i], gone + trend.gone[i]
  end
  return {
    { counts.open, "open" }, { counts.new, "new or back" }, { counts.healing, "healing" },
    { counts.excepted, "of these with an exception" }, { fixed, "fixed, in 90 days" },
    { gone, "gone without proof, in 90 days" },
  }
end

--- Writes the most important numbers.
-- @tparam table out array of pieces, which grows
-- @tparam table counts see `pcapi.history.overview`
-- @tparam ?table trend
function M.facts(out, counts, trend)
  add(out, '<ul class="facts">\n')
  for _, fact in ipairs(facts_of(counts, trend)) do
    add(out, "<li><strong>%s</strong> %s</li>\n", number(fact[1] or 0), fact[2])
  end
  add(out, "</ul>\n")
end

-- The share of requests with MFA, such as 81 %.
local function percent(fix)
  local value = fix.total and adoption.percent { mfaCompliantRequestCount = fix.with_mfa,
                                                 totalRequestCount = fix.total }
  return value and value .. " %" or "–"
end

local OF_CLASS = { portal = "Partner Center portal", guest = "Guests",
                   system = "System accounts", unknown = "Not known" }

local function name_of(fix, room)
  return text(fix.name or OF_CLASS[fix.class] or fix.class, room)
end

-- The bars of the applications with most requests.
local function add_bars(out, id, fixes)
  local rows = {}
  for _, fix in ipairs(fixes) do
    rows[#rows + 1] = fix.total and { name = name_of(fix, BAR_NAME), with = fix.with_mfa,
                                      total = fix.total, share = percent(fix) } or nil
    if #rows == BARS then
      break
    end
  end
  if #rows > 0 then
    add(out, '<p class="soft"><span class="key k-good"></span>requests with MFA<span class="key '
      .. 'k-open"></span>without, in the last 7 days, by adoption</p>\n')
    add(out, charts.bars(id, rows))
  end
end

local function add_fixes(out, id, tenant)
  add(out, "<h3>What to fix first</h3>\n")
  if #tenant.fixes == 0 then
    return add(out, "<p>Nothing: nobody without an exception is open.</p>\n")
  end
  add_bars(out, id .. "-bars", tenant.fixes)
  add_table(out, "Applications of " .. text(tenant.name, NAME), "scroll",
    "Applications without MFA, by " .. (tenant.is_by_requests
      and "requests without MFA, as not all requests are known" or "users"),
    { { "Application" }, { "Users", is_number = true }, { "Requests", is_number = true },
      { "without MFA", is_number = true }, { "with MFA", is_number = true }, { "Next step" } },
    markup.rows(tenant.fixes, function(fix)
      return { name_of(fix, NAME), number(fix.users), number(fix.total),
               number(fix.total and fix.total - fix.with_mfa), percent(fix), text(fix.step, STEP) }
    end))
  if tenant.more_fixes > 0 then
    add(out, "<p>And %s more.</p>\n", count(tenant.more_fixes, "application"))
  end
end

local NEWS = { new = "new", back = "back", again = "again", ended = "exception ended" }

local function state_of(person)
  local words = { person.state }
  words[#words + 1] = NEWS[person.news]
  words[#words + 1] = person.exception and "excepted until " .. text(person.exception.ends, 10)
  words[#words + 1] = not person.closed and not person.is_visible and "not visible" or nil
  return table.concat(words, ", ")
end

local COLUMNS = { { "User" }, { "State" }, { "Without MFA since" }, { "Last without MFA" },
                  { "Application" }, { "Next step" } }

-- Writes the users as long as there is room. Returns how many there was no room for.
local function add_people(out, tenant, room)
  local at = 0
  local name = text(tenant.name, NAME)
  add(out, "<h3>Users</h3>\n")
  if #tenant.people == 0 then
    return add(out, "<p>Nobody: no finding is open, and none was closed in the last 30 days.</p>\n")
  end
  add_table(out, "Users of " .. name, "scroll times", "Open and healing findings, then those "
    .. "closed in the last 30 days; the newest first", COLUMNS, function()
    local person = tenant.people[at + 1]
    if not person or room.bytes <= 0 then
      return nil
    end
    at = at + 1
    local row = { "<bdi>" .. text(person.user, NAME) .. "</bdi>", state_of(person),
                  moment(person.since), moment(person.last), text(person.application, NAME),
                  text(person.step, STEP) }
    room.bytes = room.bytes - #table.concat(row) - 80
    return row
  end)
  local more = tenant.more_people + #tenant.people - at
  if more > 0 then
    add(out, "<p>And %s more. All of them: <code>pcapi history show --state all --output csv</code>"
      .. "</p>\n", count(more, "user"))
  end
end

local function add_exceptions(out, tenant)
  if #tenant.exceptions == 0 then
    return
  end
  add(out, "<h3>Exceptions</h3>\n")
  add_table(out, "Exceptions of " .. text(tenant.name, NAME), "scroll",
    "Who may come without MFA for some time; the first to end at the top",
    { { "Who" }, { "Last day" }, { "Users", is_number = true }, { "Reason" } },
    markup.rows(tenant.exceptions, function(exception)
      return { "<bdi>" .. text(exception.who or "(hidden)", NAME) .. "</bdi>",
               text(exception.ends, 10), number(exception.users), text(exception.why, WHY) }
    end))
  if tenant.more_exceptions > 0 then
    add(out, "<p>And %s more.</p>\n", count(tenant.more_exceptions, "exception"))
  end
end

--- Writes the section of a tenant.
-- @tparam table out array of pieces, which grows
-- @tparam string id within the page
-- @tparam table tenant see `pcapi.history.overview`
-- @tparam table options `is_anonymous`, `has_trend`, and `room` (`bytes` for users; it shrinks)
function M.add(out, id, tenant, options)
  local name = text(tenant.name, NAME)
  add(out, '<section aria-labelledby="%s">\n<h2 id="%s"><bdi>%s</bdi></h2>\n', id, id, name)
  add_knowledge(out, tenant, options.is_anonymous)
  M.facts(out, tenant.counts, tenant.trend)
  if tenant.trend and options.has_trend then
    add(out, "<h3>Trend</h3>\n")
    M.trend(out, id .. "-trend", tenant.trend, name)
  end
  add_fixes(out, id, tenant)
  add_people(out, tenant, options.room)
  add_exceptions(out, tenant)
end

return M
