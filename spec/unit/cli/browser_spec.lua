local browser = require "pcapi.cli.browser"
local files = require "spec.support.files"
local folder = require "spec.support.folder"

local ADDRESS = "https://login.example/authorize?a=b%20c&state=x-_.~"

describe("pcapi.cli.browser", function()
  local path

  setup(function()
    path = folder.new()
    -- a browser that writes its arguments, a line each, and its environment
    folder.write(path .. "/browser", ('#!/bin/sh\nprintf "%%s\\n" "$@" >%s/seen\nenv >%s/env\n')
      :format(path, path))
    os.execute("chmod +x " .. path .. "/browser")
  end)

  teardown(folder.remove)

  -- The arguments that the browser got.
  local function opened(with, address)
    os.remove(path .. "/seen")
    local command = browser.command((with:gsub("BROWSER", path .. "/browser")),
      address or ADDRESS)
    os.execute((command:gsub("&$", ""))) -- not in the background
    return files.lines_of("cat " .. path .. "/seen 2>&1")
  end

  for with, expected in pairs {
    ["BROWSER"] = { ADDRESS },
    ["BROWSER %s"] = { ADDRESS },
    ["BROWSER --new %s tail"] = { "--new", ADDRESS, "tail" },
    ["BROWSER --url=%s"] = { "--url=" .. ADDRESS },
    ["BROWSER '%s'"] = { ADDRESS },
    ['BROWSER "%s" &'] = { ADDRESS },
    ["BROWSER 'two words' a\\ b %%s 100%%"] = { "two words", "a b", "%s", "100%", ADDRESS },
    ["BROWSER %s %s"] = { ADDRESS, ADDRESS },
    ["BROWSER '' %s"] = { "", ADDRESS },
    [":BROWSER: "] = { ADDRESS },
    ["/nowhere/browser %s:BROWSER -x %s"] = { "-x", ADDRESS },
    ["false:/nowhere/browser:BROWSER"] = { ADDRESS },
    ["BROWSER first:BROWSER second"] = { "first", ADDRESS },
    ["BROWSER $(echo x);`echo y`"] = { "$(echo", "x);`echo", "y`", ADDRESS },
  } do
    it("opens the address by " .. with, function()
      assert.same(expected, opened(with))
    end)
  end

  for _, case in ipairs {
    { {} },
    { { DISPLAY = "" } },
    { { DISPLAY = ":0" }, "xdg-open", true },
    { { WAYLAND_DISPLAY = "wayland-0" }, "xdg-open", true },
    { { WSL_DISTRO_NAME = "Debian" }, "wslview:xdg-open", true },
    { { BROWSER = "w3m %s", DISPLAY = ":0" }, "w3m %s", true },
    { { BROWSER = "", DISPLAY = ":0" }, "xdg-open", true },
    { { BROWSER = "firefox", SSH_CONNECTION = "192.0.2.1 1 192.0.2.2 22" }, "firefox" },
    { { DISPLAY = "localhost:10", SSH_TTY = "/dev/pts/0" }, "xdg-open" },
  } do
    local names = {}
    for name in pairs(case[1]) do
      names[#names + 1] = name
    end
    table.sort(names)
    it(("with %s%s the user has %s"):format(#names == 0 and "nothing" or table.concat(names, ", "),
      case[1].DISPLAY == "" and " (empty)" or "", case[2] or "no browser"), function()
        local function getenv(name)
          return case[1][name]
        end
        assert.equal(case[2], browser.commands(getenv))
        assert.equal(case[3] or false, browser.is_near(getenv))
      end)
  end

  it("opens no address with a character that is special to a shell", function()
    for _, address in ipairs { "https://a.example/'; touch x; '", "https://a.example/$(x)",
                               "https://a.example/`x`", "https://a.example/ x",
                               "https://a.example/\nx", "http://a.example/", "file:///etc" } do
      assert.is_nil(browser.command("true", address))
    end
  end)

  it("opens nothing when BROWSER holds no command", function()
    for _, with in ipairs { "", ":", " : " } do
      assert.is_nil(browser.command(with, ADDRESS))
    end
  end)

  it("hands on all variables of the environment but those of pcapi", function()
    local command = browser.command(path .. "/browser", ADDRESS):gsub("&$", "")
    local line = "env "
    for _, name in ipairs { "CLIENT_SECRET", "REFRESH_TOKEN", "TOKEN", "KEY_PASSPHRASE",
                            "CERTIFICATE_KEY" } do
      line = line .. "PCAPI_" .. name .. "=SECRET "
    end
    folder.write(path .. "/script", command)
    os.execute(line .. "OTHER=value sh " .. path .. "/script")
    local environment = files.slurp(path .. "/env")
    assert.is_nil(environment:find("SECRET", 1, true))
    assert.truthy(environment:find("OTHER=value", 1, true))
  end)
end)
