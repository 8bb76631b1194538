--- The command with a standard stream that is full, closed, or a broken pipe.
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local homes = require "spec.support.home"
local sandbox = require "spec.support.sandbox"

local FULL = "No space left on device"

local home, output

before_each(function()
  home = folder.new()
  output = home .. "/output"
end)

teardown(folder.remove)

-- `words` are arguments and redirections, as the shell reads them.
local function run(words, scenario)
  return sandbox.shell(("HOME=%s XDG_STATE_HOME= XDG_CONFIG_HOME= PCAPI_TOKEN=%s %s bin/pcapi %s")
    :format(home, sandbox.token { scenario = scenario }, sandbox.lua, words))
end

local function sign_in()
  local result = sandbox.shell(("HOME=%s XDG_STATE_HOME= XDG_CONFIG_HOME= %s bin/pcapi -q login "
    .. "--tenant contoso.example --client-id %s"):format(home, sandbox.lua, homes.CLIENT))
  assert(result.status == 0, result.err)
end

local WRITERS = {
  "--help", "-h", "--version", "non-mfa --help", "adoption -h", "requests --help", "login --help",
  "logout --help", "status --help", "doctor --help", "config --help", "config show --help",
  "", "help", "version",
  "completion --help", "completion bash", "completion zsh", "completion fish",
  "completion bash -- st",
  "config show", "config show --json", "status", "status --json", "doctor", "doctor --json",
  "non-mfa", "non-mfa -o json", "non-mfa -o jsonl", "non-mfa -o csv", "adoption", "requests",
}

describe("standard output that is full", function()
  for _, words in ipairs(WRITERS) do
    it("ends `" .. words .. "` with status 1 and a message", function()
      local result = run(words .. " >/dev/full")
      assert.equal(1, result.status, result.err)
      assert.truthy(result.err:find("cannot write to standard output: " .. FULL, 1, true),
        result.err)
      assert.equal(1, select(2, result.err:gsub("\n", "\n")), result.err)
    end)
  end

  it("ends commands with --all-profiles with status 1 and a message", function()
    sign_in()
    for _, words in ipairs { "status --all-profiles", "status --all-profiles --json",
                             "non-mfa --all-profiles -o csv" } do
      local result = run(words .. " >/dev/full")
      assert.equal(1, result.status, result.err)
      assert.truthy(result.err:find(FULL, 1, true), result.err)
    end
  end)
end)

describe("standard output that breaks during a long list", function()
  local COMMAND = "PCAPI_TOKEN=%s %s bin/pcapi non-mfa -o %s"

  local function broken(format, trap)
    local token = sandbox.token { scenario = "records=20000" }
    return sandbox.shell(("%s { %s; echo $? >%s; } | head -n 1"):format(trap,
      COMMAND:format(token, sandbox.lua, format), output))
  end

  for _, format in ipairs { "table", "json", "jsonl", "csv" } do
    it("ends the command like other tools if it writes " .. format, function()
      local result = broken(format, "")
      assert.same({ "141\n", "" }, { files.slurp(output), result.err }) -- by SIGPIPE
      assert.truthy(result.out:find "^[^\n]+\n$")
    end)

    it("is an error if SIGPIPE is ignored and the command writes " .. format, function()
      local result = broken(format, "trap '' PIPE;")
      assert.equal("1\n", files.slurp(output))
      assert.equal("pcapi: cannot write to standard output: Broken pipe\n", result.err)
    end)
  end
end)

describe("standard error that is full or closed", function()
  for _, redirection in ipairs { "2>/dev/full", "2>&-" } do
    it("changes neither status nor output: " .. redirection, function()
      local cases = {
        { 0, "--trace non-mfa -o csv" }, { 0, "--trace non-mfa" }, { 0, "adoption" },
        { 0, "config show" }, { 2, "non-mfa --bogus" }, { 2, "-q" }, { 0, "" },
        { 1, "--ca-file /none non-mfa" },
        { 4, "--trace non-mfa", "mfa=900421" },
        { 6, "--trace --timeout 1 non-mfa", "delay=30" },
      }
      for _, case in ipairs(cases) do
        local plain, other = run(case[2], case[3]), run(case[2] .. " " .. redirection, case[3])
        assert.same({ case[1], plain.out }, { other.status, other.out }, case[2])
      end
    end)
  end
end)

describe("closed standard streams", function()
  local CLOSED = { "<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-" }

  -- output written to a connection would be bytes that the sandbox cannot read
  for _, closed in ipairs(CLOSED) do
    it("are not reused for connections: " .. closed, function()
      for _, words in ipairs { "--trace non-mfa -o csv", "--trace requests", "--trace doctor" } do
        local plain, result = run(words), run(words .. " " .. closed)
        local has_output = not closed:find(">&-", 1, true) or closed:find "^[^>]*2>&%-$" ~= nil
        assert.equal(has_output and 0 or 1, result.status, words .. ": " .. result.err)
        if words:find "csv" then
          assert.equal(has_output and plain.out or "", result.out)
        end
        if not has_output and not closed:find("2>", 1, true) then
          assert.truthy(result.err:find("cannot write to standard output: Bad file descriptor", 1,
            true), result.err)
        end
      end
    end)
  end

  it("are not reused for files", function()
    for _, closed in ipairs { "<&-", "<&- >&- 2>&-" } do
      os.execute("rm -rf " .. home .. "/.local")
      local result = sandbox.shell(("HOME=%s XDG_STATE_HOME= XDG_CONFIG_HOME= %s bin/pcapi --trace "
        .. "login --tenant contoso.example --client-id %s %s")
        :format(home, sandbox.lua, homes.CLIENT, closed))
      assert.equal(0, result.status, closed .. ": " .. result.err)
      local stored = curl.shell("cat " .. home .. "/.local/state/pcapi/*.json")
      assert.truthy(stored:find "^{.*}%s*$", closed .. ": " .. stored)
    end
  end)

  it("provide no token and no list, and the message says why", function()
    for _, words in ipairs { "--token-stdin non-mfa", "--token-stdin status",
                             "non-mfa --tenants -" } do
      local result = run(words .. " <&-")
      assert.is_true(result.status == 4 or result.status == 2, result.err)
      assert.truthy(result.err:find("standard input cannot be read: Bad file descriptor", 1, true),
        result.err)
    end
  end)

  it("still fail to read and write", function()
    local result = sandbox.shell(sandbox.lua .. [[ -e '
      local core = require "pcapi.core"
      core.guard_descriptors()
      assert(io.stdin:read(1) == nil)
      local file = io.open("]] .. output .. [[", "w")
      file:write(tostring(io.stdout:write("x") and io.stdout:flush()), " ",
        tostring(io.stderr:write("x")))
      file:close()' <&- >&- 2>&-]])
    assert.equal(0, result.status)
    assert.equal("nil nil", files.slurp(output))
  end)

  it("are not touched if they are open", function()
    local result = sandbox.shell(("echo word | %s -e '%s'"):format(sandbox.lua,
      'require("pcapi.core").guard_descriptors() print(io.read())'))
    assert.same({ "word\n", "" }, { result.out, result.err })
  end)
end)
