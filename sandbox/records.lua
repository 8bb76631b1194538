--- Makes realistic records. The same seed makes the same records. Each record depends on its number
-- only, so that page 700 is as cheap as page 1.
local token = require "sandbox.token"
local json = require "sandbox.json"

local M = {}

local DAY = 24 * 3600
local WINDOW = 7 * DAY - 3600

-- The start of the sandbox, not of this worker: all workers return the same records, also after
-- a restart.
local STARTED = tonumber(os.getenv "PCAPI_SANDBOX_STARTED")

local GIVEN = { "Ada", "Amira", "Ben", "Carla", "Chidi", "Dagny", "Elif", "Emeka", "Freya",
                "Goran", "Hanna", "Ines", "Jonas", "Kim", "Lucia", "Magnus", "Mei", "Nadia",
                "Olu", "Priya", "Quentin", "Rosa", "Sami", "Tomas", "Ulla", "Viktor", "Wanda",
                "Yusuf", "Zoe" }
local FAMILY = { "Abara", "Bergstrom", "Castillo", "Dubois", "Eriksen", "Fontaine", "Garcia",
                 "Haddad", "Ivanova", "Jensen", "Kowalski", "Lindqvist", "Moreau", "Nakamura",
                 "Okafor", "Petrov", "Quist", "Rossi", "Sharma", "Tanaka", "Urbanek", "Vargas",
                 "Weber", "Xu", "Yilmaz", "Zimmermann" }
local DOMAINS = { "fabrikam.example", "fabrikam.example", "fabrikam.example",
                  "emea.fabrikam.example", "contoso.example", "northwind.example" }
local OPERATIONS = {
  "Get /v{version}/customers/{customer_id}/orders?mpn_id={mpn_id_value}",
  "Get /v{version}/customers/{customer_id}/subscriptions",
  "Get /v{version}/nonMfaCompliantPartnerPrincipals",
  "Get /v{version}/invoices/{invoice_id}/lineitems",
  "Patch /v{version}/customers/{customer_id}/subscriptions/{subscription_id}",
  "Post /v{version}/customers/{customer_id}/carts/{cart_id}/checkout",
  "Get /v{version}/productUpgrades/eligibility",
}
local APPLICATIONS = { "Partner Center Web App", "", "Fabrikam Billing Connector" }
local COMPANIES = { "Litware", "Proseware", "Tailspin Toys", "Wingtip", "Northwind Traders" }

-- Text that attacks the reader of a list: terminal escapes, spreadsheet formulas, markup,
-- separators, bidirectional text, text that is too long for a line.
local HOSTILE = {
  "\27[31mred\27[0m\27]0;title\7@fabrikam.example", "\27[2J\27[1;1Hcleared@fabrikam.example",
  "=cmd|' /C calc'!A0", "+1+1@fabrikam.example", "-2+3@fabrikam.example", "@SUM(1+1)",
  "\t=1+1", "line one\r\nline two@fabrikam.example", "\r=1+1",
  "<script>alert(1)</script>@fabrikam.example", "<img src=x onerror=alert(1)>@fabrikam.example",
  "a,b;c|d@fabrikam.example",
  'quote"quote\'`@fabrikam.example', "back\\slash@fabrikam.example",
  "admin\226\128\174elpmaxe.makirbaf@example", "\194\15531mC1\194\133@fabrikam.example",
  ("long"):rep(500) .. "@fabrikam.example", "\231\148\176\228\184\173@fabrikam.example",
  "\240\159\145\169\226\128\141\240\159\148\172@fabrikam.example",
  "invalid\255\254\192\175@fabrikam.example", "nul\0nul\127@fabrikam.example", "",
}

-- Park and Miller's generator, which returns the same numbers in every Lua.
local function dice(seed, kind, index)
  local state = (seed * 48271 + kind * 69621 + index * 16807 + 1) % 2147483646 + 1
  local function throw(sides)
    state = state * 16807 % 2147483647
    return state % sides + 1
  end
  throw(1)
  throw(1)
  return throw
end

local function guid(throw)
  local function four()
    return throw(65536) - 1
  end
  return string.format("%04x%04x-%04x-4%03x-a%03x-%04x%04x%04x", four(), four(), four(),
                       four() % 4096, four() % 4096, four(), four(), four())
end

