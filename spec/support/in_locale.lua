-- Run by spec/service/locale_spec.lua: sets a locale before or after the library is loaded, or sets
-- it back; then prints how the library reads and writes numbers and names. The output must be the
-- same in every locale, so this script lets Lua write no number.
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
  fake.client {} -- loads the rest: some Lua reads no 0.5 in its own source any more
  set(locale)
elseif moment == "taken back" then
  set "C"
elseif moment == "with another cjson" then
  set(locale)
  cjson.new()
  set "C"
end

-- Thousandths, as an integer's digits.
local function digits(number)
  return type(number) == "number" and ("%.0f"):format(number * 1000) or tostring(number)
end

local function say(what, ...)
  print(what, ...)
end

local LONG = '{"x":[' .. ("0.25,"):rep(20000) .. "1]}"
for _, text in ipairs { '{"totalCount":1,"items":[]}', "[1,2]", "[0.5,1.5,-2.5e-1]", "[1,5]",
                        "[1.0]" } do
  local value, message, offset = core.decode(text)
  say(text, message, offset)
  say(value and (value.totalCount and digits(value.totalCount) or digits(value[1])),
    value and digits(value[2]), value and digits(value[3]))
end
say("broken", core.decode "[0,5x]")
say("pieces", digits(require("pcapi.http.json_body").decode_text(LONG, function() end).x[20000]))
say("encode", core.encode { 0.5, 1.25 })
local list = fake.client { { body = '{"TotalCount":"2","items":[{"OBJECTID":"ID","TenantID":"I",'
  .. '"upn":"i","share":0.5},{"UPN":"b","share":1e300,"LastNonMfaCompliantLoginDateTime":'
  .. '"2024-02-03T07:08:09.125"}]}' } }.security:non_mfa_principals()
say("records", digits(list.total_count), list[1].objectId, list[1].tenantId, list[2].upn)
say("filter", #list:filter { user = "I" }, #list:filter { user = "ID" })
say("time", digits(time.parse "2024-02-03T07:08:09.125Z" % 60), time.format(1706944089.5))
local options = { columns = { "upn", "share" }, titles = {} }
for _, format in ipairs { csv, json, jsonl, tables } do
  say("format", (format.encode({ { upn = "a", share = 0.5 }, { upn = "b", share = 1.1e-7 } },
    options)))
end
local text = sign_in_record.encode {
  client_id = "c", refresh_token = "r",
  tokens = { { access_token = "a", obtained_at = 1.5, expires_at = 2 } },
}
say("record", digits(sign_in_record.decode(text).tokens[1].obtained_at), #text)
local client, transport = fake.client { { body = "[0.5]" } }
say("request", digits(client:request("POST", "/v1/x", { body = { share = 0.5 },
  headers = { ["VALIDATEMFA"] = "I" } }).json[1]), transport.sent[1].body,
  transport.sent[1].header["validatemfa"] or transport.sent[1].header["valIdatemfa"])
if moment == "before" then
  say("host", digits(cjson.decode("[0.5]")[1]), cjson.encode { 0.5 })
end
