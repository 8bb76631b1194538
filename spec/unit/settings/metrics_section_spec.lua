local folder = require "spec.support.folder"
local metrics_section = require "pcapi.settings.metrics_section"
local settings = require "spec.support.settings"

local function read(text)
  local path = folder.write(folder.new() .. "/config", text)
  local getenv = settings.env { HOME = "/home/kim" }
  local found, err = metrics_section:read { path = path, getenv = getenv }
  return found, err and err.message, path
end

describe("the settings of metrics", function()
  teardown(folder.remove)

  it("have no folder by default", function()
    assert.same({}, read("[history]\nremind = 1\n").values)
    assert.is_nil(read("[metrics]\ntextfile =\n").values.textfile)
  end)

  it("name a folder, absolute or beside the file", function()
    local found, _, path = read "[metrics]\ntextfile = /var/lib/prometheus/node-exporter\n"
    assert.equal("/var/lib/prometheus/node-exporter", found.values.textfile)
    assert.equal(("[metrics] in %s:2"):format(path), found.origins.textfile)
    found, _, path = read "[metrics]\ntextfile = prom\n"
    assert.equal((path:gsub("config$", "prom")), found.values.textfile)
  end)

  it("are refused under another name, with the line", function()
    local found, message, path = read "[metrics]\n# a\ntextfiles = /x\n"
    assert.is_nil(found)
    assert.matches(path .. ":3: unknown setting \"textfiles\" of [metrics]", message, 1, true)
    assert.matches("textfile", message:sub(-12), 1, true)
  end)
end)
