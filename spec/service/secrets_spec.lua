--- No token, secret or key is shown to a user or a log: not in the output of commands, their
-- traces, the process list, errors or objects, in all flows, in success and in failure.
local auth = require "pcapi.auth"
local contexts = require "pcapi.auth.context"
local core = require "pcapi.core"
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local holds = require "spec.support.holds"
local sandbox = require "spec.support.sandbox"

local pcapi = sandbox.library

local SECRET = "S3cret/with+signs="
local PASSPHRASE = "open sesame 4711"

local home, keys, sampler

setup(function()
  keys = curl.shell("mktemp -d"):match "%S+"
  local file = assert(io.open(keys .. "/passphrase", "w"))
  file:write(PASSPHRASE, "\n")
  file:close()
  -- from the file: the same specs may run at the same time, and look at all processes
  curl.shell(("cd %s && openssl req -x509 -newkey rsa:2048 -days 2 -subj /CN=x "
    .. "-passout file:passphrase -keyout key.pem -out certificate.pem 2>&1"):format(keys))
end)

teardown(function()
  os.execute("rm -rf " .. keys)
end)

before_each(function()
  home = curl.shell("mktemp -d"):match "%S+"
  -- samples the arguments of every process; for a minute or so at most, if these specs are
  -- killed
  sampler = curl.shell(([[setsid sh -c 'for i in $(seq 3000); do sleep 0.01; ]]
    .. [[cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\0" " " >>%s/processes; ]]
    .. [[done' >/dev/null 2>&1 & echo $!]]):format(home)):match "%d+"
end)

after_each(function()
  -- all of its processes: a remaining one would write into the removed folder
  os.execute(("kill -- -%s; while pgrep -r D,R,S,T -g %s >/dev/null; do sleep 0.01; done; "
    .. "rm -rf %s"):format(sampler, sampler, home))
end)

local function login_url(settings)
  return sandbox.url .. "/login/" .. (settings or "-")
end

-- All secrets: those of the options, and those in the store.
local function secrets(given)
  local all = { SECRET, PASSPHRASE }
  for _, secret in ipairs(given or {}) do
    all[#all + 1] = secret
  end
  for line in files.slurp(keys .. "/key.pem"):gmatch "[^\n]+" do
    all[#all + 1] = not line:find "^%-" and line or nil
  end
  local stored = curl.shell("cat " .. home .. "/.local/state/pcapi/*.json 2>/dev/null")
  for name, value in stored:gmatch '"([%w_]+)":"([^"]+)"' do
    if name == "access_token" or name == "refresh_token" then
      all[#all + 1] = value:gsub("\\/", "/")
    end
  end
  return all
end

local function new_refresh_token()
  return curl.fetch { url = sandbox.url .. "/_sandbox/refresh_token?client_id=client" }.body
end

-- The forms in which a secret may appear: as it is, and percent-encoded.
local function forms(secret)
  return { secret, require("pcapi.url").escape(secret) }
end

local function shows_nothing(text, given)
  for _, secret in ipairs(secrets(given)) do
    for _, form in ipairs(forms(secret)) do
      local at = text:find(form, 1, true)
      assert.is_nil(at, at and "a secret is shown behind " .. text:sub(math.max(1, at - 80),
        at - 1))
    end
  end
end

local function browser()
  local path = home .. "/browser"
  local file = assert(io.open(path, "w"))
  file:write("#!/bin/sh\nexec ", curl.COMMAND, " -sL --noproxy '*' --cacert ",
    sandbox.env "PCAPI_SANDBOX_CA", ' "$1" >/dev/null\n')
  file:close()
  os.execute("chmod +x " .. path)
  return path
end

-- The environment is read from a file: on a command line the process list would show it.
local function run(arguments, environment)
  local all = { HOME = home, PCAPI_LOGIN_URL = login_url(), PCAPI_TENANT = "t.example",
                PCAPI_CLIENT_ID = "client", BROWSER = browser() }
  local file = assert(io.open(home .. "/environment", "w"))
  file:write "unset PCAPI_TOKEN XDG_STATE_HOME XDG_CONFIG_HOME\n"
  for _, part in ipairs { all, environment or {} } do
    for name, value in pairs(part) do
      file:write("export ", name, "=", curl.quote(value), "\n")
    end
  end
  file:close()
  local words = {}
  for i, argument in ipairs(arguments) do
    words[i] = curl.quote(argument)
  end
  local result = sandbox.shell((". %s/environment; %s bin/pcapi %s </dev/null"):format(home,
    sandbox.lua, table.concat(words, " ")))
  return result.out .. result.err, result.status
end

local CERTIFICATE = { "--certificate", "CERTIFICATE", "--certificate-key", "KEY",
                      "--key-passphrase-file", "PASSPHRASE" }

local function with_certificate(...)
  local places = { CERTIFICATE = "/certificate.pem", KEY = "/key.pem", PASSPHRASE = "/passphrase" }
  local arguments = {}
  for _, word in ipairs(CERTIFICATE) do
    arguments[#arguments + 1] = places[word] and keys .. places[word] or word
  end
  for _, word in ipairs { ... } do
    arguments[#arguments + 1] = word
  end
  return arguments
end

describe("a command shows no secret", function()
  local LATER = { { "--trace", "non-mfa", "-o", "json" }, { "status" }, { "status", "--json" },
                  { "--trace", "doctor" }, { "config", "show" } }

  local function all_of(login, environment)
    local text, status = run(login, environment)
    assert.equal(0, status, text)
    shows_nothing(text)
    for _, arguments in ipairs(LATER) do
      text, status = run(arguments, environment)
      assert.equal(0, status, text)
      shows_nothing(text)
    end
    local processes = files.slurp(home .. "/processes")
    assert.truthy(processes:find("bin/pcapi", 1, true), "no process was sampled")
    shows_nothing(processes)
  end

  it("in a sign-in by device code", function()
    all_of { "--trace", "login" }
  end)

  it("in a sign-in by browser, with a client secret", function()
    all_of({ "--trace", "login", "--browser" }, { PCAPI_CLIENT_SECRET = SECRET })
  end)

  it("in a sign-in by browser, with a certificate", function()
    all_of(with_certificate("--trace", "login", "--browser"))
  end)

  it("with a token of the environment", function()
    local token = sandbox.token()
    for _, arguments in ipairs(LATER) do
      shows_nothing(run(arguments, { PCAPI_TOKEN = token }), { token })
    end
    shows_nothing(files.slurp(home .. "/processes"), { token })
  end)

  it("with a refresh token of the environment", function()
    local refresh_token = new_refresh_token()
    for _, arguments in ipairs(LATER) do
      shows_nothing(run(arguments, { PCAPI_REFRESH_TOKEN = refresh_token }), { refresh_token })
    end
    shows_nothing(files.slurp(home .. "/processes"), { refresh_token })
  end)

  for _, settings in ipairs { "aadsts=50076", "aadsts=7000215", "deny=1", "body=html" } do
    it("if signing in fails with " .. settings, function()
      local login = with_certificate("--trace", "--timeout", "20", "login", "--browser")
      local text, status = run(login, { PCAPI_LOGIN_URL = login_url(settings) })
      assert.is_true(status ~= 0, text)
      shows_nothing(text)
      shows_nothing(files.slurp(home .. "/processes"))
    end)
  end

  for _, settings in ipairs {
    "aadsts=50076", "body=html", "cut=headers", "scenario=mfa%3D900421",
    "scenario=error%3DB%3Bstatus%3D401",
  } do
    it("if it fails with " .. settings, function()
      assert.equal(0, (select(2, run { "login", "--browser" })))
      for _, arguments in ipairs(LATER) do
        shows_nothing((run(arguments, { PCAPI_LOGIN_URL = login_url(settings),
                                        PCAPI_CLIENT_SECRET = SECRET })))
      end
      shows_nothing(files.slurp(home .. "/processes"))
    end)
  end
end)

-- A transport around the real one records every secret of every form and response, also those
-- that live for a moment.
describe("a flow shows no secret that it sends or receives", function()
  local IN_FORMS = { "code", "code_verifier", "device_code", "client_assertion", "client_secret",
                     "refresh_token", "state" }
  local IN_RESPONSES = { "device_code", "refresh_token", "access_token" }

  local function tapped(seen)
    local real = sandbox.transport()
    local function note(text)
      for _, name in ipairs(IN_FORMS) do
        for value in ("&" .. text):gmatch("[&?]" .. name .. "=([^&]+)") do
          seen[#seen + 1] = value
        end
      end
      for _, name in ipairs(IN_RESPONSES) do
        for value in text:gmatch('"' .. name .. '":"([^"]+)"') do
          seen[#seen + 1] = value:gsub("\\/", "/")
        end
      end
    end
    return setmetatable({
      send = function(_, request)
        note(request.body or "")
        local response, err = real:send(request)
        note(response and response.body or "")
        return response, err
      end,
    }, { __index = function(_, name)
      return real[name] and function(_, ...)
        return real[name](real, ...)
      end
    end }), note
  end

  local function flow(kind, settings, more)
    local seen, lines = {}, {}
    local transport, note = tapped(seen)
    local options = {
      tenant = "t" .. core.uuid(), client_id = "client", login_url = login_url(settings),
      store = auth.memory_store(),
      open = kind == "authorization_code" and function(address)
        note(address)
        os.execute(browser() .. " " .. curl.quote(address) .. " &")
      end or nil,
      on_code = kind == "device_code" and function() end or nil,
    }
    for name, value in pairs(more) do
      options[name] = value
    end
    local account = auth[kind](options)
    local function log(line)
      lines[#lines + 1] = line
    end
    local context = contexts.new {
      transport = require("pcapi.http.trace").new(transport, log), timeout = 4,
    }
    local token, err = account:sign_in(context)
    local client = pcapi.new { auth = account, base_url = sandbox.url, transport = transport,
                               trace = log, timeout = 4 }
    local users, failure = client.security:non_mfa_principals()
    local shown = table.concat(lines, "\n")
    assert.is_true(#seen > 0 and #lines > 0)
    for _, secret in ipairs(seen) do
      assert.is_nil(shown:find(secret, 1, true), "the trace shows " .. secret)
      assert.is_false(holds({ account, client, err or "", users or failure }, secret), secret)
    end
    return token ~= nil
  end

  local function certificate()
    return { certificate = keys .. "/certificate.pem", certificate_key = keys .. "/key.pem",
             key_passphrase = PASSPHRASE }
  end

  for _, kind in ipairs { "device_code", "authorization_code" } do
    it("in success: " .. kind, function()
      assert.is_true(flow(kind, "pending=0", { client_secret = SECRET }))
      assert.is_true(flow(kind, "pending=0;scenario=mfa%3D900421", certificate()))
    end)

    for _, settings in ipairs { "aadsts=50076", "body=html", "aadsts=7000215" } do
      it("if it fails with " .. settings .. ": " .. kind, function()
        assert.is_false(flow(kind, settings .. ";pending=0", certificate()))
      end)
    end
  end
end)

describe("an object shows no secret", function()
  it("of an account, its store, its client and their errors", function()
    local refresh_token = new_refresh_token()
    local lines = {}
    for _, settings in ipairs { "-", "aadsts=50076", "scenario=mfa%3D900421", "body=html" } do
      local store = auth.memory_store()
      local account = auth.refresh_token {
        tenant = "t" .. core.uuid(), client_id = "client", login_url = login_url(settings),
        certificate = keys .. "/certificate.pem", certificate_key = keys .. "/key.pem",
        key_passphrase = PASSPHRASE, refresh_token = refresh_token, store = store, account = "spec",
      }
      local client = pcapi.new {
        auth = account, base_url = sandbox.url, ca_file = sandbox.ca_file,
        trace = function(line) lines[#lines + 1] = line end,
      }
      local users, err = client.security:non_mfa_principals()
      local token = account:token(nil, contexts.new { transport = sandbox.transport() })
      local entry = store:get "spec"
      local given = { refresh_token, token, entry and entry:match '"refresh_token":"([^"]+)"' }
      for _, secret in ipairs(secrets(given)) do
        for _, form in ipairs(forms(secret)) do
          assert.is_false(holds({ account, store, client, users or err, account:status() }, form))
        end
      end
      shows_nothing(table.concat(lines, "\n"), given)
    end
  end)
end)
