--- `pcapi profiles` and `pcapi logout --all`.
local cjson = require("cjson").new()
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local homes = require "spec.support.home"

local home

before_each(function()
  home = homes.new()
end)

after_each(function()
  home:remove()
end)

local CONFIG = [[
[work]
tenant = work.example
client_id = client
[contoso]
tenant = contoso.example
client_id = client
]]

local function stored()
  return curl.shell("ls " .. home.path .. "/.local/state/pcapi")
end

-- The rows of `profiles list --json`, by name.
local function listed(environment)
  local result = home:run({ "profiles", "list", "--json" }, environment)
  assert.equal(0, result.status, result.err)
  local by_name, names = {}, {}
  for i, row in ipairs(cjson.decode(result.out).profiles) do
    by_name[row.profile], names[i] = row, row.profile
  end
  return by_name, names
end

describe("pcapi profiles list", function()
  it("says how to make one if there is none", function()
    local result = home:run { "profiles", "list" }
    assert.same({ 0, "" }, { result.status, result.out })
    assert.matches("there is no profile; make one: pcapi login", result.err, 1, true)
    assert.equal('{"profiles":[]}\n', home:run({ "profiles", "list", "--json" }).out)
  end)

  it("shows name, user, tenant and source, and marks the one that commands use", function()
    home:write_config(CONFIG)
    home:sign_in()
    local rows, names = listed()
    assert.same({ "contoso", "default", "work" }, names)
    local row = rows.default
    assert.same({ true, true, "admin@fabrikam.example", home.tenant, "sign-in" },
      { row.default, row.signed_in, row.user, row.tenant, row.source })
    row = rows.work
    assert.same({ false, false, nil, "work.example", "configuration file" },
      { row.default, row.signed_in, row.user, row.tenant, row.source })
    local table_of_all = home:run({ "profiles", "list" }).out
    assert.matches("PROFILE +SIGNED IN +USER +TENANT +SOURCE\n", table_of_all)
    assert.matches("\n%* default +yes +admin@fabrikam.example +t%S+ +sign%-in\n", table_of_all)
    assert.matches("\n  work +no +%-? +work.example +configuration file\n", table_of_all)
  end)

  it("marks the profile of PCAPI_PROFILE, and names both sources", function()
    home:write_config(CONFIG)
    home:login_by_browser(nil, "--profile", "work", "--tenant", "work.example")
    local rows = listed { PCAPI_PROFILE = "work", PCAPI_TENANT = "ignored.example",
                          PCAPI_TOKEN = "ignored" }
    assert.same({ true, true, "work.example", "configuration file, sign-in" },
      { rows.work.default, rows.work.signed_in, rows.work.tenant, rows.work.source })
    assert.is_false(rows.contoso.default)
  end)

  it("reports a sign-in that cannot be read, and shows the others", function()
    home:sign_in()
    home:sign_in(nil, "--profile", "other")
    os.execute("echo '{' >" .. home.path .. "/.local/state/pcapi/other.json")
    local rows, names = listed()
    assert.same({ "default", "other" }, names)
    assert.same({ true, false }, { rows.default.signed_in, rows.other.signed_in })
    assert.matches("other: store: the sign-in stored in", home:run({ "profiles", "list" }).err, 1,
      true)
  end)

  it("sends no request", function()
    home:sign_in()
    assert.equal(0, home:run({ "profiles", "list" }, { PCAPI_CA_FILE = "/nowhere.pem" }).status)
  end)
end)

