--- Files and variables that workers cannot read.
local files = require "spec.support.files"
local folders = require "spec.support.folder"
local nginx = require "spec.support.nginx"
local tenants = require "spec.support.tenant"
local workers = require "spec.support.workers"

after_each(function()
  nginx.stop_all()
  folders.remove()
end)

-- only root can start workers of another user
local it_as_root = files.lines_of "id -u"[1] == "0" and it or pending

local NAMES_USER = 'run as the user set by "user" in nginx.conf'

local PROFILE = [[
  local made, err = pcapi.new { profile = "default" }
  return made and "made" or tostring(err)
]]

describe("workers that", function()
  for name, mode in pairs { ["folder"] = "700 FOLDER", ["file"] = "600 FOLDER/spec.json" } do
    it_as_root("cannot read the " .. name .. " of tokens return an error that names the directive",
      function()
        local tenant, folder = tenants.new(), folders.new()
        folders.write(folder .. "/spec.json", "{}")
        os.execute("chmod 755 " .. folder .. "; chmod 644 " .. folder .. "/spec.json; chmod "
          .. mode:gsub("FOLDER", folder))
        local machine = workers.start { user = "www-data", init = tenant:init(nil,
          ("store = pcapi.auth.file_store %q,"):format(folder)) }
        for _ = 1, 2 do
          local _, err = machine:run "return client.security:non_mfa_principals()"
          assert.matches("^store: ", err)
          assert.matches(NAMES_USER, err, 1, true)
        end
        assert.equal(1, machine:count_in_log(NAMES_USER))
        assert.equal(0, tenant:refreshes())
      end)
  end

  it_as_root("cannot read the configuration file return an error that names the directive",
    function()
      local home = folders.new()
      os.execute(("mkdir -p %s/.config/pcapi; touch %s/.config/pcapi/config"):format(home, home))
      local machine = workers.start { user = "www-data", env = { "HOME=" .. home } }
      local err = machine:run(PROFILE)
      assert.matches("^config: .*Permission denied", err)
      assert.matches(NAMES_USER, err, 1, true)
      assert.equal(1, machine:count_in_log(NAMES_USER))
    end)

  it("do not see HOME return an error that names the directive", function()
    local machine = workers.start()
    local err = machine:run(PROFILE)
    assert.matches("there is no HOME", err, 1, true)
    assert.matches("env HOME=", err, 1, true)
    assert.equal(1, machine:count_in_log "env HOME=")
  end)
end)
