--- The hints for a store that cannot be used: each leads, step by step, to a sign-in that works.
local files = require "spec.support.files"
local homes = require "spec.support.home"
local sandbox = require "spec.support.sandbox"

local MOST_STEPS = 5

local home

before_each(function()
  home = homes.new()
end)

after_each(function()
  home:remove()
end)

local function sh(command, ...)
  return assert(sandbox.shell(command:format(...)))
end

-- Does what a hint says. Returns the command of pcapi that it names, if any.
local function obey(hint, environment)
  local command = hint:match "ign in again: pcapi (login[^,]*)$" or hint:match "^Run: pcapi ([^,]*)"
  if command then
    local words = {}
    for word in command:gsub("TENANT", home.tenant):gsub("ID", homes.CLIENT):gmatch "%S+" do
      words[#words + 1] = word
    end
    words[#words + 1] = "--browser"
    environment.BROWSER = home:browser()
    return words
  elseif hint:find "^Run: " then
    assert.equal(0, sh("%s", hint:match "^Run: (.*)$").status)
  elseif hint:find "^Remove /" then
    assert.equal(0, sh("rm -r '%s'", hint:match "^Remove (.*)$").status)
  else
    assert.truthy(hint:find("set PCAPI_STORE (or store in the configuration file) to ", 1, true)
      or hint:find("Set PCAPI_STORE (or store in the configuration file) to ", 1, true), hint)
    environment.PCAPI_STORE = home.path .. "/another"
  end
end

-- Runs `pcapi status`, and follows each hint until it succeeds. No error may come twice. Returns
-- the errors.
local function follow_hints(environment)
  local errors, command = {}, { "status" }
  for _ = 1, MOST_STEPS do
    local result = home:run(command, environment)
    if result.status == 0 and command[1] == "status" then
      return errors
    elseif result.status == 0 then
      command = { "status" }
    else
      local message = result.err:match "pcapi: ([^\n]*)\n$"
      assert.is_nil(errors[message], message)
      errors[#errors + 1], errors[message] = message, true
      command = obey(message:match "%. (%u[^\n]*)$", environment) or command
    end
  end
  error("the hints lead nowhere: " .. table.concat(errors, "\n"))
end

local STATES = {
  ["a damaged file"] = "echo '{' >default.json",
  ["an empty file"] = ": >default.json",
  ["a file of a later version"] = [[sed -i 's/"version":1/"version":2/' default.json]],
  ["a setting that is impossible"] =
    [[sed -i 's/"settings":{/"settings":{"cloud":"mars",/' default.json]],
  ["a file that others can read"] = "chmod 644 default.json",
  ["a folder that others can read"] = "chmod 755 .",
  ["a link in place of the file"] = "mv default.json x && ln -s x default.json",
  ["a link in place of the folder"] = "mv ../pcapi ../x && ln -s x ../pcapi",
  ["a folder in place of the file"] = "rm default.json && mkdir default.json",
  ["a folder in place of the lock"] = "rm default.json .default.json.lock && "
    .. "mkdir .default.json.lock",
  ["a file that is too large"] = "head -c 2000000 /dev/zero >default.json",
  ["a file in place of the folder"] = "cd .. && rm -r pcapi && touch pcapi",
  ["a folder for all users"] = "chmod 1777 .",
}

describe("the hints lead to a sign-in that works, with", function()
  for name, change in pairs(STATES) do
    it(name, function()
      home:sign_in()
      sh("cd '%s/.local/state/pcapi' && %s", home.path, change)
      local environment = {}
      local errors = follow_hints(environment)
      assert.is_true(#errors > 0)
      assert.matches(home.path .. "/.local/state/pcapi", table.concat(errors, "\n"), 1, true)
      assert.equal(0, home:run({ "non-mfa" }, environment).status)
    end)
  end

  for _, path in ipairs { "/proc/x", "/dev/null/x" } do
    it("PCAPI_STORE=" .. path, function()
      local errors = follow_hints { PCAPI_STORE = path }
      assert.matches(path, table.concat(errors, "\n"), 1, true)
    end)
  end

  it("a folder of another user", function()
    if sh("id -u").out ~= "0\n" then
      return pending "only root can give a folder away"
    end
    home:sign_in()
    sh("chown 65534 '%s/.local/state/pcapi'", home.path)
    local errors = follow_hints {}
    assert.matches("belongs to another user (65534)", errors[1], 1, true)
  end)

  it("a disk that can only be read", function()
    local mount = "mount -t tmpfs -o mode=700,ro none"
    if sh("unshare -rm %s /mnt && echo yes", mount).out ~= "yes\n" then
      return pending "no mount is allowed here"
    end
    home:sign_in()
    local store = home.path .. "/.local/state/pcapi"
    local result = sh([[unshare -rm sh -c '%s %s && exec env -u PCAPI_TOKEN HOME=%s %s bin/pcapi \
      login --tenant t.example --client-id %s']], mount, store, home.path, sandbox.lua,
      homes.CLIENT)
    assert.equal(1, result.status)
    assert.matches(store, result.err, 1, true)
    assert.matches("Set PCAPI_STORE (or store in the configuration file) to a directory that can "
      .. "be written", result.err, 1, true)
  end)
end)

describe("pcapi logout removes", function()
  for _, name in ipairs { "a damaged file", "a file of a later version", "a file that is too large",
                          "a setting that is impossible", "a file that others can read",
                          "a link in place of the file" } do
    it(name, function()
      home:sign_in()
      local store = home.path .. "/.local/state/pcapi"
      sh("cd '%s' && %s", store, STATES[name])
      local result = home:run { "logout" }
      assert.equal(0, result.status, result.err)
      assert.is_false(files.exists(store .. "/default.json"))
    end)
  end
end)

describe("pcapi doctor", function()
  it("shows the path of a store that fails, and the next step", function()
    home:sign_in()
    local store = home.path .. "/.local/state/pcapi"
    sh("chmod 755 '%s'", store)
    local out = home:run({ "doctor" }).out
    assert.matches(("failed      sign-in: store: the token store: %s is open to other users (mode "
      .. "0755)\n            Run: chmod 700 %s\n"):format(store, store), out, 1, true)
  end)
end)