local function pick(list, throw)
  return list[throw(#list)]
end

local function hostile_or(value, settings, index)
  return settings.hostile and HOSTILE[(index - 1) % #HOSTILE + 1] or value
end

-- .NET writes up to seven digits, without trailing zeros.
local function fraction(throw)
  local digits = throw(8) - 1
  local text = digits > 0 and string.format("%07d", throw(10 ^ digits) * 10 ^ (7 - digits) % 10 ^ 7)
    or ""
  text = text:gsub("0+$", "")
  return text ~= "" and "." .. text or ""
end

-- .NET's value for no date, date formats of two countries, and no text.
local ODD_TIMES = { "0001-01-01T00:00:00", "2/3/2024 7:08:09 AM", "03.02.2024 07:08:09", "" }

-- Newest first: each record has its own part of the seven days.
local function moment(index, count, throw, settings)
  if settings.odd_times and index % 2 == 0 then
    return ODD_TIMES[index / 2 % #ODD_TIMES + 1]
  end
  local slice = WINDOW / count
  local age = (index - 1) * slice + (throw(1000) - 1) / 1000 * slice
  return os.date("!%Y-%m-%dT%H:%M:%S", STARTED - 60 - math.floor(age)) .. fraction(throw)
end

local function user(index, settings)
  local throw = dice(settings.seed, 1, index)
  local home = throw(#DOMAINS)
  local domain = DOMAINS[home]
  local name = (pick(GIVEN, throw) .. "." .. pick(FAMILY, throw)):lower()
  if index > 25 then
    name = name .. index -- names would repeat
  end
  local tenant = domain:find("fabrikam") and token.TENANT or guid(dice(settings.seed, 2, home))
  return { objectId = guid(throw), tenantId = tenant,
           upn = hostile_or(name .. "@" .. domain, settings, index) }
end

local function application(index, settings)
  return { id = guid(dice(settings.seed, 3, index)),
           name = hostile_or(APPLICATIONS[index] or "Connector " .. index, settings, index) }
end

local function address(throw)
  local kind = throw(3)
  if kind == 1 then
    return "192.0.2." .. throw(254)
  elseif kind == 2 then
    return "198.51.100." .. throw(254)
  end
  return string.format("2001:db8:%x::%x", throw(65535), throw(65535))
end

--- Writes a user who signed in without MFA.
-- @tparam table who `objectId`, `tenantId`, `upn`
-- @tparam string date when
-- @tparam table settings
-- @treturn table name, value, name, value…
function M.write_principal(who, date, settings)
  local name = settings.spelling == "login" and "lastNonMfaCompliantLoginDateTime"
    or "lastNonMfaCompliantRequestDateTime"
  return { "objectId", who.objectId, "tenantId", who.tenantId, "upn", who.upn, name, date }
end

--- Writes a row of adoption: the request counts of one application on one day.
-- @tparam string date
-- @tparam number compliant requests with MFA
-- @tparam number total
-- @tparam table app `id`, `name`
function M.write_adoption(date, compliant, total, app)
  return { "loginDate", date, "mfaCompliantRequestCount", compliant, "totalRequestCount", total,
           "applicationId", app.id, "applicationName", app.name }
end

--- Writes a partner request.
-- @tparam table who `objectId`, `tenantId`, `upn`
-- @tparam table what `id`, `correlation_id`, `operation`, `date`, `ip`, `app` (its id), `mfa`
-- @tparam table settings
function M.write_request(who, what, settings)
  return { "requestId", what.id, "correlationId", what.correlation_id,
           "operationName", what.operation, "requestDateTime", what.date,
           settings.ip or "ipAddress", what.ip,
           "objectId", who.objectId, "tenantId", who.tenantId, "upn", who.upn,
           "applicationId", what.app, "mfaCompliant", what.mfa }
end

--- Makes a user who signed in without MFA.
-- @tparam number index of the record, from 1
-- @tparam number count number of records
-- @tparam table settings
-- @treturn table name, value, name, value…
function M.principal(index, count, settings)
  local date = moment(index, count, dice(settings.seed, 4, index), settings)
  return M.write_principal(user(index, settings), date, settings)
end

--- Makes a row of adoption.
function M.adoption(index, count, settings)
  local applications = math.max(#APPLICATIONS, math.ceil(count / 7))
  local day, which = math.floor((index - 1) / applications), (index - 1) % applications + 1
  local throw = dice(settings.seed, 5, index)
  local total = index % 17 == 0 and 0 or throw(400) -- some days have no requests
  return M.write_adoption(os.date("!%Y-%m-%d", STARTED - day * DAY),
                          total - math.floor(total * throw(100) / 200), total,
                          application(which, settings))
end

--- Makes a partner request.
function M.request(index, count, settings)
  local throw = dice(settings.seed, 6, index)
  local who = user(throw(25), settings)
  local id = guid(throw)
  return M.write_request(who, {
    id = id, correlation_id = throw(3) > 1 and guid(throw) or "",
    operation = hostile_or(pick(OPERATIONS, throw), settings, index),
    date = moment(index, count, throw, settings), ip = address(throw),
    app = application(throw(#APPLICATIONS), settings).id, mfa = throw(3) > 1 }, settings)
end

--- Makes a customer, for calls outside of security.
function M.customer(index, _, settings)
  local throw = dice(settings.seed, 7, index)
  local id, name = guid(throw), COMPANIES[(index - 1) % #COMPANIES + 1]
  local domain = name:lower():gsub(" ", "-") .. ".example"
  return { "id", id, "companyProfile",
           json.raw(json.object({ "tenantId", id, "domain", domain, "companyName", name },
                                settings)) }
end

return M
