--- Runs each command line of the README and the guides against the sandbox. A line that can run
-- nowhere but on a user's own machine or account stands in the list below, with the reason.
local arguments = require "pcapi.cli.arguments"
local cjson = require("cjson").new()
local documented = require "spec.support.documented"
local files = require "spec.support.files"
local homes = require "spec.support.home"
local login = require "spec.support.login"
local markdown = require "spec.support.markdown"
local recorded = require "spec.support.recorded"
local sandbox = require "spec.support.sandbox"

local DOCUMENTS = files.lines_of "ls README.md docs/*.md examples/*/README.md"
local COMMANDS = { "options", "login", "logout", "status", "doctor", "token", "profiles list",
                   "profiles remove", "config show", "watch", "non-mfa", "adoption", "requests",
                   "explain", "report", "history show", "history export", "history import",
                   "history forget", "history prune", "history check", "history backup",
                   "metrics", "notify test", "notify pending", "notify send" }
local CLIENT = "00000000-0000-0000-0000-000000000000"

local CI = "CI runs it: it takes minutes, or changes files of this folder"
local CHROOT = "takes minutes, needs root and packages from the network"
local SYSTEM = "changes the system"
local PACKAGED = "make test-deb runs it, in a chroot"
local PACKAGES = "apt-get update && apt-get install -y --no-install-recommends ca-certificates "
local DOCKER = "needs Docker and images from a registry; make test-container runs the file's steps"
local NGINX = "concerns nginx of the system; make test-nginx-install runs it in a chroot"
local WINDOWS = "a command of Windows"
local POSTGRES = "needs a PostgreSQL on another machine; postgres_feed_spec.lua runs it"
local UNITS = "sudo cp /usr/local/share/pcapi/postgresql/pcapi-load.service "
local CANNOT_RUN = {
  ["pcapi history import host1.sqlite --tenant contoso"] = "needs the history of another machine; "
    .. "history_import_spec.lua imports one",
  ["createdb --encoding=UTF8 --locale=C.UTF-8 --template=template0 pcapi"] = POSTGRES,
  ["psql -Xq -d pcapi -f /usr/local/share/pcapi/postgresql/schema.sql"] = POSTGRES,
  ["psql -Xq service=pcapi -f /usr/local/share/pcapi/postgresql/load.sql"] = POSTGRES,
  [UNITS .. "/usr/local/share/pcapi/postgresql/pcapi-load.timer /etc/systemd/system/"] = SYSTEM,
  ["sudo systemctl enable --now pcapi-load.timer"] = SYSTEM,
  ["make test"] = "this spec is part of it",
  ["make lint"] = CI, ["make docs"] = CI, ["make types"] = CI, ["make sanitize"] = CI,
  ["make valgrind"] = CI, ["make fuzz"] = CI, ["make test-page"] = CI, ["make test-bare"] = CI,
  ["make test-cjson"] = CI, ["make test-poll"] = CI,
  ["make test-container"] = CHROOT, ["make test-nginx-install"] = CHROOT,
  ["make release"] = "needs a commit; spec/project/release_spec.lua runs it",
  ["make fuzz FUZZERS='reader json texts lists'"] = CI,
  ["make fuzz FUZZERS=texts COUNT=20000000"] = "takes a quarter of an hour",
  ["make coverage"] = "takes minutes and builds a second core",
  ["make bench"] = "takes an hour and writes bench/RESULTS.md",
  ["make bench-nginx"] = "takes minutes and needs an idle machine",
  ["make bench-page"] = "takes minutes and needs an idle machine",
  ["make screenshot"] = "writes docs/*.png",
  ["make soak"] = "takes five minutes",
  ["make load"] = "takes minutes", ["make volume"] = "takes minutes, and 6 GB of disk",
  ["make round"] = "takes minutes",
  ["make share"] = "takes half an hour, and needs root",
  ["make long"] = "takes hours", ["make months"] = "takes minutes; CI runs 300 months",
  ["make nginx-demo"] = "runs until Ctrl-C; make test-page starts the same page",
  ["apt install make git"] = SYSTEM,
  ["git clone https://github.com/pcapi/pcapi.git"] = "clones over the network",
  ["cd pcapi"] = "needs the clone of the line before",
  ["sudo make install"] = SYSTEM, ["sudo make install-nginx"] = SYSTEM,
  ["sudo nginx -t"] = NGINX, ["sudo systemctl restart nginx"] = NGINX,
  ["sudo make deb"] = PACKAGED, ["make deb"] = PACKAGED, ["make test-deb"] = PACKAGED,
  ["sudo apt install ./pcapi_*.deb ./lua-pcapi*.deb"] = PACKAGED,
  ["sudo apt install ./pcapi*.deb ./lua-pcapi*.deb && pcapi-sandbox pcapi non-mfa"] = PACKAGED,
  ["sudo sh -c 'HOME=/var/lib/pcapi PCAPI_CLIENT_SECRET=$(cat /etc/pcapi/client-secret) runuser -u "
    .. "pcapi pcapi login'"] = "needs root, the user pcapi and a secret",
  ["sudo adduser --system --group --home /var/lib/pcapi pcapi"] = SYSTEM,
  ["sudo install -d -o USER -g www-data -m 2750 /var/lib/pcapi-summary"] = SYSTEM,
  ["sudo install -d -o prometheus -g pcapi -m 2775 /var/lib/prometheus/node-exporter"] = SYSTEM,
  ["sudo systemctl enable --now pcapi.timer"] = SYSTEM,
  ["journalctl -u pcapi.service"] = "needs the service of the lines before",
  [PACKAGES .. "git make"] = SYSTEM,
  ["git clone --depth 1 https://github.com/pcapi/pcapi.git && make -C pcapi install"] = SYSTEM,
  ["docker build -f share/container/Containerfile -t pcapi ."] = DOCKER,
  ["docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges --env-file "
    .. "pcapi.env pcapi non-mfa --output csv"] = DOCKER,
  ["docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges -v "
    .. "pcapi:/var/lib/pcapi pcapi"] = DOCKER,
  ["docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges -v "
    .. "pcapi:/var/lib/pcapi -e PCAPI_NOTIFY_OPS_URL pcapi watch --notify"] = DOCKER,
  ["docker run --rm -it --read-only --cap-drop ALL -v pcapi:/var/lib/pcapi pcapi login "
    .. "--tenant fabrikam.onmicrosoft.com --client-id " .. CLIENT] = DOCKER,
  ["wsl --install Debian"] = WINDOWS, ["wsl --distribution Debian --user kim"] = WINDOWS,
  ['schtasks /create /tn pcapi /sc daily /st 06:00 /tr "wsl.exe --distribution Debian --user kim '
    .. '/home/kim/non-mfa.sh"'] = WINDOWS,
}

