--- Every example of the README and the guides runs unchanged, in its own process; only the
-- addresses are those of the sandbox.
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local sandbox = require "spec.support.sandbox"

local CLIENT = "00000000-0000-0000-0000-000000000000"

-- The examples need a sign-in.
local home

local function run(command)
  return sandbox.shell(("export HOME=%s; unset XDG_STATE_HOME XDG_CONFIG_HOME; %s"):format(home,
    command))
end

local function run_pcapi(words)
  return run(("env -u PCAPI_TOKEN %s bin/pcapi %s"):format(sandbox.lua, words))
end

-- Redirects the addresses of an example to the sandbox.
local PRELUDE = [[
local pcapi = require "pcapi"
local function redirect(place, name, settings)
  local original = place[name]
  place[name] = function(options)
    for key, value in pairs(settings) do
      options[key] = os.getenv(value)
    end
    return original(options)
  end
end
redirect(pcapi, "new", { base_url = "PCAPI_BASE_URL", ca_file = "PCAPI_CA_FILE" })
for _, name in ipairs { "refresh_token", "device_code" } do
  redirect(pcapi.auth, name, { login_url = "PCAPI_LOGIN_URL" })
end
]]

setup(function()
  home = curl.shell("mktemp -d"):match "%S+"
  local file = assert(io.open(home .. "/prelude.lua", "w"))
  file:write(PRELUDE)
  file:close()
  local result = run_pcapi("login --tenant fabrikam.onmicrosoft.com --client-id " .. CLIENT)
  assert(result.status == 0, result.err)
end)

teardown(function()
  os.execute("rm -rf " .. home)
end)

local examples = files.examples

local function run_lua(code)
  local file = assert(io.open(home .. "/example.lua", "w"))
  file:write(code)
  file:close()
  local seed = curl.fetch { url = sandbox.url .. "/_sandbox/refresh_token?client_id=" .. CLIENT }
  return run(("PCAPI_CLIENT_SECRET=some PCAPI_REFRESH_TOKEN=%s %s %s/example.lua"):format(seed.body,
    sandbox.lua .. " -e 'dofile \"" .. home .. "/prelude.lua\"'", home))
end

-- the last one signs out
for _, path in ipairs { "README.md", "docs/command.md", "docs/library.md", "docs/development.md",
                        "docs/concurrency.md", "docs/sign-in.md" } do
  describe(path, function()
    for number, code in ipairs(examples(path, "lua")) do
      it("has a Lua example " .. number .. " that runs and prints", function()
        local result = run_lua(code)
        assert.same({ 0, "" }, { result.status, result.err })
        assert.is_true(#result.out > 0)
      end)
    end

    for _, block in ipairs(examples(path, "sh")) do
      for line in block:gmatch "[^\n]+" do
        local command = line:gsub("%s+#.*$", ""):gsub("^sudo ", "")
        if command:find "^pcapi " then
          it("has the command line " .. command, function()
            local result = run_pcapi((command:gsub("^pcapi ", ""):gsub(">%s*%S+$", "")))
            assert.equal(0, result.status, result.err)
          end)
        elseif command:find "^make" then
          it("names the target of " .. command, function()
            assert.equal(0, sandbox.shell(command:gsub("^make", "make -n")).status)
          end)
        else
          it("has a command line that this spec cannot run: " .. command, function()
            error "teach this spec how to run it"
          end)
        end
      end
    end

    for _, block in ipairs(examples(path, "crontab")) do
      local line = block:match "^%S+ %S+ %S+ %S+ %S+ ([^\n]+)$"

      -- with sh and only HOME, like cron; only the sandbox differs
      local function run_as_cron(environment)
        return run(("env -u PCAPI_TOKEN PATH=/usr/bin:/bin %s sh -c %s"):format(environment or "",
          curl.quote((line:gsub("/usr/local/bin/pcapi", sandbox.lua .. " bin/pcapi")))))
      end

      it("has a cron line that replaces a list, and mails nothing: " .. line, function()
        local result = run_as_cron()
        assert.same({ 0, "", "" }, { result.status, result.out, result.err })
        assert.truthy(files.slurp(home .. "/non-mfa.csv"):find "^upn,")
        assert.is_false(files.exists(home .. "/new.csv"))
      end)

      it("has a cron line that keeps the list if it fails, and mails the reason", function()
        assert.equal(0, run_as_cron().status)
        local before = files.slurp(home .. "/non-mfa.csv")
        local result = run_as_cron("PCAPI_TIMEOUT=1 PCAPI_BASE_URL="
          .. sandbox.env "PCAPI_SANDBOX_CLOSED_URL")
        assert.equal(6, result.status)
        assert.truthy(result.err:find("network", 1, true), result.err)
        assert.equal(before, files.slurp(home .. "/non-mfa.csv"))
      end)

      it("has a cron line without %, which cron would take for a line end", function()
        assert.is_nil(line:find("%", 1, true))
      end)
    end

    for _, block in ipairs(examples(path, "ini")) do
      it("has a configuration file that can be read", function()
        local file = assert(io.open(home .. "/config", "w"))
        file:write(block)
        file:close()
        local result = run_pcapi("--config " .. home .. "/config --profile contoso config show")
        assert.equal(0, result.status, result.err)
        assert.truthy(result.out:find("contoso.onmicrosoft.com", 1, true))
      end)
    end
  end)
end
