--- The words of a digest, as plain text: its title, and the lines of its users. All channels say
-- the same. Names come from outside: in every text of this module, characters that are invisible or
-- control a terminal are escaped, and what is too long is cut. Pure.
--
-- `pcapi.notify.digest` describes a digest.
-- @module pcapi.notify.words
local errors = require "pcapi.error"
local news = require "pcapi.history.news"
local text = require "pcapi.text"
local time = require "pcapi.time"

local M = {}

--- The most users that a message for people shows.
M.SHOWN = 20

local LONGEST_TITLE = 78 -- columns: a line of a mail
local MORE = ", and more"
local LONGEST_NAME = 40 -- columns of a tenant in a title
local LONGEST_WHO = 100 -- columns
local LONGEST_TEXT = 300 -- columns of any other text

--- Makes a text from outside safe to show, in one line.
-- @tparam any value
-- @tparam[opt=300] number longest columns
-- @treturn string
function M.clean(value, longest)
  longest = longest or LONGEST_TEXT
  value = tostring(value)
  if #value > 16 * longest then
    value = value:sub(1, 16 * longest):gsub("[\192-\255]?[\128-\191]*$", "") -- no half character
  end
  local clean = text.visible(value)
  if not clean:find "%S" then
    return "(empty)"
  end
  clean = text.width(clean) > longest and text.cut(clean, longest) or clean
  return errors.shorten(clean, 3 * longest) -- marks on characters take no columns
end

--- Says how many there are of something.
-- @tparam number count
-- @tparam string one the noun
-- @tparam[opt] string many its plural; default: the noun with an s
-- @treturn string such as `2 users`
function M.number(count, one, many)
  return ("%d %s"):format(count, count == 1 and one or many or one .. "s")
end

-- What happened, the most important first: first and later in a title.
local EVENTS = {
  { "new", "%s without MFA", "new user" }, { "back", "%s back without MFA", "user", "%d back" },
  { "again", "%s without MFA again", "user", "%d without MFA again" },
  { "ended", "%s ended", "exception" },
  { "baseline", "%s without MFA at the first run", "user" },
  { "fixed", "%s fixed", "user", "%d fixed" },
  { "healing", "%s with MFA again", "user", "%d with MFA again" },
  { "quiet", "%s not seen for 7 days", "user", "%d not seen for 7 days" },
  { "lost", "%s left the list early", "user", "%d left the list early" },
}

-- What there is beside events: warnings alone, or who is still open.
local function without_events(digest)
  local rows, warnings = 0, 0
  for _, tenant in ipairs(digest.tenants or {}) do
    rows, warnings = rows + #(tenant.rows or {}), warnings + #(tenant.warnings or {})
  end
  if rows == 0 and warnings > 0 then
    return M.number(warnings, "warning")
  end
  return M.number(digest.counts.open or 0, "user") .. " without MFA still open"
end

