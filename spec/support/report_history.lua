--- Histories for reports: one with all that a report can show, a hostile one, and a big one.
local exceptions = require "pcapi.history.exceptions"
local history = require "pcapi.history"
local lists = require "spec.support.history_lists"

local M = {}

--- The time of the reports: 2026-11-28T06:00:00Z.
M.NOW = 1795845600

--- The tenants.
M.FABRIKAM = "5f0b3c1e-0000-4000-8000-0000000000aa"
M.CONTOSO = "5f0b3c1e-0000-4000-8000-0000000000ab"

local NOW, HOUR, DAY = M.NOW, 3600, 86400
local CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"

--- The id of a user, an application (100 and more) or a request (1000 and more), by its number.
function M.id(number)
  return ("5f0b3c1e-0000-4000-8000-%012d"):format(number)
end

local id = M.id
local SYNC, BOT = id(100), id(101)

-- Who comes on a day, so many days before NOW, and by which application.
local PEOPLE = {
  { "kim@fabrikam.example", SYNC, from = 60, to = 0 },
  { "lee@fabrikam.example", SYNC, from = 40, to = 20, mfa_from = 19 }, -- fixed
  { "max@fabrikam.example", nil, from = 30, to = 25 }, -- quiet
  { "sam.breakglass@fabrikam.example", nil, from = 60, to = 0 }, -- excepted
  { "mia_partner.example#EXT#@fabrikam.onmicrosoft.com", CLI, from = 9, to = 0 },
  { "noa@fabrikam.example", BOT, from = 5, to = 2, mfa_from = 1 }, -- healing
  { "new@fabrikam.example", SYNC, from = 0, to = 0 },
}

local EXCEPTIONS = "sam* fabrikam 2027-01-31 break-glass account, checked monthly\n"

