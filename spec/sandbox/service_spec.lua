--- Tests that the sandbox responds as the service does: transport, data, checks and pages.
local token = require "sandbox.token"
local api = require "spec.support.api"
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
local sandbox_it = api.needing_sandbox(it, pending)
local fetch_with, decode, fetch = api.fetch_with, api.decode, api.fetch
local refusal = api.refusal

describe("the sandbox's transport", function()
  sandbox_it("sends the Date with each response", function()
    for _, response in ipairs { fetch {}, fetch { token = "refused" } } do
      assert.matches("^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$", response.headers.date)
    end
  end)

  sandbox_it("speaks HTTP/2 and HTTP/1.1 over TLS, and HTTP/1.1 without", function()
    assert.equal("2", fetch({}).version)
    assert.equal("1.1", fetch({ args = { "--http1.1" } }).version)
    assert.equal(200, fetch({ url = HTTP_URL .. PRINCIPALS }).status)
  end)

  sandbox_it("has a CA in a hashed directory", function()
    local dir = os.getenv("PCAPI_SANDBOX_CA_DIR")
    assert.not_equal("", shell("ls " .. quote(dir) .. " | grep '^[0-9a-f]*\\.0$'"))
    local check = "openssl verify -no-CAfile -CApath %s %s/../localhost.pem 2>&1"
    assert.matches("OK", shell(check:format(quote(dir), quote(dir))))
  end)

  sandbox_it("has servers that clients must not trust, and a closed port", function()
    assert.equal(60, fetch({ url = os.getenv("PCAPI_SANDBOX_UNTRUSTED_URL") }).exit)
    assert.equal(60, fetch({ url = os.getenv("PCAPI_SANDBOX_OTHER_HOST_URL") }).exit)
    assert.equal(60, fetch({ url = os.getenv("PCAPI_SANDBOX_EXPIRED_URL") }).exit)
    assert.equal(7, fetch({ url = os.getenv("PCAPI_SANDBOX_CLOSED_URL") }).exit)
  end)

  sandbox_it("has a different reason to distrust each of these servers", function()
    local function reason(name)
      return shell("curl -sS -o /dev/null --noproxy '*' --cacert " .. quote(CA) .. " "
        .. os.getenv(name) .. " 2>&1")
    end
    assert.matches("unable to get local issuer", reason("PCAPI_SANDBOX_UNTRUSTED_URL"))
    assert.matches("expired", reason("PCAPI_SANDBOX_EXPIRED_URL"))
    assert.matches("no alternative certificate subject name",
                   reason("PCAPI_SANDBOX_OTHER_HOST_URL"))
  end)

  sandbox_it("responds to a client that trusts them nevertheless", function()
    for _, name in ipairs { "UNTRUSTED", "OTHER_HOST", "EXPIRED" } do
      local url = os.getenv("PCAPI_SANDBOX_" .. name .. "_URL") .. PRINCIPALS
      assert.equal(200, fetch({ url = url, args = { "-k" } }).status)
    end
  end)

  sandbox_it("has a server that speaks TLS 1.1 only", function()
    local url = os.getenv("PCAPI_SANDBOX_TLS11_URL") .. PRINCIPALS
    assert.equal(35, fetch({ url = url, args = { "--tlsv1.2" } }).exit)
    assert.equal(200, fetch({ url = url, args = { "--tlsv1.1", "--tls-max", "1.1", "--ciphers",
                                                  "DEFAULT:@SECLEVEL=0" } }).status)
  end)

  sandbox_it("compresses large bodies if the client accepts it", function()
    local plain, packed = fetch({}), fetch { args = { "--compressed" } }
    assert.equal("gzip", packed.headers["content-encoding"])
    assert.is_nil(packed.headers["content-length"])
    assert.equal(plain.body, packed.body)
    assert.equal(tostring(#plain.body), plain.headers["content-length"])
    local refused = fetch { settings = "encoding=none", args = { "--compressed" } }
    assert.is_nil(refused.headers["content-encoding"])
  end)
end)

describe("the sandbox's data", function()
  sandbox_it("is compact JSON after a byte order mark", function()
    local response = fetch {}
    assert.equal(BOM .. '{"totalCount":25,', response.body:sub(1, 20))
    assert.equal("application/json; charset=utf-8", response.headers["content-type"])
    assert.equal("Collection", decode(response).attributes.objectType)
    assert.equal(25, #decode(response).items)
  end)

  sandbox_it("is the same every time, and different with another seed", function()
    assert.equal(fetch({}).body, fetch({ args = { "--http1.1" } }).body)
    assert.not_equal(fetch({}).body, fetch_with("seed=2").body)
  end)

  sandbox_it("is newest first, within seven days, with up to seven digits", function()
    local items = decode(fetch_with("records=500")).items
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

  sandbox_it("has requests, about a third of them without MFA", function()
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

  sandbox_it("has the adoption of three applications on seven days", function()
    local rows = decode(fetch { path = ADOPTION })
    assert.equal(21, #rows)
    for _, row in ipairs(rows) do
      assert.is_true(row.mfaCompliantRequestCount <= row.totalRequestCount)
    end
  end)

  sandbox_it("filters the adoption by dates and refuses invalid dates", function()
    local today = os.date("!%Y-%m-%d")
    local path = ADOPTION .. "?startDate=" .. today .. "&endDate=" .. today
    assert.equal(3, #decode(fetch { path = path }))
    assert.same({ 400, "3000" }, refusal(fetch { path = ADOPTION .. "?startDate=yesterday" }))
    assert.same({ 400, "3000" }, refusal(fetch { path = ADOPTION .. "?endDate=01/02/2024" }))
  end)

  sandbox_it("has any number of records", function()
    assert.same({}, decode(fetch_with("records=0")).items)
    assert.equal(9, #decode(fetch_with("records=9", ADOPTION)))
    local large = fetch_with("records=10000")
    assert.is_true(#large.body > 2.0e6 and #large.body < 2.3e6)
    assert.equal(10000, #decode(large).items)
  end)

  sandbox_it("has up to 200,000 records", function()
    assert.is_true(fetch({ settings = "records=200000", discard = true }).size > 40e6)
  end)

  sandbox_it("uses either name of a field", function()
    assert.matches('"lastNonMfaCompliantLoginDateTime"', fetch_with("spelling=login").body)
    assert.matches('"lastNonMfaCompliantRequestDateTime"', fetch_with("spelling=request").body)
    assert.matches('"sourceIpAddress"', fetch_with("ip=sourceIpAddress", REQUESTS).body)
    assert.matches('"ipAddress"', fetch_with("ip=ipAddress", REQUESTS).body)
  end)

  sandbox_it("can have the casing of the documentation's tables", function()
    local body = decode(fetch_with("casing=pascal"))
    assert.equal(25, body.TotalCount)
    assert.is_string(body.Items[1].ObjectId)
  end)

  sandbox_it("can have every shape", function()
    assert.equal(25, #decode(fetch_with("shape=array")))
    assert.is_string(decode(fetch_with("shape=object")).objectId)
    assert.equal(21, decode(fetch_with("shape=collection", ADOPTION)).totalCount)
    local odata = decode(fetch_with("shape=odata; page=10"))
    assert.same({ 25, 10 }, { odata["@odata.count"], #odata.value })
    assert.is_string(odata["@odata.nextLink"])
    local wrong = decode(fetch_with("shape=wrapped-wrong"))
    assert.is_nil(wrong.items)
    assert.is_table(wrong.value)
  end)

  sandbox_it("can have strings as scalars", function()
    local body = decode(fetch_with("scalars=strings", REQUESTS))
    assert.equal("60", body.totalCount)
    assert.is_string(body.items[1].mfaCompliant)
  end)

  sandbox_it("can have nulls and unknown properties", function()
    assert.matches(':null', fetch_with("nulls=1").body)
    local item = decode(fetch_with("extra=1")).items[1]
    assert.equal(0.25, item.riskWeight)
    assert.equal("Oslo", item.signIn.city)
  end)

  sandbox_it("can be without a byte order mark, or in UTF-16", function()
    assert.equal("{", fetch_with("bom=0").body:sub(1, 1))
    local wide = fetch_with("bom=utf16")
    assert.equal("\255\254{\0", wide.body:sub(1, 4))
    local back = shell("printf %s " .. quote(wide.body:sub(3, 80):gsub("%z", "")))
    assert.matches('^{"totalCount":25', back)
  end)

  sandbox_it("keeps every character in UTF-16", function()
    local file = files.temporary()
    shell("curl -s --cacert " .. CA .. " -H 'Authorization: Bearer " .. token.mint()
      .. "' -H 'X-Sandbox: bom=utf16; extra=1' " .. URL .. PRINCIPALS
      .. " | iconv -f UTF-16 -t UTF-8 >" .. file)
    assert.equal(fetch_with("bom=0; extra=1").body, files.slurp(file))
    os.remove(file)
  end)

  sandbox_it("can be indented", function()
    local pretty = fetch_with("pretty=1; extra=1")
    assert.matches('\r\n  "items": %[\r\n', pretty.body)
    assert.same(decode(fetch_with("extra=1")), decode(pretty))
  end)

  sandbox_it("can have hostile text", function()
    local text = fetch_with("hostile=1").body
    assert.matches("\\u001b%[31m", text)
    assert.matches('"=cmd|', text, 1, true)
    assert.matches("\226\128\174", text)
    assert.matches("\255\254", text)
    assert.equal(25, #decode(fetch_with("hostile=1")).items)
  end)

  sandbox_it("accepts a new customer and returns it", function()
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
  sandbox_it("allow GET only", function()
    assert.same({ 405, "2000" }, refusal(fetch { args = { "-X", "DELETE" } }))
    assert.same({ 405, "2000" }, refusal(fetch { args = { "-d", "{}" } }))
  end)

  sandbox_it("require a token that can be decoded", function()
    local none = fetch { token = false }
    assert.same({ 401, "800001" }, refusal(none))
    assert.matches("^Bearer ", none.headers["www-authenticate"])
    local garbled = fetch { token = "abc" }
    assert.same({ 401, "400" }, refusal(garbled))
    assert.matches('error="invalid_token"', garbled.headers["www-authenticate"], 1, true)
  end)

  sandbox_it("require the audience, an unexpired token, a user and MFA", function()
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

  sandbox_it("accept a token for its number of requests", function()
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

  sandbox_it("use the clock of the sign-in from the token", function()
    local now = os.time()
    assert.equal(200, fetch({ token = token.mint { skew = -600, exp = now - 300 } }).status)
    assert.same({ 401, "400" }, refusal(fetch { token = token.mint { skew = 600,
                                                                    exp = now + 300 } }))
  end)

  sandbox_it("accept a user without MFA before enforcement, and report it", function()
    local response = fetch { token = token.mint { amr = { "pwd" } }, settings = "enforce=0",
                           headers = { "ValidateMfa: true" } }
    assert.equal(200, response.status)
    assert.equal("False", response.headers.ismfacompliant)
  end)

  sandbox_it("require a client that accepts JSON, and send XML without Accept", function()
    assert.same({ 406, "800003" }, refusal(fetch { headers = { "Accept: text/html" } }))
    assert.equal(200, fetch({ headers = { "Accept: application/json" } }).status)
    local response = fetch { headers = { "Accept:" } }
    assert.equal("<?xml", response.body:sub(1, 5))
    assert.matches("application/xml", response.headers["content-type"])
  end)

  sandbox_it("repeat ids that are GUIDs and make missing ones", function()
    local response = fetch { headers = { "MS-RequestId: " .. ID } }
    assert.equal(ID, response.headers["ms-requestid"])
    assert.equal(36, #response.headers["ms-correlationid"])
    assert.matches("%.0$", response.headers["ms-cv"])
    assert.is_string(response.headers["ms-serverid"])
    assert.is_string(response.headers["request-context"])
    for _, name in ipairs { "MS-RequestId", "MS-CorrelationId" } do
      assert.same({ 400, "2000" }, refusal(fetch { headers = { name .. ": 1" } }))
    end
  end)

  sandbox_it("report MFA on request", function()
    local function report(setting)
      return fetch({ settings = setting, headers = { "ValidateMfa: true" } }).headers.ismfacompliant
    end
    assert.equal("True", report())
    assert.is_nil(fetch({}).headers.ismfacompliant)
    for _, value in ipairs { "true", "false", "True", "False" } do
      assert.equal(value, report("compliant=" .. value))
    end
    assert.is_nil(report("compliant=none"))
    assert.is_nil(report("compliant=body"))
    assert.is_true(decode(fetch_with("compliant=body")).isMfaCompliant)
  end)

  sandbox_it("refuse other paths, and accept the draft's prefix on request", function()
    assert.same({ 404, "1000" }, refusal(fetch { path = "/v1/nothing" }))
    assert.same({ 404, "1000" }, refusal(fetch { path = "/v1//v1/partnerRequests" }))
    assert.equal(404, fetch({ path = "/pcapi" .. PRINCIPALS }).status)
    assert.equal(200, fetch_with("serve=pcapi", "/pcapi" .. PRINCIPALS).status)
    assert.equal(404, fetch_with("serve=pcapi").status)
  end)

  sandbox_it("refuse unknown settings in a header and in a token", function()
    local responses = { fetch_with("recods=1"), fetch_with("records=many"),
                        fetch_with("records=200001"), fetch_with("nobody"),
                        fetch_with("links=v1"), fetch_with("nulls=yes"), fetch_with("status=200"),
                        fetch { token = token.mint { scenario = "page=none" } } }
    for at, what in ipairs { "setting: recods", "records=many", "records=200001", "preset: nobody",
                             "links needs page", "nulls=yes", "status=200", "page=none" } do
      assert.equal(400, responses[at].status)
      assert.equal("text/plain", responses[at].headers["content-type"])
      assert.matches(what, responses[at].body, 1, true)
    end
  end)

  sandbox_it("apply the token's scenario, which the header overrides", function()
    local paged = token.mint { scenario = "records=3; bom=0" }
    assert.equal(3, #decode(fetch { token = paged }).items)
    local response = fetch { token = paged, settings = "records=4" }
    assert.equal(4, #decode(response).items)
    assert.equal("{", response.body:sub(1, 1))
  end)
end)

describe("the sandbox's pages", function()
  local function next_of(response)
    local links = decode(response).links
    return links and links.next
  end

  sandbox_it("follow one another by the link's header", function()
    local seen, token_header, path = 0, nil, PRINCIPALS
    repeat
      local response = fetch { path = path, settings = "page=10", headers = { token_header } }
      local link = next_of(response)
      seen = seen + #decode(response).items
      if link then
        assert.equal("GET", link.method)
        assert.equal("MS-ContinuationToken", link.headers[1].key)
        token_header = "MS-ContinuationToken: " .. link.headers[1].value
        path = "/v1" .. link.uri
      end
    until not link
    assert.equal(25, seen)
  end)

  sandbox_it("link in every format that the service has used", function()
    local function uri(links)
      return next_of(fetch_with("page=10; links=" .. links)).uri
    end
    local port = URL:match("%d+$")
    assert.matches("^/nonMfa", uri("relative"))
    assert.matches("^nonMfa", uri("bare"))
    assert.matches("^/v1/nonMfa", uri("v1"))
    assert.matches("^https://localhost:" .. port .. "/v1/", uri("absolute"))
    assert.matches("^https://127%.0%.0%.1:" .. port .. "/v1/", uri("foreign"))
    assert.matches("^http://localhost:%d+/v1/", uri("http"))
    assert.is_nil(next_of(fetch_with("page=10; links=none; carrier=body")))
  end)

  sandbox_it("have the token in a link, the body or a header", function()
    assert.is_string(next_of(fetch_with("page=10; carrier=link")).headers[1].value)
    assert.is_string(decode(fetch_with("page=10; carrier=body; links=none")).continuationToken)
    local held = fetch_with("page=10; carrier=header; links=none").headers["ms-continuationtoken"]
    assert.matches("^A,/.*=,$", held)
    assert.same({}, next_of(fetch_with("page=10; carrier=header")).headers)
    local second = fetch { settings = "page=10; carrier=header; links=none",
                           headers = { "MS-ContinuationToken: " .. held } }
    assert.equal(10, #decode(second).items)
    local escaped = held:gsub("[,/=+]", function(char)
      return ("%%%02X"):format(char:byte())
    end)
    local third = fetch { settings = "page=10; carrier=header",
                          path = PRINCIPALS .. "?continuation_token=" .. escaped }
    assert.equal(second.body:match('"items":.-%]'), third.body:match('"items":.-%]'))
  end)

  sandbox_it("refuse an invalid token and require one after the first page", function()
    assert.equal(400, fetch({ settings = "page=10",
                              headers = { "MS-ContinuationToken: A,/AAAA=," } }).status)
    assert.equal(400, fetch({ settings = "page=10",
                              path = PRINCIPALS .. "?size=10&seekOperation=Next" }).status)
    local other = fetch_with("page=10; carrier=header", REQUESTS).headers["ms-continuationtoken"]
    assert.equal(400, fetch({ settings = "page=10",
                              headers = { "MS-ContinuationToken: " .. other } }).status)
  end)

  sandbox_it("never end with a loop", function()
    local how = { settings = "page=10; links=loop; carrier=header" }
    local once = fetch(how)
    how.headers = { "MS-ContinuationToken: " .. once.headers["ms-continuationtoken"] }
    assert.equal(once.body, fetch(how).body)
  end)

  sandbox_it("keep the dates of the adoption on every page", function()
    local today = os.date("!%Y-%m-%d")
    local path = ADOPTION .. "?startDate=" .. today .. "&endDate=" .. today
    local link = next_of(fetch_with("shape=collection; page=10", path))
    assert.matches("startDate=" .. today, link.uri, 1, true)
  end)

  sandbox_it("can fail one at a time", function()
    local request_settings = "page=10; carrier=header; on_page=2; status=401"
    local held = fetch_with(request_settings)
    assert.equal(200, held.status)
    local header = "MS-ContinuationToken: " .. held.headers["ms-continuationtoken"]
    assert.equal(401, fetch({ settings = request_settings, headers = { header } }).status)
  end)
end)
