local cjson = require "cjson"
local config_file = require "pcapi.settings.config_file"
local file_store = require "pcapi.auth.store.file"
local folder = require "spec.support.folder"
local profiles = require "pcapi.settings.profiles"
local support = require "spec.support.settings"

local error_of, resolve = support.error_of, support.resolve

local RULE = "may hold letters, digits and . _ @ -, at most 64 characters"
local UNNAMED = { "history", "metrics", "report" }
local NAMED = { "notify", "route" }
local RESERVED = { "history", "metrics", "report", "notify", "route" }

describe("a section of the configuration file", function()
  teardown(folder.remove)

  local function read(text)
    return assert(config_file.read { path = folder.write(folder.new() .. "/config", text),
                              getenv = support.env() })
  end

  describe("is a profile", function()
    it("as [profile NAME] and as [NAME]", function()
      for _, header in ipairs { "[profile a]", "[a]", "[ profile \t a ]  # here", "[ a ];" } do
        local settings = assert(resolve(header .. "\nscope = x", { profile = "a" }))
        assert.same({ "a" }, settings.profiles, header)
        assert.equal("x", settings.values.scope)
      end
    end)

    it("whose name is reserved when the word profile precedes it", function()
      for _, name in ipairs { "history", "metrics", "report", "notify", "route", "profile" } do
        local settings = assert(resolve(("[profile %s]\nscope = x"):format(name),
          { profile = name }))
        assert.same({ name }, settings.profiles)
        assert.equal("x", settings.values.scope)
      end
    end)

    it("when a reserved word is written in another case", function()
      local text = "[History]\n[NOTIFY]\n[Profile]"
      assert.same({ "History", "NOTIFY", "Profile" }, read(text).profiles)
    end)

    it("once when it is written twice in one form", function()
      local sections = read("[profile a]\nscope = x\n[b]\n[profile  a]\nprefix = y")
      assert.same({ "a", "b" }, sections.profiles)
      assert.same({ scope = { value = "x", line = 2 }, prefix = { value = "y", line = 5 } },
        sections:settings "a")
    end)
  end)

  describe("is reserved, so no profile, as", function()
    for _, word in ipairs(UNNAMED) do
      it("[" .. word .. "]", function()
        local sections = read(("[%s]\npath = /x # here\nsize = 5\n[a]\n"):format(word))
        assert.same({ "a" }, sections.profiles)
        local section = sections:sections_of(word)[""]
        assert.equal(1, section.line)
        assert.same({ path = { value = "/x", line = 2 }, size = { value = "5", line = 3 } },
          section.values)
      end)
    end

    for _, word in ipairs(NAMED) do
      it("[" .. word .. " NAME]", function()
        local sections = read(("[%s mail]\nto = kim@x.example\n[%s chat]\n[%s mail]\nfrom = y")
          :format(word, word, word))
        assert.same({}, sections.profiles)
        local found = sections:sections_of(word)
        assert.same({ to = { value = "kim@x.example", line = 2 },
                      from = { value = "y", line = 5 } }, found.mail.values)
        assert.same({ 1, 3 }, { found.mail.line, found.chat.line })
        assert.same({}, found.chat.values)
      end)
    end

    it("a section that the file lacks: nothing is given", function()
      for _, word in ipairs(RESERVED) do
        assert.same({}, read "[a]":sections_of(word))
      end
    end)
  end)

  it("that is reserved gives no setting to a profile", function()
    local settings = assert(resolve "[history]\ntenant = x\n[notify default]\nscope = y")
    assert.same({}, settings.values)
  end)

  it("that is reserved may have any key, and a value that no profile could have", function()
    local values = read("[route x]\ntenant = *\ncloud = mars\nclient_secret = s\nunknown = ")
      :sections_of("route").x.values
    assert.equal("mars", values.cloud.value)
    assert.equal("", values.unknown.value)
  end)

  describe("is refused, by line and with the cure, for", function()
    for text, case in pairs {
      ["[foo bar]"] = { 1, 'unknown section type "foo"; write [profile NAME] or [NAME]' },
      ["\n[History x]"] = { 2, 'unknown section type "History"; write [profile NAME] or [NAME]' },
      ["[PROFILE x]"] = { 1, 'unknown section type "PROFILE"' },
      ["[]"] = { 1, "a section needs a name; write [profile NAME] or [NAME]" },
      ["[ ]"] = { 1, "a section needs a name; write [profile NAME] or [NAME]" },
      ["[profile]"] = { 1, "[profile] needs a name; write [profile NAME]" },
      ["[ profile ]"] = { 1, "[profile] needs a name; write [profile NAME]" },
      ["[notify]"] = { 1, "[notify] needs a name; write [notify NAME]" },
      ["[route] # all"] = { 1, "[route] needs a name; write [route NAME]" },
      ["[history x]"] = { 1, "[history] takes no name; write [history]" },
      ["[metrics x]"] = { 1, "[metrics] takes no name; write [metrics]" },
      ["[report x y]"] = { 1, "[report] takes no name; write [report]" },
      ["[a;b]"] = { 1, "the name of a section " .. RULE },
      ["[profile a b]"] = { 1, "the name of a section " .. RULE },
      ['[profile "a"]'] = { 1, "the name of a section " .. RULE },
      ["[notify a/b]"] = { 1, "the name of a section " .. RULE },
      ["[" .. ("a"):rep(65) .. "]"] = { 1, "the name of a section " .. RULE },
      ["[a]\n\n[profile a]"] = { 3, "profile a is already written as [a] in line 1; "
        .. "write it in one form" },
      ["[profile a]\n[b]\n[ a ]"] = { 3, "profile a is already written as [profile a] in line 1; "
        .. "write it in one form" },
      ["[history]\nx"] = { 2, "neither [section] nor name = value" },
      ["[history]\nx = 1\n[notify a]\nx = 1\n[history]\nx = 2"] = { 6,
        "x is already set in line 2" },
      ["[profile history]\npath = x"] = { 2, 'unknown setting "path"' },
    } do
      it(text:gsub("\n", " "):sub(1, 40), function()
        local message = error_of(text).message
        assert.matches(("/config:%d: "):format(case[1]), message, 1, true)
        assert.matches(case[2], message, 1, true)
      end)
    end
  end)

  describe("[history] beside a profile of that name", function()
    it("is an error when only the section is written, and the message says the cure", function()
      for _, how in ipairs { { profile = "history" }, { env = { PCAPI_PROFILE = "history" } } } do
        local err = error_of("timeout = 5\n[history]\npath = /x", how)
        assert.matches('^"history" is reserved as a plain section %(%[history%] in /.*/config:2%), '
          .. "so it names no profile %(", err.message)
        assert.matches(how.profile and "(flag --profile)" or "(environment PCAPI_PROFILE)",
          err.message, 1, true)
        assert.equal("Write [profile history] for a profile of that name", err.hint)
      end
    end)

    it("is no problem when both are written", function()
      local settings = assert(resolve("[history]\nscope = x\n[profile history]\nscope = y",
        { profile = "history" }))
      assert.equal("y", settings.values.scope)
      assert.same({ "history" }, settings.profiles)
    end)

    it("is no problem for other profiles, nor for a profile without a section", function()
      assert.is_table(resolve("[history]", { profile = "metrics" }))
      assert.is_table(resolve("[notify x]", { profile = "notify" }))
      assert.is_table(resolve("", { profile = "history" }))
    end)
  end)

  describe("and the sign-in of a profile called history:", function()
    local home

    before_each(function()
      home = folder.new()
      file_store.new(home .. "/.local/state/pcapi"):set("history", cjson.encode {
        version = 1, client_id = "me", tenant = "t", refresh_token = "SECRETstored" })
    end)

    local function options_of(text)
      local path = folder.write(home .. "/config", text)
      return { getenv = support.env { HOME = home, PCAPI_CONFIG = path }, profile = "history" }
    end

    for name, text in pairs { ["without a section"] = "timeout = 5",
                              ["with [profile history]"] = "timeout = 5\n[profile history]",
                              ["with both sections"] = "timeout = 5\n[history]\nx = 1\n"
                                .. "[profile history]" } do
      it("it is used " .. name, function()
        local profile = assert(profiles.open(options_of(text)))
        assert.is_table(profile:account())
        local values = profile.settings.values
        assert.same({ "t", 5 }, { values.tenant, values.timeout })
        assert.same({ "history" }, profiles.names(options_of(text)))
      end)
    end

    it("it is not used with [history] alone, and the error says the cure", function()
      local profile, err = profiles.open(options_of "[history]")
      assert.is_nil(profile)
      assert.equal("Write [profile history] for a profile of that name", err.hint)
    end)

    it("the names of all profiles have no reserved section", function()
      assert.same({ "a", "b", "history" }, profiles.names(options_of(
        "[history]\n[metrics]\n[report]\n[notify n]\n[route r]\n[a]\n[profile b]")))
    end)
  end)
end)
