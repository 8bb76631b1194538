--- The units of systemd in share/systemd, and the drop-ins of docs/automation.md.
local files = require "spec.support.files"
local homes = require "spec.support.home"
local markdown = require "spec.support.markdown"
local sandbox = require "spec.support.sandbox"

local UNITS = { "pcapi.service", "pcapi.timer" }
local DROP_INS = markdown.examples("docs/automation.md", "systemd")

local function setting_of(text, name)
  return text:match("\n" .. name .. "=([^\n]*)")
end

describe("the units of systemd", function()
  local home

  before_each(function()
    home = homes.new()
    for _, unit in ipairs(UNITS) do
      home:write(unit, (files.slurp("share/systemd/" .. unit)
        :gsub("/usr/bin/pcapi", home:program())))
    end
  end)

  after_each(function()
    home:remove()
  end)

  local function analyze(words)
    if not os.execute "command -v systemd-analyze >/dev/null" then
      pending "systemd-analyze is not installed"
    end
    return home:shell("env -u LD_PRELOAD systemd-analyze --no-pager " .. words)
  end

  local function write_drop_in(text)
    local unit, name = text:match "^# /etc/systemd/system/(%S+)%.d/(%S+)\n"
    os.execute(("mkdir -p %s/%s.d"):format(home.path, unit))
    home:write(unit .. ".d/" .. name, text)
  end

  local function expect_no_warning()
    local result = analyze "verify --man=no ./pcapi.service ./pcapi.timer"
    assert.same({ 0, "", "" }, { result.status, result.out, result.err })
  end

  it("are accepted by systemd without a warning", function()
    expect_no_warning()
  end)

  it("are accepted with each drop-in of docs/automation.md", function()
    assert.equal(3, #DROP_INS)
    for _, text in ipairs(DROP_INS) do
      write_drop_in(text)
    end
    expect_no_warning()
  end)

  it("are as little exposed as docs/automation.md says", function()
    local limit = tonumber(files.slurp("docs/automation.md"):match "exposure%s+below (%d%.%d)")
    local result = analyze "security --offline=yes ./pcapi.service"
    local exposure = tonumber(result.out:match "exposure level for %S+ ([%d.]+)")
    assert.is_true(exposure < limit, result.out)
  end)

  -- Runs the service's command, with its options and no variable but those of the sandbox.
  local function run(options)
    local command = setting_of(files.slurp(home.path .. "/pcapi.service"), "ExecStart")
    return home:shell(("OPTIONS=%s; %s"):format(options, command),
      sandbox.merged({ PATH = "/usr/bin:/bin", BROWSER = false }, {}))
  end

  local function sign_in()
    local result = home:shell(("pcapi -q login --browser --tenant %s --client-id %s"):format(
      home.tenant, homes.CLIENT))
    assert(result.status == 0, result.err)
  end

  it("report to the journal, or by channels if a drop-in says so", function()
    sign_in()
    assert.matches("first list of the tenant", run("''").out, 1, true)
    local options = DROP_INS[1]:match 'Environment="OPTIONS=([^"]+)"'
    home:add_channel("pcapi watch " .. options)
    local result = run("'" .. options .. "'")
    assert.same({ 0, "" }, { result.status, result.out }, result.err)
  end)

  it("belong to the user that the packages make", function()
    local service = files.slurp "share/systemd/pcapi.service"
    assert.matches("adduser [^\n]* %-%-home /var/lib/pcapi [^\n]* pcapi\n",
      files.slurp "debian/pcapi.postinst")
    assert.same({ "pcapi", "pcapi" }, { setting_of(service, "User"),
                                        setting_of(service, "StateDirectory") })
  end)
end)

describe("the Debian packages", function()
  it("have the version of the library", function()
    assert.equal(require "pcapi.version",
      files.slurp("debian/changelog"):match "^lua%-pcapi %((.-)%-%d+%)")
  end)
end)
