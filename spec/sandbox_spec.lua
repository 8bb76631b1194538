-- The sandbox, judged by curl. Run as: sandbox/run busted --lua=lua5.4 spec/sandbox_spec.lua
local cjson = require "cjson"
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local settings = require "sandbox.settings"
local token = require "sandbox.token"

local URL = os.getenv("PCAPI_SANDBOX_URL")
local HTTP_URL = os.getenv("PCAPI_SANDBOX_HTTP_URL")
local CA = os.getenv("PCAPI_SANDBOX_CA")
local quote, shell = curl.quote, curl.shell

local PRINCIPALS = "/v1/nonMfaCompliantPartnerPrincipals"
local ADOPTION = "/v1/applicationmfaadoptionstatus"
local REQUESTS = "/v1/partnerRequests"
local BOM = "\239\187\191"
local ID = "0f8fad5b-d9cb-469f-a165-70867728950e"

local function it_answers(name, test)
  if URL then
    it(name, test)
  else
    pending(name .. " (PCAPI_SANDBOX_URL is not set: run this with sandbox/run)")
  end
end

-- A request of the API: url or path, token (false: none), ask (X-Sandbox), headers, args.
local function fetch(how)
  local headers = {}
  if how.token ~= false then
    headers[1] = "Authorization: Bearer " .. (how.token or token.mint())
  end
  if how.ask then
    headers[#headers + 1] = "X-Sandbox: " .. how.ask
  end
  for _, text in ipairs(how.headers or {}) do
    headers[#headers + 1] = text
  end
  return curl.fetch { url = how.url or URL .. (how.path or PRINCIPALS), headers = headers,
                      args = how.args, discard = how.discard }
end

local function ask(text, path)
  return fetch { ask = text, path = path }
end

local function decode(answer)
  return cjson.decode((answer.body:gsub("^" .. BOM, "")))
end

local function refusal(answer)
  return { answer.status, decode(answer).code }
end

describe("the sandbox's transport", function()
  it_answers("speaks HTTP/2 and HTTP/1.1 over TLS, and HTTP/1.1 without", function()
    assert.equal("2", fetch({}).version)
    assert.equal("1.1", fetch({ args = { "--http1.1" } }).version)
    assert.equal(200, fetch({ url = HTTP_URL .. PRINCIPALS }).status)
  end)

  it_answers("has a CA that is found in a hashed directory, too", function()
    local dir = os.getenv("PCAPI_SANDBOX_CA_DIR")
    assert.not_equal("", shell("ls " .. quote(dir) .. " | grep '^[0-9a-f]*\\.0$'"))
    local check = "openssl verify -no-CAfile -CApath %s %s/../localhost.pem 2>&1"
    assert.matches("OK", shell(check:format(quote(dir), quote(dir))))
  end)

  it_answers("offers servers that nobody should trust, and none where none is", function()
    assert.equal(60, fetch({ url = os.getenv("PCAPI_SANDBOX_UNTRUSTED_URL") }).exit)
    assert.equal(60, fetch({ url = os.getenv("PCAPI_SANDBOX_OTHER_HOST_URL") }).exit)
    assert.equal(60, fetch({ url = os.getenv("PCAPI_SANDBOX_EXPIRED_URL") }).exit)
    assert.equal(7, fetch({ url = os.getenv("PCAPI_SANDBOX_CLOSED_URL") }).exit)
  end)

  it_answers("distrusts each for its own reason", function()
    local function reason(name)
      return shell("curl -sS -o /dev/null --noproxy '*' --cacert " .. quote(CA) .. " "
        .. os.getenv(name) .. " 2>&1")
    end
    assert.matches("unable to get local issuer", reason("PCAPI_SANDBOX_UNTRUSTED_URL"))
    assert.matches("expired", reason("PCAPI_SANDBOX_EXPIRED_URL"))
    assert.matches("no alternative certificate subject name",
                   reason("PCAPI_SANDBOX_OTHER_HOST_URL"))
  end)

  it_answers("answers there whoever trusts it nevertheless", function()
    for _, name in ipairs { "UNTRUSTED", "OTHER_HOST", "EXPIRED" } do
      local url = os.getenv("PCAPI_SANDBOX_" .. name .. "_URL") .. PRINCIPALS
      assert.equal(200, fetch({ url = url, args = { "-k" } }).status)
    end
  end)

  it_answers("has a server of TLS 1.1 alone", function()
    local url = os.getenv("PCAPI_SANDBOX_TLS11_URL") .. PRINCIPALS
    assert.equal(35, fetch({ url = url, args = { "--tlsv1.2" } }).exit)
    assert.equal(200, fetch({ url = url, args = { "--tlsv1.1", "--tls-max", "1.1", "--ciphers",
                                                  "DEFAULT:@SECLEVEL=0" } }).status)
  end)

  it_answers("compresses what is large when the client takes it", function()
    local plain, packed = fetch({}), fetch { args = { "--compressed" } }
    assert.equal("gzip", packed.headers["content-encoding"])
    assert.is_nil(packed.headers["content-length"])
    assert.equal(plain.body, packed.body)
    assert.equal(tostring(#plain.body), plain.headers["content-length"])
    local refused = fetch { ask = "encoding=none", args = { "--compressed" } }
    assert.is_nil(refused.headers["content-encoding"])
  end)
end)

describe("the sandbox's data", function()
  it_answers("is compact JSON behind a byte order mark", function()
    local answer = fetch {}
    assert.equal(BOM .. '{"totalCount":25,', answer.body:sub(1, 20))
    assert.equal("application/json; charset=utf-8", answer.headers["content-type"])
    assert.equal("Collection", decode(answer).attributes.objectType)
    assert.equal(25, #decode(answer).items)
  end)

  it_answers("is the same every time, and other with another seed", function()
    assert.equal(fetch({}).body, fetch({ args = { "--http1.1" } }).body)
    assert.not_equal(fetch({}).body, ask("seed=2").body)
  end)

  it_answers("is newest first, within seven days, with up to seven digits", function()
    local items = decode(ask("records=500")).items
    local lengths = {}
    for at, item in ipairs(items) do
      local date = item.lastNonMfaCompliantRequestDateTime
      assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.?%d*$", date)
      assert.is_true(at == 1 or date:sub(1, 19) <= items[at - 1]
        .lastNonMfaCompliantRequestDateTime:sub(1, 19))
      lengths[#date] = true
      assert.is_false(date:find("%.%d*0$") ~= nil)
    end
    assert.is_true(lengths[19] and lengths[21] and lengths[24] and lengths[27])
    local oldest = os.date("!%Y-%m-%dT%H:%M:%S", os.time() - 7 * 24 * 3600)
    assert.is_true(items[500].lastNonMfaCompliantRequestDateTime > oldest)
  end)

  it_answers("has requests of which about a third went without MFA", function()
    local without, empty = 0, 0
    local items = decode(fetch { path = REQUESTS }).items
    for _, item in ipairs(items) do
      without = without + (item.mfaCompliant and 0 or 1)
      empty = empty + (item.correlationId == "" and 1 or 0)
    end
    assert.equal(60, #items)
    assert.is_true(without >= 12 and without <= 28)
    assert.is_true(empty > 0 and empty < 60)
  end)

  it_answers("has the adoption of three applications on seven days", function()
    local rows = decode(fetch { path = ADOPTION })
    assert.equal(21, #rows)
    for _, row in ipairs(rows) do
      assert.is_true(row.mfaCompliantRequestCount <= row.totalRequestCount)
    end
  end)

  it_answers("filters the adoption by dates and refuses what is no date", function()
    local today = os.date("!%Y-%m-%d")
    local path = ADOPTION .. "?startDate=" .. today .. "&endDate=" .. today
    assert.equal(3, #decode(fetch { path = path }))
    assert.same({ 400, "3000" }, refusal(fetch { path = ADOPTION .. "?startDate=yesterday" }))
    assert.same({ 400, "3000" }, refusal(fetch { path = ADOPTION .. "?endDate=01/02/2024" }))
  end)

  it_answers("comes in any number", function()
    assert.same({}, decode(ask("records=0")).items)
    assert.equal(9, #decode(ask("records=9", ADOPTION)))
    local large = ask("records=10000")
    assert.is_true(#large.body > 2.0e6 and #large.body < 2.3e6)
    assert.is_true(large.seconds < 2)
    assert.equal(10000, #decode(large).items)
  end)

  it_answers("comes in 200,000 records", function()
    assert.is_true(fetch({ ask = "records=200000", discard = true }).size > 40e6)
  end)

  it_answers("uses either name of a field", function()
    assert.matches('"lastNonMfaCompliantLoginDateTime"', ask("spelling=login").body)
    assert.matches('"lastNonMfaCompliantRequestDateTime"', ask("spelling=request").body)
    assert.matches('"sourceIpAddress"', ask("ip=sourceIpAddress", REQUESTS).body)
    assert.matches('"ipAddress"', ask("ip=ipAddress", REQUESTS).body)
  end)

  it_answers("comes in the casing of the tables", function()
    local body = decode(ask("casing=pascal"))
    assert.equal(25, body.TotalCount)
    assert.is_string(body.Items[1].ObjectId)
  end)

  it_answers("comes in every shape", function()
    assert.equal(25, #decode(ask("shape=array")))
    assert.is_string(decode(ask("shape=object")).objectId)
    assert.equal(21, decode(ask("shape=collection", ADOPTION)).totalCount)
    local wrong = decode(ask("shape=wrapped-wrong"))
    assert.is_nil(wrong.items)
    assert.is_table(wrong.value)
  end)

  it_answers("comes with strings for scalars", function()
    local body = decode(ask("scalars=strings", REQUESTS))
    assert.equal("60", body.totalCount)
    assert.is_string(body.items[1].mfaCompliant)
  end)

  it_answers("comes with nulls and with unknown properties", function()
    assert.matches(':null', ask("nulls=1").body)
    local item = decode(ask("extra=1")).items[1]
    assert.equal(0.25, item.riskWeight)
    assert.equal("Oslo", item.signIn.city)
  end)

  it_answers("comes without the byte order mark, or in UTF-16", function()
    assert.equal("{", ask("bom=0").body:sub(1, 1))
    local wide = ask("bom=utf16")
    assert.equal("\255\254{\0", wide.body:sub(1, 4))
    local back = shell("printf %s " .. quote(wide.body:sub(3, 80):gsub("%z", "")))
    assert.matches('^{"totalCount":25', back)
  end)

  it_answers("keeps every character in UTF-16", function()
    local file = files.temporary()
    shell("curl -s --cacert " .. CA .. " -H 'Authorization: Bearer " .. token.mint()
      .. "' -H 'X-Sandbox: bom=utf16; extra=1' " .. URL .. PRINCIPALS
      .. " | iconv -f UTF-16 -t UTF-8 >" .. file)
    assert.equal(ask("bom=0; extra=1").body, files.slurp(file))
    os.remove(file)
  end)

  it_answers("comes indented", function()
    local pretty = ask("pretty=1; extra=1")
    assert.matches('\r\n  "items": %[\r\n', pretty.body)
    assert.same(decode(ask("extra=1")), decode(pretty))
  end)

  it_answers("comes with hostile text", function()
    local text = ask("hostile=1").body
    assert.matches("\\u001b%[31m", text)
    assert.matches('"=cmd|', text, 1, true)
    assert.matches("\226\128\174", text)
    assert.matches("\255\254", text)
    assert.equal(25, #decode(ask("hostile=1")).items)
  end)

  it_answers("takes a new customer and gives it back", function()
    assert.equal(3, #decode(fetch { path = "/v1/customers" }).items)
    local post = { path = "/v1/customers", args = { "-d", '{"name":"Litware"}' } }
    local created = fetch(post)
    assert.equal(201, created.status)
    assert.same({ name = "Litware" }, decode(created))
    post.args[2] = "no json"
    assert.same({ 400, "3000" }, refusal(fetch(post)))
  end)
end)

describe("the sandbox's checks", function()
  it_answers("allow GET alone", function()
    assert.same({ 405, "2000" }, refusal(fetch { args = { "-X", "DELETE" } }))
    assert.same({ 405, "2000" }, refusal(fetch { args = { "-d", "{}" } }))
  end)

  it_answers("want a token that can be read", function()
    local none = fetch { token = false }
    assert.same({ 401, "800001" }, refusal(none))
    assert.matches("^Bearer ", none.headers["www-authenticate"])
    local garbled = fetch { token = "abc" }
    assert.same({ 401, "400" }, refusal(garbled))
    assert.matches('error="invalid_token"', garbled.headers["www-authenticate"], 1, true)
  end)

  it_answers("want the audience, a token not expired, a user, and MFA", function()
    local function with(claims)
      return refusal(fetch { token = token.mint(claims) })
    end
    assert.same({ 401, "900420" }, with { aud = "https://graph.windows.net" })
    assert.same({ 401, "400" }, with { exp = os.time() - 1 })
    assert.same({ 403, "900329" }, with { scp = false, amr = false, roles = { "user" } })
    assert.same({ 401, "900421" }, with { amr = { "pwd" } })
    assert.same({ 401, "900421" }, with { amr = false })
    assert.equal(200, fetch({ token = token.mint { amr = { "ngcmfa" } } }).status)
  end)

  it_answers("take a token for as many requests as it is good for", function()
    local held = token.mint { scenario = "revoke_after=2" }
    local statuses = {}
    for at = 1, 4 do
      statuses[at] = fetch({ token = held }).status
    end
    assert.same({ 200, 200, 401, 401 }, statuses)
    local revoked = fetch { token = held }
    assert.equal("400", decode(revoked).code)
    assert.matches('error="invalid_token"', revoked.headers["www-authenticate"], 1, true)
    assert.equal(200, fetch({ token = token.mint { scenario = "revoke_after=2" } }).status)
  end)

  it_answers("go by the clock of the sign-in that a token tells of", function()
    local now = os.time()
    assert.equal(200, fetch({ token = token.mint { skew = -600, exp = now - 300 } }).status)
    assert.same({ 401, "400" }, refusal(fetch { token = token.mint { skew = 600,
                                                                    exp = now + 300 } }))
  end)

  it_answers("let a user without MFA pass before it is enforced, and say so", function()
    local answer = fetch { token = token.mint { amr = { "pwd" } }, ask = "enforce=0",
                           headers = { "ValidateMfa: true" } }
    assert.equal(200, answer.status)
    assert.equal("False", answer.headers.ismfacompliant)
  end)

  it_answers("want a client that takes JSON, and answer in XML whom it does not matter", function()
    assert.same({ 406, "800003" }, refusal(fetch { headers = { "Accept: text/html" } }))
    assert.equal(200, fetch({ headers = { "Accept: application/json" } }).status)
    local answer = fetch { headers = { "Accept:" } }
    assert.equal("<?xml", answer.body:sub(1, 5))
    assert.matches("application/xml", answer.headers["content-type"])
  end)

  it_answers("echo ids that are GUIDs and make the missing ones", function()
    local answer = fetch { headers = { "MS-RequestId: " .. ID } }
    assert.equal(ID, answer.headers["ms-requestid"])
    assert.equal(36, #answer.headers["ms-correlationid"])
    assert.matches("%.0$", answer.headers["ms-cv"])
    assert.is_string(answer.headers["ms-serverid"])
    assert.is_string(answer.headers["request-context"])
    for _, name in ipairs { "MS-RequestId", "MS-CorrelationId" } do
      assert.same({ 400, "2000" }, refusal(fetch { headers = { name .. ": 1" } }))
    end
  end)

  it_answers("report MFA when asked", function()
    local function report(setting)
      return fetch({ ask = setting, headers = { "ValidateMfa: true" } }).headers.ismfacompliant
    end
    assert.equal("True", report())
    assert.is_nil(fetch({}).headers.ismfacompliant)
    for _, value in ipairs { "true", "false", "True", "False" } do
      assert.equal(value, report("compliant=" .. value))
    end
    assert.is_nil(report("compliant=none"))
    assert.is_nil(report("compliant=body"))
    assert.is_true(decode(ask("compliant=body")).isMfaCompliant)
  end)

  it_answers("know no other path, and the draft's prefix on demand", function()
    assert.same({ 404, "1000" }, refusal(fetch { path = "/v1/nothing" }))
    assert.same({ 404, "1000" }, refusal(fetch { path = "/v1//v1/partnerRequests" }))
    assert.equal(404, fetch({ path = "/pcapi" .. PRINCIPALS }).status)
    assert.equal(200, ask("serve=pcapi", "/pcapi" .. PRINCIPALS).status)
    assert.equal(404, ask("serve=pcapi").status)
  end)

  it_answers("refuse what they do not know, in a header as in a token", function()
    local answers = { ask("recods=1"), ask("records=many"), ask("records=200001"), ask("nobody"),
                      ask("links=v1"), ask("nulls=yes"), ask("status=200"),
                      fetch { token = token.mint { scenario = "page=none" } } }
    for at, what in ipairs { "setting: recods", "records=many", "records=200001", "preset: nobody",
                             "links needs page", "nulls=yes", "status=200", "page=none" } do
      assert.equal(400, answers[at].status)
      assert.equal("text/plain", answers[at].headers["content-type"])
      assert.matches(what, answers[at].body, 1, true)
    end
  end)

  it_answers("obey the token's scenario, and the header before it", function()
    local paged = token.mint { scenario = "records=3; bom=0" }
    assert.equal(3, #decode(fetch { token = paged }).items)
    local answer = fetch { token = paged, ask = "records=4" }
    assert.equal(4, #decode(answer).items)
    assert.equal("{", answer.body:sub(1, 1))
  end)
end)

describe("the sandbox's pages", function()
  local function next_of(answer)
    local links = decode(answer).links
    return links and links.next
  end

  it_answers("come one after the other, by the link's header", function()
    local seen, token_header, path = 0, nil, PRINCIPALS
    repeat
      local answer = fetch { path = path, ask = "page=10", headers = { token_header } }
      local link = next_of(answer)
      seen = seen + #decode(answer).items
      if link then
        assert.equal("GET", link.method)
        assert.equal("MS-ContinuationToken", link.headers[1].key)
        token_header = "MS-ContinuationToken: " .. link.headers[1].value
        path = "/v1" .. link.uri
      end
    until not link
    assert.equal(25, seen)
  end)

  it_answers("link in every form that was met", function()
    local function uri(links)
      return next_of(ask("page=10; links=" .. links)).uri
    end
    local port = URL:match("%d+$")
    assert.matches("^/nonMfa", uri("relative"))
    assert.matches("^nonMfa", uri("bare"))
    assert.matches("^/v1/nonMfa", uri("v1"))
    assert.matches("^https://localhost:" .. port .. "/v1/", uri("absolute"))
    assert.matches("^https://127%.0%.0%.1:" .. port .. "/v1/", uri("foreign"))
    assert.matches("^http://localhost:%d+/v1/", uri("http"))
    assert.is_nil(next_of(ask("page=10; links=none; carrier=body")))
  end)

  it_answers("carry the token in a link, the body or a header", function()
    assert.is_string(next_of(ask("page=10; carrier=link")).headers[1].value)
    assert.is_string(decode(ask("page=10; carrier=body; links=none")).continuationToken)
    local held = ask("page=10; carrier=header; links=none").headers["ms-continuationtoken"]
    assert.matches("^A,/.*=,$", held)
    assert.same({}, next_of(ask("page=10; carrier=header")).headers)
    local second = fetch { ask = "page=10; carrier=header; links=none",
                           headers = { "MS-ContinuationToken: " .. held } }
    assert.equal(10, #decode(second).items)
    local escaped = held:gsub("[,/=+]", function(char)
      return ("%%%02X"):format(char:byte())
    end)
    local third = fetch { ask = "page=10; carrier=header",
                          path = PRINCIPALS .. "?continuation_token=" .. escaped }
    assert.equal(second.body:match('"items":.-%]'), third.body:match('"items":.-%]'))
  end)

  it_answers("refuse a wrong token and want one for what follows", function()
    assert.equal(400, fetch({ ask = "page=10",
                              headers = { "MS-ContinuationToken: A,/AAAA=," } }).status)
    assert.equal(400, fetch({ ask = "page=10",
                              path = PRINCIPALS .. "?size=10&seekOperation=Next" }).status)
    local other = ask("page=10; carrier=header", REQUESTS).headers["ms-continuationtoken"]
    assert.equal(400, fetch({ ask = "page=10",
                              headers = { "MS-ContinuationToken: " .. other } }).status)
  end)

  it_answers("never end in a loop", function()
    local how = { ask = "page=10; links=loop; carrier=header" }
    local once = fetch(how)
    how.headers = { "MS-ContinuationToken: " .. once.headers["ms-continuationtoken"] }
    assert.equal(once.body, fetch(how).body)
  end)

  it_answers("keep the dates of an adoption from page to page", function()
    local today = os.date("!%Y-%m-%d")
    local path = ADOPTION .. "?startDate=" .. today .. "&endDate=" .. today
    local link = next_of(ask("shape=collection; page=10", path))
    assert.matches("startDate=" .. today, link.uri, 1, true)
  end)

  it_answers("go wrong one at a time", function()
    local ask_for = "page=10; carrier=header; on_page=2; status=401"
    local held = ask(ask_for)
    assert.equal(200, held.status)
    local header = "MS-ContinuationToken: " .. held.headers["ms-continuationtoken"]
    assert.equal(401, fetch({ ask = ask_for, headers = { header } }).status)
  end)
end)

describe("the sandbox's refusals", function()
  it_answers("come in six shapes", function()
    local function shape(letter)
      return ask("status=403; code=accessDenied; text=No%3B way; error=" .. letter)
    end
    local a = decode(shape("A"))
    assert.same({ "accessDenied", "No; way" }, { a.code, a.description })
    assert.is_string(a.source)
    assert.same({ "Field1" }, decode(ask("status=400; error=A")).data)
    local b = decode(shape("B")).error
    assert.same({ "accessDenied", "No; way" }, { b.code, b.message })
    assert.is_table(b.innerError.innerError)
    assert.same({ statusCode = 403, message = "No; way" }, decode(shape("C")))
    assert.equal("", shape("D").body)
    assert.equal("No; way", decode(shape("E")).error_description:match(": (.*)"))
    assert.matches("^<html>", shape("F").body)
    assert.equal("text/html", shape("F").headers["content-type"])
  end)

  it_answers("have believable defaults", function()
    assert.same({ 403, "2032" }, refusal(ask("status=403")))
    assert.equal(429, decode(ask("status=429")).statusCode)
    assert.matches("^<html>", ask("status=502").body)
    assert.same({ 500, "800003" }, refusal(ask("status=500")))
  end)

  it_answers("say when to come again, in each form", function()
    local function wait(value)
      return ask("status=503; retry_after=" .. value).headers["retry-after"]
    end
    assert.equal("57", wait("57"))
    assert.matches("^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$", wait("date:30"))
    assert.equal("soon", wait("garbage"))
  end)

  it_answers("end after the attempts asked for, for each request id", function()
    local function attempt(id)
      return fetch({ ask = "status=503; times=2", headers = { "MS-RequestId: " .. id } }).status
    end
    local first = shell("cat /proc/sys/kernel/random/uuid"):match("%S+")
    local second = shell("cat /proc/sys/kernel/random/uuid"):match("%S+")
    assert.same({ 503, 503, 200 }, { attempt(first), attempt(first), attempt(first) })
    assert.equal(503, attempt(second))
  end)

  it_answers("tell of missing MFA in every way it was told", function()
    assert.same({ 401, "900421" }, refusal(ask("mfa=900421")))
    assert.matches("MFA", decode(ask("mfa=900421")).description)
    assert.same({ 401, "10001" }, refusal(ask("mfa=10001")))
    assert.matches("^<html>", ask("mfa=html").body)
    for setting, status in pairs { claims401 = 401, claims403 = 403 } do
      local answer = ask("mfa=" .. setting)
      assert.equal(status, answer.status)
      assert.matches('error="insufficient_claims", claims="[%w+/=]+"',
                     answer.headers["www-authenticate"])
    end
  end)

  it_answers("tell of missing MFA in the status line of HTTP/1.1, as that of HTTP/2 has no room",
             function()
    for _, url in ipairs { URL, HTTP_URL } do
      local answer = fetch { ask = "mfa=reason", url = url .. PRINCIPALS,
                             args = { "--http1.1" } }
      assert.matches("^HTTP/1.1 401 Unauthorized %- MFA required\r\n", answer.head)
      assert.equal("chunked", answer.headers["transfer-encoding"])
      assert.same({ 0, "" }, { answer.exit, answer.body })
    end
    local answer = ask("mfa=reason")
    assert.same({ 401, "", "2" }, { answer.status, answer.body, answer.version })
  end)

  it_answers("can be a redirection", function()
    local answer = ask("redirect=https://other.example/a?b=c")
    assert.same({ 302, "https://other.example/a?b=c" },
                { answer.status, answer.headers.location })
  end)
end)

-- How often each outcome comes of requests that are sent at once over one connection:
-- a status, "stalled" for an answer that takes a second, "cut" for half of one.
local function at_once(asks)
  local words = { curl.COMMAND .. " -s -Z --parallel-max 300" }
  for at, text in ipairs(asks) do
    words[#words + 1] = table.concat({
      at > 1 and "--next -s" or "", "-o /dev/null --noproxy '*' --cacert " .. quote(CA),
      "-w '%{http_code} %{exitcode} %{time_total}\n' -H " .. quote("X-Sandbox: " .. text),
      "-H " .. quote("Authorization: Bearer " .. token.mint()), URL .. PRINCIPALS }, " ")
  end
  local outcomes = {}
  for status, exit, seconds in shell(table.concat(words, " ") .. " 2>/dev/null")
    :gmatch("(%d+) (%d+) (%S+)") do
    local outcome = exit ~= "0" and "cut" or tonumber(seconds) >= 1 and "stalled" or status
    outcomes[outcome] = (outcomes[outcome] or 0) + 1
  end
  return outcomes
end

local function many(text, count)
  local texts = {}
  for at = 1, count do
    texts[at] = text
  end
  return texts
end

describe("the sandbox's mishaps", function()
  it_answers("are a slow first byte and slow pieces", function()
    assert.is_true(ask("delay=0.3").seconds >= 0.3)
    local slow = ask("trickle=1")
    assert.is_true(slow.seconds >= 0.8)
    assert.equal(fetch({}).body, slow.body)
  end)

  it_answers("are connections that break before or within the answer", function()
    for _, version in ipairs { "--http1.1", "--http2" } do
      local none = fetch { ask = "cut=headers", args = { version } }
      assert.is_true(none.exit ~= 0 and none.status == 0)
      local half = fetch { ask = "cut=body", args = { version, "--compressed" } }
      assert.is_true(half.exit ~= 0 and half.status == 200)
      assert.is_true(half.size > 0 and half.size < tonumber(half.headers["content-length"]))
    end
  end)

  it_answers("are bodies that are no answer", function()
    local whole = fetch({}).body
    assert.equal(whole:sub(1, math.floor(#whole / 2)), ask("body=truncated").body)
    assert.matches("^\137PNG", ask("body=garbage").body)
    assert.equal("", ask("body=empty").body)
    assert.matches("<title>Sign in", ask("body=html").body)
    assert.equal("text/html", ask("body=html").headers["content-type"])
    assert.equal("text/plain", ask("body=text").headers["content-type"])
    assert.equal(10000, #ask("body=deep").body)
  end)

  it_answers("are bodies too large, with and without a word of warning", function()
    for _, version in ipairs { "--http1.1", "--http2" } do
      local huge = fetch { ask = "body=huge; bytes=5000000", args = { version } }
      assert.same({ 5000000, nil, 0 }, { huge.size, huge.headers["content-length"], huge.exit })
    end
    local announced = fetch { ask = "body=huge-length", args = { "--max-filesize", "1000000" } }
    assert.same({ 63, "314572800" }, { announced.exit, announced.headers["content-length"] })
  end)

  it_answers("are 300 MB when no number is given", function()
    assert.equal(314572800, fetch({ ask = "body=huge", discard = true }).size)
  end)

  it_answers("are small bodies that inflate", function()
    local bomb = fetch { ask = "body=bomb; bytes=20000000" }
    assert.equal("gzip", bomb.headers["content-encoding"])
    assert.is_true(bomb.size < 200000)
    local inflated = fetch { ask = "body=bomb; bytes=20000000", args = { "--compressed" } }
    assert.equal(20000000, #inflated.body)
  end)

  it_answers("are connections that break after any number of bytes", function()
    local whole = #fetch({}).body
    for _, version in ipairs { "--http1.1", "--http2" } do
      local first, others
      for _ = 1, 50 do -- a reset takes along what was not read yet
        local cut = fetch { ask = "cut=random", args = { version } }
        assert.is_true(cut.exit ~= 0 and cut.size < whole)
        first = first or cut.size
        others = cut.size ~= first
        if others then
          break
        end
      end
      assert.is_true(others)
      local cut = fetch { ask = "cut=connection", args = { version } }
      assert.is_true(cut.exit ~= 0 and cut.size < whole)
    end
  end)

  it_answers("end one stream of HTTP/2, or its connection with all of them", function()
    local function outcomes(cut)
      return at_once { "delay=0.4", "delay=0.2; cut=" .. cut }
    end
    assert.same({ ["200"] = 1, cut = 1 }, outcomes "body")
    assert.same({ cut = 2 }, outcomes "connection")
  end)

  it_answers("are answers that stop in the middle for a while", function()
    local whole = fetch({}).body
    for _, version in ipairs { "--http1.1", "--http2" } do
      local stalled = fetch { ask = "stall=0.3", args = { version, "--compressed" } }
      assert.is_true(stalled.seconds >= 0.3)
      assert.same({ 200, whole }, { stalled.status, stalled.body })
      local left = fetch { ask = "stall=5", args = { version, "--max-time", "0.5" } }
      assert.same({ 28, math.floor(#whole / 2) }, { left.exit, left.size })
    end
  end)

  it_answers("befall a share of the requests", function()
    local seen = at_once(many("chance=0.5; status=500", 60))
    assert.equal(60, seen["500"] + seen["200"])
    assert.is_true(seen["500"] > 10 and seen["500"] < 50)
  end)

  it_answers("are of four kinds when the service has a bad day", function()
    local seen = at_once(many("mishaps=0.2", 100))
    for _, outcome in ipairs { "429", "503", "cut", "stalled", "200" } do
      assert.is_true((seen[outcome] or 0) > 0, outcome)
      seen[outcome] = nil
    end
    assert.same({}, seen)
  end)

  it_answers("are headers too large and of another type", function()
    for _, version in ipairs { "--http1.1", "--http2" } do
      local answer = fetch { ask = "bigheaders=50000", args = { version } }
      assert.is_true(answer.status == 200 and #answer.head > 50000)
    end
    assert.equal("application/xml; x=y",
                 ask("type=application/xml%3B x=y").headers["content-type"])
  end)

  it_answers("have names, as tenants would have them", function()
    for name in pairs(settings.presets) do
      local wanted = name == "slow" and "slow; delay=0.1" or name
      if name ~= "huge" and name ~= "bomb" then
        assert.is_not_equal(400, fetch({ token = token.mint { scenario = wanted } }).status)
      end
    end
    assert.equal(429, fetch({ token = token.mint { scenario = "throttled" } }).status)
  end)
end)

describe("the sandbox's own pages", function()
  it_answers("say that it is well, and mint tokens", function()
    assert.equal("ok", fetch({ path = "/_sandbox/health", token = false }).body)
    local minted = fetch { path = "/_sandbox/token?amr=pwd&scenario=paged", token = false }
    assert.same({ "pwd" }, token.read(minted.body).amr)
    assert.equal("paged", token.read(minted.body).scenario)
  end)

  it_answers("remember the requests of a correlation id, in order", function()
    local id = shell("cat /proc/sys/kernel/random/uuid"):match("%S+")
    local headers = { "MS-CorrelationId: " .. id:upper(), "X-Locale: nb-NO" }
    fetch { headers = headers, path = REQUESTS .. "?a=b" }
    fetch { headers = headers, token = false, args = { "--http1.1" } }
    local answer = fetch { path = "/_sandbox/log?correlation_id=" .. id, token = false }
    local log = cjson.decode(answer.body)
    assert.equal(2, #log)
    assert.same({ "GET", REQUESTS .. "?a=b", "2" },
                { log[1].method, log[1].uri, log[1].http_version })
    assert.equal("nb-NO", log[1].headers["x-locale"])
    assert.equal("1.1", log[2].http_version)
    assert.is_true(log[2].at >= log[1].at)
    assert.equal("[]", fetch({ path = "/_sandbox/log?correlation_id=" .. ID:reverse() }).body)
  end)

  it_answers("gauge what comes under a label, over all connections and workers", function()
    local label = shell("cat /proc/sys/kernel/random/uuid"):match("%S+")
    local function gauge()
      local path = "/_sandbox/gauge?label=" .. label
      return cjson.decode(fetch({ path = path, token = false }).body)
    end
    assert.same({ requests = 0, most_at_once = 0, connections = 0, first = 0, last = 0,
                  times = {} }, gauge())
    local before = os.time()
    assert.same({ ["200"] = 5 }, at_once(many("delay=0.3; label=" .. label, 5)))
    assert.same({ ["200"] = 2 }, at_once(many("label=other; label=" .. label, 2)))
    local seen = gauge()
    assert.same({ 7, 5, 2, 7 },
                { seen.requests, seen.most_at_once, seen.connections, #seen.times })
    assert.is_true(seen.first >= before and seen.first <= seen.times[1])
    assert.is_true(seen.times[7] <= seen.last and seen.last <= os.time() + 1)
    assert.equal(400, fetch({ path = "/_sandbox/gauge", token = false }).status)
  end)

  it_answers("no longer count what the client gave up", function()
    local label = shell("cat /proc/sys/kernel/random/uuid"):match("%S+")
    local asked = "delay=0.4; label=" .. label
    assert.equal(28, fetch({ ask = asked, args = { "--max-time", "0.1" } }).exit)
    shell("sleep 0.5")
    assert.equal(200, fetch({ ask = asked }).status)
    local answer = fetch { path = "/_sandbox/gauge?label=" .. label, token = false }
    assert.equal(1, cjson.decode(answer.body).most_at_once)
  end)

  it_answers("echo any request", function()
    local answer = fetch { path = "/_sandbox/echo?x=1", token = false,
                           args = { "-X", "PUT", "-d", "some text", "-H", "A: b" } }
    local echo = cjson.decode(answer.body)
    assert.same({ "PUT", "/_sandbox/echo?x=1", "some text", "b", "2" },
                { echo.method, echo.uri, echo.body, echo.headers.a, echo.http_version })
  end)
end)

describe("a token of the sandbox", function()
  local function from_shell(arguments)
    return token.read(shell("lua5.4 sandbox/token.lua " .. arguments):match("%S+"))
  end

  it_answers("is made by the shell with the claims asked for", function()
    local claims = from_shell("scenario=throttled amr=pwd,rsa exp=+60 scp=false")
    assert.equal("throttled", claims.scenario)
    assert.same({ "pwd", "rsa" }, claims.amr)
    assert.is_nil(claims.scp)
    assert.is_true(math.abs(claims.exp - os.time() - 60) < 5)
  end)

  it_answers("is another one each time", function()
    assert.not_equal(token.mint(), token.mint())
  end)

  it_answers("is read back as it was minted, whatever its length", function()
    for length = 0, 5 do
      local upn = ("x"):rep(length) .. "\195\184"
      assert.equal(upn, token.read(token.mint { upn = upn }).upn)
    end
    assert.is_nil(token.read("a.b.c"))
    assert.is_nil(token.read(""))
  end)
end)

describe("sandbox/run", function()
  -- runs it within a shell that prints what it must
  local function run(script)
    return shell("{ unset PCAPI_TOKEN PCAPI_BASE_URL; " .. script .. "; } 2>&1")
  end
  local FIND = [[dir=$(dirname "$PCAPI_SANDBOX_CA"); pid=$(cat "$dir/nginx.pid"); echo $dir $pid;]]
  local function is_gone(output)
    local dir, pid = output:match("(/%S+) (%d+)")
    return shell(("test -e %s || kill -0 %s 2>/dev/null || echo gone"):format(dir, pid))
      == "gone\n"
  end

  it_answers("passes the status on and leaves nothing behind", function()
    local output = run("sandbox/run sh -c '" .. FIND .. " exit 7'; echo status $?")
    assert.matches("status 7\n", output)
    assert.is_true(is_gone(output))
  end)

  it_answers("passes stdin and arguments on as they are", function()
    local output = run([[echo typed | sandbox/run sh -c 'cat; echo "$1"' sh 'a  b']])
    assert.equal("typed\na  b\n", output)
  end)

  it_answers("stops on TERM, INT and HUP, and its command before it", function()
    for signal, status in pairs { TERM = 143, INT = 130, HUP = 129 } do
      local file = files.temporary()
      run(([[env --default-signal=INT sandbox/run sh -c '%s exec sleep 60' >%s & run=$!
             until [ -s %s ]; do sleep 0.05; done; kill -%s $run; wait $run; echo $? >>%s]])
        :format(FIND, file, file, signal, file))
      local output = files.slurp(file)
      os.remove(file)
      assert.matches("\n" .. status .. "\n$", output)
      assert.is_true(is_gone(output))
    end
  end)

  it_answers("leaves it to the command what a signal means", function()
    local file = files.temporary()
    local output = run(([[sandbox/run sh -c 'trap "exit 5" TERM; echo >%s
        while :; do sleep 0.1; done' & run=$!
      until [ -s %s ]; do sleep 0.05; done; kill $run; wait $run; echo $?]])
      :format(file, file))
    os.remove(file)
    assert.equal("5\n", output)
  end)

  it_answers("without a command prints what to export, and stays", function()
    local file = files.temporary()
    local output = run(([[sandbox/run >%s & run=$!
      until grep -q no_proxy %s; do sleep 0.05; done; . %s; rm %s
      curl -s --cacert "$PCAPI_CA_FILE" -H "Authorization: Bearer $PCAPI_TOKEN" \
        "$PCAPI_BASE_URL/v1/partnerRequests" | head -c 20; kill $run; wait $run; echo " $?"]])
      :format(file, file, file, file))
    assert.equal(BOM .. '{"totalCount":60, 143\n', output)
  end)

  it_answers("restarts by a signal: nothing is cut, and the records stay the same", function()
    local output = run([[sandbox/run sh -c '
        ask() { curl -s --cacert "$PCAPI_CA_FILE" -H "Authorization: Bearer $PCAPI_TOKEN" \
          -H "X-Sandbox: $1" "$PCAPI_BASE_URL/v1/partnerRequests" | md5sum; }
        workers() { pgrep -P $PCAPI_SANDBOX_PID | tr "\n" " "; }
        before=$(workers); ask; ask "delay=2" & sleep 1; kill -HUP $PCAPI_SANDBOX_PID; wait
        ask; sleep 0.2; test "$before" = "$(workers)" || echo other workers']])
    local first, during, after, rest = output:match("^(%x+)  %-\n(%x+)  %-\n(%x+)  %-\n(.*)")
    assert.same({ first, first, "other workers\n" }, { during, after, rest })
  end)

  it_answers("comes again by itself when its workers are killed", function()
    local output = run([[sandbox/run sh -c '
        ask() { curl -s --cacert "$PCAPI_CA_FILE" -H "Authorization: Bearer $PCAPI_TOKEN" \
          -H "X-Sandbox: $1" -o /dev/null -w "%{http_code} " "$PCAPI_BASE_URL/v1/customers"
          echo $?; }
        ask "delay=5" & sleep 0.5; pkill -KILL -P $PCAPI_SANDBOX_PID; wait; ask']])
    assert.matches("^000 [1-9]%d*\n200 0\n$", output)
  end)

  it_answers("adds to the hosts that go without a proxy", function()
    local output = run([[no_proxy=a.example sandbox/run sh -c 'echo "$no_proxy"']])
    assert.equal("a.example,localhost,127.0.0.1\n", output)
  end)

  it_answers("runs beside another one, from any directory", function()
    local output = run([[here=$PWD; cd /; "$here/sandbox/run" sh -c 'echo "$PCAPI_SANDBOX_URL"']])
    assert.matches("^https://localhost:%d+\n$", output)
    assert.not_equal(URL .. "\n", output)
  end)

  it_answers("says what is missing", function()
    local output = run([[tools=$(mktemp -d)
      ln -s "$(command -v bash)" "$(command -v dirname)" $tools
      (PATH=$tools; bash sandbox/run true); echo $?; rm -r $tools]])
    assert.equal("sandbox/run: needs the Debian packages nginx libnginx-mod-http-lua lua-cjson "
      .. "openssl curl\n70\n", output)
  end)
end)

describe("the sandbox's README", function()
  it_answers("names every setting and every preset", function()
    local readme = files.slurp("sandbox/README.md")
    for name in pairs(settings.known) do
      assert.matches("`" .. name .. "=", readme, 1, true)
    end
    for name, text in pairs(settings.presets) do
      assert.matches("| `" .. name .. "` | `" .. text .. "` |", readme, 1, true)
    end
  end)
end)