-- What happened: phrases, the first one with its noun.
local function phrases_of(digest)
  local counts, phrases = digest.counts, {}
  for _, event in ipairs(EVENTS) do
    local count = counts[event[1]] or 0
    if count > 0 then
      phrases[#phrases + 1] = #phrases > 0 and event[4] and event[4]:format(count)
        or event[2]:format(M.number(count, event[3]))
    end
  end
  phrases[1] = phrases[1] or without_events(digest)
  return phrases
end

-- Joins as many phrases as there is room for.
local function joined(start, phrases)
  local title = start .. phrases[1]
  for i = 2, #phrases do
    local longer = title .. ", " .. phrases[i]
    if text.width(longer) + (i < #phrases and #MORE or 0) > LONGEST_TITLE then
      return title .. MORE
    end
    title = longer
  end
  return title
end

local function title_of(digest)
  local tenants, notes = digest.tenants or {}, digest.notes or {}
  if digest.kind == "test" then
    return "pcapi: this is a test, nothing is wrong"
  elseif digest.kind == "operator" then
    return "pcapi: " .. (#notes == 1 and M.clean(notes[1]) or M.number(#notes, "problem"))
  end
  local name = #tenants == 1 and M.clean(tenants[1].name or tenants[1].id, LONGEST_NAME)
    or M.number(#tenants, "tenant")
  if digest.kind == "open" then
    return ("%s: %s"):format(name, M.number(digest.counts.open or 0, "open user") .. " without MFA")
  end
  return joined(name .. ": ", phrases_of(digest))
end

--- The title of a digest: the subject of a mail, the header of a card.
-- @tparam table digest
-- @treturn string at most 78 columns
function M.title(digest)
  return M.clean(title_of(digest), LONGEST_TITLE)
end

--- The title of a tenant within a digest of several.
-- @tparam table digest
-- @tparam table tenant
-- @treturn string at most 78 columns
function M.tenant_title(digest, tenant)
  return M.clean(title_of { kind = digest.kind, counts = tenant.counts, tenants = { tenant } },
    LONGEST_TITLE)
end

-- 2026-11-28 05:41 UTC
local function moment(value)
  return value and M.clean(value:gsub("T", " "):sub(1, 16)) .. " UTC"
end

--- The time of a digest.
-- @tparam table digest
-- @treturn string such as `2026-11-28 05:41 UTC`
function M.at(digest)
  return moment(time.format(digest.at))
end

local function who_of(row)
  if row.count then
    return M.number(row.count, "user") .. ((row.exceptedCount or 0) > 0
      and (", %d of them excepted"):format(row.exceptedCount) or "")
  end
  return M.clean(row.upn or row.objectId or "a user without a name", LONGEST_WHO)
end

local function facts_of(row)
  local facts = { M.clean(news.happened(row) or row.event) }
  if row.repeated then
    facts[1] = facts[1] .. " (may have been reported before)"
  end
  if row.lastNonMfaCompliantLoginDateTime then
    facts[#facts + 1] = "last without MFA " .. moment(row.lastNonMfaCompliantLoginDateTime)
  end
  if row.application then
    facts[#facts + 1] = M.clean(row.application, LONGEST_WHO)
  end
  return table.concat(facts, ", ")
end

--- The texts of a row.
-- @tparam table row
-- @treturn table `who`; `facts` (what happened, when, by which application); `step` (what to do
-- next; nil: nothing)
function M.row(row)
  local step = row.nextStep or row.count and "To see them: pcapi history show"
  return { who = who_of(row), facts = facts_of(row), step = step and M.clean(step) or nil }
end

--- What a digest says of a tenant beside its rows.
-- @tparam table tenant
-- @treturn table array of texts
function M.remarks(tenant)
  local counts, texts = tenant.counts, {}
  local excepted = counts.excepted or 0
  texts[1] = ("%d open"):format(counts.open or 0)
    .. (excepted > 0 and (", %d excepted"):format(excepted) or "") .. "."
  if tenant.requests == "failed" then
    texts[2] = "The list of requests failed, so there is no evidence of them."
  elseif tenant.requests == "cut" then
    texts[2] = "The service listed its newest requests only"
      .. (tenant.coverage and (": %d %% are known."):format(math.floor(100 * tenant.coverage))
      or ".")
  end
  for _, warning in ipairs(tenant.warnings or {}) do
    texts[#texts + 1] = "Warning: " .. M.clean(warning)
  end
  return texts
end

local IS_NEWS = { new = true, back = true, again = true, ended = true, baseline = true }

-- A baseline that is all there is of a tenant: the title of the tenant says it.
local function is_in_title(tenant, is_many)
  return is_many and #tenant.rows == 1 and tenant.rows[1].count ~= nil
end

-- Marks rows until so many are marked: one of each tenant in turn.
local function mark(tenants, is_news, marked, left)
  local at, is_done = {}, false
  while left > 0 and not is_done do
    is_done = true
    for i, tenant in ipairs(tenants) do
      local n = (at[i] or 0) + 1
      while tenant.rows[n] and (IS_NEWS[tenant.rows[n].event] or false) ~= is_news do
        n = n + 1
      end
      at[i] = n
      if tenant.rows[n] and left > 0 then
        marked[tenant.rows[n]], left, is_done = true, left - 1, false
      end
    end
  end
  return left
end

--- Chooses the rows that a message shows: news first, and some of each tenant.
-- @tparam table digest
-- @tparam number most rows, and tenants
-- @tparam[opt] boolean is_data also the row of a baseline that the title of its tenant says
-- @treturn table array of `tenant`, `rows` and `more` (rows that are not shown)
-- @treturn number tenants that are not shown at all
function M.choose(digest, most, is_data)
  local tenants, marked, groups = digest.tenants or {}, {}, {}
  mark(tenants, false, marked, mark(tenants, true, marked, most))
  for _, tenant in ipairs(tenants) do
    local rows = {}
    for _, row in ipairs(tenant.rows) do
      rows[#rows + 1] = marked[row] and row or nil
    end
    if #groups < most and (#rows > 0 or #tenant.rows == 0) then
      local more = #tenant.rows - #rows + (tenant.more or 0)
      rows = is_in_title(tenant, #tenants > 1 and not is_data) and {} or rows
      groups[#groups + 1] = { tenant = tenant, more = more, rows = rows }
    end
  end
  return groups, #tenants - #groups
end

--- The notes of a digest, or what its test is for.
-- @tparam table digest
-- @treturn table array of texts
function M.notes(digest)
  local notes = {}
  if digest.kind == "test" then
    notes[1] = "pcapi notify test sent this message. Real ones say who signs in without MFA, and "
      .. "what to do."
  end
  for _, note in ipairs(digest.notes or {}) do
    notes[#notes + 1] = M.clean(note)
  end
  return notes
end

local function add_group(lines, digest, group, is_many)
  if is_many then
    lines[#lines + 1] = M.tenant_title(digest, group.tenant)
    lines[#lines + 1] = ""
  end
  for _, row in ipairs(group.rows) do
    local words = M.row(row)
    lines[#lines + 1] = words.who
    lines[#lines + 1] = "  " .. words.facts
    lines[#lines + 1] = words.step and "  Next step: " .. words.step or nil
  end
  if group.more > 0 then
    lines[#lines + 1] = ("and %d more"):format(group.more)
  end
  lines[#lines + 1] = #group.rows + group.more > 0 and "" or nil
  for _, remark in ipairs(M.remarks(group.tenant)) do
    lines[#lines + 1] = remark
  end
  lines[#lines + 1] = ""
end

--- A whole digest as plain text.
-- @tparam table digest
-- @tparam number most rows
-- @tparam[opt] string link address of a report
-- @treturn string lines; each ends in LF
function M.text(digest, most, link)
  local lines = { M.title(digest), "" }
  for _, note in ipairs(M.notes(digest)) do
    lines[#lines + 1] = note
    lines[#lines + 1] = ""
  end
  local groups, hidden = M.choose(digest, most)
  for _, group in ipairs(groups) do
    add_group(lines, digest, group, #groups + hidden > 1)
  end
  if hidden > 0 then
    lines[#lines + 1] = ("and %s\n"):format(M.number(hidden, "more tenant"))
  end
  lines[#lines + 1] = link and "Report: " .. link or nil
  lines[#lines + 1] = ("pcapi %s, %s"):format(digest.version or "", M.at(digest))
  return table.concat(lines, "\n") .. "\n"
end

return M
