local folder = require "spec.support.folder"
local history = require "pcapi.settings.history"
local settings = require "spec.support.settings"

local HOME = { HOME = "/home/kim" }

local function read(text, env)
  local path = folder.write(folder.new() .. "/config", text or "")
  local found, err = history:read { path = path, getenv = settings.env(env or HOME) }
  return found, err and err.message, path
end

describe("the settings of the history", function()
  teardown(folder.remove)

  it("have defaults, also without a section and without a file", function()
    local wanted = {
      path = "/home/kim/.local/state/pcapi/history/history.sqlite", remind = 7,
      requests = "findings", keep_requests = 90, keep_findings = 400, keep_notices = 30,
    }
    assert.same(wanted, read("[history]").values)
    local found = assert(history:read { getenv = settings.env(HOME) })
    assert.same(wanted, found.values)
    for name in pairs(wanted) do
      assert.equal("default", found.origins[name])
    end
  end)

  it("are the values of the section, and each has its line as origin", function()
    local found, _, path = read("timeout = 5\n[history]\npath = /srv/h.sqlite # here\nremind = 0\n"
      .. "requests = all\nkeep_requests = 8\nkeep_findings = 36500\nkeep_notices = 1\n")
    assert.same({ path = "/srv/h.sqlite", remind = 0, requests = "all", keep_requests = 8,
                  keep_findings = 36500, keep_notices = 1 }, found.values)
    assert.equal(("[history] in %s:3"):format(path), found.origins.path)
    assert.equal(("[history] in %s:8"):format(path), found.origins.keep_notices)
  end)

  it("begin at the folder of the file, or of the user, where a path is relative", function()
    local found, _, path = read("[history]\nexceptions = e.txt\napplications = ~/a.csv\n"
      .. "summary = /run/pcapi/summary.json\n")
    assert.equal((path:gsub("config$", "e.txt")), found.values.exceptions)
    assert.equal("/home/kim/a.csv", found.values.applications)
    assert.equal("/run/pcapi/summary.json", found.values.summary)
  end)

  it("are those of the environment first", function()
    local found = read("[history]\npath = /a\n", { PCAPI_HISTORY = "/b/h.sqlite" })
    assert.equal("/b/h.sqlite", found.values.path)
    assert.equal("environment PCAPI_HISTORY", found.origins.path)
    assert.equal("/a", read("[history]\npath = /a\n", { PCAPI_HISTORY = "" }).values.path)
  end)

  it("follow XDG_STATE_HOME", function()
    assert.equal("/state/pcapi/history/history.sqlite",
      read("", { XDG_STATE_HOME = "/state" }).values.path)
  end)

  it("have no path without a home folder", function()
    assert.is_nil(assert(read("", {})).values.path)
  end)

  it("count as not set where they are empty", function()
    local found = read "[history]\nremind =\nexceptions = \"\"\n"
    assert.equal(7, found.values.remind)
    assert.is_nil(found.values.exceptions)
  end)

  describe("are refused, by name and line, for", function()
    for line, problem in pairs {
      ["remind = weekly"] = "[history] remind must be a whole number of days, from 0 to 36500, not "
        .. '"weekly"',
      ["remind = -1"] = 'not "-1"',
      ["remind = 1.5"] = 'not "1.5"',
      ["remind = 36501"] = 'not "36501"',
      ["requests = none"] = '[history] requests must be findings or all, not "none"',
      ["keep_requests = 7"] = "[history] keep_requests must be a whole number of days, from 8 to "
        .. '36500, not "7"',
      ["keep_findings = x"] = "[history] keep_findings must be a whole number of days, from 8 to "
        .. '36500, not "x"',
      ["keep_notices = 0"] = "[history] keep_notices must be a whole number of days, from 1 to "
        .. '36500, not "0"',
      ["pth = /x"] = 'unknown setting "pth" of [history]; did you mean "path"?',
      ["tenant = x"] = 'unknown setting "tenant" of [history]',
    } do
      it(line, function()
        local found, message = read("[history]\n" .. line .. "\n")
        assert.is_nil(found)
        assert.matches(problem, message, 1, true)
        assert.matches("/config:2", message, 1, true)
      end)
    end

    it("a path with a line break in the environment", function()
      local found, message = read("", { PCAPI_HISTORY = "/a\n/b" })
      assert.is_nil(found)
      assert.equal("[history] path holds a line break or another control character (environment "
        .. "PCAPI_HISTORY)", message)
    end)
  end)
end)
