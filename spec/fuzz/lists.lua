--- Reads random lists twice, by the reader and by lua-cjson with the normalising in Lua. Records
-- and facts must be the same, whatever the filter, the size of a step, and the shape.
local fake = require "spec.support.fake_transport"
local random = require "spec.fuzz.random"

local one, rarely = random.one, random.rarely

local FACTS = { "total_count", "truncated", "unreadable", "without_time", "covered_since" }

local CALLS = {
  partner_requests = {
    "requestDateTime", "upn", "mfaCompliant", "operationName", "ipAddress", "sourceIpAddress",
    "applicationId", "objectId", "tenantId", "requestId", "correlationId", "odd",
  },
  non_mfa_principals = {
    "upn", "lastNonMfaCompliantLoginDateTime", "lastNonMfaCompliantRequestDateTime", "objectId",
    "tenantId", "odd",
  },
  application_mfa_adoption_status = {
    "loginDate", "applicationName", "mfaCompliantRequestCount", "totalRequestCount",
    "applicationId", "odd",
  },
}

local TIMES = { '"2024-02-03T07:08:09"', '"2024-02-02T07:08:08.999"', '"2024-02-02T07:08:09"',
  '"2024-02-02T07:08:09.0000001Z"', '"2024-02-03T09:08:09+02:00"', '"2024-02-01"',
  '"2024-02-02"', '"2024-02-03 01:00:00"', '"2024-01-30t23:59:60z"', '"2024-02-30"',
  '"0001-01-01T00:00:00"', '"1999-12-31T23:59:59Z"', '"1706944089"',
  '"Sat, 03 Feb 2024 07:08:09 GMT"', "1706944089",
  '"2024-02-02T07:08:09.9999999-0130"', '"2024-02-0\\u0032T07:08:09"', '""', "null" }

local VALUES = { "null", "true", "false", "0", "-7", "1.5", "5.0", "1e3", "1e308", '""', '"x"',
  '"true"', '"FALSE"', '"9"', '"-12"', '"007"', '"1.5"', '"9007199254740993"', '"kim@x"',
  '"KIM@Y"', '"k\\u0069m@x"', '"\195\188"', '"\255"', '"\\ud800"', '"\\u0039"', '"tru\\u0065"',
  "[]", "{}", '[1,null]',
  '{"upn":"x","n":null}', '"5f0b3c1e-0000-4000-8000-000000000001"' }

local SPELLINGS = {
  function(name) return name end, function(name) return name end, function(name) return name end,
  function(name) return name:sub(1, 1):upper() .. name:sub(2) end,
  function(name) return name:upper() end, function(name) return name:lower() end,
  function(name) return ("\\u%04x"):format(name:byte()) .. name:sub(2) end,
  function(name) return name .. "2" end,
}

local function space()
  return rarely(30) and one { " ", "\n\t", "  " } or ""
end

local function value(name)
  if name:find "Date" and not rarely(6) then
    return one(TIMES)
  end
  return one(VALUES)
end

local function record(names, is_plain)
  if not is_plain and rarely(12) then
    return one(VALUES)
  end
  local parts = {}
  for _, name in ipairs(names) do
    if not rarely(8) then
      local spelling = is_plain and name or one(SPELLINGS)(name)
      parts[#parts + 1] = ('%s"%s"%s:%s%s'):format(space(), spelling, space(), value(name),
        space())
    end
  end
  if rarely(10) then
    local name = one(names)
    parts[#parts + 1] = ('"%s":%s'):format(name, value(name))
  end
  if rarely(40) then
    for i = 1, 300 do
      parts[#parts + 1] = ('"x%d":%d'):format(i, i)
    end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local SHAPES = { "[%s]", '{"totalCount":7,"items":[%s]}', '{"Items":[%s],"totalCount":3}',
  '{"@odata.context":"x","value":[%s]}', '{"value":[%s],"@odata.count":2}', '{"value":[%s]}',
  '{"items":[%s],"items":[%s]}', '{"items":[%s],"Items":[{"upn":"b"}]}', '{"\\u0069tems":[%s]}',
  '{"items":{"a":[%s]}}', '{"upn":"a","value":[%s],"@odata.id":"x"}', '{"data":[%s]}',
  '{"value":[%s],"items":[%s]}', '{"a":{"items":[%s]},"items":[]}',
  '{"items":[%s],"links":{"self":{"a":[1,2,{"upn":""}]}}}' }

local function body(names)
  local is_plain, records = rarely(2), {}
  for i = 1, math.random(0, rarely(20) and 400 or 12) do
    records[i] = record(names, is_plain)
  end
  local inside = table.concat(records, space() .. ",")
  local shape = rarely(3) and one(SHAPES) or SHAPES[2]
  return (shape:gsub("%%s", function() return inside end))
end

local function criteria(call)
  local given = {}
  if rarely(2) then
    given.since = one { "24h", "2d", "2024-02-02", "2024-02-02T07:08:09", 1706857689, "1s" }
  end
  if rarely(4) and call ~= "application_mfa_adoption_status" then
    given.user = one { "*", "kim*", "KIM@X", "*@x", "5f0b3c1e-*", "x" }
  end
  if rarely(4) and call ~= "non_mfa_principals" then
    given.application = one { "*", "x", "5f0b*1" }
  end
  if rarely(4) and call == "partner_requests" then
    given.mfa_compliant = rarely(2)
  end
  return given
end

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b and math.type(a) == math.type(b)
  end
  for key, item in next, a do
    if not same(item, b[key]) then
      return false
    end
  end
  for key in next, b do
    if a[key] == nil then
      return false
    end
  end
  return true
end

-- The list, or the kind and the message of the error.
local function read(call, text, given, json)
  local client, transport = fake.client({ { body = text } }, { json = json })
  transport.step, transport.breathe = one { 100, 3000, 1e6 }, function() end
  local list, err = client.security[call](client.security, given)
  return list, err and err.kind .. " " .. err.message
end

local function violation(call, text, given)
  local ours, our_error = read(call, text, given, "reader")
  local theirs, their_error = read(call, text, given, "cjson")
  if our_error or their_error then
    return our_error ~= their_error
      and ("%s, but: %s"):format(tostring(our_error), tostring(their_error))
  end
  for _, name in ipairs(FACTS) do
    if ours[name] ~= theirs[name] then
      return ("%s is %s, but: %s"):format(name, tostring(ours[name]), tostring(theirs[name]))
    end
  end
  return not same(ours, theirs) and "other records" or nil
end

local names_of_calls = {}
for name in pairs(CALLS) do
  names_of_calls[#names_of_calls + 1] = name
end
table.sort(names_of_calls)

random.begin "lists"
while random.goes_on() do
  local call = one(names_of_calls)
  local text, given = body(CALLS[call]), criteria(call)
  local what = violation(call, text, given)
  if what then
    local shown = {}
    for name, item in pairs(given) do
      shown[#shown + 1] = name .. " = " .. tostring(item)
    end
    random.find(("%s{%s}: %s"):format(call, table.concat(shown, ", "), what), text)
  end
  random.count_case()
end
random.finish()
