-- Run by spec/service/locale_spec.lua. Sets a locale before or after it loads the library, or sets
-- it and resets it, then prints numbers and names that the library reads and writes. The output
-- must be the same in every locale, so Lua itself must not format a number here.
local locale, moment = arg[1], arg[2]

local function set(name)
  assert(os.setlocale(name), name)
end

if moment == "before" or moment == "taken back" then
  set(locale)
end
local cjson = require "cjson"
local core = require "pcapi.core"
local fake = require "spec.support.fake_transport"
local sign_in_record = require "pcapi.auth.sign_in_record"
local time = require "pcapi.time"
local csv, json, jsonl, tables = require "pcapi.format.csv", require "pcapi.format.json",
  require "pcapi.format.jsonl", require "pcapi.format.table"
if moment == "after" then
  fake.client {} -- loads the other modules: in some locales Lua cannot read 0.5 in source code
  set(locale)
elseif moment == "taken back" then
  set "C"
elseif moment == "with another cjson" then
  set(locale)
  cjson.new()
  set "C"
end

-- Formats a number as an integer of thousandths.
local function digits(number)
  return type(number) == "number" and ("%.0f"):format(number * 1000) or tostring(number)
end

local LONG = '{"x":[' .. ("0.25,"):rep(20000) .. "1]}"
for _, text in ipairs { '{"totalCount":1,"items":[]}', "[1,2]", "[0.5,1.5,-2.5e-1]", "[1,5]",
                        "[1.0]" } do
  local value, message, offset = core.decode(text)
  print(text, message, offset)
  print(value and (value.totalCount and digits(value.totalCount) or digits(value[1])),
    value and digits(value[2]), value and digits(value[3]))
end
print("broken", core.decode "[0,5x]")
print("pieces", digits(require("pcapi.http.json_body").decode_text(LONG, function() end).x[20000]))
print("encode", core.encode { 0.5, 1.25 })
local list = fake.client { { body = '{"TotalCount":"2","items":[{"OBJECTID":"ID","TenantID":"I",'
  .. '"upn":"i","share":0.5},{"UPN":"b","share":1e300,"LastNonMfaCompliantLoginDateTime":'
  .. '"2024-02-03T07:08:09.125"}]}' } }.security:non_mfa_principals()
print("records", digits(list.total_count), list[1].objectId, list[1].tenantId, list[2].upn)
print("filter", #list:filter { user = "I" }, #list:filter { user = "ID" })
print("time", digits(time.parse "2024-02-03T07:08:09.125Z" % 60), time.format(1706944089.5))
local options = { columns = { "upn", "share" }, titles = {} }
for _, format in ipairs { csv, json, jsonl, tables } do
  print("format", (format.encode({ { upn = "a", share = 0.5 }, { upn = "b", share = 1.1e-7 } },
    options)))
end
local text = sign_in_record.encode {
  client_id = "c", refresh_token = "r",
  tokens = { { access_token = "a", obtained_at = 1.5, expires_at = 2 } },
}
print("record", digits(sign_in_record.decode(text).tokens[1].obtained_at), #text)
local client, transport = fake.client { { body = "[0.5]" } }
print("request", digits(client:request("POST", "/v1/x", { body = { share = 0.5 },
  headers = { ["VALIDATEMFA"] = "I" } }).json[1]), transport.sent[1].body,
  transport.sent[1].header["validatemfa"] or transport.sent[1].header["valIdatemfa"])
local charts, markup = require "pcapi.report.charts", require "pcapi.report.markup"
print("chart", charts.bars("x", { { name = "I", with = 1, total = 3, share = "" } }))
print("number", markup.number(1234567))
if moment == "before" then
  print("host", digits(cjson.decode("[0.5]")[1]), cjson.encode { 0.5 })
end