describe("pcapi profiles remove", function()
  it("deletes the sign-in of one profile", function()
    home:sign_in()
    home:sign_in(nil, "--profile", "other")
    local result = home:run { "profiles", "remove", "other" }
    assert.equal(0, result.status, result.err)
    assert.matches("removed the stored sign-in of profile other", result.err, 1, true)
    assert.equal("default.json\n", stored())
  end)

  it("leaves the configuration file as it is, and says so", function()
    home:write_config(CONFIG)
    home:login_by_browser(nil, "--profile", "work", "--tenant", "work.example")
    for _, expected in ipairs { "removed the stored sign-in of profile work",
                                "profile work was not signed in" } do
      local result = home:run { "profiles", "remove", "work" }
      assert.equal(0, result.status, result.err)
      assert.matches(expected, result.err, 1, true)
      assert.matches(("profile work remains in %s/.config/pcapi/config, which pcapi does not "
        .. "change"):format(home.path), result.err, 1, true)
    end
    assert.equal(CONFIG, files.slurp(home.path .. "/.config/pcapi/config"))
  end)

  it("deletes a sign-in that cannot be read", function()
    home:sign_in()
    os.execute("echo '{' >" .. home.path .. "/.local/state/pcapi/default.json")
    assert.equal(0, home:run({ "profiles", "remove", "default" }).status)
    assert.equal("", stored())
  end)

  it("refuses a name that no profile has", function()
    home:sign_in(nil, "--profile", "contoso")
    local result = home:run { "profiles", "remove", "contosso" }
    assert.equal(2, result.status)
    assert.matches('no profile is called contosso; did you mean "contoso"?', result.err, 1, true)
    result = home:run { "profiles", "remove", "a/b" }
    assert.equal(2, result.status)
    assert.matches("NAME may hold letters, digits and . _ @ -, 64 at most", result.err, 1, true)
    result = home:run { "--profile", "contoso", "profiles", "remove", "contoso" }
    assert.equal(2, result.status)
    assert.matches("leave out --profile", result.err, 1, true)
    assert.equal("contoso.json\n", stored())
  end)
end)

describe("pcapi logout --all", function()
  before_each(function()
    home:write_config(CONFIG)
    home:sign_in()
    home:sign_in(nil, "--profile", "other")
  end)

  it("needs --yes without a terminal", function()
    local result = home:run { "logout", "--all" }
    assert.equal(2, result.status)
    assert.matches("logout --all needs --yes where nobody can be asked", result.err, 1, true)
    assert.equal("default.json\nother.json\n", stored())
  end)

  it("removes every stored sign-in with --yes", function()
    local result = home:run { "logout", "--all", "--yes" }
    assert.equal(0, result.status, result.err)
    assert.matches("removed the stored sign-ins of 2 profiles from this machine: default, other",
      result.err, 1, true)
    assert.equal("", stored())
    result = home:run { "logout", "--all" }
    assert.same({ 0, "pcapi: no profile was signed in\n" }, { result.status, result.err })
  end)

  it("asks on a terminal", function()
    for _, answer in ipairs { "n\n", "\n", "\4" } do
      local result = home:run_on_terminal({ "logout", "--all" }, nil, answer)
      assert.equal(2, result.status, result.screen)
      assert.matches("Remove the stored sign-ins of default, other? [y/N]", result.screen, 1, true)
      assert.matches("pcapi: nothing was removed", result.screen, 1, true)
      assert.equal("default.json\nother.json\n", stored())
    end
    assert.equal(0, home:run_on_terminal({ "logout", "--all" }, nil, "y\n").status)
    assert.equal("", stored())
  end)

  it("removes the others if one cannot be removed, and ends with status 3", function()
    home:write_config(("[stuck]\nstore = %s/file/pcapi\n"):format(home.path))
    home:write("file", "")
    os.execute(("mkdir -p %s/blocked && chmod 755 %s/blocked"):format(home.path, home.path))
    home:write_config(("[stuck]\nstore = %s/blocked\n"):format(home.path))
    home:write("blocked/stuck.json", "{")
    local result = home:run { "logout", "--all", "--yes" }
    assert.equal(3, result.status, result.err)
    assert.matches("stuck: store: ", result.err, 1, true)
    assert.equal("", stored())
  end)

  it("excludes --profile", function()
    local result = home:run { "--profile", "other", "logout", "--all", "--yes" }
    assert.equal(2, result.status)
    assert.matches("leave out --profile", result.err, 1, true)
    assert.equal("default.json\nother.json\n", stored())
  end)
end)
