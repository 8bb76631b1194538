--- Runs the examples of docs/nginx.md in a real nginx, with addresses and CA of the sandbox.
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local markdown = require "spec.support.markdown"
local nginx = require "spec.support.nginx"
local sandbox = require "spec.support.sandbox"
local summaries = require "spec.support.summaries"

local CLIENT = "00000000-0000-0000-0000-000000000000"

local examples = markdown.examples

local function to_sandbox(code)
  local function insert(text)
    return function(call)
      return call .. text
    end
  end
  return (code:gsub("pcapi%.new {", insert((" base_url = %q,"):format(sandbox.url)))
    :gsub("refresh_token {", insert((" login_url = %q,"):format(sandbox.env "PCAPI_LOGIN_URL")))
    :gsub("/etc/ssl/certs/ca%-certificates%.crt", sandbox.ca_file)
    :gsub('os%.getenv "PCAPI_CLIENT_SECRET"', '"some"')
    :gsub('os%.getenv "PCAPI_REFRESH_TOKEN"', function()
      return ("%q"):format(curl.fetch {
        url = sandbox.url .. "/_sandbox/refresh_token?client_id=" .. CLIENT }.body)
    end)
    :gsub('os%.getenv "PCAPI_TOKEN"', ("%q"):format(sandbox.token())))
end

-- Replaces lua-resty-http, which Debian does not have: the functions that the example uses, as its
-- documentation describes them.
local RESTY_HTTP = ([[
  package.path = package.path .. ";%s/examples/?.lua"
  package.loaded["resty.http"] = { new = function()
    return {
      set_timeouts = function(_, ...) assert(select("#", ...) == 3) end,
      request_uri = function(_, url, given)
        assert(given.ssl_verify)
        local response, err = require("pcapi.nginx").fetch(url, {
          method = given.method, headers = given.headers, body = given.body })
        response.headers["X-Resty"] = { "one", "two" }
        return response, err
      end,
    }
  end }
]]):format(files.lines_of "pwd -P"[1])

-- For the example with a profile.
local function sign_in(store)
  local result = sandbox.pcapi({ "login", "--tenant", "fabrikam.onmicrosoft.com", "--client-id",
    CLIENT }, { PCAPI_STORE = store, PCAPI_TOKEN = false })
  assert(result.status == 0, result.err)
end

-- A summary file with one new user.
local function new_summary()
  local place, now = folder.new(), os.time()
  os.execute("chmod 755 " .. place)
  summaries.write(place .. "/summary.json", {
    { at = now - 86400, users = {} }, { at = now, users = { { id = "kim", upn = "kim@x.example",
                                                             at = now } } },
  }, now)
  return place .. "/summary.json"
end

describe("docs/nginx.md", function()
  local server, store

  setup(function()
    store = folder.new()
    sign_in(store)
    local configuration = examples("docs/nginx.md", "nginx")
    local http = to_sandbox(table.remove(configuration, 1))
      :gsub("lua_ssl_verify_depth[^\n]+", ""):gsub("lua_socket_log_errors[^\n]+", "")
    local locations = table.concat(configuration, "\n")
    for number, code in ipairs(examples("docs/nginx.md", "lua")) do
      locations = locations .. ("\nlocation = /lua/%d { content_by_lua_block {\n%s\n%s\n%s\n} }\n")
        :format(number, RESTY_HTTP, 'local pcapi = require "pcapi.nginx"', to_sandbox(code)
          .. "\n" .. (code:find "local client" and "local shared" or "local client")
          .. "\nngx.say(client and #assert(client.security:non_mfa_principals()) or "
          .. "tostring(shared))")
    end
    locations = locations:gsub("/var/lib/pcapi%-summary/summary%.json", new_summary())
    server = nginx.start { http = http, server = (locations:gsub("pcapi%.new { profile",
      ("pcapi.new { base_url = %q, profile"):format(sandbox.url))), trusted = false, env = {
        "PCAPI_STORE=" .. store, "PCAPI_LOGIN_URL=" .. sandbox.env "PCAPI_LOGIN_URL" } }
  end)

  teardown(function()
    nginx.stop_all()
    folder.remove()
  end)

  it("has a location that lists the users", function()
    assert.matches("^25 users signed in without MFA, as of [%d.]+ sec", server:get("/users").body)
  end)

  it("has a location that counts requests", function()
    assert.truthy(server:get("/requests").body:find "^%d+\n$")
  end)

  it("has a gateway that refuses users on the list, and no others", function()
    local user = sandbox.client().security:non_mfa_principals()[1].upn
    local function status_for(name)
      return server:get("/portal", { args = { "--user", name .. ":some" } }).status
    end
    assert.same({ 200, 403 }, { status_for "kim@fabrikam.example", status_for(user) })
  end)

  it("has a location that lists who is new", function()
    assert.matches("^new since %d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ: kim@x%.example%. Require MFA",
      server:get("/new").body)
  end)

  it("has a store that machines share", function()
    assert.equal("the shared dictionary pcapi and Redis\n", server:get("/lua/1").body)
  end)

  it("has a client with a profile", function()
    assert.equal("25\n", server:get("/by-profile").body)
  end)

  it("has a client with another transport", function()
    assert.equal("25\n", server:get("/lua/2").body)
  end)
end)
