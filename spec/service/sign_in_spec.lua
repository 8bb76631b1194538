--- Signing in and staying signed in, against the sandbox's sign-in service.
local auth = require "pcapi.auth"
local contexts = require "pcapi.auth.context"
local core = require "pcapi.core"
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local sandbox = require "spec.support.sandbox"

local pcapi = sandbox.library

local CLIENT = "client"

local function new_directory()
  return curl.shell("mktemp -d"):match "%S+"
end

local directory, tenant

before_each(function()
  directory = new_directory()
  tenant = "t" .. core.uuid() .. ".example"
end)

after_each(function()
  os.execute("rm -rf " .. directory)
end)

local function login_url(settings)
  return sandbox.url .. "/login/" .. (settings or "-")
end

-- A refresh token, as of a former sign-in.
local function new_refresh_token()
  return curl.fetch { url = sandbox.url .. "/_sandbox/refresh_token?client_id=" .. CLIENT }.body
end

local function account(settings, options)
  local all = {
    tenant = tenant, client_id = CLIENT, login_url = login_url(settings),
    refresh_token = new_refresh_token(), store = auth.file_store(directory), account = "spec",
    how_to_sign_in = "pcapi login --profile spec",
  }
  for name, value in pairs(options or {}) do
    all[name] = value or nil
  end
  return auth.refresh_token(all)
end

local function client(provider, options)
  local all = { auth = provider, base_url = sandbox.url, ca_file = sandbox.ca_file, timeout = 20,
                retry = { base = 0.01, cap = 0.05 } }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  return pcapi.new(all)
end

-- The number of refresh requests.
local function refreshes(settings)
  local log = pcapi.fetch(sandbox.url .. "/_sandbox/log?login=" .. (settings or "-") .. "/"
    .. tenant, { ca_file = sandbox.ca_file }).json
  local count = 0
  for _, entry in ipairs(log) do
    count = count + (entry.grant_type == "refresh_token" and 1 or 0)
  end
  return count
end

local function context()
  return contexts.new { transport = sandbox.transport(), timeout = 20 }
end

