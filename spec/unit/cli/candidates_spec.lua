--- The words that can follow the beginning of a command line.
local candidates = require "pcapi.cli.candidates"

local function words(...)
  local found, kind = candidates.of { ... }
  local list = {}
  for i, candidate in ipairs(found) do
    list[i] = candidate[1]
  end
  return table.concat(list, " "), kind
end

local function has(list, word)
  return (" " .. list .. " "):find(" " .. word .. " ", 1, true) ~= nil
end

describe("completion offers", function()
  it("the commands, and those that begin like the word", function()
    assert.truthy(words(""):find("watch explain report history notify metrics non-mfa adoption "
      .. "requests login ", 1, true) == 1)
    assert.equal("config completion", words "co")
    assert.equal("requests", words("--profile", "a", "-q", "req"))
  end)

  it("a meaning of each command and option", function()
    for _, typed in ipairs { "", "--" } do
      for _, candidate in ipairs((candidates.of { typed })) do
        assert.truthy(candidate[2]:find "^%u[^\n]+$", candidate[1])
      end
    end
  end)

  it("the subcommands of a command", function()
    assert.equal("show", words("config", ""))
  end)

  it("the options of the command and of all commands", function()
    local list = words("requests", "--")
    assert.is_true(has(list, "--without-mfa") and has(list, "--profile"))
    assert.is_false(has(words("--"), "--without-mfa"))
  end)

  it("no option that was given, except with its default", function()
    local list = words("non-mfa", "-q", "--since", "24h", "--")
    assert.is_false(has(list, "--quiet") or has(list, "--since"))
    assert.is_true(has(list, "--output"))
  end)

  it("the values of an option, in both forms", function()
    assert.equal("table json jsonl csv", words("non-mfa", "-o", ""))
    assert.equal("--output=json --output=jsonl", words("non-mfa", "--output=j"))
    assert.equal("global us_government china", words("--cloud", ""))
    assert.equal("24h 7d yesterday", words("adoption", "--since", ""))
  end)

  it("the fields of the command that were not named, and lets the list go on", function()
    local list, kind = words("non-mfa", "--columns", "")
    assert.same({ "upn lastNonMfaCompliantLoginDateTime objectId tenantId tenant", "open" },
      { list, kind })
    assert.equal("tenantId,upn tenantId,objectId tenantId,tenant",
      words("non-mfa", "--columns", "tenantId,"):gsub(" tenantId,last%w+", ""))
    assert.equal("requestId", words("requests", "--columns", "requestI"))
  end)

  it("files and folders only where one is meant", function()
    local KINDS = { { "file", { "non-mfa", "--tenants" } }, { "file", { "--ca-file" } },
                    { "folder", { "--ca-path" } }, { "file", { "login", "--certificate" } } }
    for _, case in ipairs(KINDS) do
      local kind, line = case[1], case[2]
      line[#line] = line[#line] .. "="
      assert.same({ {}, kind }, { candidates.of(line) })
      line[#line] = line[#line]:sub(1, -2)
      line[#line + 1] = ""
      assert.same({ {}, kind }, { candidates.of(line) })
    end
    for _, line in ipairs { { "non-mfa", "--user", "" }, { "non-mfa", "" }, { "--timeout", "" },
                            { "login", "--claims=" }, { "bogus", "" } } do
      assert.is_nil(select(2, candidates.of(line)))
    end
  end)

  it("commands and topics after help, then subcommands", function()
    local list = words("help", "")
    assert.is_true(has(list, "login") and has(list, "exit-status"))
    assert.equal("show", words("help", "config", ""))
    assert.equal("", words("help", "environment", ""))
    assert.equal("", words("help", "config", "show", ""))
  end)

  it("no option behind --", function()
    assert.equal("", words("non-mfa", "--", "--"))
  end)

  it("nothing after a value that has no words, or an error", function()
    for _, line in ipairs { { "non-mfa", "--user", "" }, { "status", "" }, { "--bogus=" },
                            { "--quiet=" } } do
      assert.same({}, (candidates.of(line)))
    end
  end)
end)
