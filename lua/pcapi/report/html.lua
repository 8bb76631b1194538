--- Writes what a history knows as one HTML file: no script, no request to anywhere. Pure.
--
--     local facts = assert(overview.of(history, { now = os.time() }))
--     local page = html.text(facts)
--
-- The same facts give the same bytes. The file is well-formed XML, too. It follows the colours of
-- the reader, light or dark, and can be printed.
-- @module pcapi.report.html
local audit_section = require "pcapi.report.audit_section"
local core = require "pcapi.core"
local markup = require "pcapi.report.markup"
local style = require "pcapi.report.page_style"
local tenant_section = require "pcapi.report.tenant_section"
local version = require "pcapi.version"

local M = {}

--- How many bytes its users may take. All that does not fit is counted.
M.MOST_BYTES = 262 * 1000

local SECTIONS, LINES, TRENDS = 100, 500, 10 -- how many tenants have a section, a line, a trend
local NAME = 100 -- columns of a text

local count, moment, number, text = markup.count, markup.time, markup.number, markup.text

local function add(out, format, ...)
  out[#out + 1] = select("#", ...) > 0 and format:format(...) or format
end

local HEAD = [[
<!DOCTYPE html>
<html lang="en" xmlns="http://www.w3.org/1999/xhtml">
<head>
<meta charset="utf-8"/>
<meta http-equiv="Content-Security-Policy" content="{policy}"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="referrer" content="no-referrer"/>
<meta name="robots" content="noindex"/>
<meta name="generator" content="pcapi {version}"/>
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the numbers</a>
<header>
<h1>{title}</h1>
<p class="soft">As of {at}. All times are UTC.{more}</p>
</header>
<main id="main">
]]

local POLICY = "default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'"

local FOOT = [[
</main>
<footer>
<h2 id="states">What the states mean</h2>
<dl>
<dt>open</dt><dd>The service lists the user, and nothing proves a repair.</dd>
<dt>healing</dt><dd>Each application of the user has come with MFA since the last sign-in without
it. The user leaves the list about 7 days after that sign-in.</dd>
<dt>fixed</dt><dd>The same, and the user has left the list.</dd>
<dt>quiet</dt><dd>The user left the list after 7 days without a sign-in. Nothing proves a
repair.</dd>
<dt>lost</dt><dd>The user left the list early: deleted, or lost by the service.</dd>
<dt>not visible</dt><dd>The list was cut, so it may lack the user.</dd>
</dl>
<p>“Without MFA since” is the first sign-in without MFA that a run saw; the user may have come
before it. Sign-ins to the portal are in no list of requests: neither their address nor a repair can
be seen. How a user comes is concluded from the requests that are known, and is not certain.</p>
<p>Made by pcapi {version}.{personal}</p>
</footer>
</body>
</html>
]]

local function fill(template, values)
  return (template:gsub("{(%l+)}", values))
end

-- The tenants, those with most to do first.
local function sorted(tenants)
  local order = {}
  for i, tenant in ipairs(tenants) do
    order[i] = tenant
  end
  local function weight(tenant)
    return tenant.counts.open - tenant.counts.excepted
  end
  table.sort(order, function(a, b)
    local left, right = weight(a), weight(b)
    if left ~= right then
      return left > right
    elseif a.name ~= b.name then
      return a.name < b.name
    end
    return (a.id or "") < (b.id or "")
  end)
  return order
end

local function title_of(facts)
  local tenants = facts.tenants
  return "Users without MFA in Partner Center: " .. (#tenants == 1 and text(tenants[1].name, NAME)
    or count(#tenants, "tenant"))
end

local function state_of(tenant)
  if tenant.failure then
    return "fails since " .. moment(tenant.failure.since)
  elseif not tenant.is_asked then
    return "not asked since " .. moment(tenant.asked)
  elseif #tenant.warnings > 0 then
    return count(#tenant.warnings, "warning")
  end
  return "complete"
end

-- All tenants at a glance: numbers, trend, and a line of each.
local function add_all(out, facts, order)
  add(out, '<section aria-labelledby="all">\n<h2 id="all">All tenants</h2>\n')
  tenant_section.facts(out, facts.counts, facts.trend)
  if facts.trend then
    tenant_section.trend(out, "all-trend", facts.trend, "all tenants")
  end
  local at = 0
  tenant_section.add_table(out, "Tenants", "scroll", "Tenants, those with most open users first",
    { { "Tenant" }, { "Open", is_number = true }, { "New", is_number = true },
      { "Healing", is_number = true }, { "Excepted", is_number = true }, { "Last response" },
      { "What is known" } }, function()
    at = at + 1
    local tenant, counts = order[at], order[at] and order[at].counts
    if not tenant or at > LINES then
      return nil
    end
    local name = "<bdi>" .. text(tenant.name, NAME) .. "</bdi>"
    return { at <= SECTIONS and ('<a href="#t%d">%s</a>'):format(at, name) or name,
             number(counts.open), number(counts.new), number(counts.healing),
             number(counts.excepted), moment(tenant.at), state_of(tenant) }
  end)
  if #order > LINES then
    add(out, "<p>And %s more.</p>\n", count(#order - LINES, "tenant"))
  end
  if #order > SECTIONS then
    add(out, "<p>The first %d follow one by one. For another one: <code>pcapi report --tenant "
      .. "NAME --html FILE</code></p>\n", SECTIONS)
  end
  add(out, "</section>\n")
end

-- Writes the sections of tenants. Those that come first leave room for the others.
local function add_tenants(out, facts, order)
  local left, shown, first = M.MOST_BYTES, math.min(#order, SECTIONS), #out
  for i = 1, shown do
    out[first + i] = ""
  end
  for i = shown, 1, -1 do -- those with least to do take what they need first
    local room = { bytes = math.floor(left / i) }
    local given, section = room.bytes, {}
    tenant_section.add(section, "t" .. i, order[i], {
      is_anonymous = facts.is_anonymous, has_trend = shown <= TRENDS, room = room,
    })
    left = left - (given - room.bytes)
    if order[i].audit then
      audit_section.add(section, "t" .. i, order[i], {
        from = facts.from, to = facts.to, at = facts.at, version = version,
      })
    end
    section[#section + 1] = "</section>\n"
    out[first + i] = table.concat(section)
  end
end

--- Writes the file.
-- @tparam table facts of `pcapi.history.overview`
-- @treturn string
function M.text(facts)
  local order, title = sorted(facts.tenants), title_of(facts)
  local out = { fill(HEAD, {
    policy = POLICY:format(core.base64(core.sha256(style))), style = style, version = version,
    title = title, at = moment(facts.at),
    more = facts.is_anonymous and " Names are replaced by numbers." or "",
  }) }
  if #order == 0 then
    add(out, "<p>The history has no tenant yet: run pcapi watch first.</p>\n")
  elseif #order > 1 then
    add_all(out, facts, order)
  end
  add_tenants(out, facts, order)
  add(out, fill(FOOT, { version = version, personal = facts.is_anonymous and ""
    or " It holds personal data: delete it when it serves no purpose any more." }))
  return table.concat(out)
end

return M