describe("a client with a refresh token", function()
  it("requests an access token once for many calls", function()
    local made = client(account())
    for _ = 1, 3 do
      assert(made.security:non_mfa_principals())
    end
    assert.equal(1, refreshes())
  end)

  it("uses what another client has stored", function()
    assert(client(account()).security:non_mfa_principals())
    assert(client(account(nil, { refresh_token = false })).security:non_mfa_principals())
    assert.equal(1, refreshes())
  end)

  for _, version in ipairs { "v1", "v2" } do
    it("signs in at version " .. version .. " of the endpoint", function()
      assert(client(account(nil, { oauth_version = version })).security:non_mfa_principals())
    end)
  end

  for name, settings in pairs {
    ["as strings"] = "expires=string;life=900", ["as numbers"] = "expires=number;life=900",
  } do
    it("reads times " .. name, function()
      local made = account(settings)
      assert(made:token(nil, context()))
      local known = made:status()
      assert.equal(900, known.expires_at - known.obtained_at)
    end)
  end

  it("keeps the refresh token if a response has none", function()
    local first = new_refresh_token()
    assert(account("rotate=0", { refresh_token = first }):token(nil, context()))
    assert.truthy(files.slurp(directory .. "/spec.json"):find(first, 1, true))
  end)

  it("stores the new refresh token of a response", function()
    local first = new_refresh_token()
    assert(account(nil, { refresh_token = first }):token(nil, context()))
    assert.is_nil(files.slurp(directory .. "/spec.json"):find(first, 1, true))
  end)

  it("renews and resends once after a 401 in the middle of a list", function()
    local made = client(account("scenario=page%3D5%3Brevoke_after%3D3"))
    local users = assert(made.security:non_mfa_principals())
    assert.equal(25, #users)
    assert.equal(2, refreshes("scenario=page%3D5%3Brevoke_after%3D3"))
  end)

  it("renews once for one call", function()
    local made = client(account("scenario=status%3D401"))
    local users, err = made.security:non_mfa_principals()
    assert.is_nil(users)
    assert.equal("unauthorized", err.kind)
    assert.equal(2, refreshes("scenario=status%3D401"))
  end)

  for _, skew in ipairs { "600", "-600" } do
    it("works where the service's clock differs by " .. skew .. " s", function()
      assert(client(account("skew=" .. skew)).security:non_mfa_principals())
    end)
  end

  it("does not retry after a refusal for lack of MFA, and says how to sign in", function()
    local users, err = client(account("amr=pwd")).security:non_mfa_principals()
    assert.is_nil(users)
    assert.equal("mfa_required", err.kind)
    assert.equal("Sign in again with MFA: pcapi login --profile spec", err.hint)
    assert.equal(1, refreshes("amr=pwd"))
  end)

  it("does not send an app-only token", function()
    local users, err = client(account("app_only=1")).security:non_mfa_principals()
    assert.is_nil(users)
    assert.equal("forbidden", err.kind)
    assert.is_nil(err.status)
  end)

  it("retries while the sign-in service is busy", function()
    local settings = "status=503;times=2"
    assert(client(account(settings)).security:non_mfa_principals())
    assert.equal(3, refreshes(settings))
  end)

  for name, settings in pairs {
    ["a page of a proxy"] = "body=html", ["nothing"] = "body=empty", ["garbage"] = "body=garbage",
    ["half of a response"] = "body=truncated",
  } do
    it("returns a protocol error for " .. name .. " in place of a response", function()
      local token, err = account(settings):token(nil, context())
      assert.is_nil(token)
      assert.equal("protocol", err.kind)
      assert.truthy(err.hint:find("login_url", 1, true))
    end)
  end
end)

describe("an error of the sign-in service", function()
  for code, expected in pairs {
    [50076] = { "mfa_required", "Sign in again with MFA: pcapi login --profile spec" },
    [50173] = { "sign_in_required", "Sign in again: pcapi login --profile spec" },
    [700082] = { "sign_in_required", "Sign in again: pcapi login --profile spec" },
    [53003] = { "forbidden", "policy" },
    [65001] = { "consent_required", "Consent" },
    [7000215] = { "invalid_client", "client secret" },
    [7000222] = { "invalid_client", "has expired" },
    [90002] = { "config", "Wrong tenant or cloud" },
    [90033] = { "server", "later" },
  } do
    it("with AADSTS" .. code .. " has a kind and one next step", function()
      local token, err = account("aadsts=" .. code):token(nil, {
        transport = context().transport, clock = os.time, random = function() return 0 end,
        deadline = core.now() + 0.4,
      })
      assert.is_nil(token)
      assert.same({ expected[1], "AADSTS" .. code }, { err.kind, err.code })
      assert.truthy(err.hint:find(expected[2], 1, true), err.hint)
      assert.is_nil(tostring(err):find("Trace ID", 1, true))
    end)
  end

  it("has the claims of a challenge", function()
    local _, err = account("aadsts=50076"):token(nil, context())
    assert.truthy(err.claims:find("access_token", 1, true))
  end)
end)

describe("many processes", function()
  it("that need a token at once send exactly one refresh request", function()
    assert(account():token(nil, context()))
    local store = auth.file_store(directory)
    store:set("spec", (store:get "spec":gsub('"expires_at":%d+', '"expires_at":1000')))
    local result = sandbox.shell(("for i in $(seq 50); do PCAPI_LOGIN_URL=%s %s "
      .. "spec/support/renew.lua %s %s & done; wait"):format(login_url(), sandbox.lua, directory,
      tenant))
    assert.equal(("ok\n"):rep(50), result.out)
    assert.equal(1 + 1, refreshes())
  end)

  -- KILLS: how many; `make kill` sets 1,000
  it("leave a readable store and a valid refresh token whenever they are killed", function()
    local kills = tonumber(os.getenv "KILLS") or 25
    assert(account():token(nil, context()))
    local heir = account(nil, { refresh_token = false })
    local waiting = context()
    local survived = 0
    for _ = 1, kills do
      local begun = directory .. "/begun"
      os.remove(begun)
      local result = sandbox.shell(("PCAPI_LOGIN_URL=%s %s spec/support/renew.lua %s %s for-ever "
        .. ">%s & until [ -s %s ]; do sleep 0.002; done; sleep %.4f; kill -9 $!; wait $!"):format(
        login_url(), sandbox.lua, directory, tenant, begun, begun, 0.03 * core.random()))
      assert.equal(137, result.status, result.err) -- it ran until then
      local known = assert(heir:status())
      heir:look_again() -- so that it has to send the stored refresh token
      waiting.deadline = core.now() + 20
      local token = assert(heir:token(heir:token(nil, waiting), waiting))
      survived = survived + (token and known and 1 or 0)
    end
    assert.equal(kills, survived)
    assert.is_true(refreshes() > 2 * kills) -- each process and its heir renewed
  end)
end)

describe("a store that fails", function()
  local function store_error(provider, before)
    local token, err = provider:token(nil, context())
    assert.is_nil(token)
    assert.equal("store", err.kind, tostring(err))
    assert.equal(before, refreshes())
    return err
  end

  it("on a full disk sends no refresh token, and loses nothing", function()
    -- the limit of a file's size stands for a full disk
    local first = new_refresh_token()
    assert(account(nil, { refresh_token = first }):token(nil, context()))
    local stored = files.slurp(directory .. "/spec.json")
    local store = auth.file_store(directory)
    store:set("spec", (stored:gsub('"expires_at":%d+', '"expires_at":1000')))
    local expired = files.slurp(directory .. "/spec.json")
    local result = sandbox.shell(("(ulimit -f 1; trap '' XFSZ; dd if=/dev/zero of=%s/fill "
      .. "bs=1024 count=1 2>/dev/null; PCAPI_LOGIN_URL=%s %s spec/support/renew.lua %s %s)")
      :format(directory, login_url(), sandbox.lua, directory, tenant))
    assert.truthy(result.out:find("^store: "), result.out .. result.err)
    assert.equal(expired, files.slurp(directory .. "/spec.json"))
    assert.equal(1, refreshes())
  end)

  it("with a text that cannot be read is not changed", function()
    assert(account():token(nil, context()))
    local store = auth.file_store(directory)
    store:set("spec", '{"version":1,"refresh')
    local err = store_error(account(), 1)
    assert.truthy(err.message:find("it was not changed", 1, true))
    assert.truthy(err.hint:find("pcapi login --profile spec", 1, true))
    assert.equal('{"version":1,"refresh', store:get "spec")
  end)

  for name, path in pairs { ["a file"] = "/spec.json", ["a folder"] = "" } do
    it("for " .. name .. " that other users can read says what to do", function()
      assert(account():token(nil, context()))
      os.execute("chmod go+rx " .. directory .. path)
      local err = store_error(account(), 1)
      assert.truthy(err.hint:find("Run: chmod", 1, true))
    end)
  end
end)