-- The lists of a day as the service has them: those of 7 days.
local function lists_of(days)
  local at, users, requests = NOW - days * DAY, {}, {}
  for i, person in ipairs(PEOPLE) do
    local last
    for day = days + 6, days, -1 do
      local is_without = day <= person.from and day >= person.to
      last = is_without and NOW - day * DAY - i * HOUR or last
      local is_with = person.mfa_from and day <= person.mfa_from
      if person[2] and (is_without or is_with) then
        requests[#requests + 1] = { id = id(1000 + day * 100 + i), user = id(i), upn = person[1],
          at = NOW - day * DAY - i * HOUR, application = person[2], mfa = is_with or false,
          ip = "192.0.2." .. i, operation = "Get /v{version}/customers" }
      end
    end
    users[#users + 1] = last and { id = id(i), upn = person[1], at = last } or nil
  end
  return at, users, requests
end

local function adoption_of(days, at)
  local rows = {}
  for day = days + 6, days, -1 do
    local text = os.date("!%Y-%m-%d", NOW - day * DAY)
    rows[#rows + 1] = { day = text, application = SYNC, name = "Billing Sync", total = 5,
                        with_mfa = day % 2 + 2 }
    rows[#rows + 1] = { day = text, application = BOT, name = "Ordering bot", total = 2,
                        with_mfa = 2 }
  end
  return lists.adoption(at, rows)
end

--- Fills a history with 60 days of two tenants: all states, an exception, a gap, a cut list, and a
-- tenant that fails.
-- @tparam string path of a new history
function M.full(path)
  local opened = assert(history.open(path))
  for days = 60, 0, -1 do
    local at, users, requests = lists_of(days)
    local is_cut = days == 0
    if days < 33 or days > 45 then -- more than a week without a run makes a gap
      assert(opened:observe {
        tenant = M.FABRIKAM, name = "fabrikam", now = at, users = lists.users(at, users),
        requests = lists.requests(at, requests, { truncated = is_cut }),
        adoption = adoption_of(days, at), exceptions = assert(exceptions.parse(EXCEPTIONS, at)),
      })
    end
    if days > 0 and days % 10 == 0 then
      assert(opened:observe { tenant = M.CONTOSO, name = "contoso", now = at,
        users = lists.users(at, { { id = id(50), upn = "ada@contoso.example", at = at - HOUR } }),
        requests = lists.requests(at, {}) })
    end
  end
  assert(opened:observe { tenant = M.CONTOSO, name = "contoso", now = NOW,
                          users_error = { kind = "sign_in_required" } })
  opened:close()
end

--- Texts that a hostile tenant may send: markup, quotes, controls, turned text, bad UTF-8, length.
M.HOSTILE = {
  "<script>document.title='pwned'</script>@x.example", "<img src=x onerror=document.title='pwned'>",
  "\"><svg onload=document.title='pwned'>", "'; --><b>bold</b>", "]]><a href='//x.example'>x</a>",
  "&lt;b&gt;&amp;&#0;&nbsp;", "javascript:document.title='pwned'", "<style>*{display:none}</style>",
  "a\226\128\174gpj.exe\226\129\166@x.example", "null\0byte\1\27[31m\127@x.example",
  "line\r\nbreak\ttab@x.example", "bad\255\254\237\160\128utf8@x.example",
  ("long"):rep(125) .. "@x.example", ("\240\159\146\169"):rep(125), "%s%d%n {title} {style}",
  "</title></style></table></body></html>", "\239\187\191bom\226\128\168separator",
  "url(//evil.example)@import", "<!--", "<![CDATA[", "<?xml?>", "=cmd|' /C calc'!A0",
}

--- Fills a history with a hostile tenant: all of its texts in each place.
-- @tparam string path of a new history
function M.hostile(path)
  local opened, at = assert(history.open(path)), NOW - HOUR
  local users, requests, adoption = {}, {}, {}
  for i, text in ipairs(M.HOSTILE) do
    users[i] = { id = i % 2 == 0 and text or id(i), upn = text, at = at - i * 60 }
    requests[i] = { id = text, user = users[i].id, upn = text, at = at - i * 60, mfa = false,
                    application = text, ip = text, operation = text }
    adoption[i] = { day = "2026-11-28", application = text, name = text, total = 10,
                    with_mfa = i % 10 }
  end
  for i, text in ipairs(M.HOSTILE) do
    assert(opened:observe { tenant = id(5000 + i), name = text, now = at,
      users = lists.users(at, i == 1 and users or {}),
      requests = lists.requests(at, i == 1 and requests or {}),
      adoption = lists.adoption(at, i == 1 and adoption or {}),
      exceptions = assert(exceptions.parse(
        "*bold* * 2027-01-31 </td></tr></table><script>document.title='pwned'</script>\n", at)) })
  end
  opened:close()
end

--- Fills a history with many open users of one tenant, most of them by 20 applications.
-- @tparam string path of a new history
-- @tparam number count of users
-- @tparam[opt=1] number days of runs
function M.many(path, count, days)
  local opened = assert(history.open(path))
  for day = (days or 1) - 1, 0, -1 do
    local at, users, requests, adoption = NOW - day * DAY, {}, {}, {}
    for i = 1, count do
      local last = at - 60 - i % 50000
      users[i] = { id = id(i), upn = ("firstname.lastname%d@fabrikam.onmicrosoft.com"):format(i),
                   at = last }
      requests[#requests + 1] = i % 3 > 0 and { id = ("%08x-0000-4000-8000-%012d"):format(day, i),
        user = id(i), at = last, application = id(100 + i % 20), mfa = false,
        ip = "192.0.2." .. i % 200, operation = "Get /v{version}/customers" } or nil
    end
    for i = 0, 19 do
      adoption[i + 1] = { day = os.date("!%Y-%m-%d", at), application = id(100 + i), with_mfa = 100,
                          name = "Application number " .. i, total = 600 + i }
    end
    assert(opened:observe { tenant = M.FABRIKAM, name = "fabrikam", now = at,
                            users = lists.users(at, users), adoption = lists.adoption(at, adoption),
                            requests = lists.requests(at, requests) })
  end
  opened:close()
end

return M
