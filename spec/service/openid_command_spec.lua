--- The command at an independent OpenID provider (npm oidc-provider), which revokes a sign-in whose
-- refresh token is sent twice.
local homes = require "spec.support.home"
local oidc = require "spec.support.oidc"
local sandbox = require "spec.support.sandbox"

local home, provider

setup(function()
  provider = oidc.start()
end)

teardown(function()
  provider:stop()
end)

before_each(function()
  home = homes.new()
end)

after_each(function()
  home:remove()
end)

local function environment(more)
  return sandbox.merged({ PCAPI_LOGIN_URL = provider.url }, more)
end

-- A program that signs in at the provider, as a user with a browser does.
local function browser()
  local path = home:write("browser", ('#!/bin/sh\nexec %s spec/support/browse.lua %s "$1"\n')
    :format(sandbox.lua, provider.url))
  os.execute("chmod +x " .. path)
  return path
end

-- Signs in on a terminal, whose user is asked for the client ID. The sandbox's service accepts only
-- tokens of its own, so the last step fails.
local function sign_in()
  local result = home:run_on_terminal({ "--timeout", "30", "login", "--tenant", provider.tenant },
    environment { BROWSER = browser() }, oidc.CLIENT .. "\n")
  assert.matches("signed in as user@fabrikam.example", result.screen, 1, true)
  return result.screen
end

local function refresh_token(given)
  local result = home:run({ "token", "--refresh-token" }, environment(given and {
    PCAPI_REFRESH_TOKEN = given, PCAPI_TENANT = provider.tenant, PCAPI_CLIENT_ID = oidc.CLIENT }))
  return result.status == 0 and result.out:match "^%S+" or nil, result
end

describe("pcapi login at an OpenID provider", function()
  it("asks, uses a browser, and tests each step", function()
    local screen = sign_in()
    assert.matches("Client ID: ", screen, 1, true)
    local _, failed = screen:gsub("failed: ", "")
    assert.equal(1, failed, screen)
    assert.matches("failed: call: unauthorized: Access denied", screen, 1, true)
    local status = home:run({ "status" }, environment())
    assert.equal(0, status.status, status.err)
    assert.matches("MFA +yes", status.out)
  end)
end)

describe("pcapi token at an OpenID provider", function()
  it("hands on the newest refresh token, each of which is sent once", function()
    sign_in()
    local first = assert(refresh_token())
    local second = assert(refresh_token(first))
    assert.not_equal(first, second)
    local third = assert(refresh_token(second))
    assert.not_equal(second, third)
    local none, result = refresh_token(first)
    assert.is_nil(none)
    assert.same({ 4, "" }, { result.status, result.out })
    assert.matches("Sign in again: replace PCAPI_REFRESH_TOKEN", result.err, 1, true)
  end)
end)
