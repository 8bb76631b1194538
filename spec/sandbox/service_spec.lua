--- The sandbox answers as the service does: data, checks and pages.
local token = require "sandbox.token"
local asking = require "spec.support.ask"
local curl = require "spec.support.curl"
local files = require "spec.support.files"

local URL = os.getenv("PCAPI_SANDBOX_URL")
local HTTP_URL = os.getenv("PCAPI_SANDBOX_HTTP_URL")
local CA = os.getenv("PCAPI_SANDBOX_CA")
local PRINCIPALS = "/v1/nonMfaCompliantPartnerPrincipals"
local ADOPTION = "/v1/applicationmfaadoptionstatus"
local REQUESTS = "/v1/partnerRequests"
local BOM = "\239\187\191"
local ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
local quote, shell = curl.quote, curl.shell
local it_answers = asking.needing_sandbox(it, pending)
local ask, decode, fetch = asking.ask, asking.decode, asking.fetch
local refusal = asking.refusal

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
