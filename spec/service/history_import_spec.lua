--- `pcapi history import`: a tenant moves from one machine to another.
local curl = require "spec.support.curl"
local homes = require "spec.support.home"
local lists = require "spec.support.history_lists"
local recorded = require "spec.support.recorded"

local NOW = os.time()
local OTHER = "5f0b3c1e-0000-4000-8000-0000000000ab"

local old, new

before_each(function()
  old, new = homes.new(), homes.new()
end)

after_each(function()
  old:remove()
  new:remove()
end)

local function observe(home, tenant, name, upn)
  local history = recorded.open(home)
  assert(history:observe { tenant = tenant, name = name, now = NOW, readers = { "watch" },
                           users = lists.users(NOW, { { upn = upn, at = NOW - 3600 } }) })
  history:close()
end

-- The copy on the new machine.
local function copy()
  local path = new.path .. "/copy.sqlite"
  assert(old:run({ "history", "backup", path }).status == 0)
  return path
end

local function import(...)
  return new:run { "history", "import", ... }
end

local function shown()
  return new:run({ "history", "show", "--output", "csv" }).out
end

describe("pcapi history import", function()
  before_each(function()
    observe(old, recorded.TENANT, "fabrikam", "kim@fabrikam.example")
    observe(old, OTHER, "contoso", "lee@contoso.example")
  end)

  it("takes over one tenant, also into no history", function()
    local result = import(copy(), "--tenant", "Contoso")
    assert.same({ 0, "", ("pcapi: imported contoso (%s): 1 user, 1 finding, 0 requests\n")
      :format(OTHER) }, { result.status, result.out, result.err })
    assert.matches("lee@contoso.example", shown(), 1, true)
    assert.is_nil(shown():find("kim@", 1, true))
  end)

  it("takes over all tenants, beside those that are there", function()
    observe(new, "5f0b3c1e-0000-4000-8000-0000000000ac", "adatum", "max@adatum.example")
    local result = import(copy(), "--quiet")
    assert.same({ 0, "", "" }, { result.status, result.out, result.err })
    for _, user in ipairs { "kim@", "lee@", "max@" } do
      assert.matches(user, shown(), 1, true)
    end
  end)

  it("refuses a tenant that is there, and says what to do", function()
    observe(new, OTHER, "contoso", "lee@contoso.example")
    local result = import(copy(), "--tenant", "contoso")
    assert.same({ 1, "" }, { result.status, result.out })
    assert.matches("the history already has the tenant " .. OTHER, result.err, 1, true)
    assert.matches("before pcapi watch asks it for the first time", result.err, 1, true)
  end)

  it("refuses an unknown tenant, and what is no history", function()
    local result = import(copy(), "--tenant", "adatum")
    assert.equal(2, result.status)
    assert.matches("the history has no tenant 'adatum'; it has: fabrikam, contoso", result.err, 1,
      true)
    assert.equal(1, import(new.path .. "/absent.sqlite").status)
    assert.equal(2, import().status)
  end)

  it("says what the file must be, and nothing of the own history", function()
    new:write("text.sqlite", ("no database "):rep(1000))
    curl.shell(("cd %s && chmod 600 text.sqlite && mkdir -m 777 public && cp %s public")
      :format(new.path, copy()))
    for name, problem in pairs { ["text.sqlite"] = "text.sqlite is not an SQLite database",
                                 ["public/copy.sqlite"] = "public is open to other users" } do
      local result = import(new.path .. "/" .. name)
      assert.same({ 1, "" }, { result.status, result.out })
      assert.matches(problem, result.err, 1, true)
      assert.matches("FILE must be a copy that pcapi history backup made (mode 0600), in a folder "
        .. "of this user's own (mode 0700) on a local disk", result.err, 1, true)
      assert.is_nil(result.err:find("PCAPI_HISTORY", 1, true))
    end
  end)
end)