-- Lines that ask a user on a terminal, who is not signed in yet: what the user types.
local ON_TERMINAL = {
  ["pcapi login"] = "fabrikam.onmicrosoft.com\n" .. CLIENT .. "\n",
}

-- Lines that hand what pcapi prints to a program that needs an account elsewhere: they run without
-- that program.
local ACCOUNTS_ELSEWHERE = { "gh secret set ", "glab variable set ", "mutt -s ",
                             "curl -sS -H @- https://api." }

local all, in_documents = {}, {}
for _, path in ipairs(DOCUMENTS) do
  for _, line in ipairs(documented.of(path)) do
    all[#all + 1] = line
    in_documents[line.text] = true
  end
end

-- Signed in, with the profiles and the files that the examples name, and with a history.
local prepared

setup(function()
  prepared = homes.new()
  for _, profile in ipairs { "default", "contoso", "ci" } do
    local result = prepared:shell(("pcapi -q login --browser --profile %s --client-id %s --tenant "
      .. "%s.onmicrosoft.com"):format(profile, CLIENT,
        profile == "contoso" and profile or "fabrikam"))
    assert(result.status == 0, result.err)
  end
  local now = os.date "!%Y-%m-%dT%H:%M:%SZ"
  recorded.story(prepared, now .. " kim@fabrikam.example signs-in", { now })
end)

teardown(function()
  prepared:remove()
end)

-- make runs in this folder, and must not inherit the Lua of these specs.
local OF_MAKE = { "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "LUA", "LUA_PATH", "LUA_CPATH", "SPECS" }

local function make(words)
  return sandbox.shell(("env -u %s make %s"):format(table.concat(OF_MAKE, " -u "), words))
end

-- Not by make -n, which runs the lines that call make.
local function is_target(words)
  local name = words:gsub("%u+=%S*", ""):match "%S+"
  for names in ("\n" .. files.slurp "Makefile"):gmatch "\n([%l -]+):%f[^:=]" do
    if not name or (" " .. names .. " "):find(" " .. name .. " ", 1, true) then
      return true
    end
  end
  return false
end

local function without_accounts(text)
  for _, program in ipairs(ACCOUNTS_ELSEWHERE) do
    local at = text:find(" | " .. program, 1, true)
    text = at and text:sub(1, at - 1) or text
  end
  return text
end

local function run_in(home, line, environment)
  local words = line.text:match "^make ?(.*)$"
  if words then
    return make(words)
  end
  return home:shell(without_accounts(line.text):gsub("^sudo %-u %l+ %-H ", ""), environment)
end

local function expect_output(result, line)
  local at = 1
  for _, expected in ipairs(line.output or {}) do
    local first, last = result.out:find(expected, at, true)
    assert.truthy(first, ("%q is not in:\n%s"):format(expected, result.out))
    at = last + 1
  end
end

local function write_script(home, text)
  local path = home:write("script", text)
  os.execute("chmod +x " .. path)
  return path
end

local function run_on_terminal(line)
  local home = homes.new()
  local result = home:run_on_terminal({ line.text:match "^pcapi (%l+)$" }, { BROWSER = false },
    ON_TERMINAL[line.text])
  assert.equal(0, result.status, result.screen)
  home:remove()
end

local CLOSED = { PCAPI_BASE_URL = sandbox.env "PCAPI_SANDBOX_CLOSED_URL" }

local RUN = {}

function RUN.sh(home, line)
  if ON_TERMINAL[line.text] then
    return run_on_terminal(line)
  end
  local is_script = line.text:find "^#!"
  local text = is_script and write_script(home, line.text) or line.text
  local result = run_in(home, { text = text })
  assert.equal(0, result.status, result.err)
  expect_output(result, line)
  if is_script then
    assert.equal(6, home:shell(text, CLOSED).status)
  end
end
RUN.console = RUN.sh

-- With sh, and without variables, except those of the sandbox.
local function run_as_cron(home, text, environment)
  return home:shell(text:gsub("/usr/local/bin/pcapi", home:program()),
    sandbox.merged({ PATH = "/usr/bin:/bin", BROWSER = false }, environment))
end

local function expect_list(home, name)
  local text = files.slurp(home.path .. "/" .. name)
  assert.truthy(text:find "^upn,")
  return text
end

-- Lists of the sandbox have no date, and do not match each other.
local function without_warnings(text)
  return (text:gsub("pcapi: the service did not say its time[^\n]*\n", "")
    :gsub("pcapi: 1 %% of the requests[^\n]*\n", ""))
end

local function expect_failure(result)
  assert.equal(6, result.status)
  assert.truthy(result.err:find("network", 1, true), result.err)
end

-- `pcapi watch` prints what changed, or tells it to channels; and prints that it succeeds again.
local function expect_watch(run, prints)
  local result = run()
  assert.same({ 0, "" }, { result.status, without_warnings(result.err) })
  assert.equal(prints, result.out:find("first list of the tenant", 1, true) ~= nil)
  expect_failure(run(CLOSED))
  assert.equal("", run().out)
  result = run()
  assert.same({ 0, "", "" }, { result.status, result.out, result.err })
end

-- cron mails what a line prints, which is nothing but errors. If a run fails, the list remains.
function RUN.crontab(home, line)
  local function run(environment)
    return run_as_cron(home, line.text, environment)
  end
  if line.text:find " watch" then
    return expect_watch(run, line.text:find "%-%-notify" == nil)
  end
  local list = line.text:match 'mv %S+ "$HOME/([^"]+)"$'
  local result = run()
  assert.same({ 0, "", "" }, { result.status, result.out, result.err })
  local before = expect_list(home, list)
  expect_failure(run(CLOSED))
  assert.equal(before, files.slurp(home.path .. "/" .. list))
end

-- The variables that a block names, as a CI service sets them. Nobody is signed in.
local function variables_of(block)
  local environment = {}
  for name, value in pairs {
    PCAPI_TENANT = "fabrikam.onmicrosoft.com", PCAPI_CLIENT_ID = CLIENT,
    PCAPI_REFRESH_TOKEN = login.refresh_token(CLIENT),
    SETTINGS = "[notify ops]\ntype = jsonl\npath = ops.jsonl",
  } do
    environment[name] = block.text:find(name, 1, true) and value or nil
  end
  for name, value in block.text:gmatch "([%u_]+): ([%w./]+)%f[\n]" do
    environment[name] = value
  end
  return environment
end

function RUN.yaml(_, line)
  local home = homes.new()
  local result = home:shell(line.text, variables_of(line.block))
  assert.same({ 0, "" }, { result.status, without_warnings(result.err) })
  if line.text:find("--notify", 1, true) then
    assert.truthy(files.slurp(home.path .. "/ops.jsonl"):find('"baseline"', 1, true))
  elseif result.out == "" then
    expect_list(home, "non-mfa.csv")
  else
    assert.matches("^upn,", result.out)
  end
  assert.is_false(files.exists(home.path .. "/.local")) -- pcapi stores nothing else
  home:remove()
end

for _, path in ipairs(DOCUMENTS) do
  describe(path, function()
    local home, block

    teardown(function()
      if home then
        home:remove()
      end
    end)

    -- The lines of a block run one after the other.
    local function home_for(line)
      if line.block ~= block then
        if home then
          home:remove()
        end
        home, block = prepared:copy(), line.block
      end
      home:add_channel(line.text)
      return home
    end

    for _, line in ipairs(all) do
      if line.place:match "^[^:]+" == path and not CANNOT_RUN[line.text] then
        it("has a command line that runs: " .. line.text, function()
          RUN[line.block.language](home_for(line), line)
        end)
      end
    end
  end)
end

describe("the list of command lines that cannot run here", function()
  for text, reason in pairs(CANNOT_RUN) do
    it("has only lines that a document has: " .. text, function()
      assert.is_true(in_documents[text] and #reason > 10)
    end)

    local words = text:match "^make (.+)$" or text:match "^sudo make (.+)$"
    if words then
      it("names a target of make: " .. text, function()
        assert.is_true(is_target(words))
      end)
    end
  end
end)

describe("the text of the documents", function()
  -- Words that stand for a value.
  local INSTEAD = { COMMAND = "non-mfa", TOPIC = "options", SHELL = "bash", NAME = "contoso",
                    FILE = "tenants.txt", JSON = "{}", USER = "kim", ROWS = "requests",
                    RUN = "1" }

  -- Runs check(span, path) for code between backquotes that matches the pattern.
  local function each_span(pattern, check)
    local count = 0
    for _, path in ipairs(DOCUMENTS) do
      for _, span in ipairs(markdown.spans(path)) do
        if span:find(pattern) then
          check(span, path)
          count = count + 1
        end
      end
    end
    assert.is_true(count > 10)
  end

  it("has commands of pcapi only with arguments that it accepts", function()
    each_span("^pcapi ", function(span, path)
      local words = {}
      local command = without_accounts(span):gsub("^pcapi ", ""):gsub("%f[%w_]%u+%f[^%w_]", INSTEAD)
      for word in command:gmatch "%S+" do
        words[#words + 1] = word
      end
      local ok, args = pcall(arguments.parse, words)
      assert.is_true(ok and args ~= nil, path .. ": " .. span)
    end)
  end)

  it("has targets of make that exist", function()
    each_span("^make", function(span, path)
      assert.is_true(is_target(span:gsub("^make ?", "")), path .. ": " .. span)
    end)
  end)

  -- The help of each command, as one text.
  local function help()
    local texts = {}
    for _, command in ipairs(COMMANDS) do
      local result = prepared:shell("pcapi help " .. command)
      assert.equal(0, result.status, command)
      texts[#texts + 1] = result.out
    end
    return table.concat(texts)
  end

  it("has options that the help of a command has", function()
    local text = help()
    each_span("^%-%-%l", function(span, path)
      local option = span:match "^%-%-[%l-]+"
      assert.truthy(text:find(option:gsub("%-", "%%-") .. "%f[^%l-]"), path .. ": " .. span)
    end)
  end)

  it("has each option of the help, in docs/command.md", function()
    local documented_options = {}
    for _, span in ipairs(markdown.spans "docs/command.md") do
      documented_options[span:match "^%-%-[%l-]+" or ""] = true
    end
    local count = 0
    for option in help():gmatch "\n +%-?%l?,? ?(%-%-[%l-]+)" do
      assert.is_true(documented_options[option] or false, option)
      count = count + 1
    end
    assert.is_true(count > 50, count .. " options")
  end)
end)

describe("the table of JSON in docs/command.md", function()
  local function fields_in_help(command)
    local names = {}
    local help = prepared:shell("pcapi help " .. command).out
    for name in help:match "\nFields:(.-\n)\n":gmatch "\n  ([%l_]+)" do
      names[#names + 1] = name
    end
    return names
  end

  -- With what the command lists.
  local function home_of(command)
    if not command:find("notify", 1, true) then
      return prepared
    end
    local home = prepared:copy()
    home:add_channel(command)
    assert.equal(0, home:shell("pcapi watch").status) -- decides, and delivers nothing
    return home
  end

  local text = files.slurp "docs/command.md"
  for command, list, cell in text:gmatch "\n| `pcapi ([%l ]+) %-%-json` | `(%l+)` | ([^|;]+)" do
    it("has the list and the fields of pcapi " .. command, function()
      local documented_fields, is_documented = {}, {}
      for name in cell:gmatch "`([%l_]+)`" do
        documented_fields[#documented_fields + 1], is_documented[name] = name, true
      end
      assert.same(fields_in_help(command), documented_fields)
      local home = home_of(command)
      local object = cjson.decode(home:shell("pcapi " .. command .. " --json").out)
      assert.is_true(#object[list] > 0)
      for _, element in ipairs(object[list]) do
        for name in pairs(element) do
          assert.is_true(is_documented[name] or false, name)
        end
      end
    end)
  end
end)

describe("the documents", function()
  -- The languages whose blocks another spec runs or reads.
  local OTHERS = { lua = true, nginx = true, ini = true, text = true, sql = true }

  local function each_block(visit)
    for _, path in ipairs(DOCUMENTS) do
      for _, block in ipairs(markdown.blocks(path)) do
        visit(block, ("%s:%d: %s"):format(path, block.line, block.language))
      end
    end
  end

  it("have code blocks only in languages that a spec can check", function()
    each_block(function(block, place)
      assert.is_true(documented.knows(block.language) or OTHERS[block.language] or false, place)
    end)
  end)

  it("have no command in a block of text, where this spec does not look for any", function()
    each_block(function(block, place)
      if block.language == "text" then
        for line in block.text:gmatch "[^\n]+" do
          assert.is_nil(line:match "^[$#]? ?pcapi %l" or line:match "^%$ ", place)
        end
      end
    end)
  end)
end)
