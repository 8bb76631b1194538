--- Tests the service, the clock and the text of the sandbox's stories.
local settings = require "sandbox.settings"
local api = require "spec.support.api"
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local stories = require "spec.support.story"

local sandbox = os.getenv("PCAPI_SANDBOX_URL") and require "spec.support.sandbox"
local sandbox_it = api.needing_sandbox(it, pending)
local tell = stories.tell
local PATHS = stories.PATHS
local OTHER_TENANT = "5f0b3c1e-0000-4000-8000-0000000000aa"

-- The message with which the sandbox refuses a story.
local function refusal(text)
  local response = api.fetch { path = "/_sandbox/story?label=wrong", token = false,
                               args = { "--data-binary", text } }
  return response.status .. " " .. response.body
end

describe("the service of a story", function()
  sandbox_it("cuts one list to its newest, or loses it, for some days", function()
    local story = tell [[
      2026-11-10 kim@fabrikam.example requests every=1h; count=24
      2026-11-11 service sends newest=5; only=requests
      2026-11-12 service sends newest=0; only=principals; until=2026-11-13]]
    local function sizes(now)
      return { #story:at(now):records "requests", #story:upns(), #story:records "adoption" }
    end
    assert.same({ 24, 1, 1 }, sizes "2026-11-10T23:59Z")
    assert.same({ 5, 1, 1 }, sizes "2026-11-11")
    assert.same({ 5, 0, 1 }, sizes "2026-11-12")
    assert.same({ 5, 1, 1 }, sizes "2026-11-13")
    assert.equal(3, #story:records("requests", "newest=3"))
  end)

  sandbox_it("can have every other setting for some time", function()
    local story = tell [[
      2026-11-10 kim@fabrikam.example signs-in
      2026-11-10 service sends spelling=login; casing=pascal; only=principals
      2026-11-11 service sends busy; only=adoption; until=2026-11-12]]
    assert.equal("2026-11-10T00:00:00",
                 story:at("2026-11-11"):records("principals")[1].LastNonMfaCompliantLoginDateTime)
    assert.equal(503, story:fetch("adoption").status)
    assert.equal(200, story:fetch("requests").status)
    assert.equal(200, story:at("2026-11-12"):fetch("adoption").status)
  end)

  sandbox_it("obeys the settings of the call first", function()
    local story = tell("2026-11-10 service sends status=503; only=adoption", "2026-11-11")
    local text = "status=500; only=requests"
    assert.same({ 503, 500, 200 }, { story:fetch("adoption", text).status,
                                     story:fetch("requests", text).status,
                                     story:fetch("principals", text).status })
    assert.equal(429, story:fetch("adoption", "status=429").status)
  end)
end)

describe("the setting `only`", function()
  sandbox_it("makes one list fail, also without a story", function()
    local function status(list)
      return api.fetch({ path = PATHS[list], settings = "status=503; only=requests" }).status
    end
    assert.same({ 503, 200, 200 }, { status "requests", status "principals", status "adoption" })
    assert.equal(200, api.fetch({ path = "/v1/customers", settings = "status=503; only=requests" })
      .status)
  end)
end)

describe("a line of a story with a tenant", function()
  sandbox_it("is about this tenant only; the tenant is the token's, or the setting's", function()
    local story = tell(([[
      2026-11-10 kim@fabrikam.example signs-in
      2026-11-11 lee@contoso.example signs-in tenant=%s
      2026-11-11 service sends status=503; only=requests; tenant=%s]])
      :format(OTHER_TENANT:upper(), OTHER_TENANT), "2026-11-12")
    assert.same({ "kim@fabrikam.example" }, story:upns())
    local other = { tid = OTHER_TENANT }
    assert.same({ "lee@contoso.example", "kim@fabrikam.example" }, story:upns("", other))
    assert.same({ OTHER_TENANT, OTHER_TENANT }, story:values("principals", "tenantId", "", other))
    assert.same({ 200, 503 }, { story:fetch("requests").status,
                                story:fetch("requests", "", other).status })
    assert.same(story:records("principals", "", other),
                story:records("principals", "tenant=" .. OTHER_TENANT))
  end)
end)

describe("the clock of a story", function()
  sandbox_it("is in the header Date, and the token's lifetime goes by the real clock", function()
    local story = tell("2020-02-28 kim@fabrikam.example signs-in", "2020-02-29T23:59:58Z")
    local response = story:fetch "principals"
    assert.equal(200, response.status)
    assert.equal("Sat, 29 Feb 2020 23:59:58 GMT", response.headers.date)
    assert.equal(200, story:at("2036-01-01"):fetch("principals").status)
    assert.equal(401, story:fetch("principals", "", { exp = os.time() - 60 }).status)
    response = story:fetch("principals", "status=429; retry_after=date:57")
    assert.equal("Tue, 01 Jan 2036 00:00:57 GMT", response.headers["retry-after"])
  end)

  sandbox_it("goes back, too", function()
    local story = tell "2026-11-10 kim@fabrikam.example signs-in"
    assert.equal(1, #story:at("2026-11-11"):upns())
    assert.equal(0, #story:at("2026-11-09"):upns())
  end)

  sandbox_it("is the real one until it is set", function()
    local day = os.date("!%Y-%m-%dT%H:%M:%SZ", os.time() - 3600)
    assert.same({ "kim@fabrikam.example" }, tell(day .. " kim@fabrikam.example signs-in"):upns())
  end)

  sandbox_it("is that of one story only", function()
    local text = "2026-11-10 kim@fabrikam.example signs-in"
    local first, second = tell(text, "2026-11-11"), tell(text, "2026-11-09")
    assert.same({ 1, 0 }, { #first:upns(), #second:upns() })
  end)
end)

describe("a story", function()
  sandbox_it("has pages, as other lists have", function()
    local story = tell("2026-11-10 svc@fabrikam.example requests every=1h; count=25", "2026-11-12")
    local page = api.decode(story:fetch("requests", "page=10"))
    local link = page.links.next
    page = api.decode(api.fetch { path = "/v1" .. link.uri,
      settings = "page=10; story=" .. story.label,
      headers = { link.headers[1].key .. ": " .. link.headers[1].value } })
    assert.same({ 10, "2026-11-10T14:00:00" }, { #page.items, page.items[1].requestDateTime })
  end)

  sandbox_it("is played by a sign-in, too", function()
    local login = require "spec.support.login"
    local story = tell("2026-11-10 kim@fabrikam.example signs-in", "2026-11-11")
    local minted = api.decode(login.refresh(login.account("scenario=story%3D" .. story.label)))
    local response = api.fetch { token = minted.access_token }
    assert.equal("kim@fabrikam.example", api.decode(response).items[1].upn)
  end)

  sandbox_it("refuses what has no effect, and unknown words, with the line", function()
    local kim = "2026-11-10 kim@fabrikam.example "
    for text, message in pairs {
      [kim .. "signs-in\n\n# a comment\n" .. kim .. "dances"] = "line 4: no such verb: dances",
      [kim .. "requests colour=red"] = "line 1: no such setting: colour",
      [kim .. "requests mfa=yes"] = "line 1: no such value: mfa=yes",
      [kim .. "requests empty"] = "line 1: no such preset: empty",
      [kim] = "line 1: a line is TIME WHO VERB",
      ["2026-02-29 kim@fabrikam.example signs-in"] = "line 1: no such time: 2026-02-29",
      ["2026-11-10T09:00 kim@fabrikam.example signs-in"] = "line 1: no such time: 2026-11-10T09:00",
      ["2026-11-10 kim signs-in"] = "line 1: not a person (NAME@DOMAIN): kim",
      [kim .. "sends status=503"] = "line 1: only the service sends",
      [kim .. "requests count=2"] = "line 1: say two of count, every and until",
      [kim .. "requests count=2; every=1d; until=2026-11-12"] =
        "line 1: say two of count, every and until",
      [kim .. "requests count=2; until=2026-11-10"] =
        "line 1: until is not after the time of the line",
      [kim .. "signs-in\n" .. kim .. "signs-in"] = "line 2: the same as line 1",
      [kim .. "deleted"] = "line 1: nobody has this upn: kim@fabrikam.example",
      [kim .. "signs-in\n" .. kim .. "renamed"] = "line 2: renamed needs to",
      [kim .. "signs-in\n2026-11-10 lee@fabrikam.example signs-in\n" .. kim
        .. "renamed to=lee@fabrikam.example"] =
        "line 3: somebody has this upn: lee@fabrikam.example",
      [kim .. "known"] = "line 1: known needs id or home",
      ["2026-11-10 service sends only=requests"] = "line 1: sends needs a setting",
      ["2026-11-10 service sends bytes=3"] = "line 1: bytes needs body",
      ["2026-11-10 service sends records=3"] = "line 1: records has no effect with story",
      ["2026-11-10 service sends story=x"] = "line 1: no such setting: story",
    } do
      assert.equal("400 sandbox: " .. message .. "\n", refusal(text))
    end
    assert.is_nil(settings.check { newest = 3 })
    assert.same({ nil, "only needs a fault or newest" }, { settings.check { only = "requests" } })
    assert.same({ nil, "records has no effect with story" },
                { settings.check { records = 3, story = "x" } })
  end)

  sandbox_it("must have been told", function()
    local response = api.fetch_with "story=never"
    assert.same({ 400, "sandbox: no such story: never\n" }, { response.status, response.body })
    for path, message in pairs {
      ["clock?label=never&now=2026-11-10"] = "no such story: never",
      ["clock?now=2026-11-10"] = "a story needs POST, label and one value of each parameter",
    } do
      response = api.fetch { path = "/_sandbox/story/" .. path, token = false,
                             args = { "-X", "POST" } }
      assert.same({ 400, "sandbox: " .. message .. "\n" }, { response.status, response.body })
    end
    assert.equal(400, api.fetch({ path = "/_sandbox/story?label=never", token = false }).status)
    local story = tell "2026-11-10 kim@fabrikam.example signs-in"
    response = api.fetch { path = "/_sandbox/story/clock?now=noon&label=" .. story.label,
                           token = false, args = { "-X", "POST" } }
    assert.same({ 400, "sandbox: no such time: noon\n" }, { response.status, response.body })
  end)
end)

-- The commands of an example, as one script, and the output that it shows.
local function example_of(text)
  local script, output = {}, {}
  for line in text:gmatch("    ([^\n]*)") do
    local command = line:match("^[$>] (.*)$")
    local into = command and script or output
    into[#into + 1] = command or line
  end
  assert(table.remove(script, 1) == "sandbox/run bash")
  return table.concat(script, "\n"), table.concat(output, "\n") .. "\n"
end

describe("the section about days in the sandbox's README", function()
  local section = files.slurp("sandbox/README.md"):match("\n## Days\n(.-)\n## ")

  sandbox_it("has an example that runs", function()
    local script, output = example_of(section)
    script = ('pcapi() { %s bin/pcapi "$@"; }\n'):format(sandbox.lua) .. script
    local shown = curl.shell("HOME=/nonexistent bash -c " .. curl.quote(script) .. " 2>/dev/null")
    assert.equal(output, (shown:gsub("\r", ""))) -- CSV has CRLF
  end)

  it("names every verb and what it can say", function()
    for _, words in ipairs { "signs-in", "requests app=", "mfa=", "ip=", "operation=", "count=",
                             "every=", "until=", "renamed to=", "deleted", "known id=", "home=",
                             "service sends", "tenant=" } do
      assert.truthy(section:find(words, 1, true), words)
    end
  end)
end)
