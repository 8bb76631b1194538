--- Sample digests, as `pcapi.notify.digest` describes them.
local M = {}

local AT = 1795845604 -- 2026-11-28T06:00:04Z

local function hex(number)
  return ("%064x"):format(number)
end

local function guid(kind, number)
  return ("5f0b3c1e-%04d-4000-8000-%012d"):format(kind, number)
end

--- Counts.
-- @tparam table given some of them
-- @treturn table all; those that are not given are 0
function M.counts(given)
  local counts = { open = 0, excepted = 0, new = 0, back = 0, again = 0, ended = 0, healing = 0,
                   fixed = 0, quiet = 0, lost = 0, baseline = 0 }
  for name, value in pairs(given) do
    counts[name] = value
  end
  return counts
end

--- A row.
-- @tparam number number of its user
-- @tparam[opt] table given fields that differ
-- @treturn table
function M.row(number, given)
  local row = {
    tenant = "fabrikam", tenantId = guid(0, 1), event = "new", repeated = false, state = "open",
    upn = ("user%d@fabrikam.example"):format(number), objectId = guid(1, number), episode = 1,
    at = "2026-11-28T06:00:02Z", since = "2026-11-28T05:41:09Z",
    lastNonMfaCompliantLoginDateTime = "2026-11-28T05:41:09Z", application = "Billing Sync",
    applicationId = guid(2, 1), nextStep = "Renew the token of Billing Sync by a sign-in with MFA",
    key = hex(number),
  }
  for name, value in pairs(given or {}) do
    row[name] = value
  end
  return row
end

--- A tenant.
-- @tparam string name
-- @tparam table counts
-- @tparam table rows
-- @tparam[opt] table given fields that differ
-- @treturn table
function M.tenant(name, counts, rows, given)
  local tenant = { id = guid(0, 1), name = name, counts = M.counts(counts), rows = rows, more = 0,
                   requests = "whole", warnings = {} }
  for field, value in pairs(given or {}) do
    tenant[field] = value
  end
  return tenant
end

--- A digest of tenants, with the sum of their counts.
-- @tparam string kind
-- @tparam table tenants
-- @tparam[opt] table given fields that differ
-- @treturn table
function M.digest(kind, tenants, given)
  local digest = { id = hex(0xd16e57), kind = kind, at = AT, counts = M.counts {},
                   tenants = tenants, notes = {}, version = "0.2.0" }
  for _, tenant in ipairs(tenants) do
    for name, value in pairs(tenant.counts) do
      digest.counts[name] = digest.counts[name] + value
    end
  end
  for field, value in pairs(given or {}) do
    digest[field] = value
  end
  return digest
end

--- One new user.
function M.one()
  return M.digest("changes", { M.tenant("fabrikam", { open = 5, new = 1, excepted = 3 },
    { M.row(1, { upn = "kim@fabrikam.example" }) }) })
end

--- New users, a repaired one, and all other events.
function M.events()
  local rows = {}
  for i, event in ipairs { "new", "back", "again", "ended", "healing", "fixed", "quiet", "lost",
                           "open" } do
    rows[i] = M.row(i, { event = event, was = event == "back" and "fixed" or nil,
                         closedAt = event == "back" and "2026-11-20T06:00:00Z" or nil })
  end
  return M.digest("changes", { M.tenant("fabrikam", { open = 5, new = 1, back = 1, again = 1,
    ended = 1, healing = 1, fixed = 1, quiet = 1, lost = 1 }, rows,
    { requests = "cut", coverage = 0.419, warnings = { "an exception ends on 2026-12-01" } }) })
end

--- The first run of so many tenants.
function M.many(count)
  local tenants = {}
  for i = 1, count do
    tenants[i] = M.tenant(("tenant-%d"):format(i), { open = 4, baseline = 4 }, {
      { tenant = "tenant-" .. i, tenantId = guid(0, i), event = "baseline", repeated = false,
        at = "2026-11-28T06:00:02Z", count = 4, exceptedCount = 0 } }, { id = guid(0, i) })
  end
  return M.digest("changes", tenants)
end

--- So many new users of so many tenants; a tenant's rows end at 200.
function M.large(count, tenant_count)
  local tenants = {}
  for i = 1, tenant_count do
    local rows, own = {}, math.floor(count / tenant_count)
    for n = 1, math.min(own, 200) do
      rows[n] = M.row(i * 100000 + n)
    end
    tenants[i] = M.tenant(("tenant-%d"):format(i), { open = own, new = own }, rows,
      { id = guid(0, i), more = own - #rows })
  end
  return M.digest("changes", tenants)
end

--- Names that try to be markup, headers, formulas, or too long.
M.HOSTILE = {
  "[Click here](https://evil.example/login)", "**bold** _italic_ ~~gone~~ `code` \\ \\_",
  "# heading", "- list", "1. list", "> quote", "```\nfence\n```", "a | b | c", "---", "___",
  "![x](https://evil.example/x.png)", "<https://evil.example/auto>", "https://evil.example/bare",
  "[ref]: https://evil.example", "&lt;b&gt; &amp;lt; &#60;", "\\<b>x</b>", "www.evil.example",
  "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</td></table><h1>x",
  "\"><a href='https://evil.example'>x</a>", "<at>everyone</at>", "<!-- x", "]]>",
  "=cmd|' /C calc'!A0", "@SUM(1+1)", "+1+1", "-1+1",
  "<!channel> <!here|here> <@U012345> <#C012345> @here", "<https://evil.example|safe>",
  ":rotating_light:", "*bold*", "~gone~",
  "{{DATE(2017-02-14T06:08:39Z,SHORT)}}", "${pwned}", "{\"type\":\"AdaptiveCard\"}",
  "x\r\nBcc: evil@evil.example\r\n\r\nbody", "x\nSubject: other", "x\r\n.\r\nQUIT",
  "=?utf-8?B?ZXZpbA==?=", "evil@evil.example, x", "\"quoted\" <evil@evil.example>",
  "user\226\128\174gnp.exe", "zero\226\128\139width", "\239\187\191mark", "\0nul", "\27[2J",
  "\255\254\192\128", "half \240\159\152", "\240\159\152\128 emoji", "ümläut 漢字 עברית",
  "e" .. ("\204\129"):rep(200), ("x"):rep(500), ("漢"):rep(500), ("<&>"):rep(170),
  ("*_`[](){}\\"):rep(50), "", " ", "\t",
}

--- A digest for each place of a hostile name: user, application, next step, tenant, warning.
-- @tparam string name
-- @treturn table
function M.hostile(name)
  return M.digest("changes", { M.tenant(name, { open = 1, new = 1, fixed = 1 }, {
    M.row(1, { tenant = name, upn = name, application = name, nextStep = name }),
    M.row(2, { tenant = name, upn = name, event = "fixed", application = name }),
    M.row(3, { tenant = name, upn = name, event = "baseline", count = 3, exceptedCount = 1 }),
  }, { warnings = { name } }) })
end

--- pcapi's own problems.
function M.operator(...)
  return M.digest("operator", {}, { notes = { ... } })
end

--- A test of a channel.
function M.test()
  return M.digest("test", {})
end

return M
